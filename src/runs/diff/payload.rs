//! The exact text that is sent for an object, and its hash.

use super::memberships::GroupsOf;
use super::targets::Targets;
use crate::db::mirror;
use crate::db::mirror::read::SeenRow;
use crate::directory::{ObjectType, Properties};
use crate::mapping::References;
use crate::runs::run::Run;
use serde_json::Value;
use uuid::Uuid;

/// The hash of the exact text that is sent, with the mapping that gives it its meaning.
pub(super) fn hash(run: &Run, payload: &str) -> Vec<u8> {
    mirror::hash(&[payload.as_bytes(), &run.job.mapping.version().to_le_bytes()])
}

/// What the references of a type's objects are made of.
pub(super) struct Referring<'a> {
    pub targets: &'a Targets,
    /// `None` when the type does not carry them.
    pub groups_of: Option<GroupsOf<'a>>,
}

/// The exact text for one object.
pub(super) struct Built {
    pub text: String,
    /// The most values that one of its reference attributes has.
    pub references: usize,
    /// References to users and groups that are not delivered.
    pub dropped: usize,
}

/// References to what is not delivered are left out, so that the object is sent again when its target arrives.
/// `kept_groups`: those that were delivered with a user, where groups cannot be read now.
pub(super) fn payload(
    run: &Run,
    object_type: ObjectType,
    Referring { targets, groups_of }: &Referring<'_>,
    row: &SeenRow,
    properties: &Properties,
    kept_groups: Option<Vec<Uuid>>,
) -> Built {
    let id = |name: &str| properties.get(name).and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok());
    let owners = match object_type {
        ObjectType::Devices => nested_ids(properties, "registeredOwners", "id"),
        _ => plain_ids(properties, "ownerIds"),
    };
    let (manager, members) = (id("managerId"), row.members.clone().unwrap_or_default());
    let (groups, dropped_groups) = match kept_groups {
        Some(groups) => (groups, 0),
        None => groups_of.as_ref().map(|groups_of| groups_of.of(row.id)).unwrap_or_default(),
    };
    let all = usize::from(manager.is_some()) + owners.len() + members.len();
    let manager = manager.filter(|manager| targets.has(ObjectType::Users, *manager));
    let owners = targets.only(ObjectType::Users, owners);
    let members = targets.only(ObjectType::Users, members);
    let dropped = dropped_groups + all - usize::from(manager.is_some()) - owners.len() - members.len();
    let (groups, parents) = match object_type {
        ObjectType::Groups => (Vec::new(), groups),
        _ => (groups, Vec::new()),
    };
    let references = References {
        manager,
        groups: &groups,
        licenses: &targets.only(ObjectType::Licenses, nested_ids(properties, "assignedLicenses", "skuId")),
        owners: &owners,
        members: &members,
        parents: &parents,
    };
    let lists = [references.groups, references.licenses, references.owners, references.members, references.parents];
    let most = lists.iter().map(|ids| ids.len()).fold(usize::from(references.manager.is_some()), usize::max);
    let text = run.job.mapping.payload(object_type, row.id, properties, &references, None);
    Built { text, references: most, dropped }
}

fn plain_ids(properties: &Properties, name: &str) -> Vec<Uuid> {
    let list = properties.get(name).and_then(Value::as_array).into_iter().flatten();
    sorted(list.filter_map(Value::as_str).filter_map(|text| Uuid::parse_str(text).ok()).collect())
}

fn nested_ids(properties: &Properties, name: &str, field: &str) -> Vec<Uuid> {
    let list = properties.get(name).and_then(Value::as_array).into_iter().flatten();
    let ids = list.filter_map(|item| item.get(field)).filter_map(Value::as_str);
    sorted(ids.filter_map(|text| Uuid::parse_str(text).ok()).collect())
}

fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
