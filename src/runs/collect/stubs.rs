//! Stubs: with `outside: stub`, objects outside the scope to which objects in scope refer (a manager, an owner, a group).
//! They are staged under a name of their own, with identity, name, and whether they are in use.

use super::fetch::fetch;
use super::groups;
use super::memberships::MembershipGraph;
use super::narrowed::InScopeIds;
use super::object::{self, staged_map};
use super::pages::whole;
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::request::{Request, Target};
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{Batch, StagedObject, stub_name};
use crate::directory::{Link, ObjectType, Properties as Map};
use crate::error::Error;
use crate::filter::scope::InScope;
use crate::graph::IDS_IN_A_QUERY;
use crate::graph::wire::Items;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

const REQUESTS_AT_ONCE: usize = 32;
/// What is kept of an object that becomes a stub.
const KEPT: [&str; 5] = ["id", "displayName", "userPrincipalName", "mail", "accountEnabled"];

/// Reads the members of the groups that the filter's condition leaves out: nothing else says which of these groups the
/// users in scope are in.
pub(super) async fn read_other_groups(reader: &Reader<'_>) -> Result<()> {
    if !reader.plan.stubs_need_other_groups() {
        return Ok(());
    }
    let request =
        Request { is_fixed: false, ..Request::fixed(Target::Objects(ObjectType::Groups), &["id", "visibility"]) };
    let others = whole(reader, request, "groups", ids_with_visibility).await?;
    groups::read_others(reader, others).await
}

/// Groups, and whether their membership is hidden.
fn ids_with_visibility(items: &Items, groups: &mut Vec<(Uuid, bool)>) -> Result<()> {
    for item in items.iter() {
        let group = object::parse(item)?;
        let map: Map = serde_json::from_str(&group.json).map_err(Error::internal)?;
        let hides = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
        groups.extend(group.uuid().map(|id| (id, hides)));
    }
    Ok(())
}

/// What is referred to and outside.
#[derive(Default)]
pub(super) struct Referred {
    pub users: BTreeSet<Uuid>,
    pub groups: BTreeSet<Uuid>,
    /// References from users in scope to groups outside.
    pub to_groups: u64,
}

/// The groups and members outside the scope that memberships lead to. Assumed memberships are left out.
pub(super) fn by_membership(reader: &Reader<'_>, in_scope: &InScope<u32>, known: &MembershipGraph) -> Referred {
    let mapping = &reader.run.job.mapping;
    let is_in = |list: &[u32], number: u32| list.binary_search(&number).is_ok();
    let (users, groups) = (&in_scope.users, &in_scope.groups);
    let mut referred = Referred::default();
    let of_users = known.memberships.of_users().iter().filter(|(group, _)| !known.assumed.contains(group));
    for (group, user) in of_users {
        match (is_in(groups, *group), is_in(users, *user)) {
            (false, true) if mapping.carries(ObjectType::Users, Link::Groups) => {
                referred.to_groups += 1;
                referred.groups.insert(known.numbers.id(*group));
            }
            (true, false) if mapping.carries(ObjectType::Groups, Link::Members) => {
                referred.users.insert(known.numbers.id(*user));
            }
            _ => {}
        }
    }
    for (group, nested) in known.memberships.of_groups() {
        if is_in(groups, *nested) && !is_in(groups, *group) && mapping.carries(ObjectType::Groups, Link::ParentGroups) {
            referred.groups.insert(known.numbers.id(*group));
        }
    }
    referred
}

/// Adds the managers, owners and others outside the scope whose ids objects have among their properties; for a type that
/// could not be read, as the mirror has them.
pub(super) async fn by_property(
    reader: &Reader<'_>,
    what: &Read,
    kept: &InScopeIds,
    referred: &mut Referred,
) -> Result<()> {
    let mapping = &reader.run.job.mapping;
    for object_type in ObjectType::ALL.into_iter().filter(|object_type| mapping.is_enabled(*object_type)) {
        let is_lost = what.lost.iter().any(|lost| lost.object_type == object_type);
        let in_scope = if is_lost { None } else { kept.of(object_type) };
        let links: Vec<Link> = mapping.links(object_type).filter(|link| matches!(link, Link::Ids { .. })).collect();
        for (target, outside) in [(ObjectType::Users, &mut referred.users), (ObjectType::Groups, &mut referred.groups)]
        {
            let links: Vec<Link> = links.iter().copied().filter(|link| link.target() == target).collect();
            if links.is_empty() {
                continue;
            }
            let known: HashSet<&Uuid> = kept.of(target).into_iter().flatten().collect();
            let each = |row: ObjectRow| -> crate::error::Result<Option<()>> {
                if in_scope.is_none_or(|ids| ids.binary_search(&row.id).is_ok()) {
                    let map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
                    let ids = links.iter().flat_map(|link| link.ids(&map));
                    outside.extend(ids.filter(|id| !known.contains(id)));
                }
                Ok(None)
            };
            match is_lost {
                true => reader.mirror.each_object(object_type, each).await?,
                false => reader.staging.each_object(object_type, each).await?,
            };
        }
    }
    Ok(())
}

/// Stages stubs of these objects, unless they do not exist or are excluded.
pub(super) async fn stage(reader: &Reader<'_>, referred: &Referred) -> Result<()> {
    stage_type(reader, ObjectType::Users, &referred.users).await?;
    stage_type(reader, ObjectType::Groups, &referred.groups).await
}

async fn stage_type(reader: &Reader<'_>, object_type: ObjectType, ids: &BTreeSet<Uuid>) -> Result<()> {
    let stored_as = stub_name(object_type).filter(|_| reader.run.job.mapping.is_enabled(object_type));
    let Some(stored_as) = stored_as else { return Ok(()) };
    let ids: Vec<Uuid> = ids.iter().copied().collect();
    let parts: Vec<Vec<Uuid>> = ids.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    stream::iter(parts)
        .map(|ids| async move {
            let mut batch = Batch::default();
            for object in fetch(reader, object_type, &ids).await? {
                // What is excluded is never imported.
                let Some(id) = object.uuid() else { continue };
                if !object::is_excluded(reader, object_type, &object)? {
                    let mut map: Map = serde_json::from_str(&object.json).map_err(Error::internal)?;
                    map.retain(|name, _| KEPT.contains(&name.as_str()));
                    batch.objects.push(StagedObject { object_type: stored_as, ..staged_map(object_type, id, map) });
                }
            }
            reader.staging.write(batch).await
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}
