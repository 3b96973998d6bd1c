//! The removal brake: too much missing at once waits for a person.

use crate::support::test_app::TestApp;
use crate::support::world::ORGANIZATION;
use chrono::TimeDelta;
use entra_assets::db::runs::{self, NewRun};
use entra_assets::error::Code;
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::scheduler;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A job that delivered sixty users, of which the filter then loses a third.
async fn shrunken(app: &TestApp) -> String {
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let ids: Vec<String> = app
        .world
        .graph
        .read(|directory| directory.live_users().take(20).map(|(_, user)| user.id.to_string()).collect());
    let filter = app.create_filter(&json!({"name": "Fewer", "exclude": {"userIds": ids}})).await;
    app.patch(&format!("/v1/jobs/{job}"), &json!({"filterId": filter})).await.expect(200);
    job
}

/// Such a job, and its run that stops for it.
async fn stopped(app: &TestApp) -> (String, String) {
    let job = shrunken(app).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "awaitingApproval", "{run}");
    assert!(run["warnings"].to_string().contains("removal_brake"), "{run}");
    (job, run["id"].as_str().unwrap().to_owned())
}

async fn state(app: &TestApp, run: &str) -> Value {
    app.get(&format!("/v1/runs/{run}")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_has_no_execution_and_what_is_approved_is_delivered() {
    let app = TestApp::start().await;
    let (_, run) = stopped(&app).await;
    assert_eq!(app.world.assets.executions().len(), 1, "none was started");
    let listed = app.get(&format!("/v1/runs/{run}/changes?limit=200")).await.expect(200);
    let missing = listed["items"].as_array().unwrap().iter().filter(|change| change["reason"] == "outOfScope").count();
    assert_eq!(missing, 20);
    app.call(Method::POST, &format!("/v1/runs/{run}/approve")).send().await.expect(200);
    assert!(app.step().await);
    assert_eq!(state(&app, &run).await["state"], "succeeded");
    assert_eq!(app.world.assets.counts().objects["Entra User"], 60, "the policy is to keep them");
    app.call(Method::POST, &format!("/v1/runs/{run}/approve")).send().await.problem(409, "run_not_awaiting_approval");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_something_else_is_refused() {
    let app = TestApp::start().await;
    let (job, run) = stopped(&app).await;
    app.patch(&format!("/v1/jobs/{job}"), &json!({"removal": {"policy": "mark"}})).await.expect(200);
    app.call(Method::POST, &format!("/v1/runs/{run}/approve")).send().await.problem(409, "approval_outdated");
    assert_eq!(state(&app, &run).await["state"], "awaitingApproval");
}

/// People start one to look before they approve.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_or_a_test_does_not_supersede_a_run_that_awaits_approval() {
    let app = TestApp::start().await;
    let (job, run) = stopped(&app).await;
    let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
    let dry = app.run(&job, &json!({"mode": "dryRun"})).await;
    assert_eq!((&dry["state"], &state(&app, &run).await["state"]), (&json!("succeeded"), &json!("awaitingApproval")));
    assert!(dry["warnings"].to_string().contains("until somebody approves it"), "{dry}");
    let waiting = app.queue(&job, &json!({"mode": "dryRun"})).await;
    let path = format!("/v1/runs/{run}/approve");
    app.call(Method::POST, &path).send().await.problem(409, "run_in_progress");
    assert!(app.step().await, "{waiting}");
    app.call(Method::POST, &path).send().await.expect(200);
    assert!(app.step().await);
    assert_eq!(state(&app, &run).await["state"], "succeeded");

    let ignores = json!({"missingObjects": "ignore"});
    app.patch(&format!("/v1/destinations/{}", destination.as_str().unwrap()), &ignores).await.expect(200);
    app.world.graph.change(|directory| {
        let ids: Vec<_> = directory.live_users().map(|(_, user)| user.id).skip(25).take(20).collect();
        ids.into_iter().for_each(|id| directory.delete(id).unwrap());
    });
    let stopped = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(stopped["state"], "awaitingApproval", "{stopped}");
    let test = app.run(&job, &json!({"mode": "test", "limit": 5})).await;
    let stopped = state(&app, stopped["id"].as_str().unwrap()).await;
    assert_eq!((&test["state"], &stopped["state"]), (&json!("succeeded"), &json!("awaitingApproval")), "{test}");
}

/// The removal brake of a job with this policy; the destination's word; what the warning says of an approval.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_brake_the_missing_objects_are_listed_and_it_is_said_what_approving_does() {
    for (policy, word, action, said) in [
        ("keep", "ignore", "missing", "nothing is removed"),
        ("keep", "remove", "missing", "Assets deletes them"),
        ("mark", "ignore", "mark", "get the lifecycle Removed"),
    ] {
        let app = TestApp::start().await;
        let removal = json!({"policy": policy, "afterMissingRuns": 1});
        let job = app.create_job(&json!({"removal": removal})).await;
        let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
        let path = format!("/v1/destinations/{}", destination.as_str().unwrap());
        app.patch(&path, &json!({"missingObjects": word})).await.expect(200);
        app.run(&job, &json!({"mode": "full"})).await;
        app.world.graph.change(|directory| {
            let ids: Vec<_> = directory.live_users().map(|(_, user)| user.id).take(20).collect();
            ids.into_iter().for_each(|id| directory.delete(id).unwrap());
        });
        let run = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!(run["state"], "awaitingApproval", "{run}");
        let brake = |run: &Value| {
            let warnings = run["warnings"].as_array().unwrap();
            warnings.iter().find(|warning| warning["code"] == "removal_brake").unwrap().clone()
        };
        assert!(brake(&run)["detail"].as_str().unwrap().contains(said), "{policy} {word}: {run}");
        assert!(brake(&run)["advice"].as_str().unwrap().contains("action=missing"), "{run}");
        let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
        let listed = app.get(&format!("{path}/changes?limit=200&action=missing&type=users")).await.expect(200);
        let actions: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["action"]).collect();
        assert_eq!(actions, vec![&json!(action); 20], "{policy}");
        let events = app.get(&format!("{path}/events?after=0")).await.expect(200);
        assert_eq!((&events["done"], &events["state"]), (&json!(false), &json!("awaitingApproval")));
        app.call(Method::POST, &format!("{path}/approve")).send().await.expect(200);
        for _ in 0..2 {
            let advice = brake(&app.get(&path).await.expect(200))["advice"].as_str().unwrap().to_owned();
            assert!(advice.contains("was approved") && !advice.contains("cancel"), "{advice}");
            app.step().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_nobody_gives_expires_after_a_week() {
    let app = TestApp::start().await;
    let (_, run) = stopped(&app).await;
    let world = &app.world;
    world.clock.advance(TimeDelta::days(6).to_std().unwrap());
    scheduler::tick(&world.app, world.worker).await.unwrap();
    assert_eq!(state(&app, &run).await["state"], "awaitingApproval");
    world.clock.advance(TimeDelta::days(2).to_std().unwrap());
    scheduler::tick(&world.app, world.worker).await.unwrap();
    let run = state(&app, &run).await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("failed"), &json!("approval_expired")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_run_supersedes_and_a_cancelled_one_delivers_nothing() {
    let app = TestApp::start().await;
    let (job, first) = stopped(&app).await;
    let second = app.run(&job, &json!({"mode": "full"})).await;
    let first = state(&app, &first).await;
    assert_eq!((&first["state"], &first["error"]["code"]), (&json!("cancelled"), &json!("superseded")));
    assert_eq!(second["state"], "awaitingApproval");
    let path = format!("/v1/runs/{}", second["id"].as_str().unwrap());
    app.call(Method::POST, &format!("{path}/cancel")).send().await;
    assert_eq!(app.get(&path).await.expect(200)["state"], "cancelled");
    assert_eq!(app.world.assets.executions().len(), 1);
}

/// Nothing looks for a cancellation between the comparison and the brake.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_while_it_compares_does_not_await_approval() {
    let app = TestApp::start().await;
    let job = shrunken(&app).await;
    app.world.cancel_once_compared().await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!((&run["state"], &run["error"]["code"]), (&json!("cancelled"), &json!("cancelled")), "{run}");
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    let events = app.get(&format!("{path}/events?after=0")).await.expect(200).to_string();
    assert!(!events.contains("awaitingApproval"), "{events}");
    app.call(Method::POST, &format!("{path}/approve")).send().await.problem(409, "run_not_awaiting_approval");
    assert_eq!(app.world.assets.executions().len(), 1);
}

/// The transaction that starts a run finds the stopped one while the approval is not committed yet.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_not_undone_by_a_run_that_is_started_at_the_same_moment() {
    let app = TestApp::start().await;
    let (job, run) = stopped(&app).await;
    let (db, now) = (&app.world.app.db, app.world.clock.now());
    let (job, stopped) = (JobId(job.parse().unwrap()), RunId(run.parse().unwrap()));
    let written = Notify::new();
    let approve = db.scoped(ORGANIZATION, async |tx| {
        runs::approve(tx, ORGANIZATION, stopped, now).await?;
        written.notify_one();
        app.world.until_somebody_waits().await;
        Ok(())
    });
    let (request, id) = (RunRequest::default(), RunId::new(&app.world.clock));
    let new = NewRun { id, job, mode: RunMode::Full, request, requested_by: "test".into() };
    let start = async {
        written.notified().await;
        db.scoped(ORGANIZATION, async |tx| runs::enqueue(tx, ORGANIZATION, &new, now).await).await
    };
    let (approved, started) = tokio::join!(approve, start);
    approved.unwrap();
    assert_eq!(started.map(|row| row.run_id()).unwrap_err().code, Code::RunInProgress);
    assert_eq!(state(&app, &run).await["state"], "queued");
    assert!(app.step().await);
    assert_eq!(state(&app, &run).await["state"], "succeeded");
}
