//! Who is calling, and what they may do. The organization comes from the key or token, never from the
//! request.

use crate::app::App;
use crate::db::system;
use crate::error::{Code, Error, Result};
use crate::ids::{ApiKeyId, OrganizationId};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::future::{Ready, ready};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use uuid::Uuid;

const PREFIX: &str = "eak_";
/// The actor of a request that came with a ticket.
pub(super) const TICKET: &str = "ticket";
/// A use of a key is noted at most this often.
const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What a key or token may do. `admin` includes the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyScope)]
pub enum Scope {
    /// See everything but secrets.
    Read,
    /// Create, change and delete connections, filters, destinations, jobs and webhooks.
    Write,
    /// Start, cancel and approve runs; check connections and destinations.
    Run,
    /// Manage keys and organizations, read the audit log.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Run, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A caller who proved who they are.
#[derive(Clone, Debug)]
pub struct Caller {
    pub organization: OrganizationId,
    /// As the audit log names them: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`, `ticket`.
    pub actor: String,
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// The request came with a ticket, by a browser that cannot say in a header what it wants.
    pub fn is_by_ticket(&self) -> bool {
        self.actor == TICKET
    }

    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin) {
            return Ok(());
        }
        Err(Error::new(
            Code::Forbidden,
            format!("This needs the scope `{}`, which the key or token does not have.", scope.as_str()),
        ))
    }
}

/// Put there by `contract::enforce`, which runs before every handler that takes it.
impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or_else(unauthenticated))
    }
}

fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "This needs an API key or a token: send `Authorization: Bearer <key>`. The one that was sent, if any, is wrong, expired or revoked.",
    )
}

/// The caller of a request.
pub async fn authenticate(app: &App, request: &ServiceRequest) -> Result<Caller> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(bearer) = header.and_then(bearer) else { return Err(unauthenticated()) };
    if let Some(admin) = &app.settings.security.admin_key
        && same(bearer, admin.expose_secret())
    {
        return Ok(Caller {
            organization: OrganizationId::DEFAULT,
            actor: "adminKey".to_owned(),
            scopes: Scope::ALL.to_vec(),
        });
    }
    match PresentedKey::parse(bearer) {
        Some(key) => by_api_key(app, &key).await,
        None => Err(unauthenticated()),
    }
}

/// The token of `Bearer <token>`.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Compares the hashes, so that neither content nor length shows in the time it takes.
fn same(given: &str, expected: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(expected)).into()
}

/// An API key as presented: `eak_<id>_<secret>`, the id as 32 hexadecimal digits.
struct PresentedKey {
    id: ApiKeyId,
    secret_hash: [u8; 32],
}

impl PresentedKey {
    fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = Uuid::try_parse(id).ok()?;
        Some(Self { id: ApiKeyId(id), secret_hash: Sha256::digest(secret).into() })
    }
}

/// A new key: the text shown once, and the hash that is kept.
pub fn new_key(id: ApiKeyId) -> (String, Vec<u8>) {
    let secret = URL_SAFE_NO_PAD.encode(crate::seal::random_bytes::<32>());
    let hash = Sha256::digest(&secret).to_vec();
    (format!("{PREFIX}{}_{secret}", id.0.simple()), hash)
}

async fn by_api_key(app: &App, presented: &PresentedKey) -> Result<Caller> {
    let Some(key) = system::find_api_key(&app.db, presented.id).await? else { return Err(unauthenticated()) };
    let now = app.clock.now();
    let is_right: bool = presented.secret_hash.ct_eq(key.secret_hash.as_slice()).into();
    let is_alive = key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at);
    if !is_right || !is_alive {
        return Err(unauthenticated());
    }
    let organization = OrganizationId(key.organization_id);
    if key.last_used_at.is_none_or(|at| now - at >= TOUCH_EVERY) {
        system::touch_api_key(&app.db, organization, presented.id, now).await?;
    }
    Ok(Caller {
        organization,
        actor: format!("apiKey:{}", key.id),
        scopes: key.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
    })
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

    #[test]
    fn the_bearer_scheme_is_not_case_sensitive() {
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
    }
}
