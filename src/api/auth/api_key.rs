//! API keys: `eak_<id>_<secret>`, of which only a hash is stored.

use super::caller::{Caller, Credential, unauthenticated};
use super::secret::{PresentedSecret, new_secret};
use crate::app::App;
use crate::audit::Actor;
use crate::db::system::{self, ApiKeyRow};
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
use chrono::{DateTime, TimeDelta, Utc};

pub(super) const PREFIX: &str = "eak_";
/// The last use of a key is written at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A new key: its text, which is shown once, and the hash to store.
pub fn new_key(id: ApiKeyId) -> (String, Vec<u8>) {
    new_secret(PREFIX, id.0)
}

pub(super) async fn authenticate(app: &App, presented: &PresentedSecret) -> Result<Caller> {
    let id = ApiKeyId(presented.id);
    let Some(key) = system::find_api_key(&app.db, id).await? else { return Err(unauthenticated()) };
    let now = app.clock.now();
    if !presented.is(&key.secret_hash) || !is_alive(&key, now) {
        return Err(unauthenticated());
    }
    let organization = OrganizationId(key.organization_id);
    if key.last_used_at.is_none_or(|at| now - at >= TOUCH_EVERY) {
        system::touch_api_key(&app.db, organization, id, now).await?;
    }
    let credential = Credential::ApiKey(id);
    Ok(Caller { organization, actor: Actor::ApiKey(ApiKeyId(key.id)), scopes: key.scopes, credential })
}

/// Whether a key that was valid still is.
pub(super) async fn is_still_valid(app: &App, id: ApiKeyId) -> Result<bool> {
    let key = system::find_api_key(&app.db, id).await?;
    Ok(key.is_some_and(|key| is_alive(&key, app.clock.now())))
}

fn is_alive(key: &ApiKeyRow, now: DateTime<Utc>) -> bool {
    key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at)
}
