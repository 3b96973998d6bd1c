//! The properties of a group.

use super::value::Val;
use crate::seed::{DOMAIN, Group, GroupKind};

pub const DEFAULT: &[&str] = &[
    "id",
    "deletedDateTime",
    "classification",
    "createdDateTime",
    "creationOptions",
    "description",
    "displayName",
    "expirationDateTime",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesNetBiosName",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "renewedDateTime",
    "resourceBehaviorOptions",
    "resourceProvisioningOptions",
    "securityEnabled",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "theme",
    "uniqueName",
    "visibility",
];

pub const ALL: &[&str] = &[
    "accessType",
    "allowExternalSenders",
    "assignedLabels",
    "assignedLicenses",
    "autoSubscribeNewMembers",
    "classification",
    "createdDateTime",
    "creationOptions",
    "deletedDateTime",
    "description",
    "displayName",
    "expirationDateTime",
    "groupTypes",
    "hasMembersWithLicenseErrors",
    "hideFromAddressLists",
    "hideFromOutlookClients",
    "id",
    "infoCatalogs",
    "isArchived",
    "isAssignableToRole",
    "isManagementRestricted",
    "isSubscribedByMail",
    "licenseProcessingState",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesLastSyncDateTime",
    "onPremisesNetBiosName",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "organizationId",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "renewedDateTime",
    "resourceBehaviorOptions",
    "resourceProvisioningOptions",
    "securityEnabled",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "theme",
    "uniqueName",
    "unseenCount",
    "visibility",
];

/// What `Group.ReadBasic.All` and `GroupMember.ReadBasic.All` show.
pub const BASIC: &[&str] = &["id", "displayName", "description", "groupTypes", "mailEnabled", "securityEnabled"];

fn nickname(group: &Group) -> String {
    let kept = group.name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    format!("{kept}-{}", group.number)
}

fn mail_enabled(group: &Group) -> bool {
    group.kind != GroupKind::Security
}

pub fn property<'a>(group: &'a Group, name: &str) -> Val<'a> {
    match name {
        "id" => Val::Guid(group.id),
        "displayName" => Val::str(&*group.name),
        "description" => match group.number % 4 {
            0 => Val::Null,
            _ => Val::str(format!("Members and owners of “{}”", group.name)),
        },
        "groupTypes" => {
            let unified = (group.kind == GroupKind::Microsoft365).then(|| Val::str("Unified"));
            let dynamic = group.rule.is_some().then(|| Val::str("DynamicMembership"));
            Val::List(unified.into_iter().chain(dynamic).collect())
        }
        "mailEnabled" => Val::Bool(mail_enabled(group)),
        "securityEnabled" => Val::Bool(matches!(group.kind, GroupKind::Security | GroupKind::MailSecurity)),
        "mail" => {
            if mail_enabled(group) {
                Val::str(format!("{}@{DOMAIN}", nickname(group)))
            } else {
                Val::Null
            }
        }
        "mailNickname" => Val::str(nickname(group)),
        "proxyAddresses" => match mail_enabled(group) {
            true => Val::List(vec![Val::str(format!("SMTP:{}@{DOMAIN}", nickname(group)))]),
            false => Val::List(Vec::new()),
        },
        "membershipRule" => group.rule.as_deref().map_or(Val::Null, Val::str),
        "membershipRuleProcessingState" => {
            if group.rule.is_some() {
                Val::str("On")
            } else {
                Val::Null
            }
        }
        "visibility" => match group.kind {
            GroupKind::Microsoft365 if group.hidden_membership => Val::str("HiddenMembership"),
            GroupKind::Microsoft365 if group.number.is_multiple_of(2) => Val::str("Public"),
            GroupKind::Microsoft365 => Val::str("Private"),
            GroupKind::Security | GroupKind::MailSecurity | GroupKind::Distribution if group.hidden_membership => {
                Val::str("HiddenMembership")
            }
            GroupKind::Security | GroupKind::MailSecurity | GroupKind::Distribution => Val::Null,
        },
        "resourceProvisioningOptions" => match group.team {
            true => Val::strings(["Team"]),
            false => Val::List(Vec::new()),
        },
        "createdDateTime" | "renewedDateTime" => Val::Time(group.created),
        "assignedLicenses" => Val::List(super::user::sku_objects(group.skus)),
        "hasMembersWithLicenseErrors" | "isManagementRestricted" => Val::Null,
        "isAssignableToRole" | "onPremisesSyncEnabled" | "isArchived" => Val::Null,
        "assignedLabels"
        | "creationOptions"
        | "infoCatalogs"
        | "resourceBehaviorOptions"
        | "onPremisesProvisioningErrors"
        | "serviceProvisioningErrors" => Val::List(Vec::new()),
        "licenseProcessingState" => Val::Null,
        "securityIdentifier" => {
            let n = group.id.as_u128();
            Val::str(format!("S-1-12-1-{}-{}-{}-{}", n >> 96, (n >> 64) as u32, (n >> 32) as u32, n as u32))
        }
        _ if ALL.contains(&name) => Val::Null,
        _ => Val::Missing,
    }
}
