//! Devices that Intune manages: every second registered device; the first is compliant, the second has been lost for half a
//! year, and one is enrolled without a registered device.

use super::parts::day;
use crate::seed::directory::Directory;
use crate::seed::random::Random;
use crate::seed::record::Record;
use serde_json::json;
use uuid::Uuid;

const SYSTEMS: [(&str, &str, &str, &str); 4] = [
    ("Windows", "10.0.26100.2314", "Fabrikam", "Notebook 14"),
    ("iOS", "18.1", "Litware", "Phone 9"),
    ("Android", "15", "Litware", "Pad 3"),
    ("macOS", "15.1", "Fabrikam", "Studio 2"),
];
const LOST: usize = 1;

pub fn generate(directory: &Directory, random: &mut Random) -> Vec<Record> {
    let mut devices = Vec::new();
    for (n, device) in directory.devices.iter().step_by(2).enumerate() {
        let owner = device.owner.and_then(|slot| directory.users.get(slot as usize)).map(|user| user.id);
        // The id that the device registered with, as `devices` has it.
        let registered = Uuid::from_u128(device.id.as_u128().rotate_left(64));
        devices.push(managed(random.uuid(), n, device.number as usize, Some(registered), owner));
    }
    if !devices.is_empty() {
        devices.push(managed(random.uuid(), 3, 90_001, None, None));
    }
    devices
}

fn managed(id: Uuid, n: usize, number: usize, registered: Option<Uuid>, owner: Option<Uuid>) -> Record {
    let (system, version, maker, model) = SYSTEMS[number % SYSTEMS.len()];
    let compliance = match n {
        0 => "compliant",
        LOST => "noncompliant",
        n => ["compliant", "compliant", "inGracePeriod", "unknown"][n % 4],
    };
    let last_sync = if n == LOST { -185 } else { -(n as i64 % 9) };
    let identity = json!({
        "id": id,
        "deviceName": format!("{}-{number:05}", &system[..3].to_ascii_uppercase()),
        "managedDeviceName": format!("managed-{number}"),
        "userId": owner.map_or(String::new(), |id| id.to_string()),
        "azureADDeviceId": registered.unwrap_or_default(),
        "azureADRegistered": true,
        "serialNumber": format!("SN{:08X}", 0x4000 + number * 131),
        "emailAddress": "",
        "userPrincipalName": "",
        "userDisplayName": "",
    });
    let hardware = json!({
        "manufacturer": maker,
        "model": model,
        "operatingSystem": system,
        "osVersion": version,
        "imei": "",
        "meid": "",
        "phoneNumber": "",
        "wiFiMacAddress": format!("00155D{number:06X}"),
        "ethernetMacAddress": null,
        "totalStorageSpaceInBytes": 512_000_000_000_i64,
        "freeStorageSpaceInBytes": 128_000_000_000_i64 + number as i64,
    });
    let management = json!({
        "complianceState": compliance,
        "isEncrypted": !number.is_multiple_of(5),
        "isSupervised": system == "iOS",
        "jailBroken": "False",
        "lastSyncDateTime": day(last_sync),
        "enrolledDateTime": day(-400 + n as i64 % 300),
        "managedDeviceOwnerType": if number.is_multiple_of(6) { "personal" } else { "company" },
        "managementAgent": "mdm",
        "deviceEnrollmentType": "windowsAzureADJoin",
        "deviceRegistrationState": "registered",
        "deviceCategoryDisplayName": "Unknown",
        "complianceGracePeriodExpirationDateTime": "9999-12-31T23:59:59Z",
        "notes": null,
    });
    let mut record = Record::new(id, identity);
    for part in [hardware, management] {
        record.properties.extend(part.as_object().cloned().unwrap_or_default());
    }
    record
}
