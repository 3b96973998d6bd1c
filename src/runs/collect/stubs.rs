//! Stubs: with `outside: stub`, objects outside the scope to which objects in scope refer (a manager, an owner, a group).
//! They are staged under a name of their own, with identity, name, and whether they are in use.

use super::answers::Question;
use super::fetch::{REQUESTS_AT_ONCE, fetch_held};
use super::groups;
use super::memberships::MembershipGraph;
use super::narrowed::{Dropped, Stubs, UsersAndGroups};
use super::object::{self};
use super::passes;
use super::read_error::{ReadError, Result};
use super::reader::{Read, Reader};
use super::request::{Request, Target};
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{Batch, StagedObject, StoredAs};
use crate::directory::{Link, ObjectType, Properties as Map};
use crate::error::Error;
use crate::filter::scope::InScope;
use crate::graph::IDS_IN_A_QUERY;
use crate::graph::wire::Items;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// The pass over the groups that the filter's condition leaves out.
const OTHER_GROUPS: &str = "pass:groups";
/// The visibility of a group that hides its members.
const HIDDEN: &str = "HiddenMembership";
/// What is asked of objects that become stubs.
const STUBS: &str = "stubs";
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
    let others = passes::through(reader, request, OTHER_GROUPS, "groups", ids_with_visibility).await?;
    let others = others.into_iter().map(|row| (row.id, row.data == HIDDEN)).collect();
    groups::read_others(reader, others).await
}

/// Groups, with the word [`HIDDEN`] where their membership is hidden.
fn ids_with_visibility(items: &Items, groups: &mut Vec<(Uuid, String)>) -> Result<()> {
    for item in items.iter() {
        let group = object::parse(item)?;
        let map: Map = serde_json::from_str(&group.json).map_err(Error::internal)?;
        let visibility = map.get("visibility").and_then(Value::as_str).unwrap_or_default();
        groups.extend(group.uuid().map(|id| (id, visibility.to_owned())));
    }
    Ok(())
}

/// What is referred to and outside.
#[derive(Default)]
pub(super) struct Referred {
    pub users: BTreeSet<Uuid>,
    /// With how many members in scope each has.
    pub groups: BTreeMap<Uuid, Dropped>,
}

impl Referred {
    /// The references to groups of which there is no stub.
    pub fn dropped(&self, stubs: &[Uuid]) -> Dropped {
        let mut all = Dropped::default();
        for (_, dropped) in self.groups.iter().filter(|(group, _)| stubs.binary_search(group).is_err()) {
            all.of_users += dropped.of_users;
            all.of_groups += dropped.of_groups;
        }
        all
    }
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
                referred.groups.entry(known.numbers.id(*group)).or_default().of_users += 1;
            }
            (true, false) if mapping.carries(ObjectType::Groups, Link::Members) => {
                referred.users.insert(known.numbers.id(*user));
            }
            _ => {}
        }
    }
    if reader.plan.wants_stubs() && mapping.carries(ObjectType::Groups, Link::ParentGroups) {
        for (group, nested) in known.memberships.of_groups() {
            if is_in(groups, *nested) && !is_in(groups, *group) {
                referred.groups.entry(known.numbers.id(*group)).or_default().of_groups += 1;
            }
        }
    }
    referred
}

/// Adds the managers, owners and others outside the scope whose ids objects have among their properties; for a type that
/// could not be read, as the mirror has them.
async fn by_property(reader: &Reader<'_>, what: &Read, kept: &UsersAndGroups, referred: &mut Referred) -> Result<()> {
    let mapping = &reader.run.job.mapping;
    for object_type in ObjectType::ALL.into_iter().filter(|object_type| mapping.is_enabled(*object_type)) {
        let is_lost = what.lost.iter().any(|lost| lost.object_type == object_type);
        let in_scope = if is_lost { None } else { kept.of(object_type) };
        let links: Vec<Link> = mapping.links(object_type).filter(|link| matches!(link, Link::Ids { .. })).collect();
        let of = |target| links.iter().copied().filter(move |link| link.target() == target).collect::<Vec<Link>>();
        let (to_users, to_groups) = (of(ObjectType::Users), of(ObjectType::Groups));
        if to_users.is_empty() && to_groups.is_empty() {
            continue;
        }
        let (mut users, mut groups, mut seen) = (HashSet::new(), HashSet::new(), HashSet::new());
        let mut each = |row: ObjectRow| -> crate::error::Result<Option<()>> {
            let is_in_scope = in_scope.is_none_or(|ids| ids.binary_search(&row.id).is_ok());
            if is_in_scope && (!what.is_patch || seen.insert(row.id)) {
                let map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
                users.extend(to_users.iter().flat_map(|link| link.ids(&map)));
                groups.extend(to_groups.iter().flat_map(|link| link.ids(&map)));
            }
            Ok(None)
        };
        if !is_lost {
            reader.staging.each_object(object_type, &mut each).await?;
        }
        // Of users and groups a read of changes stages only what changed.
        if is_lost || (what.is_patch && kept.of(object_type).is_some()) {
            reader.mirror.each_object(object_type, &mut each).await?;
        }
        let is_outside = |target, id: &Uuid| kept.of(target).is_none_or(|kept| kept.binary_search(id).is_err());
        referred.users.extend(users.into_iter().filter(|id| is_outside(ObjectType::Users, id)));
        for group in groups.into_iter().filter(|id| is_outside(ObjectType::Groups, id)) {
            referred.groups.entry(group).or_default();
        }
    }
    Ok(())
}

/// The ids of the users and groups that changed, where changes were read.
#[derive(Default)]
pub(super) struct Changed {
    pub users: BTreeSet<Uuid>,
    pub groups: BTreeSet<Uuid>,
}

/// Stages stubs of what is referred to and outside of what is `kept`. Of what is known from the last read and is not among
/// `changed`, nothing is asked for. Returns what became of it, and the references that lead nowhere.
pub(super) async fn stage(
    reader: &Reader<'_>,
    what: &Read,
    kept: &UsersAndGroups,
    mut referred: Referred,
    changed: &Changed,
) -> Result<(Stubs, Dropped)> {
    if !reader.plan.wants_stubs() {
        return Ok((Stubs::default(), referred.dropped(&[])));
    }
    by_property(reader, what, kept, &mut referred).await?;
    let groups: Vec<Uuid> = referred.groups.keys().copied().collect();
    let users: Vec<Uuid> = referred.users.iter().copied().collect();
    let users = stage_type(reader, ObjectType::Users, users, what.is_patch.then_some(&changed.users)).await?;
    let groups = stage_type(reader, ObjectType::Groups, groups, what.is_patch.then_some(&changed.groups)).await?;
    let dropped = referred.dropped(&groups.stubs);
    let without = UsersAndGroups { users: users.without, groups: groups.without };
    Ok((Stubs { groups: groups.stubs, without }, dropped))
}

/// What became of what is referred to of one type. Sorted.
#[derive(Default)]
struct OfType {
    stubs: Vec<Uuid>,
    without: Vec<Uuid>,
}

/// `ids`: ascending. `changed`: the objects of which something else may be known than at the last read; `None`: everything is
/// asked for.
async fn stage_type(
    reader: &Reader<'_>,
    object_type: ObjectType,
    ids: Vec<Uuid>,
    changed: Option<&BTreeSet<Uuid>>,
) -> Result<OfType> {
    let stored_as = StoredAs::stub(object_type).filter(|_| reader.plan.imports(object_type));
    let Some(stored_as) = stored_as else { return Ok(OfType::default()) };
    let (mut before, mut without) = (Vec::new(), Vec::new());
    if changed.is_some() {
        before = reader.mirror.stubs(object_type).await?;
        without = reader.mirror.without_stubs(object_type).await?;
    }
    let has_changed = |id: &Uuid| changed.is_none_or(|changed| changed.contains(id));
    let is_known =
        |id: &Uuid| !has_changed(id) && (before.binary_search(id).is_ok() || without.binary_search(id).is_ok());
    let asked: Vec<Uuid> = ids.iter().filter(|id| !is_known(id)).copied().collect();
    let found = read(reader, object_type, stored_as, &asked).await?;
    let is_stub = |id: &Uuid| match is_known(id) {
        true => before.binary_search(id).is_ok(),
        false => found.contains(id),
    };
    let (stubs, without): (Vec<Uuid>, Vec<Uuid>) = ids.into_iter().partition(is_stub);
    let left = before.iter().filter(|id| stubs.binary_search(id).is_err());
    let gone = StoredAs::GoneStub(object_type);
    let mark = |id: &Uuid| StagedObject { stored_as: gone, id: *id, hash: Vec::new(), data: None };
    reader.staging.write(Batch { objects: left.map(mark).collect(), ..Batch::default() }).await?;
    Ok(OfType { stubs, without })
}

/// Reads objects and stages stubs of those that exist and are not excluded. Returns these.
async fn read(
    reader: &Reader<'_>,
    object_type: ObjectType,
    stored_as: StoredAs,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>> {
    // Forgotten with the stubs.
    let collection = stored_as.to_string();
    let mut told: BTreeMap<Uuid, bool> = reader.told(&collection, STUBS, ids).await?;
    let open: Vec<Uuid> = ids.iter().filter(|id| !told.contains_key(id)).copied().collect();
    let parts: Vec<Vec<Uuid>> = open.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    let mut parts = stream::iter(parts)
        .map(|ids| (ids, collection.clone()))
        .map(|(ids, collection)| async move {
            let mut batch = Batch::default();
            let (objects, request) = fetch_held(reader, object_type, &ids).await?;
            for object in objects {
                // What is excluded is never imported.
                let Some(id) = object.uuid() else { continue };
                if !object::is_excluded(reader, object_type, &object)? {
                    let mut map: Map = serde_json::from_str(&object.json).map_err(Error::internal)?;
                    map.retain(|name, _| KEPT.contains(&name.as_str()));
                    batch.objects.push(StagedObject { stored_as, ..StagedObject::new(object_type, id, map) });
                }
            }
            let found: HashSet<Uuid> = batch.objects.iter().map(|object| object.id).collect();
            let told: BTreeMap<Uuid, bool> = ids.iter().map(|id| (*id, found.contains(id))).collect();
            batch.cursors.push(Question::told(collection, STUBS, &told)?);
            reader.staging.write_page(batch, request).await?;
            Ok::<_, ReadError>(told)
        })
        .buffer_unordered(REQUESTS_AT_ONCE);
    while let Some(part) = parts.try_next().await? {
        told.extend(part);
    }
    Ok(told.into_iter().filter(|(_, is_there)| *is_there).map(|(id, _)| id).collect())
}
