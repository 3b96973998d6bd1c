//! The values that Microsoft documents for a property, so that a form can offer them. Other values may occur, in tenants
//! and in later versions of Graph, so a condition takes any. Source: docs/graph.md, «Filters».

use super::kind::EntityKind;

const USERS: &[(&str, &[&str])] = &[
    ("ageGroup", &["Minor", "NotAdult", "Adult"]),
    ("consentProvidedForMinor", &["Granted", "Denied", "NotRequired"]),
    ("creationType", &["Invitation", "LocalAccount", "EmailVerified", "SelfServiceSignUp"]),
    ("externalUserState", &["PendingAcceptance", "Accepted"]),
    (
        "legalAgeGroupClassification",
        &[
            "MinorWithOutParentalConsent",
            "MinorWithParentalConsent",
            "MinorNoParentalConsentRequired",
            "NotAdult",
            "Adult",
        ],
    ),
    ("userType", &["Member", "Guest"]),
];

const GROUPS: &[(&str, &[&str])] = &[
    ("groupTypes", &["Unified", "DynamicMembership"]),
    ("membershipRuleProcessingState", &["On", "Paused"]),
    (
        "resourceBehaviorOptions",
        &["AllowOnlyMembersToPost", "HideGroupInOutlook", "SubscribeNewGroupMembers", "WelcomeEmailDisabled"],
    ),
    ("resourceProvisioningOptions", &["Team"]),
];

const DEVICES: &[(&str, &[&str])] = &[
    ("deviceOwnership", &["Company", "Personal", "Unknown"]),
    ("profileType", &["RegisteredDevice", "SecureVM", "Printer", "Shared", "IoT"]),
    ("trustType", &["AzureAd", "ServerAd", "Workplace"]),
];

const APPLICATIONS: &[(&str, &[&str])] = &[(
    "signInAudience",
    &["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"],
)];

const SERVICE_PRINCIPALS: &[(&str, &[&str])] =
    &[("servicePrincipalType", &["Application", "ManagedIdentity", "Legacy", "SocialIdp"])];

const fn table(kind: EntityKind) -> &'static [(&'static str, &'static [&'static str])] {
    match kind {
        EntityKind::Users => USERS,
        EntityKind::Groups => GROUPS,
        EntityKind::Devices => DEVICES,
        EntityKind::Applications => APPLICATIONS,
        EntityKind::ServicePrincipals => SERVICE_PRINCIPALS,
        EntityKind::Roles | EntityKind::AdministrativeUnits => &[],
    }
}

/// The documented values of a property; empty if any value may occur.
pub(in crate::filter) fn known_values(kind: EntityKind, name: &str) -> &'static [&'static str] {
    table(kind).iter().find(|(property, _)| *property == name).map_or(&[], |(_, values)| *values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::property::find;

    #[test]
    fn each_row_is_about_a_property_that_can_be_filtered() {
        for kind in EntityKind::ALL {
            for (name, values) in table(kind) {
                assert_eq!(find(kind, name).unwrap().name, *name);
                assert!(!values.is_empty());
            }
        }
    }
}
