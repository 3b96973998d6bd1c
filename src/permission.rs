//! What an import needs from Microsoft Graph, as one table. The connection check, the setup commands and the
//! documents use it.
//!
//! A capability needs all of its parts. Any one permission of a part grants that part; the least permission comes
//! first. Only *Application* permissions count: a service without a signed-in user cannot use *Delegated* ones.
//! Source: docs/graph.md, «Permissions», from Microsoft's permissions reference.

pub mod catalog;
mod excess;
pub mod manifest;
pub mod remedy;
pub mod report;

use crate::text_enum::explained;
pub use excess::excess;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

explained! {
    /// Something that an import reads from Graph.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Capability {
        /// Users with their properties.
        Users,
        /// The managers of users.
        Managers,
        /// Groups with their properties.
        Groups,
        /// The direct members of groups.
        Memberships,
        /// Groups that are members of groups.
        NestedGroups,
        /// The owners of groups and devices.
        Owners,
        /// The licences of the tenant, and who has them.
        Licenses,
        /// Devices with their properties.
        Devices,
        /// When users signed in last.
        SignInActivity,
        /// The members of groups that hide them.
        HiddenMemberships,
        /// The application itself: what is granted to it, and when its credentials expire.
        SelfDiagnosis,
        /// App registrations and their credentials.
        Applications,
        /// Enterprise applications and managed identities.
        ServicePrincipals,
        /// Directory roles and who has them.
        Roles,
        /// Administrative units and their members.
        AdministrativeUnits,
        /// Devices that Intune manages.
        IntuneDevices,
        /// The tenant itself.
        Tenants,
        /// The custom security attributes of users.
        SecurityAttributes,
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    pub capability: Capability,
    /// All parts are needed. Any one permission of a part is enough; the least comes first.
    pub parts: &'static [&'static [&'static str]],
    /// A few words, as the subject of a sentence.
    pub title: &'static str,
    /// What the import gets with it.
    pub gives: &'static str,
    /// What Assets lacks without it.
    pub without: &'static str,
}

const USERS: &[&str] = &["User.Read.All", "Directory.Read.All"];
const APPLICATIONS: &[&str] = &["Application.Read.All", "Directory.Read.All"];
const GROUPS: &[&str] = &["GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"];

/// The table, in the order in which people read it.
pub static TABLE: &[Row] = &[
    Row {
        capability: Capability::Users,
        parts: &[USERS],
        title: "Users",
        gives: "All users with their profiles: department, job title, office, account status and more.",
        without: "No users are imported, and so no managers, owners or members.",
    },
    Row {
        capability: Capability::Managers,
        parts: &[USERS],
        title: "Managers",
        gives: "The manager of each user, as a reference.",
        without: "Users are imported without their managers.",
    },
    Row {
        capability: Capability::Groups,
        parts: &[GROUPS],
        title: "Groups",
        gives: "All groups with kind, description and membership rule.",
        without: "No groups are imported.",
    },
    Row {
        capability: Capability::Memberships,
        parts: &[GROUPS],
        title: "Memberships",
        gives: "The members of each group.",
        without: "Users and groups are imported without the memberships between them.",
    },
    Row {
        capability: Capability::NestedGroups,
        parts: &[GROUPS],
        title: "Nested groups",
        gives: "Groups that are members of other groups, at any depth.",
        without: "Members of nested groups are not imported.",
    },
    Row {
        capability: Capability::Owners,
        parts: &[GROUPS],
        title: "Owners",
        gives: "The owners of each group, as references.",
        without: "Groups are imported without their owners.",
    },
    Row {
        capability: Capability::Licenses,
        parts: &[&["LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All"]],
        title: "Licences",
        gives: "The licences of the tenant: how many are bought, used and available.",
        without: "Licences are imported without names and numbers, or not at all.",
    },
    Row {
        capability: Capability::Devices,
        parts: &[&["Device.Read.All", "Directory.Read.All"]],
        title: "Devices",
        gives: "Registered devices with operating system, compliance and owners.",
        without: "No devices are imported.",
    },
    Row {
        capability: Capability::SignInActivity,
        parts: &[&["AuditLog.Read.All"], USERS],
        title: "Sign-in activity",
        gives: "When each user last signed in. The tenant also needs Entra ID P1 or P2.",
        without: "Users are imported without their last sign-in.",
    },
    Row {
        capability: Capability::HiddenMemberships,
        parts: &[&["Member.Read.Hidden"], GROUPS],
        title: "Hidden memberships",
        gives: "The members of groups whose membership is hidden.",
        without: "The members of such groups are unknown. The import never treats such a group as empty.",
    },
    Row {
        capability: Capability::SelfDiagnosis,
        parts: &[&["Application.Read.All", "Directory.Read.All"]],
        title: "Self-diagnosis",
        gives: "The connection check can say exactly why a permission is missing: added as Delegated, without consent, or never \
                added. Only Directory.Read.All shows Delegated grants.",
        without: "The check can tell that a permission is missing, but not always why.",
    },
    Row {
        capability: Capability::Applications,
        parts: &[APPLICATIONS],
        title: "Applications",
        gives: "App registrations with their owners, secrets, certificates and federated credentials, and when these expire.",
        without: "No applications and no application credentials are imported.",
    },
    Row {
        capability: Capability::ServicePrincipals,
        parts: &[APPLICATIONS],
        title: "Service principals",
        gives: "Enterprise applications and managed identities with their owners and SAML certificates.",
        without: "No service principals are imported.",
    },
    Row {
        capability: Capability::Roles,
        parts: &[&["RoleManagement.Read.Directory", "Directory.Read.All"]],
        title: "Roles",
        gives: "Directory roles, and the users, groups and service principals that have them.",
        without: "No directory roles are imported.",
    },
    Row {
        capability: Capability::AdministrativeUnits,
        parts: &[&["AdministrativeUnit.Read.All", "Directory.Read.All"]],
        title: "Administrative units",
        gives: "Administrative units with their members.",
        without: "No administrative units are imported.",
    },
    Row {
        capability: Capability::IntuneDevices,
        parts: &[&["DeviceManagementManagedDevices.Read.All"]],
        title: "Intune devices",
        gives: "Devices that Intune manages, with serial number, compliance, encryption and primary user. It also lets \
                devices of the directory show whether they are compliant and managed.",
        without: "No Intune devices are imported, and Compliant and Managed of devices may stay empty.",
    },
    Row {
        capability: Capability::Tenants,
        parts: &[&["User.Read.All", "Organization.Read.All", "Directory.Read.All"]],
        title: "Tenant",
        gives: "The tenant itself, with its domains.",
        without: "The tenant is not imported as an object.",
    },
    Row {
        capability: Capability::SecurityAttributes,
        parts: &[&["CustomSecAttributeAssignment.Read.All"], USERS],
        title: "Custom security attributes",
        gives: "The custom security attributes of users that a job names.",
        without: "Users are imported without them; what was imported before stays.",
    },
];

impl Capability {
    pub const ALL: [Self; 18] = [
        Self::Users,
        Self::Managers,
        Self::Groups,
        Self::Memberships,
        Self::NestedGroups,
        Self::Owners,
        Self::Licenses,
        Self::Devices,
        Self::SignInActivity,
        Self::HiddenMemberships,
        Self::SelfDiagnosis,
        Self::Applications,
        Self::ServicePrincipals,
        Self::Roles,
        Self::AdministrativeUnits,
        Self::IntuneDevices,
        Self::Tenants,
        Self::SecurityAttributes,
    ];

    /// What a check covers by default: everything that a job imports by default. Managers and owners need no permission
    /// of their own, but the `ReadBasic` permissions do not include them.
    pub const DEFAULT: [Self; 7] = [
        Self::Users,
        Self::Managers,
        Self::Groups,
        Self::Memberships,
        Self::NestedGroups,
        Self::Owners,
        Self::Licenses,
    ];

    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Managers => "managers",
            Self::Groups => "groups",
            Self::Memberships => "memberships",
            Self::NestedGroups => "nestedGroups",
            Self::Owners => "owners",
            Self::Licenses => "licenses",
            Self::Devices => "devices",
            Self::SignInActivity => "signInActivity",
            Self::HiddenMemberships => "hiddenMemberships",
            Self::SelfDiagnosis => "selfDiagnosis",
            Self::Applications => "applications",
            Self::ServicePrincipals => "servicePrincipals",
            Self::Roles => "roles",
            Self::AdministrativeUnits => "administrativeUnits",
            Self::IntuneDevices => "intuneDevices",
            Self::Tenants => "tenants",
            Self::SecurityAttributes => "securityAttributes",
        }
    }

    /// Its row of the table, which has a row for each capability.
    pub fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.capability == self).unwrap_or(&TABLE[0])
    }

    /// The least permissions that grant it: one for each part.
    pub fn least(self) -> impl Iterator<Item = &'static str> {
        self.row().parts.iter().filter_map(|part| part.first().copied())
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a capability.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a capability; GET /v1/capabilities lists all of them")]
pub struct UnknownCapability(pub String);

impl FromStr for Capability {
    type Err = UnknownCapability;
    fn from_str(text: &str) -> Result<Self, UnknownCapability> {
        Self::ALL.into_iter().find(|c| c.as_str() == text).ok_or_else(|| UnknownCapability(text.to_owned()))
    }
}

/// What the permissions of a token allow of one capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The permissions that grant it, one of each part.
    Granted(Vec<String>),
    /// It works only with basic properties, by these permissions.
    Limited(Vec<String>),
    /// The least permission of each part that no permission grants.
    Missing(Vec<&'static str>),
}

/// Decides about one capability; `granted` are *Application* permissions.
pub fn standing<S: AsRef<str>>(capability: Capability, granted: &[S]) -> Standing {
    let (mut by, mut basic, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for part in capability.row().parts {
        if let Some(permission) = find(part, granted, full_forms) {
            by.push(permission);
        } else if let Some(permission) = find(part, granted, |name| vec![basic_twin(name)]) {
            basic.push(permission);
        } else {
            missing.extend(part.first().copied());
        }
    }
    if !missing.is_empty() {
        Standing::Missing(missing)
    } else if !basic.is_empty() {
        Standing::Limited(basic)
    } else {
        Standing::Granted(by)
    }
}

/// The first of a part's permissions, in one of its forms, that is granted.
fn find<S: AsRef<str>>(part: &[&str], granted: &[S], forms: impl Fn(&str) -> Vec<String>) -> Option<String> {
    let has = |form: &String| granted.iter().any(|g| g.as_ref().eq_ignore_ascii_case(form));
    part.iter().flat_map(|name| forms(name)).find(has)
}

/// The parts of a capability that no permission grants in full; `granted` are *Application* permissions.
pub fn missing_parts<'g, S: AsRef<str>>(
    capability: Capability,
    granted: &'g [S],
) -> impl Iterator<Item = &'static [&'static str]> + 'g {
    let parts = capability.row().parts.iter().copied();
    parts.filter(|part| find(part, granted, full_forms).is_none())
}

/// Whether a permission of this name would grant the part in full.
pub fn grants(name: &str, part: &[&str]) -> bool {
    find(part, &[name], full_forms).is_some()
}

/// A permission and its `ReadWrite` twin, which includes it.
fn full_forms(name: &str) -> Vec<String> {
    vec![name.to_owned(), write_twin(name)]
}

/// `User.Read.All` → `User.ReadWrite.All`.
fn write_twin(name: &str) -> String {
    name.replacen(".Read.", ".ReadWrite.", 1)
}

/// `User.Read.All` → `User.ReadBasic.All`.
fn basic_twin(name: &str) -> String {
    name.replacen(".Read.", ".ReadBasic.", 1)
}

/// «A», «A and B», «A, B and C».
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// A permission with both ids, as `GET /v1/capabilities` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionIds {
    pub name: String,
    /// The id to add: type `Role` in a manifest.
    pub application_id: Option<Uuid>,
    /// The id of the Delegated permission of the same name, which does not work here: type `Scope` in a manifest.
    pub delegated_id: Option<Uuid>,
}

/// One capability as `GET /v1/capabilities` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityDescription {
    pub capability: Capability,
    pub title: String,
    /// Whether a check covers it by default.
    pub checked_by_default: bool,
    /// What the import gets with it.
    pub gives: String,
    /// What the import lacks without it.
    pub without: String,
    /// All parts are needed. Any one permission of a part is enough; the least comes first.
    pub all_of: Vec<AnyOf>,
}

/// Permissions of which one is enough; the least comes first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnyOf {
    /// The permissions, by the name of Microsoft Graph with their ids.
    pub any_of: Vec<PermissionIds>,
}

/// The table as data.
pub fn describe() -> Vec<CapabilityDescription> {
    let part = |part: &&[&str]| AnyOf { any_of: part.iter().map(|name| permission_ids(name)).collect() };
    let row = |row: &Row| CapabilityDescription {
        capability: row.capability,
        title: row.title.to_owned(),
        checked_by_default: Capability::DEFAULT.contains(&row.capability),
        gives: row.gives.to_owned(),
        without: row.without.to_owned(),
        all_of: row.parts.iter().map(part).collect(),
    };
    TABLE.iter().map(row).collect()
}

fn permission_ids(name: &str) -> PermissionIds {
    PermissionIds {
        name: name.to_owned(),
        application_id: catalog::id(name, catalog::PermissionKind::Application),
        delegated_id: catalog::id(name, catalog::PermissionKind::Delegated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_a_row_and_every_permission_an_application_id() {
        for capability in Capability::ALL {
            assert_eq!(capability.row().capability, capability);
            assert_eq!(serde_json::to_value(capability).unwrap(), capability.as_str());
            assert_eq!(capability.as_str().parse::<Capability>().unwrap(), capability);
            for name in capability.row().parts.iter().flat_map(|part| part.iter()) {
                assert!(catalog::id(name, catalog::PermissionKind::Application).is_some(), "{name}");
            }
        }
    }

    /// Every capability with exactly, less and more than what it needs.
    #[test]
    fn every_capability_is_judged_by_exactly_less_and_more() {
        for capability in Capability::ALL {
            let exactly: Vec<&str> = capability.least().collect();
            assert_eq!(
                standing(capability, &exactly),
                Standing::Granted(exactly.iter().map(|s| (*s).to_owned()).collect())
            );
            for leave_out in 0..exactly.len() {
                let mut less = exactly.clone();
                let missing = less.remove(leave_out);
                assert_eq!(standing(capability, &less), Standing::Missing(vec![missing]), "{capability}");
            }
            let more: Vec<String> = exactly.iter().map(|name| write_twin(name)).collect();
            assert_eq!(standing(capability, &more), Standing::Granted(more.clone()), "{capability}");
            let foreign = ["Calendars.Read", "Domain.Read.All", "Policy.Read.All"];
            assert!(matches!(standing(capability, &foreign), Standing::Missing(_)), "{capability}");
        }
    }

    #[test]
    fn every_alternative_grants() {
        for capability in Capability::ALL {
            let parts = capability.row().parts;
            for alternative in parts[0] {
                let mut granted = vec![*alternative];
                granted.extend(parts.iter().skip(1).map(|part| part[0]));
                assert!(
                    matches!(standing(capability, &granted), Standing::Granted(_)),
                    "{capability} by {alternative}"
                );
            }
        }
    }

    #[test]
    fn basic_permissions_are_limited_and_named() {
        for (capability, basic) in [
            (Capability::Users, "User.ReadBasic.All"),
            (Capability::Groups, "Group.ReadBasic.All"),
            (Capability::Memberships, "GroupMember.ReadBasic.All"),
        ] {
            assert_eq!(standing(capability, &[basic]), Standing::Limited(vec![basic.to_owned()]));
        }
    }
}
