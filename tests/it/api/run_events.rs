//! The events of a run, in both forms.

use crate::support::postgres::connect;
use crate::support::test_app::{Answer, TestApp, pointers};
use crate::support::world::ORGANIZATION;
use entra_assets::api::auth::Scope;
use entra_assets::api::places::{Place, STREAMS};
use entra_assets::db::listen::Notice;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

async fn finished(app: &TestApp) -> String {
    let job = app.create_job(&json!({})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    format!("/v1/runs/{}/events", run["id"].as_str().unwrap())
}

async fn queued(app: &TestApp) -> String {
    let job = app.create_job(&json!({})).await;
    format!("/v1/runs/{}/events", app.queue(&job, &json!({"mode": "full"})).await)
}

fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
}

/// `id`, `event` and `data` of every event of a stream.
fn parse(answer: &Answer) -> Vec<(i64, String, Value)> {
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
    assert!(answer.text.ends_with("\n\n"), "every event is complete");
    let blocks = answer.text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    blocks
        .map(|block| {
            let lines: Vec<&str> = block.lines().collect();
            let field = |at: usize, name: &str| lines[at].strip_prefix(name).unwrap().to_owned();
            assert_eq!(lines.len(), 3, "{block}");
            let data = serde_json::from_str(&field(2, "data: ")).unwrap();
            (field(0, "id: ").parse().unwrap(), field(1, "event: "), data)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_run_tells_all_its_events_in_order() {
    let app = TestApp::start().await;
    let path = finished(&app).await;
    let page = app.get(&path).await.expect(200);
    let all = ids(&page);
    assert_eq!(all, (1..=all.len() as i64).collect::<Vec<_>>(), "ids rise by one");
    assert_eq!((&page["done"], &page["nextAfter"]), (&json!(true), &json!(all.len())));
    let states: Vec<&Value> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "state")
        .map(|event| &event["data"]["state"])
        .collect();
    assert_eq!(states.first(), Some(&&json!("queued")));
    assert_eq!(states.last(), Some(&&json!("succeeded")));
    assert!(page["items"].as_array().unwrap().iter().any(|event| event["event"] == "progress"), "{page}");
    let rest = app.get(&format!("{path}?after=2&wait=20")).await.expect(200);
    assert_eq!(ids(&rest), all[2..], "without waiting, because there is something");
    let none = app.get(&format!("{path}?after={}&wait=20", all.len())).await.expect(200);
    assert_eq!((ids(&none), &none["done"]), (vec![], &json!(true)), "without waiting, because nothing will come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_same_events_and_is_taken_up_again() {
    let app = TestApp::start().await;
    let path = finished(&app).await;
    let page = app.get(&path).await.expect(200);
    let stream = || app.call(Method::GET, &path).accept("text/event-stream");
    let whole = parse(&stream().send().await);
    let expected: Vec<(i64, String, Value)> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            (event["id"].as_i64().unwrap(), event["event"].as_str().unwrap().to_owned(), event["data"].clone())
        })
        .collect();
    assert_eq!(whole, expected);
    let again = parse(&stream().header("last-event-id", "2").send().await);
    assert_eq!(again, expected[2..]);
    let preferred = app.call(Method::GET, &path).accept("application/json, text/event-stream").send().await;
    assert_eq!(preferred.header("content-type"), "application/json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_follows_a_run_to_its_end() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    let follow = app.call(Method::GET, &path).accept("text/event-stream").send();
    let both = async { tokio::join!(follow, app.step()) };
    let (answer, _) = Box::pin(app.world.while_time_passes(both)).await;
    let events = parse(&answer);
    assert_eq!(events.first().unwrap().2["state"], "queued");
    assert_eq!(events.last().unwrap().2["state"], "succeeded");
    let numbers: Vec<i64> = events.iter().map(|event| event.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "none lost, none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_soon_after_its_key_is_revoked() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    let made = app.post("/v1/api-keys", &json!({"name": "Browser", "scopes": ["read"]})).await.expect(201);
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let of_key = format!("/v1/api-keys/{id}");
    let follow = app.call_with(key, Method::GET, &path).accept("text/event-stream").send();
    let revoke = async {
        while app.get(&of_key).await.expect(200)["lastUsedAt"].is_null() {}
        app.delete(&of_key).await.expect(204);
    };
    let both = async { tokio::join!(follow, revoke) };
    let (answer, ()) = Box::pin(app.world.while_time_passes(both)).await;
    assert_eq!(parse(&answer).last().unwrap().2["state"], "queued", "the run goes on, the stream does not");
}

/// Each stream keeps one of the connections that the process has for all.
#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_so_many_streams_at_once() {
    let app = TestApp::start().await;
    let (organization, key) = app.add_organization().await;
    let job = app.create_job_of(&key).await;
    let run = app.call_with(&key, Method::POST, &format!("/v1/jobs/{job}/runs")).json(&json!({"mode": "full"}));
    let path = format!("/v1/runs/{}/events", run.send().await.expect(202)["id"].as_str().unwrap());
    let stream = || app.call_with(&key, Method::GET, &path).accept("text/event-stream");
    let held: Vec<Place> = std::iter::from_fn(|| STREAMS.take(organization).ok()).collect();
    assert!(held.len() >= 16, "{}", held.len());
    let refused = stream().send().await;
    assert_eq!(refused.header("retry-after"), "10");
    refused.problem(429, "rate_limited");
    app.call_with(&key, Method::GET, &path).send().await.expect(200);
    drop(held);
    assert_eq!(stream().open().await.status(), 200);
}

/// The next part of a stream.
async fn part(stream: &mut reqwest::Response) -> String {
    String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap()
}

/// Streams of a run that has told its first event, some by a key.
async fn idle(app: &TestApp, path: &str) -> Vec<reqwest::Response> {
    let key = app.add_key(ORGANIZATION, &[Scope::Read]).await;
    let calls = [app.call(Method::GET, path), app.call_with(&key, Method::GET, path)];
    let mut streams = Vec::new();
    for call in calls {
        let mut stream = call.accept("text/event-stream").open().await;
        assert!(part(&mut stream).await.contains("queued"));
        streams.push(stream);
    }
    streams
}

/// Whoever reads a table waits while somebody else has it for themselves.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_run_in_which_nothing_happens_asks_the_database_for_nothing() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    let streams = idle(&app, &path).await;
    let mut superuser = connect(&app.world.database.urls.superuser).await;
    let lock = superuser.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE runs, run_events, api_keys IN ACCESS EXCLUSIVE MODE").await.unwrap();
    for mut stream in streams {
        for _ in 0..3 {
            assert_eq!(app.world.while_time_passes(part(&mut stream)).await, ": waiting\n\n");
        }
    }
    lock.rollback().await.unwrap();
}

/// Time stands still, so nothing but the notice can wake them.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_wakes_who_follows_its_run() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    let streams = idle(&app, &path).await;
    let run = path.trim_end_matches("/events");
    app.call(Method::POST, &format!("{run}/cancel")).send().await.expect(200);
    let id = run.rsplit('/').next().unwrap().parse().unwrap();
    app.world.app.notices.send(Notice::RunChanged(id)).unwrap();
    for mut stream in streams {
        let told = part(&mut stream).await;
        assert!(told.contains("cancelled"), "{told}");
        assert_eq!(stream.chunk().await.unwrap(), None, "the run has ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_waits_as_long_as_it_says() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    let seen = app.get(&path).await.expect(200);
    assert_eq!((ids(&seen), &seen["done"]), (vec![1], &json!(false)));
    let before = app.world.clock.now();
    let poll = format!("{path}?after=1&wait=20");
    let nothing = app.world.while_time_passes(app.get(&poll)).await.expect(200);
    assert_eq!(nothing, json!({"items": [], "nextAfter": 1, "done": false, "state": "queued"}));
    let waited = (app.world.clock.now() - before).to_std().unwrap();
    assert!(waited >= Duration::from_secs(20), "{waited:?}");
    let at_once = app.get(&format!("{path}?after=1")).await.expect(200);
    assert_eq!(ids(&at_once), Vec::<i64>::new(), "wait is 0 by default");
    let run = path.trim_end_matches("/events");
    let cancel = app.call(Method::POST, &format!("{run}/cancel")).send();
    // Simulated seconds may be over before the real cancellation is stored: then it is asked again, as callers do.
    let news = async {
        loop {
            let news = app.get(&poll).await.expect(200);
            if news["items"] != json!([]) {
                return news;
            }
        }
    };
    let both = async { tokio::join!(news, cancel) };
    let (news, _) = Box::pin(app.world.while_time_passes(both)).await;
    assert_eq!((&news["items"][0]["data"]["state"], &news["done"]), (&json!("cancelled"), &json!(true)));
}

#[tokio::test]
async fn bounds_are_kept_and_unknown_runs_are_not_found() {
    let app = TestApp::start().await;
    let path = queued(&app).await;
    for (query, pointer) in [("wait=21", "?wait"), ("wait=-1", "?wait"), ("after=-1", "?after"), ("after=x", "?after")]
    {
        let problem = app.get(&format!("{path}?{query}")).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), [pointer]);
    }
    let call = app.call(Method::GET, &path).header("last-event-id", "x");
    assert_eq!(pointers(&call.send().await.problem(422, "validation_failed")), ["Last-Event-ID"]);
    let unknown = format!("/v1/runs/{}/events", Uuid::from_u128(99));
    app.get(&unknown).await.problem(404, "not_found");
    app.call(Method::GET, &unknown).accept("text/event-stream").send().await.problem(404, "not_found");
}
