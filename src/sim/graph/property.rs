//! The properties of directory objects, computed when they are asked for, and how they are written as JSON.
//! Names and types: the v1.0 metadata; docs/graph.md, «Properties».

mod device;
mod group;
mod user;

use crate::sim::seed::{Directory, Kind, Ref, time};
pub use group::BASIC as BASIC_GROUP;
use serde_json::Value;
use std::borrow::Cow;
pub use user::BASIC as BASIC_USER;
pub use user::principal_name;
use uuid::Uuid;

/// The value of one property.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// Not in the answer at all.
    Missing,
    Null,
    Bool(bool),
    Int(i64),
    Str(Cow<'a, str>),
    Guid(Uuid),
    /// Seconds since 1970.
    Time(i64),
    List(Vec<Val<'a>>),
    Object(Vec<(&'static str, Val<'a>)>),
    /// Set by a test.
    Json(&'a Value),
}

impl<'a> Val<'a> {
    pub fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Str(text.into())
    }

    pub fn strings<const N: usize>(texts: [&'a str; N]) -> Self {
        Self::List(texts.into_iter().map(Val::str).collect())
    }
}

/// The value of a property of a live object; `Missing` for a name that the type does not have.
pub fn property<'a>(directory: &'a Directory, object: Ref, name: &str) -> Val<'a> {
    let slot = object.slot() as usize;
    let set = |extra: &'a Option<Box<serde_json::Map<String, Value>>>| extra.as_ref().and_then(|e| e.get(name));
    match object.kind() {
        Kind::User => directory.users.get(slot).map_or(Val::Missing, |user| match set(&user.extra) {
            Some(value) => Val::Json(value),
            None => user::property(directory, user, name),
        }),
        Kind::Group => directory.groups.get(slot).map_or(Val::Missing, |group| match set(&group.extra) {
            Some(value) => Val::Json(value),
            None => group::property(group, name),
        }),
        Kind::Device => directory.devices.get(slot).map_or(Val::Missing, |device| match set(&device.extra) {
            Some(value) => Val::Json(value),
            None => device::property(device, name),
        }),
        Kind::ServicePrincipal => directory.service_principals.get(slot).map_or(Val::Missing, |other| match name {
            "id" => Val::Guid(other.id),
            "displayName" => Val::str(&other.name),
            "servicePrincipalType" => Val::str("Application"),
            _ => Val::Missing,
        }),
        Kind::OrgContact => directory.contacts.get(slot).map_or(Val::Missing, |other| match name {
            "id" => Val::Guid(other.id),
            "displayName" => Val::str(&other.name),
            "mail" => Val::str("desk@supplier.example"),
            _ => Val::Missing,
        }),
    }
}

/// What comes without `$select`.
pub fn default_properties(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => user::DEFAULT,
        Kind::Group => group::DEFAULT,
        Kind::Device => device::DEFAULT,
        Kind::ServicePrincipal => &["id", "displayName", "servicePrincipalType"],
        Kind::OrgContact => &["id", "displayName", "mail"],
    }
}

/// Whether the type has the property; directory extensions are open.
pub fn is_known(kind: Kind, name: &str) -> bool {
    name.starts_with("extension_")
        || match kind {
            Kind::User => user::ALL.contains(&name),
            Kind::Group => group::ALL.contains(&name),
            Kind::Device => device::ALL.contains(&name),
            Kind::ServicePrincipal | Kind::OrgContact => default_properties(kind).contains(&name),
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

/// Appends `"name":value`, with a comma before it unless the object has just begun. Nothing for `Missing`.
pub fn write_member(out: &mut Vec<u8>, name: &str, value: &Val<'_>) {
    if matches!(value, Val::Missing) {
        return;
    }
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write(out, value);
}

pub fn write(out: &mut Vec<u8>, value: &Val<'_>) {
    match value {
        Val::Missing | Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Val::Str(text) => write_str(out, text),
        Val::Guid(id) => write_guid(out, *id),
        Val::Time(seconds) => {
            out.push(b'"');
            out.extend_from_slice(print_time(*seconds).as_bytes());
            out.push(b'"');
        }
        Val::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Val::Object(members) => {
            out.push(b'{');
            for (name, value) in members {
                write_member(out, name, value);
            }
            out.push(b'}');
        }
        Val::Json(value) => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

pub fn write_guid(out: &mut Vec<u8>, id: Uuid) {
    let mut text = [0; 36];
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
}

/// RFC 3339 in whole seconds, UTC.
pub fn print_time(seconds: i64) -> String {
    time(seconds).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
