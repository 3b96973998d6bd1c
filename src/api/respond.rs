//! Responses with their headers, and the conditional header `If-Match`.

use crate::error::{Code, Error, Result, UsedBy};
use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::future::{Ready, ready};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A resource with a version, which is its ETag.
pub trait Versioned: Serialize {
    fn version(&self) -> i64;
}

/// 200 with `ETag`.
pub struct Found<T>(pub T);

/// 201 with `ETag` and `Location`.
pub struct Created<T> {
    pub value: T,
    pub location: String,
}

/// 202 with `ETag` and `Location`: the request was queued.
pub struct Accepted<T> {
    pub value: T,
    pub location: String,
}

impl<T: Versioned> Responder for Accepted<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Accepted()
            .insert_header(etag(self.value.version()))
            .insert_header((header::LOCATION, self.location))
            .json(self.value)
    }
}

/// What a resource refers to, by name.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub struct NamedResource {
    pub id: Uuid,
    pub name: String,
}

impl NamedResource {
    /// The resource with this id, if it is among `names`.
    pub fn find(names: &HashMap<Uuid, String>, id: Uuid) -> Option<Self> {
        names.get(&id).map(|name| Self { id, name: name.clone() })
    }
}

/// How much of a text an item of a list shows.
const LISTED_CHARACTERS: usize = 160;

/// The beginning of a text, for an item of a list.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(LISTED_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn etag(version: i64) -> (header::HeaderName, String) {
    (header::ETAG, format!("\"{version}\""))
}

impl<T: Versioned> Responder for Found<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().insert_header(etag(self.0.version())).json(self.0)
    }
}

impl<T: Versioned> Responder for Created<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Created()
            .insert_header(etag(self.value.version()))
            .insert_header((header::LOCATION, self.location))
            .json(self.value)
    }
}

/// 204.
pub struct Deleted;

impl Responder for Deleted {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

/// The refusal to delete what others use.
pub fn in_use(what: &str, name: &str, users: Vec<UsedBy>) -> Error {
    let detail = match users.as_slice() {
        [one] => format!("The {what} «{name}» is used by the job «{}».", one.name),
        several => format!("The {what} «{name}» is used by {} jobs.", several.len()),
    };
    Error::new(Code::InUse, detail).with_used_by(users)
}

/// Describes the header in the document; handlers take [`IfMatch`].
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header in the document")]
pub struct IfMatchHeader {
    /// The ETag of the version to change. If the current version is another one, the answer is 412.
    #[serde(rename = "If-Match")]
    #[param(required = false, min_length = 1, max_length = 1000, example = "\"1\"")]
    if_match: Option<String>,
}

/// The condition of a change.
pub struct IfMatch(Option<String>);

impl FromRequest for IfMatch {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get(header::IF_MATCH);
        ready(Ok(Self(header.map(|value| value.to_str().unwrap_or_default().to_owned()))))
    }
}

impl IfMatch {
    /// Whether the change may be made to `version`. Strong comparison: a weak tag never matches (RFC 9110 §13.1.1).
    pub fn check(&self, version: i64) -> Result<()> {
        let Some(tags) = &self.0 else { return Ok(()) };
        let current = format!("\"{version}\"");
        if tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == current) {
            return Ok(());
        }
        let sent = tags.replace('"', "");
        let detail = format!("Changed by someone else: you sent version {sent}, the current version is {version}.");
        Err(Error::new(Code::PreconditionFailed, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_names_the_current_version_or_fails() {
        let check = |text: &str, version| IfMatch(Some(text.to_owned())).check(version).is_ok();
        assert!(IfMatch(None).check(3).is_ok());
        assert!(check("\"3\"", 3));
        assert!(check("*", 3));
        assert!(check("\"1\", \"3\"", 3));
        assert!(!check("\"2\"", 3));
        assert!(!check("W/\"3\"", 3));
    }
}
