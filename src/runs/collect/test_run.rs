//! A test: the first users and what belongs to them, in few requests whatever the size of the tenant.

use super::fetch::get_many;
use super::lost_permission::{self, Reading};
use super::object::{self, parse, staged};
use super::pages::whole_of;
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::small::read_small;
use super::{list, managers, users};
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, StagedMembers};
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::graph::wire::{Items, MemberKind, Members, Properties};
use crate::graph::{GraphError, GraphErrorKind, Page, RequestOptions};
use crate::run_state::RunWarning;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

/// Users that a test reads unless it says how many.
const USERS: u32 = 100;
/// Groups of a scope that a test looks into.
const GROUPS_OF_A_SCOPE: u32 = 10;

/// Reads the first `limit` users, their direct groups, and the licences.
pub(super) async fn read(reader: &Reader<'_>) -> Result<Read> {
    let mapping = &reader.run.job.mapping;
    let filter = &reader.run.job.filter;
    let limit = reader.run.request.limit.unwrap_or(USERS);
    let most = filter.limits.max_users.and_then(|most| u32::try_from(most).ok()).unwrap_or(u32::MAX);
    let mut read = Read::default();
    let mut users = Vec::new();
    if mapping.is_enabled(ObjectType::Users) {
        users = match first_members(reader, limit).await? {
            Some(members) => users::read_first(reader, &members, limit.min(most)).await?,
            None => list::read_first(reader, ObjectType::Users, limit.min(most)).await?,
        };
        managers::of_first(reader, &users).await?;
        read.types.push(ObjectType::Users);
    }
    if mapping.is_enabled(ObjectType::Groups) {
        match groups_of(reader, &users).await? {
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

/// Some members of the groups that the scope takes, if it takes only members: more than the test needs, since the
/// filter may leave some of them out.
async fn first_members(reader: &Reader<'_>, limit: u32) -> Result<Option<Vec<Uuid>>> {
    let scope = &reader.run.job.filter.scope;
    let mut open: VecDeque<Uuid> = match scope.users {
        ScopeUsers::All => return Ok(None),
        ScopeUsers::MembersOf => scope.group_ids.iter().copied().collect(),
        ScopeUsers::MembersOfFilteredGroups => {
            list::read_first(reader, ObjectType::Groups, GROUPS_OF_A_SCOPE).await?.into()
        }
    };
    let mut seen: BTreeSet<Uuid> = open.iter().copied().collect();
    let mut users = BTreeSet::new();
    for _ in 0..GROUPS_OF_A_SCOPE {
        let Some(group) = open.pop_front().filter(|_| users.len() < 2 * limit as usize) else { break };
        let url = reader.session.url(&format!("groups/{group}/members?$top=999&$select=id"));
        let page: Page<Members> = match reader.session.page(&url, &RequestOptions::default()).await {
            Ok(page) => page,
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => continue,
            Err(error) => return Err(error.into()),
        };
        for member in page.content.0 {
            match member.kind {
                MemberKind::User => {
                    users.insert(member.id);
                }
                MemberKind::Group if scope.transitive && seen.insert(member.id) => open.push_back(member.id),
                _ => {}
            }
        }
    }
    Ok(Some(users.into_iter().take(2 * limit as usize).collect()))
}

/// The groups that these users are direct members of, twenty users to a request; the error, if they cannot be read.
async fn groups_of(reader: &Reader<'_>, users: &[Uuid]) -> Result<Option<GraphError>> {
    let job = &reader.run.job;
    let mut select = job.mapping.select(ObjectType::Groups);
    // The filter's condition is decided here.
    select.extend(job.filter.groups.as_ref().map(|rule| rule.parsed.select()).unwrap_or_default());
    select.sort_unstable();
    select.dedup();
    let select = select.join(",");
    let mut members: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (number, part) in users.chunks(crate::graph::batch::ITEMS_MOST).enumerate() {
        let url = |id: &Uuid| reader.session.url(&format!("users/{id}/memberOf?$top=999&$select={select}"));
        let answers = get_many(reader, part.iter().map(url).collect()).await?;
        let is_refused = matches!(answers.first(), Some(Err(error)) if error.refuses_optional());
        // One user may have been deleted meanwhile; not twenty.
        if number == 0 && is_refused && answers.iter().all(Result::is_err) {
            return Ok(answers.into_iter().find_map(Result::err));
        }
        let mut batch = Batch::default();
        for (user, answer) in part.iter().zip(answers) {
            match answer {
                Ok(item) => {
                    if let Some(refusal) = take_groups(reader, *user, item.body, &mut members, &mut batch).await? {
                        return Ok(Some(refusal));
                    }
                }
                Err(error) if matches!(error.kind, GraphErrorKind::Forbidden) => return Ok(Some(error)),
                Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        reader.staging.write(batch).await?;
    }
    let members = members.into_iter().map(|(group, mut members)| {
        members.sort_unstable();
        StagedMembers::new(group, "user", 0, members)
    });
    reader.staging.write(Batch { members: members.collect(), ..Batch::default() }).await?;
    Ok(None)
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

/// The groups in one user's answer, to the last page; the error, if Graph shows them without their properties, as it
/// does to an application without the permission for them (docs/graph.md, «Unreadable objects»).
async fn take_groups(
    reader: &Reader<'_>,
    user: Uuid,
    body: String,
    members: &mut BTreeMap<Uuid, Vec<Uuid>>,
    batch: &mut Batch,
) -> Result<Option<GraphError>> {
    let groups = match whole_of(reader, body, "groups", groups_on).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::Forbidden) => return Ok(Some(error)),
        groups => groups?,
    };
    for group in groups {
        if let Some(id) = group.uuid()
            && object::is_admitted(reader, ObjectType::Groups, &group)?
        {
            members.entry(id).or_default().push(user);
            batch.objects.extend(staged(ObjectType::Groups, &group)?);
        }
    }
    Ok(None)
}

fn groups_on(items: &Items, groups: &mut Vec<Properties>) -> Result<()> {
    // memberOf also lists directory roles and administrative units.
    for item in items.iter().filter(|item| item.contains("#microsoft.graph.group")) {
        let group = parse(item)?;
        if group.nulls.iter().any(|name| name == "displayName") {
            let message = "groups come without their properties: the permission for them is missing";
            return Err(GraphError::new(GraphErrorKind::Forbidden, message).into());
        }
        groups.push(group);
    }
    Ok(())
}
