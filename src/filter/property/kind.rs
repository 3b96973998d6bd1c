//! The kinds of objects that a filter can select.

use crate::directory::ObjectType;
use crate::directory::filterable::Property;
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
        /// App registrations.
        Applications,
        /// Enterprise applications and managed identities.
        ServicePrincipals,
        /// Directory roles.
        Roles,
        /// Administrative units.
        AdministrativeUnits,
    }
}

impl EntityKind {
    pub const ALL: [EntityKind; 7] = [
        EntityKind::Users,
        EntityKind::Groups,
        EntityKind::Devices,
        EntityKind::Applications,
        EntityKind::ServicePrincipals,
        EntityKind::Roles,
        EntityKind::AdministrativeUnits,
    ];
    /// Those that a filter without a condition on them is about too: every preview counts them.
    pub const USUAL: [EntityKind; 3] = [EntityKind::Users, EntityKind::Groups, EntityKind::Devices];

    pub const fn object_type(self) -> ObjectType {
        match self {
            Self::Users => ObjectType::Users,
            Self::Groups => ObjectType::Groups,
            Self::Devices => ObjectType::Devices,
            Self::Applications => ObjectType::Applications,
            Self::ServicePrincipals => ObjectType::ServicePrincipals,
            Self::Roles => ObjectType::Roles,
            Self::AdministrativeUnits => ObjectType::AdministrativeUnits,
        }
    }

    /// Its name in the API: `users`.
    pub fn as_str(self) -> &'static str {
        self.object_type().as_str()
    }

    /// Where Graph lists the objects.
    pub const fn path(self) -> &'static str {
        self.object_type().spec().collection.path
    }

    /// The properties that Graph can filter this collection by.
    pub fn properties(self) -> &'static [Property] {
        self.object_type().spec().filter.map_or(&[], |filter| filter.properties)
    }

    /// Whether Graph takes advanced queries of this collection, and counts it.
    pub fn has_advanced_queries(self) -> bool {
        self.object_type().spec().filter.is_some_and(|filter| filter.advanced)
    }

    /// Properties that exist and that Graph cannot filter by.
    pub(super) fn unfilterable(self) -> &'static [&'static str] {
        self.object_type().spec().filter.map_or(&[], |filter| filter.unfilterable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_a_type_that_declares_what_it_can_be_filtered_by() {
        let declared = ObjectType::ALL.into_iter().filter(|object_type| object_type.spec().filter.is_some());
        let declared: Vec<ObjectType> = declared.collect();
        assert_eq!(EntityKind::ALL.map(EntityKind::object_type), declared[..]);
        for kind in EntityKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
