//! Devices that Intune manages. Another service than the directory keeps them, with limits of its own.
//! Source: <https://learn.microsoft.com/graph/api/intune-devices-manageddevice-list>,
//! <https://learn.microsoft.com/graph/api/resources/intune-devices-manageddevice>.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, TENANT_ID, link, property, row};
use crate::directory::attribute::{Attribute, AttributeSource, Link, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::properties::Properties;
use crate::directory::type_spec::{ById, Collection, Disabled, Item, TypeSpec};
use crate::permission::Capability;
use Presence::{Always, Default, OnRequest};
use ValueType::{Boolean, DateTime, Integer, Text, Textarea};
use serde_json::Value;

pub static SPEC: TypeSpec = TypeSpec {
    object_type: ObjectType::IntuneDevices,
    singular: "Intune device",
    plural: "Intune devices",
    external_id: "intuneDevice",
    type_name: "Intune Device",
    names: &["intune device", "intune devices", "managed device", "managed devices", "mobile device"],
    description: "A device that Microsoft Intune manages",
    is_default: false,
    rank: 55,
    has_stubs: false,
    capability: Capability::IntuneDevices,
    probe: "/deviceManagement/managedDevices?$top=1&$select=id,deviceName",
    collection: Collection {
        path: "deviceManagement/managedDevices",
        page: Some(999),
        by_id: ById::OneByOne("id"),
        item: Item::Object,
    },
    filter: None,
    relations: &[],
    label: &["deviceName", "serialNumber"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &["deviceName", "operatingSystem"],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

/// Whole gigabytes: the bytes of a disk do not fit into an integer of Assets.
fn storage(device: &Properties) -> Value {
    let bytes = device.get("totalStorageSpaceInBytes").and_then(Value::as_i64).filter(|bytes| *bytes > 0);
    bytes.map(|bytes| bytes / 1_000_000_000).into()
}

static ATTRIBUTES: &[Attribute] = &[
    row(
        "intuneDeviceId",
        "Intune Device ID",
        Text,
        AttributeSource::Identity("id"),
        Always,
        "The device's id in Intune. Assets recognises the object by it.",
    ),
    row("deviceName", "Device Name", Text, AttributeSource::Label, Always, "The name of the device."),
    property("serialNumber", "Serial Number", Text, Default, "Serial number."),
    property("manufacturer", "Manufacturer", Text, Default, "Manufacturer."),
    property("model", "Model", Text, Default, "Model."),
    property("operatingSystem", "Operating System", Text, Default, "Operating system."),
    property("osVersion", "Version", Text, Default, "Version of the operating system."),
    property(
        "complianceState",
        "Compliance",
        Text,
        Default,
        "compliant, noncompliant, inGracePeriod, conflict, error, configManager or unknown.",
    ),
    property("isEncrypted", "Encrypted", Boolean, Default, "Whether the device is encrypted."),
    property("lastSyncDateTime", "Last Sync", DateTime, Default, "When the device last synchronised with Intune."),
    property("enrolledDateTime", "Enrolled", DateTime, Default, "When the device was enrolled."),
    property("managedDeviceOwnerType", "Ownership", Text, Default, "company, personal or unknown."),
    link("primaryUser", "Primary User", Link::one("userId", ObjectType::Users), "The user of the device."),
    link(
        "device",
        "Device",
        Link::Same { property: "azureADDeviceId", target: ObjectType::Devices, theirs: "deviceId" },
        "The device in the directory.",
    ),
    property("managementAgent", "Management Agent", Text, OnRequest, "The channel that manages the device."),
    property("deviceEnrollmentType", "Enrollment Type", Text, OnRequest, "How the device was enrolled."),
    property("deviceCategoryDisplayName", "Category", Text, OnRequest, "Category given by Intune."),
    property("isSupervised", "Supervised", Boolean, OnRequest, "Whether an Apple device is supervised."),
    property(
        "jailBroken",
        "Jail-broken",
        Text,
        OnRequest,
        "Whether the device is rooted or jail-broken: True, False or Unknown.",
    ),
    property("azureADDeviceId", "Device ID", Text, OnRequest, "The id that the device registered with."),
    property("userPrincipalName", "User Principal Name", Text, OnRequest, "The sign-in name of the user."),
    property("imei", "IMEI", Text, OnRequest, "IMEI."),
    property("meid", "MEID", Text, OnRequest, "MEID."),
    property("phoneNumber", "Phone Number", Text, OnRequest, "Phone number."),
    property("wiFiMacAddress", "Wi-Fi MAC", Text, OnRequest, "MAC address of the wireless network."),
    property("ethernetMacAddress", "Ethernet MAC", Text, OnRequest, "MAC address of the wired network."),
    row(
        "totalStorage",
        "Storage (GB)",
        Integer,
        AttributeSource::Derived(&["totalStorageSpaceInBytes"], storage),
        OnRequest,
        "Size of its storage in gigabytes.",
    ),
    property("notes", "Notes", Textarea, OnRequest, "Notes of an administrator."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn storage_is_counted_in_gigabytes() {
        let of = |bytes: Value| storage(json!({"totalStorageSpaceInBytes": bytes}).as_object().unwrap());
        assert_eq!(
            (of(json!(512_110_190_592_i64)), of(json!(0)), of(Value::Null)),
            (json!(512), Value::Null, Value::Null)
        );
    }
}
