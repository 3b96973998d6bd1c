//! The groups of a test's users, the groups that these are nested in, and their owners.

use super::limits;
use crate::db::mirror::{Batch, StagedMembers, StagedObject};
use crate::directory::{Link, MemberType, ObjectType, Properties as Map};
use crate::error::Error;
use crate::filter::EntityKind;
use crate::graph::batch::{BatchItem, MAX_ITEMS};
use crate::graph::wire::{Items, Members, Properties};
use crate::graph::{GraphError, GraphErrorKind};
use crate::runs::collect::fetch::get_many;
use crate::runs::collect::object::{self, Admitted, parse, staged};
use crate::runs::collect::pages::whole_of;
use crate::runs::collect::read_error::{ReadError, Result};
use crate::runs::collect::reader::Reader;
use crate::runs::collect::{decided_by_graph, list};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Groups whose owners and parents a test shows: five batches for each.
const MAX_LINKED: usize = 100;

/// The groups found so far, with their direct users among those of the test.
#[derive(Default)]
struct Found {
    groups: BTreeMap<Uuid, StagedObject>,
    users: BTreeMap<Uuid, Vec<Uuid>>,
}

/// The groups that these users are direct members of, twenty users to a request; the error, if they cannot be read.
pub(super) async fn of_users(reader: &Reader<'_>, users: &[Uuid]) -> Result<Option<GraphError>> {
    let job = &reader.run.job;
    let mut select = job.mapping.select(ObjectType::Groups);
    // The filter's condition is decided here.
    select.extend(job.filter.rule(EntityKind::Groups).map(|rule| rule.parsed.select()).unwrap_or_default());
    select.sort_unstable();
    select.dedup();
    let select = select.join(",");
    let mut found = Found::default();
    for (number, part) in users.chunks(MAX_ITEMS).enumerate() {
        let url = |id: &Uuid| reader.session.url(&format!("users/{id}/memberOf?$select={select}"));
        let answers = get_many(reader, part.iter().map(url).collect()).await?;
        let is_refused = matches!(answers.first(), Some(Err(error)) if error.refuses_optional());
        // One user may have been deleted meanwhile; not twenty.
        if number == 0 && is_refused && answers.iter().all(Result::is_err) {
            return Ok(answers.into_iter().find_map(Result::err));
        }
        for (user, answer) in part.iter().zip(answers) {
            match answer {
                Ok(item) => {
                    if let Some(refusal) = take_groups(reader, *user, item.body, &mut found).await? {
                        return Ok(Some(refusal));
                    }
                }
                Err(error) if matches!(error.kind, GraphErrorKind::Forbidden) => return Ok(Some(error)),
                Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    keep_fulfilling(reader, &mut found).await?;
    keep_within_limit(reader, &mut found).await?;
    stage(reader, found).await?;
    Ok(None)
}

/// Leaves the groups of which Graph says that they fulfil the filter's condition, where only Graph can decide it.
async fn keep_fulfilling(reader: &Reader<'_>, found: &mut Found) -> Result<()> {
    let groups: Vec<Uuid> = found.groups.keys().copied().collect();
    let fulfilling = decided_by_graph::fulfilling(reader, ObjectType::Groups, &groups).await;
    let fulfilling = fulfilling.map_err(|error| list::filter_refused(reader, ObjectType::Groups, error))?;
    if let Some(fulfilling) = fulfilling {
        found.groups.retain(|group, _| fulfilling.contains(group));
        found.users.retain(|group, _| fulfilling.contains(group));
    }
    Ok(())
}

/// Leaves the groups that a full run would take too.
async fn keep_within_limit(reader: &Reader<'_>, found: &mut Found) -> Result<()> {
    let Some(max) = reader.run.job.filter.limits.max_groups else { return Ok(()) };
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let kept: BTreeSet<Uuid> = match limits::smallest(reader, ObjectType::Groups).await? {
        Some(ids) => ids.into_iter().take(max).collect(),
        None => found.groups.keys().take(max).copied().collect(),
    };
    found.groups.retain(|group, _| kept.contains(group));
    found.users.retain(|group, _| kept.contains(group));
    Ok(())
}

/// Stages the groups with their users, and for the first of them the owners and the groups that they are nested in.
async fn stage(reader: &Reader<'_>, mut found: Found) -> Result<()> {
    let mapping = &reader.run.job.mapping;
    let groups: Vec<Uuid> = found.groups.keys().copied().take(MAX_LINKED).collect();
    if mapping.carries(ObjectType::Groups, Link::OWNERS) {
        for (group, owners) in linked(reader, &groups, "owners").await? {
            if let Some(object) = found.groups.get_mut(&group) {
                let mut map: Map =
                    serde_json::from_str(object.data.as_deref().unwrap_or("{}")).map_err(Error::internal)?;
                map.insert("ownerIds".to_owned(), json!(owners.keys().collect::<Vec<_>>()));
                *object = StagedObject::new(ObjectType::Groups, group, map);
            }
        }
    }
    let mut nested: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    if mapping.carries(ObjectType::Groups, Link::ParentGroups) {
        for (group, parents) in linked(reader, &groups, "memberOf").await? {
            let parents =
                parents.into_iter().filter(|(id, kind)| *kind == MemberType::Group && found.groups.contains_key(id));
            parents.for_each(|(parent, _)| nested.entry(parent).or_default().push(group));
        }
    }
    let of_users = found.users.into_iter().map(|(group, users)| StagedMembers::new(group, MemberType::User, 0, users));
    let of_groups = nested.into_iter().map(|(group, groups)| StagedMembers::new(group, MemberType::Group, 0, groups));
    let members = of_users.chain(of_groups).collect();
    reader.staging.write(Batch { objects: found.groups.into_values().collect(), members, ..Batch::default() }).await
}

/// What groups are linked with by a relation. A group of which this cannot be read is left out: a test goes on without.
async fn linked(
    reader: &Reader<'_>,
    groups: &[Uuid],
    relation: &str,
) -> Result<Vec<(Uuid, BTreeMap<Uuid, MemberType>)>> {
    let url = |id: &Uuid| reader.session.url(&format!("groups/{id}/{relation}?$select=id"));
    let each = |page: &Members, found: &mut Vec<(Uuid, MemberType)>| {
        found.extend(page.0.iter().map(|member| (member.id, member.kind)));
        Ok(())
    };
    let mut found = Vec::new();
    let answers: Vec<crate::graph::error::Result<BatchItem>> =
        get_many(reader, groups.iter().map(url).collect()).await?;
    for (group, answer) in groups.iter().zip(answers) {
        match answer {
            Ok(item) => found.push((*group, whole_of(reader, item.body, relation, each).await?.into_iter().collect())),
            Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::Forbidden) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The groups in one user's answer, to the last page; the error, if Graph shows them without their properties, as it
/// does to an application without the permission for them (docs/graph.md, «Unreadable objects»).
async fn take_groups(reader: &Reader<'_>, user: Uuid, body: String, found: &mut Found) -> Result<Option<GraphError>> {
    let groups = match whole_of(reader, body, "groups", groups_on).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::Forbidden) => return Ok(Some(error)),
        groups => groups?,
    };
    let rule = reader.run.job.filter.rule(EntityKind::Groups);
    let decides = !rule.is_some_and(|rule| rule.parsed.only_graph_decides());
    for group in groups {
        if let Some(id) = group.uuid()
            && object::admitted(reader, ObjectType::Groups, &group, decides)? == Admitted::Yes
            && let Some(object) = staged(ObjectType::Groups, &group)?.pop()
        {
            found.users.entry(id).or_default().push(user);
            found.groups.insert(id, object);
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
