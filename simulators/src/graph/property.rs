//! The properties of directory objects, computed when they are asked for.
//! Names and types: the v1.0 metadata, docs/graph.md, «Properties».

mod device;
mod group;
mod user;
mod value;

use crate::seed::{Directory, ObjectKind, Ref};
pub use group::BASIC as BASIC_GROUP;
use serde_json::Value;
pub use user::BASIC as BASIC_USER;
pub use user::principal_name;
pub use value::{Val, write_guid, write_member, write_str};

/// The value of a property of a live object; `Missing` for a name that the type does not have.
pub fn property<'a>(directory: &'a Directory, object: Ref, name: &str) -> Val<'a> {
    let slot = object.slot() as usize;
    let set = |extra: &'a Option<Box<serde_json::Map<String, Value>>>| extra.as_ref().and_then(|e| e.get(name));
    match object.kind() {
        ObjectKind::User => directory.users.get(slot).map_or(Val::Missing, |user| match set(&user.extra) {
            Some(value) => Val::Json(value),
            None => user::property(directory, user, name),
        }),
        ObjectKind::Group => directory.groups.get(slot).map_or(Val::Missing, |group| match set(&group.extra) {
            Some(value) => Val::Json(value),
            None => group::property(group, name),
        }),
        ObjectKind::Device => directory.devices.get(slot).map_or(Val::Missing, |device| match set(&device.extra) {
            Some(value) => Val::Json(value),
            None => device::property(device, name),
        }),
        ObjectKind::ServicePrincipal => {
            directory.service_principals.get(slot).map_or(Val::Missing, |other| match name {
                "id" => Val::Guid(other.id),
                "displayName" => Val::str(&other.name),
                "servicePrincipalType" => Val::str("Application"),
                _ => Val::Missing,
            })
        }
        ObjectKind::OrgContact => directory.contacts.get(slot).map_or(Val::Missing, |other| match name {
            "id" => Val::Guid(other.id),
            "displayName" => Val::str(&other.name),
            "mail" => Val::str("desk@supplier.example"),
            _ => Val::Missing,
        }),
    }
}

/// What comes without `$select`.
pub fn default_properties(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::User => user::DEFAULT,
        ObjectKind::Group => group::DEFAULT,
        ObjectKind::Device => device::DEFAULT,
        ObjectKind::ServicePrincipal => &["id", "displayName", "servicePrincipalType"],
        ObjectKind::OrgContact => &["id", "displayName", "mail"],
    }
}

/// Whether the type has the property. The names of directory and schema extensions are the tenant's; no other has `_`.
pub fn is_known(kind: ObjectKind, name: &str) -> bool {
    name.contains('_')
        || match kind {
            ObjectKind::User => user::ALL.contains(&name),
            ObjectKind::Group => group::ALL.contains(&name),
            ObjectKind::Device => device::ALL.contains(&name),
            ObjectKind::ServicePrincipal | ObjectKind::OrgContact => default_properties(kind).contains(&name),
        }
}

/// Kept by another workload: selecting one on a collection is answered with 501 (docs/graph.md, «Refusals»).
pub const ELSEWHERE: &[&str] = &[
    "aboutMe",
    "skills",
    "birthday",
    "mySite",
    "hireDate",
    "interests",
    "schools",
    "responsibilities",
    "pastProjects",
    "preferredName",
    "mailboxSettings",
];
