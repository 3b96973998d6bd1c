//! Object types that the object schema has already: what a job writes into them, and what it leaves alone.

use crate::support::others::{Person, hire, into_employees, make_employees, people};
use crate::support::test_app::{TestApp, pointers};
use entra_assets::sim::assets::{AssetsObject, AttributeByHand, SOURCE_ID};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn known(app: &TestApp) -> Vec<Person> {
    people(&app.world.graph)
}

fn by_id(app: &TestApp, object_type: &str) -> BTreeMap<String, AssetsObject> {
    app.world.assets.objects(object_type).into_iter().map(|object| (object.id.clone(), object)).collect()
}

fn text<'o>(object: &'o AssetsObject, attribute: &str) -> &'o str {
    object.values.get(attribute).and_then(|values| values.first()).map_or("", String::as_str)
}

/// A job to a destination of which Assets ignores what is missing.
async fn job_into(app: &TestApp, objects: Value) -> (String, String) {
    let mut body = app.destination_body();
    body["missingObjects"] = json!("ignore");
    let path = app.create("/v1/destinations", &body).await;
    let destination = path.rsplit_once('/').unwrap().1.to_owned();
    (app.create_job(&json!({"objects": objects, "destinationId": destination})).await, destination)
}

async fn succeeded(app: &TestApp, job: &str) -> Value {
    let run = app.run(job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    run
}

fn mappings(app: &TestApp) -> usize {
    let requests = app.world.assets.requests();
    requests.iter().filter(|request| request.path.ends_with("/mapping")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_people_made_are_updated_and_what_is_not_mapped_stays() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let people = known(&app);
    let made = hire(&app.world.assets, &people[..40], 5);
    let before = by_id(&app, "Employee");
    let (job, _) = job_into(&app, into_employees()).await;
    let shown = app.get(&format!("/v1/jobs/{job}/schema")).await.expect(200)["difference"].clone();
    let nothing = json!([]);
    assert_eq!([&shown["addedObjectTypes"], &shown["addedAttributes"], &shown["refused"]], [&nothing; 3], "{shown}");
    let run = succeeded(&app, &job).await;
    let count = |name: &str| run["counts"]["users"][name].as_u64().unwrap();
    assert_eq!((count("created"), count("updated")), (people.len() as u64 - 40, 40), "{}", run["counts"]);
    let after = by_id(&app, "Employee");
    assert_eq!(after.len(), people.len() + 5, "nobody was deleted, and nobody is there twice");
    for (n, id) in made.iter().enumerate() {
        let (was, is) = (&before[id], &after[id]);
        assert_eq!((&was.key, text(was, "Desk")), (&is.key, text(is, "Desk")));
        assert_eq!(text(was, "Jira Account"), text(is, "Jira Account"));
        let is_stranger = n >= 40;
        assert_eq!(was.values == is.values, is_stranger, "{is:?}");
        assert!(is_stranger || !text(is, "Name").starts_with("Old name"), "{is:?}");
    }
    assert_eq!(app.world.assets.counts().objects.get("Entra User"), None, "no object type was built");
    let sent = mappings(&app);
    succeeded(&app, &job).await;
    assert_eq!(mappings(&app), sent, "the mapping is as the job needs it");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_others_and_of_ours_refer_to_each_other() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let made = [
        AttributeByHand::new("Team name", "text"),
        AttributeByHand::new("Group ID", "text").unique(),
        AttributeByHand::references("Owned by", "Employee"),
        AttributeByHand::references("People", "Employee"),
    ];
    app.world.assets.add_object_type(SOURCE_ID, "Organisation", None, &[AttributeByHand::new("Name", "text")]).unwrap();
    app.world.assets.add_object_type(SOURCE_ID, "Team", Some("Organisation"), &made).unwrap();
    let mut objects = into_employees();
    objects["groups"] = json!({"existing": {"objectType": "Team", "identity": "objectId", "attributes":
        {"objectId": "Group ID", "displayName": "Team name", "owners": "Owned by", "members": "People"}}});
    objects["devices"] = json!({"enabled": true});
    let (job, _) = job_into(&app, objects).await;
    succeeded(&app, &job).await;
    let (counts, truth) = (app.world.assets.counts(), app.world.graph.truth());
    assert_eq!(counts.objects["Team"] as u64, truth.groups);
    assert_eq!(counts.references["Team"]["People"] as u64, truth.user_memberships);
    assert_eq!(counts.references["Team"]["Owned by"] as u64, truth.owners);
    assert!(counts.objects["Entra Device"] > 0 && !counts.objects.contains_key("Entra Group"), "{counts:?}");
    let sent = mappings(&app);
    succeeded(&app, &job).await;
    assert_eq!(mappings(&app), sent, "the mapping is as the job needs it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_source_made_anew_goes_on_with_the_types_of_others() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    hire(&app.world.assets, &known(&app)[..10], 0);
    let (job, destination) = job_into(&app, into_employees()).await;
    succeeded(&app, &job).await;
    let before = by_id(&app, "Employee");
    let anew = app.world.assets.replace_source(SOURCE_ID).unwrap();
    app.patch(&format!("/v1/destinations/{destination}"), &json!({"token": anew.token})).await.expect(200);
    succeeded(&app, &job).await;
    let after = by_id(&app, "Employee");
    assert!(before.keys().eq(after.keys()) && before.values().zip(after.values()).all(|(a, b)| a.values == b.values));
}

/// A value that was ours and is gone is cleared; one that people wrote and Entra does not have stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_principal_name_can_be_the_identity() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let people = known(&app);
    let made = app.world.assets.add_manual_object("Employee", &[("Name", "Old"), ("UPN", &people[3].mail)]).unwrap();
    let mut objects = into_employees();
    objects["users"]["existing"]["identity"] = json!("userPrincipalName");
    let (job, _) = job_into(&app, objects).await;
    succeeded(&app, &job).await;
    let after = by_id(&app, "Employee");
    assert_eq!(text(&after[&made], "Entra ID"), people[3].id.to_string());
    assert_eq!(after.len(), people.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named_with_its_pointer_before_anything_is_sent() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let made = [
        AttributeByHand::new("Name", "text"),
        AttributeByHand::new("Number", "integer"),
        AttributeByHand { without_external_id: true, ..AttributeByHand::new("Hidden", "text") },
        AttributeByHand::new("Boss", "text"),
        AttributeByHand::references("Colleague", "Employee"),
    ];
    app.world.assets.add_object_type(SOURCE_ID, "Other", None, &made).unwrap();
    let cases = [
        (json!({"objectId": "Name", "jobTitle": "Number"}), "jobTitle", "is integer"),
        (json!({"objectId": "Name", "jobTitle": "Nowhere"}), "jobTitle", "has no attribute «Nowhere»"),
        (json!({"objectId": "Name", "jobTitle": "Hidden"}), "jobTitle", "no external id"),
        (json!({"objectId": "Name", "manager": "Boss"}), "manager", "is a reference"),
        (json!({"objectId": "Name", "manager": "Colleague"}), "manager", "refers to «Employee»"),
        (json!({"objectId": "Boss"}), "", "is the label"),
    ];
    let (job, destination) = job_into(&app, into_employees()).await;
    for (attributes, key, said) in cases {
        let path = format!("/v1/jobs/{job}");
        let existing = json!({"objectType": "Other", "identity": "objectId", "attributes": attributes});
        app.patch(&path, &json!({"objects": {"users": {"existing": null}}})).await.expect(200);
        app.patch(&path, &json!({"objects": {"users": {"existing": existing}}})).await.expect(200);
        let failed = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!(failed["error"]["code"], "existing_type_unfit", "{failed}");
        let detail = failed["error"]["detail"].as_str().unwrap();
        let pointer = format!("/objects/users/existing/attributes{}{key}", if key.is_empty() { "" } else { "/" });
        assert!(detail.contains(said) && detail.contains(&pointer), "{detail}");
        let problem = app.call(Method::POST, &format!("{path}/schema")).send().await;
        assert!(problem.problem(502, "assets_refused")["detail"].as_str().unwrap().contains(said));
        let check = app.call(Method::POST, &format!("/v1/destinations/{destination}/check")).send().await.expect(200);
        assert!(
            check["overall"] == "failed" && check["findings"].to_string().contains("existing_type_unfit"),
            "{check}"
        );
    }
    assert_eq!((mappings(&app), app.world.assets.executions().len()), (0, 0), "nothing was sent");
}

/// The administrator renames an attribute between two runs.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_source_that_fills_a_type_of_ours_cannot_fill_another() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let job = app.create_job(&json!({})).await;
    succeeded(&app, &job).await;
    app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": into_employees()})).await.expect(200);
    let failed = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(failed["error"]["code"], "existing_type_unfit", "{failed}");
    assert!(failed["error"]["detail"].as_str().unwrap().contains("another import source"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_types_of_a_destination_come_with_a_proposal_that_a_job_takes_as_it_is() {
    let app = TestApp::start().await;
    let made = [
        AttributeByHand::new("Name", "text"),
        AttributeByHand::new("Email", "email"),
        AttributeByHand::new("Job title", "text"),
        AttributeByHand::new("Desk", "text"),
        AttributeByHand::new("Jira User", "user"),
    ];
    app.world.assets.add_object_type(SOURCE_ID, "People", None, &made).unwrap();
    let destination = app.create_destination().await;
    let found = app.get(&format!("/v1/destinations/{destination}/types")).await.expect(200);
    assert_eq!(found["objectSchema"], "Entra ID");
    let names: Vec<&str> =
        found["types"][0]["attributes"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Key", "Name", "Email", "Job title", "Desk"], "an import does not see User attributes");
    let proposal = &found["proposals"][0];
    assert_eq!(
        proposal["existing"],
        json!({"objectType": "People", "identity": "mail",
               "attributes": {"displayName": "Name", "mail": "Email", "jobTitle": "Job title"}})
    );
    let objects = json!({"users": {"existing": proposal["existing"]}, "groups": {"enabled": false},
        "licenses": {"enabled": false}});
    app.patch(&format!("/v1/destinations/{destination}"), &json!({"missingObjects": "ignore"})).await.expect(200);
    let job = app.create_job(&json!({"objects": objects, "destinationId": destination})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert!(app.world.assets.counts().objects["People"] > 0);
    let found = app.get(&format!("/v1/destinations/{destination}/types")).await.expect(200);
    assert_eq!(found["types"][0]["filledWith"], "users");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_existing_type_is_named_when_the_job_is_stored() {
    let app = TestApp::start().await;
    let objects = json!({
        "users": {"attributes": ["department"], "typeName": "Person", "existing": {
            "objectType": "People", "identity": "department",
            "attributes": {"objectId": "Key", "department": "Team", "jobTitle": "team", "shoeSize": "Shoe", "mail": "a\"b",
                           "manager": "Boss", "groups": "Groups"}}},
        "groups": {"existing": {"objectType": "people", "identity": "mail", "attributes": {"displayName": "Name"}}},
        "licenses": {"enabled": false, "existing": {"objectType": "SKU", "identity": "nothing", "attributes": {}}},
    });
    let mut body = json!({"name": "Nightly", "connectionId": uuid::Uuid::nil(), "objects": objects});
    let marked = json!({"name": "Nightly", "connectionId": uuid::Uuid::nil(), "objects": into_employees(),
        "removal": {"policy": "mark"}});
    let problem = app.post("/v1/jobs", &marked).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/objects/users/existing/attributes"], "{problem}");
    body["removal"] = json!({"policy": "keep"});
    let problem = app.post("/v1/jobs", &body).await.problem(422, "validation_failed");
    assert_eq!(
        pointers(&problem),
        [
            "/objects/groups/existing/identity",
            "/objects/groups/existing/objectType",
            "/objects/licenses/existing/identity",
            "/objects/users/attributes",
            "/objects/users/existing/attributes/groups",
            "/objects/users/existing/attributes/jobTitle",
            "/objects/users/existing/attributes/mail",
            "/objects/users/existing/attributes/objectId",
            "/objects/users/existing/attributes/shoeSize",
            "/objects/users/existing/identity",
            "/objects/users/typeName",
        ],
        "{problem}"
    );
}
