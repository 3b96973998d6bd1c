//! Delivered objects that a full read did not see. While the directory changes, a list can leave out objects that still
//! exist, and what is taken for gone may be removed. So they are read by their ids, and the recycle bin says which of the
//! rest can be restored. Source: docs/graph.md, «Paging».

use super::by_id::{self, Unfit};
use super::groups;
use super::mirror::Absent;
use super::object::{gone, parse};
use super::pages::whole;
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::request::{Request, Target};
use crate::codes::WarningCode;
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::Items;
use crate::run_state::{ChangeReason, RunWarning};
use uuid::Uuid;

/// More are not read by id: so many go missing at once when a filter changes, not because a list left them out.
const MAX_ASKED: usize = 1_500;

/// Stages what still exists and is in scope, as if the list had contained it, and marks why the rest is gone.
pub(super) async fn find(reader: &Reader<'_>, read: &mut Read) -> Result<()> {
    for (object_type, path) in ObjectType::ALL.into_iter().filter_map(in_recycle_bin) {
        if !read.types.contains(&object_type) {
            continue;
        }
        reader.staging.stored().await?;
        let mut absent = reader.mirror.absent(object_type).await?;
        if can_decide(reader, object_type) && (1..=MAX_ASKED).contains(&absent.unexplained.len()) {
            let found = by_id::stage(reader, object_type, &absent.unexplained, Unfit::Mark).await?.in_scope;
            found.iter().for_each(|id| {
                absent.ids.remove(id);
            });
            read.members_unknown.extend(report_found(reader, object_type, &found).await?);
        }
        mark_deleted(reader, object_type, path, &absent).await?;
    }
    Ok(())
}

/// The types that have a recycle bin, from which they can be restored for 30 days, with the path of it. An incremental
/// read learns from delta what lies there. Source: learn.microsoft.com/graph/api/directory-deleteditems-list.
fn in_recycle_bin(object_type: ObjectType) -> Option<(ObjectType, &'static str)> {
    match object_type {
        ObjectType::Users => Some((object_type, "directory/deletedItems/microsoft.graph.user")),
        ObjectType::Groups => Some((object_type, "directory/deletedItems/microsoft.graph.group")),
        ObjectType::Licenses | ObjectType::Devices => None,
    }
}

/// Warns of what a list left out, and reads what belongs to it. Returns the groups whose members are unknown.
async fn report_found(reader: &Reader<'_>, object_type: ObjectType, found: &[Uuid]) -> Result<Vec<Uuid>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let detail =
        format!("The list of {object_type} left out {} that still exist; they were found by their ids.", found.len());
    reader.run.progress.warn(RunWarning::new(WarningCode::ListIncomplete, detail).with_count(found.len() as u64));
    match object_type {
        ObjectType::Groups => groups::read_arrived(reader, found).await,
        ObjectType::Users | ObjectType::Licenses | ObjectType::Devices => Ok(Vec::new()),
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
    let each = |items: &Items, deleted: &mut Vec<Uuid>| -> Result<()> {
        for item in items.iter() {
            deleted.extend(parse(item)?.uuid().filter(|id| absent.ids.contains(id)));
        }
        Ok(())
    };
    let deleted = match whole(reader, Request::fixed(Target::Path(path), &["id"]), "deleted objects", each).await {
        Ok(deleted) => deleted,
        Err(ReadError::Graph(error)) if !error.is_cancelled() => {
            if absent.has_new {
                warn_of_refusal(reader, object_type, &error);
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let objects = deleted.into_iter().map(|id| gone(object_type, id, ChangeReason::SoftDeleted)).collect();
    reader.staging.write(Batch { objects, ..Batch::default() }).await
}

fn warn_of_refusal(reader: &Reader<'_>, object_type: ObjectType, error: &GraphError) {
    let detail = format!("Graph did not say which of the missing {object_type} can be restored: {error}.");
    let warning = RunWarning::new(WarningCode::SoftDeletedUnknown, detail);
    let permission = if object_type == ObjectType::Groups { "Group.Read.All" } else { "User.Read.All" };
    let advice = format!(
        "Grant the Application permission {permission} if this is to be reported. Nothing else in this run depends on it."
    );
    let is_forbidden = matches!(error.kind, GraphErrorKind::Forbidden);
    reader.run.progress.warn(if is_forbidden { warning.with_advice(advice) } else { warning });
}
