//! Graph → staging → mirror. What is read goes into the database page by page, with the cursor of the page;
//! memory holds the pages under way and nothing of the tenant.

mod by_id;
pub mod collected;
mod dialect;
mod full;
mod groups;
mod incremental;
mod list;
mod lost_permission;
mod managers;
mod memberships;
mod missing;
mod moved_members;
mod narrowed;
mod object;
mod plan;
mod ranges;
mod read_plan;
mod reader;
mod request;
mod scope;
mod small;
mod stubs;
mod test_run;
mod writer;

use super::run::Run;
use super::stop::Stop;
use crate::codes::{RunErrorCode, WarningCode};
use crate::connection_check;
use crate::db::mirror::{self, MirrorRow, Promotion, read};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::graph::error::GraphError;
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::seal::Place;
use collected::{Collected, DeltaLinks};
use dialect::Refused;
use full::read_all;
use reader::{Read, Reader};
use secrecy::ExposeSecret;
use std::convert::Infallible;
use std::time::Duration;
use uuid::Uuid;
use writer::Known;

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
        let advice = "Run the connection check: its remedies fix what it finds. Then start the run again.";
        return Err(Stop::failed(RunStage::Collect, finding.code, finding.message, advice));
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
                run.progress.used(reader.session.usage());
            }
        };
        let read = tokio::select! {
            read = read_as_selected(&reader, &mirror) => read.and_then(|read| lost_permission::tell(&reader, read)),
            never = using() => match never {},
        };
        run.progress.used(reader.session.usage());
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
            reader.run.progress.forget_counts();
            forget_staged(reader).await?;
        }
        Some(selection) if selection == reader.run.job.selection() => {}
        Some(_) => {
            reader.run.log("The filter or the selected attributes changed; everything is read again.").await?;
            reader.run.progress.forget_counts();
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
            RunErrorCode::TenantChanged,
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
    let why = match read_plan::reason_for_full(reader, mirror) {
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
    reader
        .run
        .progress
        .warn(RunWarning::new(WarningCode::IncrementalBecameFull, format!("Everything is read: {why}.")));
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
        Some(sealed) if read_plan::follows(&run.job, object_type) => {
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
        names.extend(read.types.iter().filter_map(|t| mirror::stub_name(*t)));
    }
    let (unknown, narrowed) = (read.members_unknown, &read.narrowed);
    let by_membership = read_plan::is_by_membership(&run.job);
    let (counts, memberships) = run
        .app
        .db
        .scoped(organization, async |tx| {
            crate::db::runs::fence(tx, &lease).await?;
            mirror::restage_members(tx, &lease, job, &unknown).await?;
            if let Some(narrowed) = narrowed {
                narrowed.cut(tx, &lease, job).await?;
                plan::note_in(tx, &lease, CUT).await?;
            }
            if read.is_patch && by_membership {
                mirror::scope::store_changed(tx, &lease, job).await?;
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
            None => run.progress.count(name, |count| count.read = number),
            Some(of) if number > 0 => run.progress.count(of, |count| count.stubs = number),
            Some(_) => {}
        }
    }
    if let Some(narrowed) = &read.narrowed {
        narrowed.tell(&run.progress);
    }
    run.progress.count("memberships", |count| count.read = if read.memberships { memberships } else { 0 });
    let frozen = read.frozen.iter().map(|frozen| frozen.object_type).collect();
    Ok(Collected::complete(read.types, frozen, read.memberships, generation, run.job.selection()))
}
