//! Runs: queued, one at a time, cancelled in every state, approved only while they await approval.

use crate::support::test_app::{TestApp, pointers};
use entra_assets::runs::scheduler;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn cancel(app: &TestApp, run: &str) -> crate::support::test_app::Answer {
    app.call(Method::POST, &format!("/v1/runs/{run}/cancel")).send().await
}

async fn approve(app: &TestApp, run: &str) -> crate::support::test_app::Answer {
    app.call(Method::POST, &format!("/v1/runs/{run}/approve")).send().await
}

/// A run that the removal brake stopped: half of all users are gone.
async fn stopped_at_the_brake(app: &TestApp) -> (String, String) {
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    app.world.graph.change(|directory| {
        let half: Vec<Uuid> = directory.live_users().step_by(2).map(|(_, user)| user.id).collect();
        half.into_iter().for_each(|user| directory.delete(user).unwrap());
    });
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "awaitingApproval", "{run}");
    assert!(run["approvalExpiresAt"].is_string());
    (job, run["id"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_queued_executed_and_read() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let answer = app.post(&format!("/v1/jobs/{job}/runs"), &json!({"mode": "full"})).await;
    let location = answer.header("location").to_owned();
    let queued = answer.expect(202);
    assert_eq!((&queued["state"], &queued["stage"], &queued["attempt"]), (&json!("queued"), &Value::Null, &json!(0)));
    assert_eq!(location, format!("/v1/runs/{}", queued["id"].as_str().unwrap()));
    assert!(app.step().await);
    let done = app.get(&location).await.expect(200);
    assert_eq!((&done["state"], &done["error"], &done["attempt"]), (&json!("succeeded"), &Value::Null, &json!(1)));
    let truth = app.world.graph.truth();
    assert_eq!(done["counts"]["users"]["read"], truth.users);
    assert_eq!(done["counts"]["users"]["created"], truth.users);
    app.world.assert_delivered();
    for list in ["/v1/runs".to_owned(), format!("/v1/jobs/{job}/runs")] {
        assert_eq!(app.get(&list).await.expect(200)["items"], json!([done]), "{list}");
    }
    let changes = app.get(&format!("{location}/changes?limit=3")).await.expect(200);
    assert_eq!(changes["items"][0]["action"], "create");
    let cursor = changes["nextCursor"].as_str().unwrap();
    let next = app.get(&format!("{location}/changes?limit=3&cursor={cursor}")).await.expect(200);
    assert_ne!(next["items"][0]["objectId"], changes["items"][0]["objectId"]);
    let of = async |what: &str| {
        let found = app.get(&format!("{location}/changes?limit=200&{what}")).await.expect(200);
        found["items"].as_array().unwrap().iter().map(|item| item["objectType"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("type=groups&action=create").await, vec![json!("groups"); truth.groups as usize]);
    assert_eq!(of("action=missing").await, Vec::<Value>::new());
    app.get(&format!("{location}/changes?type=users&limit=3&cursor={cursor}")).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_newest_first() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"destinationId": null})).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, app.run(&job, &json!({"mode": "full"})).await["id"].clone());
    }
    let in_state = |state: &str| format!("/v1/jobs/{job}/runs?state={state}");
    assert_eq!(app.get(&in_state("succeeded")).await.expect(200)["items"].as_array().unwrap().len(), 3);
    assert_eq!(app.get("/v1/runs?state=awaitingApproval").await.expect(200)["items"], json!([]));
    let first = app.get("/v1/runs?limit=2").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/runs?limit=2&cursor={cursor}")).await.expect(200);
    let listed: Vec<Value> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap().iter().map(|run| run["id"].clone()))
        .collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn a_job_has_one_live_run() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    let problem = app.post(&format!("/v1/jobs/{job}/runs"), &json!({"mode": "dryRun"})).await;
    let detail = problem.problem(409, "run_in_progress")["detail"].as_str().unwrap().to_owned();
    assert!(run.ends_with(detail.split(' ').nth(1).unwrap()), "{detail} names {run}");
    let other = app.create_job(&json!({"destinationId": null})).await;
    app.queue(&other, &json!({"mode": "full"})).await;
    cancel(&app, &run).await.expect(200);
    app.queue(&job, &json!({"mode": "full"})).await;
}

#[tokio::test]
async fn every_fault_of_a_run_is_named_at_once() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/runs");
    let wrong = json!({"mode": "half", "limit": 0, "deliver": "some", "fast": true});
    let problem = app.post(&path, &wrong).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/deliver", "/fast", "/limit", "/mode"]);
    assert_eq!(pointers(&app.post(&path, &json!({})).await.problem(422, "validation_failed")), ["/mode"]);
    let unknown = format!("/v1/jobs/{}/runs", Uuid::from_u128(99));
    app.post(&unknown, &json!({"mode": "full"})).await.problem(404, "not_found");
}

#[tokio::test]
async fn an_option_that_does_not_go_with_the_mode_is_refused() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/runs");
    for (body, places) in [
        (json!({"mode": "full", "limit": 5}), vec!["/limit"]),
        (json!({"mode": "incremental", "limit": 5}), vec!["/limit"]),
        (json!({"mode": "test", "resetMirror": true}), vec!["/resetMirror"]),
        (json!({"mode": "dryRun", "limit": 1, "deliver": "full", "resetMirror": true}), vec!["/limit", "/resetMirror"]),
        (json!({"mode": "full", "limit": 1, "fast": true}), vec!["/fast", "/limit"]),
    ] {
        let problem = app.post(&path, &body).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), places, "{body}");
    }
    let limited = app.post(&path, &json!({"mode": "full", "limit": 5})).await.problem(422, "validation_failed");
    assert!(limited["detail"].as_str().unwrap().contains("mode `test` only"), "{limited}");
    let harmless = json!({"mode": "dryRun", "limit": null, "deliver": "full", "resetMirror": false});
    let dry_run = app.post(&path, &harmless).await.expect(202);
    assert_eq!(dry_run["deliver"], Value::Null, "it has no effect");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_is_refused_before_it_is_queued() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let tenant = Uuid::from_u128(7).to_string();
    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].as_str().unwrap().to_owned();
    app.patch(&format!("/v1/connections/{connection}"), &json!({"tenantId": tenant})).await.expect(200);
    let path = format!("/v1/jobs/{job}/runs");
    for mode in ["full", "incremental"] {
        let problem = app.post(&path, &json!({"mode": mode})).await.problem(409, "tenant_changed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&tenant) && detail.contains("resetMirror"), "{detail}");
    }
    app.post(&path, &json!({"mode": "full", "resetMirror": true})).await.expect(202);
}

#[tokio::test]
async fn a_queued_run_is_cancelled_at_once() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    let cancelled = cancel(&app, &run).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(cancelled["finishedAt"].is_string());
    let error = &cancelled["error"];
    assert_eq!((&error["code"], &error["stage"]), (&json!("cancelled"), &json!("collect")), "the stage to come");
    assert!(error["detail"].as_str().unwrap().starts_with("Cancelled by adminKey at 20"), "{error}");
    assert!(error["advice"].is_string());
    assert!(!app.step().await, "nobody executes it");
    cancel(&app, &run).await.problem(409, "run_not_cancellable");
    approve(&app, &run).await.problem(409, "run_not_awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_run_is_cancelled_and_says_so() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.world.graph.set_latency(std::time::Duration::from_secs(1));
    let cancel = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
        while app.world.graph.requests().is_empty() {
            ticks.tick().await;
        }
        let asked = cancel(&app, &run).await.expect(200);
        assert_eq!((&asked["state"], &asked["cancelRequested"]), (&json!("running"), &json!(true)));
        assert_eq!(asked["error"], Value::Null, "it has not ended");
    };
    tokio::join!(app.step(), cancel);
    let ended = app.get(&format!("/v1/runs/{run}")).await.expect(200);
    assert_eq!(ended["state"], "cancelled", "{ended}");
    assert_eq!((&ended["error"]["code"], &ended["error"]["stage"]), (&json!("cancelled"), &json!("collect")));
    assert!(ended["error"]["detail"].as_str().unwrap().contains("adminKey"), "{ended}");
    assert!(app.world.store().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_is_neither_cancelled_nor_approved() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"destinationId": null})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    let run = run["id"].as_str().unwrap();
    cancel(&app, run).await.problem(409, "run_not_cancellable");
    approve(&app, run).await.problem(409, "run_not_awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_run_delivers_what_it_found() {
    let app = TestApp::start().await;
    let (_, run) = stopped_at_the_brake(&app).await;
    assert!(!app.step().await, "it waits for a person");
    assert_eq!(approve(&app, &run).await.expect(200)["state"], "queued");
    approve(&app, &run).await.problem(409, "run_not_awaiting_approval");
    assert!(app.step().await);
    let ended = app.get(&format!("/v1/runs/{run}")).await.expect(200);
    assert!(matches!(ended["state"].as_str(), Some("succeeded" | "degraded")), "{ended}");
    approve(&app, &run).await.problem(409, "run_not_awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_at_the_brake_can_be_refused() {
    let app = TestApp::start().await;
    let (job, run) = stopped_at_the_brake(&app).await;
    let before = app.world.processed();
    assert_eq!(cancel(&app, &run).await.expect(200)["state"], "cancelled");
    approve(&app, &run).await.problem(409, "run_not_awaiting_approval");
    assert_eq!(app.world.processed(), before, "nothing was sent");
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "awaitingApproval", "it is still so");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_is_not_approved() {
    let app = TestApp::start().await;
    let (job, run) = stopped_at_the_brake(&app).await;
    app.patch(&format!("/v1/jobs/{job}"), &json!({"memberships": "both"})).await.expect(200);
    approve(&app, &run).await.problem(409, "approval_outdated");
    assert_eq!(cancel(&app, &run).await.expect(200)["state"], "cancelled");
}

/// Runs of a schedule are in the audit log too.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_supersedes_a_run_at_the_brake_and_stops_there_again() {
    let app = TestApp::start().await;
    let (job, run) = stopped_at_the_brake(&app).await;
    let tick = async |later: u64| {
        app.world.clock.advance(std::time::Duration::from_secs(later));
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    };
    let newest = async |of: &str| app.get(of).await.expect(200)["items"][0].clone();
    let runs = format!("/v1/jobs/{job}/runs");
    app.patch(&format!("/v1/jobs/{job}"), &json!({"schedule": {"cron": "* * * * *"}})).await.expect(200);
    tick(60).await;
    let first = app.get(&format!("/v1/runs/{run}")).await.expect(200);
    assert_eq!((&first["state"], &first["error"]["code"]), (&json!("cancelled"), &json!("superseded")));
    let second = newest(&runs).await;
    assert_eq!((&second["state"], &second["requestedBy"]), (&json!("queued"), &json!("schedule")));
    let event = newest("/v1/audit-events").await;
    assert_eq!([&event["actor"], &event["action"], &event["resourceKind"]], ["schedule", "create", "runs"]);
    assert_eq!(event["resourceId"], second["id"]);
    tick(60).await;
    assert_eq!(newest(&runs).await["id"], second["id"], "one at a time");
    assert!(app.step().await);
    assert_eq!(newest(&runs).await["state"], "awaitingApproval");
    app.patch(&format!("/v1/jobs/{job}"), &json!({"schedule": null})).await.expect(200);
    tick(8 * 24 * 3600).await;
    assert_eq!(newest(&runs).await["error"]["code"], "approval_expired");
    let event = newest("/v1/audit-events").await;
    assert_eq!(
        [&event["actor"], &event["action"], &event["resourceId"]],
        [&json!("service"), &json!("expire"), &second["id"]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_would_remove_the_rest_is_refused() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "test", "limit": 5})).await["state"], "succeeded");
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let runs = format!("/v1/jobs/{job}/runs");
    app.post(&runs, &json!({"mode": "test"})).await.problem(409, "test_would_remove");
    assert_eq!(app.run(&job, &json!({"mode": "dryRun"})).await["state"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_says_where_why_and_what_to_do() {
    let app =
        TestApp::with(SeedOptions { users: 20, groups: 4, ..SeedOptions::default() }, AssetsOptions::default()).await;
    let connection = app.create_connection(Scenario::Delegated).await;
    let job = app.create_job(&json!({"connectionId": connection})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!((&run["state"], &run["error"]["stage"]), (&json!("failed"), &json!("collect")));
    assert_eq!(run["error"]["code"], "no_application_permission");
    for field in ["detail", "advice"] {
        assert!(run["error"][field].as_str().is_some_and(|text| text.len() > 20), "{field}: {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_can_wait_for_the_end_of_a_run() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/runs");
    // As fast as real time, so that the run ends within the time of the request.
    app.world.hasten(1);
    let wait = async |seconds: u8| app.post(&format!("{path}?wait={seconds}"), &json!({"mode": "full"})).await;
    let working = async { while !app.step().await {} };
    let (answer, ()) = tokio::join!(app.world.while_time_passes(wait(20)), working);
    assert_eq!(answer.expect(202)["state"], "succeeded");
    // Nobody works on the second one: the time is over first.
    let queued = app.world.while_time_passes(wait(1)).await.expect(202);
    assert_eq!((&queued["state"], &queued["triggeredBy"]["kind"]), (&json!("queued"), &json!("adminKey")));
    let problem = app.post(&format!("{path}?wait=21"), &json!({"mode": "full"})).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["?wait"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_who_started_and_who_approved_it() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    app.world.graph.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).take(30).collect();
        users.into_iter().for_each(|user| directory.purge(user).unwrap());
    });
    let key = app.create("/v1/api-keys", &json!({"name": "Script", "scopes": ["run", "read"]})).await;
    let id = key.rsplit('/').next().unwrap().to_owned();
    let secret = app.post("/v1/api-keys", &json!({"name": "Script 2", "scopes": ["run", "read"]})).await.expect(201);
    let secret = secret["key"].as_str().unwrap();
    let call =
        async |path: &str, body: &Value| app.call_with(secret, Method::POST, path).json(body).send().await.expect(202);
    let run = call(&format!("/v1/jobs/{job}/runs"), &json!({"mode": "full"})).await;
    assert_eq!((&run["triggeredBy"]["kind"], &run["triggeredBy"]["name"]), (&json!("apiKey"), &json!("Script 2")));
    assert_ne!(run["triggeredBy"]["id"], json!(id));
    assert!(app.step().await);
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    let stopped = app.get(&path).await.expect(200);
    assert_eq!((&stopped["state"], &stopped["approvedBy"]), (&json!("awaitingApproval"), &Value::Null));
    let approved = app.call(Method::POST, &format!("{path}/approve")).send().await.expect(200);
    assert_eq!(approved["approvedBy"], json!({"kind": "adminKey", "id": null, "name": null}));
    let listed = app.get("/v1/runs?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!((&listed["approvedBy"], &listed["triggeredBy"]["name"]), (&approved["approvedBy"], &json!("Script 2")));
    assert!(listed["approvedAt"].is_string());
}
