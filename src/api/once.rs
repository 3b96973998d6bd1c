//! `Idempotency-Key`: a request that is repeated with the same key is executed once.

use super::auth::Caller;
use super::contract::CheckedBody;
use crate::app::App;
use crate::db::Transaction;
use crate::db::idempotency::{self, Request};
use crate::error::{Error, Result};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::Deserialize;
use std::future::{Ready, ready};
use utoipa::IntoParams;
use uuid::Uuid;

/// Describes the header in the document; handlers take [`Once`].
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header in the document")]
pub struct IdempotencyKeyHeader {
    /// Any text unique to this request. If the request is repeated with it within 24 hours, it is not executed again:
    /// the response has the status of the first one and the current state of the resource.
    #[serde(rename = "Idempotency-Key")]
    #[param(required = false, min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// The request's idempotency key, if it has one.
pub struct Once(Option<Request>);

impl FromRequest for Once {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request.headers().get("Idempotency-Key").and_then(|value| value.to_str().ok());
        let extensions = request.extensions();
        let hash = extensions.get::<CheckedBody>().map(|body| body.hash.to_vec()).unwrap_or_default();
        ready(Ok(Self(key.map(|key| Request {
            key: key.to_owned(),
            method: request.method().to_string(),
            path: request.path().to_owned(),
            body_hash: hash,
        }))))
    }
}

impl Once {
    /// The request, if it has a key.
    pub fn request(&self) -> Option<&Request> {
        self.0.as_ref()
    }

    /// The id of the resource that the first request with this key created. `None`: this request is the first;
    /// execute it and call [`Once::done`] in the same transaction.
    pub async fn replay(&self, tx: &mut Transaction, app: &App, caller: &Caller) -> Result<Option<Uuid>> {
        idempotency::replay(tx, caller.organization, self.request(), app.clock.now()).await
    }

    /// Stores what the request created. `status` is the status of the response.
    pub async fn done(&self, tx: &mut Transaction, app: &App, caller: &Caller, status: u16, id: Uuid) -> Result<()> {
        idempotency::insert(tx, caller.organization, self.request(), status, id, app.clock.now()).await
    }
}
