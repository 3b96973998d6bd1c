//! The client against scripted answers.

use super::*;
use crate::clock::Clock;
use crate::config::HostSettings;
use crate::http;
use chrono::DateTime;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const WORKSPACE: &str = "9f3b1c2a-0000-4000-8000-000000000001";
const SOURCE: &str = "3e9f17a6-0000-4000-8000-000000000001";
const EXECUTION: &str = "11111111-0000-4000-8000-000000000001";
const TOKEN: &str = "ATCTT3-secret-token";

fn client(server: &MockServer) -> Client {
    let hosts = HostSettings { assets_url: Some(Url::parse(&server.uri()).unwrap()), ..HostSettings::default() };
    let clock = Clock::manual_sleepless(DateTime::UNIX_EPOCH);
    Client::new(http::client(&Default::default()).unwrap(), clock, &hosts)
}

fn target() -> Target {
    Target::ImportToken { token: TOKEN.to_owned().into() }
}

fn base() -> String {
    format!("/jsm/assets/workspace/{WORKSPACE}/v1/importsource/{SOURCE}")
}

fn links(server: &MockServer) -> Links {
    let link = |name: &str| format!("{}{}/{name}", server.uri(), base());
    Links { get_status: link("configstatus"), start: link("executions"), mapping: link("mapping") }
}

fn execution_links(origin: &str) -> Value {
    let execution = format!("{origin}{}/executions/{EXECUTION}", base());
    json!({"submitProgress": format!("{execution}/progress"), "submitResults": format!("{execution}/data"),
           "getExecutionStatus": format!("{execution}/status"), "cancel": execution})
}

fn chunk(completed: bool) -> Chunk {
    let mut builder = ChunkBuilder::new(ChunkLimits::default());
    builder.push("users", r#"{"objectId":"1"}"#);
    builder.build("chunk-1", completed)
}

/// Answers with each response in turn, the last one for ever, and counts.
async fn in_turn(server: &MockServer, verb: &str, at: &str, answers: Vec<ResponseTemplate>) -> Arc<AtomicUsize> {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(move |_: &Request| {
            let turn = counter.fetch_add(1, Ordering::SeqCst);
            answers[turn.min(answers.len() - 1)].clone()
        })
        .mount(server)
        .await;
    asked
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code)
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn links_are_read_with_the_token_and_taken_as_they_are() {
    let server = MockServer::start().await;
    let expected = links(&server);
    Mock::given(method("GET"))
        .and(path("/jsm/assets/v1/imports/info"))
        .and(header("authorization", format!("Bearer {TOKEN}")))
        .respond_with(ok(
            json!({"links": {"getStatus": expected.get_status, "start": expected.start, "mapping": expected.mapping}}),
        ))
        .mount(&server)
        .await;
    let found = client(&server).links(&target()).await.unwrap();
    assert_eq!(found, expected);
    assert_eq!(found.import_source_id().as_deref(), Some(SOURCE));
    assert_eq!(found.workspace_id().as_deref(), Some(WORKSPACE));
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let server = MockServer::start().await;
    let mut foreign = links(&server);
    foreign.start = "https://evil.example/jsm/assets/workspace/w/v1/importsource/s/executions".to_owned();
    let error = client(&server).start(&target(), &foreign, false).await.unwrap_err();
    assert_eq!(error.kind, AssetsErrorKind::ForeignLink);
    in_turn(
        &server,
        "POST",
        &format!("{}/executions", base()),
        vec![ok(json!({"links": execution_links("https://evil.example"), "result": "success"}))],
    )
    .await;
    let error = client(&server).start(&target(), &links(&server), false).await.unwrap_err();
    assert_eq!(error.kind, AssetsErrorKind::ForeignLink);
}

#[tokio::test]
async fn an_outdated_token_is_told_apart() {
    let server = MockServer::start().await;
    in_turn(
        &server,
        "GET",
        "/jsm/assets/v1/imports/info",
        vec![status(401).set_body_json(json!({"code": 401, "message": "Unauthorized"}))],
    )
    .await;
    let error = client(&server).links(&target()).await.unwrap_err();
    assert_eq!((error.kind.clone(), error.code().as_str()), (AssetsErrorKind::Unauthorized, "assets_token_invalid"));
    assert!(!format!("{error} {error:?}").contains(TOKEN));
    assert_eq!(crate::error::Error::from(error).code, crate::error::Code::AssetsTokenInvalid);
}

#[tokio::test]
async fn throttling_and_failures_are_waited_out() {
    let server = MockServer::start().await;
    let answers = vec![status(429).insert_header("retry-after", "7"), status(503), ok(json!({"status": "IDLE"}))];
    let asked = in_turn(&server, "GET", &format!("{}/configstatus", base()), answers).await;
    let client = client(&server);
    let found = client.config_status(&target(), &links(&server)).await.unwrap();
    assert_eq!(found.state, ConfigState::Idle);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let waited = client.clock.now() - DateTime::UNIX_EPOCH;
    assert!((9..12).contains(&waited.num_seconds()), "{waited}");
}

#[tokio::test]
async fn patience_ends() {
    let server = MockServer::start().await;
    let asked = in_turn(&server, "GET", &format!("{}/configstatus", base()), vec![status(429)]).await;
    let client = client(&server).with_patience(Duration::from_secs(20));
    let error = client.config_status(&target(), &links(&server)).await.unwrap_err();
    assert_eq!((error.kind, error.status), (AssetsErrorKind::Throttled, Some(429)));
    assert!(asked.load(Ordering::SeqCst) >= 4);
    assert!((client.clock.now() - DateTime::UNIX_EPOCH).num_seconds() <= 20);
}

#[tokio::test]
async fn a_cancelled_call_ends() {
    let server = MockServer::start().await;
    in_turn(&server, "GET", &format!("{}/configstatus", base()), vec![status(429)]).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let client = client(&server).with_cancellation(cancel);
    assert_eq!(client.config_status(&target(), &links(&server)).await.unwrap_err().kind, AssetsErrorKind::Cancelled);
    assert_eq!(client.start(&target(), &links(&server), false).await.unwrap_err().kind, AssetsErrorKind::Cancelled);
}

#[tokio::test]
async fn a_start_is_never_repeated_blindly() {
    let server = MockServer::start().await;
    let started = ok(json!({"links": execution_links(&server.uri()), "result": "success"}));
    let asked =
        in_turn(&server, "POST", &format!("{}/executions", base()), vec![status(502), status(429), started]).await;
    let client = client(&server);
    let error = client.start(&target(), &links(&server), false).await.unwrap_err();
    assert_eq!((error.kind, asked.load(Ordering::SeqCst)), (AssetsErrorKind::OutcomeUnknown, 1));
    let execution = client.start(&target(), &links(&server), true).await.unwrap();
    assert_eq!(execution.execution_id, EXECUTION);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "a 429 was certainly not carried out");
    let stored = serde_json::to_string(&execution.links).unwrap();
    assert_eq!(serde_json::from_str::<ExecutionLinks>(&stored).unwrap(), execution.links);
    assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), execution_links(&server.uri()));
    let bodies: Vec<Vec<u8>> =
        server.received_requests().await.unwrap().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies[0], b"");
    assert_eq!(bodies[2], br#"{"scheduled":true}"#);
}

#[tokio::test]
async fn a_busy_or_unmapped_import_source_says_why() {
    let server = MockServer::start().await;
    let answer = |code: &str| status(409).set_body_json(json!({"result": "error", "errorCode": code}));
    let codes = [
        ("MISSING_MAPPING", Conflict::MissingMapping),
        ("DISABLED", Conflict::Disabled),
        ("INVALID_IMPORT_MODULE_KEY", Conflict::InvalidImportModuleKey),
        ("IN_PROGRESS", Conflict::InProgress),
    ];
    in_turn(&server, "POST", &format!("{}/executions", base()), codes.iter().map(|(code, _)| answer(code)).collect())
        .await;
    for (_, conflict) in codes {
        let error = client(&server).start(&target(), &links(&server), false).await.unwrap_err();
        assert_eq!(error.kind, AssetsErrorKind::Conflict(conflict));
        assert!(!error.advice().is_empty());
    }
}

#[tokio::test]
async fn a_chunk_is_repeated_with_its_own_id_but_the_last_one_is_not() {
    let server = MockServer::start().await;
    let at = format!("{}/executions/{EXECUTION}/data", base());
    let asked = in_turn(&server, "POST", &at, vec![status(500), status(200), status(500)]).await;
    let links: ExecutionLinks = serde_json::from_value(execution_links(&server.uri())).unwrap();
    let client = client(&server);
    assert_eq!(client.submit(&target(), &links, &chunk(false)).await.unwrap().repeats, 1);
    let bodies = server.received_requests().await.unwrap();
    assert_eq!(bodies[0].body, bodies[1].body);
    let error = client.submit(&target(), &links, &chunk(true)).await.unwrap_err();
    assert_eq!((error.kind, asked.load(Ordering::SeqCst)), (AssetsErrorKind::OutcomeUnknown, 3));
}

#[tokio::test]
async fn a_chunk_that_is_too_large_is_told_apart() {
    let server = MockServer::start().await;
    in_turn(&server, "POST", &format!("{}/executions/{EXECUTION}/data", base()), vec![status(413)]).await;
    let links: ExecutionLinks = serde_json::from_value(execution_links(&server.uri())).unwrap();
    let error = client(&server).submit(&target(), &links, &chunk(false)).await.unwrap_err();
    assert_eq!(error.kind, AssetsErrorKind::TooLarge);
}

#[tokio::test]
async fn a_mapping_that_exists_is_patched_with_what_assets_allows() {
    let server = MockServer::start().await;
    let current = json!({"schema": {"iconSchema": {"icons": []}}, "mapping": {"objectTypeMappings": []}});
    in_turn(&server, "PUT", &format!("{}/mapping", base()), vec![status(409)]).await;
    in_turn(&server, "GET", &format!("{}/schema-and-mapping", base()), vec![ok(current.clone())]).await;
    Mock::given(method("PATCH"))
        .and(path(format!("{}/mapping", base())))
        .and(body_json(json!({"schema": {}, "mapping": {"objectTypeMappings": []}})))
        .respond_with(status(204))
        .expect(1)
        .mount(&server)
        .await;
    let outcome = client(&server).put_mapping(&target(), &links(&server), &json!({}), Value::clone).await.unwrap();
    assert_eq!(outcome, MappingOutcome::Updated);
}

#[tokio::test]
async fn a_mapping_made_in_the_background_is_followed_to_its_end() {
    let server = MockServer::start().await;
    let progress = format!("{}/mapping/progress/5", base());
    in_turn(
        &server,
        "PUT",
        &format!("{}/mapping", base()),
        vec![status(303).insert_header("location", progress.as_str())],
    )
    .await;
    let answers = vec![
        ok(json!({"progressStatus": "IN_PROGRESS"})),
        ok(json!({"progressStatus": "FINISHED", "result": "OK", "resultMessage": "done"})),
        ok(json!({"progressStatus": "FINISHED", "result": "FAILURE", "resultMessage": "no such type"})),
    ];
    in_turn(&server, "GET", &progress, answers).await;
    let client = client(&server);
    let put = || async { client.put_mapping(&target(), &links(&server), &json!({}), Value::clone).await };
    assert_eq!(put().await.unwrap(), MappingOutcome::Created);
    let error = put().await.unwrap_err();
    assert_eq!(error.kind, AssetsErrorKind::Validation { details: vec!["no such type".to_owned()] });
}

#[tokio::test]
async fn a_refused_mapping_names_every_fault() {
    let server = MockServer::start().await;
    let body = json!({"dataValidationErrors": [{"code": "UNKNOWN_EXTERNAL_ID_MAPPING"}, {"code": "OTHER"}]});
    in_turn(&server, "PUT", &format!("{}/mapping", base()), vec![status(400).set_body_json(body)]).await;
    let error = client(&server).put_mapping(&target(), &links(&server), &json!({}), Value::clone).await.unwrap_err();
    assert_eq!(
        error.kind,
        AssetsErrorKind::Validation { details: vec!["code UNKNOWN_EXTERNAL_ID_MAPPING".into(), "code OTHER".into()] }
    );
}

#[tokio::test]
async fn an_execution_is_watched_cancelled_and_explained() {
    let server = MockServer::start().await;
    let at = format!("{}/executions/{EXECUTION}", base());
    in_turn(&server, "GET", &format!("{at}/status"), vec![ok(json!({"status": "PROCESSING"}))]).await;
    in_turn(&server, "GET", &format!("{}/executions/status", base()), vec![status(404), ok(json!({"status": "DONE"}))])
        .await;
    in_turn(&server, "DELETE", &at, vec![status(200), status(404), status(400)]).await;
    let reason = "x".repeat(1024);
    Mock::given(method("POST"))
        .and(path(format!("{at}/history/failed")))
        .and(body_json(json!({"failureReason": reason})))
        .respond_with(status(204))
        .expect(1)
        .mount(&server)
        .await;
    let (client, target, links) = (client(&server), target(), links(&server));
    let execution: ExecutionLinks = serde_json::from_value(execution_links(&server.uri())).unwrap();
    assert_eq!(client.status(&target, &execution).await.unwrap().status, ExecutionState::Processing);
    assert!(client.latest_status(&target, &links).await.unwrap().is_none());
    assert!(client.latest_status(&target, &links).await.unwrap().unwrap().is_over());
    client.cancel(&target, &execution.cancel).await.unwrap();
    client.cancel(&target, &execution.cancel).await.unwrap();
    assert!(matches!(
        client.cancel(&target, &execution.cancel).await.unwrap_err().kind,
        AssetsErrorKind::Validation { .. }
    ));
    client.failed_history(&target, &execution, &"x".repeat(5000)).await.unwrap();
}

#[tokio::test]
async fn what_is_not_json_is_not_taken_for_an_answer() {
    let server = MockServer::start().await;
    in_turn(&server, "GET", &format!("{}/configstatus", base()), vec![status(200).set_body_string("<html>")]).await;
    assert_eq!(
        client(&server).config_status(&target(), &links(&server)).await.unwrap_err().kind,
        AssetsErrorKind::Malformed
    );
}

fn forge(base: &str) -> Target {
    Target::Forge {
        token: TOKEN.to_owned().into(),
        api_base_url: Url::parse(base).unwrap(),
        workspace_id: WORKSPACE.to_owned(),
        import_id: SOURCE.to_owned(),
    }
}

#[tokio::test]
async fn a_forge_app_joins_links_to_its_own_base_url() {
    let plain = Client::new(http::client(&Default::default()).unwrap(), Clock::system(), &HostSettings::default());
    let target = forge("https://api.atlassian.com/ex/jira/cloud-1");
    let links = plain.links(&target).await.unwrap();
    let expected = format!("https://api.atlassian.com/ex/jira/cloud-1{}/executions", base());
    assert_eq!(links.start, expected);
    for given in [
        format!("https://api.atlassian.com{}/executions", base()),
        format!("https://other.example{}/executions", base().replace("/jsm/assets/", "/jsm/insight/")),
        format!("https://api.atlassian.com/ex/jira/cloud-2{}/executions", base()),
    ] {
        assert_eq!(plain.resolve(&target, &given).unwrap().as_str(), expected, "{given}");
    }
    for wrong in [
        "https://api.atlassian.com/rest/api/3/myself".to_owned(),
        "https://api.atlassian.com/jsm/assets/workspace/another/v1/importsource/s/executions".to_owned(),
        format!("https://api.atlassian.com/jsm/assets/workspace/{WORKSPACE}/../../../../../rest/x"),
    ] {
        assert_eq!(plain.resolve(&target, &wrong).unwrap_err().kind, AssetsErrorKind::ForeignLink, "{wrong}");
    }
    assert_eq!(
        plain.links(&forge("https://evil.example/ex/jira/x")).await.unwrap_err().kind,
        AssetsErrorKind::ForeignLink
    );
}

#[tokio::test]
async fn the_operators_origin_replaces_the_host_of_a_forge_base_url() {
    let server = MockServer::start().await;
    let at = format!("/ex/jira/cloud-1{}/configstatus", base());
    in_turn(&server, "GET", &at, vec![ok(json!({"status": "RUNNING", "links": {"cancel": "c"}}))]).await;
    let target = forge("https://api.atlassian.com/ex/jira/cloud-1");
    let client = client(&server);
    let links = client.links(&target).await.unwrap();
    let found = client.config_status(&target, &links).await.unwrap();
    assert_eq!((found.state, found.cancel.as_deref()), (ConfigState::Running, Some("c")));
}

fn access() -> objects::SiteAccess {
    objects::SiteAccess {
        site_url: Url::parse("https://example.atlassian.net").unwrap(),
        email: "admin@example.com".to_owned(),
        api_token: "api-token".to_owned().into(),
    }
}

#[tokio::test]
async fn a_site_without_assets_says_so() {
    let server = MockServer::start().await;
    let answers = vec![ok(json!({"values": []})), ok(json!({"size": 1, "values": [{"workspaceId": WORKSPACE}]}))];
    in_turn(&server, "GET", "/rest/servicedeskapi/assets/workspace", answers).await;
    let client = client(&server);
    assert_eq!(client.workspace_id(&access()).await.unwrap_err().kind, AssetsErrorKind::NotFound);
    assert_eq!(client.workspace_id(&access()).await.unwrap(), WORKSPACE);
}

#[tokio::test]
async fn objects_are_found_page_by_page_deleted_and_cleared() {
    use uuid::Uuid;
    let server = MockServer::start().await;
    let object_base = format!("/jsm/assets/workspace/{WORKSPACE}/v1/object");
    let ids: Vec<Uuid> = (1..=60).map(Uuid::from_u128).collect();
    let page = |range: std::ops::RangeInclusive<u128>, is_last: bool| {
        let values: Vec<Value> = range
            .map(|n| {
                json!({"id": n.to_string(), "objectKey": format!("E-{n}"), "objectType": {"id": "7", "objectSchemaId": "2"},
                       "attributes": [{"objectTypeAttributeId": "70", "objectAttributeValues": [{"value": Uuid::from_u128(n)}]}]})
            })
            .collect();
        ok(
            json!({"values": values, "isLast": is_last, "objectTypeAttributes": [{"id": "70", "name": "Object ID"}, {"id": "71", "name": "Manager"}]}),
        )
    };
    let answers = vec![page(1..=30, false), status(429), page(31..=50, true), page(51..=60, true)];
    let asked = in_turn(&server, "POST", &format!("{object_base}/aql"), answers).await;
    in_turn(&server, "DELETE", &format!("{object_base}/5"), vec![status(200), status(404)]).await;
    Mock::given(method("PUT"))
        .and(path(format!("{object_base}/5")))
        .and(header("authorization", "Basic YWRtaW5AZXhhbXBsZS5jb206YXBpLXRva2Vu"))
        .and(body_json(
            json!({"objectTypeId": "7", "attributes": [{"objectTypeAttributeId": "71", "objectAttributeValues": []}]}),
        ))
        .respond_with(status(200))
        .expect(1)
        .mount(&server)
        .await;
    let scope = objects::ObjectScope {
        object_schema_id: 2,
        object_type_id: 7,
        object_type: "Entra User",
        identity: "Object ID",
    };
    let (client, access) = (client(&server), access());
    let found = client.find_by_external_id(&access, WORKSPACE, &scope, &ids).await.unwrap();
    assert_eq!(found.objects.len(), 60);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    client.delete_object(&access, WORKSPACE, "5").await.unwrap();
    client.delete_object(&access, WORKSPACE, "5").await.unwrap();
    client.clear_attributes(&access, WORKSPACE, &scope, "5", &[&found.attribute_ids["Manager"]]).await.unwrap();
    assert_eq!(client.delete_object(&access, WORKSPACE, "5/../6").await.unwrap_err().kind, AssetsErrorKind::Malformed);
}
