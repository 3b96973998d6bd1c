//! Access tokens by client credentials. A token is cached until five minutes before its end, and never shared between
//! organizations, connections or versions of a credential.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>;
//! docs/graph.md, «Sign-in».

mod access_token;
pub mod assertion;
mod cache;
pub mod claims;
pub mod credential;
pub mod federated;
mod identity;
mod request;

pub use access_token::AccessToken;
pub use cache::Tokens;
pub use claims::Claims;
pub use credential::{Credential, looks_like_secret_id};
pub use federated::Federated;
pub use identity::{Identity, is_tenant_id, normalize_tenant_id, validate_tenant_id};
