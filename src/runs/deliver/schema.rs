//! The schema and mapping document: sent when Assets does not have what this run needs.

use super::delivered::TypeNames;
use super::delivery::{Delivery, failed};
use crate::app::App;
use crate::assets::{AssetsError, AssetsErrorKind, ConfigState, Links};
use crate::codes::WarningCode;
use crate::db::destinations;
use crate::directory::ObjectType;
use crate::error::{Code, Error, Result};
use crate::ids::DestinationId;
use crate::mapping::difference::Blocked;
use crate::mapping::{Difference, ImportSource, Mapping};
use crate::run_state::RunWarning;
use crate::runs::context::JobContext;
use crate::runs::forge_token::target;
use crate::runs::stop::Stop;
use crate::runs::transaction::transaction;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of the object schema where Assets does not say it. Assets keeps its own name.
pub(in crate::runs) const SCHEMA_NAME: &str = "Entra ID";

/// Makes sure that Assets has the types and attributes of this run.
pub(super) async fn ensure(delivery: &Delivery<'_>, state: ConfigState) -> Result<(), Stop> {
    let Delivery { run, client, links } = delivery;
    let target = target(run).await?;
    let current = client.schema_and_mapping(&target, links).await.map_err(|e| failed(&e))?;
    let id = links.import_source_id().unwrap_or_default();
    let name = current.as_ref().and_then(schema_name).unwrap_or(SCHEMA_NAME).to_owned();
    let source = ImportSource { id: &id, schema_name: &name };
    let mapping = &run.job.mapping;
    let difference = mapping.difference(source, current.as_ref());
    if let Some(error) = blocked(&run.app, &run.job, source, current.as_ref(), &difference).await? {
        return Err(failed(&error));
    }
    for refused in &difference.refused {
        let what = refused.attribute.as_deref().unwrap_or(&refused.object_type);
        let detail = format!("{what} stays «{}» in Assets instead of «{}».", refused.current, refused.wanted);
        run.progress.warn(RunWarning::new(WarningCode::SchemaChangeRefused, detail).with_advice(&refused.advice));
    }
    if state != ConfigState::MissingMapping && current.is_some() && difference.in_sync {
        return Ok(());
    }
    run.log("Building object types and attributes in Assets.").await?;
    let document = document(mapping, source, current.as_ref());
    client
        .put_mapping(&target, links, &document, |current| mapping.patch(source, current))
        .await
        .map_err(|e| failed(&e))?;
    Ok(())
}

/// What Assets calls the object types of this run. An answer that does not come costs only the names that
/// people gave.
pub(super) async fn names(delivery: &Delivery<'_>) -> Result<BTreeMap<ObjectType, TypeNames>, Stop> {
    let Delivery { run, links, .. } = delivery;
    let target = target(run).await?;
    // Not cancellable: the execution is over, and what it did is judged by these names.
    let current = run.app.assets.schema_and_mapping(&target, links).await.unwrap_or_else(|error| {
        tracing::warn!(run.id = %run.lease.run, %error, "the names of object types in Assets could not be read");
        None
    });
    let id = links.import_source_id().unwrap_or_default();
    let source = ImportSource { id: &id, schema_name: SCHEMA_NAME };
    let (mapping, current) = (&run.job.mapping, current.unwrap_or_default());
    let names = mapping.names_in(source, &current).into_iter().map(|(of, object_type, identity)| {
        let attributes = mapping.attribute_names_in(source, &current, of);
        (of, TypeNames { object_type, identity, attributes })
    });
    Ok(names.collect())
}

/// Why the document cannot be sent: what has a name in Assets that the job needs for something else, what does not fit,
/// or what belongs to an import source to which another job delivers. Two jobs that fill the same object types can undo
/// each other.
async fn blocked(
    app: &App,
    job: &JobContext,
    source: ImportSource<'_>,
    current: Option<&Value>,
    difference: &Difference,
) -> Result<Option<AssetsError>> {
    if let Some(blocked) = difference.blocked() {
        return Ok(Some(refusal(blocked)));
    }
    let (Some(current), Some(destination)) = (current, &job.destination) else { return Ok(None) };
    let (organization, id) = (job.organization, DestinationId(destination.id));
    let others = transaction(app, organization, "other import sources", async move |tx| {
        destinations::other_sources(tx, organization, id).await
    });
    let theirs = job.mapping.built_by_others(source, current, &others.await?);
    let taken = |name| format!("the object type «{name}» belongs to an import source to which another job delivers");
    Ok(theirs.map(|name| AssetsError::new(AssetsErrorKind::NameTaken, taken(name))))
}

pub(in crate::runs) fn refusal(blocked: Blocked) -> AssetsError {
    match blocked {
        Blocked::NameTaken(detail) => AssetsError::new(AssetsErrorKind::NameTaken, detail),
        Blocked::Unfit(detail) => AssetsError::new(AssetsErrorKind::Unfit, detail),
    }
}

/// What is sent: with the names, types and external ids that the object schema has already.
fn document(mapping: &Mapping, source: ImportSource<'_>, current: Option<&Value>) -> Value {
    match current {
        Some(current) => mapping.patch(source, current),
        None => mapping.document(source),
    }
}

fn schema_name(document: &serde_json::Value) -> Option<&str> {
    document.pointer("/schema/objectSchema/name")?.as_str()
}

/// While a person waits, one call of Assets is not waited for longer than this, and all of them not longer than that.
const PATIENCE: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(18);

/// The document of a job, and how it differs from what Assets has.
pub struct JobSchema {
    pub document: Value,
    pub difference: Option<Difference>,
    /// What was added and changed just now.
    pub built: Option<Difference>,
    /// Why Assets could not be asked.
    pub problem: Option<String>,
}

/// What would be sent. Without an answer of Assets the document is still shown.
pub async fn show(app: &App, job: &JobContext) -> Result<JobSchema> {
    let asked = tokio::select! {
        asked = ask(app, job) => asked,
        () = app.clock.sleep(DEADLINE) => Err(late("Look again; if it lasts, look at status.atlassian.com.")),
    };
    match asked {
        Ok((links, current)) => Ok(compare(job, &links, current.as_ref())),
        Err(error) => {
            let source = ImportSource { id: "unknown", schema_name: SCHEMA_NAME };
            Ok(JobSchema {
                document: job.mapping.document(source),
                difference: None,
                built: None,
                problem: Some(error.detail),
            })
        }
    }
}

/// Sends the document. Returns what was built, and what differs afterwards: what Assets refuses to change.
pub async fn build(app: &App, job: &JobContext) -> Result<JobSchema> {
    let deadline = app.clock.sleep(DEADLINE);
    tokio::pin!(deadline);
    let (links, JobSchema { document, difference: built, .. }) = tokio::select! {
        sent = send(app, job) => sent?,
        () = &mut deadline => return Err(late("It may have taken a part; look at the difference before you build again.")),
    };
    let seen = tokio::select! {
        seen = look(app, job, &links) => seen,
        () = &mut deadline => Err(late("The document was sent; look at the difference in a minute.")),
    };
    match seen {
        Ok(current) => Ok(JobSchema { document, built, ..compare(job, &links, current.as_ref()) }),
        // It was built all the same.
        Err(error) => Ok(JobSchema { document, difference: None, built, problem: Some(error.detail) }),
    }
}

fn late(advice: &str) -> Error {
    Error::new(
        Code::AssetsUnreachable,
        format!("Assets did not answer within {} seconds. {advice}", DEADLINE.as_secs()),
    )
}

/// Sends the document of a job. Returns it with its differences from before, and the links of the import source.
async fn send(app: &App, job: &JobContext) -> Result<(Links, JobSchema)> {
    let (links, current) = ask(app, job).await?;
    let wanted = compare(job, &links, current.as_ref());
    let id = links.import_source_id().unwrap_or_default();
    let name = current.as_ref().and_then(schema_name).unwrap_or(SCHEMA_NAME).to_owned();
    let source = ImportSource { id: &id, schema_name: &name };
    if let Some(difference) = &wanted.difference
        && let Some(error) = blocked(app, job, source, current.as_ref(), difference).await?
    {
        return Err(error.into());
    }
    let client = app.assets.clone().with_patience(PATIENCE);
    let target = reachable(app, job).await?;
    client.put_mapping(&target, &links, &wanted.document, |current| job.mapping.patch(source, current)).await?;
    Ok((links, wanted))
}

async fn look(app: &App, job: &JobContext, links: &Links) -> Result<Option<Value>> {
    let client = app.assets.clone().with_patience(PATIENCE);
    Ok(client.schema_and_mapping(&reachable(app, job).await?, links).await?)
}

async fn reachable(app: &App, job: &JobContext) -> Result<crate::assets::Target> {
    job.destination.as_ref().ok_or_else(no_destination)?.target(app, job.organization).await
}

pub fn no_destination() -> Error {
    Error::new(Code::NotFound, "The job has no destination, so there is no schema in Assets.")
}

async fn ask(app: &App, job: &JobContext) -> Result<(Links, Option<Value>)> {
    let client = app.assets.clone().with_patience(PATIENCE);
    let links = client.links(&reachable(app, job).await?).await?;
    let current = look(app, job, &links).await?;
    Ok((links, current))
}

fn compare(job: &JobContext, links: &Links, current: Option<&Value>) -> JobSchema {
    let id = links.import_source_id().unwrap_or_default();
    let name = current.and_then(schema_name).unwrap_or(SCHEMA_NAME).to_owned();
    let source = ImportSource { id: &id, schema_name: &name };
    let document = document(&job.mapping, source, current);
    JobSchema { document, difference: Some(difference(job, links, current)), built: None, problem: None }
}

/// How what a job needs differs from what Assets has.
pub(in crate::runs) fn difference(job: &JobContext, links: &Links, current: Option<&Value>) -> Difference {
    let id = links.import_source_id().unwrap_or_default();
    let name = current.and_then(schema_name).unwrap_or(SCHEMA_NAME);
    job.mapping.difference(ImportSource { id: &id, schema_name: name }, current)
}
