//! API keys: `eak_<id>_<secret>`, of which only a hash is stored.

use super::caller::{Caller, Credential, unauthenticated};
use crate::app::App;
use crate::db::system::{self, ApiKeyRow};
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

const PREFIX: &str = "eak_";
/// The last use of a key is written at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// An API key as presented: `eak_<id>_<secret>`, the id as 32 hexadecimal digits.
pub(super) struct PresentedKey {
    id: ApiKeyId,
    secret_hash: [u8; 32],
}

impl PresentedKey {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok()?;
        Some(Self { id: ApiKeyId(id), secret_hash: Sha256::digest(secret).into() })
    }
}

/// A new key: its text, which is shown once, and the hash to store.
pub fn new_key(id: ApiKeyId) -> (String, Vec<u8>) {
    let secret = URL_SAFE_NO_PAD.encode(crate::random::random_bytes::<32>());
    let hash = Sha256::digest(&secret).to_vec();
    (format!("{PREFIX}{}_{secret}", id.0.simple()), hash)
}

pub(super) async fn authenticate(app: &App, presented: &PresentedKey) -> Result<Caller> {
    let Some(key) = system::find_api_key(&app.db, presented.id).await? else { return Err(unauthenticated()) };
    let now = app.clock.now();
    let is_right: bool = presented.secret_hash.ct_eq(key.secret_hash.as_slice()).into();
    if !is_right || !is_alive(&key, now) {
        return Err(unauthenticated());
    }
    let organization = OrganizationId(key.organization_id);
    if key.last_used_at.is_none_or(|at| now - at >= TOUCH_EVERY) {
        system::touch_api_key(&app.db, organization, presented.id, now).await?;
    }
    let credential = Credential::ApiKey(presented.id);
    Ok(Caller { organization, actor: format!("apiKey:{}", key.id), scopes: key.scopes, credential })
}

/// Whether a key that was valid still is.
pub(super) async fn is_still_valid(app: &App, id: ApiKeyId) -> Result<bool> {
    let key = system::find_api_key(&app.db, id).await?;
    Ok(key.is_some_and(|key| is_alive(&key, app.clock.now())))
}

fn is_alive(key: &ApiKeyRow, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_recognised_by_its_hash_alone() {
        let id = ApiKeyId(Uuid::from_u128(7));
        let (text, hash) = new_key(id);
        let presented = PresentedKey::parse(&text).unwrap();
        assert_eq!((presented.id, presented.secret_hash.to_vec()), (id, hash));
        assert!(PresentedKey::parse("eak_x_y").is_none());
        assert!(PresentedKey::parse("Bearer").is_none());
    }
}
