//! The cache of tokens, and the one renewal that concurrent callers share.

use super::access_token::AccessToken;
use super::federated::Federated;
use super::identity::Identity;
use super::request;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::HostSettings;
use crate::graph::sign_in_error::SignInError;
use crate::ids::{ConnectionId, OrganizationId};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// A token is renewed this long before its end.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(5);
/// How long failures of Entra are waited out.
const RETRY_BUDGET: Duration = Duration::from_secs(120);
/// First wait when Entra sends no `Retry-After`; doubled each time.
const FIRST_RETRY_WAIT: Duration = Duration::from_secs(1);
const MAX_RETRY_WAIT: Duration = Duration::from_secs(30);
/// Above this many entries, those without a live token are dropped.
const ENTRIES_BEFORE_SWEEP: usize = 256;

/// The cache of access tokens. Cheap to clone; all clones share one cache.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    clock: Clock,
    hosts: HostSettings,
    federated: Federated,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// Everything that a token belongs to. A second organization that enters the same application never gets the first
/// one's token, whatever secret it entered.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    organization: OrganizationId,
    connection: ConnectionId,
    credential_version: i64,
    tenant_id: String,
    client_id: Uuid,
    cloud: Cloud,
}

#[derive(Default)]
struct Slot {
    /// Locked during a renewal. Callers that wait for it share its outcome.
    renewal: tokio::sync::Mutex<Option<SignInError>>,
    /// Number of finished renewals, so that a waiting caller knows that one ended meanwhile.
    renewals: AtomicU64,
    token: Mutex<Option<Arc<AccessToken>>>,
}

impl Slot {
    fn token(&self) -> Option<Arc<AccessToken>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_token(&self, token: Option<Arc<AccessToken>>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

impl Tokens {
    pub fn new(client: reqwest::Client, clock: Clock, hosts: HostSettings, federated: Federated) -> Self {
        Self(Arc::new(Inner { client, clock, hosts, federated, slots: Mutex::default() }))
    }

    /// A token with at least five minutes left (half its life, if it lives less than ten minutes).
    pub async fn get(&self, identity: &Identity) -> Result<Arc<AccessToken>, SignInError> {
        let slot = self.slot(identity);
        if let Some(token) = self.usable(&slot) {
            return Ok(token);
        }
        let seen = slot.renewals.load(Ordering::Acquire);
        let mut last_error = slot.renewal.lock().await;
        if slot.renewals.load(Ordering::Acquire) != seen {
            if let Some(error) = last_error.as_ref() {
                return Err(error.clone());
            }
            if let Some(token) = self.usable(&slot) {
                return Ok(token);
            }
        }
        let outcome = self.ask_until(identity, RETRY_BUDGET).await;
        *last_error = outcome.as_ref().err().cloned();
        if let Ok(token) = &outcome {
            slot.set_token(Some(token.clone()));
        }
        slot.renewals.fetch_add(1, Ordering::Release);
        outcome
    }

    /// A new token, never one from the cache: the permissions in a token are those at the time of its creation. It is
    /// put into the cache. Failures of Entra are waited out for two minutes.
    pub async fn fresh(&self, identity: &Identity) -> Result<Arc<AccessToken>, SignInError> {
        self.fresh_within(identity, RETRY_BUDGET).await
    }

    /// As [`Tokens::fresh`], with another limit on the time for retries.
    pub async fn fresh_within(&self, identity: &Identity, budget: Duration) -> Result<Arc<AccessToken>, SignInError> {
        let token = self.ask_until(identity, budget).await?;
        self.slot(identity).set_token(Some(token.clone()));
        Ok(token)
    }

    /// Removes the token from the cache, after Graph answered 401.
    pub fn forget(&self, identity: &Identity) {
        self.slot(identity).set_token(None);
    }

    pub fn hosts(&self) -> &HostSettings {
        &self.0.hosts
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn federated(&self) -> &Federated {
        &self.0.federated
    }

    fn slot(&self, identity: &Identity) -> Arc<Slot> {
        let key = Key {
            organization: identity.organization,
            connection: identity.connection,
            credential_version: identity.credential_version,
            tenant_id: identity.tenant_id.to_ascii_lowercase(),
            client_id: identity.client_id,
            cloud: identity.cloud,
        };
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() > ENTRIES_BEFORE_SWEEP {
            let now = self.0.clock.now();
            // A slot that is in use may be in the middle of a renewal.
            slots.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.token().is_some_and(|token| token.expires_at > now)
            });
        }
        slots.entry(key).or_default().clone()
    }

    fn usable(&self, slot: &Slot) -> Option<Arc<AccessToken>> {
        let now = self.0.clock.now();
        slot.token().filter(|token| now < renew_at(token))
    }

    /// Retries while Entra fails and the budget lasts.
    async fn ask_until(&self, identity: &Identity, budget: Duration) -> Result<Arc<AccessToken>, SignInError> {
        let inner = &*self.0;
        let start = inner.clock.instant();
        let mut backoff = FIRST_RETRY_WAIT;
        loop {
            let error = match request::ask(&inner.client, &inner.clock, &inner.hosts, &inner.federated, identity).await
            {
                Ok(token) => return Ok(Arc::new(token)),
                Err(error) => error.about(&identity.tenant_id, identity.client_id, identity.cloud),
            };
            let wait = error.retry_after.unwrap_or(backoff) + inner.clock.jitter(backoff / 2);
            if !error.is_transient() || inner.clock.elapsed_since(start) + wait > budget {
                return Err(error);
            }
            tracing::warn!(
                connection.id = %identity.connection, aadsts = error.aadsts, status = error.status,
                wait_ms = wait.as_millis() as u64, "sign-in failed; retrying",
            );
            inner.clock.sleep(wait).await;
            backoff = (backoff * 2).min(MAX_RETRY_WAIT);
        }
    }
}

fn renew_at(token: &AccessToken) -> DateTime<Utc> {
    let half_life = (token.expires_at - token.obtained_at) / 2;
    token.expires_at - RENEW_BEFORE.min(half_life)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::FindingCode;
    use crate::config::HttpSettings;
    use crate::graph::sign_in_error::SignInErrorKind;
    use crate::graph::token::Credential;
    use secrecy::ExposeSecret;
    use serde_json::json;
    use wiremock::matchers::{body_string_contains, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    const SECRET: &str = "abc8Q~right";

    fn identity(organization: u128, secret: &str) -> Identity {
        Identity {
            organization: OrganizationId(Uuid::from_u128(organization)),
            connection: ConnectionId(Uuid::from_u128(9)),
            credential_version: 1,
            tenant_id: TENANT.to_owned(),
            client_id: Uuid::from_u128(5),
            cloud: Cloud::Global,
            credential: Credential::ClientSecret(secret.to_owned().into()),
        }
    }

    async fn tokens(server: &MockServer, clock: &Clock) -> Tokens {
        let client = crate::http::client(&HttpSettings::default()).unwrap();
        let hosts = HostSettings { login_url: Some(server.uri().parse().unwrap()), ..Default::default() };
        Tokens::new(client, clock.clone(), hosts, Federated::default())
    }

    /// Gives a token for the right secret, otherwise AADSTS7000215.
    async fn entra() -> MockServer {
        let server = MockServer::start().await;
        let ok = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "a.e30.s"});
        let refused = json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.",
            "error_codes": [7000215]});
        Mock::given(method("POST"))
            .and(path(format!("/{TENANT}/oauth2/v2.0/token")))
            .and(body_string_contains("client_secret=abc8Q%7Eright"))
            .and(body_string_contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"))
            .respond_with(ResponseTemplate::new(200).set_body_json(ok))
            .with_priority(1)
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(401).set_body_json(refused))
            .mount(&server)
            .await;
        server
    }

    async fn requests(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    fn start() -> DateTime<Utc> {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn a_token_is_kept_until_five_minutes_before_its_end() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let tokens = tokens(&server, &clock).await;
        let identity = identity(1, SECRET);
        tokens.get(&identity).await.unwrap();
        clock.advance(Duration::from_secs(3599 - 301));
        tokens.get(&identity).await.unwrap();
        assert_eq!(requests(&server).await, 1);
        clock.advance(Duration::from_secs(1));
        tokens.get(&identity).await.unwrap();
        assert_eq!(requests(&server).await, 2);
    }

    #[tokio::test]
    async fn a_token_that_is_followed_by_other_text_is_used() {
        let (server, clock) = (MockServer::start().await, Clock::manual_sleepless(start()));
        let body = r#"{"token_type": "Bearer", "expires_in": 3599, "access_token": "a.e30.s"}"#;
        for text in
            [format!("{body}\n<!-- scanned -->"), format!("{body}{{\"error\": \"late\"}}"), format!("\u{feff}{body}")]
        {
            server.reset().await;
            Mock::given(method("POST"))
                .respond_with(ResponseTemplate::new(200).set_body_string(&text))
                .mount(&server)
                .await;
            let token = tokens(&server, &clock).await.get(&identity(1, SECRET)).await;
            assert_eq!(token.unwrap().secret.expose_secret(), "a.e30.s", "{text}");
        }
    }

    #[tokio::test]
    async fn a_second_organization_with_a_wrong_secret_gets_nothing() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let tokens = tokens(&server, &clock).await;
        tokens.get(&identity(1, SECRET)).await.unwrap();
        let error = tokens.get(&identity(2, "abc8Q~wrong")).await.unwrap_err();
        assert_eq!((error.code, error.kind), (FindingCode::ClientSecretInvalid, SignInErrorKind::Refused));
    }

    #[tokio::test]
    async fn another_version_of_the_credential_has_its_own_token() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let tokens = tokens(&server, &clock).await;
        tokens.get(&identity(1, SECRET)).await.unwrap();
        let changed = Identity { credential_version: 2, ..identity(1, "abc8Q~wrong") };
        assert!(tokens.get(&changed).await.is_err());
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_renewal_and_its_failure() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let tokens = tokens(&server, &clock).await;
        for (secret, seen) in [(SECRET, 1), ("abc8Q~wrong", 2)] {
            let identity = Identity { credential_version: seen, ..identity(1, secret) };
            let all = futures_util::future::join_all((0..20).map(|_| tokens.get(&identity))).await;
            assert!(all.iter().all(|outcome| outcome.is_ok() == (secret == SECRET)));
            assert_eq!(requests(&server).await, usize::try_from(seen).unwrap());
        }
    }

    #[tokio::test]
    async fn a_fresh_token_never_comes_from_the_cache_and_a_forgotten_one_is_asked_again() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let tokens = tokens(&server, &clock).await;
        let identity = identity(1, SECRET);
        tokens.get(&identity).await.unwrap();
        tokens.fresh(&identity).await.unwrap();
        assert_eq!(requests(&server).await, 2);
        tokens.forget(&identity);
        tokens.get(&identity).await.unwrap();
        assert_eq!(requests(&server).await, 3);
    }

    #[tokio::test]
    async fn a_secret_id_is_never_sent() {
        let (server, clock) = (entra().await, Clock::manual_sleepless(start()));
        let error = tokens(&server, &clock).await.get(&identity(1, TENANT)).await.unwrap_err();
        assert_eq!((error.code, requests(&server).await), (FindingCode::SecretIdPasted, 0));
    }

    #[tokio::test]
    async fn trouble_at_entra_is_waited_out_as_long_as_it_asks() {
        let (server, clock) = (MockServer::start().await, Clock::manual_sleepless(start()));
        let throttled = ResponseTemplate::new(429).insert_header("Retry-After", "7").set_body_string("{}");
        Mock::given(method("POST")).respond_with(throttled).up_to_n_times(2).with_priority(1).mount(&server).await;
        let ok = json!({"expires_in": "3599", "access_token": "opaque"});
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(ok)).mount(&server).await;
        let token = tokens(&server, &clock).await.get(&identity(1, SECRET)).await.unwrap();
        assert_eq!(token.secret.expose_secret(), "opaque");
        assert!(!token.claims.readable);
        assert!(clock.now() - start() >= TimeDelta::seconds(14));
        assert_eq!(requests(&server).await, 3);
    }

    #[tokio::test]
    async fn lasting_trouble_ends_with_the_budget() {
        let server = MockServer::start().await;
        let busy = json!({"error": "temporarily_unavailable", "error_description": "AADSTS90033: busy", "error_codes": [90033]});
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(400).set_body_json(busy)).mount(&server).await;
        let clock = Clock::manual_sleepless(start());
        let error = tokens(&server, &clock).await.get(&identity(1, SECRET)).await.unwrap_err();
        assert!(error.is_transient() && error.code == FindingCode::SignInBusy);
        assert!(clock.now() - start() <= TimeDelta::from_std(RETRY_BUDGET).unwrap());
    }

    #[tokio::test]
    async fn the_workload_identity_is_read_anew_and_only_for_who_is_allowed() {
        let server = MockServer::start().await;
        let ok = json!({"expires_in": 3599, "access_token": "a.e30.s"});
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(ok)).mount(&server).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        let allowed = identity(1, SECRET);
        let settings = crate::config::SecuritySettings {
            federated_allow: vec![format!("{}/{TENANT}/{}", allowed.organization, allowed.client_id)],
            federated_token_file: Some(file.path().to_owned()),
            ..Default::default()
        };
        let client = crate::http::client(&HttpSettings::default()).unwrap();
        let hosts = HostSettings { login_url: Some(server.uri().parse().unwrap()), ..Default::default() };
        let federated = Federated::from_settings(&settings).unwrap();
        let tokens = Tokens::new(client, Clock::manual_sleepless(start()), hosts, federated);
        let allowed = Identity { credential: Credential::Federated, ..allowed };
        for token in ["first.jwt.x", "second.jwt.x"] {
            std::fs::write(file.path(), format!("{token}\n")).unwrap();
            tokens.fresh(&allowed).await.unwrap();
            let body = server.received_requests().await.unwrap().pop().unwrap().body;
            let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
            assert_eq!((form["client_assertion"].as_str(), form.get("client_secret")), (token, None));
        }
        let other = Identity { credential: Credential::Federated, ..identity(2, SECRET) };
        assert_eq!(tokens.fresh(&other).await.unwrap_err().code, FindingCode::FederatedNotAllowed);
        assert_eq!(requests(&server).await, 2);
    }

    #[tokio::test]
    async fn a_certificate_signs_for_the_clouds_own_endpoint_wherever_the_bytes_go() {
        let server = MockServer::start().await;
        let ok = json!({"expires_in": 3599, "access_token": "a.e30.s"});
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(200).set_body_json(ok)).mount(&server).await;
        let clock = Clock::manual_sleepless(start());
        let key = crate::graph::token::credential::tests::rsa();
        let certificate_pem = crate::graph::token::credential::tests::certificate(&key, 2027);
        let credential = Credential::Certificate { certificate_pem, private_key_pem: key.serialize_pem().into() };
        let identity = Identity { credential, cloud: Cloud::UsGov, ..identity(1, SECRET) };
        tokens(&server, &clock).await.get(&identity).await.unwrap();
        let body = server.received_requests().await.unwrap().remove(0).body;
        let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        assert_eq!(form["scope"], "https://graph.microsoft.us/.default");
        let assertion: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode_claims(&form["client_assertion"]).unwrap();
        assert_eq!(assertion["aud"], format!("https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/token"));
    }
}
