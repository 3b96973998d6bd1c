//! The errors of Assets. Each kind stands for one thing that the caller can do about it.
//!
//! HTTP status and `errorCode` decide the kind, never the text of a message.
//! Source: docs/assets.md, «Endpoints», «Mapping», «Executions», «Object API».

use crate::codes::AssetsErrorCode;
use crate::error::{Code, Error};
use serde_json::Value;
use std::fmt;

pub type Result<T, E = AssetsError> = std::result::Result<T, E>;

/// Messages from Assets are cut to this length, because they end up in logs, events and run records.
const MAX_MESSAGE_CHARACTERS: usize = 500;
/// Further messages of one response are only counted.
const MAX_DETAILS: usize = 20;

/// Why an execution cannot be started: `errorCode` of the 409.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    MissingMapping,
    Disabled,
    InvalidImportModuleKey,
    InProgress,
    /// A 409 without a documented code: the mapping exists already, or the execution is in a later state.
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AssetsErrorKind {
    /// 401: the token is wrong, or a newer one replaced it.
    Unauthorized,
    /// 403: the credential does not allow this, such as an import token for the object API.
    Forbidden,
    Conflict(Conflict),
    /// 413: send smaller chunks.
    TooLarge,
    /// 400 and 422, with every message of the response.
    Validation {
        details: Vec<String>,
    },
    NotFound,
    /// 429 until the retry time was over.
    Throttled,
    /// 5xx until the retry time was over, or a status that Assets does not document.
    Server,
    /// No response, or only a part of one, until the retry time was over.
    Unreachable,
    /// A response that does not come from Assets, such as HTML, or JSON of another form.
    Malformed,
    /// A link that points outside Assets; it was not followed.
    ForeignLink,
    /// Assets may or may not have executed the request. Read the state before sending it again.
    OutcomeUnknown,
    Cancelled,
}

/// One failed call. Holds no secret and no URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssetsError {
    pub kind: AssetsErrorKind,
    /// The HTTP status of the last response.
    pub status: Option<u16>,
    /// What Assets said, or what this client found.
    pub message: String,
    /// `atl-traceid` of the last response. Atlassian support asks for it.
    pub request_id: Option<String>,
    /// The request, for logs: `POST executions`.
    pub action: &'static str,
}

impl AssetsError {
    pub fn new(kind: AssetsErrorKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: printable(&message.into()), request_id: None, action: "" }
    }

    pub(super) fn during(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// The error for a status and a body.
    pub(super) fn from_answer(status: u16, body: &[u8], request_id: Option<String>) -> Self {
        let answer: Option<Value> = serde_json::from_slice(body).ok();
        let details = answer.as_ref().map(messages).unwrap_or_default();
        let kind = match status {
            401 => AssetsErrorKind::Unauthorized,
            403 => AssetsErrorKind::Forbidden,
            404 | 410 => AssetsErrorKind::NotFound,
            409 => AssetsErrorKind::Conflict(answer.as_ref().map_or(Conflict::Other, conflict)),
            413 => AssetsErrorKind::TooLarge,
            400 | 422 => AssetsErrorKind::Validation { details: details.clone() },
            429 => AssetsErrorKind::Throttled,
            _ => AssetsErrorKind::Server,
        };
        let message = match (details.is_empty(), answer.is_some()) {
            (false, _) => details.join("; "),
            (true, true) => "no message".to_owned(),
            (true, false) if body.is_empty() => "no message".to_owned(),
            (true, false) => "the response is not JSON".to_owned(),
        };
        Self { kind, status: Some(status), message: printable(&message), request_id, action: "" }
    }

    /// The code of run records and findings. Its table has what the error means and what to do.
    pub fn code(&self) -> AssetsErrorCode {
        match &self.kind {
            AssetsErrorKind::Unauthorized => AssetsErrorCode::TokenInvalid,
            AssetsErrorKind::Forbidden => AssetsErrorCode::Forbidden,
            AssetsErrorKind::Conflict(Conflict::MissingMapping) => AssetsErrorCode::MappingMissing,
            AssetsErrorKind::Conflict(Conflict::Disabled) => AssetsErrorCode::ImportDisabled,
            AssetsErrorKind::Conflict(Conflict::InvalidImportModuleKey) => AssetsErrorCode::ImportModuleInvalid,
            AssetsErrorKind::Conflict(Conflict::InProgress) => AssetsErrorCode::ExecutionInProgress,
            AssetsErrorKind::Conflict(Conflict::Other) => AssetsErrorCode::Conflict,
            AssetsErrorKind::TooLarge => AssetsErrorCode::ChunkTooLarge,
            AssetsErrorKind::Validation { .. } => AssetsErrorCode::Refused,
            AssetsErrorKind::NotFound => AssetsErrorCode::NotFound,
            AssetsErrorKind::Throttled => AssetsErrorCode::Throttled,
            AssetsErrorKind::Server => AssetsErrorCode::Failed,
            AssetsErrorKind::Unreachable => AssetsErrorCode::Unreachable,
            AssetsErrorKind::Malformed => AssetsErrorCode::AnswerUnreadable,
            AssetsErrorKind::ForeignLink => AssetsErrorCode::ForeignLink,
            AssetsErrorKind::OutcomeUnknown => AssetsErrorCode::OutcomeUnknown,
            AssetsErrorKind::Cancelled => AssetsErrorCode::Cancelled,
        }
    }

    /// What to do next, for the person who reads the error.
    pub fn advice(&self) -> &'static str {
        self.code().advice()
    }

    /// The code of the problem that a caller of the API gets.
    fn problem(&self) -> Code {
        match &self.kind {
            AssetsErrorKind::Unauthorized => Code::AssetsTokenInvalid,
            AssetsErrorKind::Unreachable | AssetsErrorKind::Throttled => Code::AssetsUnreachable,
            AssetsErrorKind::Forbidden
            | AssetsErrorKind::Conflict(_)
            | AssetsErrorKind::TooLarge
            | AssetsErrorKind::Validation { .. }
            | AssetsErrorKind::NotFound
            | AssetsErrorKind::Server
            | AssetsErrorKind::Malformed
            | AssetsErrorKind::ForeignLink
            | AssetsErrorKind::OutcomeUnknown
            | AssetsErrorKind::Cancelled => Code::AssetsRefused,
        }
    }
}

impl fmt::Display for AssetsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().meaning().trim_end_matches('.'))?;
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
        Self::new(error.problem(), format!("{error}. {}", error.advice())).with_source(error)
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

/// The messages of a response, in every form that Assets uses: `errorMessages`, `errors`, `dataValidationErrors`,
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
    if found.len() > MAX_DETAILS {
        let rest = found.len() - MAX_DETAILS;
        found.truncate(MAX_DETAILS);
        found.push(format!("and {rest} more"));
    }
    found.iter().map(|message| printable(message)).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line of bounded length.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> AssetsError {
        AssetsError::from_answer(status, body.as_bytes(), None)
    }

    #[test]
    fn the_kind_follows_status_and_code() {
        assert_eq!(of(401, r#"{"code":401,"message":"Unauthorized"}"#).kind, AssetsErrorKind::Unauthorized);
        let conflict = |code: &str| of(409, &format!(r#"{{"result":"error","errorCode":"{code}"}}"#));
        assert_eq!(conflict("MISSING_MAPPING").kind, AssetsErrorKind::Conflict(Conflict::MissingMapping));
        assert_eq!(conflict("DISABLED").code(), AssetsErrorCode::ImportDisabled);
        assert_eq!(conflict("INVALID_IMPORT_MODULE_KEY").code(), AssetsErrorCode::ImportModuleInvalid);
        assert_eq!(conflict("IN_PROGRESS").code(), AssetsErrorCode::ExecutionInProgress);
        assert_eq!(of(409, "").kind, AssetsErrorKind::Conflict(Conflict::Other));
        assert_eq!(of(413, "<html>").kind, AssetsErrorKind::TooLarge);
        assert_eq!(of(503, "<html>").message, "the response is not JSON");
    }

    #[test]
    fn every_message_of_a_refusal_is_kept() {
        let body = r#"{"errorMessages":["one"],"errors":{"field":"two"},
                       "dataValidationErrors":[{"code":"UNKNOWN_EXTERNAL_ID_MAPPING","id":"a/b"}]}"#;
        let AssetsErrorKind::Validation { details } = of(400, body).kind else { panic!() };
        assert_eq!(details, ["one", "field: two", "code UNKNOWN_EXTERNAL_ID_MAPPING, id a/b"]);
    }

    #[test]
    fn a_long_message_is_one_bounded_line() {
        let error = of(400, &format!(r#"{{"errorMessages":["a\nb{}"]}}"#, "x".repeat(9000)));
        assert!(error.message.starts_with("a b") && error.message.len() <= MAX_MESSAGE_CHARACTERS);
    }
}
