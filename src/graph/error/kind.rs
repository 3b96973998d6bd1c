//! The kinds of errors of Graph, with everything that is said about each.

use crate::error::Code;
use crate::graph::sign_in_error::SignInError;
use url::Url;

#[derive(Debug)]
pub enum GraphErrorKind {
    /// 401, and again with a new token.
    Unauthorized,
    /// 403: a permission is missing, or the directory denies the application access.
    Forbidden,
    /// 404: the object was deleted, or never existed.
    NotFound,
    /// 400 without a more specific reason.
    BadRequest,
    /// Graph says that this kind of query, property or path is not supported (400, 405, 501).
    Unsupported,
    /// 429 until the retry time was over.
    Throttled,
    /// 500, 502 or 503 until the retry time was over, or a status that Graph does not document.
    Server,
    /// 504, more than once: the requested page is too large. See [`crate::graph::page::halve_top`].
    GatewayTimeout,
    /// No response, or only a part of one, until the retry time was over.
    Unreachable,
    /// A response that does not come from Graph, or not whole: HTML, half a page, a redirect.
    Malformed,
    /// A link that points outside the Graph origin; it was not followed.
    ForeignLink,
    /// Paging that does not end: Graph returned the same link or page again.
    LinkLoop,
    /// The page token has expired: read the collection again from its first page.
    PageTokenExpired,
    /// The delta token has expired: a full read is needed. `location` is the URL that Graph gives for it. That URL
    /// is not always right, so start from your own first URL.
    DeltaExpired { location: Option<Box<Url>> },
    /// The session was cancelled: by a person, because the process stops, or because its time is over.
    Cancelled,
    /// Entra gave no token.
    SignIn(Box<SignInError>),
}

/// Everything that is said about a kind of error.
pub(super) struct Row {
    pub code: &'static str,
    /// The code of the problem that a caller of the API gets. A failed sign-in has a problem of its own.
    pub problem: Code,
    pub sentence: &'static str,
    pub advice: &'static str,
}

impl GraphErrorKind {
    pub(super) fn row(&self) -> Row {
        let row = |code, sentence, advice| Row { code, problem: Code::GraphFailed, sentence, advice };
        match self {
            Self::Unauthorized => Row {
                problem: Code::ConnectionUnusable,
                ..row(
                    "graph_unauthorized",
                    "Microsoft Graph rejected the token",
                    "Graph rejected a new token. Run the connection check: tenant, cloud and application must belong \
                 together.",
                )
            },
            Self::Forbidden => row(
                "graph_forbidden",
                "Microsoft Graph denied access",
                "Run the connection check: it shows which Application permission is missing, was added as Delegated, \
                 or lacks admin consent. After a change in Entra, wait a few minutes.",
            ),
            Self::NotFound => row(
                "graph_not_found",
                "Microsoft Graph did not find the object",
                "The object was deleted, or its id is wrong. A run skips single objects; if a whole collection is not \
                 found, check the connection's cloud.",
            ),
            Self::BadRequest => row(
                "graph_bad_request",
                "Microsoft Graph rejected the request",
                "If the message is about a filter, correct the job's filter; otherwise report the request id.",
            ),
            Self::Unsupported => row(
                "graph_unsupported",
                "Microsoft Graph does not support the request",
                "If the message is about a filter or a property, change the filter or leave the property out.",
            ),
            Self::Throttled => row(
                "graph_throttled",
                "Microsoft Graph is throttling requests",
                "The quota of this application in this tenant stayed exhausted. Run at another hour, or find out what \
                 else uses the same application.",
            ),
            Self::Server => row("graph_server_error", "Microsoft Graph failed", SERVICE_FAULT),
            Self::GatewayTimeout => row("graph_gateway_timeout", "Microsoft Graph timed out", SERVICE_FAULT),
            Self::Unreachable => Row {
                problem: Code::GraphUnreachable,
                ..row(
                    "graph_unreachable",
                    "Microsoft Graph could not be reached",
                    "Check the network, the proxy and the DNS of this service, and the connection's cloud; then try again.",
                )
            },
            Self::Malformed => row(
                "graph_malformed_answer",
                "the response of Microsoft Graph could not be read",
                "Another server may be answering instead of Graph, most often a proxy. Check ENTRA_ASSETS_PROXY and \
                 ENTRA_ASSETS_GRAPH_URL.",
            ),
            Self::ForeignLink => row(
                "graph_foreign_link",
                "a link points outside Microsoft Graph",
                "The link was not followed, because the token would have been sent there. If Graph is reached through \
                 a gateway, set ENTRA_ASSETS_GRAPH_URL to the origin of its links.",
            ),
            Self::LinkLoop => row(
                "graph_endless_paging",
                "the pages of Microsoft Graph do not end",
                "Graph returned the same page again, a known fault with some filters. Simplify the filter, or try \
                 again later.",
            ),
            Self::PageTokenExpired => row(
                "graph_page_token_expired",
                "the page token has expired",
                "The collection must be read again from its first page. Start the run again; if the error persists, \
                 give the request id to Microsoft support.",
            ),
            Self::DeltaExpired { .. } => row(
                "graph_delta_expired",
                "the delta token has expired",
                "The saved delta token is too old. A full run reads everything and gets a new one.",
            ),
            Self::Cancelled => row("cancelled", "cancelled", "Start the run again when you want it."),
            Self::SignIn(_) => row(
                "sign_in_failed",
                "sign-in failed",
                "Run the connection check: its findings say what to fix in Entra or in the connection.",
            ),
        }
    }
}

const SERVICE_FAULT: &str =
    "This is a fault in Graph. Try again later; if it persists, give the request id to Microsoft support.";
