//! Properties that every object of a type has. When Graph sends one of them as null, it does not say that it was cleared.

use super::ObjectType;

/// The names of the properties that are never null, and never an empty text.
/// Source: the resource pages of user, group and device («required», «cannot be cleared», «automatically populated»).
pub const fn never_null(object_type: ObjectType) -> &'static [&'static str] {
    match object_type {
        ObjectType::Users => &["accountEnabled", "displayName", "mailNickname", "userPrincipalName"],
        ObjectType::Groups => &["createdDateTime", "displayName", "mailEnabled", "mailNickname", "securityEnabled"],
        ObjectType::Devices => {
            &["accountEnabled", "deviceId", "displayName", "operatingSystem", "operatingSystemVersion"]
        }
        ObjectType::Licenses => &["capabilityStatus", "consumedUnits", "prepaidUnits", "skuId", "skuPartNumber"],
    }
}
