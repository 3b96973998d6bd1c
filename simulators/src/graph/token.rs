//! What the simulator knows of an access token, and what the token may do.

use super::answer::Problem;
use super::permission::AnyOf;
use crate::seed::Directory;
use chrono::{DateTime, Utc};
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// An issued token.
pub struct Issued {
    pub text: String,
}

/// What the simulator knows of a token.
#[derive(Clone)]
pub struct Token {
    pub tenant: Uuid,
    pub app: Uuid,
    /// Fixed when the token was issued.
    pub roles: Vec<&'static str>,
    pub expires: DateTime<Utc>,
    pub directory: Arc<RwLock<Directory>>,
    pub premium: bool,
    /// The tenant's administrator: may do everything, including writes.
    pub admin: bool,
    /// A directory role that reads everything but what is hidden.
    pub directory_reader: bool,
    /// Without a service principal Graph does not know the caller.
    pub known: bool,
}

impl Token {
    pub fn has(&self, any_of: AnyOf) -> bool {
        let by_role = self.directory_reader && any_of.contains(&"Directory.Read.All");
        self.admin || by_role || self.roles.iter().any(|role| any_of.contains(role))
    }

    pub fn needs(&self, any_of: AnyOf) -> Result<(), Problem> {
        if self.has(any_of) { Ok(()) } else { Err(Problem::forbidden()) }
    }
}
