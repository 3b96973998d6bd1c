//! The object types beside users, groups, licences and devices: what arrives of each in Assets, and what becomes of each
//! when it changes, goes away, may not be read, is switched off, or the process dies.

use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::directory::ObjectType;
use entra_assets::directory::attributes::attributes;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsObject, AssetsOptions, EmptyValues};
use entra_assets::sim::graph::{Action, Fault, Feature, Scenario};
use entra_assets::sim::seed::{GroupKind, ObjectKind, Record, SeedOptions};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

mod cases;
mod dangling;
mod expansion;
mod filtered;
mod kinds;
mod security;
mod usual;
mod values;

const SEED: SeedOptions = SeedOptions { seed: 4, users: 60, groups: 24, memberships: Some(120), devices: Some(12) };

const APPLICATIONS: &str = "applications";
const PRINCIPALS: &str = "servicePrincipals";
const ROLES: &str = "roleManagement/directory/roleDefinitions";
const UNITS: &str = "directory/administrativeUnits";
const MANAGED: &str = "deviceManagement/managedDevices";

/// Everything that the types need.
pub const PERMISSIONS: [&str; 9] = [
    "User.Read.All",
    "GroupMember.Read.All",
    "LicenseAssignment.Read.All",
    "Member.Read.Hidden",
    "Device.Read.All",
    "Application.Read.All",
    "RoleManagement.Read.Directory",
    "AdministrativeUnit.Read.All",
    "DeviceManagementManagedDevices.Read.All",
];

fn grant_all_but(world: &World, lost: &str) {
    let left: Vec<&str> = PERMISSIONS.into_iter().filter(|name| *name != lost).collect();
    world.graph.set_roles(Scenario::Healthy, &left);
}

/// Every type, with every attribute of those that are off by default.
fn everything() -> Value {
    let choice = |object_type: ObjectType| {
        let keys: Vec<&str> = attributes(object_type).iter().map(|attribute| attribute.key.as_ref()).collect();
        let is_new = !object_type.spec().is_default && object_type != ObjectType::Devices;
        (object_type.to_string(), if is_new { json!({"attributes": keys}) } else { json!({}) })
    };
    Value::Object(ObjectType::ALL.into_iter().map(choice).collect())
}

async fn delivered() -> (World, JobId) {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let job = world.add_job_with(everything()).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    (world, job)
}

fn records(world: &World, path: &str) -> Vec<Record> {
    world.graph.read(|directory| directory.records(path).to_vec())
}

fn named(world: &World, path: &str, name: &str) -> Record {
    let is_named = |record: &Record| record.text("displayName") == name || record.text("deviceName") == name;
    records(world, path).into_iter().find(is_named).unwrap_or_else(|| panic!("{name} in {path}"))
}

fn objects(world: &World, object_type: ObjectType) -> BTreeMap<String, AssetsObject> {
    let all = world.assets.objects(object_type.spec().type_name).into_iter();
    all.map(|object| (object.label.clone(), object)).collect()
}

fn found(world: &World, object_type: ObjectType, label: &str) -> AssetsObject {
    let mut all = objects(world, object_type);
    all.remove(label).unwrap_or_else(|| panic!("{label} among {:?}", all.keys()))
}

fn user(world: &World, slot: usize) -> String {
    world.graph.read(|directory| directory.users[slot].id.to_string())
}

/// Values by the name of the attribute; an empty list is none.
type Values = BTreeMap<String, Vec<String>>;

fn state(run: &RunRow) -> &str {
    run.state.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_objects_of_every_type_arrive() {
    let (world, _) = delivered().await;
    let of_app = |of: fn(&Record) -> usize| records(&world, APPLICATIONS).iter().map(of).sum::<usize>();
    let credentials = of_app(|application| {
        let lists = ["passwordCredentials", "keyCredentials", "federatedIdentityCredentials"];
        lists.iter().map(|list| application.properties[*list].as_array().unwrap().len()).sum()
    });
    // The registration that the connection itself signs in with has a secret too, and stands beside Microsoft's own.
    let counts = world.assets.counts().objects;
    let of = |object_type: ObjectType| counts.get(object_type.spec().type_name).copied().unwrap_or(0);
    assert_eq!(of(ObjectType::Applications), records(&world, APPLICATIONS).len() + 1);
    assert_eq!(of(ObjectType::AppCredentials), credentials + 1);
    assert_eq!(of(ObjectType::ServicePrincipals), records(&world, PRINCIPALS).len() + 3);
    assert_eq!(of(ObjectType::Roles), records(&world, ROLES).len());
    assert_eq!(of(ObjectType::AdministrativeUnits), records(&world, UNITS).len());
    assert_eq!(of(ObjectType::IntuneDevices), records(&world, MANAGED).len());
    assert_eq!(of(ObjectType::Tenants), 1);
    assert!(of(ObjectType::ServicePlans) > 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_asks_for_each_type_as_often_as_its_file_says() {
    let (world, job) = delivered().await;
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.graph.requests() {
        let parts = request.path.split('/').filter(|part| !part.is_empty() && Uuid::parse_str(part).is_err()).skip(1);
        *asked.entry(parts.collect::<Vec<_>>().join("/")).or_default() += 1;
    }
    let (roles, units) = (records(&world, ROLES).len(), records(&world, UNITS).len());
    let wanted = [
        // One list for applications, another for their credentials.
        (APPLICATIONS, 2),
        // Of the one application with more owners than `$expand` shows.
        ("applications/owners", 1),
        (PRINCIPALS, 1),
        (ROLES, 1),
        ("roleManagement/directory/roleAssignments", roles),
        (UNITS, 1),
        ("directory/administrativeUnits/members", units),
        (MANAGED, 1),
        ("organization", 1),
        // One for licences, another for service plans.
        ("subscribedSkus", 2),
    ];
    for (path, times) in wanted {
        assert_eq!(asked.get(path).copied().unwrap_or(0), times, "{path}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_owners_than_expand_shows_and_hundreds_of_credentials_arrive_whole() {
    let (world, _) = delivered().await;
    let owners = |world: &World, name: &str| {
        found(world, ObjectType::Applications, name).values.remove("Owners").unwrap_or_default().len()
    };
    assert_eq!((owners(&world, "Build agent"), owners(&world, "Ticket bridge")), (21, 0));
    let backup = found(&world, ObjectType::Applications, "Backup runner").values;
    assert_eq!(backup["Credentials"], ["500"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_to_somebody_deleted_and_one_in_two_scopes_are_no_surprise() {
    let (world, _) = delivered().await;
    let members = |name: &str| found(&world, ObjectType::Roles, name).values.remove("Members").unwrap_or_default();
    assert_eq!(members("Reports Reader"), Vec::<String>::new());
    assert_eq!(members("User Administrator"), [user(&world, 3)]);
    let principal = records(&world, PRINCIPALS)[0].id.to_string();
    let administrators = found(&world, ObjectType::Roles, "Application Administrator").values;
    assert_eq!(administrators["Member Service Principals"], [principal]);
    assert_eq!(administrators["Members"], [user(&world, 2)]);
    let office = found(&world, ObjectType::Roles, "Badge office").values;
    assert_eq!((office.get("Privileged"), &office["Built-in"][..]), (None, &["false".to_owned()][..]));
    assert_eq!(found(&world, ObjectType::Roles, "Former project office").values["Lifecycle"], ["Disabled"]);
    let board = found(&world, ObjectType::AdministrativeUnits, "Board").values;
    assert_eq!(board["Restricted Management"], ["true"]);
    let lost = found(&world, ObjectType::IntuneDevices, records(&world, MANAGED)[1].text("deviceName")).values;
    assert_eq!(lost["Compliance"], ["noncompliant"]);
}

/// The days pass, and nothing changes in the directory: what expires says so in the next run, an incremental one too.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_expires_without_a_change_in_the_directory() {
    let (world, job) = delivered().await;
    let status = |world: &World| {
        let printer = found(world, ObjectType::AppCredentials, "Badge printer: secret 1").values.remove("Status");
        let export = found(world, ObjectType::AppCredentials, "Payroll export: secret 1").values.remove("Status");
        (printer.unwrap().remove(0), export.unwrap().remove(0))
    };
    assert_eq!(status(&world), ("Expires soon".to_owned(), "Expired".to_owned()));
    world.clock.advance(Duration::from_secs(3 * 86_400));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.counts["appCredentials"]["updated"], 0, "nothing expired: {}", run.counts);
    world.clock.advance(Duration::from_secs(10 * 86_400));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(status(&world), ("Expired".to_owned(), "Expired".to_owned()));
    assert_eq!(run.counts["appCredentials"]["updated"], 1, "{}", run.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_goes_is_marked_alone() {
    let (world, job) = delivered().await;
    world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1").await;
    let backup = named(&world, APPLICATIONS, "Backup runner");
    let mut secrets = backup.properties["passwordCredentials"].as_array().unwrap().clone();
    secrets.retain(|secret| secret["displayName"] != "secret 7");
    let fewer = Map::from_iter([("passwordCredentials".to_owned(), json!(secrets))]);
    assert!(world.graph.change(|directory| directory.set_record(APPLICATIONS, backup.id, fewer)));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(run.counts["appCredentials"]["marked"], 1, "{}", run.counts);
    let lifecycle = |label: &str| found(&world, ObjectType::AppCredentials, label).values.remove("Lifecycle").unwrap();
    assert_eq!(lifecycle("Backup runner: secret 7"), ["Removed"]);
    assert_eq!(lifecycle("Backup runner: secret 8"), ["Active"]);
}

/// A job without the new types delivers what it delivered before there were any.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_them_asks_for_none_of_them() {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let job = world.add_job().await;
    assert_eq!(state(&world.run(job, RunMode::Full).await), "succeeded");
    let paths = [APPLICATIONS, PRINCIPALS, "roleManagement", "administrativeUnits", "deviceManagement", "organization"];
    for request in world.graph.requests() {
        assert!(!paths.iter().any(|path| request.path.contains(path)), "{}", request.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_device_shows_without_a_further_permission_is_said() {
    let world = World::following(SEED).await;
    let job = world.add_job_with(json!({"groups": {"enabled": false}, "devices": {}})).await;
    let told = async |lost: &str| {
        grant_all_but(&world, lost);
        let run = world.run(job, RunMode::Full).await;
        // Values that cannot have gone are kept, which is no success.
        let keeps = run.warnings.to_string().contains("implausible_values");
        assert_eq!(state(&run), if keeps { "degraded" } else { "succeeded" }, "{:?} {}", run.error, run.warnings);
        run.warnings.to_string()
    };
    let permission = "DeviceManagementManagedDevices.Read.All";
    assert!(!told(permission).await.contains("values_hidden"), "some devices show it");
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.devices.iter().map(|device| device.id).collect();
        let nothing = Map::from_iter([("isCompliant".to_owned(), Value::Null), ("isManaged".to_owned(), Value::Null)]);
        ids.iter().for_each(|id| directory.update(*id, nothing.clone()).unwrap());
    });
    let warnings = told(permission).await;
    assert!(warnings.contains("values_hidden") && warnings.contains(permission), "{warnings}");
    assert!(!told("").await.contains("values_hidden"), "with the permission, null is a value");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_licences_come_to_users_and_who_is_registered_on_devices_arrives_on_request() {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let (sku, plan) = (entra_assets::sim::seed::words::SKUS[0].id, entra_assets::sim::seed::words::SKUS[0].plans[0].0);
    let (user, group, device) = world.graph.change(|directory| {
        let (user, group) = (directory.users[5].id, directory.groups[3].id);
        let properties = json!({
            "assignedLicenses": [{"skuId": sku, "disabledPlans": [plan]}],
            "licenseAssignmentStates": [
                {"skuId": sku, "assignedByGroup": group.to_string(), "state": "Error", "error": "CountViolation"},
                {"skuId": sku, "assignedByGroup": null, "state": "Active", "error": "None"},
            ],
        });
        directory.update(user, properties.as_object().unwrap().clone()).unwrap();
        let owned = directory.devices.iter().find(|device| device.owner.is_some()).unwrap();
        (user, group, (owned.number, directory.users[owned.owner.unwrap() as usize].id))
    });
    let job = world
        .add_job_with(json!({
            "users": {"attributes": ["licensingGroups", "disabledPlans", "licenseErrors"]},
            "devices": {"attributes": ["registeredUsers"]},
            "servicePlans": {},
        }))
        .await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let of = |type_name: &str, is: &dyn Fn(&AssetsObject) -> bool| {
        world.assets.objects(type_name).into_iter().find(|object| is(object)).unwrap().values
    };
    let values = of("Entra User", &|object| object.values["Object ID"] == [user.to_string()]);
    assert_eq!(values["Licensing Groups"], [group.to_string()]);
    assert_eq!(values["Disabled Plans"], [plan.to_string()]);
    assert_eq!(values["License Errors"], [format!("{sku}: CountViolation")]);
    let values = of("Entra Device", &|object| object.label.ends_with(&format!("-{:05}", device.0)));
    assert_eq!(values["Registered Users"], [device.1.to_string()]);
    let values = of("Entra License", &|object| object.values["SKU ID"] == [sku.to_string()]);
    assert!(values["Service Plans"].contains(&plan.to_string()), "{values:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_of_users_at_any_depth_arrive_on_request() {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let job = world.add_job_with(json!({"users": {"attributes": ["allGroups"]}})).await;
    // One group becomes a member of another, and somebody is in it.
    let nest = |above: usize, below: usize| {
        world.graph.change(|directory| {
            let security = |group: &&entra_assets::sim::seed::Group| group.kind == GroupKind::Security;
            let some: Vec<Uuid> = directory.groups.iter().filter(security).map(|group| group.id).take(6).collect();
            let (_, member) = directory.member_edges(ObjectKind::User)[0];
            // Whoever is a member already stays one.
            let _ = directory.add_member(some[below], member);
            let _ = directory.add_member(some[above], some[below]);
        });
    };
    nest(5, 1);
    for mode in [RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
        let (direct, nested) = world
            .graph
            .read(|directory| (directory.member_edges(ObjectKind::User), directory.member_edges(ObjectKind::Group)));
        let mut deeper = 0;
        for object in world.assets.objects("Entra User") {
            let user = Uuid::parse_str(&object.values["Object ID"][0]).unwrap();
            let mut all: BTreeSet<Uuid> =
                direct.iter().filter(|(_, of)| *of == user).map(|(group, _)| *group).collect();
            let own = all.len();
            loop {
                let above: Vec<Uuid> =
                    nested.iter().filter(|(_, of)| all.contains(of)).map(|(group, _)| *group).collect();
                let before = all.len();
                all.extend(above);
                if all.len() == before {
                    break;
                }
            }
            deeper += all.len() - own;
            let wanted: Vec<String> = all.iter().map(Uuid::to_string).collect();
            assert_eq!(object.values.get("All Groups").cloned().unwrap_or_default(), wanted, "{mode} {}", object.label);
        }
        assert!(deeper > 0, "nobody is in a group through another");
        nest(4, 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_of_an_object_arrives_with_every_type_on_request() {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let is_own = |object_type: &ObjectType| *object_type != ObjectType::Tenants;
    let objects = ObjectType::ALL.into_iter().filter(is_own);
    let objects = objects.map(|object_type| (object_type.to_string(), json!({"attributes": ["tenantId"]})));
    let job = world.add_job_with(Value::Object(objects.collect())).await;
    let tenant = world.graph.default_credentials().tenant_id.to_string();
    for mode in [RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
        for object_type in ObjectType::ALL.into_iter().filter(is_own) {
            let all = world.assets.objects(object_type.spec().type_name);
            let has = |object: &AssetsObject| object.values.get("Tenant ID") == Some(&vec![tenant.clone()]);
            assert!(all.iter().all(has), "{mode} {object_type}");
            assert!(!all.is_empty() || object_type.spec().capability == entra_assets::permission::Capability::Users);
        }
        world.graph.change(|directory| directory.add_user(Map::new()));
    }
}
