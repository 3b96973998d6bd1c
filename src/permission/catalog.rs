//! Every Microsoft Graph permission of the public cloud with its ids.
//!
//! Source: the export of Graph's own service principal in merill/microsoft-info (August 2026), completed by
//! `permissions/new/provisioningInfo.json` of microsoftgraph/microsoft-graph-devx-content, see `NOTICE`.
//!
//! A name has one id as an *Application* permission and another as a *Delegated* permission, so the id alone nearly
//! always says which of the two it is.

use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::{Uuid, uuid};

/// The application id of Microsoft Graph in every tenant of every cloud.
pub const MICROSOFT_GRAPH: Uuid = uuid!("00000003-0000-0000-c000-000000000000");
/// The application id of Azure AD Graph, which Microsoft has shut down. Its permissions have the same names.
pub const AZURE_AD_GRAPH: Uuid = uuid!("00000002-0000-0000-c000-000000000000");

/// What the portal calls «Type».
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
pub enum PermissionKind {
    /// For a service without a signed-in user: app role, type `Role`.
    Application,
    /// For an app that acts for a signed-in user: scope, type `Scope`.
    Delegated,
}

impl PermissionKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Delegated => "Delegated",
        }
    }
}

#[derive(Deserialize)]
struct Row {
    name: String,
    kind: PermissionKind,
    id: Uuid,
}

struct Catalog {
    by_name: HashMap<(String, PermissionKind), Uuid>,
    by_id: HashMap<Uuid, Vec<(String, PermissionKind)>>,
}

const FILE: &str = include_str!("graph-permissions.csv");

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let mut catalog = Catalog { by_name: HashMap::new(), by_id: HashMap::new() };
    // A test counts the rows, so no unreadable row is skipped in silence.
    for row in csv::Reader::from_reader(FILE.as_bytes()).into_deserialize::<Row>().filter_map(Result::ok) {
        catalog.by_name.insert((row.name.to_ascii_lowercase(), row.kind), row.id);
        catalog.by_id.entry(row.id).or_default().push((row.name, row.kind));
    }
    catalog
});

/// The id of a permission; the case of its letters does not matter.
pub fn id(name: &str, kind: PermissionKind) -> Option<Uuid> {
    CATALOG.by_name.get(&(name.to_ascii_lowercase(), kind)).copied()
}

/// The names and kinds of an id: usually one; `User.Export.All` has the same id as both kinds.
pub fn names(id: Uuid) -> &'static [(String, PermissionKind)] {
    CATALOG.by_id.get(&id).map_or(&[], Vec::as_slice)
}

/// The name of an id as a permission of one kind.
pub fn name(id: Uuid, kind: PermissionKind) -> Option<&'static str> {
    names(id).iter().find(|(_, k)| *k == kind).map(|(name, _)| name.as_str())
}

/// Every name of one kind, sorted.
#[cfg(test)]
pub fn all(kind: PermissionKind) -> Vec<&'static str> {
    let entries = CATALOG.by_id.values().flatten().filter(|(_, k)| *k == kind);
    let mut names: Vec<&str> = entries.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_every_permission_of_both_kinds() {
        let of = |kind| CATALOG.by_name.keys().filter(|(_, k)| *k == kind).count();
        assert_eq!((of(PermissionKind::Application), of(PermissionKind::Delegated)), (761, 810));
        assert_eq!(FILE.lines().count(), 1 + 761 + 810);
        assert_eq!(CATALOG.by_id.values().map(Vec::len).sum::<usize>(), 761 + 810);
    }

    /// Microsoft's permissions reference has these ids.
    #[test]
    fn documented_ids_are_found_both_ways() {
        let role = uuid!("df021288-bdef-4463-88db-98f22de89214");
        let scope = uuid!("a154be20-db9c-4678-8ab7-66f6cc099a59");
        assert_eq!(id("user.read.all", PermissionKind::Application), Some(role));
        assert_eq!(id("User.Read.All", PermissionKind::Delegated), Some(scope));
        assert_eq!(names(scope), [("User.Read.All".to_owned(), PermissionKind::Delegated)]);
        assert_eq!(id("User.Read", PermissionKind::Application), None);
        assert!(names(Uuid::nil()).is_empty());
    }
}
