//! Whether a job fits into Assets.

use crate::support::test_app::TestApp;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};

fn codes(fit: &Value) -> Vec<&str> {
    fit["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_small_job_fits_and_says_what_it_would_import() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"objects": {"users": {"references": ["manager"]}}})).await;
    let fit = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
    let truth = app.world.graph.truth();
    assert_eq!(
        (&fit["partial"], &fit["objects"]["planned"]),
        (&json!(false), &json!(truth.users + truth.groups)),
        "{fit}"
    );
    assert_eq!((&fit["objects"]["exact"], &fit["objects"]["included"]), (&json!(true), &json!(50_000)));
    let users = fit["types"].as_array().unwrap().iter().find(|of| of["objectType"] == "users").unwrap();
    assert_eq!((&users["objects"], &users["recommendedAttributes"]), (&json!(truth.users), &json!(35)), "{fit}");
    let groups = users["references"].as_array().unwrap().iter().find(|of| of["attribute"] == "groups").unwrap();
    assert!(groups["mostValues"].is_u64(), "{fit}");
}

/// Graph lists licences whole in one answer, so there are few; of applications there can be any number.
#[tokio::test]
async fn the_number_is_exact_only_where_every_type_was_counted() {
    let app = TestApp::start().await;
    let roles = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "Application.Read.All"];
    app.world.graph.set_roles(Scenario::Healthy, &roles);
    let connection = app.create_connection(Scenario::Healthy).await;
    let filter =
        app.create_filter(&json!({"name": "Off", "servicePrincipals": {"odata": "accountEnabled eq false"}})).await;
    let preview = json!({"connectionId": connection});
    let preview = app.post(&format!("/v1/filters/{filter}/preview"), &preview).await.expect(200);
    let off = preview["counts"]["servicePrincipals"]["count"].as_u64().unwrap();
    assert!(off > 0, "{preview}");
    let truth = app.world.graph.truth();
    let people = truth.users + truth.groups;
    for (object_type, filter, planned, exact) in [
        ("licenses", Some(&filter), people, true),
        ("servicePrincipals", None, people, false),
        ("servicePrincipals", Some(&filter), people + off, true),
        ("departments", None, people, false),
    ] {
        let job = json!({"connectionId": connection, "destinationId": null, "filterId": filter, "objects": {object_type: {}}});
        let job = app.create_job(&job).await;
        let fit = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
        let objects = &fit["objects"];
        assert_eq!((&objects["planned"], &objects["exact"]), (&json!(planned), &json!(exact)), "{object_type}: {fit}");
    }
}

/// What the check of the job's destination says of it: severity, and the number that is exceeded.
async fn of_check(app: &TestApp, job: &str) -> Vec<(String, u64)> {
    let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
    let path = format!("/v1/destinations/{}/check", destination.as_str().unwrap());
    let report = app.call(Method::POST, &path).send().await.expect(200);
    let findings = report["findings"].as_array().unwrap().iter().filter(|of| of["code"] == "job_does_not_fit");
    let mut found: Vec<(String, u64)> = findings
        .map(|finding| {
            let last = finding["remedies"].as_array().unwrap().last().unwrap();
            assert_eq!(last["value"], format!("GET /v1/jobs/{job}/fit"), "{finding}");
            let message = finding["message"].as_str().unwrap();
            let number = [50_000, 35].into_iter().find(|number| message.contains(&number.to_string())).unwrap_or(0);
            (finding["severity"].as_str().unwrap().to_owned(), number)
        })
        .filter(|(_, number)| *number > 0)
        .collect();
    found.sort();
    found
}

/// Each proposal is sent as it is, and what it is about is gone.
#[tokio::test]
async fn what_does_not_fit_comes_with_requests_that_change_it() {
    let seed = SeedOptions { users: 50_200, groups: 12, ..SeedOptions::default() };
    let app = TestApp::with(seed, AssetsOptions::default()).await;
    let keys: Vec<String> = app.get("/v1/attributes?objectType=users&limit=200").await.expect(200)["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attribute| attribute["assetsType"] != "referenced_object")
        .take(50)
        .map(|attribute| attribute["key"].as_str().unwrap().to_owned())
        .collect();
    let job = app.create_job(&json!({"objects": {"users": {"attributes": keys}}})).await;
    let fit = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
    let found = codes(&fit);
    assert!(found.contains(&"tooManyObjects") && found.contains(&"manyAttributes"), "{fit}");
    assert_eq!(of_check(&app, &job).await, [("info".to_owned(), 35), ("warning".to_owned(), 50_000)]);
    for finding in fit["findings"].as_array().unwrap() {
        for proposal in finding["proposals"].as_array().unwrap() {
            let method: Method = proposal["method"].as_str().unwrap().parse().unwrap();
            let answer = app.call(method, proposal["path"].as_str().unwrap()).json(&proposal["body"]).send().await;
            assert!((200..300).contains(&answer.status), "{proposal}: {}", answer.text);
        }
    }
    let fit = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
    assert!(!codes(&fit).contains(&"manyAttributes"), "{fit}");
}
