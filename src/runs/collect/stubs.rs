//! Objects outside the scope to which objects in scope refer, with `outside: stub`: a manager, an owner, a group. They
//! are staged apart, with what makes a stub: identity, name, and whether they are in use.

use super::groups;
use super::memberships::Known;
use super::narrowed::Kept;
use super::object::{self, staged_map};
use super::reader::{Read, Reader};
use super::request::{fetch, whole};
use crate::db::mirror::{Batch, StagedObject, read, stub_name};
use crate::directory::{Link, ObjectType, Properties as Map};
use crate::error::Error;
use crate::filter::scope::InScope;
use crate::graph::wire::{Items, properties};
use crate::graph::{IDS_IN_A_QUERY, Pager, RequestOptions};
use crate::runs::stop::Stop;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

const REQUESTS_AT_ONCE: usize = 32;
/// What is kept of an object that becomes a stub.
const KEPT: [&str; 5] = ["id", "displayName", "userPrincipalName", "mail", "accountEnabled"];

/// Reads the members of the groups that the filter's condition leaves out: which of them the users in scope are in is
/// not known otherwise.
pub(super) async fn read_other_groups(reader: &Reader<'_>) -> Result<(), Stop> {
    let mapping = &reader.run.job.mapping;
    let refers =
        mapping.carries(ObjectType::Users, Link::Groups) || mapping.carries(ObjectType::Groups, Link::ParentGroups);
    if !refers || reader.run.job.filter.groups.is_none() {
        return Ok(());
    }
    let others = whole(reader, "groups", || ids_with_visibility(reader)).await?;
    groups::read_others(reader, others).await
}

/// All groups, and whether their membership is hidden.
async fn ids_with_visibility(reader: &Reader<'_>) -> crate::graph::error::Result<Vec<(Uuid, bool)>> {
    let first = reader.session.url("groups?$top=999&$select=id,visibility");
    let mut pager: Pager<Items> = reader.session.pages(first, RequestOptions::default());
    let mut groups = Vec::new();
    while let Some(page) = pager.next().await? {
        for item in page.content.iter() {
            let group = properties(item).map_err(|e| object::unreadable(&e))?;
            let hides = group.json.contains("HiddenMembership");
            groups.extend(group.uuid().map(|id| (id, hides)));
        }
    }
    Ok(groups)
}

/// What is referred to and outside.
#[derive(Default)]
pub(super) struct Referred {
    pub users: BTreeSet<Uuid>,
    pub groups: BTreeSet<Uuid>,
    /// References from users in scope to groups outside.
    pub to_groups: u64,
}

/// The groups and members beyond the scope that memberships lead to from what is in scope. What is only assumed of
/// groups leads nowhere.
pub(super) fn by_membership(reader: &Reader<'_>, in_scope: &InScope<u32>, known: &Known) -> Referred {
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

/// Adds the managers and owners outside of what is in scope; of a type that is frozen, the mirror knows whom it refers to.
pub(super) async fn by_property(
    reader: &Reader<'_>,
    what: &Read,
    kept: &Kept,
    referred: &mut Referred,
) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let mapping = &reader.run.job.mapping;
    let organization = reader.run.job.organization;
    let known: HashSet<&Uuid> = kept.users.iter().collect();
    for (object_type, link) in
        [(ObjectType::Users, Link::Manager), (ObjectType::Groups, Link::Owners), (ObjectType::Devices, Link::Owners)]
    {
        if !mapping.is_enabled(object_type) || !mapping.carries(object_type, link) {
            continue;
        }
        let is_frozen = what.frozen.iter().any(|frozen| frozen.object_type == object_type);
        let (source, in_scope) = match is_frozen {
            true => (read::Source::Mirror(reader.run.job.id), None),
            false => (read::Source::Staged(reader.run.lease.run), kept.of(object_type)),
        };
        let db = &reader.run.app.db;
        let found: BTreeSet<Uuid> = db
            .scoped(organization, async |tx| {
                let mut rows = std::pin::pin!(read::data(tx, organization, source, object_type.as_str()).await?);
                let mut found = BTreeSet::new();
                while let Some(row) = rows.next().await {
                    let row = row?;
                    if in_scope.is_some_and(|ids| ids.binary_search(&row.id).is_err()) {
                        continue;
                    }
                    let map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
                    found.extend(people(&map).filter(|id| !known.contains(id)));
                }
                Ok(found)
            })
            .await?;
        referred.users.extend(found);
    }
    Ok(())
}

/// The manager or the owners of an object as it is staged.
fn people(map: &Map) -> impl Iterator<Item = Uuid> {
    let list = |name: &str| map.get(name).and_then(Value::as_array).into_iter().flatten();
    let texts = map.get("managerId").into_iter().chain(list("ownerIds"));
    let nested = list("registeredOwners").filter_map(|owner| owner.get("id"));
    texts.chain(nested).filter_map(Value::as_str).filter_map(|text| Uuid::parse_str(text).ok())
}

/// Stages stubs of these objects, as far as they are there and not excluded.
pub(super) async fn stage(reader: &Reader<'_>, referred: &Referred) -> Result<(), Stop> {
    stage_type(reader, ObjectType::Users, &referred.users).await?;
    stage_type(reader, ObjectType::Groups, &referred.groups).await
}

async fn stage_type(reader: &Reader<'_>, object_type: ObjectType, ids: &BTreeSet<Uuid>) -> Result<(), Stop> {
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
            reader.writer.write(batch).await
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await
}
