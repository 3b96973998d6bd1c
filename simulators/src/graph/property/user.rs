//! The properties of a user.

use super::value::Val;
use crate::seed::words::{DEPARTMENTS, GIVEN, OFFICES, Office, SKUS, SURNAMES, TITLES};
use crate::seed::{DOMAIN, Directory, NEWEST, User};
use uuid::Uuid;

pub const DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// What `User.ReadBasic.All` shows (docs/graph.md, «Permissions»).
pub const BASIC: &[&str] = &["displayName", "givenName", "surname", "mail", "id", "securityIdentifier"];

pub const ALL: &[&str] = &[
    "accountEnabled",
    "ageGroup",
    "assignedLicenses",
    "assignedPlans",
    "authorizationInfo",
    "businessPhones",
    "city",
    "companyName",
    "consentProvidedForMinor",
    "country",
    "createdDateTime",
    "creationType",
    "customSecurityAttributes",
    "deletedDateTime",
    "department",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeLeaveDateTime",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "faxNumber",
    "givenName",
    "id",
    "identities",
    "identityParentId",
    "imAddresses",
    "isManagementRestricted",
    "isResourceAccount",
    "jobTitle",
    "lastPasswordChangeDateTime",
    "legalAgeGroupClassification",
    "licenseAssignmentStates",
    "mail",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesLastSyncDateTime",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "passwordPolicies",
    "passwordProfile",
    "postalCode",
    "preferredDataLocation",
    "preferredLanguage",
    "provisionedPlans",
    "proxyAddresses",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "showInAddressList",
    "signInActivity",
    "signInSessionsValidFromDateTime",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
];

fn office(user: &User) -> &'static Office {
    &OFFICES[user.office as usize % OFFICES.len()]
}

/// The part of the addresses before the at sign.
pub fn nickname(user: &User) -> String {
    let (given, surname) = (GIVEN[user.given as usize].1, SURNAMES[user.surname as usize].1);
    match user.twin {
        0 => format!("{given}.{surname}"),
        n => format!("{given}.{surname}{n}"),
    }
}

pub fn principal_name(user: &User) -> String {
    let nickname = nickname(user);
    if user.guest { format!("{nickname}_partner.example#EXT#@{DOMAIN}") } else { format!("{nickname}@{DOMAIN}") }
}

fn mail(user: &User) -> String {
    let domain = if user.guest { "partner.example" } else { DOMAIN };
    format!("{}@{domain}", nickname(user))
}

/// A number distinguishes users with the same given and family name, as in real directories.
fn display_name(user: &User) -> String {
    let (given, surname) = (GIVEN[user.given as usize].0, SURNAMES[user.surname as usize].0);
    let mark = if user.guest { " (Partner)" } else { "" };
    match user.twin {
        0 => format!("{given} {surname}{mark}"),
        n => format!("{given} {surname} {n}{mark}"),
    }
}

/// What the directory knows of employees only.
fn employed(user: &User, value: impl FnOnce() -> Val<'static>) -> Val<'static> {
    if user.guest { Val::Null } else { value() }
}

fn synced(user: &User, value: impl FnOnce() -> Val<'static>) -> Val<'static> {
    if user.on_premises { value() } else { Val::Null }
}

pub fn property<'a>(directory: &'a Directory, user: &'a User, name: &str) -> Val<'a> {
    match name {
        "id" => Val::Guid(user.id),
        "displayName" => Val::str(display_name(user)),
        "givenName" => Val::str(GIVEN[user.given as usize].0),
        "surname" => Val::str(SURNAMES[user.surname as usize].0),
        "userPrincipalName" => Val::str(principal_name(user)),
        "mail" => Val::str(mail(user)),
        "mailNickname" => Val::str(nickname(user)),
        "accountEnabled" => Val::Bool(user.enabled),
        "userType" => Val::str(if user.guest { "Guest" } else { "Member" }),
        "creationType" => {
            if user.guest {
                Val::str("Invitation")
            } else {
                Val::Null
            }
        }
        "externalUserState" => {
            if user.guest {
                Val::str("Accepted")
            } else {
                Val::Null
            }
        }
        "externalUserStateChangeDateTime" => match user.created {
            Some(at) if user.guest => Val::Time(at + 3_600),
            _ => Val::Null,
        },
        "createdDateTime" => user.created.map_or(Val::Null, Val::Time),
        "department" => employed(user, || Val::str(DEPARTMENTS[user.department as usize % DEPARTMENTS.len()])),
        "jobTitle" => employed(user, || Val::str(TITLES[user.title as usize % TITLES.len()])),
        "companyName" => match user.number % 9 {
            _ if user.guest => Val::str("Partner"),
            0 => Val::Null,
            1 => Val::str("Contoso Labs"),
            _ => Val::str("Contoso"),
        },
        "city" => employed(user, || Val::str(office(user).city)),
        "state" => employed(user, || Val::str(office(user).state)),
        "country" => employed(user, || Val::str(office(user).country)),
        "usageLocation" => employed(user, || Val::str(office(user).code)),
        "postalCode" => employed(user, || Val::str(office(user).postal_code)),
        "streetAddress" => employed(user, || Val::str(office(user).street)),
        "officeLocation" => employed(user, || Val::str(office(user).name)),
        "preferredLanguage" => employed(user, || Val::str(office(user).language)),
        "employeeId" => employed(user, || Val::str(format!("E{:06}", user.number))),
        "employeeType" => match user.number % 5 {
            _ if user.guest => Val::Null,
            0 => Val::str("Contractor"),
            _ => Val::str("Employee"),
        },
        "employeeHireDate" => match user.created {
            Some(at) if !user.guest => Val::Time(at - at.rem_euclid(86_400)),
            _ => Val::Null,
        },
        "employeeOrgData" => employed(user, || {
            let center = Val::str(format!("CC{:03}", user.department));
            Val::Object(vec![("division", Val::str("EMEA")), ("costCenter", center)])
        }),
        "mobilePhone" => match user.number % 3 {
            0 => Val::str(format!("+44 7700 {:06}", user.number % 1_000_000)),
            _ => Val::Null,
        },
        "businessPhones" => match user.number % 2 {
            0 if !user.guest => Val::List(vec![Val::str(format!("+44 20 7946 {:04}", user.number % 10_000))]),
            _ => Val::List(Vec::new()),
        },
        "faxNumber"
        | "ageGroup"
        | "consentProvidedForMinor"
        | "legalAgeGroupClassification"
        | "employeeLeaveDateTime"
        | "deletedDateTime"
        | "identityParentId"
        | "preferredDataLocation"
        | "isManagementRestricted"
        | "showInAddressList"
        | "isResourceAccount"
        | "customSecurityAttributes"
        | "passwordProfile" => Val::Null,
        "otherMails"
        | "imAddresses"
        | "serviceProvisioningErrors"
        | "onPremisesProvisioningErrors"
        | "provisionedPlans" => Val::List(Vec::new()),
        "proxyAddresses" => Val::List(vec![Val::str(format!("SMTP:{}", mail(user)))]),
        "identities" => Val::List(vec![Val::Object(vec![
            ("signInType", Val::str("userPrincipalName")),
            ("issuer", Val::str(DOMAIN)),
            ("issuerAssignedId", Val::str(principal_name(user))),
        ])]),
        "authorizationInfo" => Val::Object(vec![("certificateUserIds", Val::List(Vec::new()))]),
        "passwordPolicies" => Val::str("None"),
        "lastPasswordChangeDateTime" | "signInSessionsValidFromDateTime" => user.created.map_or(Val::Null, Val::Time),
        "securityIdentifier" => {
            let n = user.id.as_u128();
            Val::str(format!("S-1-12-1-{}-{}-{}-{}", n >> 96, (n >> 64) as u32, (n >> 32) as u32, n as u32))
        }
        "assignedLicenses" => assigned_licenses(directory, user),
        "licenseAssignmentStates" => assignment_states(directory, user),
        "assignedPlans" => assigned_plans(directory, user),
        "signInActivity" => {
            let at = NEWEST - i64::from(user.number % 90) * 86_400;
            Val::Object(vec![
                ("lastSignInDateTime", Val::Time(at)),
                ("lastNonInteractiveSignInDateTime", Val::Time(at + 600)),
                ("lastSuccessfulSignInDateTime", Val::Time(at)),
            ])
        }
        _ => on_premises(user, name),
    }
}

fn on_premises(user: &User, name: &str) -> Val<'static> {
    match name {
        "onPremisesSyncEnabled" => synced(user, || Val::Bool(true)),
        "onPremisesDomainName" => synced(user, || Val::str("corp.contoso.example")),
        "onPremisesSamAccountName" => synced(user, || Val::str(nickname(user))),
        "onPremisesUserPrincipalName" => synced(user, || Val::str(principal_name(user))),
        "onPremisesImmutableId" => synced(user, || Val::str(format!("imm{:012x}", user.number))),
        "onPremisesSecurityIdentifier" => synced(user, || Val::str(format!("S-1-5-21-1-2-3-{}", user.number))),
        "onPremisesLastSyncDateTime" => synced(user, || Val::Time(NEWEST)),
        "onPremisesDistinguishedName" => {
            synced(user, || Val::str(format!("CN={},OU=People,DC=corp,DC=contoso,DC=example", nickname(user))))
        }
        "onPremisesExtensionAttributes" => {
            let first = if user.number.is_multiple_of(4) { Val::str("A") } else { Val::Null };
            let mut members = vec![("extensionAttribute1", first)];
            members.extend(EXTENSION_ATTRIBUTES.iter().map(|name| (*name, Val::Null)));
            Val::Object(members)
        }
        _ => Val::Missing,
    }
}

const EXTENSION_ATTRIBUTES: [&str; 14] = [
    "extensionAttribute2",
    "extensionAttribute3",
    "extensionAttribute4",
    "extensionAttribute5",
    "extensionAttribute6",
    "extensionAttribute7",
    "extensionAttribute8",
    "extensionAttribute9",
    "extensionAttribute10",
    "extensionAttribute11",
    "extensionAttribute12",
    "extensionAttribute13",
    "extensionAttribute14",
    "extensionAttribute15",
];

fn assigned_licenses(directory: &Directory, user: &User) -> Val<'static> {
    Val::List(sku_objects(directory.all_skus_of(user)))
}

/// `assignedLicenses` of the SKUs whose bits are set.
pub fn sku_objects(skus: u8) -> Vec<Val<'static>> {
    let held = SKUS.iter().enumerate().filter(|(n, _)| skus & (1 << n) != 0);
    held.map(|(_, sku)| Val::Object(vec![("disabledPlans", Val::List(Vec::new())), ("skuId", Val::Guid(sku.id))]))
        .collect()
}

fn assignment_states(directory: &Directory, user: &User) -> Val<'static> {
    let group = |slot: Option<u32>| -> Option<Uuid> { Some(directory.groups.get(slot? as usize)?.id) };
    let states = directory.licenses_of(user).into_iter().map(|(sku, by)| {
        Val::Object(vec![
            ("skuId", Val::Guid(SKUS[sku].id)),
            ("disabledPlans", Val::List(Vec::new())),
            // A string in the metadata, unlike `skuId`.
            ("assignedByGroup", group(by).map_or(Val::Null, |id| Val::str(id.to_string()))),
            ("state", Val::str("Active")),
            ("error", Val::str("None")),
            ("lastUpdatedDateTime", Val::Time(NEWEST)),
        ])
    });
    Val::List(states.collect())
}

fn assigned_plans(directory: &Directory, user: &User) -> Val<'static> {
    let skus = directory.all_skus_of(user);
    let held = SKUS.iter().enumerate().filter(|(n, _)| skus & (1 << n) != 0);
    let plans = held.flat_map(|(_, sku)| sku.plans).map(|(id, name)| {
        Val::Object(vec![
            ("assignedDateTime", Val::Time(NEWEST)),
            ("capabilityStatus", Val::str("Enabled")),
            ("service", Val::str(*name)),
            ("servicePlanId", Val::Guid(*id)),
        ])
    });
    Val::List(plans.collect())
}
