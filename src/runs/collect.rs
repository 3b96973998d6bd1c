//! Graph → staging → mirror. What is read goes into the database page by page, with the cursor of the page;
//! memory holds the pages under way and nothing of the tenant.

mod anew;
mod by_id;
mod frozen;
mod groups;
mod incremental;
mod list;
mod managers;
mod object;
mod outside;
mod partition;
mod plan;
mod query;
mod recheck;
mod recycle_bin;
mod refused;
mod scope;
mod test_run;
mod unseen;
mod writer;

use super::journal::Work;
use super::pipeline::Run;
use super::stop::Stop;
use crate::connection_check;
use crate::db::mirror::{self, MirrorRow, Promotion, read};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::filter::{ScopeGroups, ScopeUsers};
use crate::graph::Session;
use crate::graph::error::GraphError;
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::seal::Place;
use frozen::{Frozen, Reading};
use refused::Refused;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uuid::Uuid;
use writer::{Known, Writer};

/// What was read, and the proof that it was read to its end. Only this module makes one, after the last
/// page of every collection; a stored one is a checkpoint that this module wrote.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// The types read to their end.
    pub types: Vec<ObjectType>,
    /// Types that could not be read now: what was delivered of them stays as it is.
    pub frozen: Vec<ObjectType>,
    pub memberships: bool,
    /// The mirror's generation that this read made.
    pub generation: i64,
    /// What was selected, see [`JobContext::selection`](super::context::JobContext::selection).
    #[serde(default)]
    pub selection: String,
    _complete: Completeness,
}

impl Collected {
    pub fn is_frozen(&self, object_type: ObjectType) -> bool {
        self.frozen.contains(&object_type)
    }
}

/// See [`Collected`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Completeness(());

/// What all readers of one run share.
struct Reader<'a> {
    run: &'a Run,
    session: Session,
    /// `roles` of the token: what the application may read.
    roles: Vec<String>,
    writer: Writer,
    refused: Refused,
    /// The types whose number Graph has told; of others it is known only as they come.
    counted: [AtomicBool; 4],
}

impl Reader<'_> {
    /// So many objects of a type are to be read. The first word counts.
    fn expect(&self, object_type: ObjectType, number: u64) {
        if !self.counted[object_type.index()].swap(true, Ordering::Relaxed) {
            self.run.journal.expect(Work::Objects, number);
        }
    }

    fn is_counted(&self, object_type: ObjectType) -> bool {
        self.counted[object_type.index()].load(Ordering::Relaxed)
    }
}

/// What a way of reading read to its end.
#[derive(Default)]
struct Read {
    types: Vec<ObjectType>,
    /// Types that may no longer be read.
    frozen: Vec<Frozen>,
    memberships: bool,
    members_unknown: Vec<Uuid>,
    /// How many users fulfil the filter's condition, where only members of groups were read.
    matching_users: Option<u64>,
    /// What the filter's scope and limits leave of it.
    narrowed: Option<Box<scope::Narrowed>>,
    /// Only what changed was read.
    is_patch: bool,
    /// Where the next incremental read begins.
    delta: Option<DeltaLinks>,
}

/// Positions in the changes of the types that the job imports.
#[derive(Clone)]
struct DeltaLinks {
    users: Option<String>,
    groups: Option<String>,
}

/// How often it is told what was used of the quota.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Reads what the job selects, and makes it the mirror (not for tests and dry runs).
pub async fn collect(run: &Run) -> Result<Collected, Stop> {
    let session = run.app.graph.session(run.job.identity.clone(), run.cancel.clone());
    // A token made now: what was granted since the last one is written only into a new one. The session finds
    // it in the cache.
    let token = tokio::select! {
        biased;
        () = run.cancel.cancelled() => return Err(Stop::Cancelled),
        token = run.app.graph.tokens().fresh(&run.job.identity) => token.map_err(GraphError::from)?,
    };
    let tenant = token.claims.tid.as_deref().and_then(|tid| Uuid::parse_str(tid).ok());
    let graph_url = run.app.settings.hosts.graph_url.as_ref();
    if let Some(finding) = connection_check::refusal(&token.claims, &run.job.identity, graph_url) {
        let advice = "Run the connection check: its remedies mend what it finds. Then start the run again.";
        return Err(Stop::failed(RunStage::Collect, &finding.code, finding.message, advice));
    }
    let mirror = begin(run, tenant).await?;
    let known = match run.mode {
        RunMode::Full => Known::load(run).await?,
        RunMode::Incremental | RunMode::Test | RunMode::DryRun => Known::default(),
    };
    let (writer, writing) = writer::start(run, known);
    let reader = Reader {
        run,
        session,
        roles: token.claims.roles.clone(),
        writer,
        refused: Refused::default(),
        counted: Default::default(),
    };
    let reading = async {
        // A wait for the quota is told while it lasts.
        let using = async || -> Infallible {
            loop {
                run.app.clock.sleep(TOLD_EVERY).await;
                run.journal.used(reader.session.usage());
            }
        };
        let read = tokio::select! {
            read = read_as_selected(&reader, &mirror) => read.and_then(|read| frozen::tell(&reader, read)),
            never = using() => match never {},
        };
        run.journal.used(reader.session.usage());
        // The writer ends when the last sender is gone.
        drop(reader);
        read
    };
    let (read, written) = tokio::join!(reading, writing);
    // A failure to write makes the readers fail too, as a closed channel: it is the cause.
    written?;
    finish(run, mirror, tenant, read?).await
}

/// Reads in the way of the mode, and goes on with what an earlier attempt staged only if that was selected so too.
async fn read_as_selected(reader: &Reader<'_>, mirror: &MirrorRow) -> Result<Read, Stop> {
    match plan::noted(reader, SELECTION).await? {
        Some(_) if plan::noted(reader, CUT).await?.is_some() => {
            reader.run.journal.forget_counts();
            forget_staged(reader).await?;
        }
        Some(selection) if selection == reader.run.job.selection() => {}
        Some(_) => {
            reader.run.log("The filter or the selected attributes changed; everything is read again.").await?;
            reader.run.journal.forget_counts();
            forget_staged(reader).await?;
        }
        None => note_selection(reader).await?,
    }
    match reader.run.mode {
        RunMode::Test => test_run::read(reader).await,
        RunMode::Incremental => read_changes(reader, mirror).await,
        RunMode::Full | RunMode::DryRun => read_all(reader).await,
    }
}

/// Written down when the scope was cut out of what is staged: nothing can be decided by the rest again.
const CUT: &str = "cut";
/// What was selected when the run began to read.
const SELECTION: &str = "selection";

async fn note_selection(reader: &Reader<'_>) -> Result<(), Stop> {
    plan::note(reader, SELECTION, Some(&reader.run.job.selection())).await
}

/// Makes sure that the mirror holds the same directory, or starts it anew when that is wanted.
async fn begin(run: &Run, tenant: Option<Uuid>) -> Result<MirrorRow, Stop> {
    let (organization, job, lease) = (run.job.organization, run.job.id, run.lease);
    // A test and a dry run change no mirror.
    let reset = run.request.reset_mirror && matches!(run.mode, RunMode::Full | RunMode::Incremental);
    let mirror = run
        .app
        .db
        .scoped(organization, async move |tx| {
            let mirror = mirror::find(tx, organization, job).await?;
            if mirror.tenant_id.is_none() || mirror.tenant_id == tenant || !reset {
                return Ok(mirror);
            }
            crate::db::runs::fence(tx, &lease).await?;
            mirror::reset(tx, organization, job).await?;
            mirror::find(tx, organization, job).await
        })
        .await?;
    match (mirror.tenant_id, tenant) {
        (Some(known), Some(found)) if known != found => Err(Stop::failed(
            RunStage::Collect,
            "tenant_changed",
            format!("The connection now reaches the tenant {found}, but the mirror of this job holds {known}."),
            "If the change is wanted, start the run with resetMirror: true; otherwise correct the connection.",
        )),
        _ => Ok(mirror),
    }
}

/// What changed since the last complete read; everything, where that cannot be told, and the run says why.
async fn read_changes(reader: &Reader<'_>, mirror: &MirrorRow) -> Result<Read, Stop> {
    const FULL: &str = "fullBecause";
    if let Some(why) = plan::noted(reader, FULL).await? {
        say_full(reader, &why);
        return read_all(reader).await;
    }
    // What an earlier attempt staged would be mixed with changes that came since.
    forget_staged(reader).await?;
    let why = match incremental::reason_for_full(reader, mirror) {
        Some(why) => why,
        None => {
            let links = open_links(reader.run, mirror)?;
            match incremental::read(reader, &links).await? {
                incremental::Outcome::Read(read) => return Ok(read),
                incremental::Outcome::Expired(why) => why,
            }
        }
    };
    say_full(reader, &why);
    forget_staged(reader).await?;
    plan::note(reader, FULL, Some(&why)).await?;
    read_all(reader).await
}

fn say_full(reader: &Reader<'_>, why: &str) {
    reader.run.journal.warn(RunWarning::new("incremental_became_full", format!("Everything is read: {why}.")));
}

async fn forget_staged(reader: &Reader<'_>) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let lease = reader.run.lease;
    let db = &reader.run.app.db;
    let cleared = db.scoped(lease.organization, async move |tx| {
        crate::db::runs::fence(tx, &lease).await?;
        mirror::clear_staging(tx, lease.organization, lease.run).await
    });
    cleared.await?;
    note_selection(reader).await
}

fn delta_place(run: &Run, column: &'static str) -> Place {
    Place { table: "mirrors", column, organization: run.job.organization, row: run.job.id.0 }
}

/// The positions of the types that the job follows; earlier versions kept those of others too.
fn open_links(run: &Run, mirror: &MirrorRow) -> Result<DeltaLinks> {
    let open = |object_type, column, sealed: &Option<Vec<u8>>| match sealed {
        Some(sealed) if incremental::follows(&run.job, object_type) => {
            let link = run.app.keys.open(delta_place(run, column), sealed)?;
            Ok::<_, Error>(Some(link.expose_secret().to_owned()))
        }
        Some(_) | None => Ok(None),
    };
    Ok(DeltaLinks {
        users: open(ObjectType::Users, "users_delta_sealed", &mirror.users_delta_sealed)?,
        groups: open(ObjectType::Groups, "groups_delta_sealed", &mirror.groups_delta_sealed)?,
    })
}

/// Everything that the job selects, each collection once.
async fn read_all(reader: &Reader<'_>) -> Result<Read, Stop> {
    let mapping = &reader.run.job.mapping;
    let scope = &reader.run.job.filter.scope;
    let mut read = Read::default();
    if reader.run.mode != RunMode::DryRun {
        read.delta = incremental::positions(reader).await?;
    }
    let small = async {
        let mut small = Read::default();
        read_small(reader, &mut small, None).await.map(|()| small)
    };
    // What a scope decides by is read also where it is not imported.
    let wants_users = mapping.is_enabled(ObjectType::Users) || scope.groups == ScopeGroups::ContainingFilteredUsers;
    let wants_groups = mapping.is_enabled(ObjectType::Groups) || scope.users == ScopeUsers::MembersOfFilteredGroups;
    let groups = async {
        match wants_groups {
            true => frozen::unless_refused(reader, ObjectType::Groups, Box::pin(groups::read(reader))).await.map(Some),
            false => Ok(None),
        }
    };
    // The first failure of users or groups ends the others.
    let (users, groups, small) = match scope.users {
        ScopeUsers::All => tokio::try_join!(read_users(reader, wants_users, None), groups, small)?,
        ScopeUsers::MembersOf => {
            let members = scope::members_of_named(reader).await;
            let members = members.map_err(|stop| frozen::undecidable(stop, ObjectType::Groups))?;
            read.members_unknown = members.unknown;
            tokio::try_join!(read_users(reader, wants_users, Some(members.users)), groups, small)?
        }
        ScopeUsers::MembersOfFilteredGroups => {
            let (groups, small) = tokio::try_join!(groups, small)?;
            let unknown = match &groups {
                Some(Reading::Whole(groups)) => &groups.members_unknown[..],
                Some(Reading::Frozen(_)) | None => &[],
            };
            let members = scope::members_of_filtered(reader, unknown).await;
            let members = members.map_err(|stop| frozen::undecidable(stop, ObjectType::Groups))?;
            read.members_unknown = members.unknown;
            (read_users(reader, wants_users, Some(members.users)).await?, groups, small)
        }
    };
    match users {
        Reading::Whole(matching) => {
            read.matching_users = matching;
            read.types.extend([ObjectType::Users].iter().filter(|users| mapping.is_enabled(**users)));
        }
        Reading::Frozen(frozen) => read.frozen.push(frozen),
    }
    match groups {
        Some(Reading::Whole(groups)) => {
            read.members_unknown.extend(groups.members_unknown);
            if mapping.is_enabled(ObjectType::Groups) {
                read.types.push(ObjectType::Groups);
                read.memberships = groups.memberships;
            }
        }
        Some(Reading::Frozen(frozen)) => read.frozen.push(frozen),
        None => {}
    }
    if !read.frozen.is_empty() {
        // What changes while a type is frozen is told by no position: the next read has to be whole.
        read.delta = None;
    }
    read.types.extend(small.types);
    read.frozen.extend(small.frozen);
    unseen::find(reader, &mut read).await?;
    let position = read.delta.as_ref().and_then(|links| links.groups.clone());
    if let Some(position) = position.filter(|_| read.memberships || scope::is_by_membership(&reader.run.job)) {
        Box::pin(recheck::memberships(reader, &mut read, &position)).await?;
    }
    read.narrowed = scope::decide(reader, &read).await?.map(Box::new);
    Ok(read)
}

async fn read_users(
    reader: &Reader<'_>,
    wanted: bool,
    members: Option<Vec<Uuid>>,
) -> Result<Reading<Option<u64>>, Stop> {
    match wanted {
        true => frozen::unless_refused(reader, ObjectType::Users, Box::pin(list::read_users(reader, members))).await,
        false => Ok(Reading::Whole(None)),
    }
}

/// Licences and devices, of devices the first `devices_most`.
async fn read_small(reader: &Reader<'_>, read: &mut Read, devices_most: Option<u32>) -> Result<(), Stop> {
    for object_type in [ObjectType::Licenses, ObjectType::Devices] {
        if !reader.run.job.mapping.is_enabled(object_type) {
            continue;
        }
        let reading = async {
            match devices_most.filter(|_| object_type == ObjectType::Devices) {
                Some(most) => list::read_first(reader, object_type, most).await.map(drop),
                None => list::read(reader, object_type).await,
            }
        };
        match frozen::unless_refused(reader, object_type, Box::pin(reading)).await? {
            Reading::Whole(()) => read.types.push(object_type),
            Reading::Frozen(frozen) => read.frozen.push(frozen),
        }
    }
    Ok(())
}

/// Counts what was read and, unless the run only looks, makes it the mirror.
async fn finish(run: &Run, mut mirror: MirrorRow, tenant: Option<Uuid>, read: Read) -> Result<Collected, Stop> {
    let (organization, job, lease, mode) = (run.job.organization, run.job.id, run.lease, run.mode);
    let source = run.source();
    let now = run.app.clock.now();
    mirror.tenant_id = tenant.or(mirror.tenant_id);
    mirror.selection_hash = Some(run.job.selection_hash.clone());
    mirror.generation += 1;
    mirror.read_at = Some(now);
    if !read.is_patch {
        mirror.full_read_at = Some(now);
    }
    (mirror.users_delta_sealed, mirror.groups_delta_sealed) = (None, None);
    if let Some(links) = &read.delta {
        let seal = |column, link: &Option<String>| {
            link.as_deref().map(|link| run.app.keys.seal(delta_place(run, column), link)).transpose()
        };
        mirror.users_delta_sealed = seal("users_delta_sealed", &links.users)?;
        mirror.groups_delta_sealed = seal("groups_delta_sealed", &links.groups)?;
    }
    mirror.updated_at = now;
    let generation = mirror.generation;
    let mut names: Vec<&'static str> = read.types.iter().map(|t| t.as_str()).collect();
    if !read.is_patch {
        names.extend(read.types.iter().filter_map(|t| mirror::stubs_of(t.as_str())));
    }
    let (unknown, narrowed) = (read.members_unknown, &read.narrowed);
    let by_membership = scope::is_by_membership(&run.job);
    let (counts, memberships) = run
        .app
        .db
        .scoped(organization, async |tx| {
            crate::db::runs::fence(tx, &lease).await?;
            mirror::keep_known_members(tx, &lease, job, &unknown).await?;
            if let Some(narrowed) = narrowed {
                narrowed.cut(tx, &lease, job).await?;
                plan::note_in(tx, &lease, CUT).await?;
            }
            if read.is_patch && by_membership {
                mirror::scope::keep(tx, &lease, job, true).await?;
            }
            if matches!(mode, RunMode::Full | RunMode::Incremental) {
                let promotion = Promotion { types: &names, members: read.memberships, is_patch: read.is_patch };
                mirror::promote(tx, &lease, job, &promotion).await?;
                mirror::save(tx, &mirror).await?;
            }
            let mut counts = Vec::new();
            for name in &names {
                counts.push((*name, read::count(tx, organization, source, name).await?));
            }
            Ok((counts, read::count_memberships(tx, organization, source).await?))
        })
        .await?;
    for (name, number) in counts {
        match name.strip_prefix("stub:") {
            None => run.journal.count(name, |count| count.read = number),
            Some(of) if number > 0 => run.journal.count(of, |count| count.stubs = number),
            Some(_) => {}
        }
    }
    if let Some(narrowed) = &read.narrowed {
        narrowed.tell(&run.journal);
    }
    run.journal.count("memberships", |count| count.read = if read.memberships { memberships } else { 0 });
    Ok(Collected {
        types: read.types,
        frozen: read.frozen.iter().map(|frozen| frozen.object_type).collect(),
        memberships: read.memberships,
        generation,
        selection: run.job.selection(),
        _complete: Completeness(()),
    })
}
