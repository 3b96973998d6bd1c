//! Departments and other values of users as objects: what arrives, what becomes of it when users change, and how a job asks
//! for it.

use crate::support::test_app::{TestApp, pointers};
use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsObject, AssetsOptions, EmptyValues};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 4, users: 40, groups: 6, memberships: Some(30), devices: Some(0) };

/// The attribute with the text, the attribute with the object, the object type, its word in a job.
const ALL: [(&str, &str, &str, &str); 7] = [
    ("Department", "Department Object", "Entra Department", "departments"),
    ("Company", "Company Object", "Entra Company", "companies"),
    ("Office", "Office Object", "Entra Office", "offices"),
    ("City", "City Object", "Entra City", "cities"),
    ("Country", "Country Object", "Entra Country", "countries"),
    ("Cost Center", "Cost Center Object", "Entra Cost Center", "costCenters"),
    ("Job Title", "Job Title Object", "Entra Job Title", "jobTitles"),
];

fn text<'o>(object: &'o AssetsObject, attribute: &str) -> &'o str {
    object.values.get(attribute).and_then(|values| values.first()).map_or("", String::as_str)
}

/// The rule as a reader of the documentation would write it, for texts without accents.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Gives every user a department, in turn.
fn assign(world: &World, departments: &[&str]) {
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.users.iter().map(|user| user.id).collect();
        for (id, department) in ids.into_iter().zip(departments.iter().cycle()) {
            let properties = Map::from_iter([("department".to_owned(), json!(department))]);
            // Whoever is in the recycle bin has none.
            let _ = directory.update(id, properties);
        }
    });
}

/// The departments in Assets: name and lifecycle.
fn departments(world: &World) -> BTreeMap<String, String> {
    let all = world.assets.objects("Entra Department").into_iter();
    all.map(|object| (text(&object, "Name").to_owned(), text(&object, "Lifecycle").to_owned())).collect()
}

/// Every user refers to the department that it has as text, and every department that is in use is referred to.
fn assert_consistent(world: &World, what: &str) {
    let names: BTreeMap<String, String> = world
        .assets
        .objects("Entra Department")
        .iter()
        .map(|object| (text(object, "Value ID").to_owned(), text(object, "Name").to_owned()))
        .collect();
    let mut referred = BTreeSet::new();
    for user in world.assets.objects("Entra User") {
        let target = text(&user, "Department Object");
        let name = names.get(target).map_or("", String::as_str);
        assert_eq!(folded(name), folded(text(&user, "Department")), "{what}: {}", user.label);
        referred.extend(names.get(target).cloned());
    }
    let active = departments(world).into_iter().filter(|(_, lifecycle)| lifecycle == "Active");
    assert_eq!(active.map(|(name, _)| name).collect::<BTreeSet<_>>(), referred, "{what}");
}

fn assert_succeeded(run: &RunRow, what: &str) {
    assert_eq!(run.state.as_str(), "succeeded", "{what}: {:?} {}", run.error, run.warnings);
}

const SOME: [&str; 5] = ["Sales", "Legal", " sales ", "Human  Resources", "Sales"];

/// A first delivery of users with [`SOME`] departments.
async fn delivered(policy: &str) -> (World, JobId) {
    let world = World::with(SEED, AssetsOptions::default()).await;
    world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
    assign(&world, &SOME);
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    let objects = json!({"departments": {}, "groups": {"enabled": false}, "licenses": {"enabled": false}});
    let job = world.add_job_with(objects).await;
    world.set_job(&format!("brake_percent = 100, removal_policy = '{policy}', removal_after_missing_runs = 1")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_succeeded(&run, "the first run");
    (world, job)
}

fn active(names: &[&str]) -> BTreeMap<String, String> {
    names.iter().map(|name| ((*name).to_owned(), "Active".to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_value_arrives_as_an_object_that_users_refer_to() {
    let world = World::following(SEED).await;
    let words: BTreeMap<&str, Value> = ALL.iter().map(|(.., word)| (*word, json!({}))).collect();
    let mut objects = json!(words);
    objects["users"] = json!({"attributes": [
        "department", "companyName", "officeLocation", "city", "country", "costCenter", "jobTitle"]});
    let job = world.add_job_with(objects).await;
    let run = world.run(job, RunMode::Full).await;
    assert_succeeded(&run, "full");
    let users = world.assets.objects("Entra User");
    for (attribute, reference, type_name, word) in ALL {
        let objects = world.assets.objects(type_name);
        let wanted: BTreeSet<String> =
            users.iter().map(|user| folded(text(user, attribute))).filter(|text| !text.is_empty()).collect();
        let found: BTreeSet<String> = objects.iter().map(|object| folded(text(object, "Name"))).collect();
        assert!(!wanted.is_empty(), "no user has a value: {attribute}");
        assert_eq!((found, objects.len()), (wanted.clone(), wanted.len()), "{attribute}");
        assert_eq!(run.counts[word]["created"], wanted.len(), "{}", run.counts);
        let names: BTreeMap<&str, &str> =
            objects.iter().map(|object| (text(object, "Value ID"), text(object, "Name"))).collect();
        for user in &users {
            let name = names.get(text(user, reference)).copied().unwrap_or_default();
            assert_eq!(folded(name), folded(text(user, attribute)), "{attribute} of {}", user.label);
        }
        let kinds = world.assets.attribute_kinds(type_name);
        let kinds = ["Value ID", "Name", "Lifecycle", "Removed On"].map(|name| kinds[name].as_str());
        assert_eq!(kinds, ["text", "text", "status", "date_time"], "{type_name}");
    }
    let again = world.run(job, RunMode::Full).await;
    for (.., word) in ALL {
        assert_eq!((&again.counts[word]["created"], &again.counts[word]["updated"]), (&json!(0), &json!(0)), "{word}");
    }
}

/// What becomes of the departments when all users get others, by the policy for what is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_nobody_has_any_more_follows_the_removal_policy() {
    let cases = [
        ("keep", BTreeMap::from([("Legal".to_owned(), "Active".to_owned())])),
        ("mark", BTreeMap::from([("Legal".to_owned(), "Removed".to_owned())])),
        ("remove", BTreeMap::new()),
    ];
    for (policy, of_legal) in cases {
        for mode in [RunMode::Full, RunMode::Incremental] {
            let what = format!("{policy} {mode}");
            let (world, job) = delivered(policy).await;
            world.give_object_api().await;
            assert_eq!(departments(&world), active(&["Human Resources", "Legal", "Sales"]), "{what}");
            assert_consistent(&world, &what);
            // Nobody is in Legal, one department is new, and most write Sales in another way.
            assign(&world, &["SALES", "SALES", "Research", "human resources", "SALES"]);
            let run = world.run(job, mode).await;
            assert_succeeded(&run, &what);
            let mut wanted = active(&["human resources", "Research", "SALES"]);
            wanted.extend(of_legal.clone());
            assert_eq!(departments(&world), wanted, "{what}: {}", run.counts);
            let of = &run.counts["departments"];
            assert_eq!((&of["created"], &of["missing"]), (&json!(1), &json!(1)), "{what}: {of}");
            if policy != "keep" {
                assert_consistent(&world, &what);
            }
            // It comes back as the same object.
            assign(&world, &SOME);
            let run = world.run(job, mode).await;
            assert_succeeded(&run, &what);
            assert_eq!(departments(&world)["Legal"], "Active", "{what}: {}", run.counts);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_value_refers_to_nothing() {
    let (world, job) = delivered("mark").await;
    assign(&world, &["Sales", " ", "", "Legal", "Human Resources"]);
    let run = world.run(job, RunMode::Incremental).await;
    assert_succeeded(&run, "incremental");
    assert_eq!(departments(&world), active(&["Human Resources", "Legal", "Sales"]));
    assert_consistent(&world, "blank");
    let users = world.assets.objects("Entra User");
    assert!(users.iter().any(|user| text(user, "Department Object").is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_values_that_go_at_once_wait_for_a_person() {
    let (world, job) = delivered("mark").await;
    world.set_job("brake_percent = 20").await;
    assign(&world, &["Sales"]);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "awaitingApproval", "{:?} {}", run.error, run.warnings);
    assert_eq!(departments(&world), active(&["Human Resources", "Legal", "Sales"]));
    world.approve(RunId(run.id)).await;
    assert!(world.step().await);
    assert_succeeded(&world.find(RunId(run.id)).await, "approved");
    assert_eq!(departments(&world)["Legal"], "Removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_only_looks_changes_no_value() {
    let (world, job) = delivered("mark").await;
    let before = departments(&world);
    assign(&world, &["Research", "SALES"]);
    let dry = world.run(job, RunMode::DryRun).await;
    let of = &dry.counts["departments"];
    assert_eq!((&of["created"], &of["missing"]), (&json!(1), &json!(2)), "{of}");
    // A test sees a part of the users, so it does not decide how a value is written.
    let test = world.run_with(job, RunMode::Test, RunRequest { limit: Some(2), ..RunRequest::default() }).await;
    assert_succeeded(&test, "test");
    let of = &test.counts["departments"];
    assert_eq!((&of["updated"], &of["missing"]), (&json!(0), &json!(0)), "{of}");
    for name in before.keys() {
        assert!(departments(&world).contains_key(name), "{name}: {:?}", departments(&world));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_stay_while_users_cannot_be_read() {
    let (world, job) = delivered("mark").await;
    let before = departments(&world);
    world.graph.set_roles(Scenario::Healthy, &["GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let run = world.run(job, RunMode::Full).await;
    assert!(matches!(run.state.as_str(), "failed" | "degraded"), "{}", run.state.as_str());
    assert_eq!(departments(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_names_dimensions_and_reads_back_object_types() {
    let app = TestApp::start().await;
    let dimensions = json!({"users": {"dimensions": [
        {"attribute": "department", "objectType": "Department"}, {"attribute": "city"}]}});
    let job = app.create_job(&json!({"objects": dimensions})).await;
    let objects = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["objects"].clone();
    let of = |word: &str| (objects[word]["enabled"].clone(), objects[word]["typeName"].clone());
    assert_eq!(of("departments"), (json!(true), json!("Department")));
    assert_eq!(of("cities"), (json!(true), Value::Null));
    assert_eq!(of("companies"), (json!(false), Value::Null));
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(!app.world.assets.objects("Department").is_empty());

    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].clone();
    let wrong = json!({"users": {"dimensions": [{"attribute": "mail"}, {"attribute": "city"}, {"attribute": "city"}]}});
    let problem = app.post("/v1/jobs", &json!({"name": "Other", "connectionId": connection, "objects": wrong})).await;
    let found = problem.problem(422, "validation_failed");
    let wanted = ["/objects/users/dimensions/0/attribute", "/objects/users/dimensions/2/attribute"];
    assert_eq!(pointers(&found), wanted, "{found}");

    let none = json!({"objects": {"users": {"dimensions": []}}});
    let patched = app.patch(&format!("/v1/jobs/{job}"), &none).await.expect(200);
    assert_eq!(patched["objects"]["departments"]["enabled"], false, "{patched}");
}
