//! The tables. Four letters a row: `eq`/`in`, `ge`/`le`, `startsWith`, `null`; `d` by default, `a` advanced, `-` no.

use super::definition::{Level, Property, Shape, Type};
use Type::{Boolean, DateTime, Guid, Integer, String};

const fn level(letter: u8) -> Level {
    match letter {
        b'd' => Level::Default,
        b'a' => Level::Advanced,
        _ => Level::No,
    }
}

const fn row(name: &'static str, shape: Shape, levels: &[u8; 4]) -> Property {
    let [equal, range, starts_with, null] = *levels;
    Property {
        name,
        shape,
        equal: level(equal),
        range: level(range),
        starts_with: level(starts_with),
        null: level(null),
        ends_with: false,
        in_delta: true,
    }
}

const fn one(name: &'static str, kind: Type, levels: &[u8; 4]) -> Property {
    row(name, Shape::Single(kind), levels)
}

const fn texts(name: &'static str, levels: &[u8; 4]) -> Property {
    row(name, Shape::Texts, levels)
}

const fn objects(name: &'static str, properties: &'static [Property]) -> Property {
    row(name, Shape::Objects(properties), b"----")
}

impl Property {
    const fn ending(mut self) -> Self {
        self.ends_with = true;
        self
    }

    const fn outside_delta(mut self) -> Self {
        self.in_delta = false;
        self
    }
}

pub(super) static ATTRIBUTE: Property = one("extensionAttribute", String, b"aa-a");
pub(super) static DIRECTORY_EXTENSION: Property = one("extension", Type::Any, b"aaaa");

const LICENSES: &[Property] = &[one("skuId", Guid, b"d---")];
const PLANS: &[Property] = &[
    one("servicePlanId", Guid, b"a---"),
    one("service", String, b"a---"),
    one("capabilityStatus", String, b"a---"),
    one("assignedDateTime", DateTime, b"aa--"),
];
const PROVISIONED: &[Property] = &[one("service", String, b"a---"), one("provisioningStatus", String, b"a---")];
const PROVISIONING_ERRORS: &[Property] =
    &[one("category", String, b"a---"), one("propertyCausingError", String, b"a---")];
const IDENTITIES: &[Property] =
    &[one("issuer", String, b"a--a"), one("issuerAssignedId", String, b"a--a"), one("signInType", String, b"a---")];
const SECURITY_IDS: &[Property] = &[one("identityProvider", String, b"a---"), one("type", Integer, b"da--")];

pub(super) static USERS: &[Property] = &[
    one("accountEnabled", Boolean, b"d---"),
    one("ageGroup", String, b"a--a"),
    objects("assignedLicenses", LICENSES),
    objects("assignedPlans", PLANS),
    texts("businessPhones", b"a-a-"),
    one("city", String, b"ddda"),
    one("companyName", String, b"aaaa"),
    one("consentProvidedForMinor", String, b"a--a"),
    one("country", String, b"ddda"),
    one("createdDateTime", DateTime, b"dd-a"),
    one("creationType", String, b"a--a"),
    one("department", String, b"ddda"),
    one("displayName", String, b"dada"),
    one("employeeHireDate", DateTime, b"aa-a"),
    one("employeeId", String, b"aaaa"),
    one("employeeLeaveDateTime", DateTime, b"aa-a"),
    one("employeeOrgData/costCenter", String, b"a--a"),
    one("employeeOrgData/division", String, b"a--a"),
    one("employeeType", String, b"aaaa"),
    one("externalUserState", String, b"a--a"),
    one("externalUserStateChangeDateTime", DateTime, b"aa--"),
    one("faxNumber", String, b"aaaa"),
    one("givenName", String, b"ddda"),
    one("id", String, b"d---"),
    objects("identities", IDENTITIES),
    texts("imAddresses", b"aaa-"),
    one("isResourceAccount", Boolean, b"a--a"),
    one("jobTitle", String, b"ddda"),
    one("legalAgeGroupClassification", String, b"a--a"),
    one("mail", String, b"ddda").ending(),
    one("mailNickname", String, b"ddda"),
    one("mobilePhone", String, b"aaaa"),
    one("officeLocation", String, b"aaaa"),
    one("onPremisesImmutableId", String, b"aa-a"),
    one("onPremisesLastSyncDateTime", DateTime, b"aa-a"),
    objects("onPremisesProvisioningErrors", PROVISIONING_ERRORS),
    one("onPremisesSamAccountName", String, b"aaaa"),
    one("onPremisesSecurityIdentifier", String, b"a--a"),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    one("onPremisesUserPrincipalName", String, b"aaaa"),
    texts("otherMails", b"aaa-").ending(),
    one("passwordPolicies", String, b"a--a"),
    one("postalCode", String, b"aaaa"),
    one("preferredLanguage", String, b"aaaa"),
    objects("provisionedPlans", PROVISIONED),
    texts("proxyAddresses", b"ddd-").ending(),
    one("securityIdentifier", String, b"aaaa"),
    one("showInAddressList", Boolean, b"a--a"),
    one("signInActivity/lastSignInDateTime", DateTime, b"dd-a").outside_delta(),
    one("signInActivity/lastNonInteractiveSignInDateTime", DateTime, b"dd-a").outside_delta(),
    one("signInActivity/lastSuccessfulSignInDateTime", DateTime, b"dd-a").outside_delta(),
    one("state", String, b"ddda"),
    one("streetAddress", String, b"aaaa"),
    one("surname", String, b"ddda"),
    one("usageLocation", String, b"ddda"),
    one("userPrincipalName", String, b"ddd-").ending(),
    one("userType", String, b"d--a"),
];

pub(super) static USERS_UNFILTERABLE: &[&str] = &[
    "aboutMe",
    "authorizationInfo",
    "birthday",
    "customSecurityAttributes",
    "hireDate",
    "identityParentId",
    "interests",
    "isManagementRestricted",
    "lastPasswordChangeDateTime",
    "licenseAssignmentStates",
    "mailboxSettings",
    "mySite",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "pastProjects",
    "preferredDataLocation",
    "preferredName",
    "responsibilities",
    "schools",
    "serviceProvisioningErrors",
    "signInActivity",
    "signInSessionsValidFromDateTime",
    "skills",
    "employeeOrgData",
];

pub(super) static GROUPS: &[Property] = &[
    objects("assignedLicenses", LICENSES),
    one("classification", String, b"aaaa"),
    one("createdDateTime", DateTime, b"aa-a"),
    one("description", String, b"aaaa"),
    one("displayName", String, b"dada"),
    one("expirationDateTime", DateTime, b"aa-a"),
    texts("groupTypes", b"d---"),
    // Graph never returns it, so nothing but Graph can decide by it.
    one("hasMembersWithLicenseErrors", Boolean, b"a--a").outside_delta(),
    one("id", String, b"d---"),
    texts("infoCatalogs", b"a-a-"),
    one("isAssignableToRole", Boolean, b"a--a"),
    one("mail", String, b"dada").ending(),
    one("mailEnabled", Boolean, b"d---"),
    one("mailNickname", String, b"dada"),
    one("membershipRule", String, b"aaaa"),
    one("membershipRuleProcessingState", String, b"a--a"),
    one("onPremisesLastSyncDateTime", DateTime, b"aa-a"),
    objects("onPremisesProvisioningErrors", PROVISIONING_ERRORS),
    one("onPremisesSamAccountName", String, b"aaaa"),
    one("onPremisesSecurityIdentifier", String, b"---a"),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    row("owners", Shape::Relation, b"----").outside_delta(),
    one("preferredLanguage", String, b"aaaa"),
    texts("proxyAddresses", b"ddd-").ending(),
    one("renewedDateTime", DateTime, b"aa-a"),
    texts("resourceBehaviorOptions", b"a---"),
    texts("resourceProvisioningOptions", b"d---"),
    one("securityEnabled", Boolean, b"d---"),
    one("securityIdentifier", String, b"aaaa"),
    one("uniqueName", String, b"aaaa"),
];

pub(super) static GROUPS_UNFILTERABLE: &[&str] = &[
    "accessType",
    "allowExternalSenders",
    "assignedLabels",
    "autoSubscribeNewMembers",
    "hideFromAddressLists",
    "hideFromOutlookClients",
    "isArchived",
    "isManagementRestricted",
    "isSubscribedByMail",
    "licenseProcessingState",
    "onPremisesDomainName",
    "onPremisesNetBiosName",
    "organizationId",
    "preferredDataLocation",
    "theme",
    "unseenCount",
    "visibility",
];

pub(super) static DEVICES: &[Property] = &[
    one("accountEnabled", Boolean, b"d---"),
    objects("alternativeSecurityIds", SECURITY_IDS),
    one("approximateLastSignInDateTime", DateTime, b"dd-a"),
    one("createdDateTime", DateTime, b"aa-a"),
    one("deviceCategory", String, b"a-aa"),
    one("deviceId", String, b"d-a-"),
    one("deviceOwnership", String, b"a-aa"),
    one("displayName", String, b"dada"),
    one("enrollmentProfileName", String, b"a-aa"),
    one("id", String, b"d---"),
    one("isCompliant", Boolean, b"d--a"),
    one("isManaged", Boolean, b"d--a"),
    one("mdmAppId", String, b"d-a-"),
    one("onPremisesLastSyncDateTime", DateTime, b"aa-a"),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    one("operatingSystem", String, b"dada"),
    one("operatingSystemVersion", String, b"dada"),
    texts("physicalIds", b"aaa-"),
    one("profileType", String, b"a-aa"),
    texts("systemLabels", b"a-a-"),
    one("trustType", String, b"a--a"),
];

pub(super) static DEVICES_UNFILTERABLE: &[&str] = &[
    "alternativeNames",
    "complianceExpirationDateTime",
    "deviceMetadata",
    "deviceVersion",
    "domainName",
    "extensionAttributes",
    "isRooted",
    "managementType",
    "manufacturer",
    "model",
    "registrationDateTime",
];
