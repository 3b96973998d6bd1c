//! Which of the delivered users that a full read no longer sees lie in the directory's recycle bin, from which they
//! can be restored for 30 days. An incremental read is told so by delta.

use super::incremental::gone;
use super::list::parse;
use super::{Read, Reader};
use crate::db::mirror::Batch;
use crate::db::mirror::delivered;
use crate::db::mirror::read::Source;
use crate::directory::ObjectType;
use crate::graph::error::Kind;
use crate::graph::wire::Items;
use crate::graph::{Pager, RequestOptions};
use crate::run_state::{ChangeReason, RunWarning};
use crate::runs::stop::Stop;
use std::collections::HashSet;
use uuid::Uuid;

const PAGE: i64 = 1000;

/// Marks them in staging. A server that does not offer or allow it costs only the distinction.
pub(super) async fn mark(reader: &Reader<'_>, read: &Read) -> Result<(), Stop> {
    if !read.types.contains(&ObjectType::Users) {
        return Ok(());
    }
    let absent = absent_users(reader).await?;
    if absent.is_empty() {
        return Ok(());
    }
    let url = reader.session.url("directory/deletedItems/microsoft.graph.user?$select=id&$top=999");
    let mut pager: Pager<Items> = reader.session.pages(url, RequestOptions::default());
    loop {
        let page = match pager.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(()),
            Err(error) if error.refuses_optional() || matches!(error.kind, Kind::Forbidden) => {
                let detail = format!("Whether users that are gone can be restored could not be read: {error}.");
                reader.run.journal.warn(RunWarning::new("soft_deleted_unknown", detail));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut batch = Batch::default();
        for item in page.content.iter() {
            if let Some(id) = parse(item)?.uuid().filter(|id| absent.contains(id)) {
                batch.objects.push(gone(ObjectType::Users, id, ChangeReason::SoftDeleted));
            }
        }
        reader.run.journal.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
}

/// Delivered users that were not read.
async fn absent_users(reader: &Reader<'_>) -> Result<HashSet<Uuid>, Stop> {
    reader.writer.flushed().await?;
    let (organization, job, run) = (reader.run.job.organization, reader.run.job.id, reader.run.lease.run);
    let mut absent = HashSet::new();
    let mut after = None;
    loop {
        let rows = reader.run.app.db.scoped(organization, async move |tx| {
            let users = ObjectType::Users.as_str();
            delivered::absent(tx, organization, (job, run), Source::Staged(run), users, after, PAGE).await
        });
        let rows = rows.await?;
        let Some(last) = rows.last() else { return Ok(absent) };
        after = Some(last.id);
        absent.extend(rows.into_iter().map(|row| row.id));
    }
}
