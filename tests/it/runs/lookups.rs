//! References to objects that others made and the job does not import: which are found, which stay empty, and what is said.

use crate::support::others::{into_employees, make_employees, people};
use crate::support::test_app::TestApp;
use entra_assets::sim::assets::{
    API_EMAIL, API_TOKEN, AssetsObject, AssetsOptions, AttributeByHand, Processing, SOURCE_ID,
};
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Cost centres that people made: with a name, a code, and things that are no texts.
async fn app() -> TestApp {
    let seed = SeedOptions { users: 20, groups: 4, ..SeedOptions::default() };
    let app = TestApp::with(seed, AssetsOptions::default()).await;
    let made = [
        AttributeByHand::new("Title", "text"),
        AttributeByHand::new("Code", "text").unique(),
        AttributeByHand::new("Since", "date"),
        AttributeByHand::references("Parent", "Cost Center"),
    ];
    app.world.assets.add_object_type(SOURCE_ID, "Cost Center", None, &made).unwrap();
    for (title, code) in [("Sales", "100"), ("Legal", "200"), ("Twin", "300"), ("Twin", "301"), ("R & D", "400")] {
        app.world.assets.add_manual_object("Cost Center", &[("Title", title), ("Code", code)]).unwrap();
    }
    app
}

/// Nobody has a department but these people.
fn assign(app: &TestApp, departments: &[&str]) -> Vec<Uuid> {
    let ids: Vec<Uuid> = people(&app.world.graph).into_iter().map(|person| person.id).collect();
    for (n, id) in ids.iter().enumerate() {
        let value = departments.get(n).map_or(Value::Null, |text| json!(text));
        let properties = json!({"department": value}).as_object().unwrap().clone();
        let _ = app.world.graph.change(|directory| directory.update(*id, properties));
    }
    ids
}

async fn destination(app: &TestApp, with_api: bool) -> String {
    let mut body = app.destination_body();
    body["missingObjects"] = json!("ignore");
    if with_api {
        body["api"] = json!({"siteUrl": app.world.assets.origin(), "email": API_EMAIL, "apiToken": API_TOKEN});
    }
    app.create("/v1/destinations", &body).await.rsplit_once('/').unwrap().1.to_owned()
}

async fn job(app: &TestApp, objects: Value, with_api: bool) -> String {
    let destination = destination(app, with_api).await;
    app.create_job(&json!({"objects": objects, "destinationId": destination})).await
}

fn only_users(users: Value) -> Value {
    json!({"users": users, "groups": {"enabled": false}, "licenses": {"enabled": false}})
}

fn first<'o>(object: &'o AssetsObject, name: &str) -> Option<&'o str> {
    object.values.get(name).and_then(|values| values.first()).map(String::as_str)
}

/// By the ids of users, the titles of the cost centres that they refer to.
fn referred(app: &TestApp, of: &str, identity: &str, attribute: &str) -> BTreeMap<String, Vec<String>> {
    let centers = app.world.assets.objects("Cost Center").into_iter();
    // A reference shows the title of the object, or its key.
    let titles: BTreeMap<String, String> =
        centers.map(|of| (of.key.clone(), first(&of, "Title").unwrap().to_owned())).collect();
    let title = |shown: &String| titles.get(shown).unwrap_or(shown).clone();
    let objects = app.world.assets.objects(of);
    let links = objects.iter().map(|object| {
        let found = object.values.get(attribute).into_iter().flatten().map(title).collect();
        (first(object, identity).unwrap_or_default().to_owned(), found)
    });
    links.collect()
}

fn warning<'r>(run: &'r Value, code: &str) -> Option<&'r Value> {
    run["warnings"].as_array().unwrap().iter().find(|warning| warning["code"] == code)
}

/// Every outcome, by the label and by another attribute.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_refers_to_the_object_that_has_the_text() {
    let evil = "x\" OR \"Title\" != \"";
    // The department, and the object by its title and by its code.
    let table: [(&str, Option<&str>, Option<&str>); 9] = [
        ("Sales", Some("Sales"), None),
        ("sALES", Some("Sales"), None),
        ("R & D", Some("R & D"), None),
        ("200", None, Some("Legal")),
        ("Nowhere", None, None),
        ("Nowhere", None, None),
        (" ", None, None),
        (evil, None, None),
        ("${departmentLookup}", None, None),
    ];
    for (by, looked_up) in [(None, 0), (Some("code"), 1)] {
        let app = app().await;
        let ids = assign(&app, &table.map(|(department, ..)| department));
        let lookup = json!({"attribute": "department", "objectType": "cost center", "by": by});
        let job = job(&app, only_users(json!({"lookups": [lookup]})), true).await;
        let looked = app.run(&job, &json!({"mode": "dryRun"})).await;
        let run = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!(run["state"], "succeeded", "{run}");
        let found = referred(&app, "Entra User", "Object ID", "Department Reference");
        for (n, (department, by_title, by_code)) in table.iter().enumerate() {
            let expected: Vec<&str> = [by_title, by_code][looked_up].iter().copied().collect();
            assert_eq!(found[&ids[n].to_string()], expected, "{department} {by:?}");
        }
        assert!(ids[table.len()..].iter().all(|id| found.get(&id.to_string()).is_none_or(Vec::is_empty)));
        let unfound = [3, 5][looked_up];
        for run in [&looked, &run] {
            let said = warning(run, "lookups_not_found").unwrap_or_else(|| panic!("{run}"));
            assert_eq!(said["count"], unfound, "{said}");
            assert!(said["detail"].as_str().unwrap().contains("«Nowhere»"), "{said}");
        }
        assert_eq!(warning(&run, "lookups_ambiguous"), None, "{run}");
        let again = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!(again["counts"]["users"]["updated"], 0, "{again}");
    }
}

/// The process dies once Assets has everything: whoever goes on looks nothing up again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_found_is_said_by_a_run_that_another_process_finishes() {
    let app = app().await;
    assign(&app, &["Sales", "Nowhere"]);
    let lookup = json!({"attribute": "department", "objectType": "Cost Center"});
    let job = job(&app, only_users(json!({"lookups": [lookup]})), true).await;
    app.world.assets.configure(|behaviour| behaviour.processing = Processing::Polls(u32::MAX));
    let id = app.queue(&job, &json!({"mode": "full"})).await;
    let completed = "SELECT count(*) FROM executions WHERE state = 'completed'";
    app.world.step_and_die_when(async || app.text_of_all(completed).await == "1").await;
    app.world.assets.configure(|behaviour| behaviour.processing = Processing::Polls(1));
    assert!(app.step().await);
    let run = app.get(&format!("/v1/runs/{id}")).await.expect(200);
    assert_eq!(run["state"], "succeeded", "{run}");
    let said = run["warnings"].as_array().unwrap().iter().filter(|of| of["code"] == "lookups_not_found");
    assert_eq!(said.map(|of| &of["count"]).collect::<Vec<_>>(), [&json!(1)], "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_several_objects_have_is_said_and_a_reference_follows_its_text() {
    let app = app().await;
    let ids = assign(&app, &["Twin", "Sales", "Legal"]);
    let lookup = json!({"attribute": "department", "objectType": "Cost Center", "name": "Centre"});
    let job = job(&app, only_users(json!({"attributes": ["mail"], "lookups": [lookup]})), true).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    let said = warning(&run, "lookups_ambiguous").unwrap();
    assert_eq!(said["count"], 1, "{said}");
    let of = |app: &TestApp, n: usize| referred(app, "Entra User", "Object ID", "Centre")[&ids[n].to_string()].clone();
    assert_eq!((of(&app, 1), of(&app, 2)), (vec!["Sales".to_owned()], vec!["Legal".to_owned()]));
    assign(&app, &["Twin", "Legal", "Legal"]);
    let run = app.run(&job, &json!({"mode": "incremental"})).await;
    assert_eq!(of(&app, 1), ["Legal"], "{run}");
    assert_eq!(warning(&run, "lookups_ambiguous"), None, "it was not sent again: {run}");
}

/// Their attribute gets the reference, and what is not named stays.
#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_of_an_existing_type_gets_the_reference() {
    let app = app().await;
    make_employees(&app.world.assets);
    let desk = AttributeByHand { maximum: 1, ..AttributeByHand::references("Centre", "Cost Center") };
    app.world
        .assets
        .add_object_type(
            SOURCE_ID,
            "Person",
            None,
            &[AttributeByHand::new("Name", "text"), AttributeByHand::new("Entra ID", "text").unique(), desk],
        )
        .unwrap();
    let ids = assign(&app, &["Sales", "Nowhere"]);
    let existing = json!({"objectType": "Person", "identity": "objectId", "attributes":
        {"objectId": "Entra ID", "displayName": "Name"}});
    let lookup = json!({"attribute": "department", "objectType": "Cost Center", "name": "centre"});
    let job = job(&app, only_users(json!({"existing": existing, "lookups": [lookup]})), false).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let found = referred(&app, "Person", "Entra ID", "Centre");
    assert_eq!((&found[&ids[0].to_string()][..], found[&ids[1].to_string()].len()), (&["Sales".to_owned()][..], 0));
    let said = warning(&run, "lookups_not_compared").unwrap();
    let detail = said["detail"].as_str().unwrap();
    assert!(
        detail.contains("`api`") && detail.contains("/objects/users/lookups/0/by"),
        "without access nobody knows: {said}"
    );
    assert_eq!(warning(&run, "lookups_not_found"), None);
}

/// Groups and devices have texts too.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_can_refer_to_objects_of_others() {
    let app = app().await;
    app.world.assets.add_manual_object("Cost Center", &[("Title", "Windows"), ("Code", "900")]).unwrap();
    let objects = json!({
        "users": {"enabled": false}, "licenses": {"enabled": false},
        "groups": {"lookups": [{"attribute": "displayName", "objectType": "Cost Center"}]},
        "devices": {"lookups": [{"attribute": "operatingSystem", "objectType": "Cost Center"}]},
    });
    let job = job(&app, objects, true).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let devices = app.world.assets.objects("Entra Device");
    let windows: Vec<_> = devices.iter().filter(|of| first(of, "Operating System") == Some("Windows")).collect();
    assert!(!windows.is_empty());
    let linked = devices.iter().filter(|of| first(of, "Operating System Reference").is_some()).count();
    assert_eq!(linked, windows.len());
    let not_found = run["warnings"].as_array().unwrap().iter().filter(|of| of["code"] == "lookups_not_found");
    assert!(not_found.count() >= 1, "no group is called like a cost centre: {run}");
}

/// What does not fit is named before anything is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_type_or_attribute_that_does_not_fit_is_named_with_its_pointer() {
    let app = app().await;
    make_employees(&app.world.assets);
    let hidden = AttributeByHand { without_external_id: true, ..AttributeByHand::new("Hidden", "text") };
    app.world
        .assets
        .add_object_type(SOURCE_ID, "Other", None, &[AttributeByHand::new("Name", "text"), hidden])
        .unwrap();
    let built = |lookup: Value| only_users(json!({"lookups": [lookup]}));
    let into = |lookup: Value| {
        let mut objects = into_employees();
        objects["users"]["lookups"] = json!([lookup]);
        objects
    };
    let table = [
        (
            built(json!({"attribute": "department", "objectType": "Nowhere"})),
            "objectType",
            "is not in the object schema",
        ),
        (
            built(json!({"attribute": "department", "objectType": "Cost Center", "by": "Nothing"})),
            "by",
            "has no attribute «Nothing»",
        ),
        (built(json!({"attribute": "department", "objectType": "Cost Center", "by": "Since"})), "by", "is date"),
        (
            built(json!({"attribute": "department", "objectType": "Cost Center", "by": "Parent"})),
            "by",
            "referenced_object",
        ),
        (
            built(json!({"attribute": "department", "objectType": "Other", "by": "Hidden"})),
            "by",
            "has no attribute «Hidden»",
        ),
        (
            into(json!({"attribute": "department", "objectType": "Cost Center", "name": "Nowhere"})),
            "name",
            "has no attribute «Nowhere»",
        ),
        (
            into(json!({"attribute": "department", "objectType": "Cost Center", "name": "Desk"})),
            "name",
            "no reference to other objects",
        ),
    ];
    let job = job(&app, only_users(json!({})), true).await;
    for (objects, field, why) in table {
        app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": objects})).await.expect(200);
        app.world.assets.clear_log();
        let run = app.run(&job, &json!({"mode": "full"})).await;
        let detail = run["error"]["detail"].as_str().unwrap_or_else(|| panic!("{objects}: {run}"));
        let pointer = format!("/objects/users/lookups/0/{field}");
        assert!(detail.contains(why) && detail.contains(&pointer), "{detail}");
        let sent = app.world.assets.requests();
        assert!(sent.iter().all(|request| request.method == "GET"), "{objects}: {sent:?}");
    }
}

/// Faults that can be seen without Assets.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_place() {
    let app = app().await;
    let destination = destination(&app, true).await;
    let connection = app.create_connection(entra_assets::sim::graph::Scenario::Healthy).await;
    let ok = || json!({"attribute": "department", "objectType": "Cost Center"});
    let with = |field: &str, value: Value| {
        let mut lookup = ok();
        lookup[field] = value;
        lookup
    };
    let existing = json!({"objectType": "Employee", "identity": "objectId", "attributes":
        {"objectId": "Entra ID", "displayName": "Name"}});
    let table = [
        (json!({"lookups": [with("attribute", json!("nickname"))]}), "0/attribute", "unknown_attribute"),
        (json!({"lookups": [with("attribute", json!("accountEnabled"))]}), "0/attribute", "not_a_text"),
        (json!({"lookups": [with("attribute", json!("manager"))]}), "0/attribute", "not_a_text"),
        (json!({"lookups": [ok(), ok()]}), "1/attribute", "duplicate"),
        (json!({"lookups": [with("objectType", json!(" "))]}), "0/objectType", "invalid_name"),
        (json!({"lookups": [with("objectType", json!("entra user"))]}), "0/objectType", "imported_type"),
        (json!({"lookups": [with("by", json!("A\"B"))]}), "0/by", "invalid_name"),
        (json!({"lookups": [with("name", json!("A$B"))]}), "0/name", "invalid_name"),
        (json!({"lookups": [with("name", json!("Updated"))]}), "0/name", "reserved_name"),
        (json!({"lookups": [with("name", json!("manager"))]}), "0/name", "mapped_twice"),
        (
            json!({"lookups": [with("name", json!("X")), {"attribute": "city", "objectType": "City", "name": "x"}]}),
            "1/name",
            "mapped_twice",
        ),
        (json!({"existing": existing, "lookups": [ok()]}), "0/name", "name_required"),
        (json!({"existing": existing, "lookups": [with("name", json!("name"))]}), "0/name", "mapped_twice"),
        (json!({"lookups": vec![ok(); 21]}), "", "too_many"),
    ];
    for (users, place, code) in table {
        let body = json!({"name": "Nightly", "connectionId": connection, "destinationId": destination,
            "objects": only_users(users.clone())});
        let problem = app.call(Method::POST, "/v1/jobs").json(&body).send().await.problem(422, "validation_failed");
        let pointer = format!("/objects/users/lookups/{place}");
        let faults = problem["errors"].as_array().unwrap();
        let is_it = |fault: &Value| fault["pointer"] == pointer.trim_end_matches('/') && fault["code"] == code;
        assert!(faults.iter().any(is_it), "{users}: {problem}");
    }
}
