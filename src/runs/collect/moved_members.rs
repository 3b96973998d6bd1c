//! Members that a full read missed because they moved between pages. When a member leaves while the pages of a group are
//! read, those behind it move up by one, and the first of the next page is never shown. No later change reports the
//! missed member, because nothing happened to it. Source: docs/graph.md, «Paging».

use super::groups;
use super::incremental::changes::{Replayed, replay};
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::staging::Note;
use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use uuid::Uuid;

/// Members can leave again while they are read again.
const MAX_ROUNDS: u32 = 3;

/// Reads the members of the groups again that somebody left since `from`, a delta link taken before the first page. A
/// group with a single page was read at one moment and needs no second look. Where Graph does not say who left, the next
/// read has to be a full one.
pub(super) async fn memberships(reader: &Reader<'_>, read: &mut Read, from: &str) -> Result<()> {
    if reader.staging.noted(Note::MovedMembers).await?.is_some() {
        return Ok(());
    }
    match read_moved(reader, from).await {
        Ok(Moved { unknown, is_settled }) => {
            if unknown.is_empty() && is_settled {
                reader.staging.note(Note::MovedMembers, None).await?;
            }
            read.members_unknown.extend(unknown);
            if !is_settled {
                warn(reader, read, &format!("somebody left again in each of {MAX_ROUNDS} rounds."));
            }
        }
        Err(error) => match Stop::from(error) {
            Stop::Failed(error) => warn(reader, read, &error.detail),
            stop => return Err(stop.into()),
        },
    }
    Ok(())
}

fn warn(reader: &Reader<'_>, read: &mut Read, why: &str) {
    let detail = format!(
        "It is not known whether anybody left a group while its members were read, so the next run reads everything: \
         {why}"
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

async fn read_moved(reader: &Reader<'_>, from: &str) -> Result<Moved> {
    let pages = reader.staging.group_sizes().await?;
    let mut position = from.to_owned();
    let mut unknown = Vec::new();
    if pages.is_empty() {
        return Ok(Moved { unknown, is_settled: true });
    }
    // The last round only looks.
    for round in 0..=MAX_ROUNDS {
        // The next incremental run finds that the delta link expired, and then reads everything.
        let Replayed::Round(changes, next) = replay(reader, ObjectType::Groups, &position, None).await? else { break };
        let left = changes.iter().filter(|(group, _)| pages.contains_key(group));
        let left = left.filter(|(_, change)| change.members.values().any(|(is_member, _)| !is_member));
        let again: Vec<Uuid> = left.map(|(group, _)| *group).collect();
        if again.is_empty() || round == MAX_ROUNDS {
            return Ok(Moved { unknown, is_settled: again.is_empty() });
        }
        unknown.extend(groups::read_again(reader, &again).await?);
        position = next;
    }
    Ok(Moved { unknown, is_settled: true })
}
