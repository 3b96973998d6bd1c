//! The kinds of objects that a filter can select.

use super::definition::Property;
use super::table;
use crate::text_enum::explained;
use serde::{Deserialize, Serialize};

explained! {
    /// The collection that a filter text applies to.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum EntityKind {
        /// Users.
        Users,
        /// Groups.
        Groups,
        /// Devices.
        Devices,
    }
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
    pub(super) fn unfilterable(self) -> &'static [&'static str] {
        match self {
            EntityKind::Users => table::USERS_UNFILTERABLE,
            EntityKind::Groups => table::GROUPS_UNFILTERABLE,
            EntityKind::Devices => table::DEVICES_UNFILTERABLE,
        }
    }
}
