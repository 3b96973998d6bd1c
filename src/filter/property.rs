//! The properties that Microsoft Graph can filter by: for each kind of object the properties, their types, and which
//! operators work by default or only in an advanced query.
//!
//! Sources: <https://learn.microsoft.com/en-us/graph/aad-advanced-queries> (the table «Support for filter by
//! properties of directory objects»), the resource pages of user, group and device, and docs/graph.md, «Filters». Where
//! they differ, or do not mention a default, the operator counts as advanced: an advanced query supports everything that a default one does.

use serde::{Deserialize, Serialize};

mod definition;
mod table;

pub use definition::{Level, Property, Shape, Type};

/// The collection that a filter text applies to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EntityKind {
    Users,
    Groups,
    Devices,
}

impl EntityKind {
    pub const ALL: [EntityKind; 3] = [EntityKind::Users, EntityKind::Groups, EntityKind::Devices];

    /// The name of the collection in the API and in Graph: `users`.
    pub fn as_str(self) -> &'static str {
        match self {
            EntityKind::Users => "users",
            EntityKind::Groups => "groups",
            EntityKind::Devices => "devices",
        }
    }

    /// The properties that Graph can filter this collection by.
    pub fn properties(self) -> &'static [Property] {
        match self {
            EntityKind::Users => table::USERS,
            EntityKind::Groups => table::GROUPS,
            EntityKind::Devices => table::DEVICES,
        }
    }

    /// Properties that exist and that Graph cannot filter by.
    fn unfilterable(self) -> &'static [&'static str] {
        match self {
            EntityKind::Users => table::USERS_UNFILTERABLE,
            EntityKind::Groups => table::GROUPS_UNFILTERABLE,
            EntityKind::Devices => table::DEVICES_UNFILTERABLE,
        }
    }
}

/// A property found by name, with the name as Graph spells it.
#[derive(Clone, Debug)]
pub struct Found {
    pub name: String,
    pub property: &'static Property,
}

/// Why Graph cannot filter by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// It exists, but Graph cannot filter by it. With the reason or what to do instead.
    Unfilterable(&'static str),
    /// It does not exist. With the most similar name, if there is one.
    Unknown { suggestion: Option<String> },
}

/// Looks up a property by name, ignoring case. Extension attributes are recognised by their form.
pub fn find(kind: EntityKind, name: &str) -> Result<Found, NotFound> {
    let found = kind.properties().iter().find(|property| property.name.eq_ignore_ascii_case(name));
    if let Some(property) = found {
        return Ok(Found { name: property.name.to_owned(), property });
    }
    if let Some(found) = extension(kind, name) {
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

/// The property of an element of a collection: `skuId` of `assignedLicenses`.
pub fn find_in(collection: &Property, name: &str) -> Result<Found, NotFound> {
    let Shape::Objects(properties) = collection.shape else { return Err(NotFound::Unknown { suggestion: None }) };
    match properties.iter().find(|property| property.name.eq_ignore_ascii_case(name)) {
        Some(property) => Ok(Found { name: property.name.to_owned(), property }),
        None => Err(NotFound::Unknown { suggestion: nearest(name, properties.iter().map(|property| property.name)) }),
    }
}

/// `onPremisesExtensionAttributes/extensionAttribute1` to `15`, and directory extensions, which are named
/// `extension_` + the application's id without dashes + `_` + a name.
fn extension(kind: EntityKind, name: &str) -> Option<Found> {
    let holder = match kind {
        EntityKind::Users => Some("onPremisesExtensionAttributes"),
        EntityKind::Devices => Some("extensionAttributes"),
        EntityKind::Groups => None,
    };
    if let (Some(holder), Some((head, tail))) = (holder, name.split_once('/'))
        && head.eq_ignore_ascii_case(holder)
    {
        let number = strip_prefix_ignore_case(tail, "extensionAttribute")?;
        let number: u8 = number.parse().ok().filter(|n| (1..=15).contains(n) && !number.starts_with(['0', '+']))?;
        return Some(Found { name: format!("{holder}/extensionAttribute{number}"), property: &table::ATTRIBUTE });
    }
    let rest = strip_prefix_ignore_case(name, "extension_")?;
    let (application, own) = rest.split_once('_')?;
    let is_id = application.len() == 32 && application.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_name = !own.is_empty() && own.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (is_id && is_name)
        .then(|| Found { name: format!("extension_{application}_{own}"), property: &table::DIRECTORY_EXTENSION })
}

fn strip_prefix_ignore_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// What to do instead of filtering by a relationship.
fn relation(kind: EntityKind, name: &str) -> Option<&'static str> {
    const SCOPE: &str =
        "it is a relationship; use the `scope` of the filter (`membersOf`, `membersOfFilteredGroups`) instead";
    let users = ["memberOf", "transitiveMemberOf"];
    let groups = ["members", "transitiveMembers", "memberOf", "transitiveMemberOf"];
    let others = ["manager", "directReports", "ownedDevices", "registeredDevices", "ownedObjects", "licenseDetails"];
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match kind {
        EntityKind::Users if is(&users) => Some(SCOPE),
        EntityKind::Users if is(&others) => Some("it is a relationship, and Graph filters only by properties"),
        EntityKind::Groups if is(&groups) => Some(SCOPE),
        EntityKind::Devices if is(&users) => Some(SCOPE),
        EntityKind::Devices if is(&["registeredOwners", "registeredUsers"]) => {
            Some("it is a relationship, and Graph filters only by properties")
        }
        _ => None,
    }
}

/// The most similar candidate: it differs in few letters, or starts with the wrong name.
pub(crate) fn nearest<'c>(wrong: &str, candidates: impl Iterator<Item = &'c str>) -> Option<String> {
    let wrong = wrong.to_lowercase();
    if wrong.chars().count() > 64 {
        return None;
    }
    let allowed = (wrong.chars().count() / 3).clamp(1, 3);
    let far = |candidate: &str| match wrong.len() >= 3 && candidate.starts_with(&wrong) {
        true => allowed,
        false => distance(&wrong, candidate),
    };
    candidates
        .map(|candidate| (far(&candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whatever_its_case() {
        assert_eq!(find(EntityKind::Users, "DISPLAYNAME").unwrap().name, "displayName");
        let found = find(EntityKind::Users, "onpremisesextensionattributes/EXTENSIONATTRIBUTE7").unwrap();
        assert_eq!(found.name, "onPremisesExtensionAttributes/extensionAttribute7");
    }

    #[test]
    fn a_misspelt_name_suggests_the_most_similar_one() {
        let suggestion = |name| match find(EntityKind::Users, name) {
            Err(NotFound::Unknown { suggestion }) => suggestion,
            other => panic!("{other:?}"),
        };
        assert_eq!(suggestion("departmnet").as_deref(), Some("department"));
        assert_eq!(suggestion("acountEnabled").as_deref(), Some("accountEnabled"));
        assert_eq!(suggestion("shoeSize"), None);
    }

    #[test]
    fn extension_attributes_are_known_by_their_form() {
        let good = format!("extension_{}_costCentre", "0a".repeat(16));
        assert_eq!(find(EntityKind::Users, &good).unwrap().name, good);
        for bad in ["extension_short_x", "extension_", "onPremisesExtensionAttributes/extensionAttribute16"] {
            assert!(find(EntityKind::Users, bad).is_err(), "{bad}");
        }
        assert!(find(EntityKind::Users, "onPremisesExtensionAttributes/extensionAttribute0").is_err());
    }

    #[test]
    fn names_are_unique_in_each_table() {
        for kind in EntityKind::ALL {
            let mut seen = std::collections::HashSet::new();
            for property in kind.properties() {
                assert!(seen.insert(property.name.to_lowercase()), "{} twice in {kind:?}", property.name);
            }
            for name in kind.unfilterable() {
                assert!(seen.insert(name.to_lowercase()), "{name} is both filterable and not in {kind:?}");
            }
        }
    }

    #[test]
    fn swaps_count_once() {
        assert_eq!(distance("departmnet", "department"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
