//! The rate limit of each key, and the headers that show it.

use crate::support::issuer::{AUDIENCE, Issuer, SigningKey};
use crate::support::postgres::connect;
use crate::support::test_app::{Call, TestApp, connection_body};
use crate::support::world::World;
use entra_assets::api::auth::Scope;
use entra_assets::api::auth::handover::MAX_ATTEMPTS;
use entra_assets::config::Settings;
use entra_assets::connection_check::turns::Turns;
use entra_assets::ids::OrganizationId;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::SeedOptions;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: u32 = 6;

async fn start() -> TestApp {
    start_with(|settings| settings.rate_limit = LIMIT).await
}

async fn start_with(change: impl FnOnce(&mut Settings)) -> TestApp {
    let seed = SeedOptions { users: 10, groups: 2, ..SeedOptions::default() };
    let mut world = World::bare(seed, AssetsOptions::default()).await;
    change(Arc::make_mut(&mut world.app.settings));
    world.app.check_turns = Turns::new(world.app.settings.rate_limit);
    TestApp::over(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_refused_and_told_when_to_come_back() {
    let app = start().await;
    for left in (0..LIMIT).rev() {
        let answer = app.get("/v1/jobs").await;
        assert_eq!((answer.status, answer.header("ratelimit-limit")), (200, "6"));
        assert_eq!(answer.header("ratelimit-remaining"), left.to_string());
    }
    let refused = app.get("/v1/jobs").await;
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-remaining")), ("10", "0"));
    refused.problem(429, "rate_limited");
    // Another key has its own limit, and whoever has none is not counted.
    let other = app.add_key(OrganizationId::DEFAULT, &[Scope::Read]).await;
    app.call_with(&other, Method::GET, "/v1/jobs").send().await.expect(200);
    app.call_without_key(Method::GET, "/healthz").send().await.expect(200);
    app.world.clock.advance(Duration::from_secs(10));
    app.get("/v1/jobs").await.expect(200);
    app.get("/v1/jobs").await.problem(429, "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_count_too() {
    let app = start().await;
    let reader = app.add_key(OrganizationId::DEFAULT, &[Scope::Read]).await;
    let refused = app.call_with(&reader, Method::GET, "/v1/api-keys").send().await;
    assert_eq!((refused.status, refused.header("ratelimit-remaining")), (403, "5"));
    assert_eq!(app.call_without_key(Method::GET, "/v1/jobs").send().await.header("ratelimit-limit"), "");
}

/// What uses a connection signs in with its credential: somebody could store one secret after another.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_stored_counts_as_a_check() {
    // Two checks a minute.
    let app = start_with(|settings| settings.rate_limit = 100).await;
    let path = app.create("/v1/connections", &connection_body(Scenario::Healthy)).await;
    let guess = async |secret: &str| app.patch(&path, &json!({"credential": {"secret": secret}})).await;
    guess("abc8Q~the-first-guess").await.expect(200);
    let elsewhere = Scenario::Delegated.credentials();
    let refused = [
        guess("abc8Q~the-second-guess").await,
        app.patch(&path, &json!({"tenantId": elsewhere.tenant_id})).await,
        app.patch(&path, &json!({"clientId": elsewhere.client_id})).await,
        app.patch(&path, &json!({"cloud": "china"})).await,
        app.post("/v1/connections", &connection_body(Scenario::Delegated)).await,
        app.post("/v1/connection-checks", &connection_body(Scenario::Delegated)).await,
    ];
    for refused in refused {
        assert_eq!(refused.header("retry-after"), "30");
        refused.problem(429, "rate_limited");
    }
    // What signs in as before is no guess.
    app.patch(&path, &json!({"name": "Contoso, renamed"})).await.expect(200);
    app.world.clock.advance(Duration::from_secs(30));
    guess("abc8Q~the-second-guess").await.expect(200);
    guess("abc8Q~the-third-guess").await.problem(429, "rate_limited");
}

/// A check signs in with any credential: somebody could try one secret after another.
#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_so_many_checks_of_connections() {
    let app = start().await;
    let body = connection_body(Scenario::Healthy);
    app.post("/v1/connection-checks", &body).await.expect(200);
    let refused = app.post("/v1/connection-checks", &body).await;
    assert_eq!(refused.header("retry-after"), "60");
    let problem = refused.problem(429, "rate_limited");
    assert!(problem["detail"].as_str().unwrap().contains("credentials 1 times a minute"), "{problem}");
    // Nothing is stored either where the check is a part of it.
    app.post("/v1/connections?check=true", &body).await.problem(429, "rate_limited");
    assert_eq!(app.get("/v1/connections").await.expect(200)["items"], json!([]));
    let (_, key) = app.add_organization().await;
    let others = app.call_with(&key, Method::POST, "/v1/connection-checks").json(&body).send().await;
    others.expect(200);
    app.world.clock.advance(Duration::from_secs(60));
    app.post("/v1/connection-checks", &body).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_needs_no_check_where_it_was_checked() {
    let app = start().await;
    let body = connection_body(Scenario::Healthy);
    let create = async || {
        let call = app.call(Method::POST, "/v1/connections?check=true").header("Idempotency-Key", "one");
        call.json(&body).send().await.expect(201)
    };
    let created = create().await;
    assert_eq!(created["lastCheck"]["overall"], "ok");
    assert_eq!(create().await["id"], created["id"], "the checks of the minute are used up");
    app.world.clock.advance(Duration::from_secs(60));
    create().await;
    app.post("/v1/connection-checks", &body).await.expect(200);
}

/// Whoever is refused for the time being comes back with the same link.
#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_turn_costs_a_link_no_attempt() {
    let app = start().await;
    let link = app.hand_over().await;
    // The connection that is handed over was stored a minute ago.
    app.world.clock.advance(Duration::from_secs(60));
    let attempts = "SELECT attempts FROM handovers";
    let body = connection_body(Scenario::Healthy);
    let credential = json!({"credential": body["credential"]});
    let check = async || app.call_with(&link, Method::POST, "/v1/handover/check").send().await;
    let enter = async || app.call_with(&link, Method::POST, "/v1/handover/credential").json(&credential).send().await;
    app.post("/v1/connection-checks", &body).await.expect(200);
    for refused in [check().await, enter().await] {
        let problem = refused.problem(429, "rate_limited");
        assert!(problem["detail"].as_str().unwrap().contains("credentials 1 times a minute"), "{problem}");
    }
    assert_eq!(app.text_of_all(attempts).await, "0");
    app.world.clock.advance(Duration::from_secs(60));
    enter().await.expect(200);
    assert_eq!(app.text_of_all(attempts).await, "1");
    // And an attempt too many takes no turn of the organization.
    app.world.execute(format!("UPDATE handovers SET attempts = {MAX_ATTEMPTS}")).await;
    app.world.clock.advance(Duration::from_secs(60));
    check().await.problem(403, "forbidden");
    app.post("/v1/connection-checks", &body).await.expect(200);
}

/// An issuer names as many people as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn all_tokens_of_an_organization_have_one_limit_together() {
    let issuer = Issuer::start(SigningKey::elliptic("first")).await;
    let entry = json!([{"issuer": issuer.name(), "audience": AUDIENCE, "organizationClaim": "tenant"}]).to_string();
    let app = start_with(|settings| {
        settings.rate_limit = LIMIT;
        settings.organization_rate_limit = Some(2 * LIMIT);
        settings.security.jwt_issuers = Some(entry.parse().unwrap());
    })
    .await;
    let (organization, _) = app.add_organization().await;
    let ask = async |tenant: &str, person: u32| {
        let token = issuer.token(&app, &json!({"sub": format!("person {person}"), "tenant": tenant}));
        app.call_with(&token, Method::GET, "/v1/jobs").send().await
    };
    for person in 0..2 * LIMIT {
        ask("default", person).await.expect(200);
    }
    let refused = ask("default", 2 * LIMIT).await;
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit-limit")), ("5", "12"));
    let problem = refused.problem(429, "rate_limited");
    assert!(problem["detail"].as_str().unwrap().contains("organization"), "{problem}");
    app.get("/v1/jobs").await.problem(429, "rate_limited");
    let other = ask(&organization.0.to_string(), 1).await;
    assert_eq!(other.header("ratelimit-remaining"), "5", "another organization has its own");
    app.world.clock.advance(Duration::from_secs(5));
    ask("default", 2 * LIMIT).await.expect(200);
}

/// Guesses, open pages and unknown paths; not probes, and nobody with a key that has worked.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_requests_without_a_valid_key() {
    let app = start_with(|settings| {
        settings.address_rate_limit = LIMIT;
        settings.security.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let from = |address: &str, call: Call| call.header("x-forwarded-for", address);
    let guess = |path: &str| app.call_with("eak_a-key-that-somebody-guessed", Method::GET, path);
    app.get("/v1/jobs").await.expect(200);

    let attacker = "203.0.113.9";
    from(attacker, guess("/v1/jobs")).send().await.problem(401, "unauthenticated");
    from(attacker, app.call_without_key(Method::GET, "/v1/jobs")).send().await.problem(401, "unauthenticated");
    from(attacker, app.call_without_key(Method::GET, "/openapi.json")).send().await.expect(200);
    from(attacker, app.call_without_key(Method::GET, "/metrics")).send().await.expect(200);
    assert_eq!(from(attacker, app.call_without_key(Method::GET, "/v1/nothing")).send_unrecorded().await.status, 404);
    assert_eq!(from(attacker, app.call_without_key(Method::PUT, "/v1/jobs")).send_unrecorded().await.status, 405);
    for path in ["/v1/jobs", "/openapi.json", "/metrics", "/v1/runs/7/events?ticket=guessed"] {
        let refused = from(attacker, guess(path)).send().await;
        assert_eq!(refused.header("retry-after"), "10", "{path}");
        let problem = refused.problem(429, "rate_limited");
        assert!(problem["detail"].as_str().unwrap().contains("without a valid key"), "{problem}");
    }
    for path in ["/", "/docs/", "/v1/nothing"] {
        let refused = from(attacker, app.call_without_key(Method::GET, path)).send_unrecorded().await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "10"), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        from(attacker, app.call_without_key(Method::GET, path)).send().await.expect(200);
    }
    // A key that has worked goes on working from there; one that was never seen waits.
    from(attacker, app.call(Method::GET, "/v1/jobs")).send().await.expect(200);
    let other = app.add_key(OrganizationId::DEFAULT, &[Scope::Read]).await;
    from(attacker, app.call_with(&other, Method::GET, "/v1/jobs")).send().await.problem(429, "rate_limited");
    from("198.51.100.1", app.call_with(&other, Method::GET, "/v1/jobs")).send().await.expect(200);
    app.world.clock.advance(Duration::from_secs(10));
    from(attacker, guess("/v1/jobs")).send().await.problem(401, "unauthenticated");
    from(attacker, guess("/v1/jobs")).send().await.problem(429, "rate_limited");
}

/// However many guesses come at the same time, no more keys are looked up than one after another.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_counted_before_anything_is_looked_up() {
    let app = start_with(|settings| settings.address_rate_limit = LIMIT).await;
    let mut superuser = connect(&app.world.database.urls.superuser).await;
    let lock = superuser.transaction().await.unwrap();
    // Nobody can look up a key.
    lock.batch_execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let guess = |number: u32| app.call_with(&format!("eak_{number:032x}_guess"), Method::GET, "/v1/jobs").send();
    let mut answers: FuturesUnordered<_> = (0..4 * LIMIT).map(guess).collect();
    for _ in LIMIT..4 * LIMIT {
        answers.next().await.unwrap().problem(429, "rate_limited");
    }
    lock.rollback().await.unwrap();
    while let Some(answer) = answers.next().await {
        answer.problem(401, "unauthenticated");
    }
}

/// Callers whose keys are valid take nothing away from each other, however many come from one address at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_valid_cost_their_address_nothing() {
    let app = start_with(|settings| settings.address_rate_limit = LIMIT).await;
    for _ in 0..2 * LIMIT {
        let key = app.add_key(OrganizationId::DEFAULT, &[Scope::Read]).await;
        app.call_with(&key, Method::GET, "/v1/jobs").send().await.expect(200);
    }
}
