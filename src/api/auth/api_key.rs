//! API keys: `eak_<id>_<secret>`, of which only a hash is stored.

use super::caller::{Caller, Credential, unauthenticated};
use super::refused::{self, Refused};
use super::secret::{PresentedSecret, new_secret};
use crate::app::App;
use crate::audit::Actor;
use crate::db::system::{self, ApiKeyRow};
use crate::error::Result;
use crate::ids::{ApiKeyId, OrganizationId};
use actix_web::dev::ServiceRequest;
use chrono::{DateTime, TimeDelta, Utc};

pub(super) const PREFIX: &str = "eak_";
const KIND: &str = "api-keys";
/// The last use of a key is written at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// A new key: its text, which is shown once, and the hash to store.
pub fn new_key(id: ApiKeyId) -> (String, Vec<u8>) {
    new_secret(PREFIX, id.0)
}

pub(super) async fn authenticate(app: &App, request: &ServiceRequest, presented: &PresentedSecret) -> Result<Caller> {
    let id = ApiKeyId(presented.id);
    let Some(key) = system::find_api_key(&app.db, id).await? else { return Err(unauthenticated()) };
    let now = app.clock.now();
    let organization = OrganizationId(key.organization_id);
    let reason = if presented.is(&key.secret_hash) { why_dead(&key, now) } else { Some("wrongSecret") };
    if let Some(reason) = reason {
        let refused = Refused { organization, actor: Actor::ApiKey(id), kind: KIND, id: Some(id.0), reason };
        refused::record(app, request, refused).await?;
        return Err(unauthenticated());
    }
    if key.last_used_at.is_none_or(|at| now - at >= TOUCH_EVERY) {
        system::touch_api_key(&app.db, organization, id, now).await?;
    }
    Ok(Caller::new(organization, Actor::ApiKey(id), key.scopes, Credential::ApiKey(id)))
}

/// Whether a key that was valid still is.
pub(super) async fn is_still_valid(app: &App, id: ApiKeyId) -> Result<bool> {
    let key = system::find_api_key(&app.db, id).await?;
    Ok(key.is_some_and(|key| why_dead(&key, app.clock.now()).is_none()))
}

/// Why a key is not valid any more; `None`: it is.
fn why_dead(key: &ApiKeyRow, now: DateTime<Utc>) -> Option<&'static str> {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => Some("revoked"),
        (None, Some(at)) if at <= now => Some("expired"),
        (None, _) => None,
    }
}
