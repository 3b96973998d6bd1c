//! Webhooks that are told of some jobs only.

use crate::support::test_app::{TestApp, connection_body, pointers};
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn add(app: &TestApp, jobs: Value) -> String {
    let events = json!(["succeeded", "user.joined", "schedule.paused", "connection.check_failed"]);
    let body = json!({"name": "Chat", "url": "https://example.com/hook", "events": events, "jobIds": jobs});
    app.create("/v1/webhooks", &body).await
}

/// The events that a webhook was told, oldest first.
async fn told(app: &TestApp, webhook: &str) -> Vec<String> {
    let page = app.get(&format!("{webhook}/deliveries?sort=createdAt&limit=200")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_the_jobs_that_it_has_chosen() {
    let app = TestApp::start().await;
    let schedule = json!({"cron": "0 5 * * *"});
    let north = app.create_job(&json!({"name": "North", "schedule": schedule})).await;
    let south = app.create_job(&json!({"name": "South", "destinationId": null, "schedule": schedule})).await;
    let of_north = add(&app, json!([north])).await;
    let of_south = add(&app, json!([south])).await;
    let (of_both, of_all) = (add(&app, json!([north, south])).await, add(&app, Value::Null).await);
    assert_eq!(app.run(&north, &json!({"mode": "full"})).await["state"], "succeeded");
    let first = ["user.joined", "succeeded"];
    for (webhook, expected) in [(&of_north, &first[..]), (&of_south, &[]), (&of_both, &first), (&of_all, &first)] {
        let mut found = told(&app, webhook).await;
        found.sort_by_key(|event| event == "succeeded");
        assert_eq!(found, expected);
    }
    assert_eq!(app.run(&south, &json!({"mode": "dryRun"})).await["state"], "succeeded");
    app.call(Method::POST, &format!("/v1/jobs/{south}/pause")).send().await.expect(200);
    assert_eq!(told(&app, &of_south).await, ["succeeded", "schedule.paused"]);
    for (webhook, more) in [(&of_north, 0), (&of_both, 2), (&of_all, 2)] {
        assert_eq!(told(&app, webhook).await.len(), first.len() + more);
    }
    // What is about no job.
    app.create("/v1/connections?check=true", &connection_body(Scenario::Pending)).await;
    assert_eq!(told(&app, &of_south).await.last().unwrap(), "connection.check_failed");
}

#[tokio::test]
async fn jobs_of_a_webhook_exist_and_can_be_chosen_anew() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"destinationId": null})).await;
    let (_, key) = app.add_organization().await;
    let body = json!({"name": "Chat", "url": "https://example.com/hook", "jobIds": [job, Uuid::from_u128(7)]});
    let problem = app.post("/v1/webhooks", &body).await.problem(422, "validation_failed");
    assert_eq!((pointers(&problem), &problem["errors"][0]["code"]), (vec!["/jobIds/1"], &json!("unknown_reference")));
    let body = json!({"name": "Chat", "url": "https://example.com/hook", "jobIds": [job]});
    let of_others = app.call_with(&key, Method::POST, "/v1/webhooks").json(&body).send().await;
    assert_eq!(pointers(&of_others.problem(422, "validation_failed")), ["/jobIds/0"]);
    let webhook = app.create("/v1/webhooks", &body).await;
    assert_eq!(app.patch(&webhook, &json!({"name": "Other"})).await.expect(200)["jobIds"], json!([job]));
    let problem = app.patch(&webhook, &json!({"jobIds": [Uuid::from_u128(7)]})).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/jobIds/0"]);
    assert_eq!(app.delete(&format!("/v1/jobs/{job}")).await.status, 204);
    assert_eq!(app.patch(&webhook, &json!({"enabled": false})).await.expect(200)["jobIds"], json!([job]));
    assert_eq!(app.patch(&webhook, &json!({"jobIds": null})).await.expect(200)["jobIds"], Value::Null);
}
