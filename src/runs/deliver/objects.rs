//! What an import cannot do, one object at a time by the object API: removing objects, and clearing values that Assets
//! keeps because it ignores empty ones.

use super::delivered::Delivered;
use super::delivery::failed;
use crate::assets::Client;
use crate::assets::objects::{ObjectScope, SiteAccess};
use crate::codes::WarningCode;
use crate::db::mirror::delivered;
use crate::db::runs::{self, Only};
use crate::destination::EmptyValues;
use crate::directory::ObjectType;
use crate::mapping::Cleared;
use crate::run_state::{ChangeAction, RunError, RunWarning};
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use std::collections::HashMap;
use uuid::Uuid;

/// Objects looked up and removed between two checkpoints.
const REMOVED_AT_ONCE: usize = 50;
const CHANGES_AT_ONCE: i64 = 500;

/// Removes what the diff said, and clears what stayed. Without `api` there is nothing to do it with.
pub(super) async fn remove_and_clear(run: &Run, client: &Client, delivered: &Delivered) -> Result<(), Stop> {
    let Some(destination) = &run.job.destination else { return Ok(()) };
    let Some(api) = &destination.api else { return Ok(()) };
    let access = api.access()?;
    let mut workspace: Option<String> = None;
    for object_type in ObjectType::ALL {
        let ids = removals(run, object_type).await?;
        let cleared = match destination.empty_values {
            EmptyValues::Remove => HashMap::new(),
            EmptyValues::Unknown | EmptyValues::Ignore => cleared(run, delivered, object_type).await?,
        };
        count_removed(run, object_type).await?;
        if ids.is_empty() && cleared.is_empty() {
            continue;
        }
        let workspace_id = match workspace.take() {
            Some(known) => known,
            None => client.workspace_id(&access).await.map_err(|e| failed(&e))?,
        };
        let workspace: &str = workspace.insert(workspace_id);
        let Some(scope) = scope(delivered, object_type) else {
            let (detail, advice) = postponed(object_type, ids.len(), cleared.len());
            run.progress.degrade(RunWarning::new(WarningCode::RemovalPostponed, detail).with_advice(advice));
            continue;
        };
        remove(run, client, &access, workspace, &scope, object_type, &ids).await?;
        clear(run, client, &access, workspace, &scope, object_type, cleared).await?;
    }
    Ok(())
}

/// What is left to do where the object type in Assets is not known, and when it is done.
fn postponed(object_type: ObjectType, to_remove: usize, to_clear: usize) -> (String, &'static str) {
    const REMOVED: &str = "The next run that delivers objects of this type removes them.";
    const KEPT: &str =
        "Values that were not cleared stay. Set «Empty values» to Remove in Assets, or clear them there.";
    let (what, advice) = match (to_remove, to_clear) {
        (removed, 0) => (format!("{removed} of them were not removed"), REMOVED),
        (0, cleared) => (format!("values of {cleared} of them were not cleared"), KEPT),
        (removed, cleared) => {
            (format!("{removed} of them were not removed, and values of {cleared} were not cleared"), REMOVED)
        }
    };
    (format!("Assets did not say which object type holds the {object_type}; {what}."), advice)
}

/// The object API failed, or, without an error, the run was cancelled meanwhile: what the import delivered stands, and
/// what was to be removed is still known to be there.
pub(super) fn warn_of_the_rest(run: &Run, error: Option<&RunError>) {
    const LEFT: &str = "The next run removes what is left; values that were not cleared stay.";
    let warning = match error {
        None => RunWarning::new(
            WarningCode::RemovalPostponed,
            "The run was cancelled before everything was removed or cleared.",
        )
        .with_advice(LEFT),
        Some(error) => {
            let detail = format!("Removing objects and clearing values stopped: {}", error.detail);
            let advice = error.advice.as_deref().unwrap_or("Look at the destination's `api`.");
            RunWarning::new(WarningCode::ObjectApiFailed, detail).with_advice(format!("{advice} {LEFT}"))
        }
    };
    run.progress.degrade(warning);
}

/// The object type in Assets, by the numbers in the result of the execution.
fn scope(delivered: &Delivered, object_type: ObjectType) -> Option<ObjectScope<'_>> {
    let names = delivered.names.get(&object_type).filter(|names| !names.identity.is_empty())?;
    Some(ObjectScope {
        object_schema_id: delivered.result.as_ref()?.progress_result.as_ref()?.object_schema_id?,
        object_type_id: delivered.of(object_type)?.object_type_id,
        object_type: &names.object_type,
        identity: &names.identity,
    })
}

async fn removals(run: &Run, object_type: ObjectType) -> Result<Vec<Uuid>, Stop> {
    let (organization, id) = (run.job.organization, run.lease.run);
    let found =
        run.tx("removals", async move |tx| delivered::removals(tx, organization, id, object_type.as_str()).await);
    Ok(found.await?)
}

async fn remove(
    run: &Run,
    client: &Client,
    access: &SiteAccess,
    workspace: &str,
    scope: &ObjectScope<'_>,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<(), Stop> {
    for ids in ids.chunks(REMOVED_AT_ONCE) {
        let found = client.find_by_external_id(access, workspace, scope, ids).await.map_err(|e| failed(&e))?;
        for object in &found.objects {
            client.delete_object(access, workspace, &object.id).await.map_err(|e| failed(&e))?;
        }
        let (lease, ids) = (run.lease, ids.to_vec());
        run.tx("removal done", async move |tx| delivered::removal_done(tx, &lease, object_type.as_str(), &ids).await)
            .await?;
        count_removed(run, object_type).await?;
    }
    Ok(())
}

/// From the database, because an earlier attempt may have removed some.
async fn count_removed(run: &Run, object_type: ObjectType) -> Result<(), Stop> {
    let (lease, name) = (run.lease, object_type.as_str());
    let removed = run
        .tx("count removed", async move |tx| delivered::removed(tx, lease.organization, lease.run, name).await)
        .await?;
    if removed > 0 {
        run.progress.count(name, |count| count.removed = removed);
    }
    Ok(())
}

/// The attributes that each updated object should have lost.
async fn cleared(
    run: &Run,
    delivered: &Delivered,
    object_type: ObjectType,
) -> Result<HashMap<Uuid, Vec<String>>, Stop> {
    let names = delivered.names.get(&object_type).map(|names| &names.attributes);
    // People may have renamed it.
    let name_of = |of: Cleared| names.and_then(|names| names.get(&of.key).cloned()).unwrap_or(of.name);
    let (organization, id) = (run.job.organization, run.lease.run);
    let mut cleared = HashMap::new();
    let mut after = 0;
    loop {
        let page = run
            .tx("cleared values", async move |tx| {
                let only = Only { object_type: Some(object_type), ..Only::default() };
                runs::changes(tx, organization, id, &only, after, CHANGES_AT_ONCE).await
            })
            .await?;
        let Some(last) = page.rows.last() else { return Ok(cleared) };
        after = last.seq;
        for change in &page.rows {
            let (Some(before), Some(now)) = (&change.before, &change.after) else { continue };
            if !matches!(change.action, ChangeAction::Update | ChangeAction::Restore | ChangeAction::Mark) {
                continue;
            }
            let names: Vec<String> =
                run.job.mapping.cleared(object_type, before, now).into_iter().map(name_of).collect();
            if !names.is_empty() {
                cleared.insert(change.object_id, names);
            }
        }
    }
}

async fn clear(
    run: &Run,
    client: &Client,
    access: &SiteAccess,
    workspace: &str,
    scope: &ObjectScope<'_>,
    object_type: ObjectType,
    cleared: HashMap<Uuid, Vec<String>>,
) -> Result<(), Stop> {
    let ids: Vec<Uuid> = cleared.keys().copied().collect();
    for ids in ids.chunks(REMOVED_AT_ONCE) {
        let found = client.find_by_external_id(access, workspace, scope, ids).await.map_err(|e| failed(&e))?;
        for object in &found.objects {
            let names = cleared.get(&object.external_id).into_iter().flatten();
            let attributes: Vec<&str> =
                names.filter_map(|name| found.attribute_ids.get(name)).map(String::as_str).collect();
            if attributes.is_empty() {
                continue;
            }
            client.clear_attributes(access, workspace, scope, &object.id, &attributes).await.map_err(|e| failed(&e))?;
            let number = attributes.len() as u64;
            run.progress.count(object_type.as_str(), |count| {
                count.cleared += number;
                count.not_cleared = count.not_cleared.saturating_sub(number);
            });
        }
    }
    Ok(())
}
