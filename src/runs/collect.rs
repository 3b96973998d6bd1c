//! Graph → staging → mirror. Every page is stored with the cursor of its collection as it comes; memory holds only the
//! pages in flight.
//!
//! [`read_plan`] decides how a run reads, and why. [`full`], [`incremental`] and [`test_run`] are the three ways;
//! [`staging`] and [`mirror`] are what they read from and write to, [`request`] and [`dialect`] how Graph is asked.

mod answers;
mod by_id;
pub mod collected;
mod decided_by_graph;
mod dialect;
mod fetch;
mod full;
mod groups;
mod hidden_values;
mod implausible;
mod incremental;
mod kept_values;
mod list;
mod lost_permission;
mod managers;
mod memberships;
mod mirror;
mod missing;
mod moved_members;
mod narrowed;
mod nested_groups;
mod object;
mod pages;
mod parts;
mod passes;
mod ranges;
mod read_error;
mod read_plan;
mod reader;
mod relations;
mod request;
mod scope;
mod small;
mod staging;
mod stubs;
mod test_run;
mod touch;
mod users;
mod values;
mod writer;

use super::run::Run;
use super::stop::Stop;
use crate::codes::{RunErrorCode, WarningCode};
use crate::connection_check;
use crate::db::mirror::{self as mirrors, MirrorRow, StoredAs};
use crate::directory::ObjectType;
use crate::error::Error;
use crate::graph::GraphError;
use crate::graph::token::AccessToken;
use crate::plural::counted;
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::seal::Place;
use collected::{Collected, DeltaLinks};
use dialect::Dialect;
use full::read_all;
use incremental::Outcome;
use mirror::Mirror;
use read_error::Result;
use read_plan::{How, ReadPlan};
use reader::{Read, Reader};
use secrecy::ExposeSecret;
use staging::{Completion, Note, Staging};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use writer::KnownHashes;

/// How often progress reports what was used of the quota.
const USAGE_EVERY: Duration = Duration::from_secs(1);

/// Reads what the job selects, and makes it the mirror (not for tests and dry runs).
pub async fn collect(run: &Run) -> Result<Collected, Stop> {
    let token = sign_in(run).await?;
    let tenant = token.claims.tid.as_deref().and_then(|tid| Uuid::parse_str(tid).ok());
    let row = begin(run, tenant).await?;
    let plan = ReadPlan::decide(&run.job, &row, run.mode, run.app.settings.full_every_days, run.app.clock.now());
    run.log(&plan.to_string()).await?;
    let mirror = Mirror::of(run);
    // Only a run that makes staging the mirror can leave out what the mirror has: others compare the staged data.
    let known = match run.mode {
        RunMode::Full => KnownHashes::new(mirror.hashes().await?),
        RunMode::Incremental | RunMode::Test | RunMode::DryRun => KnownHashes::default(),
    };
    let (staging, writing) = Staging::open(run, known);
    let reader = Reader {
        run,
        session: run.app.graph.session(run.job.identity.clone(), run.cancel.clone()),
        selection: selection(run, tenant),
        roles: token.claims.roles.clone(),
        plan,
        staging,
        mirror,
        dialect: Dialect::default(),
        counted: Default::default(),
    };
    let reading = async {
        // A wait for the quota shows while it lasts.
        let reporting = async || -> Infallible {
            loop {
                run.app.clock.sleep(USAGE_EVERY).await;
                reader.report_usage();
            }
        };
        let read = tokio::select! {
            read = read_as_planned(&reader, &row) => read.and_then(|read| lost_permission::report(&reader, read)),
            never = reporting() => match never {},
        };
        reader.report_usage();
        // The writer ends when the last sender is gone.
        drop(reader);
        read
    };
    let (read, written) = tokio::join!(reading, writing);
    // When the writer fails, the readers fail too, because their channel closes: its error is the cause.
    let staged = written?;
    Ok(finish(run, row, tenant, read?, staged).await?)
}

/// A token made now: permissions granted since the last one are only in a new one. The session finds it in the cache.
async fn sign_in(run: &Run) -> Result<Arc<AccessToken>> {
    let token = tokio::select! {
        biased;
        () = run.cancel.cancelled() => return Err(Stop::Cancelled.into()),
        token = run.app.graph.tokens().fresh(&run.job.identity) => token.map_err(GraphError::from)?,
    };
    let graph_url = run.app.settings.hosts.graph_url.as_ref();
    if let Some(finding) = connection_check::refusal(&token.claims, &run.job.identity, graph_url) {
        let advice = "Run the connection check and follow its remedies; then start the run again.";
        let stop = Stop::failed(RunStage::Collect, finding.code, finding.message, advice);
        return Err(stop.with_remedies(finding.remedies).into());
    }
    Ok(token)
}

/// Reads as planned, and resumes what an earlier attempt staged only if that was selected so too.
async fn read_as_planned(reader: &Reader<'_>, mirror: &MirrorRow) -> Result<Read> {
    let staging = &reader.staging;
    match staging.noted(Note::Selection).await? {
        Some(_) if staging.noted(Note::Cut).await?.is_some() => {
            reader.run.progress.forget_counts();
            forget_staged(reader).await?;
        }
        Some(selection) if selection == reader.selection => {}
        Some(_) => {
            let why = "The filter, the selected attributes, the tenant or this service's version changed; everything is read again.";
            reader.run.log(why).await?;
            reader.run.progress.forget_counts();
            forget_staged(reader).await?;
        }
        None => note_selection(reader).await?,
    }
    let mut read = match reader.run.mode {
        RunMode::Test => test_run::read(reader).await?,
        RunMode::Incremental => read_changes(reader, mirror).await?,
        RunMode::Full | RunMode::DryRun => read_all(reader).await?,
    };
    read.emptied = implausible::emptied_lists(reader, &read).await?;
    read.emptied.extend(hidden_values::hidden(reader, &read).await?);
    report_replaced(reader);
    Ok(read)
}

/// Says in how many objects characters were replaced.
fn report_replaced(reader: &Reader<'_>) {
    let objects = reader.session.replaced();
    if let Some(first) = objects.first() {
        let number = objects.len() as u64;
        let detail = format!(
            "Texts of {} are no valid Unicode; the characters that cannot be read are imported as U+FFFD. The first \
             object: {}.",
            counted(number, "object", "objects"),
            if first.is_empty() { "one without an id" } else { first }
        );
        let warning = RunWarning::new(WarningCode::CharactersReplaced, detail).with_count(number);
        reader.run.progress.warn(warning);
    }
}

/// What is selected, and where: what an earlier attempt read of another tenant is of no use.
fn selection(run: &Run, tenant: Option<Uuid>) -> String {
    let identity = &run.job.identity;
    let tenant = tenant.map_or_else(|| identity.tenant_id.clone(), |tenant| tenant.to_string());
    format!("{} {} {tenant}", run.job.selection(), identity.cloud)
}

async fn note_selection(reader: &Reader<'_>) -> Result<()> {
    reader.staging.note(Note::Selection, Some(&reader.selection)).await
}

async fn forget_staged(reader: &Reader<'_>) -> Result<()> {
    reader.staging.clear().await?;
    note_selection(reader).await
}

/// Makes sure that the mirror holds the same directory, or resets it when that is wanted.
async fn begin(run: &Run, tenant: Option<Uuid>) -> Result<MirrorRow> {
    let (organization, job, lease) = (run.job.organization, run.job.id, run.lease);
    // A test and a dry run change no mirror.
    let reset = run.request.reset_mirror && matches!(run.mode, RunMode::Full | RunMode::Incremental);
    let mirror = run.tx("find the mirror", async move |tx| {
        let mirror = mirrors::find(tx, organization, job).await?;
        if mirror.tenant_id.is_none() || mirror.tenant_id == tenant || !reset {
            return Ok(mirror);
        }
        crate::db::runs::fence(tx, &lease).await?;
        mirrors::reset(tx, organization, job).await?;
        mirrors::find(tx, organization, job).await
    });
    let mirror = mirror.await?;
    match (mirror.tenant_id, tenant) {
        (Some(known), Some(found)) if known != found => Err(Stop::failed(
            RunStage::Collect,
            RunErrorCode::TenantChanged,
            format!("The connection now reaches the tenant {found}, but the mirror of this job holds {known}."),
            "If the change is wanted, start the run with resetMirror: true; otherwise correct the connection.",
        )
        .into()),
        _ => Ok(mirror),
    }
}

/// What changed since the last complete read; everything, where changes do not suffice, with a warning that says why.
async fn read_changes(reader: &Reader<'_>, mirror: &MirrorRow) -> Result<Read> {
    if let Some(why) = reader.staging.noted(Note::FullReason).await? {
        warn_of_full(reader, &why);
        return read_all(reader).await;
    }
    if reader.plan.how != How::Changes || !incremental::has_begun(reader).await? {
        forget_staged(reader).await?;
    }
    let why = match reader.plan.how {
        How::Everything | How::Sample => reader.plan.why.to_string(),
        How::Changes => {
            let links = open_links(reader, mirror)?;
            match incremental::read(reader, &links).await? {
                Outcome::Read(read) => return Ok(read),
                Outcome::Expired(why) => why,
            }
        }
    };
    warn_of_full(reader, &why);
    forget_staged(reader).await?;
    reader.staging.note(Note::FullReason, Some(&why)).await?;
    read_all(reader).await
}

fn warn_of_full(reader: &Reader<'_>, why: &str) {
    reader
        .run
        .progress
        .warn(RunWarning::new(WarningCode::IncrementalBecameFull, format!("Everything is read: {why}.")));
}

fn delta_place(run: &Run, column: &'static str) -> Place {
    Place { table: "mirrors", column, organization: run.job.organization, row: run.job.id.0 }
}

/// The delta links of the types that the job follows.
fn open_links(reader: &Reader<'_>, mirror: &MirrorRow) -> Result<DeltaLinks> {
    let run = reader.run;
    let open = |object_type, column, sealed: &Option<Vec<u8>>| match sealed {
        Some(sealed) if reader.plan.follows(object_type) => {
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

/// Completes the read: makes it the mirror, unless the run only looks, and counts it.
async fn finish(run: &Run, mut mirror: MirrorRow, tenant: Option<Uuid>, read: Read, staged: u64) -> Result<Collected> {
    note_read(run, &mut mirror, tenant, &read)?;
    let stored_as: Vec<StoredAs> = read.types.iter().copied().flat_map(StoredAs::all_of).collect();
    let values = values::types(run, &read.types);
    let completion = Completion {
        mirror: &mirror,
        staged,
        stored_as: &stored_as,
        memberships: read.memberships,
        is_patch: read.is_patch,
        members_unknown: &read.members_unknown,
        narrowed: read.narrowed.as_deref(),
        types: &read.types,
        values: &values,
        emptied: &read.emptied,
        promote: matches!(run.mode, RunMode::Full | RunMode::Incremental),
    };
    let counted = staging::complete(run, completion).await?;
    counted.kept.iter().for_each(|(object_type, kept)| kept_values::warn(run, *object_type, kept));
    for (stored_as, number) in counted.objects {
        match stored_as {
            StoredAs::Object(of) => run.progress.count(of.as_str(), |count| count.read = number),
            StoredAs::Stub(of) if number > 0 => run.progress.count(of.as_str(), |count| count.stubs = number),
            StoredAs::Stub(_) | StoredAs::Gone(_) | StoredAs::GoneStub(_) | StoredAs::Apart(_) => {}
        }
    }
    if let Some(narrowed) = &read.narrowed {
        narrowed.report(&run.progress);
    }
    run.progress.count("memberships", |count| count.read = if read.memberships { counted.memberships } else { 0 });
    let lost = read.lost.iter().map(|lost| lost.object_type).collect();
    let types = read.types.into_iter().chain(values).collect();
    let mut collected = Collected::complete(types, lost, read.memberships, mirror.generation, run.job.selection());
    (collected.is_patch, collected.tenant) = (read.is_patch, mirror.tenant_id);
    Ok(collected)
}

/// Enters into the row of the mirror what it will hold.
fn note_read(run: &Run, mirror: &mut MirrorRow, tenant: Option<Uuid>, read: &Read) -> Result<()> {
    let now = run.app.clock.now();
    mirror.tenant_id = tenant.or(mirror.tenant_id);
    mirror.selection_hash = Some(run.job.selection_hash.clone());
    let is_followed = mirror.is_followed();
    mirror.generation += 1;
    match (read.is_patch, is_followed) {
        (true, true) => mirror.touched_generation = Some(mirror.generation),
        (true, false) => {}
        // What differs is not noted, so everything is compared.
        (false, _) => mirror.compared_by = None,
    }
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
    Ok(())
}
