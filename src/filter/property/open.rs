//! Properties whose names a tenant makes: extension attributes, directory extensions, schema extensions, custom security
//! attributes. They are recognised by their form.

use super::definition::Found;
use super::kind::EntityKind;
use crate::directory::filterable::{Property, table};

/// The property that holds the custom security attributes of a user: `customSecurityAttributes/{set}/{attribute}`.
pub const SECURITY_ATTRIBUTES: &str = "customSecurityAttributes";

pub(super) fn find(kind: EntityKind, name: &str) -> Option<Found> {
    // Nobody can extend roles.
    if kind == EntityKind::Roles {
        return None;
    }
    let found = match name.split_once('/') {
        None => directory_extension(name).map(|name| (name, &table::DIRECTORY_EXTENSION)),
        Some((holder, rest)) => attribute(kind, holder, rest)
            .map(|name| (name, &table::ATTRIBUTE))
            .or_else(|| security_attribute(kind, holder, rest).map(|name| (name, &table::SECURITY_ATTRIBUTE)))
            .or_else(|| schema_extension(holder, rest).map(|name| (name, &table::SCHEMA_EXTENSION))),
    };
    found.map(|(name, property)| Found { name, property })
}

/// A directory extension as a collection; everything else as it is.
pub(super) fn of_several(found: Found) -> Found {
    match found.name.starts_with("extension_") {
        true => Found { property: &table::DIRECTORY_EXTENSION_OF_SEVERAL, ..found },
        false => found,
    }
}

/// `onPremisesExtensionAttributes/extensionAttribute1` to `15`, of devices `extensionAttributes/…`.
fn attribute(kind: EntityKind, holder: &str, name: &str) -> Option<String> {
    let known = match kind {
        EntityKind::Users => "onPremisesExtensionAttributes",
        EntityKind::Devices => "extensionAttributes",
        _ => return None,
    };
    let number = strip_prefix_ignore_case(name, "extensionAttribute").filter(|_| holder.eq_ignore_ascii_case(known))?;
    let parsed: u8 = number.parse().ok().filter(|n| (1..=15).contains(n) && !number.starts_with(['0', '+']))?;
    Some(format!("{known}/extensionAttribute{parsed}"))
}

/// The attributes whose names are known beforehand: those with numbers.
pub(in crate::filter) fn numbered(kind: EntityKind) -> impl Iterator<Item = (String, &'static Property)> {
    let holder = match kind {
        EntityKind::Users => Some("onPremisesExtensionAttributes"),
        EntityKind::Devices => Some("extensionAttributes"),
        _ => None,
    };
    holder.into_iter().flat_map(|holder| {
        (1..=15).map(move |number| (format!("{holder}/extensionAttribute{number}"), &table::ATTRIBUTE))
    })
}

/// `extension_` + the application's id without hyphens + `_` + a name.
fn directory_extension(name: &str) -> Option<String> {
    let rest = strip_prefix_ignore_case(name, "extension_")?;
    let (application, own) = rest.split_once('_')?;
    let is_id = application.len() == 32 && application.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && is_name(own)).then(|| format!("extension_{application}_{own}"))
}

/// `ext` + eight letters or digits + `_` + a name, then `/` and a field. A schema that is named after a verified domain
/// looks the same without `ext…`: `contoso_courses/courseId`.
fn schema_extension(schema: &str, field: &str) -> Option<String> {
    let (owner, own) = schema.split_once('_')?;
    let is_owner = !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_owner && owner != "extension" && is_name(own) && is_name(field)).then(|| format!("{schema}/{field}"))
}

/// `customSecurityAttributes/{set}/{attribute}`; both are names of the tenant, with their case.
fn security_attribute(kind: EntityKind, holder: &str, rest: &str) -> Option<String> {
    let (set, attribute) = rest.split_once('/')?;
    let fits = kind == EntityKind::Users
        && holder.eq_ignore_ascii_case(SECURITY_ATTRIBUTES)
        && [set, attribute].iter().all(|name| is_name(name));
    fits.then(|| format!("{SECURITY_ATTRIBUTES}/{set}/{attribute}"))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn strip_prefix_ignore_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}
