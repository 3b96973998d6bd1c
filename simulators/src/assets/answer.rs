//! Requests and answers as the handlers see them.

use serde_json::{Value, json};

/// Who calls, by the Authorization header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Caller {
    Nobody,
    /// The container token of the import source at this place.
    Container(usize),
    /// E-mail and API token.
    Basic,
    /// The app system token of a Forge app.
    Forge,
}

impl Caller {
    pub(super) fn name(self) -> &'static str {
        match self {
            Caller::Nobody => "nobody",
            Caller::Container(_) => "container",
            Caller::Basic => "basic",
            Caller::Forge => "forge",
        }
    }
}

/// A request, its path already split below `/jsm/assets/`.
pub(super) struct Call<'c> {
    pub(super) method: &'c str,
    /// The segments below `workspace/{id}/v1/`.
    pub(super) segments: &'c [&'c str],
    pub(super) query: &'c str,
    pub(super) body: &'c [u8],
    pub(super) caller: Caller,
    /// What links begin with: origin and path up to `v1`.
    pub(super) base: String,
}

impl Call<'_> {
    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(self.body)
            .map_err(|error| Answer::refused(400, format!("The body is not JSON: {error}")))
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// Atlassian's error model. Source: docs/assets.md, «Object API».
    pub(super) fn refused(status: u16, message: impl Into<String>) -> Self {
        Self::json(status, json!({"errorMessages": [message.into()], "errors": {}}))
    }

    /// Source: docs/assets.md, «Addresses and credentials».
    pub(super) fn unauthorized() -> Self {
        Self::json(401, json!({"code": 401, "message": "Unauthorized"}))
    }

    /// The gateway's answer to a token that is good, but not for this.
    pub(super) fn wrong_scope() -> Self {
        Self::json(401, json!({"code": 401, "message": "Unauthorized; scope does not match"}))
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::refused(404, format!("{what} does not exist"))
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
