//! Which of the delivered users and groups that a full read no longer sees lie in the directory's recycle bin, from
//! which they can be restored for 30 days. An incremental read is told so by delta. Of devices and licences there is
//! no recycle bin. Source: learn.microsoft.com/graph/api/directory-deleteditems-list.

use super::Reader;
use super::incremental::gone;
use super::object::parse;
use super::unseen::Absent;
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::graph::error::{GraphError, Kind};
use crate::graph::wire::Items;
use crate::graph::{Pager, RequestOptions};
use crate::run_state::{ChangeReason, RunWarning};
use crate::runs::stop::Stop;

/// Marks them in staging. A server that does not offer or allow it, or fails, costs only the distinction.
pub(super) async fn mark(reader: &Reader<'_>, object_type: ObjectType, absent: &Absent) -> Result<(), Stop> {
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
        reader.run.journal.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
}

fn warn_of_refusal(reader: &Reader<'_>, object_type: ObjectType, error: &GraphError) {
    let detail = format!("Whether {object_type} that are gone can be restored could not be read: {error}.");
    let warning = RunWarning::new("soft_deleted_unknown", detail);
    let advice = match object_type {
        ObjectType::Groups => {
            "To be told, grant the Application permission Group.Read.All. Nothing else depends on it."
        }
        _ => "To be told, grant the Application permission User.Read.All. Nothing else in this run depends on it.",
    };
    let is_forbidden = matches!(error.kind, Kind::Forbidden);
    reader.run.journal.warn(if is_forbidden { warning.with_advice(advice) } else { warning });
}
