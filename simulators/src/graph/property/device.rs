//! The properties of a device.

use super::value::Val;
use crate::seed::{Device, NEWEST};

pub const DEFAULT: &[&str] = ALL;

pub const ALL: &[&str] = &[
    "id",
    "deletedDateTime",
    "accountEnabled",
    "alternativeSecurityIds",
    "approximateLastSignInDateTime",
    "complianceExpirationDateTime",
    "createdDateTime",
    "deviceCategory",
    "deviceId",
    "deviceMetadata",
    "deviceOwnership",
    "deviceVersion",
    "displayName",
    "enrollmentProfileName",
    "enrollmentType",
    "extensionAttributes",
    "isCompliant",
    "isManaged",
    "isManagementRestricted",
    "isRooted",
    "managementType",
    "manufacturer",
    "mdmAppId",
    "model",
    "onPremisesLastSyncDateTime",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "operatingSystem",
    "operatingSystemVersion",
    "physicalIds",
    "profileType",
    "registrationDateTime",
    "systemLabels",
    "trustType",
];

const SYSTEMS: [(&str, &str, &str, &str); 4] = [
    ("Windows", "10.0.26100.2314", "Fabrikam", "Notebook 14"),
    ("iOS", "18.1", "Litware", "Phone 9"),
    ("Android", "15", "Litware", "Pad 3"),
    ("macOS", "15.1", "Fabrikam", "Studio 2"),
];

pub fn property<'a>(device: &'a Device, name: &str) -> Val<'a> {
    let (system, version, maker, model) = SYSTEMS[device.number as usize % SYSTEMS.len()];
    match name {
        "id" => Val::Guid(device.id),
        "deviceId" => Val::str(uuid::Uuid::from_u128(device.id.as_u128().rotate_left(64)).to_string()),
        "displayName" => Val::str(format!("{}-{:05}", &system[..3].to_ascii_uppercase(), device.number)),
        "accountEnabled" => Val::Bool(!device.number.is_multiple_of(20)),
        "operatingSystem" => Val::str(system),
        "operatingSystemVersion" => Val::str(version),
        "manufacturer" => Val::str(maker),
        "model" => Val::str(model),
        "trustType" => Val::str(["AzureAd", "Workplace", "ServerAd"][device.number as usize % 3]),
        "isCompliant" => match device.number % 7 {
            0 => Val::Null,
            n => Val::Bool(n != 1),
        },
        "isManaged" => Val::Bool(!device.number.is_multiple_of(5)),
        "profileType" => Val::str("RegisteredDevice"),
        "deviceOwnership" => Val::str(if device.number.is_multiple_of(6) { "Personal" } else { "Company" }),
        "approximateLastSignInDateTime" => Val::Time(NEWEST - i64::from(device.number % 60) * 86_400),
        "createdDateTime" | "registrationDateTime" => Val::Time(device.created),
        "deviceVersion" => Val::Int(2),
        "physicalIds" | "systemLabels" => Val::List(Vec::new()),
        _ if ALL.contains(&name) => Val::Null,
        _ => Val::Missing,
    }
}
