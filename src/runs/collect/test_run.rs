//! A test: the first users and what belongs to them, in few requests whatever the size of the tenant.

mod groups;
mod limits;

use super::lost_permission::{self, Reading};
use super::nested_groups::Levels;
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::small::read_small;
use super::{list, managers, users};
use crate::codes::WarningCode;
use crate::directory::{MemberType, ObjectType};
use crate::filter::ScopeUsers;
use crate::graph::wire::Members;
use crate::graph::{GraphError, GraphErrorKind, Next, Page, RequestOptions};
use crate::run_state::RunWarning;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Users that a test reads unless it says how many.
const USERS: u32 = 100;
/// Groups of a scope that a test looks into.
const GROUPS_OF_A_SCOPE: usize = 10;

/// Reads the first `limit` users, their direct groups with what links these, and the licences.
pub(super) async fn read(reader: &Reader<'_>) -> Result<Read> {
    let mapping = &reader.run.job.mapping;
    let limit = reader.run.request.limit.unwrap_or(USERS);
    let mut read = Read::default();
    let mut users = Vec::new();
    if mapping.is_enabled(ObjectType::Users) {
        users = first_users(reader, limit).await?;
        managers::of_first(reader, &users).await?;
        read.types.push(ObjectType::Users);
    }
    if mapping.is_enabled(ObjectType::Groups) {
        match groups::of_users(reader, &users).await? {
            None => {
                read.memberships = true;
                read.types.push(ObjectType::Groups);
            }
            Some(refusal) => without_groups(reader, &mut read, refusal).await?,
        }
    }
    read_small(reader, &mut read, Some(limit)).await?;
    Ok(read)
}

/// The first users that a full run would bring too.
async fn first_users(reader: &Reader<'_>, limit: u32) -> Result<Vec<Uuid>> {
    let max = reader.run.job.filter.limits.max_users;
    let limit = max.and_then(|max| u32::try_from(max).ok()).map_or(limit, |max| max.min(limit));
    if let Some(members) = first_members(reader, limit).await? {
        if max.is_some() && !members.are_all {
            limits::warn(reader, ObjectType::Users);
        }
        return users::read_first(reader, &members.users, limit, true).await;
    }
    match max {
        None => list::read_first(reader, ObjectType::Users, limit).await,
        Some(_) => match limits::smallest(reader, ObjectType::Users).await? {
            Some(ids) => users::read_first(reader, &ids, limit, false).await,
            None => list::read_first(reader, ObjectType::Users, limit).await,
        },
    }
}

struct FirstMembers {
    /// Ascending.
    users: Vec<Uuid>,
    /// There are no others.
    are_all: bool,
}

/// Some members of the groups that the scope takes, if it takes only members: more than the test needs, since the
/// filter may leave some of them out.
async fn first_members(reader: &Reader<'_>, limit: u32) -> Result<Option<FirstMembers>> {
    let scope = &reader.run.job.filter.scope;
    let roots = match scope.users {
        ScopeUsers::All => return Ok(None),
        ScopeUsers::MembersOf => scope.group_ids.clone(),
        ScopeUsers::MembersOfFilteredGroups => {
            list::read_first(reader, ObjectType::Groups, GROUPS_OF_A_SCOPE as u32).await?
        }
    };
    let enough = 2 * limit as usize;
    let (mut users, mut looked) = (BTreeSet::new(), 0);
    let mut are_all = scope.users == ScopeUsers::MembersOf;
    let mut levels = Levels::new(scope.transitive);
    let mut open = levels.next(roots);
    while !open.is_empty() {
        let mut nested = Vec::new();
        for group in open {
            if looked == GROUPS_OF_A_SCOPE || users.len() >= enough {
                are_all = false;
                break;
            }
            looked += 1;
            let Some(page) = first_page(reader, group).await? else { continue };
            are_all &= matches!(page.next, Next::Complete(_));
            for member in page.content.0 {
                match member.kind {
                    MemberType::User => {
                        users.insert(member.id);
                    }
                    MemberType::Group => nested.push(member.id),
                    _ => {}
                }
            }
        }
        open = levels.next(nested);
    }
    let users: Vec<Uuid> = if are_all { users.into_iter().collect() } else { users.into_iter().take(enough).collect() };
    Ok(Some(FirstMembers { users, are_all }))
}

/// The first page of a group's members; `None`: there is no such group.
async fn first_page(reader: &Reader<'_>, group: Uuid) -> Result<Option<Page<Members>>> {
    let url = reader.session.url(&format!("groups/{group}/members?$select=id"));
    match reader.session.page(&url, &RequestOptions::default()).await {
        Ok(page) => Ok(Some(page)),
        Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Goes on without groups. If the permission for them is gone and they were delivered before, they stay as delivered; that
/// the groups of single users cannot be read is no proof of it.
async fn without_groups(reader: &Reader<'_>, read: &mut Read, error: GraphError) -> Result<()> {
    if lost_permission::lacks_groups(reader) && reader.mirror.was_delivered(ObjectType::Groups).await? {
        let refusal = GraphError { kind: GraphErrorKind::Forbidden, ..error };
        let refused = std::future::ready(Err::<(), _>(refusal.into()));
        if let Reading::Lost(lost) = lost_permission::unless_refused(reader, ObjectType::Groups, refused).await? {
            read.lost.push(lost);
        }
        return Ok(());
    }
    read.types.push(ObjectType::Groups);
    let detail = format!(
        "The groups of single users cannot be read here ({error}); the test goes on without groups. A full run \
         reads groups another way."
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::TestWithoutGroups, detail));
    Ok(())
}
