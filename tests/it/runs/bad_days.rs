//! Days on which Graph, the sign-in service or Assets is of no use: the run ends with a record that says where,
//! why and what to do, and nothing is delivered or removed.

use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, FaultAction};
use entra_assets::sim::graph::{Action, Fault, Scenario, Tail, TokenError};
use entra_assets::sim::seed::SeedOptions;
use serde_json::Value;

const SEED: SeedOptions = SeedOptions { seed: 3, users: 24, groups: 6, memberships: None, devices: Some(2) };

struct Expected {
    what: &'static str,
    stage: &'static str,
    code: &'static str,
    graph_code: Option<&'static str>,
}

const fn graph(what: &'static str, code: &'static str, graph_code: Option<&'static str>) -> Expected {
    Expected { what, stage: "collect", code, graph_code }
}

/// A world after a good run, in which somebody was deleted since.
async fn world() -> World {
    let world = World::with(SEED, AssetsOptions::default()).await;
    world.set_destination("missing_objects = 'ignore'").await;
    let job = world.add_job().await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("before");
    world.graph.change(|directory| {
        let id = directory.live_users().nth(5).unwrap().1.id;
        directory.delete(id).unwrap();
    });
    world.hasten(1_000);
    world
}

impl World {
    async fn only_job(&self) -> entra_assets::ids::JobId {
        entra_assets::ids::JobId(self.text("SELECT id FROM jobs").await.parse().unwrap())
    }

    /// A run that fails as expected, and leaves everything as it was.
    async fn assert_bad_day(&self, mode: RunMode, expected: &Expected) {
        let (store, mirror) = (self.store(), self.mirror().await);
        let executions = self.assets.executions().len();
        let run = self.run(self.only_job().await, mode).await;
        let what = expected.what;
        let error = run.error.unwrap_or_else(|| panic!("{what}: the run is {} {:?}", run.state, run.warnings));
        assert_eq!(run.state.as_str(), "failed", "{what}: {error}");
        assert!(run.finished_at.is_some() && run.lease_token.is_none());
        let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_eq!(text("stage").as_deref(), Some(expected.stage), "{what}: {error}");
        assert_eq!(text("code").as_deref(), Some(expected.code), "{what}: {error}");
        assert_eq!(text("graphCode").as_deref(), expected.graph_code, "{what}: {error}");
        if expected.stage == "collect" {
            assert!(text("requestId").is_some_and(|id| id.len() > 10), "{what}: {error}");
            assert_eq!(self.mirror().await, mirror, "{what}: the mirror changed");
            assert_eq!(self.assets.executions().len(), executions, "{what}: an execution was started");
        }
        assert!(text("detail").is_some_and(|detail| detail.len() > 10), "{what}: {error}");
        assert!(text("advice").is_some_and(|advice| advice.len() > 20), "{what}: {error}");
        assert!(self.store() == store, "{what}: the store changed");
        let staged = self.count("staged_objects").await + self.count("staged_members").await;
        assert_eq!(staged, 0, "{what}: staging is left behind");
    }

    async fn mirror(&self) -> String {
        let objects = "SELECT coalesce(string_agg(md5(object_type || id || data), '' ORDER BY object_type, id), '')";
        let members = "SELECT coalesce(string_agg(md5(group_id || member_ids::text), '' ORDER BY group_id, part), '')";
        self.text(&format!("SELECT md5(({objects} FROM mirror_objects) || ({members} FROM mirror_members))")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn graph_of_no_use_ends_the_run_with_a_record_and_changes_nothing() {
    let world = world().await;
    let elsewhere = "https://graph.example".to_owned();
    let lasting = [
        (Action::status(401), graph("401", "graph_unauthorized", Some("InvalidAuthenticationToken"))),
        (Action::status(404), graph("404", "graph_not_found", Some("Request_ResourceNotFound"))),
        (Action::status(500), graph("500", "graph_server_error", Some("InternalServerError"))),
        (Action::status(503), graph("503", "graph_server_error", Some("ServiceUnavailable"))),
        (Action::status(504), graph("504", "graph_gateway_timeout", Some("GatewayTimeout"))),
        (Action::throttled(None), graph("429 without Retry-After", "graph_throttled", Some("TooManyRequests"))),
        (Action::throttled(Some("1")), graph("429, always 1", "graph_throttled", Some("TooManyRequests"))),
        (Action::Html { status: 502 }, graph("HTML with 502", "graph_server_error", None)),
        (Action::Html { status: 200 }, graph("HTML with 200", "graph_malformed_answer", None)),
        (Action::HalfPage, graph("half a page", "graph_malformed_answer", None)),
        (Action::HalfGzip, graph("half a gzip stream", "graph_unreachable", None)),
        (Action::Cut, graph("a body that breaks off", "graph_unreachable", None)),
        (Action::EndlessNextLink, graph("a link to itself", "graph_endless_paging", None)),
        (Action::LinkCircle { pages: 40 }, graph("a circle of pages", "graph_endless_paging", None)),
        (Action::ForeignNextLink { origin: elsewhere.clone() }, graph("a foreign link", "graph_foreign_link", None)),
        (Action::Redirect { location: elsewhere }, graph("a redirect", "graph_malformed_answer", None)),
        (Action::Flood { megabytes: 80 }, graph("a huge page", "graph_malformed_answer", None)),
        (Action::PageTokenNotFound, {
            graph("tokens never found", "graph_page_token_expired", Some("DirectoryPageTokenNotFoundException"))
        }),
    ];
    for (action, expected) in lasting {
        world.graph.add_fault(Fault::on("/v1.0/users", action).exactly().times(0));
        world.assert_bad_day(RunMode::Full, &expected).await;
        world.graph.clear_faults();
    }
    world.hasten(100);
    assert_eq!(world.run(world.only_job().await, RunMode::Full).await.state.as_str(), "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_any_collection_keeps_the_whole_read_from_being_delivered() {
    let world = world().await;
    let failed = graph("500", "graph_server_error", Some("InternalServerError"));
    for path in ["/v1.0/users", "/v1.0/groups", "/members"] {
        let fault = Fault::on("/v1.0/", Action::status(500)).containing(path).times(0);
        world.graph.add_fault(fault);
        world.assert_bad_day(RunMode::Full, &failed).await;
        world.graph.clear_faults();
    }
    for path in ["/v1.0/users/delta", "/v1.0/groups/delta"] {
        world.graph.add_fault(Fault::on(path, Action::status(500)).times(0));
        world.assert_bad_day(RunMode::Incremental, &failed).await;
        world.graph.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let world = world().await;
    // A minute of simulated time between two bytes, and ten seconds of real time for an answer.
    world.graph.add_fault(Fault::on("/v1.0/groups", Action::Drip { millis: 60_000 }).exactly().times(0));
    world.assert_bad_day(RunMode::Full, &graph("drop by drop", "graph_unreachable", None)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_ends_the_run_with_its_code() {
    let world = world().await;
    let path = format!("/{}/oauth2", world.graph.default_credentials().tenant_id);
    world.graph.add_fault(Fault::on(path.as_str(), Action::status(503)).times(0));
    let run = world.run(world.only_job().await, RunMode::Full).await;
    let error = run.error.unwrap();
    assert_eq!((error["code"].as_str(), error["stage"].as_str()), (Some("sign_in_busy"), Some("collect")));
    assert!(error["advice"].is_string(), "{error}");
    world.graph.clear_faults();
    world.graph.set_token_error(Scenario::Healthy, Some(TokenError { aadsts: 7_000_222 }), Tail::Spaces);
    let expected = graph("an expired secret", "client_secret_expired", Some("AADSTS7000222"));
    world.assert_bad_day(RunMode::Full, &expected).await;
    let error = world.run(world.only_job().await, RunMode::Full).await.error.unwrap();
    assert!(error["detail"].as_str().unwrap().contains("The client secret has expired."), "{error}");
    assert!(error["advice"].as_str().unwrap().starts_with("Create a new client secret"), "{error}");
    assert!(error["remedies"][0]["value"].as_str().unwrap().contains("/Credentials/appId/"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_down_ends_the_run_and_the_next_one_makes_up_for_it() {
    let world = world().await;
    for (action, code) in [
        (FaultAction::Cut, "assets_unreachable"),
        (FaultAction::Answer { status: 503, body: "<html>".into(), retry_after: None }, "assets_failed"),
        (FaultAction::Answer { status: 401, body: "{}".into(), retry_after: None }, "assets_token_invalid"),
    ] {
        let down = AssetsFault { method: None, path: String::new(), after: 0, times: u32::MAX, applied: false, action };
        world.assets.inject(down);
        let expected = Expected { what: code, stage: "deliver", code, graph_code: None };
        world.assert_bad_day(RunMode::Full, &expected).await;
        world.assets.clear_faults();
    }
    world.hasten(100);
    assert_eq!(world.run(world.only_job().await, RunMode::Full).await.state.as_str(), "succeeded");
}
