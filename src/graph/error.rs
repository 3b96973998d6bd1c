//! The errors of Microsoft Graph. Each kind stands for one thing that the caller can do about it.
//!
//! HTTP status and Graph's code decide the kind, never the text of a message, with one exception: see
//! [`classify`]. Source: docs/graph.md, «Refusals», «Paging», «Delta queries».

mod body;
mod kind;

pub use kind::GraphErrorKind;

use super::sign_in_error::SignInError;
use crate::codes::RunErrorCode;
use crate::error::Error;
use body::{ErrorBody, error_inside};
use std::fmt;
use url::Url;

pub type Result<T, E = GraphError> = std::result::Result<T, E>;

/// Messages from Graph are cut to this length, because they end up in logs, events and run records.
const MAX_MESSAGE_CHARACTERS: usize = 500;

/// One failed request. Holds no secret and no URL with a token in it.
#[derive(Debug)]
pub struct GraphError {
    pub kind: GraphErrorKind,
    /// The HTTP status of the last response. That of a malformed response is here only if it certainly is Graph's.
    pub status: Option<u16>,
    /// `error.code` of the last response: `Authorization_RequestDenied`.
    pub code: Option<String>,
    /// `error.message` of the last response, or what this client found.
    pub message: String,
    /// `request-id` of the last response; Microsoft support asks for it. Without a response it is the
    /// `client-request-id` that was sent, by which Microsoft can find the request too.
    pub request_id: Option<String>,
    /// The path of the request, without its query.
    pub path: String,
}

impl GraphError {
    pub fn new(kind: GraphErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            status: None,
            code: None,
            message: printable(&message.into()),
            request_id: None,
            path: String::new(),
        }
    }

    pub fn at(mut self, url: &Url) -> Self {
        if self.path.is_empty() {
            self.path = url.path().to_owned();
        }
        self
    }

    /// Sets the request id if there is none yet.
    pub fn of_request(mut self, id: Option<&str>) -> Self {
        self.request_id = self.request_id.or_else(|| id.map(printable));
        self
    }

    /// Reads the body of a response with an error status. `location` is the header.
    pub fn from_answer(status: u16, request_id: Option<String>, location: Option<Url>, body: &[u8]) -> Self {
        let found = ErrorBody::read(body)
            .unwrap_or_else(|| ErrorBody { message: describe_foreign_body(status, body), ..ErrorBody::default() });
        let kind = classify(status, &found, location);
        Self {
            kind,
            status: Some(status),
            code: found.code.map(|code| printable(&code)),
            message: printable(&found.message),
            request_id: request_id.or(found.request_id).map(|id| printable(&id)),
            path: String::new(),
        }
    }

    /// The error that Graph wrote into the body of a response with a good status, if it did. It passes like any failure
    /// of the server, unless its code says that asking again is useless.
    pub(super) fn inside(status: u16, body: &str) -> Option<Self> {
        let found = error_inside(body)?;
        let kind = match classify(400, &found, None) {
            kind @ (GraphErrorKind::PageTokenExpired | GraphErrorKind::DeltaExpired { .. }) => kind,
            _ => GraphErrorKind::Server,
        };
        Some(Self {
            kind,
            status: Some(status),
            code: found.code.map(|code| printable(&code)),
            message: printable(format!("an error inside the response: {}", found.message).trim_end_matches(": ")),
            request_id: found.request_id.map(|id| printable(&id)),
            path: String::new(),
        })
    }

    /// The code of run records. Its table has what the error means and what to do.
    pub fn run_error_code(&self) -> RunErrorCode {
        self.kind.run_error_code()
    }

    /// Whether Graph says that it does not offer an optional kind of request: `$count`, a partition, delta, `$batch`.
    pub fn refuses_optional(&self) -> bool {
        matches!(self.kind, GraphErrorKind::BadRequest | GraphErrorKind::Unsupported | GraphErrorKind::NotFound)
    }

    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Cancelled)
    }

    /// Whether the 403 is about `signInActivity` alone, so that the same page without that property can be read.
    /// Source: docs/graph.md, «Refusals».
    pub fn is_about_sign_in_activity(&self) -> bool {
        matches!(self.kind, GraphErrorKind::Forbidden)
            && matches!(
                self.code.as_deref(),
                Some(
                    "Authentication_MSGraphPermissionMissing"
                        | "Authentication_RequestFromUnsupportedUserRole"
                        | "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
                )
            )
    }

    /// What to do next, for the administrator who reads the error.
    pub fn advice(&self) -> &'static str {
        match self.code.as_deref() {
            Some("Authorization_IdentityNotFound") => {
                "The tenant has no enterprise application (service principal) for this application. Grant admin \
                 consent, wait a minute, and try again."
            }
            Some("Authorization_IdentityDisabled") => {
                "The enterprise application is disabled. In Entra, Enterprise applications, open its Properties and \
                 set «Enabled for users to sign-in?» to Yes."
            }
            _ if matches!(self.kind, GraphErrorKind::Malformed) && self.status.is_some_and(|status| status < 300) => {
                "The response comes from Graph and is damaged. Start the run again; if it happens again, give the \
                 request id to Microsoft support."
            }
            _ => self.run_error_code().advice(),
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let GraphErrorKind::SignIn(error) = &self.kind {
            return write!(f, "{error}");
        }
        if self.is_cancelled() {
            return f.write_str("cancelled");
        }
        f.write_str(self.run_error_code().meaning().trim_end_matches('.'))?;
        if !self.path.is_empty() {
            write!(f, " (GET {})", self.path)?;
        }
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, ": {status} {code}")?,
            (Some(status), None) => write!(f, ": {status}")?,
            (None, Some(code)) => write!(f, ": {code}")?,
            (None, None) => {}
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for GraphError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

impl From<SignInError> for GraphError {
    fn from(error: SignInError) -> Self {
        Self::new(GraphErrorKind::SignIn(Box::new(error)), String::new())
    }
}

/// For requests while a person waits: previews and checks.
impl From<GraphError> for Error {
    fn from(error: GraphError) -> Self {
        if let GraphErrorKind::SignIn(error) = error.kind {
            return (*error).into();
        }
        let problem = error.kind.problem();
        Self::new(problem, format!("{error}. {}", error.advice())).with_source(error)
    }
}

fn classify(status: u16, found: &ErrorBody, location: Option<Url>) -> GraphErrorKind {
    let is = |names: &[&str]| {
        let mut codes = [&found.code, &found.inner_code].into_iter().flatten();
        codes.any(|code| names.iter().any(|name| code.eq_ignore_ascii_case(name)))
    };
    // Graph reports an expired page token as a code, as an inner code, or only inside the message.
    let is_page_token = is(&["Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"])
        || found.message.contains("DirectoryPageTokenNotFoundException");
    let is_delta = status == 410
        || is(&[
            "syncStateNotFound",
            "resyncRequired",
            "resyncChangesApplyDifferences",
            "resyncChangesUploadDifferences",
        ]);
    match status {
        400..=499 if is_page_token => GraphErrorKind::PageTokenExpired,
        400..=499 if is_delta => GraphErrorKind::DeltaExpired { location: location.map(Box::new) },
        401 => GraphErrorKind::Unauthorized,
        403 => GraphErrorKind::Forbidden,
        404 => GraphErrorKind::NotFound,
        405 | 501 => GraphErrorKind::Unsupported,
        400 if is(&["Request_UnsupportedQuery", "ExpandNotSupported", "NotImplemented", "notSupported"]) => {
            GraphErrorKind::Unsupported
        }
        429 => GraphErrorKind::Throttled,
        504 => GraphErrorKind::GatewayTimeout,
        400..=499 => GraphErrorKind::BadRequest,
        300..=399 => GraphErrorKind::Malformed,
        _ => GraphErrorKind::Server,
    }
}

/// Describes a body that is not a Graph error. The body itself is not shown, because it can contain anything.
fn describe_foreign_body(status: u16, body: &[u8]) -> String {
    if (300..400).contains(&status) {
        "the response is a redirect; redirects are not followed".to_owned()
    } else if looks_like_html(body) {
        "the response is an HTML page".to_owned()
    } else if body.is_empty() {
        "the response has no body".to_owned()
    } else {
        "the response does not contain an error in Graph's form".to_owned()
    }
}

pub(super) fn looks_like_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// The text without control characters, cut to [`MAX_MESSAGE_CHARACTERS`].
fn printable(text: &str) -> String {
    let mut clean: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARACTERS).collect();
    if text.chars().count() > MAX_MESSAGE_CHARACTERS {
        clean.push('…');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> GraphError {
        GraphError::from_answer(status, Some("r-1".into()), None, body.as_bytes())
    }

    fn kind(status: u16, code: &str) -> &'static str {
        answer(status, &format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)).run_error_code().as_str()
    }

    #[test]
    fn code_message_and_request_id_of_graph_are_kept() {
        let body = r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation.","innerError":{"date":"2025-02-13T10:17:06","request-id":"inner"}}}"#;
        let error = answer(403, body);
        assert!(matches!(error.kind, GraphErrorKind::Forbidden));
        assert_eq!(error.code.as_deref(), Some("Authorization_RequestDenied"));
        assert_eq!(error.message, "Insufficient privileges to complete the operation.");
        assert_eq!(error.request_id.as_deref(), Some("r-1"));
        let without_header = GraphError::from_answer(403, None, None, body.as_bytes());
        assert_eq!(without_header.request_id.as_deref(), Some("inner"));
    }

    #[test]
    fn kinds_follow_status_and_code() {
        assert_eq!(kind(400, "Request_BadRequest"), "graph_bad_request");
        assert_eq!(kind(400, "Request_UnsupportedQuery"), "graph_unsupported");
        assert_eq!(kind(400, "Directory_ExpiredPageToken"), "graph_page_token_expired");
        assert_eq!(kind(400, "DirectoryPageTokenNotFoundException"), "graph_page_token_expired");
        assert_eq!(kind(400, "syncStateNotFound"), "graph_delta_expired");
        assert_eq!(kind(410, "whatever"), "graph_delta_expired");
        assert_eq!(kind(400, "resyncRequired"), "graph_delta_expired");
        assert_eq!(kind(401, "InvalidAuthenticationToken"), "graph_unauthorized");
        assert_eq!(kind(404, "Request_ResourceNotFound"), "graph_not_found");
        assert_eq!(kind(501, "NotImplemented"), "graph_unsupported");
        assert_eq!(kind(429, "TooManyRequests"), "graph_throttled");
        assert_eq!(kind(503, "serviceNotAvailable"), "graph_server_error");
        assert_eq!(kind(504, "UnknownError"), "graph_gateway_timeout");
    }

    #[test]
    fn an_answer_that_is_not_graphs_is_described_and_never_shown() {
        let error = answer(502, "<html>secret of a proxy</html>");
        assert_eq!(error.message, "the response is an HTML page");
        assert!(!error.to_string().contains("secret"));
        assert!(matches!(answer(302, "").kind, GraphErrorKind::Malformed));
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        let long = format!(r#"{{"error":{{"code":"x","message":"a\u0000\n{}"}}}}"#, "b".repeat(5000));
        let error = answer(400, &long);
        assert!(error.message.chars().count() <= MAX_MESSAGE_CHARACTERS + 1);
        assert!(!error.message.contains(['\0', '\n']));
    }

    #[test]
    fn the_query_with_its_token_is_not_shown() {
        let url = Url::parse("https://graph.microsoft.com/v1.0/users?$skiptoken=secret").unwrap();
        let shown = answer(400, "{}").at(&url).to_string();
        assert!(shown.contains("/v1.0/users") && !shown.contains("secret"), "{shown}");
    }
}
