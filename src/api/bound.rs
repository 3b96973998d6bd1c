//! What ends a response that goes on, besides its content: the key or token of its caller. A download can take hours, and
//! whoever revokes a key wants it to end.

use super::auth::Credential;
use crate::app::App;
use crate::app::followers::KeyFollower;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use chrono::{DateTime, Utc};

/// To be made before the response begins: whatever ends after that is seen.
pub(super) struct Bound {
    clock: Clock,
    to: To,
}

/// What a response is bound to.
enum To {
    Nothing,
    Key(KeyFollower),
    Time(DateTime<Utc>),
}

impl Bound {
    pub fn of(app: &App, credential: Credential) -> Self {
        let to = match credential {
            Credential::AdminKey => To::Nothing,
            Credential::ApiKey(id) => To::Key(app.followers.follow_key(id)),
            Credential::Token { ends_at } => To::Time(ends_at),
        };
        Self { clock: app.clock.clone(), to }
    }

    /// For a response that has an end and cannot be continued: it may take longer than the life of a token, whose end
    /// therefore does not end it.
    pub fn of_download(app: &App, credential: Credential) -> Self {
        match credential {
            Credential::Token { .. } => Self { clock: app.clock.clone(), to: To::Nothing },
            _ => Self::of(app, credential),
        }
    }

    pub fn is_over(&self) -> bool {
        match &self.to {
            To::Nothing => false,
            To::Key(key) => key.is_over(),
            To::Time(ends_at) => self.clock.now() >= *ends_at,
        }
    }

    /// Refuses to go on once it is over. To be asked before each part of a response.
    pub fn check(&self) -> Result<()> {
        if !self.is_over() {
            return Ok(());
        }
        let detail = "The key or token of the request was revoked or expired before the response was complete. Ask again with \
                      a valid key.";
        Err(Error::new(Code::Unauthenticated, detail))
    }

    /// Waits for the end of a key. The end of a time is seen at the next sign of life.
    pub async fn over(&mut self) {
        match &mut self.to {
            To::Key(key) => key.news().await,
            To::Nothing | To::Time(_) => std::future::pending().await,
        }
    }
}

/// Ends a body that has begun when the rest cannot be sent: the caller sees an aborted response, not a short file.
pub(super) fn broken_off(what: &'static str, error: &Error) -> actix_web::Error {
    match error.code {
        Code::Unauthenticated => tracing::info!("{what} aborted: {}", error.detail),
        code => tracing::error!(code = %code, "{what} aborted: {}", error.detail),
    }
    actix_web::error::ErrorInternalServerError("aborted")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_a_token_opened_ends_with_its_time() {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let ends_at = clock.now() + Duration::from_secs(60);
        let bound = Bound { clock: clock.clone(), to: To::Time(ends_at) };
        bound.check().unwrap();
        clock.advance(Duration::from_secs(60));
        assert_eq!(bound.check().unwrap_err().code, Code::Unauthenticated);
    }
}
