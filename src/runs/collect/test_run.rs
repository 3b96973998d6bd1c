//! A test: the first users with what belongs to them, in few requests on a tenant of any size.

use super::list::{self, parse, staged};
use super::refused::get_many;
use super::{Read, Reader};
use crate::db::mirror::{Batch, StagedMembers};
use crate::directory::ObjectType;
use crate::filter::ScopeUsers;
use crate::graph::wire::{Content, Items, MemberKind, Members};
use crate::graph::{ErrorKind, GraphError, Page, RequestOptions};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

/// Users that a test reads unless it says how many.
const USERS: u32 = 100;
/// Groups of a scope that a test looks into.
const GROUPS_OF_A_SCOPE: u32 = 10;

/// Reads the first `limit` users, their direct groups, and the licences.
pub(super) async fn read(reader: &Reader<'_>) -> Result<Read, Stop> {
    let mapping = &reader.run.job.mapping;
    let filter = &reader.run.job.filter;
    let limit = reader.run.request.limit.unwrap_or(USERS);
    let most = filter.limits.max_users.and_then(|most| u32::try_from(most).ok()).unwrap_or(u32::MAX);
    let mut read = Read::default();
    let mut users = Vec::new();
    if mapping.is_enabled(ObjectType::Users) {
        users = match first_members(reader, limit).await? {
            Some(members) => list::read_first_of(reader, &members, limit.min(most)).await?,
            None => list::read_first(reader, ObjectType::Users, limit.min(most)).await?,
        };
        read.types.push(ObjectType::Users);
    }
    if mapping.is_enabled(ObjectType::Groups) {
        read.memberships = groups_of(reader, &users).await?;
        read.types.push(ObjectType::Groups);
    }
    super::read_small(reader, &mut read, Some(limit)).await?;
    Ok(read)
}

/// Some members of the groups that the scope takes, if it takes only members: more than the test needs, since the
/// filter may leave some of them out.
async fn first_members(reader: &Reader<'_>, limit: u32) -> Result<Option<Vec<Uuid>>, Stop> {
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
            Err(error) if matches!(error.kind, ErrorKind::NotFound) => continue,
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

/// The groups that these users are direct members of, twenty users to a request; `false`: they cannot be read.
async fn groups_of(reader: &Reader<'_>, users: &[Uuid]) -> Result<bool, Stop> {
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
        let refusals: Vec<&GraphError> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        // One user may have been deleted meanwhile; not twenty.
        if let Some(error) = refusals.first().filter(|error| error.refuses_optional())
            && number == 0
            && refusals.len() == part.len()
        {
            warn_of_refusal(reader, error);
            return Ok(false);
        }
        let mut batch = Batch::default();
        for (user, answer) in part.iter().zip(answers) {
            match answer {
                Ok(item) => take_groups(reader, *user, item.body, &mut members, &mut batch).await?,
                Err(error) if matches!(error.kind, ErrorKind::Forbidden) => {
                    warn_of_refusal(reader, &error);
                    return Ok(false);
                }
                Err(error) if matches!(error.kind, ErrorKind::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        reader.writer.write(batch).await?;
    }
    let members = members.into_iter().map(|(group, mut members)| {
        members.sort_unstable();
        StagedMembers { group, member_type: "user".to_owned(), part: 0, members }
    });
    reader.writer.write(Batch { members: members.collect(), ..Batch::default() }).await?;
    Ok(true)
}

fn warn_of_refusal(reader: &Reader<'_>, error: &GraphError) {
    let detail = format!(
        "The groups of single users cannot be read here ({error}); the test goes on without groups. A full run \
         reads groups another way."
    );
    reader.run.journal.warn(RunWarning::new("test_without_groups", detail));
}

/// The groups in one user's answer, to the last page.
async fn take_groups(
    reader: &Reader<'_>,
    user: Uuid,
    body: String,
    members: &mut BTreeMap<Uuid, Vec<Uuid>>,
    batch: &mut Batch,
) -> Result<(), Stop> {
    let read = |body: String| {
        Items::read(body)
            .map_err(|e| Stop::graph(&GraphError::new(ErrorKind::Malformed, format!("a list of groups: {e}"))))
    };
    let (mut links, mut items) = read(body)?;
    loop {
        for item in items.iter() {
            // memberOf also lists directory roles and administrative units.
            if !item.contains("#microsoft.graph.group") {
                continue;
            }
            let group = parse(item)?;
            if let Some(id) = group.uuid()
                && list::is_admitted(reader, ObjectType::Groups, &group)?
            {
                members.entry(id).or_default().push(user);
                batch.objects.extend(staged(ObjectType::Groups, &group)?);
            }
        }
        let Some(next) = links.next.take() else { return Ok(()) };
        let url = reader.session.link(&next)?;
        let page = reader.session.get(&url, &RequestOptions::default()).await?;
        (links, items) = read(page.text)?;
    }
}
