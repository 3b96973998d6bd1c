//! Delivered objects that a full read did not see. While the directory changes, a list can leave out objects that still
//! exist, and what is taken for gone may be removed. So they are read by their ids, and the recycle bin says which of the
//! rest can be restored. Source: docs/graph.md, «Paging».

use super::answers::Question;
use super::by_id::{self, Unfit};
use super::fetch::fetch_held;
use super::mirror::Absent;
use super::object::{gone, is_admitted, parse};
use super::passes;
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::request::{Request, Target};
use super::{groups, relations};
use crate::codes::WarningCode;
use crate::db::mirror::Batch;
use crate::directory::{ById, ObjectType};
use crate::filter::ScopeUsers;
use crate::graph::IDS_IN_A_QUERY;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::Items;
use crate::run_state::{ChangeReason, RunWarning};
use uuid::Uuid;

/// More are read by id only if some of them still exist: so many go missing at once when a filter changes, not because a
/// list left them out.
const MAX_ASKED: usize = 1_500;

/// Objects of a longer list that are asked for to see whether the list can be believed.
const SAMPLE: usize = IDS_IN_A_QUERY;

/// Stages what still exists and is in scope of these types, as if the list had contained it, and marks why the rest is
/// gone.
pub(super) async fn find(reader: &Reader<'_>, read: &mut Read, types: &[ObjectType]) -> Result<()> {
    for object_type in types.iter().copied().filter(|object_type| reader.run.job.mapping.is_enabled(*object_type)) {
        if !read.types.contains(&object_type) {
            continue;
        }
        reader.staging.stored().await?;
        let mut absent = reader.mirror.absent(object_type).await?;
        let can_ask = object_type.spec().collection.by_id != ById::Never && can_decide(reader, object_type);
        if can_ask && is_doubtful(reader, object_type, &absent.unexplained).await? {
            let listed = reader.staging.count(object_type).await?;
            let found = by_id::stage(reader, object_type, &absent.unexplained, Unfit::Mark).await?.in_scope;
            found.iter().for_each(|id| {
                absent.ids.remove(id);
            });
            read.members_unknown.extend(report_found(reader, object_type, &found, listed).await?);
        }
        if let Some(path) = object_type.spec().recycle_bin {
            mark_deleted(reader, object_type, path, &absent).await?;
        }
    }
    Ok(())
}

/// Whether what a list left out is asked for by id: all of a few; of many only if some of them still exist, because then the
/// list cannot be believed.
async fn is_doubtful(reader: &Reader<'_>, object_type: ObjectType, absent: &[Uuid]) -> Result<bool> {
    if absent.len() <= MAX_ASKED {
        return Ok(!absent.is_empty());
    }
    let some: Vec<Uuid> = absent.iter().copied().step_by(absent.len().div_ceil(SAMPLE)).collect();
    // Once in a run: what was found meanwhile is no longer absent.
    let question = Question::new(object_type.as_str(), "sample", []);
    reader.once(question, is_any_there(reader, object_type, &some)).await
}

/// Whether the filter still takes any of these objects.
async fn is_any_there(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<(bool, Option<Permit>)> {
    let (objects, request) = fetch_held(reader, object_type, ids).await?;
    for object in objects {
        if is_admitted(reader, object_type, &object)? {
            return Ok((true, request));
        }
    }
    Ok((false, request))
}

/// Warns of what a list left out, and reads what belongs to it. Returns the groups whose members are unknown. `listed`: how
/// many objects the list had.
async fn report_found(reader: &Reader<'_>, object_type: ObjectType, found: &[Uuid], listed: u64) -> Result<Vec<Uuid>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let plural = object_type.spec().plural;
    let detail =
        format!("The list of {} left out {} that still exist; they were found by their ids.", plural, found.len());
    let warning = RunWarning::new(WarningCode::ListIncomplete, detail).with_count(found.len() as u64);
    // A few are left out while the directory changes. A list without the most of what exists is wrong.
    match found.len() as u64 > listed {
        true => reader.run.progress.degrade(warning),
        false => reader.run.progress.warn(warning),
    }
    match object_type {
        ObjectType::Groups => groups::read_arrived(reader, found).await,
        _ => relations::complete(reader, object_type).await.map(|()| Vec::new()),
    }
}

/// Whether an object that is read by its id can be held against the filter here.
fn can_decide(reader: &Reader<'_>, object_type: ObjectType) -> bool {
    let filter = &reader.run.job.filter;
    let is_by_membership = object_type == ObjectType::Users && filter.scope.users != ScopeUsers::All;
    !is_by_membership && filter.local_only_problems().is_empty()
}

/// Marks those in the recycle bin. Where it cannot be read, only the reason is lost.
async fn mark_deleted(reader: &Reader<'_>, object_type: ObjectType, path: &'static str, absent: &Absent) -> Result<()> {
    if absent.ids.is_empty() {
        return Ok(());
    }
    let each = |items: &Items, deleted: &mut Vec<(Uuid, String)>| -> Result<()> {
        for item in items.iter() {
            let found = parse(item)?.uuid().filter(|id| absent.ids.contains(id));
            deleted.extend(found.map(|id| (id, String::new())));
        }
        Ok(())
    };
    let request = Request::fixed(Target::Path(path), &["id"]);
    let deleted = match passes::through(reader, request, path, "deleted objects", each).await {
        Ok(deleted) => deleted,
        Err(ReadError::Graph(error)) if !error.is_cancelled() => {
            if absent.has_new {
                warn_of_refusal(reader, object_type, &error);
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let objects = deleted.into_iter().map(|row| gone(object_type, row.id, ChangeReason::SoftDeleted)).collect();
    reader.staging.write(Batch { objects, ..Batch::default() }).await
}

fn warn_of_refusal(reader: &Reader<'_>, object_type: ObjectType, error: &GraphError) {
    let plural = object_type.spec().plural;
    let detail = format!("Graph did not say which of the missing {plural} can be restored: {error}.");
    let warning = RunWarning::new(WarningCode::SoftDeletedUnknown, detail);
    // The least permission for groups does not show deleted ones.
    let permission = match object_type {
        ObjectType::Groups => "Group.Read.All",
        _ => object_type.spec().capability.least().next().unwrap_or_default(),
    };
    let advice = format!(
        "Grant the Application permission {permission} if this is to be reported. Nothing else in this run depends on it."
    );
    let is_forbidden = matches!(error.kind, GraphErrorKind::Forbidden);
    reader.run.progress.warn(if is_forbidden { warning.with_advice(advice) } else { warning });
}
