//! The kinds of errors of Graph, with the codes of each.

use crate::codes::{Code, RunErrorCode};
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

impl GraphErrorKind {
    /// The code of run records. Its table has what the error means and what to do.
    pub(super) fn run_error_code(&self) -> RunErrorCode {
        match self {
            Self::Unauthorized => RunErrorCode::GraphUnauthorized,
            Self::Forbidden => RunErrorCode::GraphForbidden,
            Self::NotFound => RunErrorCode::GraphNotFound,
            Self::BadRequest => RunErrorCode::GraphBadRequest,
            Self::Unsupported => RunErrorCode::GraphUnsupported,
            Self::Throttled => RunErrorCode::GraphThrottled,
            Self::Server => RunErrorCode::GraphServerError,
            Self::GatewayTimeout => RunErrorCode::GraphGatewayTimeout,
            Self::Unreachable => RunErrorCode::GraphUnreachable,
            Self::Malformed => RunErrorCode::GraphMalformedAnswer,
            Self::ForeignLink => RunErrorCode::GraphForeignLink,
            Self::LinkLoop => RunErrorCode::GraphEndlessPaging,
            Self::PageTokenExpired => RunErrorCode::GraphPageTokenExpired,
            Self::DeltaExpired { .. } => RunErrorCode::GraphDeltaExpired,
            Self::Cancelled => RunErrorCode::Cancelled,
            Self::SignIn(error) => RunErrorCode::Finding(error.code),
        }
    }

    /// The code of the problem that a caller of the API gets. A failed sign-in has a problem of its own.
    pub(super) fn problem(&self) -> Code {
        match self {
            Self::Unauthorized | Self::Forbidden => Code::ConnectionUnusable,
            Self::Unreachable => Code::GraphUnreachable,
            Self::NotFound
            | Self::BadRequest
            | Self::Unsupported
            | Self::Throttled
            | Self::Server
            | Self::GatewayTimeout
            | Self::Malformed
            | Self::ForeignLink
            | Self::LinkLoop
            | Self::PageTokenExpired
            | Self::DeltaExpired { .. }
            | Self::Cancelled
            | Self::SignIn(_) => Code::GraphFailed,
        }
    }
}
