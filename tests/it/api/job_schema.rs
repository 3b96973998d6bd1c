//! The schema of a job: what would be sent, how it differs from Assets, and what Assets refuses.

use crate::support::test_app::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

async fn schema(app: &TestApp, job: &str) -> Value {
    app.get(&format!("/v1/jobs/{job}/schema")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_is_shown_and_gone_once_it_is_built() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let shown = schema(&app, &job).await;
    assert_eq!(shown["difference"]["addedObjectTypes"], json!(["Entra User", "Entra Group", "Entra License"]));
    assert_eq!(app.world.assets.counts().objects.len(), 0, "looking changes nothing");
    let built = app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    assert_eq!(built["difference"]["inSync"], true, "{built}");
    assert_eq!(
        built["built"]["addedObjectTypes"],
        json!(["Entra User", "Entra Group", "Entra License"]),
        "what was built"
    );
    assert_eq!(shown["built"], Value::Null);
    app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": {"devices": {"enabled": true}}})).await.expect(200);
    assert_eq!(schema(&app, &job).await["difference"]["addedObjectTypes"], json!(["Entra Device"]));
    let built = app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    assert_eq!(built["difference"]["inSync"], true, "{built}");
    assert_eq!(built["built"]["addedObjectTypes"], json!(["Entra Device"]), "{built}");
    let again = app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await.expect(200);
    assert_eq!((&again["built"]["inSync"], &again["built"]["addedObjectTypes"]), (&json!(true), &json!([])), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn building_leaves_an_audit_event_also_where_it_fails() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    schema(&app, &job).await;
    let path = format!("/v1/jobs/{job}/schema");
    app.call(Method::POST, &path).send().await.expect(200);
    app.world.assets.rotate_token(entra_assets::sim::assets::SOURCE_ID).unwrap();
    app.call(Method::POST, &path).send().await.problem(422, "assets_token_invalid");
    let events = app.get("/v1/audit-events").await.expect(200)["items"].clone();
    let builds: Vec<&Value> = events.as_array().unwrap().iter().filter(|event| event["action"] == "build").collect();
    assert_eq!(builds.len(), 2, "looking leaves none: {events}");
    for (event, succeeded) in builds.iter().zip([false, true]) {
        assert_eq!((&event["resourceKind"], &event["resourceId"]), (&json!("jobs"), &json!(job)));
        assert_eq!(event["detail"], json!({"succeeded": succeeded}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_is_explained_before_it_is_sent_and_what_people_made_is_left_alone() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let assets = &app.world.assets;
    assets.add_attribute("Entra User", "Desk", "text").unwrap();
    let user = assets.objects("Entra User").remove(0);
    assets.set_value(&user.id, "Desk", "4711").unwrap();

    let renamed = json!({"objects": {"users": {"names": {"department": "Unit"}}}});
    app.patch(&format!("/v1/jobs/{job}"), &renamed).await.expect(200);
    let difference = schema(&app, &job).await["difference"].clone();
    let refused = &difference["refused"][0];
    assert_eq!(
        (&refused["kind"], &refused["current"], &refused["wanted"]),
        (&json!("renameAttribute"), &json!("Department"), &json!("Unit"))
    );
    assert!(refused["advice"].as_str().unwrap().contains("Rename it in Assets"));
    assert_eq!(difference["foreign"], json!([{"objectType": "Entra User", "attribute": "Desk"}]));

    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(
        (&run["state"], &run["warnings"][0]["code"]),
        (&json!("succeeded"), &json!("schema_change_refused")),
        "{run}"
    );
    let found = assets.objects("Entra User").remove(0);
    assert_eq!((found.id, &found.values["Desk"]), (user.id, &vec!["4711".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_of_assets_the_document_is_still_shown() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.world.assets.rotate_token(entra_assets::sim::assets::SOURCE_ID).unwrap();
    let shown = schema(&app, &job).await;
    assert!(shown["difference"].is_null() && shown["document"]["schema"].is_object(), "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_destination_only_the_document_is_shown() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"destinationId": null})).await;
    let shown = schema(&app, &job).await;
    assert!(shown["difference"].is_null() && shown["document"]["schema"].is_object(), "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("no destination"), "{shown}");
    let built = app.call(Method::POST, &format!("/v1/jobs/{job}/schema")).send().await;
    built.problem(404, "not_found");
}

/// Forge gives a call 25 seconds.
#[tokio::test(flavor = "multi_thread")]
async fn an_assets_that_takes_too_long_is_not_waited_for() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/schema");
    app.world.hasten(20);
    let timed = async |method: Method| {
        let began = app.world.clock.now();
        let answer = app.world.while_time_passes(app.call(method, &path).send()).await;
        let took = app.world.clock.now() - began;
        assert!(took.num_seconds() < 22, "it took {took}");
        answer
    };
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 10_000);
    let shown = timed(Method::GET).await.expect(200);
    assert!(shown["difference"].is_null() && shown["document"]["schema"].is_object(), "{shown}");
    assert!(shown["problem"].as_str().unwrap().contains("18 seconds"), "{shown}");
    timed(Method::POST).await.problem(504, "assets_unreachable");
    // Three calls until the document is there; the fourth, which looks at the result, comes too late.
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 5_000);
    let built = timed(Method::POST).await.expect(200);
    assert!(built["problem"].as_str().unwrap().contains("was sent"), "{built}");
    app.world.assets.configure(|behaviour| behaviour.latency_ms = 0);
    assert_eq!(schema(&app, &job).await["difference"]["inSync"], true);
}
