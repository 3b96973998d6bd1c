//! The types that the table of cases is about: each with a change, and a way to take nearly all objects away.

use super::*;

const SKUS: &str = "subscribedSkus";
const PLANS: &str = "subscribedSkus/servicePlans";
const ORGANIZATION: &str = "organization";

/// One of the types.
pub struct Kind {
    pub object_type: ObjectType,
    /// Where its objects come from.
    pub path: &'static str,
    pub permission: &'static str,
    /// Another type, which goes on whatever becomes of this one.
    pub companion: ObjectType,
    /// Changes an object and takes another away.
    pub change: fn(&World) -> Changed,
    /// Takes nearly all objects away.
    pub empty: fn(&World),
}

/// What was changed, by labels.
pub struct Changed {
    pub label: String,
    /// The attribute that has this value now.
    pub attribute: &'static str,
    pub value: &'static str,
    /// Nothing, where there is only one object.
    pub gone: Option<String>,
}

const MOVED: &str = "Moved to the second floor";

/// Changes the first record of a list, and deletes the second.
fn change_records(world: &World, path: &'static str, property: &'static str, attribute: &'static str) -> Changed {
    let name = |record: &Record| match record.text("displayName") {
        "" => record.text("deviceName").to_owned(),
        name => name.to_owned(),
    };
    let (first, second) = (&records(world, path)[0], &records(world, path)[1]);
    world.graph.change(|directory| {
        let text = Map::from_iter([(property.to_owned(), json!(MOVED))]);
        assert!(directory.set_record(path, first.id, text) && directory.delete_record(path, second.id));
    });
    Changed { label: name(first), attribute, value: MOVED, gone: Some(name(second)) }
}

fn empty_records(world: &World, path: &'static str) {
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.records(path).iter().map(|record| record.id).collect();
        ids.iter().skip(1).for_each(|id| assert!(directory.delete_record(path, *id)));
    });
}

/// Gives the application with hundreds of secrets these.
fn set_secrets(world: &World, change: impl FnOnce(&mut Vec<Value>)) {
    let backup = named(world, APPLICATIONS, "Backup runner");
    let mut secrets = backup.properties["passwordCredentials"].as_array().unwrap().clone();
    change(&mut secrets);
    let changed = Map::from_iter([("passwordCredentials".to_owned(), json!(secrets))]);
    assert!(world.graph.change(|directory| directory.set_record(APPLICATIONS, backup.id, changed)));
}

fn change_credentials(world: &World) -> Changed {
    set_secrets(world, |secrets| {
        secrets[3]["hint"] = json!("moved");
        secrets.remove(6);
    });
    Changed {
        label: "Backup runner: secret 4".to_owned(),
        attribute: "Hint",
        value: "moved",
        gone: Some("Backup runner: secret 7".to_owned()),
    }
}

fn change_plans(world: &World) -> Changed {
    let (first, second) = (&records(world, PLANS)[0], &records(world, PLANS)[1]);
    world.graph.change(|directory| {
        let changed = Map::from_iter([("appliesTo".to_owned(), json!("Company"))]);
        assert!(directory.set_record(PLANS, first.id, changed) && directory.delete_record(PLANS, second.id));
    });
    let name = |plan: &Record| plan.text("servicePlanName").to_owned();
    Changed { label: name(first), attribute: "Applies To", value: "Company", gone: Some(name(second)) }
}

fn change_tenant(world: &World) -> Changed {
    let changed = Map::from_iter([("countryLetterCode".to_owned(), json!("PT"))]);
    assert!(world.graph.change(|directory| directory.set_record(ORGANIZATION, Uuid::nil(), changed)));
    let label = world.assets.objects("Entra Tenant").remove(0).label;
    Changed { label, attribute: "Country", value: "PT", gone: None }
}

/// The label in Assets of the object with an id.
fn label_of(world: &World, object_type: ObjectType, id: Uuid) -> String {
    let all = world.assets.objects(object_type.spec().type_name);
    let is_it = |object: &&AssetsObject| {
        let values = &object.values;
        ["Object ID", "SKU ID"].iter().filter_map(|name| values.get(*name)).any(|ids| *ids == [id.to_string()])
    };
    let label = all.iter().find(is_it).unwrap().label.clone();
    assert_eq!(all.iter().filter(|object| object.label == label).count(), 1, "{label}");
    label
}

/// Changes one object of the directory, and deletes another.
fn change_objects(
    world: &World,
    object_type: ObjectType,
    (changed, gone): (Uuid, Uuid),
    property: &str,
    attribute: &'static str,
) -> Changed {
    let (label, gone_label) = (label_of(world, object_type, changed), label_of(world, object_type, gone));
    world.graph.change(|directory| {
        directory.update(changed, Map::from_iter([(property.to_owned(), json!(MOVED))])).unwrap();
        directory.delete(gone).unwrap();
    });
    Changed { label, attribute, value: MOVED, gone: Some(gone_label) }
}

fn live_users(world: &World) -> Vec<Uuid> {
    world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect())
}

fn live_groups(world: &World) -> Vec<Uuid> {
    world.graph.read(|directory| directory.live_groups().map(|(_, group)| group.id).collect())
}

fn devices(world: &World) -> Vec<Uuid> {
    world.graph.read(|directory| directory.devices.iter().map(|device| device.id).collect())
}

/// Deletes all but the first.
fn delete_others(world: &World, ids: &[Uuid]) {
    world.graph.change(|directory| ids.iter().skip(1).for_each(|id| directory.delete(*id).unwrap()));
}

fn change_licenses(world: &World) -> Changed {
    let (first, second) = (records(world, SKUS)[0].id, records(world, SKUS)[1].id);
    let label = |id: Uuid| label_of(world, ObjectType::Licenses, id);
    let changed =
        Changed { label: label(first), attribute: "Consumed Units", value: "4711", gone: Some(label(second)) };
    world.graph.change(|directory| {
        let consumed = Map::from_iter([("consumedUnits".to_owned(), json!(4711))]);
        assert!(directory.set_record(SKUS, first, consumed) && directory.delete_record(SKUS, second));
    });
    changed
}

/// Gives these users a department.
fn set_department(world: &World, users: &[Uuid], department: &str) {
    let properties = Map::from_iter([("department".to_owned(), json!(department))]);
    world.graph.change(|directory| users.iter().for_each(|id| directory.update(*id, properties.clone()).unwrap()));
}

/// All users of a department get another, which is new.
fn change_departments(world: &World) -> Changed {
    let gone = objects(world, ObjectType::Departments).into_keys().next().unwrap();
    let all = world.assets.objects("Entra User");
    let of_it = all.iter().filter(|user| user.values.get("Department").is_some_and(|of| of[..] == [gone.clone()]));
    let users: Vec<Uuid> = of_it.map(|user| Uuid::parse_str(&user.values["Object ID"][0]).unwrap()).collect();
    set_department(world, &users, MOVED);
    Changed { label: MOVED.to_owned(), attribute: "Name", value: MOVED, gone: Some(gone) }
}

pub const KINDS: [Kind; 13] = [
    Kind {
        object_type: ObjectType::Users,
        path: "users",
        permission: "User.Read.All",
        companion: ObjectType::Groups,
        change: |world| {
            let users = live_users(world);
            change_objects(world, ObjectType::Users, (users[3], users[7]), "jobTitle", "Job Title")
        },
        empty: |world| delete_others(world, &live_users(world)),
    },
    Kind {
        object_type: ObjectType::Groups,
        path: "groups",
        permission: "GroupMember.Read.All",
        companion: ObjectType::Users,
        change: |world| {
            let groups = live_groups(world);
            change_objects(world, ObjectType::Groups, (groups[3], groups[7]), "description", "Description")
        },
        empty: |world| delete_others(world, &live_groups(world)),
    },
    Kind {
        object_type: ObjectType::Licenses,
        path: SKUS,
        permission: "LicenseAssignment.Read.All",
        companion: ObjectType::Users,
        change: change_licenses,
        empty: |world| empty_records(world, SKUS),
    },
    Kind {
        object_type: ObjectType::Devices,
        path: "devices",
        permission: "Device.Read.All",
        companion: ObjectType::Users,
        change: |world| {
            let devices = devices(world);
            change_objects(world, ObjectType::Devices, (devices[3], devices[7]), "operatingSystemVersion", "Version")
        },
        empty: |world| delete_others(world, &devices(world)),
    },
    // The other values of users differ from it in the property alone.
    Kind {
        object_type: ObjectType::Departments,
        path: "users",
        permission: "User.Read.All",
        companion: ObjectType::Groups,
        change: change_departments,
        empty: |world| set_department(world, &live_users(world), MOVED),
    },
    Kind {
        object_type: ObjectType::Applications,
        path: APPLICATIONS,
        permission: "Application.Read.All",
        companion: ObjectType::Users,
        change: |world| change_records(world, APPLICATIONS, "notes", "Notes"),
        empty: |world| empty_records(world, APPLICATIONS),
    },
    Kind {
        object_type: ObjectType::AppCredentials,
        path: APPLICATIONS,
        permission: "Application.Read.All",
        companion: ObjectType::Users,
        change: change_credentials,
        empty: |world| set_secrets(world, Vec::clear),
    },
    Kind {
        object_type: ObjectType::ServicePrincipals,
        path: PRINCIPALS,
        permission: "Application.Read.All",
        companion: ObjectType::Users,
        change: |world| change_records(world, PRINCIPALS, "notes", "Notes"),
        empty: |world| empty_records(world, PRINCIPALS),
    },
    Kind {
        object_type: ObjectType::Roles,
        path: ROLES,
        permission: "RoleManagement.Read.Directory",
        companion: ObjectType::Users,
        change: |world| change_records(world, ROLES, "description", "Description"),
        empty: |world| empty_records(world, ROLES),
    },
    Kind {
        object_type: ObjectType::AdministrativeUnits,
        path: UNITS,
        permission: "AdministrativeUnit.Read.All",
        companion: ObjectType::Users,
        change: |world| change_records(world, UNITS, "description", "Description"),
        empty: |world| empty_records(world, UNITS),
    },
    Kind {
        object_type: ObjectType::IntuneDevices,
        path: MANAGED,
        permission: "DeviceManagementManagedDevices.Read.All",
        companion: ObjectType::Users,
        change: |world| change_records(world, MANAGED, "notes", "Notes"),
        empty: |world| empty_records(world, MANAGED),
    },
    Kind {
        object_type: ObjectType::ServicePlans,
        path: "subscribedSkus",
        permission: "LicenseAssignment.Read.All",
        companion: ObjectType::Users,
        change: change_plans,
        empty: |world| empty_records(world, PLANS),
    },
    Kind {
        object_type: ObjectType::Tenants,
        path: ORGANIZATION,
        // What reads users reads the tenant too, so Graph has to refuse it itself.
        permission: "",
        companion: ObjectType::Users,
        change: change_tenant,
        empty: |_| {},
    },
];
