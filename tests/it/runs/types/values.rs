//! What one object of each type looks like in Assets: every attribute, its kind and its value.

use super::*;
use entra_assets::directory::{Item, ValueType};

/// `name` has these values, in any order.
pub fn row(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> (String, Vec<String>) {
    let mut values: Vec<String> = values.into_iter().map(Into::into).collect();
    values.sort();
    (name.to_owned(), values)
}

pub fn none(name: &str) -> (String, Vec<String>) {
    (name.to_owned(), Vec::new())
}

/// Owners or members that a record has of one type.
fn related(record: &Record, relation: &str, kind: &str) -> Vec<String> {
    let kind = format!("#microsoft.graph.{kind}");
    record.relations[relation].iter().filter(|(of, _)| *of == kind).map(|(_, id)| id.to_string()).collect()
}

/// What an object has to look like: its type, its label, and every attribute.
pub type Expected = (ObjectType, String, Vec<(String, Vec<String>)>);

/// Ids that are made here: it is enough that there is one.
const OWN_IDS: [&str; 2] = ["Credential ID", "Value ID"];

/// What one object of each type has to look like.
fn expected(world: &World) -> Vec<Expected> {
    let printer = named(world, APPLICATIONS, "Badge printer");
    let principal =
        records(world, PRINCIPALS).into_iter().find(|of| of.text("appId") == printer.text("appId")).unwrap();
    let secret = &printer.properties["passwordCredentials"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let saml = named(world, PRINCIPALS, "Expense portal");
    let helpdesk = named(world, ROLES, "Helpdesk Administrator");
    let unit = named(world, UNITS, "Lisbon branch");
    let managed = records(world, MANAGED).remove(0);
    let (sku, tenant) = (entra_assets::sim::seed::words::SKUS[0].plans[0], world.graph.default_credentials().tenant_id);
    let domain = Scenario::Healthy.domain();
    let (device, group) = world.graph.read(|directory| (directory.devices[0].id, directory.groups[1].id));
    vec![
        (
            ObjectType::Applications,
            "Badge printer".to_owned(),
            vec![
                row("Object ID", [printer.id.to_string()]),
                row("Display Name", ["Badge printer"]),
                row("Application ID", [printer.text("appId")]),
                row("Created", [printer.text("createdDateTime")]),
                row("Sign-in Audience", ["AzureADMyOrg"]),
                row("Publisher Domain", ["contoso.example"]),
                row("Credentials", ["1"]),
                row("First Expiry", [text(&secret["endDateTime"])]),
                row("Credential Status", ["Expires soon"]),
                row("Owners", related(&printer, "owners", "user")),
                row("Service Principal", [principal.id.to_string()]),
                none("Description"),
                none("Notes"),
                none("Service Management Reference"),
                row("Identifier URIs", [format!("api://{}", printer.text("appId"))]),
                none("Tags"),
                row("Public Client", ["false"]),
                none("Disabled by Microsoft"),
                row("Home Page", ["https://app1.contoso.example"]),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::AppCredentials,
            "Badge printer: secret 1".to_owned(),
            vec![
                none("Credential ID"),
                row("Name", ["Badge printer: secret 1"]),
                row("Kind", ["Secret"]),
                row("Key ID", [text(&secret["keyId"])]),
                row("Hint", ["q7P"]),
                row("Starts", [text(&secret["startDateTime"])]),
                row("Expires", [text(&secret["endDateTime"])]),
                row("Status", ["Expires soon"]),
                row("Application", [printer.id.to_string()]),
                none("Usage"),
                none("Type"),
                none("Custom Key Identifier"),
                none("Issuer"),
                none("Subject"),
                none("Audiences"),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::ServicePrincipals,
            "Expense portal".to_owned(),
            vec![
                row("Object ID", [saml.id.to_string()]),
                row("Display Name", ["Expense portal"]),
                row("Application ID", [saml.text("appId")]),
                row("Kind", ["Application"]),
                row("Account Enabled", ["true"]),
                row("Assignment Required", ["true"]),
                row("Single Sign-on", ["saml"]),
                row("SAML Certificate Expires", [text(&saml.properties["keyCredentials"][0]["endDateTime"])]),
                row("SAML Certificate Status", ["Expires soon"]),
                row("Publisher", ["Litware"]),
                none("Owners"),
                none("Application"),
                row("Publisher Tenant ID", [saml.text("appOwnerOrganizationId")]),
                row("Application Name", ["Expense portal"]),
                none("Description"),
                none("Notes"),
                none("Home Page"),
                none("Sign-on URL"),
                row("Sign-in Audience", ["AzureADMyOrg"]),
                row("Tags", ["WindowsAzureActiveDirectoryIntegratedApp"]),
                none("Notification Mails"),
                row("Service Principal Names", [saml.text("appId")]),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::Roles,
            "Helpdesk Administrator".to_owned(),
            vec![
                row("Object ID", [helpdesk.id.to_string()]),
                row("Display Name", ["Helpdesk Administrator"]),
                row("Description", [helpdesk.text("description")]),
                row("Built-in", ["true"]),
                row("Enabled", ["true"]),
                row("Privileged", ["true"]),
                none("Members"),
                row("Member Groups", [group.to_string()]),
                none("Member Service Principals"),
                row("Template ID", [helpdesk.id.to_string()]),
                row("Version", ["1"]),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::AdministrativeUnits,
            "Lisbon branch".to_owned(),
            vec![
                row("Object ID", [unit.id.to_string()]),
                row("Display Name", ["Lisbon branch"]),
                row("Description", ["Lisbon branch and its people"]),
                row("Restricted Management", ["false"]),
                row("Membership", ["Assigned"]),
                none("Membership Rule"),
                row("Members", related(&unit, "members", "user")),
                row("Member Groups", related(&unit, "members", "group")),
                row("Member Devices", related(&unit, "members", "device")),
                none("Visibility"),
                none("Rule Processing"),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::IntuneDevices,
            managed.text("deviceName").to_owned(),
            vec![
                row("Intune Device ID", [managed.id.to_string()]),
                row("Device Name", [managed.text("deviceName")]),
                row("Serial Number", [managed.text("serialNumber")]),
                row("Manufacturer", [managed.text("manufacturer")]),
                row("Model", [managed.text("model")]),
                row("Operating System", [managed.text("operatingSystem")]),
                row("Version", [managed.text("osVersion")]),
                row("Compliance", ["compliant"]),
                row("Encrypted", ["true"]),
                row("Last Sync", [managed.text("lastSyncDateTime")]),
                row("Enrolled", [managed.text("enrolledDateTime")]),
                row("Ownership", ["company"]),
                row("Primary User", [managed.text("userId")]),
                row("Device", [device.to_string()]),
                row("Management Agent", ["mdm"]),
                row("Enrollment Type", ["windowsAzureADJoin"]),
                row("Category", ["Unknown"]),
                row("Supervised", [(managed.text("operatingSystem") == "iOS").to_string()]),
                row("Jail-broken", ["False"]),
                row("Device ID", [managed.text("azureADDeviceId")]),
                none("User Principal Name"),
                none("IMEI"),
                none("MEID"),
                none("Phone Number"),
                row("Wi-Fi MAC", [managed.text("wiFiMacAddress")]),
                none("Ethernet MAC"),
                row("Storage (GB)", ["512"]),
                none("Notes"),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::ServicePlans,
            sku.1.to_owned(),
            vec![
                row("Service Plan ID", [sku.0.to_string()]),
                row("Name", [sku.1]),
                row("Applies To", ["User"]),
                row("Tenant ID", [tenant.clone()]),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
        (
            ObjectType::Tenants,
            "Contoso (healthy)".to_owned(),
            vec![
                row("Tenant ID", [tenant]),
                row("Display Name", ["Contoso (healthy)"]),
                row("Default Domain", [domain.clone()]),
                row("Initial Domain", [domain.clone()]),
                row("Domains", [domain]),
                row("Tenant Type", ["AAD"]),
                row("Country", ["GB"]),
                row("Created", ["2018-01-01T00:00:00Z"]),
                row("On-premises Sync", ["true"]),
                none("Technical Notification Mails"),
                row("Lifecycle", ["Active"]),
                none("Removed On"),
            ],
        ),
    ]
}

/// The name of a type of Assets for the type of a value.
fn kind(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Reference => "referenced_object",
        other => other.as_str(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_every_type_arrives_with_its_type_and_value() {
    let (world, _) = delivered().await;
    let table = expected(&world);
    check(&world, table);
}

/// `usual` has the types that a job imports by default, devices, and the values of users.
fn is_usual(of: ObjectType) -> bool {
    of.spec().is_default || of == ObjectType::Devices || matches!(of.spec().collection.item, Item::Values)
}

/// Compares objects in Assets with what they have to look like. The table has all
/// usual types if its first type is one, and all others if not.
pub fn check(world: &World, table: Vec<Expected>) {
    let covered: BTreeSet<ObjectType> = table.iter().map(|(object_type, ..)| *object_type).collect();
    let first_is_usual = table.first().map(|(object_type, ..)| is_usual(*object_type));
    let all: BTreeSet<ObjectType> =
        ObjectType::ALL.into_iter().filter(|of| Some(is_usual(*of)) == first_is_usual).collect();
    assert_eq!(covered, all, "every type is in a table");
    for (object_type, label, rows) in table {
        let names: BTreeSet<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
        let declared: BTreeSet<&str> =
            attributes(object_type).iter().map(|attribute| attribute.name.as_ref()).collect();
        assert_eq!(names, declared, "{object_type}: every attribute is in the table");
        let mut values: Values = found(world, object_type, &label).values;
        for own in OWN_IDS.into_iter().filter(|own| names.contains(own)) {
            assert_eq!(values.remove(own).map(|ids| ids.len()), Some(1), "{object_type} {own}");
        }
        for (name, wanted) in rows {
            let found = values.remove(&name).unwrap_or_default();
            assert_eq!(found, wanted, "{object_type} {label}: {name}");
        }
        // `Key`, `Created` and `Updated` are of Assets itself.
        let kinds = world.assets.attribute_kinds(object_type.spec().type_name);
        for attribute in attributes(object_type) {
            let of_assets = kinds.get(attribute.name.as_ref()).map(String::as_str);
            assert_eq!(of_assets, Some(kind(attribute.value_type)), "{object_type} {}", attribute.name);
        }
    }
}
