//! The client against a scripted peer. Time is simulated: every wait is over at once and moves the clock.

mod failures;
mod pages;
mod quota;
mod shapes;

use super::error::Result;
use super::limiter::LARGE_TENANT;
use super::service::Service;
use super::token::{Credential, Federated, Identity, Tokens};
use super::{Body, Client, GraphErrorKind, Next, Page, Pager, RequestOptions, Session, Usage};
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::HostSettings;
use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(super) const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
pub(super) const ID: &str = "6e7b768e-07e2-4810-8459-485f84f8f204";

/// Answers in turn, the last for ever.
struct Script(Mutex<VecDeque<ResponseTemplate>>);

impl Respond for Script {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
    }
}

pub(super) struct Peer {
    server: MockServer,
    pub clock: Clock,
    pub client: Client,
}

impl Peer {
    /// A peer that gives tokens, on a clock whose waits are over at once.
    pub async fn start() -> Self {
        Self::with_clock(Clock::manual_sleepless(start())).await
    }

    pub async fn with_clock(clock: Clock) -> Self {
        let server = MockServer::start().await;
        let origin: Url = server.uri().parse().unwrap();
        let hosts =
            HostSettings { login_url: Some(origin.clone()), graph_url: Some(origin), ..HostSettings::default() };
        let http = crate::http::client(&crate::config::HttpSettings::default()).unwrap();
        let tokens = Tokens::new(http.clone(), clock.clone(), hosts.clone(), Federated::default());
        let client = Client::new(http, clock.clone(), &hosts, tokens, LARGE_TENANT);
        let claims = json!({"tid": TENANT, "roles": ["User.Read.All"]}).to_string();
        let jwt = format!("e30.{}.s", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims));
        let answer = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": jwt});
        Mock::given(method("POST"))
            .and(path_regex("/token$"))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
        Self { server, clock, client }
    }

    /// Answers at a path in turn, the last for ever.
    pub async fn script(&self, path: &str, answers: impl IntoIterator<Item = ResponseTemplate>) {
        let script = Script(Mutex::new(answers.into_iter().collect()));
        let pattern = format!("^{}$", path.replace('$', "\\$"));
        Mock::given(path_regex(pattern)).respond_with(script).mount(&self.server).await;
    }

    pub fn session(&self) -> Session {
        self.client.session(identity(1), CancellationToken::new())
    }

    pub fn url(&self, path: &str) -> Url {
        self.session().url(path)
    }

    pub fn uri(&self, rest: &str) -> String {
        format!("{}{rest}", self.server.uri())
    }

    /// The requests to Graph so far, in order.
    pub async fn requests(&self) -> Vec<Request> {
        let all = self.server.received_requests().await.unwrap();
        all.into_iter().filter(|request| !request.url.path().ends_with("/token")).collect()
    }

    pub async fn token_requests(&self) -> usize {
        let all = self.server.received_requests().await.unwrap();
        all.iter().filter(|request| request.url.path().ends_with("/token")).count()
    }

    /// Simulated seconds since the start.
    pub fn seconds(&self) -> f64 {
        (self.clock.now() - start()).as_seconds_f64()
    }
}

pub(super) fn start() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub(super) fn identity(client: u128) -> Identity {
    Identity {
        organization: crate::ids::OrganizationId(Uuid::from_u128(1)),
        connection: crate::ids::ConnectionId(Uuid::from_u128(client)),
        credential_version: 1,
        tenant_id: TENANT.to_owned(),
        client_id: Uuid::from_u128(client),
        cloud: Cloud::Global,
        credential: Credential::ClientSecret("abc8Q~right".to_owned().into()),
    }
}

pub(super) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(body)
        .insert_header("request-id", "r-ok")
        .insert_header("x-ms-resource-unit", "1")
}

pub(super) fn fails(status: u16, code: &str) -> ResponseTemplate {
    let body = json!({"error": {"code": code, "message": "the reason", "innerError": {"request-id": "r-inner"}}});
    ResponseTemplate::new(status).set_body_json(body).insert_header("request-id", "r-bad")
}

pub(super) fn ids<C>(pages: &[Page<C>], ids: impl Fn(&C) -> Vec<String>) -> Vec<String> {
    pages.iter().flat_map(|page| ids(&page.content)).collect()
}

#[tokio::test]
async fn sessions_of_one_application_in_one_tenant_share_a_limiter() {
    let peer = Peer::start().await;
    let token = peer.session().token().await.unwrap();
    let of = async |client, service| {
        peer.client.session(identity(client), CancellationToken::new()).limiter(&token, service).await
    };
    let directory = of(1, Service::Directory).await;
    assert!(Arc::ptr_eq(&directory, &of(1, Service::Directory).await));
    assert!(!Arc::ptr_eq(&directory, &of(2, Service::Directory).await));
    assert!(!Arc::ptr_eq(&directory, &of(1, Service::Intune).await), "Intune throttles apart from the directory");
}
