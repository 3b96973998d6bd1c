//! What was missed because it moved: while the members of a group are read page by page, one who leaves moves those
//! behind by a place, and who stood first on the next page is never shown. No change tells of that later, since nothing
//! happened to those who were missed. Source: docs/graph.md, «Paging».

use super::groups;
use super::incremental::changes::{Replayed, replay};
use super::reader::{Read, Reader};
use crate::codes::WarningCode;
use crate::db::mirror::read;
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use uuid::Uuid;

/// Members can leave again while they are read again.
const ROUNDS_MOST: u32 = 3;

/// Reads the members of groups again that somebody left since `from`, a position taken before the first page. What came
/// in one page was read at one moment and needs no second look. Where it cannot be told who left, the next read has to be
/// whole.
pub(super) async fn memberships(reader: &Reader<'_>, read: &mut Read, from: &str) -> Result<(), Stop> {
    match read_moved(reader, from).await {
        Ok(Moved { unknown, is_settled }) => {
            read.members_unknown.extend(unknown);
            if !is_settled {
                tell(reader, read, &format!("somebody left again in each of {ROUNDS_MOST} rounds."));
            }
        }
        Err(Stop::Failed(error)) => tell(reader, read, &error.detail),
        Err(stop) => return Err(stop),
    }
    Ok(())
}

fn tell(reader: &Reader<'_>, read: &mut Read, why: &str) {
    let detail = format!(
        "Whether somebody left a group while its members were read could not be told, so the next run reads \
         everything: {why}"
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::MembersNotCompared, detail));
    read.delta = None;
}

struct Moved {
    /// Groups whose members are not known.
    unknown: Vec<Uuid>,
    /// Nobody left in the last round.
    is_settled: bool,
}

async fn read_moved(reader: &Reader<'_>, from: &str) -> Result<Moved, Stop> {
    reader.writer.flushed().await?;
    let (organization, source) = (reader.run.job.organization, read::Source::Staged(reader.run.lease.run));
    let db = &reader.run.app.db;
    let pages = db.scoped(organization, async move |tx| read::group_sizes(tx, organization, source).await).await?;
    let mut position = from.to_owned();
    let mut unknown = Vec::new();
    if pages.is_empty() {
        return Ok(Moved { unknown, is_settled: true });
    }
    // One look more than there are rounds of reading.
    for round in 0..=ROUNDS_MOST {
        // A position that is no good any more is found by the next incremental run, which then reads everything.
        let Replayed::Round(changes, next) = replay(reader, &position).await? else { break };
        let left = changes.iter().filter(|(group, _)| pages.contains_key(group));
        let left = left.filter(|(_, change)| change.members.values().any(|(is_member, _)| !is_member));
        let again: Vec<Uuid> = left.map(|(group, _)| *group).collect();
        if again.is_empty() || round == ROUNDS_MOST {
            return Ok(Moved { unknown, is_settled: again.is_empty() });
        }
        unknown.extend(groups::read_again(reader, &again).await?);
        position = next;
    }
    Ok(Moved { unknown, is_settled: true })
}
