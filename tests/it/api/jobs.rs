//! Jobs: what they refer to, their defaults, their schedule, and their end.

use crate::support::test_app::{TestApp, pointers};
use entra_assets::audit::Actor;
use entra_assets::clock::Clock;
use entra_assets::db::runs::NewRun;
use entra_assets::db::system::{self, NextTimes};
use entra_assets::ids::RunId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::scheduler;
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn a_job_has_a_default_for_all_but_name_and_connection() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let path = app.create("/v1/jobs", &json!({"name": "Nightly", "connectionId": connection})).await;
    let created = app.get(&path).await.expect(200);
    assert_eq!(created["removal"], json!({"policy": "keep", "afterMissingRuns": 3, "brakePercent": 20}));
    assert_eq!((&created["memberships"], &created["deliver"]), (&json!("onUser"), &json!("full")));
    assert_eq!([&created["filterId"], &created["destinationId"], &created["schedule"]], [&Value::Null; 3]);
    let change = json!({"removal": {"policy": "mark"}, "memberships": "both"});
    let changed = app.patch(&path, &change).await.expect(200);
    assert_eq!(changed["removal"], json!({"policy": "mark", "afterMissingRuns": 3, "brakePercent": 20}));
    let back = app.patch(&path, &json!({"removal": null, "memberships": null})).await.expect(200);
    assert_eq!((&back["removal"], &back["memberships"]), (&created["removal"], &json!("onUser")));
    for field in ["name", "connectionId"] {
        let problem = app.patch(&path, &json!({field: null})).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), [format!("/{field}")], "it has no default");
    }
}

/// Null is the default at every depth, as an absent field is where the job is created.
#[tokio::test]
async fn null_sets_a_part_of_a_job_back_to_its_default() {
    let app = TestApp::start().await;
    let defaults = app.get(&format!("/v1/jobs/{}", app.create_job(&json!({})).await)).await.expect(200);
    let chosen = json!({"enabled": true, "attributes": ["operatingSystem"], "names": {"operatingSystem": "OS"},
        "references": [], "typeName": "Computer"});
    let people = json!({"enabled": false, "attributes": ["department"],
        "names": {"department": "Team", "jobTitle": "Job"}, "references": ["manager"], "typeName": "Person"});
    let path = format!(
        "/v1/jobs/{}",
        app.create_job(&json!({
            "connectionId": defaults["connectionId"], "destinationId": null,
            "removal": {"policy": "mark", "afterMissingRuns": 9, "brakePercent": 7},
            "objects": {"users": people, "licenses": {"enabled": false}, "devices": chosen},
        }))
        .await
    );
    for field in ["policy", "afterMissingRuns", "brakePercent"] {
        let changed = app.patch(&path, &json!({"removal": {field: null}})).await.expect(200);
        assert_eq!(changed["removal"][field], defaults["removal"][field], "{field}");
    }
    let named = app.patch(&path, &json!({"objects": {"users": {"names": {"department": null}}}})).await.expect(200);
    assert_eq!(named["objects"]["users"]["names"], json!({"jobTitle": "Job"}));
    for of in ["users", "devices"] {
        for field in ["enabled", "attributes", "names", "references", "typeName"] {
            let changed = app.patch(&path, &json!({"objects": {of: {field: null}}})).await.expect(200);
            assert_eq!(changed["objects"][of][field], defaults["objects"][of][field], "{of} {field}");
        }
    }
    let changed = app.patch(&path, &json!({"objects": {"licenses": null}})).await.expect(200);
    assert_eq!(changed["objects"], defaults["objects"]);
    let problem = app.patch(&path, &json!({"removal": {"policy": 1, "brakePercent": null, "more": null}})).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["/removal/more", "/removal/policy"]);
}

#[tokio::test]
async fn every_fault_of_a_job_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "", "connectionId": "x", "deliver": "some", "memberships": 1, "extra": true,
        "objects": {"users": {"enabled": true, "attributes": ["department", "shoeSize"]}},
        "removal": {"policy": "burn", "brakePercent": 101, "afterMissingRuns": 0},
        "schedule": {"cron": "every day", "timezone": "Europe/Atlantis"}});
    let problem = app.post("/v1/jobs", &wrong).await.problem(422, "validation_failed");
    let found = pointers(&problem);
    for pointer in [
        "/connectionId",
        "/deliver",
        "/extra",
        "/memberships",
        "/name",
        "/objects/users/attributes/1",
        "/removal/afterMissingRuns",
        "/removal/brakePercent",
        "/removal/policy",
        "/schedule/cron",
    ] {
        assert!(found.contains(&pointer), "{pointer}: {problem}");
    }
}

#[tokio::test]
async fn what_a_job_refers_to_exists() {
    let app = TestApp::start().await;
    let unknown = Uuid::from_u128(99);
    let body = json!({"name": "Nightly", "connectionId": unknown, "filterId": unknown, "destinationId": unknown});
    let problem = app.post("/v1/jobs", &body).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/connectionId", "/destinationId", "/filterId"]);
    assert!(problem["errors"].as_array().unwrap().iter().all(|fault| fault["code"] == "unknown_reference"));
    let job = app.create_job(&json!({})).await;
    let problem = app.patch(&format!("/v1/jobs/{job}"), &json!({"filterId": unknown})).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["/filterId"]);
    let removes = app.patch(&format!("/v1/jobs/{job}"), &json!({"removal": {"policy": "remove"}})).await;
    assert_eq!(pointers(&removes.problem(422, "validation_failed")), ["/removal/policy"]);
}

#[tokio::test]
async fn a_schedule_says_when_it_is_next() {
    let app = TestApp::start().await;
    let schedule = json!({"cron": "0 5 * * *", "timezone": "Europe/Berlin"});
    let job = app.create_job(&json!({"schedule": schedule})).await;
    let path = format!("/v1/jobs/{job}");
    let schedule = app.get(&path).await.expect(200)["schedule"].clone();
    assert_eq!((&schedule["enabled"], &schedule["nextRunAt"]), (&json!(true), &json!("2026-06-02T03:00:00Z")));
    let off = app.patch(&path, &json!({"schedule": {"enabled": false}})).await.expect(200)["schedule"].clone();
    assert_eq!((&off["cron"], &off["nextRunAt"]), (&json!("0 5 * * *"), &Value::Null));
    assert_eq!(app.patch(&path, &json!({"schedule": null})).await.expect(200)["schedule"], Value::Null);
    let problem = app.patch(&path, &json!({"schedule": {"cron": "61 * * * *"}})).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["/schedule/cron"]);
}

#[tokio::test]
async fn every_fault_of_a_schedule_is_named_in_words_and_at_once() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let create = async |schedule: Value| {
        let body = json!({"name": "Nightly", "connectionId": connection, "schedule": schedule});
        app.post("/v1/jobs", &body).await.problem(422, "validation_failed")
    };
    let problem = create(json!({"cron": "0 25 * * *", "timezone": "Europe/Atlantis", "enabled": "yes"})).await;
    assert_eq!(pointers(&problem), ["/schedule/cron", "/schedule/enabled", "/schedule/timezone"]);
    assert!(problem.to_string().contains("hour: `25` is not allowed; use 0 to 23"), "{problem}");
    let (clock, started) = (Clock::system(), Clock::system().instant());
    let problem = create(json!({"cron": "0 0 31 2 *"})).await;
    assert_eq!(pointers(&problem), ["/schedule/cron"], "it can never fire");
    let took = clock.elapsed_since(started);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_job_is_not_deleted_under_a_live_run() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}");
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.delete(&path).await.problem(409, "run_in_progress");
    app.call(Method::POST, &format!("/v1/runs/{run}/cancel")).send().await.expect(200);
    app.delete(&path).await.expect(204);
    app.get(&path).await.problem(404, "not_found");
    app.post(&format!("{path}/runs"), &json!({"mode": "full"})).await.problem(404, "not_found");
    app.get(&format!("{path}/objects?type=users")).await.problem(404, "not_found");
    assert_eq!(app.get("/v1/jobs").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn what_a_deleted_job_used_can_be_deleted_at_once() {
    let app = TestApp::start().await;
    let filter = app.create_filter(&json!({"name": "Members"})).await;
    let path = format!("/v1/jobs/{}", app.create_job(&json!({"filterId": filter})).await);
    let job = app.get(&path).await.expect(200);
    let used = ["connection", "filter", "destination"].map(|what| {
        let id = job[format!("{what}Id")].as_str().unwrap();
        format!("/v1/{what}s/{id}")
    });
    for path in &used {
        app.delete(path).await.problem(409, "in_use");
    }
    app.delete(&path).await.expect(204);
    for path in &used {
        app.delete(path).await.expect(204);
    }
}

#[tokio::test]
async fn the_schema_of_a_job_is_shown_and_built() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/schema");
    app.get(&path).await.expect(200);
    app.call(Method::POST, &path).send().await.expect(200);
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let attributes = app.get("/v1/attributes?objectType=users").await.expect(200);
    assert!(attributes.to_string().contains("department"), "{attributes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_has_a_mode_and_its_runs_say_so() {
    let app = TestApp::start().await;
    let schedule = json!({"cron": "0 5 * * *"});
    let job = app.create_job(&json!({"schedule": schedule})).await;
    let path = format!("/v1/jobs/{job}");
    assert_eq!(app.get(&path).await.expect(200)["schedule"]["mode"], "incremental");
    for mode in ["incremental", "full"] {
        let changed = app.patch(&path, &json!({"schedule": {"mode": mode}})).await.expect(200);
        assert_eq!((&changed["schedule"]["mode"], &changed["schedule"]["cron"]), (&json!(mode), &json!("0 5 * * *")));
        app.world.clock.advance(Duration::from_secs(24 * 3600));
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
        assert!(app.step().await);
        let run = app.get(&format!("{path}/runs?limit=1")).await.expect(200)["items"][0].clone();
        assert_eq!((&run["mode"], &run["requestedBy"]), (&json!(mode), &json!("schedule")), "{run}");
        let events = app.get(&format!("/v1/runs/{}/events", run["id"].as_str().unwrap())).await.expect(200);
        assert!(events.to_string().contains(&format!("It is {mode}, as schedule.mode")), "{events}");
    }
    let problem = app.patch(&path, &json!({"schedule": {"mode": "test"}})).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/schedule/mode"]);
}

/// Between the look for what is due and the queueing.
#[tokio::test]
async fn a_schedule_queues_no_run_for_a_job_that_is_deleted_or_switched_off_meanwhile() {
    for deletes in [true, false] {
        let app = TestApp::start().await;
        let job = app.create_job(&json!({"schedule": {"cron": "0 5 * * *"}})).await;
        app.world.clock.advance(Duration::from_secs(24 * 3600));
        let now = app.world.clock.now();
        let due = system::due_jobs(&app.world.app.db, now).await.unwrap().remove(0);
        let path = format!("/v1/jobs/{job}");
        match deletes {
            true => drop(app.delete(&path).await.expect(204)),
            false => drop(app.patch(&path, &json!({"schedule": {"enabled": false}})).await.expect(200)),
        }
        let new = NewRun {
            id: RunId::new(&app.world.clock),
            job: due.job,
            mode: RunMode::Incremental,
            request: RunRequest::default(),
            requested_by: Actor::Schedule,
        };
        assert!(
            !system::run_due_job(&app.world.app.db, &due, &new, NextTimes::default(), now).await.unwrap(),
            "{deletes}"
        );
        assert_eq!(app.world.count("runs").await, 0, "{deletes}");
    }
}

#[tokio::test]
async fn a_schedule_is_paused_and_resumed_by_hand() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({"schedule": {"cron": "0 5 * * *"}})).await;
    let path = format!("/v1/jobs/{job}");
    let post = async |action: &str| app.call(Method::POST, &format!("{path}/{action}")).send().await;
    let paused = post("pause").await.expect(200);
    let schedule = &paused["schedule"];
    assert_eq!((&schedule["enabled"], &schedule["pausedReason"]), (&json!(false), &json!("manual")));
    assert_eq!((&schedule["nextRunAt"], schedule.get("nextRuns")), (&Value::Null, None));
    assert_eq!(post("pause").await.expect(200)["version"], paused["version"], "nothing changes");
    app.world.clock.advance(Duration::from_secs(48 * 3600));
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    assert_eq!(app.world.count("runs").await, 0);
    let stale = app.call(Method::POST, &format!("{path}/resume")).header("if-match", "\"1\"").send().await;
    stale.problem(412, "precondition_failed");
    let resumed = post("resume").await.expect(200)["schedule"].clone();
    assert_eq!((&resumed["enabled"], &resumed["pausedReason"]), (&json!(true), &Value::Null));
    assert_eq!(resumed["nextRunAt"], "2026-06-04T05:00:00Z", "what passed meanwhile is not made up for");
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    assert_eq!(app.world.count("runs").await, 0);
    let actions = app.get(&format!("/v1/audit-events?resourceId={job}")).await.expect(200);
    let actions: Vec<&Value> = actions["items"].as_array().unwrap().iter().map(|event| &event["action"]).collect();
    assert_eq!(actions, ["resume", "pause", "create"]);
    let without = app.create_job(&json!({"destinationId": null})).await;
    let problem = app.call(Method::POST, &format!("/v1/jobs/{without}/pause")).send().await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["/schedule"]);
}

/// Nightly what changed, and on Sunday everything: where both are due, one full run starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_schedule_starts_full_runs() {
    let app = TestApp::start().await;
    let schedule = json!({"cron": "0 5 * * *", "fullCron": "0 5 * * SUN"});
    let job = app.create_job(&json!({"schedule": schedule})).await;
    let path = format!("/v1/jobs/{job}");
    let schedule = app.get(&path).await.expect(200)["schedule"].clone();
    assert_eq!(
        (&schedule["fullCron"], &schedule["nextRunAt"]),
        (&json!("0 5 * * SUN"), &json!("2026-06-02T05:00:00Z"))
    );
    let next = |run: &Value| (run["at"].as_str().unwrap()[..10].to_owned(), run["mode"].as_str().unwrap().to_owned());
    let next: Vec<(String, String)> = schedule["nextRuns"].as_array().unwrap().iter().map(next).collect();
    let expected = [
        ("02", "incremental"),
        ("03", "incremental"),
        ("04", "incremental"),
        ("05", "incremental"),
        ("06", "incremental"),
    ];
    assert_eq!(next, expected.map(|(day, mode)| (format!("2026-06-{day}"), mode.to_owned())));
    assert_eq!(app.get("/v1/jobs").await.expect(200)["items"][0]["schedule"].get("nextRuns"), None);
    let mut modes = Vec::new();
    for _ in 0..7 {
        app.world.clock.advance(Duration::from_secs(24 * 3600));
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
        assert!(app.step().await);
        modes.push(app.get(&format!("{path}/runs?limit=1")).await.expect(200)["items"][0]["mode"].clone());
    }
    // The seventh of June 2026 is a Sunday.
    let incremental = json!("incremental");
    assert_eq!(modes.iter().filter(|mode| **mode == incremental).count(), 6, "{modes:?}");
    assert_eq!(modes[5], "full", "{modes:?}");
    assert_eq!(app.world.count("runs").await, 7);
    let problem = app.patch(&path, &json!({"schedule": {"fullCron": "never"}})).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["/schedule/fullCron"]);
    let alone = app.patch(&path, &json!({"schedule": {"fullCron": null}})).await.expect(200)["schedule"].clone();
    assert_eq!(alone["fullCron"], Value::Null);
}

/// Its next time is a week away.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_that_is_due_while_another_run_is_under_way_starts_after_it() {
    let app = TestApp::start().await;
    let schedule = json!({"cron": "0 5 * * *", "fullCron": "0 5 * * SUN"});
    let job = app.create_job(&json!({"schedule": schedule})).await;
    let path = format!("/v1/jobs/{job}");
    app.queue(&job, &json!({"mode": "dryRun"})).await;
    // The seventh of June 2026, a Sunday.
    app.world.clock.advance(Duration::from_secs(6 * 24 * 3600));
    for _ in 0..2 {
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
        assert_eq!(app.world.count("runs").await, 1, "the dry run is queued");
        assert_eq!(app.get(&path).await.expect(200)["schedule"]["nextRunAt"], "2026-06-07T05:00:00Z");
    }
    assert!(app.step().await);
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    let newest = app.get(&format!("{path}/runs?limit=1")).await.expect(200)["items"][0].clone();
    assert_eq!((&newest["mode"], &newest["requestedBy"]), (&json!("full"), &json!("schedule")));
    assert_eq!(app.get(&path).await.expect(200)["schedule"]["nextRunAt"], "2026-06-08T05:00:00Z");
    assert!(app.step().await);
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    assert_eq!(app.world.count("runs").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_of_a_schedule_is_repeated_as_often_as_the_job_says() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Pending).await;
    let schedule = json!({"cron": "0 5 * * *", "retry": {"attempts": 2, "afterMinutes": 10}});
    let job = app.create_job(&json!({"connectionId": connection, "schedule": schedule})).await;
    let path = format!("/v1/jobs/{job}");
    let tick = async || {
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
        app.step().await
    };
    app.run(&job, &json!({"mode": "full"})).await;
    app.world.clock.advance(Duration::from_secs(3600));
    assert!(!tick().await, "what a person started is not repeated");
    app.world.clock.advance(Duration::from_secs(24 * 3600));
    assert!(tick().await);
    assert!(!tick().await, "the ten minutes are not over");
    for _ in 0..2 {
        app.world.clock.advance(Duration::from_secs(11 * 60));
        assert!(tick().await);
    }
    app.world.clock.advance(Duration::from_secs(11 * 60));
    assert!(!tick().await, "two repetitions were made");
    let runs = app.get(&format!("{path}/runs")).await.expect(200)["items"].as_array().unwrap().clone();
    let by: Vec<&Value> = runs.iter().map(|run| &run["requestedBy"]).collect();
    assert_eq!(by, ["retry", "retry", "schedule", "adminKey"]);
    assert!(runs[..3].iter().all(|run| run["mode"] == "incremental" && run["state"] == "failed"), "{runs:?}");
    assert_eq!(runs[0]["triggeredBy"]["kind"], "retry");
    let changed = app.patch(&path, &json!({"schedule": {"retry": {"attempts": null}}})).await.expect(200);
    assert_eq!(changed["schedule"]["retry"], json!({"attempts": 0, "afterMinutes": 10}));
}
