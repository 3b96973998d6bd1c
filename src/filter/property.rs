//! The properties that Microsoft Graph can filter by: for each kind of object the properties, their types, and which
//! operators work by default or only in an advanced query.
//!
//! Sources: the table «Support for filter by properties of directory objects» of
//! <https://learn.microsoft.com/en-us/graph/aad-advanced-queries>, which is `property/graph-filter-support.csv`, and what it
//! leaves open, the resource pages (docs/graph.md, «Filters»). What each type has is in [`crate::directory::TypeSpec`].

mod definition;
mod kind;
mod open;
mod spelling;
mod values;

pub use crate::directory::filterable::{Level, Property, Returned, Shape, Type};
pub use definition::Found;
pub use kind::EntityKind;
pub use open::SECURITY_ATTRIBUTES;
pub(super) use open::numbered;
pub(crate) use spelling::nearest;
pub(super) use values::known_values;

/// Graph combines its conditions with those on no other property. Source: docs/graph.md, «Filters».
pub const SIGN_IN_ACTIVITY: &str = "signInActivity";

/// Why Graph cannot filter by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// It exists, but Graph cannot filter by it. With the reason or what to do instead.
    Unfilterable(&'static str),
    /// It does not exist. With the most similar name, if there is one.
    Unknown { suggestion: Option<String> },
}

/// Looks up a property by name, ignoring case. Extensions and custom security attributes are recognised by their form.
pub fn find(kind: EntityKind, name: &str) -> Result<Found, NotFound> {
    let name = alias(kind, name);
    let found = kind.properties().iter().find(|property| property.name.eq_ignore_ascii_case(name));
    if let Some(property) = found {
        return Ok(Found { name: property.name.to_owned(), property });
    }
    if let Some(found) = open::find(kind, name) {
        return Ok(found);
    }
    let head = name.split('/').next().unwrap_or(name);
    if let Some(advice) = relation(kind, head) {
        return Err(NotFound::Unfilterable(advice));
    }
    if kind.unfilterable().iter().any(|known| known.eq_ignore_ascii_case(head)) {
        return Err(NotFound::Unfilterable("Graph does not support filters on this property"));
    }
    let names = kind.properties().iter().map(|property| property.name);
    Err(NotFound::Unknown { suggestion: nearest(name, names) })
}

/// The same where a collection is expected: a directory extension can have one value or several.
pub fn find_collection(kind: EntityKind, name: &str) -> Result<Found, NotFound> {
    find(kind, name).map(open::of_several)
}

/// Microsoft's table has another name for a property than its resource page. The second is the one that can be selected.
fn alias(kind: EntityKind, name: &str) -> &str {
    match kind {
        EntityKind::Users if name.eq_ignore_ascii_case("certificateUserIds") => "authorizationInfo/certificateUserIds",
        _ => name,
    }
}

/// The property of an element of a collection: `skuId` of `assignedLicenses`.
pub fn find_in(collection: &Property, name: &str) -> Result<Found, NotFound> {
    let Shape::Objects(properties) = collection.shape else { return Err(NotFound::Unknown { suggestion: None }) };
    match properties.iter().find(|property| property.name.eq_ignore_ascii_case(name)) {
        Some(property) => Ok(Found { name: property.name.to_owned(), property }),
        None => Err(NotFound::Unknown { suggestion: nearest(name, properties.iter().map(|property| property.name)) }),
    }
}

/// What to do instead of filtering by a relationship.
fn relation(kind: EntityKind, name: &str) -> Option<&'static str> {
    const SCOPE: &str =
        "it is a relationship; use the `scope` of the filter (`membersOf`, `membersOfFilteredGroups`) instead";
    const RELATIONSHIP: &str = "it is a relationship, and Graph filters only by properties";
    let users = ["memberOf", "transitiveMemberOf"];
    let groups = ["members", "transitiveMembers", "memberOf", "transitiveMemberOf"];
    let others = ["directReports", "ownedDevices", "registeredDevices"];
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match kind {
        EntityKind::Users if is(&users) => Some(SCOPE),
        EntityKind::Users if is(&["manager"]) => Some("it is a relationship; Graph can filter only by `manager/id`"),
        EntityKind::Users if is(&others) => Some(RELATIONSHIP),
        EntityKind::Groups if is(&groups) => Some(SCOPE),
        EntityKind::Devices if is(&users) => Some(SCOPE),
        EntityKind::Devices if is(&["registeredOwners", "registeredUsers"]) => Some(RELATIONSHIP),
        EntityKind::Applications | EntityKind::ServicePrincipals if is(&["owners"]) => Some(RELATIONSHIP),
        EntityKind::Roles if is(&["inheritsPermissionsFrom"]) => Some(RELATIONSHIP),
        EntityKind::AdministrativeUnits if is(&["members"]) => Some(RELATIONSHIP),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
