//! What is repeated, how long is waited, and what a failure says.

use super::*;
use crate::graph::wire::Items;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn get(peer: &Peer) -> Result<Body> {
    peer.session().get(&peer.url("organization"), &RequestOptions::default()).await
}

#[tokio::test]
async fn passing_failures_are_waited_out() {
    for status in [429, 500, 502, 503, 504] {
        let peer = Peer::start().await;
        peer.script("/v1.0/organization", [fails(status, "x"), fails(status, "x"), ok(&json!({}))]).await;
        let body = get(&peer).await.unwrap();
        assert_eq!(peer.requests().await.len(), 3, "{status}");
        assert!(body.was_retried);
        assert!(peer.seconds() > 0.0, "{status}: without Retry-After we wait by ourselves");
    }
}

#[tokio::test]
async fn what_cannot_pass_is_asked_once() {
    for (status, kind) in [
        (400, "graph_bad_request"),
        (403, "graph_forbidden"),
        (404, "graph_not_found"),
        (501, "graph_unsupported"),
        (410, "graph_delta_expired"),
    ] {
        let peer = Peer::start().await;
        peer.script("/v1.0/organization", [fails(status, "Some_Code")]).await;
        let error = get(&peer).await.unwrap_err();
        assert_eq!(error.run_error_code().as_str(), kind);
        assert_eq!((error.code.as_deref(), error.request_id.as_deref()), (Some("Some_Code"), Some("r-bad")));
        assert_eq!((error.status, error.path.as_str()), (Some(status), "/v1.0/organization"));
        assert!(!error.advice().is_empty());
        assert_eq!(peer.requests().await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_is_kept_in_every_form() {
    let forms = [(429, "17", 17.0), (429, "2.5", 2.5), (429, "Mon, 01 Jun 2026 00:00:30 GMT", 30.0), (503, "7", 7.0)];
    for (status, form, seconds) in forms {
        let peer = Peer::start().await;
        peer.script("/v1.0/organization", [fails(status, "x").insert_header("Retry-After", form), ok(&json!({}))])
            .await;
        get(&peer).await.unwrap();
        assert!((seconds..seconds + 0.5).contains(&peer.seconds()), "{form}: {}", peer.seconds());
    }
}

#[tokio::test]
async fn a_server_that_always_asks_for_one_second_is_asked_ever_more_rarely() {
    let peer = Peer::start().await;
    let refusals = (0..8).map(|_| fails(429, "x").insert_header("retry-after", "1"));
    peer.script("/v1.0/organization", refusals.chain([ok(&json!({}))])).await;
    get(&peer).await.unwrap();
    assert!(peer.seconds() > 16.0, "{}", peer.seconds());
}

#[tokio::test]
async fn a_budget_of_time_ends_the_repeats_with_the_last_failure() {
    for (status, kind) in [(429, "graph_throttled"), (503, "graph_server_error")] {
        let peer = Peer::start().await;
        peer.script("/v1.0/organization", [fails(status, "last")]).await;
        let options = RequestOptions { budget: Duration::from_secs(120), ..RequestOptions::default() };
        let error = peer.session().get(&peer.url("organization"), &options).await.unwrap_err();
        assert_eq!((error.run_error_code().as_str(), error.code.as_deref()), (kind, Some("last")));
        assert!((1.0..=121.0).contains(&peer.seconds()), "{}", peer.seconds());
        assert!(peer.requests().await.len() > 3);
    }
}

#[tokio::test]
async fn without_a_budget_the_first_failure_is_final_and_says_what_it_was() {
    let peer = Peer::start().await;
    peer.script("/v1.0/organization", [fails(429, "x").insert_header("Retry-After", "1")]).await;
    let options = RequestOptions { budget: Duration::ZERO, ..RequestOptions::interactive() };
    let error = peer.session().get(&peer.url("organization"), &options).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::Throttled));
    let requests = peer.requests().await;
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].headers.contains_key("x-ms-throttle-priority"));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let peer = Peer::start().await;
    peer.script("/v1.0/organization", [fails(401, "InvalidAuthenticationToken"), ok(&json!({}))]).await;
    get(&peer).await.unwrap();
    assert_eq!(peer.token_requests().await, 2);

    let peer = Peer::start().await;
    peer.script("/v1.0/organization", [fails(401, "InvalidAuthenticationToken")]).await;
    let error = get(&peer).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::Unauthorized));
    assert_eq!((peer.requests().await.len(), peer.token_requests().await), (2, 2));
}

#[tokio::test]
async fn many_refused_at_once_share_one_new_token() {
    let peer = Peer::start().await;
    peer.script("/v1.0/organization", (0..10).map(|_| fails(401, "x")).chain([ok(&json!({}))])).await;
    let session = peer.session();
    let (url, options) = (peer.url("organization"), RequestOptions::default());
    let all = futures_util::future::join_all((0..10).map(|_| session.get(&url, &options))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(peer.token_requests().await, 2);
}

#[tokio::test]
async fn an_interactive_session_uses_no_token_but_its_own() {
    let peer = Peer::start().await;
    peer.script("/v1.0/organization", [fails(401, "x")]).await;
    let (session, _) = peer.client.interactive_session(&identity(1), Duration::from_secs(18)).await.unwrap();
    assert!(session.get(&peer.url("organization"), &RequestOptions::default()).await.is_err());
    assert_eq!((peer.requests().await.len(), peer.token_requests().await), (1, 1));
}

#[tokio::test]
async fn an_interactive_session_ends_with_its_time() {
    let peer = Peer::with_clock(Clock::system()).await;
    peer.script("/v1.0/organization", [ok(&json!({})).set_delay(Duration::from_secs(30))]).await;
    peer.script("/v1.0/domains", [fails(503, "x")]).await;
    let (session, _) = peer.client.interactive_session(&identity(1), Duration::from_secs(2)).await.unwrap();
    let options = RequestOptions::interactive();
    let (organization, domains) = (peer.url("organization"), peer.url("domains"));
    let (slow, failing) = tokio::join!(session.get(&organization, &options), session.get(&domains, &options));
    assert!(matches!(slow.unwrap_err().kind, GraphErrorKind::Cancelled));
    assert!(matches!(failing.unwrap_err().kind, GraphErrorKind::Server | GraphErrorKind::Cancelled));
    assert!(matches!(session.get(&domains, &options).await.unwrap_err().kind, GraphErrorKind::Cancelled));
}

/// A person's wait is measured by the clock that everything goes by, so a test of it waits for nothing.
#[tokio::test]
async fn the_time_of_an_interactive_session_is_that_of_the_clock() {
    let clock = Clock::manual(start());
    let peer = Peer::with_clock(clock.clone()).await;
    peer.script("/v1.0/organization", [ok(&json!({})).set_delay(Duration::from_secs(300))]).await;
    let (session, _) = peer.client.interactive_session(&identity(1), Duration::from_secs(18)).await.unwrap();
    let (url, options) = (peer.url("organization"), RequestOptions::interactive());
    let passing = async {
        for _ in 0..18 {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let (answer, ()) = tokio::join!(session.get(&url, &options), passing);
    assert!(matches!(answer.unwrap_err().kind, GraphErrorKind::Cancelled));
}

#[tokio::test]
async fn a_token_that_entra_refuses_is_an_error_of_the_sign_in() {
    let peer = Peer::start().await;
    let mut wrong = identity(1);
    wrong.credential = Credential::ClientSecret(TENANT.to_owned().into());
    let session = peer.client.session(wrong, CancellationToken::new());
    let error = session.get(&peer.url("organization"), &RequestOptions::default()).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::SignIn(_)));
    assert_eq!(crate::error::Error::from(error).code, crate::error::Code::ConnectionUnusable);
}

#[tokio::test]
async fn cancelling_ends_a_wait_at_once() {
    for status in [429, 503] {
        let peer = Peer::with_clock(Clock::manual(start())).await;
        peer.script("/v1.0/organization", [fails(status, "x").insert_header("Retry-After", "300")]).await;
        let cancel = CancellationToken::new();
        let session = peer.client.session(identity(1), cancel.clone());
        let url = peer.url("organization");
        let waiting = tokio::spawn(async move { session.get(&url, &RequestOptions::default()).await });
        while peer.requests().await.is_empty() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
        assert!(waiting.await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(peer.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn one_refusal_stops_the_other_sessions_of_the_application_too() {
    let peer = Peer::start().await;
    let throttled = fails(429, "x").insert_header("Retry-After", "20");
    peer.script("/v1.0/organization", [throttled]).await;
    peer.script("/v1.0/domains", [ok(&json!({}))]).await;
    let options = RequestOptions { budget: Duration::ZERO, ..RequestOptions::default() };
    peer.session().get(&peer.url("organization"), &options).await.unwrap_err();
    peer.session().get(&peer.url("domains"), &options).await.unwrap();
    assert!(peer.seconds() >= 20.0);
}

#[tokio::test]
async fn html_and_half_a_page_are_never_taken_for_data() {
    let half = &json!({"value": [{"id": ID}], "@odata.nextLink": "x"}).to_string()[..40];
    for (body, what) in
        [("<!DOCTYPE html><html>Sign in</html>", "HTML"), (half, "incomplete"), ("{}", "value"), ("", "incomplete")]
    {
        let peer = Peer::start().await;
        peer.script("/v1.0/users", [ResponseTemplate::new(200).set_body_string(body)]).await;
        let error = peer.session().page::<Items>(&peer.url("users"), &RequestOptions::default()).await.unwrap_err();
        assert!(matches!(error.kind, GraphErrorKind::Malformed));
        assert!(error.message.contains(what), "{error}");
        assert!(peer.requests().await.len() <= 5);
    }
    let peer = Peer::start().await;
    let whole = ok(&json!({"value": [1]}));
    peer.script("/v1.0/users", [ResponseTemplate::new(200).set_body_string(half), whole]).await;
    let page = peer.session().page::<Items>(&peer.url("users"), &RequestOptions::default()).await.unwrap();
    assert!(page.was_retried, "an accident is asked for again");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (peer, other) = (Peer::start().await, Peer::start().await);
    let to = ResponseTemplate::new(302).insert_header("Location", other.uri("/v1.0/organization"));
    peer.script("/v1.0/organization", [to]).await;
    assert!(matches!(get(&peer).await.unwrap_err().kind, GraphErrorKind::Malformed));
    assert!(other.requests().await.is_empty());
}

/// A server that breaks off in the middle of its first `broken` answers.
async fn breaking_server(broken: usize) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        for count in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0u8; 4096];
            let _ = stream.read(&mut head).await;
            let body = r#"{"value":[1]}"#;
            let part = if count < broken { &body[..5] } else { body };
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{part}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    origin
}

/// A client whose Graph is at `origin`.
fn client_at(origin: &Url, peer: &Peer) -> Client {
    let http = crate::http::client(&crate::config::HttpSettings::default()).unwrap();
    let hosts = HostSettings { graph_url: Some(origin.clone()), ..HostSettings::default() };
    Client::new(http, peer.clock.clone(), &hosts, peer.client.tokens().clone(), LARGE_TENANT)
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again() {
    let (peer, origin) = (Peer::start().await, breaking_server(2).await);
    let session = client_at(&origin, &peer).session(identity(1), CancellationToken::new());
    let page = session.page::<Items>(&session.url("users"), &RequestOptions::default()).await.unwrap();
    assert!(page.was_retried);
    assert_eq!(session.usage().repeated_requests, 2);
}

#[tokio::test]
async fn no_answer_until_the_budget_is_over_says_so_without_the_query() {
    let peer = Peer::start().await;
    // Nothing listens at a port that was just given back.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let session = client_at(&origin, &peer).session(identity(1), CancellationToken::new());
    let error = session.get(&session.url("users?$skiptoken=secret"), &RequestOptions::default()).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::Unreachable), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    assert!((60.0..=601.0).contains(&peer.seconds()), "{}", peer.seconds());
}

#[tokio::test]
async fn usage_counts_requests_units_and_the_time_graph_took_away() {
    let peer = Peer::start().await;
    let throttled = fails(429, "x").insert_header("Retry-After", "4");
    let costly = ResponseTemplate::new(200).set_body_json(json!({})).insert_header("x-ms-resource-unit", "5");
    peer.script("/v1.0/organization", [throttled, costly]).await;
    let session = peer.session();
    assert_eq!(session.usage(), Usage::default());
    session.get(&peer.url("organization"), &RequestOptions::default()).await.unwrap();
    let usage = session.usage();
    assert_eq!((usage.requests, usage.throttled_requests, usage.resource_units), (2, 1, 5));
    assert_eq!(usage.throttled_ms, 4_000);
    assert_eq!(usage.in_flight, 0);
    assert!(usage.units_left < 8_000);
}

const INSIDE: &str =
    r#"{"error":{"code":"InternalServerError","message":"Failed inside.","innerError":{"request-id":"r-inside"}}}"#;

#[tokio::test]
async fn an_error_inside_a_good_response_is_waited_out_and_then_reported_as_graphs() {
    for body in [INSIDE.to_owned(), format!(r#"{{"value":[1]}}{INSIDE}"#), format!(r#"{{"value":[{{"id":"1",{INSIDE}"#)]
    {
        let peer = Peer::start().await;
        let spoiled = ResponseTemplate::new(200).set_body_string(body.clone()).insert_header("request-id", "r-ok");
        let answers = [spoiled.clone(), spoiled.clone(), spoiled.clone(), spoiled.clone(), ok(&json!({"value": []}))];
        peer.script("/v1.0/users", answers).await;
        let page = peer.session().page::<Items>(&peer.url("users"), &RequestOptions::default()).await.unwrap();
        assert!(page.was_retried, "{body}");

        let peer = Peer::start().await;
        peer.script("/v1.0/users", [spoiled]).await;
        let error = peer.session().page::<Items>(&peer.url("users"), &RequestOptions::default()).await.unwrap_err();
        assert!(matches!(error.kind, GraphErrorKind::Server), "{error:?}");
        assert_eq!(
            (error.code.as_deref(), error.request_id.as_deref()),
            (Some("InternalServerError"), Some("r-inside"))
        );
        assert!(error.message.contains("Failed inside.") && error.message.contains("inside the response"), "{error}");
    }
}

#[tokio::test]
async fn an_error_inside_an_item_or_a_count_or_an_object_is_no_answer() {
    let peer = Peer::start().await;
    let inside: Value = serde_json::from_str(INSIDE).unwrap();
    let item = |body: &Value| ok(&json!({"responses": [{"id": "0", "status": 200, "body": body}]}));
    peer.script("/v1.0/$batch", [item(&inside), item(&json!({"value": []}))]).await;
    let answers = peer.session().batch(&[peer.url("users")], &RequestOptions::default()).await.unwrap();
    assert_eq!(answers[0].as_ref().unwrap().body, r#"{"value":[]}"#);
    let spoiled = ResponseTemplate::new(200).set_body_string(INSIDE);
    peer.script("/v1.0/users/$count", [spoiled.clone(), ResponseTemplate::new(200).set_body_string("7\n<!-- x -->")])
        .await;
    assert_eq!(peer.session().count("users", None).await.unwrap(), Some(7));
    peer.script("/v1.0/organization", [spoiled, ok(&json!({"id": ID}))]).await;
    assert_eq!(get(&peer).await.unwrap().json::<Value>().unwrap(), json!({"id": ID}));
}
