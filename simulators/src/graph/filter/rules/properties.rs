//! The properties that a filter can name, and their types.

use crate::graph::property::is_known;
use crate::seed::ObjectKind;

/// What a property can be compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Text,
    Bool,
    Time,
    Int,
    Collection,
    /// The tenant chose the type, or whether it is a collection.
    Open,
}

/// The operators that need no advanced query, where Microsoft's table says nothing: a letter each. `e` eq, `i` in, `g` ge
/// and le, `s` startsWith.
pub struct Rule {
    pub default: &'static str,
    pub kind: Type,
}

pub fn rule(kind: ObjectKind, path: &[String]) -> Option<Rule> {
    let [first, rest @ ..] = path else { return None };
    let name = first.as_str();
    let make = |default, kind| Some(Rule { default, kind });
    if let [part] = rest {
        return match (name, part.as_str()) {
            ("employeeOrgData" | "onPremisesExtensionAttributes" | "extensionAttributes" | "manager", _) => {
                make("", Type::Text)
            }
            ("createdOnBehalfOf", "id") => make("", Type::Text),
            ("signInActivity", _) => make("eg", Type::Time),
            ("authorizationInfo", "certificateUserIds") => make("", Type::Collection),
            ("cloudRealtimeCommunicationInfo" | "onPremisesSipInfo" | "passwordProfile", _) => make("", Type::Bool),
            // A schema extension.
            _ if name.contains('_') => make("", Type::Open),
            _ => None,
        };
    }
    if rest.len() > 1 {
        return if name == "customSecurityAttributes" && rest.len() == 2 { make("", Type::Open) } else { None };
    }
    if name.starts_with("extension_") {
        return make("", Type::Open);
    }
    match kind {
        ObjectKind::User => match name {
            "id" => make("ei", Type::Text),
            "accountEnabled" => make("ei", Type::Bool),
            "onPremisesSyncEnabled" => make("e", Type::Bool),
            "isResourceAccount" | "showInAddressList" | "isManagementRestricted" | "isLicenseReconciliationNeeded" => {
                make("", Type::Bool)
            }
            "createdDateTime" => make("eig", Type::Time),
            "displayName" | "department" | "city" | "state" | "country" | "surname" | "givenName" | "jobTitle"
            | "mailNickname" | "mail" | "userPrincipalName" | "employeeId" | "usageLocation" => {
                make("eigs", Type::Text)
            }
            "userType" | "creationType" | "externalUserState" => make("ei", Type::Text),
            "onPremisesImmutableId" => make("ei", Type::Text),
            "employeeHireDate"
            | "employeeLeaveDateTime"
            | "lastPasswordChangeDateTime"
            | "externalUserStateChangeDateTime"
            | "onPremisesLastSyncDateTime" => make("", Type::Time),
            "assignedLicenses" | "assignedPlans" | "proxyAddresses" | "otherMails" | "identities" | "imAddresses"
            | "businessPhones" => make("e", Type::Collection),
            "provisionedPlans" | "onPremisesProvisioningErrors" | "infoCatalogs" => make("", Type::Collection),
            "appRoleAssignments"
            | "createdObjects"
            | "licenseDetails"
            | "oauth2PermissionGrants"
            | "ownedObjects"
            | "scopedRoleMemberOf" => make("", Type::Collection),
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::Group => match name {
            "id" => make("ei", Type::Text),
            "mailEnabled"
            | "securityEnabled"
            | "onPremisesSyncEnabled"
            | "isAssignableToRole"
            | "hasMembersWithLicenseErrors" => make("e", Type::Bool),
            // The documented example of what Graph refuses even as an advanced query.
            "createdDateTime" => None,
            "expirationDateTime" | "renewedDateTime" => make("eig", Type::Time),
            "onPremisesLastSyncDateTime" => make("", Type::Time),
            "displayName"
            | "mail"
            | "mailNickname"
            | "description"
            | "classification"
            | "membershipRule"
            | "preferredDataLocation"
            | "uniqueName"
            | "securityIdentifier" => make("eigs", Type::Text),
            "membershipRuleProcessingState" | "preferredLanguage" => make("ei", Type::Text),
            "groupTypes" | "proxyAddresses" | "assignedLicenses" | "resourceProvisioningOptions" => {
                make("e", Type::Collection)
            }
            "resourceBehaviorOptions" | "infoCatalogs" | "onPremisesProvisioningErrors" => make("", Type::Collection),
            "appRoleAssignments" | "owners" | "settings" => make("", Type::Collection),
            "createdByAppId" => make("", Type::Text),
            "isArchived" | "isManagementRestricted" => make("", Type::Bool),
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::Device => match name {
            "id" | "deviceId" => make("ei", Type::Text),
            "accountEnabled" | "isCompliant" | "isManaged" | "isRooted" | "onPremisesSyncEnabled" => {
                make("e", Type::Bool)
            }
            "approximateLastSignInDateTime" | "registrationDateTime" | "createdDateTime" => make("eig", Type::Time),
            "displayName" | "operatingSystem" | "operatingSystemVersion" | "mdmAppId" => make("eigs", Type::Text),
            "trustType" | "profileType" | "deviceOwnership" | "managementType" => make("ei", Type::Text),
            "deviceVersion" => make("", Type::Int),
            "onPremisesLastSyncDateTime" => make("", Type::Time),
            "physicalIds" | "systemLabels" => make("e", Type::Collection),
            "alternativeSecurityIds" | "hostnames" => make("", Type::Collection),
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::ServicePrincipal | ObjectKind::OrgContact => {
            is_known(kind, name).then_some(Rule { default: "eis", kind: Type::Text })
        }
    }
}
