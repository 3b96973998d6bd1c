//! Objects of the directory to pick from, and the properties to build conditions of.

use crate::support::test_app::{TestApp, pointers};
use entra_assets::sim::graph::Scenario;
use serde_json::{Value, json};
use uuid::Uuid;

async fn look_up(app: &TestApp, connection: &str, kind: &str, search: &str) -> Value {
    let body = json!({"connectionId": connection, "kind": kind, "search": search});
    app.post("/v1/directory-lookups", &body).await.expect(200)
}

#[tokio::test]
async fn objects_are_found_by_the_beginning_of_a_name_by_a_word_and_by_id() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].as_str().unwrap().to_owned();
    let user = app.get(&format!("/v1/jobs/{job}/objects?type=users&limit=1")).await.expect(200)["items"][0].clone();
    let group = app.get(&format!("/v1/jobs/{job}/objects?type=groups&limit=1")).await.expect(200)["items"][0].clone();
    for (kind, object, name) in [
        ("users", &user, "id"),
        ("users", &user, "displayName"),
        ("users", &user, "userPrincipalName"),
        ("groups", &group, "displayName"),
        ("groups", &group, "id"),
    ] {
        let found = look_up(&app, &connection, kind, object[name].as_str().unwrap()).await;
        let ids: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        assert!(ids.contains(&&object["id"]), "{kind} by {name}: {found}");
        assert_eq!(found["partial"], false);
    }
    let last_word = user["displayName"].as_str().unwrap().rsplit(' ').next().unwrap();
    let found = look_up(&app, &connection, "users", last_word).await;
    assert!(found["items"].to_string().contains(user["id"].as_str().unwrap()), "{last_word}: {found}");
    let found = look_up(&app, &connection, "users", &Uuid::from_u128(7).to_string()).await;
    assert_eq!(found, json!({"items": [], "more": false, "partial": false}));
    for harmless in ["no such name", "O'Neill", "\"", "\\", "a:b AND c"] {
        assert_eq!(look_up(&app, &connection, "users", harmless).await["items"], json!([]), "{harmless}");
    }
}

#[tokio::test]
async fn objects_of_every_kind_that_a_filter_names_are_found() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let permissions = ["Application.Read.All", "AdministrativeUnit.Read.All", "RoleManagement.Read.Directory"];
    app.world.graph.set_roles(Scenario::Healthy, &permissions);
    for (kind, search, name) in [
        ("applications", "badge", "Badge printer"),
        ("applications", "printer", "Badge printer"),
        ("servicePrincipals", "expense", "Expense portal"),
        ("roles", "global", "Global Administrator"),
        ("roles", "admin", "Global Administrator"),
        ("administrativeUnits", "lis", "Lisbon branch"),
        ("administrativeUnits", "branch", "Lisbon branch"),
    ] {
        let found = look_up(&app, &connection, kind, search).await;
        let names: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|item| &item["displayName"]).collect();
        assert!(names.contains(&&json!(name)), "{kind} {search}: {found}");
        assert_eq!(look_up(&app, &connection, kind, "no such name").await["items"], json!([]), "{kind}");
    }
}

#[tokio::test]
async fn a_lookup_finds_ten_objects_and_says_that_there_are_more() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let mut most = 0;
    for letter in ["a", "e", "s", "m"] {
        let found = look_up(&app, &connection, "users", letter).await;
        let count = found["items"].as_array().unwrap().len();
        assert_eq!(found["more"], count == 10, "{found}");
        most = most.max(count);
    }
    assert_eq!(most, 10);
}

#[tokio::test]
async fn a_lookup_that_cannot_be_made_says_why() {
    let app = TestApp::start().await;
    let body = json!({"connectionId": Uuid::from_u128(7), "kind": "users", "search": "a"});
    let problem = app.post("/v1/directory-lookups", &body).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/connectionId"]);
    let pending = app.create_connection(Scenario::Pending).await;
    let body = json!({"connectionId": pending, "kind": "users", "search": "a"});
    let problem = app.post("/v1/directory-lookups", &body).await.problem(422, "connection_unusable");
    assert!(problem["detail"].as_str().unwrap().contains("403"), "{problem}");
}

/// A form can be built from the list alone.
#[tokio::test]
async fn the_example_of_each_property_is_a_valid_filter() {
    let app = TestApp::start().await;
    let all = app.get("/v1/filter-properties").await.expect(200)["items"].as_array().unwrap().clone();
    assert!(all.len() > 120, "{}", all.len());
    let kinds = [
        ("users", 60),
        ("groups", 30),
        ("devices", 35),
        ("applications", 9),
        ("servicePrincipals", 11),
        ("roles", 2),
        ("administrativeUnits", 2),
    ];
    for (kind, least) in kinds {
        let path = format!("/v1/filter-properties?objectType={kind}");
        let of_kind = app.get(&path).await.expect(200)["items"].as_array().unwrap().clone();
        assert!(of_kind.len() > least && of_kind.iter().all(|property| property["objectType"] == kind));
        let alone = |property: &Value| property["name"].as_str().unwrap().starts_with("signInActivity");
        let trees: Vec<Value> =
            of_kind.iter().filter(|property| !alone(property)).map(|property| property["example"].clone()).collect();
        for part in trees.chunks(20) {
            let body = json!({"name": "Example", kind: {"where": {"all": part}}});
            app.post("/v1/filters", &body).await.expect(201);
        }
    }
    let department = all.iter().find(|property| property["name"] == "department").unwrap();
    assert_eq!(department["operators"][0], json!({"operator": "eq", "advanced": false}));
    assert_eq!((&department["null"], &department["incremental"]), (&json!("advanced"), &json!(true)));
    assert_eq!(department["permissions"], json!(["User.Read.All"]));
}
