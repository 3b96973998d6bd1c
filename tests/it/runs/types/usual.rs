//! What one user, group, device, licence and value of users looks like in Assets: every attribute, its kind and its value.

use super::values::{Expected, check, none, row};
use super::*;
use entra_assets::sim::seed::words::SKUS;

/// Graph's name of a property, and the attribute's.
type Named = (&'static str, &'static str);
type Rows = Vec<(String, Vec<String>)>;

const TIME: &str = "2026-03-04T05:06:07Z";

/// An object with a value in every property, as Graph has it, and as it has to arrive.
#[derive(Default)]
struct Object {
    properties: Map<String, Value>,
    rows: Rows,
}

impl Object {
    fn set(&mut self, property: &str, value: Value, rows: impl IntoIterator<Item = (String, Vec<String>)>) {
        self.properties.insert(property.to_owned(), value);
        self.rows.extend(rows);
    }

    fn texts(mut self, names: &[Named]) -> Self {
        for (property, name) in names {
            let text = format!("one {property}");
            self.set(property, json!(text), [row(name, [text.clone()])]);
        }
        self
    }

    /// The first is true, the second false, and so on.
    fn booleans(mut self, names: &[Named]) -> Self {
        for (n, (property, name)) in names.iter().enumerate() {
            let is_true = n.is_multiple_of(2);
            self.set(property, json!(is_true), [row(name, [is_true.to_string()])]);
        }
        self
    }

    fn times(mut self, names: &[Named]) -> Self {
        for (property, name) in names {
            self.set(property, json!(TIME), [row(name, [TIME])]);
        }
        self
    }

    fn lists(mut self, names: &[Named]) -> Self {
        for (property, name) in names {
            let items = [format!("first {property}"), format!("second {property}")];
            self.set(property, json!(items), [row(name, [items.join(", ")])]);
        }
        self
    }

    fn extension_attributes(mut self, property: &str) -> Self {
        let value = |n: u8| format!("value {n}");
        let values: Map<String, Value> =
            (1..=15).map(|n| (format!("extensionAttribute{n}"), json!(value(n)))).collect();
        let rows: Rows = (1..=15).map(|n| row(&format!("Extension Attribute {n}"), [value(n)])).collect();
        self.set(property, Value::Object(values), rows);
        self
    }

    /// What every object has.
    fn finish(mut self, world: &World) -> Rows {
        let tenant = world.graph.default_credentials().tenant_id;
        self.rows.extend([row("Tenant ID", [tenant]), row("Lifecycle", ["Active"]), none("Removed On")]);
        self.rows
    }
}

fn user_object() -> Object {
    let mut user = Object::default()
        .texts(&[
            ("displayName", "Display Name"),
            ("userPrincipalName", "User Principal Name"),
            ("mail", "Mail"),
            ("givenName", "Given Name"),
            ("surname", "Surname"),
            ("jobTitle", "Job Title"),
            ("department", "Department"),
            ("companyName", "Company"),
            ("officeLocation", "Office"),
            ("city", "City"),
            ("state", "State"),
            ("country", "Country"),
            ("usageLocation", "Usage Location"),
            ("employeeId", "Employee ID"),
            ("employeeType", "Employee Type"),
            ("mobilePhone", "Mobile Phone"),
            ("userType", "User Type"),
            ("mailNickname", "Mail Nickname"),
            ("faxNumber", "Fax Number"),
            ("streetAddress", "Street Address"),
            ("postalCode", "Postal Code"),
            ("preferredLanguage", "Preferred Language"),
            ("preferredDataLocation", "Preferred Data Location"),
            ("ageGroup", "Age Group"),
            ("creationType", "Creation Type"),
            ("externalUserState", "External User State"),
            ("onPremisesSamAccountName", "SAM Account Name"),
            ("onPremisesDistinguishedName", "Distinguished Name"),
            ("onPremisesDomainName", "On-premises Domain"),
            ("onPremisesUserPrincipalName", "On-premises User Principal Name"),
            ("onPremisesImmutableId", "On-premises Immutable ID"),
            ("onPremisesSecurityIdentifier", "On-premises Security Identifier"),
            ("securityIdentifier", "Security Identifier"),
        ])
        .booleans(&[
            ("accountEnabled", "Account Enabled"),
            ("onPremisesSyncEnabled", "On-premises Sync"),
            ("isResourceAccount", "Resource Account"),
            ("showInAddressList", "In Address List"),
        ])
        .times(&[
            ("createdDateTime", "Created"),
            ("employeeHireDate", "Employee Hire Date"),
            ("externalUserStateChangeDateTime", "External User State Changed"),
            ("lastPasswordChangeDateTime", "Last Password Change"),
            ("signInSessionsValidFromDateTime", "Sessions Valid From"),
            ("onPremisesLastSyncDateTime", "On-premises Last Sync"),
        ])
        .lists(&[
            ("businessPhones", "Business Phones"),
            ("otherMails", "Other Mails"),
            ("proxyAddresses", "Proxy Addresses"),
            ("imAddresses", "IM Addresses"),
        ])
        .extension_attributes("onPremisesExtensionAttributes");
    let organization = json!({"costCenter": "one cost center", "division": "one division"});
    let rows = [row("Cost Center", ["one cost center"]), row("Division", ["one division"])];
    user.set("employeeOrgData", organization, rows);
    let sign_ins = json!({
        "lastSignInDateTime": "2026-03-01T00:00:00Z", "lastNonInteractiveSignInDateTime": "2026-03-02T00:00:00Z",
        "lastSuccessfulSignInDateTime": "2026-03-03T00:00:00Z",
    });
    let rows = [
        row("Last Sign-in", ["2026-03-01T00:00:00Z"]),
        row("Last Non-interactive Sign-in", ["2026-03-02T00:00:00Z"]),
        row("Last Successful Sign-in", ["2026-03-03T00:00:00Z"]),
    ];
    user.set("signInActivity", sign_ins, rows);
    user
}

fn group_object() -> Object {
    let mut group = Object::default()
        .texts(&[
            ("displayName", "Display Name"),
            ("description", "Description"),
            ("mail", "Mail"),
            ("membershipRule", "Membership Rule"),
            ("visibility", "Visibility"),
            ("mailNickname", "Mail Nickname"),
            ("classification", "Classification"),
            ("securityIdentifier", "Security Identifier"),
            ("membershipRuleProcessingState", "Membership Rule State"),
            ("preferredDataLocation", "Preferred Data Location"),
            ("preferredLanguage", "Preferred Language"),
            ("theme", "Theme"),
            ("uniqueName", "Unique Name"),
            ("onPremisesSamAccountName", "SAM Account Name"),
            ("onPremisesDomainName", "On-premises Domain"),
            ("onPremisesSecurityIdentifier", "On-premises Security Identifier"),
        ])
        .booleans(&[
            ("onPremisesSyncEnabled", "On-premises Sync"),
            ("isAssignableToRole", "Assignable to Role"),
            ("mailEnabled", "Mail Enabled"),
            ("securityEnabled", "Security Enabled"),
        ])
        .times(&[
            ("createdDateTime", "Created"),
            ("expirationDateTime", "Expires"),
            ("renewedDateTime", "Renewed"),
            ("onPremisesLastSyncDateTime", "On-premises Last Sync"),
        ])
        .lists(&[("proxyAddresses", "Proxy Addresses")]);
    let rows = [row("Group Kind", ["Microsoft 365"]), row("Membership", ["Dynamic"])];
    group.set("groupTypes", json!(["Unified", "DynamicMembership"]), rows);
    group.set("resourceProvisioningOptions", json!(["Team"]), [row("Teams", ["true"])]);
    group
}

fn device_object() -> Object {
    Object::default()
        .texts(&[
            ("displayName", "Display Name"),
            ("operatingSystem", "Operating System"),
            ("operatingSystemVersion", "Version"),
            ("trustType", "Trust Type"),
            ("deviceId", "Device ID"),
            ("manufacturer", "Manufacturer"),
            ("model", "Model"),
            ("deviceOwnership", "Ownership"),
            ("deviceCategory", "Category"),
            ("enrollmentType", "Enrollment Type"),
            ("managementType", "Management Type"),
            ("profileType", "Profile Type"),
        ])
        .booleans(&[
            ("isCompliant", "Compliant"),
            ("isManaged", "Managed"),
            ("accountEnabled", "Account Enabled"),
            ("isRooted", "Rooted"),
            ("onPremisesSyncEnabled", "On-premises Sync"),
        ])
        .times(&[
            ("approximateLastSignInDateTime", "Last Sign-in"),
            ("registrationDateTime", "Registered"),
            ("complianceExpirationDateTime", "Compliance Expires"),
            ("onPremisesLastSyncDateTime", "On-premises Last Sync"),
        ])
        .extension_attributes("extensionAttributes")
}

/// The values of users: the type, and what the user has.
const VALUES: [(ObjectType, &str, &str); 7] = [
    (ObjectType::Departments, "Department Object", "one department"),
    (ObjectType::Companies, "Company Object", "one companyName"),
    (ObjectType::Offices, "Office Object", "one officeLocation"),
    (ObjectType::Cities, "City Object", "one city"),
    (ObjectType::Countries, "Country Object", "one country"),
    (ObjectType::CostCenters, "Cost Center Object", "one cost center"),
    (ObjectType::JobTitles, "Job Title Object", "one jobTitle"),
];

/// Every attribute of every type.
fn all_attributes() -> Value {
    let choice = |object_type: ObjectType| {
        let keys: Vec<&str> = attributes(object_type).iter().map(|attribute| attribute.key.as_ref()).collect();
        (object_type.to_string(), json!({"attributes": keys}))
    };
    Value::Object(ObjectType::ALL.into_iter().map(choice).collect())
}

/// The groups that a user is in, and with these the groups above.
fn groups_of(world: &World, user: Uuid) -> (Vec<String>, Vec<String>) {
    let (direct, nested) = world
        .graph
        .read(|directory| (directory.member_edges(ObjectKind::User), directory.member_edges(ObjectKind::Group)));
    let own: BTreeSet<Uuid> = direct.iter().filter(|(_, of)| *of == user).map(|(group, _)| *group).collect();
    let mut all = own.clone();
    loop {
        let above: Vec<Uuid> = nested.iter().filter(|(_, of)| all.contains(of)).map(|(group, _)| *group).collect();
        let before = all.len();
        all.extend(above);
        if all.len() == before {
            let texts = |ids: BTreeSet<Uuid>| ids.iter().map(Uuid::to_string).collect();
            return (texts(own), texts(all));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_the_usual_types_arrives_with_its_type_and_value() {
    let world = World::following(SEED).await;
    let permissions: Vec<&str> = PERMISSIONS.into_iter().chain(["AuditLog.Read.All"]).collect();
    world.graph.set_roles(Scenario::Healthy, &permissions);
    let (sku, plan) = (SKUS[0].id, SKUS[0].plans[0].0);
    let (mut user, mut group, mut device) = (user_object(), group_object(), device_object());
    let (user_id, group_id, device_id, parent, manager, owner) = world.graph.change(|directory| {
        let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
        let is_plain = |group: &entra_assets::sim::seed::Group| group.kind == GroupKind::Security && group.skus == 0;
        let groups: Vec<Uuid> = directory.live_groups().filter(|(_, g)| is_plain(g)).map(|(_, g)| g.id).collect();
        let owned = directory.devices.iter().find(|device| device.owner.is_some()).unwrap();
        let (device, owner) = (owned.id, directory.users[owned.owner.unwrap() as usize].id);
        // What is there already may stay.
        let _ = directory.set_manager(users[5], Some(users[8]));
        let _ = directory.add_member(groups[0], users[5]);
        let _ = directory.add_member(groups[1], groups[0]);
        let _ = directory.add_owner(groups[0], users[9]);
        (users[5], groups[0], device, groups[1], users[8], owner)
    });
    let licensed = json!([{"skuId": sku, "disabledPlans": [plan]}]);
    let states = json!([{"skuId": sku, "assignedByGroup": group_id, "state": "Error", "error": "CountViolation"}]);
    let (direct, all) = groups_of(&world, user_id);
    let rows = [row("Licenses", [sku.to_string()]), row("Disabled Plans", [plan.to_string()])];
    user.set("assignedLicenses", licensed.clone(), rows);
    let rows =
        [row("Licensing Groups", [group_id.to_string()]), row("License Errors", [format!("{sku}: CountViolation")])];
    user.set("licenseAssignmentStates", states, rows);
    user.rows.extend([
        row("Object ID", [user_id.to_string()]),
        row("Manager", [manager.to_string()]),
        row("Groups", direct),
        row("All Groups", all),
    ]);
    group.set("assignedLicenses", licensed, [row("Licenses", [sku.to_string()])]);
    let edges = |edges: Vec<(Uuid, Uuid)>| -> Vec<String> {
        edges.into_iter().filter(|(of, _)| *of == group_id).map(|(_, id)| id.to_string()).collect()
    };
    let (members, owners) =
        world.graph.read(|directory| (directory.member_edges(ObjectKind::User), directory.owner_edges()));
    let nested = world.graph.read(|directory| directory.member_edges(ObjectKind::Group));
    let parents = nested.into_iter().filter(|(_, of)| *of == group_id).map(|(parent, _)| parent.to_string());
    let parents: Vec<String> = parents.collect();
    assert!(parents.contains(&parent.to_string()));
    group.rows.extend([
        row("Object ID", [group_id.to_string()]),
        row("Members", edges(members)),
        row("Owners", edges(owners)),
        row("Parent Groups", parents),
    ]);
    device.rows.extend([
        row("Object ID", [device_id.to_string()]),
        row("Owners", [owner.to_string()]),
        row("Registered Users", [owner.to_string()]),
    ]);
    let license = json!({
        "capabilityStatus": "Warning", "consumedUnits": 7, "appliesTo": "User",
        "prepaidUnits": {"enabled": 10, "warning": 2, "suspended": 3, "lockedOut": 1},
    });
    world.graph.change(|directory| {
        for (id, object) in [(user_id, &user), (group_id, &group), (device_id, &device)] {
            directory.update(id, object.properties.clone()).unwrap();
        }
        assert!(directory.set_record("subscribedSkus", sku, license.as_object().unwrap().clone()));
    });
    let job = world.add_job_with(all_attributes()).await;
    world.set_job("memberships = 'both'").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);

    let value_id = |of: ObjectType, label: &str| found(&world, of, label).values.remove("Value ID").unwrap().remove(0);
    user.rows.extend(VALUES.into_iter().map(|(of, attribute, label)| row(attribute, [value_id(of, label)])));
    let plans = SKUS[0].plans.iter().map(|(id, _)| id.to_string());
    let mut sku_object = Object::default();
    sku_object.rows.extend([
        row("SKU ID", [sku.to_string()]),
        row("Name", ["Microsoft 365 E3"]),
        row("Part Number", ["SPE_E3"]),
        row("Status", ["Warning"]),
        row("Enabled Units", ["10"]),
        row("Consumed Units", ["7"]),
        row("Available Units", ["5"]),
        row("Warning Units", ["2"]),
        row("Suspended Units", ["3"]),
        row("Locked Out Units", ["1"]),
        row("Service Plans", plans),
        row("Applies To", ["User"]),
    ]);
    let mut table: Vec<Expected> = vec![
        (ObjectType::Users, "one displayName".to_owned(), user.finish(&world)),
        (ObjectType::Groups, "one displayName".to_owned(), group.finish(&world)),
        (ObjectType::Licenses, "Microsoft 365 E3".to_owned(), sku_object.finish(&world)),
        (ObjectType::Devices, "one displayName".to_owned(), device.finish(&world)),
    ];
    table.extend(VALUES.into_iter().map(|(of, _, label)| {
        let value = Object { rows: vec![none("Value ID"), row("Name", [label])], ..Object::default() };
        (of, label.to_owned(), value.finish(&world))
    }));
    check(&world, table);
}
