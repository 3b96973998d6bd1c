//! Delivered objects that a full read did not see. While the directory changes a list can leave out what is still there
//! (docs/graph.md, «Paging»), and what is taken for gone may be removed: so they are asked for by their ids.

use super::by_id::{self, Others};
use super::groups;
use super::object::{gone, parse};
use super::reader::{Read, Reader};
use crate::codes::WarningCode;
use crate::db::mirror::read::Source;
use crate::db::mirror::{Batch, delivered};
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::Items;
use crate::graph::{Pager, RequestOptions};
use crate::run_state::{ChangeReason, RunWarning};
use crate::runs::stop::Stop;
use std::collections::HashSet;
use uuid::Uuid;

/// More are not asked for: so many are gone at once when a filter changes, not because a list left them out.
const ASKED_MOST: usize = 1_500;
const PAGE: i64 = 1000;

/// Stages what is still there and in scope as if the list had had it, and says of the rest why it is gone.
pub(super) async fn find(reader: &Reader<'_>, read: &mut Read) -> Result<(), Stop> {
    for object_type in [ObjectType::Users, ObjectType::Groups] {
        if !read.types.contains(&object_type) {
            continue;
        }
        let mut absent = absent(reader, object_type).await?;
        if can_decide(reader, object_type) && (1..=ASKED_MOST).contains(&absent.unexplained.len()) {
            let found = by_id::stage(reader, object_type, &absent.unexplained, Others::Mark).await?.in_scope;
            found.iter().for_each(|id| {
                absent.ids.remove(id);
            });
            read.members_unknown.extend(told_found(reader, object_type, &found).await?);
        }
        mark_deleted(reader, object_type, &absent).await?;
    }
    Ok(())
}

/// Says what a list left out, and reads what belongs to it. Returns the groups whose members are unknown.
async fn told_found(reader: &Reader<'_>, object_type: ObjectType, found: &[Uuid]) -> Result<Vec<Uuid>, Stop> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let detail = format!(
        "The list of {object_type} left out {} that are still there; they were found by their ids.",
        found.len()
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::ListIncomplete, detail).with_count(found.len() as u64));
    match object_type {
        ObjectType::Groups => groups::read_arrived(reader, found).await,
        _ => Ok(Vec::new()),
    }
}

/// Whether it can be told here if an object belongs to the list.
fn can_decide(reader: &Reader<'_>, object_type: ObjectType) -> bool {
    let filter = &reader.run.job.filter;
    let is_by_membership = object_type == ObjectType::Users && filter.scope.users != ScopeUsers::All;
    !is_by_membership && filter.local_only_problems().is_empty()
}

/// Delivered objects that were not read.
#[derive(Default)]
struct Absent {
    pub ids: HashSet<Uuid>,
    /// One of them was there the last time: of the others it was said before.
    pub has_new: bool,
    /// Those that were there the last time, and of which this run does not know yet why they are gone.
    unexplained: Vec<Uuid>,
}

async fn absent(reader: &Reader<'_>, object_type: ObjectType) -> Result<Absent, Stop> {
    reader.writer.flushed().await?;
    let (organization, job, run) = (reader.run.job.organization, reader.run.job.id, reader.run.lease.run);
    let mut absent = Absent::default();
    let mut after = None;
    loop {
        let rows = reader.run.app.db.scoped(organization, async move |tx| {
            let (keys, source) = ((job, run), Source::Staged(run));
            delivered::absent(tx, organization, keys, source, object_type.as_str(), after, PAGE).await
        });
        let rows = rows.await?;
        let Some(last) = rows.last() else { return Ok(absent) };
        after = Some(last.id);
        for row in rows {
            absent.ids.insert(row.id);
            let is_new = row.missing_runs == 0 && !row.marked;
            absent.has_new |= is_new;
            absent.unexplained.extend((is_new && row.missing_reason.is_none()).then_some(row.id));
        }
    }
}

/// Marks them in staging. A server that does not offer or allow it, or fails, costs only the distinction.
async fn mark_deleted(reader: &Reader<'_>, object_type: ObjectType, absent: &Absent) -> Result<(), Stop> {
    if absent.ids.is_empty() {
        return Ok(());
    }
    let cast = if object_type == ObjectType::Groups { "group" } else { "user" };
    let url = reader.session.url(&format!("directory/deletedItems/microsoft.graph.{cast}?$select=id&$top=999"));
    let mut pager: Pager<Items> = reader.session.pages(url, RequestOptions::default());
    loop {
        let page = match pager.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(()),
            Err(error) if error.is_cancelled() => return Err(error.into()),
            Err(error) => {
                if absent.has_new {
                    warn_of_refusal(reader, object_type, &error);
                }
                return Ok(());
            }
        };
        let mut batch = Batch::default();
        for item in page.content.iter() {
            if let Some(id) = parse(item)?.uuid().filter(|id| absent.ids.contains(id)) {
                batch.objects.push(gone(object_type, id, ChangeReason::SoftDeleted));
            }
        }
        reader.run.progress.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
}

fn warn_of_refusal(reader: &Reader<'_>, object_type: ObjectType, error: &GraphError) {
    let detail = format!("Whether {object_type} that are gone can be restored could not be read: {error}.");
    let warning = RunWarning::new(WarningCode::SoftDeletedUnknown, detail);
    let advice = match object_type {
        ObjectType::Groups => {
            "To be told, grant the Application permission Group.Read.All. Nothing else depends on it."
        }
        _ => "To be told, grant the Application permission User.Read.All. Nothing else in this run depends on it.",
    };
    let is_forbidden = matches!(error.kind, GraphErrorKind::Forbidden);
    reader.run.progress.warn(if is_forbidden { warning.with_advice(advice) } else { warning });
}
