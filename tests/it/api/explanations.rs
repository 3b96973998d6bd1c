//! Why an object is imported or not, and one object with all that is known of it.

use crate::support::test_app::{TestApp, pointers};
use crate::support::world::ORGANIZATION;
use entra_assets::api::auth::Scope;
use entra_assets::api::places::{LIVE_READS, Place};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::GroupKind;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A job with a filter: its id.
async fn filtered(app: &TestApp, filter: &Value) -> String {
    let mut body = json!({"name": "Filter"});
    body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
    let filter = app.create_filter(&body).await;
    app.create_job(&json!({"filterId": filter})).await
}

async fn explain(app: &TestApp, job: &str, query: &str) -> Value {
    app.get(&format!("/v1/jobs/{job}/explain?{query}")).await.expect(200)
}

fn step<'e>(explained: &'e Value, name: &str) -> &'e Value {
    let steps = explained["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no {name}: {explained}"))
}

/// The verdict of each step, by name.
fn verdicts(explained: &Value) -> Vec<(&str, &str)> {
    let steps = explained["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["step"].as_str().unwrap(), step["verdict"].as_str().unwrap())).collect()
}

fn users(app: &TestApp) -> Vec<Uuid> {
    app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect())
}

fn update(app: &TestApp, id: Uuid, properties: Value) {
    let properties: Map<String, Value> = properties.as_object().unwrap().clone();
    app.world.graph.change(|directory| directory.update(id, properties).unwrap());
}

/// The rule of a run and the rule of an explanation are one: what an explanation calls imported is what arrived.
#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_of_each_object_agrees_with_what_a_run_delivered() {
    let app = TestApp::start().await;
    let everybody = users(&app);
    let (outer, inner) = app.world.graph.change(|directory| {
        let outer = directory.add_group("Explained outer", GroupKind::Security);
        let inner = directory.add_group("Explained inner", GroupKind::Security);
        directory.add_member(outer, inner).unwrap();
        everybody[..10].iter().for_each(|user| directory.add_member(outer, *user).unwrap());
        everybody[10..30].iter().for_each(|user| directory.add_member(inner, *user).unwrap());
        (outer, inner)
    });
    let filter = json!({
        "users": {"odata": "accountEnabled eq true"},
        "scope": {"users": "membersOf", "groupIds": [outer], "groups": "containingFilteredUsers"},
        "exclude": {"userIds": [everybody[3]], "userNames": ["a*"]},
        "limits": {"maxUsers": 12},
    });
    let job = filtered(&app, &filter).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    for (name, key) in [("Entra User", "user"), ("Entra Group", "group")] {
        let arrived: BTreeSet<Uuid> = app
            .world
            .assets
            .objects(name)
            .iter()
            .map(|object| object.values["Object ID"][0].parse().unwrap())
            .collect();
        let all = if key == "user" {
            everybody.clone()
        } else {
            app.world.graph.read(|directory| directory.live_groups().map(|(_, group)| group.id).collect())
        };
        for id in &all {
            let explained = explain(&app, &job, &format!("{key}={id}")).await;
            let expected = if arrived.contains(id) { "imported" } else { "notImported" };
            assert_eq!(explained["outcome"], expected, "{key} {id}: {explained:#}");
            assert!(expected == "imported" || explained["advice"].is_string(), "{explained}");
        }
        assert!(!arrived.is_empty(), "{name}");
    }
    let through_inner = everybody[10..30].iter().find(|user| {
        app.world.assets.objects("Entra User").iter().any(|object| object.values["Object ID"][0] == user.to_string())
    });
    let explained = explain(&app, &job, &format!("user={}", through_inner.unwrap())).await;
    let path: Vec<&Value> =
        step(&explained, "scope")["path"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(path, [&json!(inner), &json!(outer)], "{explained}");
    assert_eq!(explained["source"], "mirror");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_condition_is_shown_with_the_value_that_was_found() {
    let app = TestApp::start().await;
    let user = users(&app)[5];
    update(&app, user, json!({"department": "Explained", "city": "Nowhere"}));
    let tree = json!({"all": [
        {"property": "accountEnabled", "operator": "eq", "value": true},
        {"any": [{"property": "department", "operator": "eq", "value": "Sales"},
                 {"property": "city", "operator": "startsWith", "value": "Ber"}]}]});
    let job = filtered(&app, &json!({"users": {"where": tree}})).await;
    update(&app, user, json!({"accountEnabled": true}));
    app.run(&job, &json!({"mode": "full"})).await;
    let explained = explain(&app, &job, &format!("user={user}")).await;
    assert_eq!((&explained["outcome"], &explained["source"]), (&json!("notImported"), &json!("graph")));
    let condition = step(&explained, "condition");
    assert_eq!(condition["verdict"], "failed");
    let conditions = json!([
        {"condition": "accountEnabled eq true", "within": "all", "value": true, "holds": true},
        {"condition": "department eq 'Sales'", "within": "any", "value": "Explained", "holds": false},
        {"condition": "startswith(city,'Ber')", "within": "any", "value": "Nowhere", "holds": false},
    ]);
    assert_eq!(condition["conditions"], conditions);
    assert!(explained["advice"].as_str().unwrap().contains("condition on users"), "{explained}");
    let principal = explained["object"]["userPrincipalName"].as_str().unwrap();
    assert_eq!(explain(&app, &job, &format!("user={principal}")).await["object"]["id"], json!(user));
    // The value changes in Entra: the object is in scope, and the next run brings it.
    update(&app, user, json!({"department": "Sales"}));
    let explained = explain(&app, &job, &format!("user={user}")).await;
    assert_eq!(
        (&explained["outcome"], step(&explained, "read")["verdict"].as_str()),
        (&json!("pending"), Some("pending"))
    );
    app.run(&job, &json!({"mode": "full"})).await;
    let explained = explain(&app, &job, &format!("user={user}")).await;
    assert_eq!((&explained["outcome"], &explained["advice"]), (&json!("imported"), &Value::Null), "{explained}");
    assert!(
        verdicts(&explained).iter().all(|(_, verdict)| ["passed", "notApplicable"].contains(verdict)),
        "{explained}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_an_object_out_is_named_with_what_to_change() {
    let app = TestApp::start().await;
    let everybody = users(&app);
    let job = app.create_job(&json!({})).await;
    let explained = explain(&app, &job, &format!("user={}", everybody[0])).await;
    assert_eq!((&explained["outcome"], &explained["readAt"]), (&json!("pending"), &Value::Null), "{explained}");
    let nobody = explain(&app, &job, "user=nobody%40contoso.com").await;
    assert_eq!(
        (&nobody["outcome"], step(&nobody, "found")["verdict"].as_str()),
        (&json!("notImported"), Some("failed"))
    );
    let device = explain(&app, &job, &format!("device={}", everybody[0])).await;
    assert_eq!(device["outcome"], "notImported");
    assert!(device["advice"].as_str().unwrap().contains("`objects.devices.enabled`"), "{device}");
    for (id, name) in everybody[..2].iter().zip(["Twin", "twin"]) {
        update(&app, *id, json!({"displayName": name}));
    }
    let several = explain(&app, &job, "user=Twin").await;
    assert_eq!((&several["outcome"], several["candidates"].as_array().unwrap().len()), (&json!("unknown"), 2));
    for query in ["", "user=a&group=b"] {
        let problem = app.get(&format!("/v1/jobs/{job}/explain?{query}")).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["?user"], "{query}");
    }
    let pending = app.create_connection(Scenario::Pending).await;
    let forbidden = app.create_job(&json!({"connectionId": pending, "destinationId": null})).await;
    let explained = explain(&app, &forbidden, &format!("user={}", everybody[0])).await;
    assert_eq!(explained["outcome"], "unknown", "{explained}");
    assert!(explained["advice"].as_str().unwrap().contains("connection check"), "{explained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_and_stays_in_assets_is_explained() {
    let app = TestApp::start().await;
    let user = users(&app)[9];
    let job = app.create_job(&json!({"removal": {"policy": "mark", "afterMissingRuns": 3}})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let path = format!("/v1/jobs/{job}/objects/users/{user}");
    let whole = app.get(&path).await.expect(200);
    app.world.graph.change(|directory| directory.purge(user).unwrap());
    app.run(&job, &json!({"mode": "full"})).await;
    let explained = explain(&app, &job, &format!("user={user}")).await;
    assert_eq!((&explained["outcome"], &explained["source"]), (&json!("leaving"), &json!("delivered")), "{explained}");
    let sentence = step(&explained, "delivery")["sentence"].as_str().unwrap();
    assert!(sentence.contains("missing for one complete read") && sentence.contains("after 2 more"), "{sentence}");
    let gone = app.get(&path).await.expect(200);
    assert_eq!((&gone["properties"], &gone["label"]), (&Value::Null, &whole["label"]));
    assert_eq!(
        (&gone["delivered"]["missingRuns"], &gone["delivered"]["values"]),
        (&json!(1), &whole["delivered"]["values"])
    );
    assert_eq!((&gone["history"][0]["action"], &gone["history"][1]["action"]), (&json!("missing"), &json!("create")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_has_its_links_its_delivery_and_its_history() {
    let app = TestApp::start().await;
    let (user, manager) = app.world.graph.read(|directory| directory.manager_edges()[0]);
    let group = app.world.graph.change(|directory| {
        let group = directory.add_group("Looked at", GroupKind::Security);
        directory.add_member(group, user).unwrap();
        group
    });
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let path = format!("/v1/jobs/{job}/objects");
    let object = app.get(&format!("{path}/users/{user}")).await.expect(200);
    let link = |relation: &str, id: Uuid| {
        let links = object["links"].as_array().unwrap();
        links.iter().find(|link| link["relation"] == relation && link["id"] == json!(id)).cloned()
    };
    let found = link("manager", manager).unwrap();
    assert_eq!((found["objectType"].as_str(), found["label"].is_string()), (Some("users"), true), "{object}");
    assert_eq!(link("group", group).unwrap()["label"], "Looked at");
    assert_eq!(object["history"].as_array().unwrap().len(), 1);
    assert!(object["delivered"]["values"].to_string().contains(&user.to_string()), "{object}");
    let principal = object["properties"]["userPrincipalName"].as_str().unwrap();
    for key in [principal.to_owned(), principal.to_uppercase()] {
        assert_eq!(app.get(&format!("{path}/users/{key}")).await.expect(200), object, "{key}");
    }
    let of_group = app.get(&format!("{path}/groups/Looked%20at")).await.expect(200);
    assert_eq!((&of_group["id"], &of_group["links"][0]["relation"]), (&json!(group), &json!("member")), "{of_group}");
    update(&app, user, json!({"department": "Moved"}));
    app.run(&job, &json!({"mode": "full"})).await;
    let changed = app.get(&format!("{path}/users/{user}")).await.expect(200);
    let change = &changed["history"][0];
    assert_eq!((&change["action"], &change["changes"][0]["after"]), (&json!("update"), &json!("Moved")), "{changed}");
    app.get(&format!("{path}/users/{}", Uuid::from_u128(7))).await.problem(404, "not_found");
    app.get(&format!("{path}/printers/{user}")).await.problem(404, "not_found");
    app.world.graph.change(|directory| {
        directory.add_group("Twin", GroupKind::Security);
        directory.add_group("twin", GroupKind::Security)
    });
    app.run(&job, &json!({"mode": "full"})).await;
    let problem = app.get(&format!("{path}/groups/twin")).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["code"], "ambiguous");
}

/// What is stored may be read. Graph also knows whom the filter leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_run_graph_is_not_asked() {
    let app = TestApp::start().await;
    let everybody = users(&app);
    update(&app, everybody[5], json!({"department": "Explained"}));
    update(&app, everybody[6], json!({"department": "Kept out"}));
    let job = filtered(&app, &json!({"users": {"odata": "department eq 'Explained'"}})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let reader = app.add_key(ORGANIZATION, &[Scope::Read]).await;
    let ask = async |key: &str, user: Uuid| {
        let path = format!("/v1/jobs/{job}/explain?user={user}");
        app.call_with(key, Method::GET, &path).send().await.expect(200)
    };
    let before = app.world.graph.requests().len();
    let known = ask(&reader, everybody[5]).await;
    assert_eq!((&known["outcome"], &known["source"]), (&json!("imported"), &json!("mirror")), "{known}");
    let left_out = ask(&reader, everybody[6]).await;
    assert_eq!((&left_out["outcome"], &left_out["object"]), (&json!("unknown"), &Value::Null), "{left_out}");
    assert!(left_out["conclusion"].as_str().unwrap().contains("scope `run`"), "{left_out}");
    assert!(left_out["advice"].as_str().unwrap().contains("scope `run`"), "{left_out}");
    assert_eq!(app.world.graph.requests().len(), before);
    let runner = app.add_key(ORGANIZATION, &[Scope::Read, Scope::Run]).await;
    assert_eq!(ask(&runner, everybody[6]).await["outcome"], "notImported");
    assert!(app.world.graph.requests().len() > before);
}

/// Runs share the quota at Microsoft with whoever reads.
#[tokio::test]
async fn an_organization_has_so_many_requests_that_ask_outside() {
    let app = TestApp::start().await;
    let (organization, key) = app.add_organization().await;
    let job = app.create_job_of(&key).await;
    let held: Vec<Place> = std::iter::from_fn(|| LIVE_READS.take(organization).ok()).collect();
    assert_eq!(held.len(), 8);
    let destination = app.call_with(&key, Method::GET, "/v1/destinations").send().await.expect(200);
    let destination = destination["items"][0]["id"].as_str().unwrap();
    for path in [
        format!("/v1/jobs/{job}/explain?user=somebody"),
        format!("/v1/jobs/{job}/fit"),
        format!("/v1/jobs/{job}/schema"),
        format!("/v1/destinations/{destination}/types"),
    ] {
        let refused = app.call_with(&key, Method::GET, &path).send().await;
        assert_eq!(refused.header("retry-after"), "10", "{path}");
        refused.problem(429, "rate_limited");
    }
}
