//! What the simulator answers, before request ids, units and faults are put on it.

use serde_json::Value;

/// One answer of Graph or of the sign-in service.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The Graph error code, for the log and for the inner error.
    pub problem: Option<Problem>,
}

/// A Graph error: status, code and message as the documentation or a capture has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Problem {
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "Request_BadRequest", message)
    }

    pub fn unsupported_query(message: impl Into<String>) -> Self {
        Self::new(400, "Request_UnsupportedQuery", message)
    }

    pub fn not_found(id: &str) -> Self {
        let message =
            format!("Resource '{id}' does not exist or one of its queried reference-property objects are not present.");
        Self::new(404, "Request_ResourceNotFound", message)
    }

    /// docs/graph.md, «Refusals».
    pub fn forbidden() -> Self {
        Self::new(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    }
}

pub type Answered = Result<Answer, Problem>;

/// The media type that Graph gives JSON pages.
pub const GRAPH_JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

impl Answer {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: GRAPH_JSON, headers: Vec::new(), body, problem: None }
    }

    pub fn value(status: u16, value: &Value) -> Self {
        Self::json(status, value.to_string().into_bytes())
    }

    pub fn text(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { content_type: "text/plain", ..Self::json(status, body.into()) }
    }

    pub fn empty(status: u16) -> Self {
        Self::json(status, Vec::new())
    }
}
