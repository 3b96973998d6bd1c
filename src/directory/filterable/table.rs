//! What Graph can filter users, groups and devices by, and the properties whose names a tenant makes. The rows agree with
//! Microsoft's table, `filter/property/graph-filter-support.csv`.

use super::{Filterable, Property, Shape, Type, objects, one, related, row, texts};
use Type::{Boolean, DateTime, Guid, Integer, String};

/// `extensionAttribute1` to `15`.
pub static ATTRIBUTE: Property = one("extensionAttribute", String, b"aa-a");
pub static DIRECTORY_EXTENSION: Property = one("extension", Type::Any, b"dada");
pub static DIRECTORY_EXTENSION_OF_SEVERAL: Property = row("extension", Shape::Values(Type::Any), b"dad-");
pub static SCHEMA_EXTENSION: Property = one("schema extension", Type::Any, b"a--a").outside_delta();
pub static SECURITY_ATTRIBUTE: Property = one("customSecurityAttributes", Type::Any, b"a-aa").outside_delta();

pub static USERS: Filterable =
    Filterable { properties: USERS_PROPERTIES, advanced: true, unfilterable: USERS_UNFILTERABLE };
pub static GROUPS: Filterable =
    Filterable { properties: GROUPS_PROPERTIES, advanced: true, unfilterable: GROUPS_UNFILTERABLE };
pub static DEVICES: Filterable =
    Filterable { properties: DEVICES_PROPERTIES, advanced: true, unfilterable: DEVICES_UNFILTERABLE };

const ID: &[Property] = &[one("id", String, b"d---")];
const ID_ADVANCED: &[Property] = &[one("id", String, b"a---")];
const LICENSES: &[Property] = &[one("skuId", Guid, b"d---")];
const PLANS: &[Property] = &[
    one("servicePlanId", Guid, b"a---"),
    one("service", String, b"a-a-"),
    one("capabilityStatus", String, b"a---"),
    one("assignedDateTime", DateTime, b"aa--"),
];
const PROVISIONED: &[Property] = &[one("service", String, b"a-a-"), one("provisioningStatus", String, b"a---")];
const PROVISIONING_ERRORS: &[Property] =
    &[one("category", String, b"d---"), one("propertyCausingError", String, b"d---")];
const IDENTITIES: &[Property] =
    &[one("issuer", String, b"d--a"), one("issuerAssignedId", String, b"d--a"), one("signInType", String, b"d---")];
const SECURITY_IDS: &[Property] = &[one("identityProvider", String, b"a-a-"), one("type", Integer, b"da--")];
const SETTINGS: &[Property] = &[one("displayName", String, b"d-d-"), one("id", String, b"d---")];

const USERS_PROPERTIES: &[Property] = &[
    one("accountEnabled", Boolean, b"d---"),
    one("ageGroup", String, b"d---"),
    related("appRoleAssignments", ID),
    objects("assignedLicenses", LICENSES).counted(),
    objects("assignedPlans", PLANS),
    texts("authorizationInfo/certificateUserIds", b"a-a-").outside_delta(),
    texts("businessPhones", b"a-a-"),
    one("city", String, b"ddda"),
    one("cloudRealtimeCommunicationInfo/isSipEnabled", Boolean, b"d---").nowhere(),
    one("companyName", String, b"aaaa"),
    one("consentProvidedForMinor", String, b"d---"),
    one("country", String, b"ddda"),
    one("createdDateTime", DateTime, b"dd-a"),
    related("createdObjects", ID_ADVANCED),
    one("creationType", String, b"d---"),
    one("department", String, b"ddda"),
    one("displayName", String, b"dada"),
    one("employeeHireDate", DateTime, b"aa--"),
    one("employeeId", String, b"daaa"),
    one("employeeLeaveDateTime", DateTime, b"aa-a"),
    one("employeeOrgData/costCenter", String, b"a---"),
    one("employeeOrgData/division", String, b"a---"),
    one("employeeType", String, b"aaa-"),
    one("externalUserState", String, b"d---"),
    one("externalUserStateChangeDateTime", DateTime, b"aa--"),
    one("faxNumber", String, b"aaaa"),
    one("givenName", String, b"ddda"),
    one("id", String, b"d---"),
    objects("identities", IDENTITIES),
    texts("imAddresses", b"dad-"),
    texts("infoCatalogs", b"d-d-").nowhere(),
    one("isLicenseReconciliationNeeded", Boolean, b"d---").nowhere(),
    one("isResourceAccount", Boolean, b"d---"),
    one("jobTitle", String, b"ddda"),
    one("legalAgeGroupClassification", String, b"a--a"),
    related("licenseDetails", ID),
    one("mail", String, b"ddda").ending(),
    one("mailNickname", String, b"ddda"),
    one("manager/id", String, b"d---").nowhere(),
    one("mobilePhone", String, b"aaaa"),
    related("oauth2PermissionGrants", ID),
    one("officeLocation", String, b"aaaa"),
    one("onPremisesImmutableId", String, b"da--"),
    one("onPremisesLastSyncDateTime", DateTime, b"dd--"),
    objects("onPremisesProvisioningErrors", PROVISIONING_ERRORS).counted(),
    one("onPremisesSamAccountName", String, b"aaa-"),
    one("onPremisesSecurityIdentifier", String, b"d--a"),
    one("onPremisesSipInfo/isSipEnabled", Boolean, b"a---").nowhere(),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    one("onPremisesUserPrincipalName", String, b"aaaa"),
    texts("otherMails", b"dad-").ending().counted(),
    row("ownedObjects", Shape::Relation, b"----").nowhere().counted_to_one(),
    one("passwordPolicies", String, b"---a"),
    // Reading it needs a permission of its own.
    one("passwordProfile/forceChangePasswordNextSignIn", Boolean, b"a--a").nowhere(),
    one("passwordProfile/forceChangePasswordNextSignInWithMfa", Boolean, b"a--a").nowhere(),
    one("postalCode", String, b"aaaa"),
    one("preferredLanguage", String, b"aaaa"),
    objects("provisionedPlans", PROVISIONED),
    texts("proxyAddresses", b"ddd-").ending().counted(),
    related("scopedRoleMemberOf", ID),
    one("securityIdentifier", String, b"aaaa"),
    one("showInAddressList", Boolean, b"a---"),
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

const USERS_UNFILTERABLE: &[&str] = &[
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
    "passwordProfile",
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

const GROUPS_PROPERTIES: &[Property] = &[
    related("appRoleAssignments", ID),
    objects("assignedLicenses", LICENSES).counted(),
    one("classification", String, b"dad-"),
    one("createdByAppId", String, b"d---").nowhere(),
    one("createdOnBehalfOf/id", String, b"d---").nowhere(),
    one("description", String, b"aaaa"),
    one("displayName", String, b"dada"),
    one("expirationDateTime", DateTime, b"aa--"),
    texts("groupTypes", b"d---"),
    one("hasMembersWithLicenseErrors", Boolean, b"d--d").nowhere(),
    one("id", String, b"d---"),
    texts("infoCatalogs", b"d-d-"),
    one("isAssignableToRole", Boolean, b"d---"),
    one("mail", String, b"dada").ending(),
    one("mailEnabled", Boolean, b"d---"),
    one("mailNickname", String, b"dada"),
    one("membershipRule", String, b"dad-"),
    one("membershipRuleProcessingState", String, b"d---"),
    one("onPremisesLastSyncDateTime", DateTime, b"dd--"),
    objects("onPremisesProvisioningErrors", PROVISIONING_ERRORS).counted(),
    one("onPremisesSamAccountName", String, b"aaa-"),
    one("onPremisesSecurityIdentifier", String, b"d--a"),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    row("owners", Shape::Relation, b"----").nowhere().counted_to_one(),
    one("preferredLanguage", String, b"aaaa"),
    texts("proxyAddresses", b"ddd-").ending().counted(),
    one("renewedDateTime", DateTime, b"dd--"),
    texts("resourceBehaviorOptions", b"d---"),
    texts("resourceProvisioningOptions", b"d---"),
    one("securityEnabled", Boolean, b"d---"),
    one("securityIdentifier", String, b"aaaa"),
    related("settings", SETTINGS),
    one("uniqueName", String, b"dad-"),
];

const GROUPS_UNFILTERABLE: &[&str] = &[
    "accessType",
    "allowExternalSenders",
    "assignedLabels",
    "autoSubscribeNewMembers",
    "createdDateTime",
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

const DEVICES_PROPERTIES: &[Property] = &[
    one("accountEnabled", Boolean, b"d---"),
    objects("alternativeSecurityIds", SECURITY_IDS),
    one("approximateLastSignInDateTime", DateTime, b"dd-a"),
    one("createdDateTime", DateTime, b"aa-a"),
    one("deviceCategory", String, b"a-aa"),
    one("deviceId", String, b"d-a-"),
    one("deviceOwnership", String, b"a-aa"),
    one("displayName", String, b"dada"),
    one("enrollmentProfileName", String, b"a-aa"),
    texts("hostnames", b"d-d-").nowhere(),
    one("id", String, b"d---"),
    one("isCompliant", Boolean, b"d---"),
    one("isManaged", Boolean, b"d---"),
    one("mdmAppId", String, b"d-aa"),
    one("onPremisesLastSyncDateTime", DateTime, b"dd--"),
    one("onPremisesSecurityIdentifier", String, b"d---"),
    one("onPremisesSyncEnabled", Boolean, b"d--a"),
    one("operatingSystem", String, b"dada"),
    one("operatingSystemVersion", String, b"dada"),
    texts("physicalIds", b"daa-").counted(),
    one("profileType", String, b"d-a-"),
    one("registrationDateTime", DateTime, b"aa-a"),
    texts("systemLabels", b"a-a-").counted(),
    one("trustType", String, b"d---"),
];

const DEVICES_UNFILTERABLE: &[&str] = &[
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
];
