//! Who did what: the words of the audit log. Runs name in the same way who started them.

use crate::ids::{ApiKeyId, HandoverId, RunId};
use crate::text_enum::text_enum;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use std::fmt;
use std::io::Write as _;

text_enum! {
    /// What was done to a resource.
    #[schema(as = AuditAction)]
    Action in "audit_events.action" {
        /// It was created. Of a run: it was started.
        Create = "create",
        /// It was changed.
        Update = "update",
        /// It was deleted.
        Delete = "delete",
        /// A connection was checked.
        Check = "check",
        /// The object types of a job were built in Assets.
        Build = "build",
        /// A run was cancelled or refused.
        Cancel = "cancel",
        /// A run that waited was approved.
        Approve = "approve",
        /// Nobody approved a run in time.
        Expire = "expire",
        /// A schedule was switched off by hand.
        Pause = "pause",
        /// A schedule goes on.
        Resume = "resume",
        /// Assets acted on what a delivery left out.
        Observe = "observe",
        /// A test was sent to a webhook.
        Test = "test",
        /// A delivery was sent again to a webhook.
        Resend = "resend",
        /// A webhook got a new secret.
        RotateSecret = "rotateSecret",
        /// A credential was entered by a link.
        Use = "use",
        /// An attempt to use a key, a ticket or a link failed.
        Refuse = "refuse",
        /// A link was revoked.
        Revoke = "revoke",
        /// A Forge app was uninstalled.
        Uninstall = "uninstall",
    }
}

/// Who did something. It is stored and shown as a text: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub enum Actor {
    AdminKey,
    ApiKey(ApiKeyId),
    /// Issuer and subject, with a colon in between.
    Token(String),
    /// Who came with a ticket.
    Ticket,
    Handover(HandoverId),
    CommandLine,
    /// The schedule of a job.
    Schedule,
    /// The service, which repeats a run of a schedule that failed.
    Retry,
    /// Another part of the service.
    Service,
    Run(RunId),
    /// As another version of the service wrote it.
    Other(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminKey => f.write_str("adminKey"),
            Self::ApiKey(id) => write!(f, "apiKey:{id}"),
            Self::Token(subject) => write!(f, "jwt:{subject}"),
            Self::Ticket => f.write_str("ticket"),
            Self::Handover(id) => write!(f, "handover:{id}"),
            Self::CommandLine => f.write_str("commandLine"),
            Self::Schedule => f.write_str("schedule"),
            Self::Retry => f.write_str("retry"),
            Self::Service => f.write_str("service"),
            Self::Run(id) => write!(f, "run {id}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<&str> for Actor {
    fn from(text: &str) -> Self {
        const WORDS: [Actor; 6] =
            [Actor::AdminKey, Actor::Ticket, Actor::CommandLine, Actor::Schedule, Actor::Retry, Actor::Service];
        if let Some(word) = WORDS.into_iter().find(|word| word.to_string() == text) {
            return word;
        }
        let known = match text.split_once([':', ' ']) {
            Some(("apiKey", id)) => id.parse().ok().map(Self::ApiKey),
            Some(("jwt", subject)) => Some(Self::Token(subject.to_owned())),
            Some(("handover", id)) => id.parse().ok().map(Self::Handover),
            Some(("run", id)) => id.parse().ok().map(Self::Run),
            _ => None,
        };
        known.filter(|known| known.to_string() == text).unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl ToSql<Text, Pg> for Actor {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{self}")?;
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Pg> for Actor {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::from(std::str::from_utf8(value.as_bytes())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_actor_is_read_back_from_its_text() {
        let id = Uuid::from_u128(7);
        for (text, actor) in [
            ("adminKey".to_owned(), Actor::AdminKey),
            (format!("apiKey:{id}"), Actor::ApiKey(ApiKeyId(id))),
            (
                "jwt:https://login.example.com:user".to_owned(),
                Actor::Token("https://login.example.com:user".to_owned()),
            ),
            ("ticket".to_owned(), Actor::Ticket),
            (format!("handover:{id}"), Actor::Handover(HandoverId(id))),
            ("commandLine".to_owned(), Actor::CommandLine),
            ("schedule".to_owned(), Actor::Schedule),
            ("retry".to_owned(), Actor::Retry),
            ("service".to_owned(), Actor::Service),
            (format!("run {id}"), Actor::Run(RunId(id))),
            ("of another version".to_owned(), Actor::Other("of another version".to_owned())),
            ("apiKey:no-id".to_owned(), Actor::Other("apiKey:no-id".to_owned())),
        ] {
            assert_eq!((Actor::from(text.as_str()), actor.to_string()), (actor.clone(), text));
        }
    }
}
