//! A token, with what it says and when it ends.

use super::claims::Claims;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// A token that Entra gave.
#[derive(Clone)]
pub struct AccessToken {
    /// Goes only into the `Authorization` header of requests to Graph.
    pub secret: SecretString,
    pub claims: Claims,
    pub expires_at: DateTime<Utc>,
    pub obtained_at: DateTime<Utc>,
    /// `x-ms-request-id` of the answer.
    pub request_id: Option<String>,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("expires_at", &self.expires_at).field("roles", &self.claims.roles).finish()
    }
}
