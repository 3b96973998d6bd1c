//! A run whose destination is reached by a Forge app's token, which lasts an hour at most: it waits for the next
//! one without a lease, and goes on where it was.

use crate::support::issuer::{Issuer, app_with_forge, installation};
use crate::support::test_app::{Answer, Call, TestApp, connection_body};
use chrono::TimeDelta;
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, Behaviour, Processing, SOURCE_ID, WORKSPACE_ID};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A Forge app of one installation, with a job to its own import source.
struct Forge {
    app: TestApp,
    issuer: Issuer,
    job: String,
}

impl Forge {
    async fn start() -> Self {
        let seed = SeedOptions { users: 60, groups: 8, ..SeedOptions::default() };
        let behaviour = Behaviour { max_chunk_entries: Some(4), latency_ms: 100, ..Behaviour::default() };
        let (app, issuer) = app_with_forge(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await;
        // Minutes matter here: reading and sending take seconds of simulated time, however slow the machine.
        app.world.hasten(5);
        let mut forge = Self { app, issuer, job: String::new() };
        let connection = forge.create("/v1/connections", &connection_body(Scenario::Healthy)).await;
        let destination = json!({"name": "Forge", "kind": "forge", "workspaceId": WORKSPACE_ID, "importId": SOURCE_ID});
        let destination = forge.create("/v1/destinations", &destination).await;
        let job = json!({"name": "Nightly", "connectionId": connection, "destinationId": destination});
        forge.job = forge.create("/v1/jobs", &job).await.as_str().unwrap().to_owned();
        forge
    }

    fn call(&self, method: Method, path: &str) -> Call {
        self.app.call_with(&self.issuer.invocation_token(&self.app, &installation(1)), method, path)
    }

    async fn create(&self, collection: &str, body: &Value) -> Value {
        self.call(Method::POST, collection).json(body).send().await.expect(201)["id"].clone()
    }

    async fn refresh(&self, token: &str) -> Answer {
        self.call(Method::POST, "/v1/forge/refresh").header("x-forge-oauth-system", token).send().await
    }

    async fn start_run(&self) -> String {
        let path = format!("/v1/jobs/{}/runs", self.job);
        let run = self.call(Method::POST, &path).json(&json!({"mode": "full"})).send().await.expect(202);
        format!("/v1/runs/{}", run["id"].as_str().unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path).send().await.expect(200)
    }

    /// Lets the worker execute a run; as soon as three chunks arrived, so much time passes.
    async fn step_and_pass(&self, time: Duration) {
        let passing = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            while self.app.world.assets.chunks().len() < 3 {
                ticks.tick().await;
            }
            self.app.world.clock.advance(time);
        };
        let (worked, ()) = tokio::join!(self.app.step(), passing);
        assert!(worked);
    }

    async fn assert_waits(&self, run: &str) {
        let found = self.get(run).await;
        let state = (&found["state"], &found["waitReason"], &found["stage"], &found["error"]);
        assert_eq!(state, (&json!("queued"), &json!("forgeToken"), &json!("deliver"), &Value::Null), "{found}");
        let leases = "SELECT count(*) FROM runs WHERE lease_token IS NOT NULL";
        assert_eq!(self.app.text_of_all(leases).await, "0");
        self.app.world.clock.advance(HOUR);
        assert!(!self.app.step().await, "a waiting run is not taken up");
    }

    async fn assert_finishes(&self, run: &str) {
        assert!(self.app.step().await);
        let found = self.get(run).await;
        assert_eq!((&found["state"], &found["waitReason"]), (&json!("succeeded"), &Value::Null), "{found}");
        self.app.world.assert_delivered();
        let assets = &self.app.world.assets;
        assert_eq!(assets.executions().len(), 1);
        let ids: Vec<_> = assets.chunks().into_iter().map(|chunk| chunk.client_generated_id).collect();
        let mut once = ids.clone();
        once.dedup();
        assert_eq!(ids, once, "no chunk was sent twice");
        assert!(assets.requests().iter().filter(|request| request.status != 401).all(|r| r.caller == "forge"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_runs_out_in_the_middle_is_waited_for_and_the_run_ends_exact() {
    let forge = Forge::start().await;
    let token = forge.app.world.assets.mint_forge_token(TimeDelta::minutes(55));
    forge.refresh(&token).await.expect(200);
    let run = forge.start_run().await;
    forge.step_and_pass(Duration::from_secs(52 * 60)).await;
    forge.assert_waits(&run).await;
    let next = forge.app.world.assets.mint_forge_token(TimeDelta::minutes(55));
    assert_eq!(forge.refresh(&next).await.expect(200)["runsResumed"], 1);
    forge.assert_finishes(&run).await;
    assert!(
        forge.app.world.assets.requests().iter().all(|request| request.status != 401),
        "no token was used too long"
    );

    for path in
        [run.clone(), format!("{run}/events?after=0&wait=0"), format!("{run}/changes"), "/v1/destinations".into()]
    {
        let text = forge.get(&path).await.to_string();
        assert!(!text.contains(&token) && !text.contains(&next), "{path}: {text}");
    }
    let events = forge.get(&format!("{run}/events?after=0&wait=0")).await.to_string();
    assert!(events.contains("\"waitReason\":\"forgeToken\""), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_assets_refuses_before_its_time_is_waited_for_too() {
    let forge = Forge::start().await;
    forge.app.world.assets.accept_forge_token("opaque-one", TimeDelta::minutes(20));
    forge.refresh("opaque-one").await.expect(200);
    let run = forge.start_run().await;
    forge.step_and_pass(Duration::from_secs(30 * 60)).await;
    assert!(forge.app.world.assets.requests().iter().any(|request| request.status == 401));
    forge.assert_waits(&run).await;
    forge.app.world.assets.accept_forge_token("opaque-two", TimeDelta::minutes(55));
    assert_eq!(forge.refresh("opaque-two").await.expect(200)["runsResumed"], 1);
    forge.assert_finishes(&run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_brings_a_token_fails_after_six_hours() {
    let forge = Forge::start().await;
    let run = forge.start_run().await;
    assert!(forge.app.step().await);
    forge.assert_waits(&run).await;
    forge.app.world.clock.advance(HOUR * 4);
    assert!(!forge.app.step().await);
    // A token that is as good as over helps nobody.
    let token = forge.app.world.assets.mint_forge_token(TimeDelta::minutes(2));
    assert_eq!(forge.refresh(&token).await.expect(200)["runsResumed"], 0);
    forge.app.world.clock.advance(HOUR * 2);
    assert!(forge.app.step().await);
    forge.assert_waits(&run).await;
    forge.app.world.clock.advance(HOUR * 6);
    assert!(forge.app.step().await);
    let found = forge.get(&run).await;
    assert_eq!(
        (&found["state"], &found["error"]["code"]),
        (&json!("failed"), &json!("forge_token_missing")),
        "{found}"
    );
    assert!(found["error"]["advice"].as_str().unwrap().contains("/v1/forge/refresh"), "{found}");
    assert!(forge.app.world.assets.requests().is_empty());
}

/// Nobody looks at a run that waits before its time has come, which may be six hours away.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_just_before_it_waits_for_a_token_ends_at_once() {
    let forge = Forge::start().await;
    forge.app.world.cancel_once_compared().await;
    let run = forge.start_run().await;
    assert!(forge.app.step().await);
    let found = forge.get(&run).await;
    assert_eq!((&found["state"], &found["error"]["code"]), (&json!("cancelled"), &json!("cancelled")), "{found}");
    assert!(forge.app.world.assets.requests().is_empty());
    forge.start_run().await;
}

/// A run that nobody has cancelled waits without another question, which could outlast its lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_a_token_asks_assets_nothing_once_it_has_stopped() {
    let forge = Forge::start().await;
    let (app, assets) = (&forge.app, &forge.app.world.assets);
    forge.refresh(&assets.mint_forge_token(TimeDelta::minutes(55))).await.expect(200);
    let ends_at = app.world.clock.now() + TimeDelta::minutes(55);
    let run = forge.start_run().await;
    assets.inject(AssetsFault::cut("POST", "/data").times(u32::MAX));
    app.world.step_and_die(|| assets.requests().iter().any(|request| request.faulty)).await;
    assets.clear_faults();
    assets.clear_log();
    // Good enough to ask what has arrived, and not to go on sending.
    let left = ends_at - app.world.clock.now() - TimeDelta::minutes(2);
    app.world.clock.advance(left.to_std().unwrap());
    app.world.hasten(1);
    assert!(app.step().await);
    let asked: Vec<_> = assets.requests().into_iter().map(|request| (request.method, request.status)).collect();
    assert_eq!(asked, [("GET".to_owned(), 200)], "whether it is completed is asked once");
    forge.assert_waits(&run).await;
}

/// Assets carries out what it has completely, so its outcome is awaited, without a token too.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_waits_for_a_token_where_assets_has_everything() {
    let forge = Forge::start().await;
    let assets = &forge.app.world.assets;
    assets.configure(|behaviour| behaviour.processing = Processing::Polls(u32::MAX));
    forge.refresh(&assets.mint_forge_token(TimeDelta::minutes(55))).await.expect(200);
    let run = forge.start_run().await;
    let cancel = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while forge.app.text_of_all("SELECT count(*) FROM executions WHERE state = 'completed'").await == "0" {
            ticks.tick().await;
        }
        forge.call(Method::POST, &format!("{run}/cancel")).send().await.expect(200);
        forge.app.world.clock.advance(Duration::from_secs(52 * 60));
    };
    let (worked, ()) = tokio::join!(forge.app.step(), cancel);
    assert!(worked);
    let found = forge.get(&run).await;
    assert_eq!((&found["state"], &found["waitReason"]), (&json!("queued"), &json!("forgeToken")), "{found}");
    assert!(!forge.app.step().await, "it is not claimed again and again");
    assets.configure(|behaviour| (behaviour.processing, behaviour.latency_ms) = (Processing::Polls(1), 0));
    forge.app.world.hasten(1);
    let next = assets.mint_forge_token(TimeDelta::minutes(55));
    assert_eq!(forge.refresh(&next).await.expect(200)["runsResumed"], 1);
    forge.assert_finishes(&run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_never_good_fails_the_run_at_once() {
    let forge = Forge::start().await;
    forge.refresh("for-another-site").await.expect(200);
    let run = forge.start_run().await;
    assert!(forge.app.step().await);
    let found = forge.get(&run).await;
    assert_eq!(
        (&found["state"], &found["error"]["code"]),
        (&json!("failed"), &json!("assets_token_invalid")),
        "{found}"
    );
    let advice = found["error"]["advice"].as_str().unwrap();
    assert!(advice.contains("import:import-configuration:cmdb"), "{advice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_and_built_with_the_app_s_token() {
    let forge = Forge::start().await;
    let path = format!("/v1/jobs/{}/schema", forge.job);
    let shown = forge.get(&path).await;
    assert_eq!(shown["difference"], Value::Null);
    assert!(shown["problem"].as_str().unwrap().contains("Forge app"), "{shown}");
    forge.call(Method::POST, &path).send().await.problem(422, "forge_token_missing");
    let token = forge.app.world.assets.mint_forge_token(TimeDelta::minutes(55));
    let call = forge.call(Method::POST, &path).header("x-forge-oauth-system", &token);
    let built = forge.app.world.while_time_passes(call.send()).await.expect(200);
    assert_eq!(built["difference"]["inSync"], true, "{built}");
}
