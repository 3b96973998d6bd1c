//! Everything that the job selects, each collection once.

use super::collected::DeltaLinks;
use super::groups::ReadGroups;
use super::lost_permission::{self, Reading};
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::small::read_small;
use super::{groups, implausible, incremental, missing, moved_members, scope, users};
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::run_state::RunMode;
use uuid::Uuid;

/// Everything that the job selects, each collection once.
pub(super) async fn read_all(reader: &Reader<'_>) -> Result<Read> {
    let mut delta = None;
    if reader.run.mode != RunMode::DryRun {
        delta = incremental::positions(reader).await?;
    }
    let mut read = gather(reader, read_collections(reader).await?, delta);
    missing::find(reader, &mut read, &ObjectType::ALL).await?;
    let position = read.delta.as_ref().and_then(|links| links.groups.clone());
    if let Some(position) = position.filter(|_| reader.plan.rechecks_members(read.memberships)) {
        Box::pin(moved_members::memberships(reader, &mut read, &position)).await?;
    }
    let emptied = implausible::emptied_groups(reader, &read).await?;
    read.members_unknown.extend(emptied);
    read.narrowed = scope::decide(reader, &read).await?.map(Box::new);
    Ok(read)
}

/// What became of the collections.
struct Collections {
    /// How many users fulfil the filter's condition, where only members of groups were read.
    users: Reading<Option<u64>>,
    groups: Option<Reading<ReadGroups>>,
    small: Read,
    /// Groups by which the scope decides, and whose members are unknown.
    members_unknown: Vec<Uuid>,
}

/// Reads users, groups and all other types at once, as far as the scope lets them. The first failure of users or groups ends
/// the others.
async fn read_collections(reader: &Reader<'_>) -> Result<Collections> {
    let (groups, small) = (read_groups(reader), read_others(reader));
    match reader.run.job.filter.scope.users {
        ScopeUsers::All => {
            let (users, groups, small) = tokio::try_join!(read_users(reader, None), groups, small)?;
            Ok(Collections { users, groups, small, members_unknown: Vec::new() })
        }
        ScopeUsers::MembersOf => {
            let members = scope::members_of_named(reader).await;
            let members = members.map_err(|error| lost_permission::undecidable(error, ObjectType::Groups))?;
            let (users, groups, small) = tokio::try_join!(read_users(reader, Some(members.users)), groups, small)?;
            Ok(Collections { users, groups, small, members_unknown: members.unknown })
        }
        ScopeUsers::MembersOfFilteredGroups => {
            let (groups, small) = tokio::try_join!(groups, small)?;
            let unknown = match &groups {
                Some(Reading::Whole(groups)) => &groups.members_unknown[..],
                Some(Reading::Lost(_)) | None => &[],
            };
            let members = scope::members_of_filtered(reader, unknown).await;
            let members = members.map_err(|error| lost_permission::undecidable(error, ObjectType::Groups))?;
            let users = read_users(reader, Some(members.users)).await?;
            Ok(Collections { users, groups, small, members_unknown: members.unknown })
        }
    }
}

/// `members`: the users to read, where the scope names groups.
async fn read_users(reader: &Reader<'_>, members: Option<Vec<Uuid>>) -> Result<Reading<Option<u64>>> {
    match reader.plan.reads(ObjectType::Users) {
        true => {
            lost_permission::unless_refused(reader, ObjectType::Users, Box::pin(users::read(reader, members))).await
        }
        false => Ok(Reading::Whole(None)),
    }
}

async fn read_groups(reader: &Reader<'_>) -> Result<Option<Reading<ReadGroups>>> {
    match reader.plan.reads(ObjectType::Groups) {
        true => {
            let reading = Box::pin(groups::read(reader));
            lost_permission::unless_refused(reader, ObjectType::Groups, reading).await.map(Some)
        }
        false => Ok(None),
    }
}

async fn read_others(reader: &Reader<'_>) -> Result<Read> {
    let mut small = Read::default();
    read_small(reader, &mut small, None).await?;
    Ok(small)
}

/// What was read to its end, and what was lost. `delta`: where the next incremental read starts, if nothing was lost.
fn gather(reader: &Reader<'_>, collections: Collections, delta: Option<DeltaLinks>) -> Read {
    let mapping = &reader.run.job.mapping;
    let Collections { users, groups, small, members_unknown } = collections;
    let mut read = Read { delta, members_unknown, ..Read::default() };
    match users {
        Reading::Whole(matching) => {
            read.matching_users = matching;
            if mapping.is_enabled(ObjectType::Users) {
                read.types.push(ObjectType::Users);
            }
        }
        Reading::Lost(lost) => read.lost.push(lost),
    }
    match groups {
        Some(Reading::Whole(groups)) => {
            read.members_unknown.extend(groups.members_unknown);
            if mapping.is_enabled(ObjectType::Groups) {
                read.types.push(ObjectType::Groups);
                read.memberships = groups.memberships;
            }
        }
        Some(Reading::Lost(lost)) => read.lost.push(lost),
        None => {}
    }
    if !read.lost.is_empty() {
        // No delta token covers what changes while a type may not be read: the next read has to be a full one.
        read.delta = None;
    }
    read.types.extend(small.types);
    read.lost.extend(small.lost);
    read
}
