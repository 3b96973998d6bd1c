//! What can go wrong between us and Microsoft Graph, told apart by what the caller should do about it.
//!
//! The kind is decided by status and Graph code, never by the text of a message, with one exception that
//! is named where it is made. Source: docs/graph.md, «Refusals», «Paging»,
//! «Delta queries».

use super::sign_in_error::SignInError;
use std::fmt;
use url::Url;

pub type Result<T, E = GraphError> = std::result::Result<T, E>;

/// Messages of the other side are cut to this many characters: they end in logs, events and run records.
const MESSAGE_MOST_CHARACTERS: usize = 500;

#[derive(Debug)]
pub enum Kind {
    /// 401, also with a token that was renewed for it.
    Unauthorized,
    /// 403: a permission is missing, or the directory refuses the application.
    Forbidden,
    /// 404: the object is gone, or was never there.
    NotFound,
    /// 400 that names no more special reason.
    BadRequest,
    /// Graph says that this kind of query, property or path is not supported (400, 405, 501).
    Unsupported,
    /// 429 until the time allowed for it was over.
    Throttled,
    /// 500, 502, 503 until the time allowed for it was over, or another status that has no meaning here.
    Server,
    /// 504, more than once: the page asked for is too heavy. See [`super::page::halve_top`].
    GatewayTimeout,
    /// No answer, or only a part of one, until the time allowed for it was over.
    Unreachable,
    /// An answer that is no answer of Graph's: HTML, half a page, a redirect.
    Malformed,
    /// A link that leads away from the Graph origin; it was not followed.
    ForeignLink,
    /// Paging that does not end: the same link or page came again.
    LinkLoop,
    /// The page token is no longer good: the collection has to be read from its first page.
    PageTokenExpired,
    /// The delta token is no longer good: a full read is due. `location` is where Graph says to start anew;
    /// it is not always right, so start from the own first URL.
    DeltaExpired { location: Option<Box<Url>> },
    /// The run was cancelled, or its process is stopping.
    Cancelled,
    /// There is no token to call Graph with.
    SignIn(Box<SignInError>),
}

/// One failed request. Holds no secret and no URL with a token in it.
#[derive(Debug)]
pub struct GraphError {
    pub kind: Kind,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// `error.code` of the last answer: `Authorization_RequestDenied`.
    pub code: Option<String>,
    /// `error.message` of the last answer, or what we found.
    pub message: String,
    /// `request-id` of the last answer, which Microsoft support asks for; without an answer of Graph's, the
    /// `client-request-id` that was sent, by which it can be found too.
    pub request_id: Option<String>,
    /// What was asked for: the path without its query.
    pub path: String,
}

impl GraphError {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
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

    /// Names the request by `id` if nothing named it before.
    pub fn of_request(mut self, id: Option<&str>) -> Self {
        self.request_id = self.request_id.or_else(|| id.map(printable));
        self
    }

    /// Reads the error body of an answer with an error status. `location` is the header.
    pub fn from_answer(status: u16, request_id: Option<String>, location: Option<Url>, body: &[u8]) -> Self {
        let parsed = parse_body(body);
        let (code, message, inner) = match parsed {
            Some(ErrorBody { code, message, inner_code, request_id }) => (code, message, (inner_code, request_id)),
            None => (None, describe_foreign_body(status, body), (None, None)),
        };
        let kind = classify(status, code.as_deref(), inner.0.as_deref(), &message, location);
        Self {
            kind,
            status: Some(status),
            code: code.map(|code| printable(&code)),
            message: printable(&message),
            request_id: request_id.or(inner.1).map(|id| printable(&id)),
            path: String::new(),
        }
    }

    /// A stable word for the run's record and for tests.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Unauthorized => "graph_unauthorized",
            Kind::Forbidden => "graph_forbidden",
            Kind::NotFound => "graph_not_found",
            Kind::BadRequest => "graph_bad_request",
            Kind::Unsupported => "graph_unsupported",
            Kind::Throttled => "graph_throttled",
            Kind::Server => "graph_server_error",
            Kind::GatewayTimeout => "graph_gateway_timeout",
            Kind::Unreachable => "graph_unreachable",
            Kind::Malformed => "graph_malformed_answer",
            Kind::ForeignLink => "graph_foreign_link",
            Kind::LinkLoop => "graph_endless_paging",
            Kind::PageTokenExpired => "graph_page_token_expired",
            Kind::DeltaExpired { .. } => "graph_delta_expired",
            Kind::Cancelled => "cancelled",
            Kind::SignIn(_) => "sign_in_failed",
        }
    }

    /// Whether a server that need not offer this kind of request (`$count`, a partition, delta, `$batch`)
    /// says that it does not.
    pub fn refuses_optional(&self) -> bool {
        matches!(self.kind, Kind::BadRequest | Kind::Unsupported | Kind::NotFound)
    }

    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind, Kind::Cancelled)
    }

    /// Whether the 403 is about `signInActivity` alone: the same page without that property may be read.
    /// Source: docs/graph.md, «Refusals».
    pub fn is_about_sign_in_activity(&self) -> bool {
        matches!(self.kind, Kind::Forbidden)
            && matches!(
                self.code.as_deref(),
                Some(
                    "Authentication_MSGraphPermissionMissing"
                        | "Authentication_RequestFromUnsupportedUserRole"
                        | "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
                )
            )
    }

    /// What to do next, for the admin who reads it.
    pub fn advice(&self) -> String {
        match (&self.kind, self.code.as_deref()) {
            (_, Some("Authorization_IdentityNotFound")) => {
                "The application has no enterprise application (service principal) in the tenant. Grant admin consent, wait a minute, and try again.".to_owned()
            }
            (_, Some("Authorization_IdentityDisabled")) => {
                "The enterprise application is disabled. Set «Enabled for users to sign-in» to Yes in Entra, Enterprise applications.".to_owned()
            }
            (Kind::Unauthorized, _) => "Graph does not accept the token although it is new. Run the connection check: tenant, cloud and application must belong together.".to_owned(),
            (Kind::Forbidden, _) => "Run the connection check: it says which Application permission is missing, added as Delegated or not consented. After a change in Entra wait some minutes.".to_owned(),
            (Kind::NotFound, _) => "The object was deleted or the id is wrong. A run passes over single objects; if a whole collection is not found, check the connection's cloud.".to_owned(),
            (Kind::BadRequest, _) => "Graph does not understand the request. If it names a filter, correct the job's filter; otherwise report the request id.".to_owned(),
            (Kind::Unsupported, _) => "Graph does not support this query. If it names a filter or property, change the filter or leave the property out.".to_owned(),
            (Kind::Throttled, _) => "Graph's quota for this application and tenant stayed exhausted. Run at another hour, or find out what else uses the same application.".to_owned(),
            (Kind::Server | Kind::GatewayTimeout, _) => "Graph has a fault of its own. Try again later; if it lasts, give the request id to Microsoft support.".to_owned(),
            (Kind::Unreachable, _) => "Check the network, the proxy and the DNS of this service, and the connection's cloud; then try again.".to_owned(),
            (Kind::Malformed, _) => "Something between this service and Graph answers in its place, most often a proxy. Check ENTRA_ASSETS_PROXY and ENTRA_ASSETS_GRAPH_URL.".to_owned(),
            (Kind::ForeignLink, _) => "The link was not followed, because the token would go with it. If Graph is reached through a gateway, set ENTRA_ASSETS_GRAPH_URL to the origin that its links show.".to_owned(),
            (Kind::LinkLoop, _) => "Graph repeats itself, a known fault with some filters. Simplify the filter, or try again later.".to_owned(),
            (Kind::PageTokenExpired, _) => "The collection has to be read from its beginning. Start the run again; if it lasts, give the request id to Microsoft support.".to_owned(),
            (Kind::DeltaExpired { .. }, _) => "The saved position is too old. A full run reads everything and makes a new one.".to_owned(),
            (Kind::Cancelled, _) => "Nothing is left to do; start the run again when it is wanted.".to_owned(),
            (Kind::SignIn(_), _) => "Run the connection check: its findings say what to mend in Entra or in the connection.".to_owned(),
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.kind {
            Kind::Unauthorized => "Microsoft Graph does not accept the token",
            Kind::Forbidden => "Microsoft Graph refuses access",
            Kind::NotFound => "Microsoft Graph does not find it",
            Kind::BadRequest => "Microsoft Graph refuses the request",
            Kind::Unsupported => "Microsoft Graph does not support the request",
            Kind::Throttled => "Microsoft Graph throttles",
            Kind::Server => "Microsoft Graph failed",
            Kind::GatewayTimeout => "Microsoft Graph ran out of time",
            Kind::Unreachable => "Microsoft Graph could not be reached",
            Kind::Malformed => "the answer is not Microsoft Graph's",
            Kind::ForeignLink => "a link leads away from Microsoft Graph",
            Kind::LinkLoop => "the pages do not end",
            Kind::PageTokenExpired => "the page token is no longer good",
            Kind::DeltaExpired { .. } => "the delta token is no longer good",
            Kind::Cancelled => return f.write_str("cancelled"),
            Kind::SignIn(error) => return write!(f, "{error}"),
        };
        f.write_str(what)?;
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
        Self::new(Kind::SignIn(Box::new(error)), String::new())
    }
}

/// For what is asked while a person waits: previews, checks.
impl From<GraphError> for crate::error::Error {
    fn from(error: GraphError) -> Self {
        use crate::error::Code;
        let code = match error.kind {
            Kind::SignIn(error) => return (*error).into(),
            Kind::Unreachable => Code::GraphUnreachable,
            Kind::Unauthorized => Code::ConnectionUnusable,
            Kind::Forbidden
            | Kind::NotFound
            | Kind::BadRequest
            | Kind::Unsupported
            | Kind::Throttled
            | Kind::Server
            | Kind::GatewayTimeout
            | Kind::Malformed
            | Kind::ForeignLink
            | Kind::LinkLoop
            | Kind::PageTokenExpired
            | Kind::DeltaExpired { .. }
            | Kind::Cancelled => Code::GraphFailed,
        };
        Self::new(code, format!("{error}. {}", error.advice())).with_source(error)
    }
}

fn classify(status: u16, code: Option<&str>, inner: Option<&str>, message: &str, location: Option<Url>) -> Kind {
    let is = |names: &[&str]| {
        names.iter().any(|name| [code, inner].into_iter().flatten().any(|code| code.eq_ignore_ascii_case(name)))
    };
    // The page token fault was seen as a code, as an inner code and only inside a message.
    let is_page_token = is(&["Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"])
        || message.contains("DirectoryPageTokenNotFoundException");
    let is_delta = status == 410
        || is(&[
            "syncStateNotFound",
            "resyncRequired",
            "resyncChangesApplyDifferences",
            "resyncChangesUploadDifferences",
        ]);
    match status {
        400..=499 if is_page_token => Kind::PageTokenExpired,
        400..=499 if is_delta => Kind::DeltaExpired { location: location.map(Box::new) },
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        405 | 501 => Kind::Unsupported,
        400 if is(&["Request_UnsupportedQuery", "ExpandNotSupported", "NotImplemented", "notSupported"]) => {
            Kind::Unsupported
        }
        429 => Kind::Throttled,
        504 => Kind::GatewayTimeout,
        400..=499 => Kind::BadRequest,
        300..=399 => Kind::Malformed,
        _ => Kind::Server,
    }
}

struct ErrorBody {
    code: Option<String>,
    message: String,
    inner_code: Option<String>,
    request_id: Option<String>,
}

/// `{"error":{"code","message","innerError":{"code","request-id"}}}`; `innererror` in older answers.
fn parse_body(body: &[u8]) -> Option<ErrorBody> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    let text = |value: Option<&serde_json::Value>| value.and_then(|v| v.as_str()).map(str::to_owned);
    let inner = error.get("innerError").or_else(|| error.get("innererror"));
    Some(ErrorBody {
        code: text(error.get("code")),
        message: text(error.get("message")).unwrap_or_default(),
        inner_code: text(inner.and_then(|inner| inner.get("code"))),
        request_id: text(inner.and_then(|inner| inner.get("request-id"))),
    })
}

/// What a body that is no Graph error looks like. The body itself is not shown: it may be anything.
fn describe_foreign_body(status: u16, body: &[u8]) -> String {
    if (300..400).contains(&status) {
        "a redirect, which is not followed".to_owned()
    } else if looks_like_html(body) {
        "the answer is an HTML page".to_owned()
    } else if body.is_empty() {
        "the answer has no body".to_owned()
    } else {
        "the answer has no error in Graph's form".to_owned()
    }
}

pub(super) fn looks_like_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// Without control characters and not longer than what a record should hold.
fn printable(text: &str) -> String {
    let mut clean: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_MOST_CHARACTERS).collect();
    if text.chars().count() > MESSAGE_MOST_CHARACTERS {
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
        answer(status, &format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)).kind_name()
    }

    #[test]
    fn code_message_and_request_id_of_graph_are_kept() {
        let body = r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation.","innerError":{"date":"2025-02-13T10:17:06","request-id":"inner"}}}"#;
        let error = answer(403, body);
        assert!(matches!(error.kind, Kind::Forbidden));
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
        assert_eq!(error.message, "the answer is an HTML page");
        assert!(!error.to_string().contains("secret"));
        assert!(matches!(answer(302, "").kind, Kind::Malformed));
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        let long = format!(r#"{{"error":{{"code":"x","message":"a\u0000\n{}"}}}}"#, "b".repeat(5000));
        let error = answer(400, &long);
        assert!(error.message.chars().count() <= MESSAGE_MOST_CHARACTERS + 1);
        assert!(!error.message.contains(['\0', '\n']));
    }

    #[test]
    fn the_query_with_its_token_is_not_shown() {
        let url = Url::parse("https://graph.microsoft.com/v1.0/users?$skiptoken=secret").unwrap();
        let shown = answer(400, "{}").at(&url).to_string();
        assert!(shown.contains("/v1.0/users") && !shown.contains("secret"), "{shown}");
    }
}
