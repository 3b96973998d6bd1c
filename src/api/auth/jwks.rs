//! The public keys of an issuer (RFC 7517), fetched when they are needed and kept for a while.

use crate::clock::Clock;
use crate::config::issuers::JwtIssuer;
use crate::error::{Code, Error, Result};
use crate::http::bounded_body;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;

/// A key that an issuer withdraws is trusted for so long at most.
const LIFE: TimeDelta = TimeDelta::hours(1);
/// While the issuer cannot be reached, keys are used for so long.
const LIFE_UNREACHABLE: TimeDelta = TimeDelta::hours(24);
/// Between two fetches, whatever tokens ask for.
const BETWEEN_FETCHES: TimeDelta = TimeDelta::seconds(10);
/// A caller waits for the answer; Forge gives an event 5 seconds.
const TIMEOUT: Duration = Duration::from_secs(4);
const ANSWER_MOST_BYTES: usize = 256 * 1024;
const KEYS_MOST: usize = 200;

#[derive(Clone)]
struct Key {
    id: Option<String>,
    /// The one algorithm that the key is for, if the issuer says so.
    algorithm: Option<KeyAlgorithm>,
    key: DecodingKey,
}

#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched_at: Option<DateTime<Utc>>,
}

/// The keys of one issuer.
pub(super) struct KeySet {
    http: reqwest::Client,
    clock: Clock,
    issuer: String,
    url: Option<Url>,
    known: RwLock<Arc<Known>>,
    /// When keys were asked for last. Held while they are: one fetch at a time.
    asked_at: Mutex<Option<DateTime<Utc>>>,
}

impl KeySet {
    pub(super) fn new(http: reqwest::Client, clock: Clock, issuer: &JwtIssuer) -> Self {
        let (url, issuer) = (issuer.jwks_url.clone(), issuer.issuer.clone());
        Self { http, clock, issuer, url, known: RwLock::default(), asked_at: Mutex::new(None) }
    }

    /// The key with this id; without an id, the only key there is. `None`: the issuer has no such key. An error
    /// when its keys cannot be fetched.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<DecodingKey>> {
        if let Some(found) = self.known(LIFE).and_then(|known| known.find(id, algorithm)) {
            return Ok(Some(found));
        }
        let failure = self.fetch_again().await;
        match (self.known(LIFE_UNREACHABLE), failure) {
            (Some(known), _) => Ok(known.find(id, algorithm)),
            (None, failure) => {
                let why = failure.unwrap_or_else(|| "they could not be fetched a moment ago".to_owned());
                let detail =
                    format!("The token cannot be verified: the signing keys of {} are not there: {why}.", self.issuer);
                Err(Error::new(Code::IssuerUnreachable, detail))
            }
        }
    }

    /// What was fetched no longer than `life` ago.
    fn known(&self, life: TimeDelta) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.fetched_at.is_some_and(|at| self.clock.now() - at < life).then_some(known)
    }

    /// Fetches the keys unless that was tried a moment ago. Returns why it failed.
    async fn fetch_again(&self) -> Option<String> {
        let mut asked_at = self.asked_at.lock().await;
        let now = self.clock.now();
        if asked_at.is_some_and(|at| now - at < BETWEEN_FETCHES) {
            return None;
        }
        *asked_at = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                tracing::debug!(issuer = self.issuer, keys = keys.len(), "signing keys fetched");
                let known = Known { keys, fetched_at: Some(now) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
                None
            }
            Err(why) => {
                tracing::warn!(issuer = self.issuer, "the signing keys cannot be fetched: {why}");
                Some(why)
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Key>, String> {
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let Keys { keys } = self.get(url).await?;
        Ok(keys.into_iter().take(KEYS_MOST).filter_map(Key::read).collect())
    }

    /// `jwks_uri` of the issuer's metadata. Source: OpenID Connect Discovery 1.0 §4.
    async fn discover(&self) -> Result<Url, String> {
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let place = Url::parse(&place).map_err(|e| e.to_string())?;
        let is_secure = place.scheme() == "https";
        let metadata: Metadata = self.get(place).await?;
        if metadata.issuer != self.issuer {
            return Err("its metadata names another issuer".to_owned());
        }
        let url = Url::parse(&metadata.jwks_uri).map_err(|e| format!("`jwks_uri` is not a URL: {e}"))?;
        if url.scheme() != "https" && (is_secure || url.scheme() != "http") {
            return Err("`jwks_uri` is not an https URL".to_owned());
        }
        Ok(url)
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, url: Url) -> Result<T, String> {
        let request = self.http.get(url).header(reqwest::header::ACCEPT, "application/json").timeout(TIMEOUT);
        let response = request.send().await.map_err(|e| match e.is_timeout() {
            true => "no answer came in time".to_owned(),
            false => "the issuer cannot be reached".to_owned(),
        })?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the issuer answered {}", response.status().as_u16()));
        }
        let body = bounded_body(response, ANSWER_MOST_BYTES).await.map_err(|e| e.to_string())?;
        serde_json::from_slice(&body).map_err(|e| format!("the answer cannot be read: {e}"))
    }
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let key = match (id, self.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id))?,
            (None, [only]) => only,
            (None, _) => return None,
        };
        let is_for_it = key.algorithm.is_none_or(|only| only == KeyAlgorithm::from(algorithm));
        is_for_it.then(|| key.key.clone())
    }
}

impl Key {
    /// `None`: not a public key for signatures, or of a kind that is not known.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        let signs = jwk.common.public_key_use.as_ref().is_none_or(|of| *of == PublicKeyUse::Signature);
        (signs && key.family() != AlgorithmFamily::Hmac).then_some(Self {
            id: jwk.common.key_id,
            algorithm: jwk.common.key_algorithm,
            key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_public_keys_for_signatures_are_kept() {
        let rsa = json!({"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB"});
        assert!(Key::read(rsa.clone()).is_some());
        for wrong in [
            json!({"kty": "oct", "kid": "a", "k": "AQAB"}),
            json!({"kty": "RSA", "kid": "a", "use": "enc", "n": "AQAB", "e": "AQAB"}),
            json!({"kty": "of the future", "kid": "a"}),
            json!("a"),
        ] {
            assert!(Key::read(wrong.clone()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_found_by_its_id_and_used_for_its_own_algorithm() {
        let key = |id: &str| Key::read(json!({"kty": "RSA", "kid": id, "alg": "RS256", "n": "AQAB", "e": "AQAB"}));
        let two = Known { keys: [key("a"), key("b")].into_iter().flatten().collect(), fetched_at: None };
        assert!(two.find(Some("b"), Algorithm::RS256).is_some());
        assert!(two.find(Some("b"), Algorithm::PS256).is_none());
        assert!(two.find(Some("c"), Algorithm::RS256).is_none());
        assert!(two.find(None, Algorithm::RS256).is_none());
        let one = Known { keys: key("a").into_iter().collect(), fetched_at: None };
        assert!(one.find(None, Algorithm::RS256).is_some());
    }
}
