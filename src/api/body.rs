//! JSON bodies, read from the value that `contract::enforce` has checked.

use super::contract::CheckedBody;
use crate::error::{Error, Fault, Result};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::future::{Ready, ready};

/// The request's body as a `T`. A body that is left out is read as `{}`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(value(request)).map(Self))
    }
}

/// The request's body as it was sent.
pub(super) fn value(request: &HttpRequest) -> Value {
    let body = request.extensions().get::<CheckedBody>().map(|body| body.value.clone());
    body.unwrap_or_else(|| Value::Object(Map::new()))
}

/// The body was checked before, so this fails only where the document and the type disagree.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| Error::validation(vec![Fault::new("", "invalid", e.to_string())]))
}
