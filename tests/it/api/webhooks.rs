//! Webhooks: their settings, their deliveries, and the attempts.

mod secrets;

use crate::support::log::Log;
use crate::support::postgres::connect;
use crate::support::recorder;
use crate::support::test_app::{TestApp, connection_body, pointers};
use crate::support::world::{ADMIN_KEY, ORGANIZATION, World};
use aws_lc_rs::hmac;
use entra_assets::api::auth::Scope;
use entra_assets::config::HttpSettings;
use entra_assets::db::runs;
use entra_assets::http::public::PublicClient;
use entra_assets::runs::scheduler;
use entra_assets::runs::webhooks::{keep, step};
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::{GroupKind, SeedOptions};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

const SECRET: &str = "a-secret-of-the-receiver";

/// The service, and a receiver that the operator allows.
async fn start() -> (TestApp, MockServer) {
    let receiver = MockServer::start().await;
    let mut world =
        World::bare(SeedOptions { users: 30, groups: 5, ..SeedOptions::default() }, AssetsOptions::default()).await;
    let allowed = [receiver.uri().parse().unwrap()];
    world.app.public_http = PublicClient::new(&HttpSettings::default(), &allowed).unwrap();
    (TestApp::over(world), receiver)
}

async fn answer(receiver: &MockServer, template: ResponseTemplate) {
    receiver.reset().await;
    Mock::given(matchers::method("POST")).respond_with(template).mount(receiver).await;
}

async fn add(app: &TestApp, receiver: &MockServer, events: Value) -> String {
    let body = json!({"name": "Chat", "url": format!("{}/hook", receiver.uri()), "events": events, "secret": SECRET});
    app.create("/v1/webhooks", &body).await
}

/// The whole deliveries, each of which is as the document describes its kind, and which the list has in short.
async fn deliveries(app: &TestApp, webhook: &str) -> Vec<Value> {
    let mut deliveries = Vec::new();
    for item in app.get(&format!("{webhook}/deliveries")).await.expect(200)["items"].as_array().unwrap() {
        let whole = app.get(&format!("{webhook}/deliveries/{}", item["id"].as_str().unwrap())).await.expect(200);
        let body = &whole["body"];
        recorder::check_delivery(body["type"].as_str().unwrap(), body);
        let mut short = whole.clone();
        short.as_object_mut().unwrap().remove("body");
        assert_eq!(short, *item);
        assert!(item.to_string().len() <= 2000, "{item}");
        deliveries.push(whole);
    }
    deliveries
}

/// The delivery that the receiver got. Its signature must be valid.
fn verified(request: &Request) -> Value {
    let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
    let signature = header("x-entra-assets-signature");
    let (time, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let tag: Vec<u8> = (0..tag.len()).step_by(2).map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap()).collect();
    let signed = [time.as_bytes(), b".", &request.body].concat();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), &signed, &tag).unwrap();
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (json!(header("x-entra-assets-event")), json!(header("x-entra-assets-delivery"))),
        (body["event"].clone(), body["id"].clone())
    );
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_run_is_told_signed_to_those_who_want_it() {
    let (app, receiver) = start().await;
    answer(&receiver, ResponseTemplate::new(204)).await;
    let (wants, does_not) =
        (add(&app, &receiver, json!(["succeeded"])).await, add(&app, &receiver, json!(["failed"])).await);
    let run = app.run(&app.create_job(&json!({})).await, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded");
    let queued = deliveries(&app, &wants).await;
    assert_eq!((&queued[0]["state"], &queued[0]["attempts"]), (&json!("pending"), &json!(0)), "with the end itself");
    assert_eq!(step(&app.world.app).await.unwrap(), 1);
    let requests = receiver.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let told = verified(&requests[0]);
    assert_eq!(
        (&told["event"], &told["run"]["id"], &told["run"]["jobName"]),
        (&json!("succeeded"), &run["id"], &json!("Nightly"))
    );
    assert_eq!(told["run"]["counts"]["users"], run["counts"]["users"]);
    let delivered = deliveries(&app, &wants).await;
    assert_eq!((&delivered[0]["state"], &delivered[0]["lastStatus"]), (&json!("delivered"), &json!(204)));
    assert_eq!(delivered[0]["body"], told);
    assert_eq!(deliveries(&app, &does_not).await, Vec::<Value>::new());
    assert_eq!(step(&app.world.app).await.unwrap(), 0, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_and_an_expired_run_are_told_too() {
    let (app, receiver) = start().await;
    let webhook = add(&app, &receiver, json!(["cancelled", "failed"])).await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.call(Method::POST, &format!("/v1/runs/{run}/cancel")).send().await.expect(200);
    let id = app.queue(&job, &json!({"mode": "full"})).await;
    app.world
        .execute(format!(
            "UPDATE runs SET state = 'awaitingApproval', approval_expires_at = queued_at WHERE id = '{id}'"
        ))
        .await;
    assert_eq!(runs::expire_approvals(&app.world.app.db, app.world.clock.now()).await.unwrap(), 1);
    let told: Vec<Value> = deliveries(&app, &webhook).await.iter().map(|delivery| delivery["event"].clone()).collect();
    assert_eq!(told, ["failed", "cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_tried_eight_times_and_given_up() {
    let (app, receiver) = start().await;
    answer(&receiver, ResponseTemplate::new(500)).await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    let queued = app.post(&format!("{webhook}/test"), &Value::Null).await;
    let location = queued.header("location").to_owned();
    let queued = queued.expect(202);
    assert_eq!(
        (&queued["event"], location),
        (&json!("test"), format!("{webhook}/deliveries/{}", queued["id"].as_str().unwrap()))
    );
    assert_eq!(app.get(&format!("{webhook}/deliveries/{}", Uuid::from_u128(7))).await.status, 404);
    for attempt in 1..=8 {
        assert_eq!(step(&app.world.app).await.unwrap(), 1, "attempt {attempt}");
        assert_eq!(step(&app.world.app).await.unwrap(), 0, "it waits");
        let delivery = deliveries(&app, &webhook).await.remove(0);
        assert_eq!((&delivery["attempts"], &delivery["lastStatus"]), (&json!(attempt), &json!(500)));
        assert_eq!(delivery["state"], if attempt < 8 { "pending" } else { "failed" });
        assert!(delivery["lastError"].as_str().unwrap().contains("500"), "{delivery}");
        app.world.clock.advance(Duration::from_secs(14 * 3600));
    }
    assert_eq!(step(&app.world.app).await.unwrap(), 0);
    assert_eq!(receiver.received_requests().await.unwrap().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed_and_gone_is_the_end() {
    let (app, receiver) = start().await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    for (template, state, said) in [
        (ResponseTemplate::new(302).insert_header("Location", "/elsewhere"), "pending", "redirects are not followed"),
        (ResponseTemplate::new(410), "failed", "410"),
    ] {
        answer(&receiver, template).await;
        app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
        step(&app.world.app).await.unwrap();
        let delivery = deliveries(&app, &webhook).await.remove(0);
        assert_eq!(delivery["state"], state);
        assert!(delivery["lastError"].as_str().unwrap().contains(said), "{delivery}");
        assert_eq!(receiver.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_has_one_sender_and_outlives_it() {
    let (app, receiver) = start().await;
    answer(&receiver, ResponseTemplate::new(200)).await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    let (one, other) = tokio::join!(step(&app.world.app), step(&app.world.app));
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    // A sender that claims one and dies.
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    let token = entra_assets::ids::LeaseToken::new(&app.world.clock);
    let (db, now) = (&app.world.app.db, app.world.clock.now());
    let lost = entra_assets::db::webhooks::claim(db, token, 9, chrono::TimeDelta::seconds(60), now).await.unwrap();
    assert_eq!((lost.len(), step(&app.world.app).await.unwrap()), (1, 0));
    app.world.clock.advance(Duration::from_secs(61));
    assert_eq!(step(&app.world.app).await.unwrap(), 1);
    assert_eq!(deliveries(&app, &webhook).await[0]["state"], "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_cannot_look_into_the_network() {
    let (app, receiver) = start().await;
    for url in [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "nonsense",
    ] {
        let problem =
            app.post("/v1/webhooks", &json!({"name": "W", "url": url})).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/url"], "{url}");
        let names_the_setting = problem.to_string().contains("ENTRA_ASSETS_WEBHOOK_ALLOW");
        assert!(names_the_setting || !url.starts_with("http:"), "{url}: {problem}");
    }
    let several = json!({"name": "", "url": "https://localhost/", "events": ["born"]});
    let problem = app.post("/v1/webhooks", &several).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/events/0", "/name", "/url"], "every fault at once");
    let elsewhere = receiver.uri().replace("127.0.0.1", "127.0.0.2");
    app.post("/v1/webhooks", &json!({"name": "W", "url": elsewhere})).await.problem(422, "validation_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_deliveries_are_cleared_away() {
    let (app, receiver) = start().await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    app.world.clock.advance(Duration::from_secs(91 * 24 * 3600));
    scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
    assert_eq!(deliveries(&app, &webhook).await, Vec::<Value>::new());
}

#[tokio::test]
async fn every_fault_of_a_webhook_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"url": "ftp://x", "events": ["nope"], "secret": "short"});
    let problem = app.post("/v1/webhooks", &wrong).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/events/0", "/name", "/secret", "/url"]);
}

/// The receivers of the others may have accepted already, so what they answered must be stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_end_cannot_be_stored_does_not_touch_the_others() {
    let (app, receiver) = start().await;
    Mock::given(matchers::path("/hook"))
        .respond_with(ResponseTemplate::new(204).set_delay(Duration::from_millis(300)))
        .mount(&receiver)
        .await;
    Mock::given(matchers::path("/unstorable")).respond_with(ResponseTemplate::new(299)).mount(&receiver).await;
    let good = add(&app, &receiver, json!(["failed"])).await;
    let body = json!({"name": "Other", "url": format!("{}/unstorable", receiver.uri()), "events": ["failed"]});
    let bad = app.create("/v1/webhooks", &body).await;
    for webhook in [&good, &bad] {
        app.post(&format!("{webhook}/test"), &Value::Null).await;
    }
    let constraint = "ALTER TABLE webhook_deliveries ADD CONSTRAINT unstorable CHECK (last_status <> 299)";
    connect(&app.world.database.urls.migrate).await.batch_execute(constraint).await.unwrap();
    assert!(step(&app.world.app).await.is_err());
    assert_eq!(deliveries(&app, &good).await[0]["state"], "delivered");
    assert_eq!(deliveries(&app, &bad).await[0]["state"], "pending");
}

/// Of what was under way when the service stopped, too, the log says what could not be stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_end_cannot_be_stored_at_the_end_of_the_service_is_told() {
    let heard = Log::listen();
    let (app, receiver) = start().await;
    let stopping = CancellationToken::new();
    let stop = stopping.clone();
    receiver.reset().await;
    let received = move |_: &Request| {
        stop.cancel();
        ResponseTemplate::new(299).set_delay(Duration::from_millis(500))
    };
    Mock::given(matchers::method("POST")).respond_with(received).mount(&receiver).await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    let constraint = "ALTER TABLE webhook_deliveries ADD CONSTRAINT told_at_the_end CHECK (last_status <> 299)";
    connect(&app.world.database.urls.migrate).await.batch_execute(constraint).await.unwrap();
    keep(app.world.app.clone(), stopping).await;
    let log = heard.text();
    let line = log.lines().find(|line| line.contains("what became of a delivery was not stored"));
    assert!(line.is_some_and(|line| line.contains("WARN")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_sent_again_with_its_id() {
    let (app, receiver) = start().await;
    answer(&receiver, ResponseTemplate::new(410)).await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    step(&app.world.app).await.unwrap();
    let given_up = deliveries(&app, &webhook).await[0].clone();
    assert_eq!(given_up["state"], "failed");
    assert_eq!(app.get(&format!("{webhook}/deliveries?state=pending")).await.expect(200)["items"], json!([]));
    answer(&receiver, ResponseTemplate::new(204)).await;
    let path = format!("{webhook}/deliveries/{}/resend", given_up["id"].as_str().unwrap());
    let queued = app.call(Method::POST, &path).send().await.expect(202);
    assert_eq!((&queued["state"], &queued["attempts"], &queued["id"]), (&json!("pending"), &json!(0), &given_up["id"]));
    assert_eq!(step(&app.world.app).await.unwrap(), 1);
    let delivered = app.get(&format!("{webhook}/deliveries?state=delivered&event=test")).await.expect(200);
    assert_eq!(delivered["items"][0]["id"], given_up["id"]);
    let of_another = add(&app, &receiver, json!(["failed"])).await;
    let of_another = format!("{of_another}/deliveries/{}", given_up["id"].as_str().unwrap());
    app.get(&of_another).await.problem(404, "not_found");
    let unknown = format!("{webhook}/deliveries/{}/resend", Uuid::from_u128(7));
    app.call(Method::POST, &unknown).send().await.problem(404, "not_found");
}

/// What is not about the end of a run: each with a sentence that a chat shows.
#[tokio::test(flavor = "multi_thread")]
async fn checks_credentials_and_schedules_are_told_too() {
    let (app, receiver) = start().await;
    let events = json!(["run.started", "connection.check_failed", "credential.expiring", "schedule.paused"]);
    let webhook = add(&app, &receiver, events).await;
    let told = async || {
        let mut told: Vec<(String, Value)> = Vec::new();
        for delivery in deliveries(&app, &webhook).await {
            told.insert(0, (delivery["event"].as_str().unwrap().to_owned(), delivery["body"].clone()));
        }
        told
    };
    let mut body = connection_body(Scenario::Pending);
    body["credential"]["expiresAt"] = json!("2026-06-21T00:00:00Z");
    let connection = app.create("/v1/connections?check=true", &body).await;
    let found = told().await;
    assert_eq!(found[0].0, "connection.check_failed");
    assert!(found[0].1["text"].as_str().unwrap().contains("«Contoso» failed"), "{found:?}");
    assert_eq!(found[0].1["data"]["connection"]["id"], json!(connection.rsplit('/').next().unwrap()));
    for (days, expected) in [(0, 1), (1, 1), (14, 2), (5, 3), (3, 3)] {
        app.world.clock.advance(Duration::from_secs(days * 24 * 3600));
        scheduler::tick(&app.world.app, app.world.worker).await.unwrap();
        let expiring = told().await.into_iter().filter(|(event, _)| event == "credential.expiring").count();
        assert_eq!(expiring, expected, "after {days} more days");
    }
    let job = app.create_job(&json!({"schedule": {"cron": "0 5 * * *"}})).await;
    app.call(Method::POST, &format!("/v1/jobs/{job}/pause")).send().await.expect(200);
    app.run(&job, &json!({"mode": "full"})).await;
    let found = told().await;
    let last: Vec<&str> = found.iter().rev().take(2).map(|(event, _)| event.as_str()).collect();
    assert_eq!(last, ["run.started", "schedule.paused"]);
    assert_eq!(found.last().unwrap().1["type"], "run.started");
    assert_eq!(found.last().unwrap().1["text"], "The full run of «Nightly» has started.");
}

/// A run tells of the directory once for each event, to those who want to know.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_found_in_the_directory_is_one_delivery_for_each_event() {
    let (app, receiver) = start().await;
    let wanted =
        json!(["user.joined", "user.left", "user.moved", "license.exhausted", "group.created", "group.deleted"]);
    let webhook = add(&app, &receiver, wanted).await;
    let other = add(&app, &receiver, json!(["succeeded"])).await;
    let objects = json!({"users": {"enabled": true}, "groups": {"enabled": true}, "licenses": {"enabled": true}});
    let job = app.create_job(&json!({"objects": objects})).await;
    let told = async || {
        let mut told: Vec<(String, Value)> = Vec::new();
        for delivery in deliveries(&app, &webhook).await {
            told.push((delivery["event"].as_str().unwrap().to_owned(), delivery["body"].clone()));
        }
        told.sort_by(|a, b| a.0.cmp(&b.0));
        told
    };
    app.run(&job, &json!({"mode": "dryRun"})).await;
    assert_eq!(told().await.len(), 0, "a dry run changes nothing");
    app.run(&job, &json!({"mode": "full"})).await;
    let truth = app.world.graph.truth();
    let first = told().await;
    let counts: Vec<(&str, &Value)> =
        first.iter().map(|(event, body)| (event.as_str(), &body["changes"]["count"])).collect();
    let expected = [("group.created", &json!(truth.groups)), ("user.joined", &json!(truth.users))];
    let of_objects: Vec<(&str, &Value)> =
        counts.into_iter().filter(|(event, _)| *event != "license.exhausted").collect();
    assert_eq!(of_objects, expected);
    let feed = first.last().unwrap().1["data"]["changes"]["feed"].as_str().unwrap();
    let page = app.get(feed).await.expect(200);
    assert!(page["items"].as_array().unwrap().len() > 1, "{page}");

    let users: Vec<Uuid> = app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    app.world.graph.change(|directory| {
        let moved = json!({"department": "Moved"}).as_object().unwrap().clone();
        directory.update(users[3], moved).unwrap();
        directory.purge(users[5]).unwrap();
        directory.add_group("New", GroupKind::Security);
    });
    app.run(&job, &json!({"mode": "full"})).await;
    let second: Vec<(String, Value)> =
        told().await.into_iter().filter(|found| !first.contains(found) && found.0 != "license.exhausted").collect();
    let events: Vec<&str> = second.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["group.created", "user.left", "user.moved"]);
    let (left, moved) = (&second[1].1, &second[2].1);
    assert_eq!(left["data"]["changes"]["objects"][0]["objectId"], json!(users[5]));
    assert_eq!(left["text"], "1 user left, as the last run of «Nightly» found.");
    let of_moved = &moved["data"]["changes"]["objects"][0];
    assert_eq!((&of_moved["objectId"], &of_moved["changes"][0]["after"]), (&json!(users[3]), &json!("Moved")));
    assert_eq!(moved["data"]["changes"]["count"], 1, "{moved}");
    assert!(deliveries(&app, &other).await.iter().all(|delivery| delivery["event"] == "succeeded"));
}

/// One organization with a slow receiver does not keep the others waiting, nor one webhook the others of its organization.
#[tokio::test(flavor = "multi_thread")]
async fn organizations_and_webhooks_take_turns() {
    let (app, receiver) = start().await;
    let (other, key) = app.add_organization().await;
    let test = async |webhook: &str, times: u32| {
        for _ in 0..times {
            app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
        }
    };
    let claim = async |most| {
        let token = entra_assets::ids::LeaseToken::new(&app.world.clock);
        let (db, now) = (&app.world.app.db, app.world.clock.now());
        let lease = chrono::TimeDelta::seconds(60);
        let claimed = entra_assets::db::webhooks::claim(db, token, most, lease, now).await.unwrap();
        let of_other = claimed.iter().filter(|claimed| claimed.organization_id == other.0).count();
        (claimed.len() - of_other, of_other)
    };
    test(&add(&app, &receiver, json!(["failed"])).await, 5).await;
    let body = json!({"name": "Chat", "url": format!("{}/hook", receiver.uri()), "events": ["failed"]});
    let made = app.call_with(&key, Method::POST, "/v1/webhooks").json(&body).send().await.expect(201);
    let path = format!("/v1/webhooks/{}/test", made["id"].as_str().unwrap());
    app.call_with(&key, Method::POST, &path).send().await.expect(202);
    assert_eq!(claim(2).await, (1, 1), "the other one queued last");
    assert_eq!(claim(9).await, (1, 0), "two of a webhook");
    for name in ["Second", "Third"] {
        let body = json!({"name": name, "url": format!("{}/hook", receiver.uri()), "events": ["failed"]});
        test(&app.create("/v1/webhooks", &body).await, 5).await;
    }
    assert_eq!(claim(9).await, (2, 0), "four of an organization");
    assert_eq!(claim(9).await, (0, 0));
    app.world.clock.advance(Duration::from_secs(61));
    assert_eq!(claim(9).await, (4, 1), "the leases have run out");
}
