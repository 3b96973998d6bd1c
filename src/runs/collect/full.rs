//! Everything that the job selects, each collection once.

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
    let mapping = &reader.run.job.mapping;
    let scope = &reader.run.job.filter.scope;
    let mut read = Read::default();
    if reader.run.mode != RunMode::DryRun {
        read.delta = incremental::positions(reader).await?;
    }
    let small = async {
        let mut small = Read::default();
        read_small(reader, &mut small, None).await.map(|()| small)
    };
    let wants_users = reader.plan.reads(ObjectType::Users);
    let groups = async {
        match reader.plan.reads(ObjectType::Groups) {
            true => lost_permission::unless_refused(reader, ObjectType::Groups, Box::pin(groups::read(reader)))
                .await
                .map(Some),
            false => Ok(None),
        }
    };
    // The first failure of users or groups ends the others.
    let (users, groups, small) = match scope.users {
        ScopeUsers::All => tokio::try_join!(read_users(reader, wants_users, None), groups, small)?,
        ScopeUsers::MembersOf => {
            let members = scope::members_of_named(reader).await;
            let members = members.map_err(|error| lost_permission::undecidable(error, ObjectType::Groups))?;
            read.members_unknown = members.unknown;
            tokio::try_join!(read_users(reader, wants_users, Some(members.users)), groups, small)?
        }
        ScopeUsers::MembersOfFilteredGroups => {
            let (groups, small) = tokio::try_join!(groups, small)?;
            let unknown = match &groups {
                Some(Reading::Whole(groups)) => &groups.members_unknown[..],
                Some(Reading::Lost(_)) | None => &[],
            };
            let members = scope::members_of_filtered(reader, unknown).await;
            let members = members.map_err(|error| lost_permission::undecidable(error, ObjectType::Groups))?;
            read.members_unknown = members.unknown;
            (read_users(reader, wants_users, Some(members.users)).await?, groups, small)
        }
    };
    match users {
        Reading::Whole(matching) => {
            read.matching_users = matching;
            read.types.extend([ObjectType::Users].iter().filter(|users| mapping.is_enabled(**users)));
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

async fn read_users(reader: &Reader<'_>, wanted: bool, members: Option<Vec<Uuid>>) -> Result<Reading<Option<u64>>> {
    match wanted {
        true => {
            lost_permission::unless_refused(reader, ObjectType::Users, Box::pin(users::read(reader, members))).await
        }
        false => Ok(Reading::Whole(None)),
    }
}
