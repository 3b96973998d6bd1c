//! What was missed because it moved: while the members of a group are read page by page, one who leaves moves those
//! behind by a place, and who stood first on the next page is never shown. No change tells of that later, since nothing
//! happened to those who were missed. Source: facts/graph.md §4.1.

use super::incremental::{Replayed, replay};
use super::{Reader, groups};
use crate::db::mirror::read;
use crate::runs::stop::Stop;
use uuid::Uuid;

/// Members can leave again while they are read again.
const ROUNDS_MOST: u32 = 3;

/// Reads the members of groups again that somebody left since `from`, a position taken before the first page. What came
/// in one page was read at one moment and needs no second look.
pub(super) async fn memberships(reader: &Reader<'_>, from: &str) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let (organization, source) = (reader.run.job.organization, read::Source::Staged(reader.run.lease.run));
    let db = &reader.run.app.db;
    let pages = db.scoped(organization, async move |tx| read::group_sizes(tx, organization, source).await).await?;
    let mut position = from.to_owned();
    for _ in 0..ROUNDS_MOST {
        if pages.is_empty() {
            return Ok(());
        }
        // A position that is no good any more is found by the next incremental run, which then reads everything.
        let Replayed::Round(changes, next) = replay(reader, &position).await? else { return Ok(()) };
        let left = changes.iter().filter(|(group, _)| pages.contains_key(group));
        let left = left.filter(|(_, change)| change.members.values().any(|(is_member, _)| !is_member));
        let again: Vec<Uuid> = left.map(|(group, _)| *group).collect();
        if again.is_empty() {
            return Ok(());
        }
        groups::read_again(reader, &again).await?;
        position = next;
    }
    Ok(())
}
