//! Whether a job fits into Assets.

use crate::support::test_app::TestApp;
use entra_assets::sim::assets::AssetsOptions;
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
