//! What can go wrong between us and Assets, told apart by what the caller should do about it.
//!
//! The kind is decided by status and `errorCode`, never by the text of a message.
//! Source: docs/assets.md, «Endpoints», «Mapping», «Executions», «Object API».

use crate::error::{Code, Error};
use serde_json::Value;
use std::fmt;

pub type Result<T, E = AssetsError> = std::result::Result<T, E>;

/// Messages of the other side are cut to this many characters: they end in logs, events and run records.
const MESSAGE_MOST_CHARACTERS: usize = 500;
/// More messages of one answer are counted, not shown.
const DETAILS_MOST: usize = 20;

/// Why an execution cannot be started: `errorCode` of the 409.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    MissingMapping,
    Disabled,
    InvalidImportModuleKey,
    InProgress,
    /// A 409 without a code we know: a mapping that exists, an execution that has moved on.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 401: the token is wrong, or a newer one was generated.
    Unauthorized,
    /// 403: the token is good for something else, such as an import token for the object API.
    Forbidden,
    Conflict(Conflict),
    /// 413: send smaller chunks.
    TooLarge,
    /// 400 and 422, with every message of the answer.
    Validation {
        details: Vec<String>,
    },
    NotFound,
    /// 429 until the patience was used up.
    Throttled,
    /// 5xx until the patience was used up, or a status that has no meaning here.
    Server,
    /// No answer, or only a part of one, until the patience was used up.
    Unreachable,
    /// An answer that is no answer of Assets': HTML, other JSON.
    Malformed,
    /// A link that leads away from Assets; it was not followed.
    ForeignLink,
    /// The request may or may not have been carried out. Ask for the state before repeating it.
    OutcomeUnknown,
    Cancelled,
}

/// One failed call. Holds no secret and no URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssetsError {
    pub kind: Kind,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// What the other side said, or what we found.
    pub message: String,
    /// `atl-traceid` of the last answer, which Atlassian support asks for.
    pub request_id: Option<String>,
    /// What was asked for, for the log: `POST executions`.
    pub action: &'static str,
}

impl AssetsError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: printable(&message.into()), request_id: None, action: "" }
    }

    pub(super) fn during(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// The error that a status and body mean.
    pub(super) fn from_answer(status: u16, body: &[u8], request_id: Option<String>) -> Self {
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let details = answer.as_ref().map(messages).unwrap_or_default();
        let kind = match status {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            404 | 410 => Kind::NotFound,
            409 => Kind::Conflict(answer.as_ref().map_or(Conflict::Other, conflict)),
            413 => Kind::TooLarge,
            400 | 422 => Kind::Validation { details: details.clone() },
            429 => Kind::Throttled,
            _ => Kind::Server,
        };
        let message = match (details.is_empty(), answer.is_some()) {
            (false, _) => details.join("; "),
            (true, true) => "no message".to_owned(),
            (true, false) if body.is_empty() => "no message".to_owned(),
            (true, false) => "an answer that is not JSON".to_owned(),
        };
        Self { kind, status: Some(status), message: printable(&message), request_id, action: "" }
    }

    /// A stable code for run records and problems.
    pub fn code(&self) -> &'static str {
        match &self.kind {
            Kind::Unauthorized => "assets_token_invalid",
            Kind::Forbidden => "assets_forbidden",
            Kind::Conflict(Conflict::MissingMapping) => "assets_mapping_missing",
            Kind::Conflict(Conflict::Disabled) => "assets_import_disabled",
            Kind::Conflict(Conflict::InvalidImportModuleKey) => "assets_import_module_invalid",
            Kind::Conflict(Conflict::InProgress) => "execution_in_progress",
            Kind::Conflict(Conflict::Other) => "assets_conflict",
            Kind::TooLarge => "assets_chunk_too_large",
            Kind::Validation { .. } => "assets_refused",
            Kind::NotFound => "assets_not_found",
            Kind::Throttled => "assets_throttled",
            Kind::Server => "assets_failed",
            Kind::Unreachable => "assets_unreachable",
            Kind::Malformed => "assets_answer_unreadable",
            Kind::ForeignLink => "assets_foreign_link",
            Kind::OutcomeUnknown => "assets_outcome_unknown",
            Kind::Cancelled => "cancelled",
        }
    }

    /// What to do next, for the person who reads the error.
    pub fn advice(&self) -> &'static str {
        match &self.kind {
            Kind::Unauthorized => {
                "Generating a token ends the one before it. In Assets open the schema's settings, Import, the import \
                 source's menu, «Generate new token», and store the new token in the destination."
            }
            Kind::Forbidden => {
                "The credential is not allowed to do this. An import token reaches only its own import source; \
                 objects need the `api` part of the destination: a user who may edit the object schema, with an API \
                 token."
            }
            Kind::Conflict(Conflict::MissingMapping) => {
                "The import source has no schema and mapping yet. Build them with POST /v1/jobs/{id}/schema and start again."
            }
            Kind::Conflict(Conflict::Disabled) => {
                "The import source is disabled. Enable it in Assets: the schema's settings, Import, the import source's menu."
            }
            Kind::Conflict(Conflict::InvalidImportModuleKey) => {
                "The import source belongs to an app that is no longer installed or was rebuilt. Create a new \
                 «External import» and store its token in the destination."
            }
            Kind::Conflict(Conflict::InProgress) => {
                "Another import of this import source is running. Wait for it, or cancel it in Assets; then start again."
            }
            Kind::Conflict(Conflict::Other) => "Assets is in another state than expected. Start again.",
            Kind::TooLarge => "Assets refused a chunk for its size, even the smallest. Import fewer attributes.",
            Kind::Validation { .. } => {
                "Assets refused what was sent. If it names an attribute, compare GET /v1/jobs/{id}/schema with the \
                 schema in Assets; attributes of the types User and Group cannot be imported."
            }
            Kind::NotFound => {
                "The import source, execution or object no longer exists. If the import source was deleted, create a \
                 new one and store its token in the destination."
            }
            Kind::Throttled => "Assets allows a number of requests a minute for the whole site. Start again later.",
            Kind::Server | Kind::Malformed => {
                "Look at status.atlassian.com and start again; if it lasts, give the request id to Atlassian support."
            }
            Kind::Unreachable => "Check the network, proxy and DNS of the service, and start again.",
            Kind::ForeignLink => {
                "The link was not followed. If Assets is reached through another host, the operator sets \
                 ENTRA_ASSETS_ASSETS_URL."
            }
            Kind::OutcomeUnknown => "Nothing is lost: the next attempt looks at the state in Assets first.",
            Kind::Cancelled => "Start again when it suits.",
        }
    }
}

impl fmt::Display for AssetsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Unauthorized => "Assets does not accept the token",
            Kind::Forbidden => "Assets does not allow this with the credential",
            Kind::Conflict(Conflict::MissingMapping) => "the import source has no mapping",
            Kind::Conflict(Conflict::Disabled) => "the import source is disabled",
            Kind::Conflict(Conflict::InvalidImportModuleKey) => "the import source's app is not valid",
            Kind::Conflict(Conflict::InProgress) => "another import is in progress",
            Kind::Conflict(Conflict::Other) => "Assets reports a conflict",
            Kind::TooLarge => "Assets refused a request for its size",
            Kind::Validation { .. } => "Assets refused the request",
            Kind::NotFound => "Assets does not know it",
            Kind::Throttled => "Assets limited the requests",
            Kind::Server => "Assets failed",
            Kind::Unreachable => "Assets could not be reached",
            Kind::Malformed => "the answer of Assets could not be read",
            Kind::ForeignLink => "a link was not followed",
            Kind::OutcomeUnknown => "it is not known whether Assets carried the request out",
            Kind::Cancelled => "the call was cancelled",
        })?;
        if !self.action.is_empty() {
            write!(f, " ({})", self.action)?;
        }
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for AssetsError {}

impl From<AssetsError> for Error {
    /// The problem for a caller of the API, with the advice.
    fn from(error: AssetsError) -> Self {
        let code = match &error.kind {
            Kind::Unauthorized => Code::AssetsTokenInvalid,
            Kind::Unreachable | Kind::Throttled => Code::AssetsUnreachable,
            Kind::Forbidden
            | Kind::Conflict(_)
            | Kind::TooLarge
            | Kind::Validation { .. }
            | Kind::NotFound
            | Kind::Server
            | Kind::Malformed
            | Kind::ForeignLink
            | Kind::OutcomeUnknown
            | Kind::Cancelled => Code::AssetsRefused,
        };
        Self::new(code, format!("{error}. {}", error.advice())).with_source(error)
    }
}

fn conflict(answer: &Value) -> Conflict {
    match answer.get("errorCode").and_then(Value::as_str) {
        Some("MISSING_MAPPING") => Conflict::MissingMapping,
        Some("DISABLED") => Conflict::Disabled,
        Some("INVALID_IMPORT_MODULE_KEY") => Conflict::InvalidImportModuleKey,
        Some("IN_PROGRESS") => Conflict::InProgress,
        _ => Conflict::Other,
    }
}

/// Every message in the forms that Assets uses: `errorMessages`, `errors`, `dataValidationErrors`,
/// `errorCode`, `message`.
fn messages(answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let list = |field: &str| answer.get(field).and_then(Value::as_array).into_iter().flatten();
    found.extend(list("errorMessages").filter_map(Value::as_str).map(str::to_owned));
    if let Some(errors) = answer.get("errors").and_then(Value::as_object) {
        found.extend(errors.iter().map(|(field, text)| format!("{field}: {}", plain(text))));
    }
    for error in list("dataValidationErrors") {
        found.push(error.as_object().map_or_else(
            || plain(error),
            |fields| fields.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(", "),
        ));
    }
    for field in ["errorCode", "message", "errorMessage", "resultMessage"] {
        found.extend(answer.get(field).and_then(Value::as_str).map(str::to_owned));
    }
    found.retain(|message| !message.trim().is_empty());
    if found.len() > DETAILS_MOST {
        let rest = found.len() - DETAILS_MOST;
        found.truncate(DETAILS_MOST);
        found.push(format!("and {rest} more"));
    }
    found.iter().map(|message| printable(message)).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line of bounded length.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> AssetsError {
        AssetsError::from_answer(status, body.as_bytes(), None)
    }

    #[test]
    fn the_kind_follows_status_and_code() {
        assert_eq!(of(401, r#"{"code":401,"message":"Unauthorized"}"#).kind, Kind::Unauthorized);
        let conflict = |code: &str| of(409, &format!(r#"{{"result":"error","errorCode":"{code}"}}"#));
        assert_eq!(conflict("MISSING_MAPPING").kind, Kind::Conflict(Conflict::MissingMapping));
        assert_eq!(conflict("DISABLED").code(), "assets_import_disabled");
        assert_eq!(conflict("INVALID_IMPORT_MODULE_KEY").code(), "assets_import_module_invalid");
        assert_eq!(conflict("IN_PROGRESS").code(), "execution_in_progress");
        assert_eq!(of(409, "").kind, Kind::Conflict(Conflict::Other));
        assert_eq!(of(413, "<html>").kind, Kind::TooLarge);
        assert_eq!(of(503, "<html>").message, "an answer that is not JSON");
    }

    #[test]
    fn every_message_of_a_refusal_is_kept() {
        let body = r#"{"errorMessages":["one"],"errors":{"field":"two"},
                       "dataValidationErrors":[{"code":"UNKNOWN_EXTERNAL_ID_MAPPING","id":"a/b"}]}"#;
        let Kind::Validation { details } = of(400, body).kind else { panic!() };
        assert_eq!(details, ["one", "field: two", "code UNKNOWN_EXTERNAL_ID_MAPPING, id a/b"]);
    }

    #[test]
    fn a_long_message_is_one_bounded_line() {
        let error = of(400, &format!(r#"{{"errorMessages":["a\nb{}"]}}"#, "x".repeat(9000)));
        assert!(error.message.starts_with("a b") && error.message.len() <= MESSAGE_MOST_CHARACTERS);
    }
}
