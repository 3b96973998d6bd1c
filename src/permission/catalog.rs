//! Every Microsoft Graph permission of the public cloud with its ids.
//!
//! Source: microsoftgraph/microsoft-graph-devx-content, `permissions/new/provisioningInfo.json` (MIT), see
//! `NOTICE`. That export leaves some permissions out; `graph-permissions-more.csv` adds the ones that matter
//! here, from Microsoft's permissions reference (docs/graph.md, «Permission ids»). The same name has
//! one id as *Application* and another as *Delegated* permission, so an id alone nearly always tells which of the two it is.

use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::{Uuid, uuid};

/// The application id of Microsoft Graph in every tenant of every cloud.
pub const MICROSOFT_GRAPH: Uuid = uuid!("00000003-0000-0000-c000-000000000000");
/// The application id of Azure AD Graph, which Microsoft has shut down. Its permissions have the same names.
pub const AZURE_AD_GRAPH: Uuid = uuid!("00000002-0000-0000-c000-000000000000");

/// What the portal calls «Type».
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// For a service without a signed-in user: app role, type `Role`.
    Application,
    /// For an app that acts for a signed-in user: scope, type `Scope`.
    Delegated,
}

impl Kind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Delegated => "Delegated",
        }
    }
}

struct Catalog {
    by_name: HashMap<(String, Kind), Uuid>,
    by_id: HashMap<Uuid, Vec<(&'static str, Kind)>>,
}

const FILES: [&str; 2] = [include_str!("graph-permissions.csv"), include_str!("graph-permissions-more.csv")];

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let mut catalog = Catalog { by_name: HashMap::new(), by_id: HashMap::new() };
    for line in FILES.iter().flat_map(|file| file.lines().skip(1)) {
        let mut cells = line.split(',').map(str::trim);
        let (Some(name), Some(kind), Some(Ok(id))) = (cells.next(), cells.next(), cells.next().map(Uuid::parse_str))
        else {
            continue;
        };
        let kind = match kind {
            "Application" => Kind::Application,
            "Delegated" => Kind::Delegated,
            _ => continue,
        };
        catalog.by_name.insert((name.to_ascii_lowercase(), kind), id);
        catalog.by_id.entry(id).or_default().push((name, kind));
    }
    catalog
});

/// The id of a permission, whatever the case of its letters.
pub fn id(name: &str, kind: Kind) -> Option<Uuid> {
    CATALOG.by_name.get(&(name.to_ascii_lowercase(), kind)).copied()
}

/// The names and kinds of an id: one, but for a few that are both.
pub fn names(id: Uuid) -> &'static [(&'static str, Kind)] {
    CATALOG.by_id.get(&id).map_or(&[], Vec::as_slice)
}

/// The name of an id as a permission of one kind.
pub fn name(id: Uuid, kind: Kind) -> Option<&'static str> {
    names(id).iter().find(|(_, k)| *k == kind).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_with_an_id_is_read_once() {
        let lines = FILES.iter().flat_map(|file| file.lines().skip(1));
        let with_id = lines.filter(|line| line.rsplit(',').next().is_some_and(|id| !id.is_empty())).count();
        assert_eq!(CATALOG.by_id.values().map(Vec::len).sum::<usize>(), with_id);
        assert_eq!(CATALOG.by_name.len(), with_id);
    }

    /// Microsoft's documentation names these: docs/graph.md, «Permission ids».
    #[test]
    fn documented_ids_are_found_both_ways() {
        let role = uuid!("df021288-bdef-4463-88db-98f22de89214");
        let scope = uuid!("a154be20-db9c-4678-8ab7-66f6cc099a59");
        assert_eq!(id("user.read.all", Kind::Application), Some(role));
        assert_eq!(id("User.Read.All", Kind::Delegated), Some(scope));
        assert_eq!(names(scope), [("User.Read.All", Kind::Delegated)]);
        assert_eq!(id("User.Read", Kind::Application), None);
        assert!(names(Uuid::nil()).is_empty());
    }
}
