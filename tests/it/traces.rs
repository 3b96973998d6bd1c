//! Traces, as a collector gets them.

use crate::support::postgres::TestDatabase;
use crate::support::service::Plan;
use entra_assets::seal::KeyRing;
use entra_assets::sim::assets::{self as sim_assets, AssetsOptions, AssetsSim};
use entra_assets::sim::graph::{self as sim_graph, GraphOptions, GraphSim};
use entra_assets::sim::seed::SeedOptions;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use rustix::process::Signal;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// What the collector was sent.
struct Collected {
    exports: Vec<ExportTraceServiceRequest>,
    /// As it came, for what must not be in it.
    bytes: Vec<u8>,
}

impl Collected {
    async fn of(collector: &MockServer) -> Self {
        let mut collected = Self { exports: Vec::new(), bytes: Vec::new() };
        for request in collector.received_requests().await.unwrap() {
            assert_eq!(request.headers["content-type"], "application/x-protobuf");
            collected.exports.push(ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap());
            collected.bytes.extend(request.body);
        }
        collected
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        let resources = self.exports.iter().flat_map(|export| &export.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans)
    }

    fn named(&self, name: &str) -> &Span {
        let names: Vec<&str> = self.spans().map(|span| span.name.as_str()).collect();
        self.spans().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} is not among {names:?}"))
    }

    /// The spans that a span caused, directly or by others.
    fn below(&self, top: &Span) -> Vec<&Span> {
        let children: Vec<&Span> = self.spans().filter(|span| span.parent_span_id == top.span_id).collect();
        let further = children.iter().flat_map(|child| self.below(child));
        children.iter().copied().chain(further.collect::<Vec<_>>()).collect()
    }

    fn has(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// The names of the spans, and what they say.
    fn texts(&self) -> Vec<String> {
        let values = self.spans().flat_map(|span| &span.attributes).map(|attribute| format!("{:?}", attribute.value));
        self.spans().map(|span| span.name.clone()).chain(values).collect()
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> Option<Text> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    found.value.as_ref()?.value.clone()
}

/// Everything that a service with traces needs.
struct World {
    graph: GraphSim,
    assets: AssetsSim,
    database: TestDatabase,
    key: SecretString,
}

impl World {
    async fn start() -> Self {
        let seed = SeedOptions { users: 30, groups: 5, ..SeedOptions::default() };
        let graph = sim_graph::start(GraphOptions { seed, ..GraphOptions::default() }).unwrap();
        let assets = sim_assets::start(AssetsOptions::default()).unwrap();
        Self { graph, assets, database: TestDatabase::create().await, key: KeyRing::generate() }
    }

    fn plan(&self, collector: &str, more: &[(&str, &str)]) -> Plan {
        let own = [
            ("DATABASE_URL", self.database.urls.runtime.as_str()),
            ("ENTRA_ASSETS_MASTER_KEY", self.key.expose_secret()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
            ("ENTRA_ASSETS_LOG", "warn"),
        ];
        Plan::new(&self.graph, &self.assets, &[own.as_slice(), more].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_call_through_its_run_to_the_requests() {
    let collector = MockServer::start().await;
    let taken = Mock::given(method("POST")).and(path("/v1/traces")).and(header("x-key", "of the collector!"));
    taken.respond_with(ResponseTemplate::new(200)).mount(&collector).await;
    let world = World::start().await;
    let plan = world.plan(&collector.uri(), &[("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of%20the collector%21")]);
    let mut service = plan.start().await;
    let job = service.add_job(&world.graph, &world.assets).await;
    let connection =
        service.get(&format!("/v1/jobs/{job}")).await.unwrap()["connectionId"].as_str().unwrap().to_owned();
    service.create(&format!("/v1/connections/{connection}/check"), json!({})).await;
    // The caller has a trace of its own.
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let start = service.request("POST", &format!("/v1/jobs/{job}/runs")).json(&json!({"mode": "full"}));
    let started = start.header("traceparent", format!("00-{trace}-{parent}-01")).send().await.unwrap();
    let run = started.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(service.ended(&run).await["state"], "succeeded");
    service.signal(Signal::TERM);
    assert!(service.exit().await.success(), "what was not sent yet is sent at the end");
    assert!(!plan.log().contains("traces"), "everything arrived: {}", plan.log());

    let collected = Collected::of(&collector).await;
    let resource = collected.exports[0].resource_spans[0].resource.as_ref().unwrap();
    let of_resource =
        |name: &str| resource.attributes.iter().find(|one| one.key == name).and_then(|one| one.value.clone());
    assert_eq!(
        of_resource("service.name").and_then(|one| one.value),
        Some(Text::StringValue("entra-assets".to_owned()))
    );

    // A check asks Entra and Graph while its caller waits.
    let check = collected.named("POST /v1/connections/{id}/check");
    assert_eq!((check.kind, check.parent_span_id.is_empty()), (SpanKind::Server as i32, true));
    assert_eq!(attribute(check, "http.response.status_code"), Some(Text::IntValue(200)));
    let asked = collected.below(check);
    for start in ["POST /oauth2/v2.0/token", "GET /v1.0/"] {
        let found = asked.iter().find(|span| span.name.starts_with(start));
        assert!(found.is_some_and(|span| span.kind == SpanKind::Client as i32), "{start}: {asked:#?}");
    }

    // A run goes on in another task, or another process, and belongs to the call that started it.
    let call = collected.named("POST /v1/jobs/{id}/runs");
    assert_eq!((hex(&call.trace_id).as_str(), hex(&call.parent_span_id).as_str()), (trace, parent));
    let of_run = collected.below(call);
    assert_eq!(of_run[0].name, "run");
    assert_eq!(attribute(of_run[0], "run.id"), Some(Text::StringValue(run)));
    assert_eq!(attribute(of_run[0], "run.attempt"), Some(Text::IntValue(1)));
    for name in ["collect", "diff", "deliver", "settle"] {
        assert!(of_run.iter().any(|span| span.name == name && span.parent_span_id == of_run[0].span_id), "{name}");
    }
    let collect = of_run.iter().find(|span| span.name == "collect").unwrap();
    let requests = collected.below(collect);
    let users = requests.iter().find(|span| span.name.starts_with("GET /v1.0/users")).unwrap();
    assert_eq!(attribute(users, "http.response.status_code"), Some(Text::IntValue(200)));
    assert_eq!(attribute(users, "server.address"), Some(Text::StringValue("127.0.0.1".to_owned())));
    assert!(of_run.iter().any(|span| attribute(span, "peer.service") == Some(Text::StringValue("assets".to_owned()))));
    assert!(of_run.iter().all(|span| span.trace_id == call.trace_id));

    let entered = world.graph.default_credentials();
    for (what, secret) in [
        ("the client secret", entered.client_secret.as_str()),
        ("the import token", &world.assets.token()),
        ("a token", "Bearer"),
        ("the tenant", &entered.tenant_id.to_string()),
    ] {
        assert!(!collected.has(secret), "{what} is in a trace");
    }
    for text in collected.texts() {
        let names_somebody =
            text.contains('@') || text.contains('$') && !text.contains("$batch") && !text.contains("$count");
        assert!(!names_somebody && !text.contains('?'), "a person or a query is in a trace: {text}");
    }
}

/// A collector that refuses is told of once, and what was lost at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_is_told_of_once_and_at_the_end_what_was_lost() {
    let collector = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(403)).mount(&collector).await;
    let world = World::start().await;
    let more = [("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2"), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let plan = world.plan(&collector.uri(), &more);
    let mut service = plan.start().await;
    let job = service.add_job(&world.graph, &world.assets).await;
    service.until("the log is told", async |_| plan.log().contains("traces do not arrive")).await;
    let run = service.start_run(&job).await;
    assert_eq!(service.ended(&run).await["state"], "succeeded");
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
    let log = plan.log();
    let to = format!("\"collector\":\"{}/v1/traces\"", collector.uri());
    for said in ["traces do not arrive at the collector: it answered 403", "traces were lost: it answered 403"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(said)).collect();
        assert!(matches!(lines.as_slice(), [line] if line.contains(&to)), "{said}: {log}");
    }
    assert!(log.contains("\"spans\":") && !log.contains("hunter2"), "{log}");
}

/// Neither calls, nor runs, nor the end of the process wait for a collector that takes a connection and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_collector_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::start().await;
    let plan = world.plan(&format!("http://{}", silent.local_addr().unwrap()), &[]);
    let mut service = plan.start().await;
    let job = service.add_job(&world.graph, &world.assets).await;
    let run = service.start_run(&job).await;
    assert_eq!(service.ended(&run).await["state"], "succeeded");
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
    let log = plan.log();
    assert_eq!(log.matches("traces were lost: ").count(), 1, "{log}");
    // The second, if a request failed while the run went on.
    assert!(["no answer within 3 s", "timed out"].iter().any(|why| log.contains(why)), "{log}");
}
