//! The public keys of an issuer (RFC 7517), fetched on demand and cached.

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

/// How long cached keys are used. A withdrawn key is trusted no longer than this.
const LIFE: TimeDelta = TimeDelta::hours(1);
/// How long cached keys are used while the issuer cannot be reached.
const LIFE_UNREACHABLE: TimeDelta = TimeDelta::hours(24);
/// The minimum time between two fetches, whichever keys the tokens name.
const BETWEEN_FETCHES: TimeDelta = TimeDelta::seconds(10);
/// The timeout of a fetch. A caller is waiting for it, and Forge gives an event 5 seconds.
const TIMEOUT: Duration = Duration::from_secs(4);
const MAX_RESPONSE_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 200;

#[derive(Clone)]
struct Key {
    id: Option<String>,
    /// The only algorithm of the key, if the issuer declares one.
    algorithm: Option<KeyAlgorithm>,
    key: DecodingKey,
}

#[derive(Default)]
struct CachedKeys {
    keys: Vec<Key>,
    fetched_at: Option<DateTime<Utc>>,
}

/// The keys of one issuer.
pub(super) struct KeySet {
    http: reqwest::Client,
    clock: Clock,
    issuer: String,
    url: Option<Url>,
    known: RwLock<Arc<CachedKeys>>,
    /// The time of the last fetch. Locked during a fetch, so that there is only one at a time.
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
                let why = failure.unwrap_or_else(|| "the last fetch failed a moment ago".to_owned());
                let detail = format!(
                    "The token cannot be verified, because the signing keys of {} are not available: {why}.",
                    self.issuer
                );
                Err(Error::new(Code::IssuerUnreachable, detail))
            }
        }
    }

    /// The cached keys, if they are younger than `life`.
    fn known(&self, life: TimeDelta) -> Option<Arc<CachedKeys>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.fetched_at.is_some_and(|at| self.clock.now() - at < life).then_some(known)
    }

    /// Fetches the keys, unless the last fetch was a moment ago. Returns the reason of a failure.
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
                let known = CachedKeys { keys, fetched_at: Some(now) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
                None
            }
            Err(why) => {
                tracing::warn!(issuer = self.issuer, "fetching the signing keys failed: {why}");
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
        Ok(keys.into_iter().take(MAX_KEYS).filter_map(Key::read).collect())
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
            true => "the request timed out".to_owned(),
            false => "the issuer cannot be reached".to_owned(),
        })?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("the issuer answered {}", response.status().as_u16()));
        }
        let body = bounded_body(response, MAX_RESPONSE_BYTES).await.map_err(|e| e.to_string())?;
        serde_json::from_slice(&body).map_err(|e| format!("the response cannot be read: {e}"))
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

impl CachedKeys {
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
    /// `None`: this is no public key for signatures, or its type is unknown.
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
        let two = CachedKeys { keys: [key("a"), key("b")].into_iter().flatten().collect(), fetched_at: None };
        assert!(two.find(Some("b"), Algorithm::RS256).is_some());
        assert!(two.find(Some("b"), Algorithm::PS256).is_none());
        assert!(two.find(Some("c"), Algorithm::RS256).is_none());
        assert!(two.find(None, Algorithm::RS256).is_none());
        let one = CachedKeys { keys: key("a").into_iter().collect(), fetched_at: None };
        assert!(one.find(None, Algorithm::RS256).is_some());
    }
}
