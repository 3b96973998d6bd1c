//! The errors of Assets. Each kind stands for one thing that the caller can do about it.
//!
//! HTTP status and `errorCode` decide the kind, never the text of a message.
//! Source: docs/assets.md, «Endpoints», «Mapping», «Executions», «Object API».

mod body;

use crate::codes::AssetsErrorCode;
use crate::error::{Code, Error};
use body::{code, is_name_taken, messages, printable, without_secrets};
use serde_json::Value;
use std::fmt;

pub type Result<T, E = AssetsError> = std::result::Result<T, E>;

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
    /// The object schema has something of the same name that the import cannot take over.
    NameTaken,
    /// An object type of others does not fit what a job writes into it.
    Unfit,
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
    /// The code of Assets for it, if the response has one: `IN_PROGRESS`.
    pub answer_code: Option<String>,
    /// `atl-traceid` of the last response. Atlassian support asks for it.
    pub request_id: Option<String>,
    /// The request, for logs: `POST executions`.
    pub action: &'static str,
}

impl AssetsError {
    pub fn new(kind: AssetsErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            message: printable(&message.into()),
            answer_code: None,
            request_id: None,
            action: "",
        }
    }

    /// The error for a body that is not what this client expects.
    pub(super) fn unreadable(error: &serde_json::Error, body: &[u8]) -> Self {
        let body = without_secrets(&String::from_utf8_lossy(body));
        Self::new(AssetsErrorKind::Malformed, format!("{error}: {body}"))
    }

    pub(super) fn during(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// The error for a status and a body.
    pub(super) fn from_answer(status: u16, body: &[u8], request_id: Option<String>) -> Self {
        let body = without_secrets(&String::from_utf8_lossy(body));
        let answer: Option<Value> = serde_json::from_str(&body).ok();
        let details = answer.as_ref().map(messages).unwrap_or_default();
        let kind = match status {
            401 => AssetsErrorKind::Unauthorized,
            403 => AssetsErrorKind::Forbidden,
            404 | 410 => AssetsErrorKind::NotFound,
            409 => AssetsErrorKind::Conflict(answer.as_ref().map_or(Conflict::Other, conflict)),
            413 => AssetsErrorKind::TooLarge,
            400 | 422 if answer.as_ref().is_some_and(is_name_taken) => AssetsErrorKind::NameTaken,
            400 | 422 => AssetsErrorKind::Validation { details: details.clone() },
            429 => AssetsErrorKind::Throttled,
            _ => AssetsErrorKind::Server,
        };
        // Whatever its form, the response is shown.
        let message = match (details.is_empty(), answer.is_some()) {
            (false, _) => details.join("; "),
            (true, _) if body.trim().is_empty() => "the response is empty".to_owned(),
            (true, true) => body,
            (true, false) => format!("the response is not JSON: {body}"),
        };
        let answer_code = answer.as_ref().and_then(code).map(printable);
        Self { kind, status: Some(status), message: printable(&message), answer_code, request_id, action: "" }
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
            AssetsErrorKind::NameTaken => AssetsErrorCode::NameTaken,
            AssetsErrorKind::Unfit => AssetsErrorCode::TypeUnfit,
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
            | AssetsErrorKind::NameTaken
            | AssetsErrorKind::Unfit
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
        assert_eq!(of(503, "<html>").message, "the response is not JSON: <html>");
    }

    #[test]
    fn every_message_of_a_refusal_is_kept() {
        let body = r#"{"errorMessages":["one"],"errors":{"field":"two"},
                       "dataValidationErrors":[{"code":"UNKNOWN_EXTERNAL_ID_MAPPING","id":"a/b"}]}"#;
        let AssetsErrorKind::Validation { details } = of(400, body).kind else { panic!() };
        assert_eq!(details, ["one", "field: two", "code UNKNOWN_EXTERNAL_ID_MAPPING, id a/b"]);
    }

    #[test]
    fn a_body_in_an_unknown_form_is_shown() {
        for (body, code, said) in [
            (
                r#"{"errors":[{"code":"MAPPING_INVALID_EXTERNAL_ID","path":"/a"}]}"#,
                "MAPPING_INVALID_EXTERNAL_ID",
                "path /a",
            ),
            (r#"{"errors":["one","two"]}"#, "", "one; two"),
            (
                r#"{"validation":{"code":"X_1","fields":["name"]}}"#,
                "X_1",
                r#"validation: {"code":"X_1","fields":["name"]}"#,
            ),
            (r#"{"message":"Bad Request","validation":{"body":{"keys":["mapping"]}}}"#, "", "mapping"),
            (r#"{"error":{"code":"X_2","message":"no such type"}}"#, "X_2", "message no such type"),
            (r#"{"error":"no such type"}"#, "", "no such type"),
            (r#"{"code":"X_3"}"#, "X_3", "code: X_3"),
            (r#"[{"code":"X_4"}]"#, "X_4", "code X_4"),
            (r#"{"status":400,"timestamp":"now"}"#, "", r#"{"status":400,"timestamp":"now"}"#),
            ("{}", "", "{}"),
            ("<p>Bad Request</p>", "", "not JSON: <p>Bad Request</p>"),
            ("", "", "the response is empty"),
        ] {
            let error = of(400, body);
            assert!(error.message.contains(said), "{body}: {}", error.message);
            assert_eq!(error.answer_code.as_deref().unwrap_or_default(), code, "{body}");
        }
    }

    #[test]
    fn no_token_is_repeated() {
        let body = r#"{"message":"Bearer abcdefghijklmnop is not ATCTT3xFfGN0secretsecret","url":"https://a/b?t=eyJhbGciOi.J9.x"}"#;
        for body in [body, body.trim_end_matches('}')] {
            let message = of(400, body).message;
            for secret in ["abcdefghijklmnop", "secretsecret", "eyJ"] {
                assert!(!message.contains(secret), "{message}");
            }
            assert!(message.contains("is not …"), "{message}");
        }
    }

    #[test]
    fn names_that_belong_to_others_are_a_kind_of_their_own() {
        let body = r#"{"dataValidationErrors":[{"code":"EXTERNAL_ID_MISMATCH"}]}"#;
        assert_eq!(
            (of(400, body).kind, of(422, r#"{"errors":["EXTERNAL_ID_MISMATCH"]}"#).kind),
            (AssetsErrorKind::NameTaken, AssetsErrorKind::NameTaken)
        );
        assert_eq!(of(400, body).answer_code.as_deref(), Some("EXTERNAL_ID_MISMATCH"));
    }

    #[test]
    fn a_long_message_is_one_bounded_line() {
        let error = of(400, &format!(r#"{{"errorMessages":["a\nb{}"]}}"#, "x".repeat(9000)));
        assert!(error.message.starts_with("a b") && error.message.len() <= body::MAX_MESSAGE_CHARACTERS);
    }
}
