//! Problem documents (RFC 9457). Only this file knows the HTTP status of a problem code.

use crate::error::{Code, Error};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::error::Error as StdError;
use utoipa::ToSchema;
use uuid::Uuid;

pub const MEDIA_TYPE: &str = "application/problem+json";

tokio::task_local! {
    /// The id of the request that the current task handles.
    pub(super) static REQUEST_ID: String;
}

/// What is wrong, for programs (`code`) and for people (`title`, `detail`).
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A name for the kind of problem: `urn:entra-assets:problem:<code>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:entra-assets:problem:not_found")]
    pub kind: String,
    #[schema(example = "Not found")]
    pub title: &'static str,
    /// The HTTP status of the answer.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// The code for programs; it never changes.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// What happened, to which resource, why, and what to do next.
    pub detail: String,
    /// The id of this request in the service's log, also in the header `X-Request-Id`.
    pub request_id: String,
    /// Every fault of the request, if it has faults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemFault>,
    /// The resources that prevent the deletion.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<ProblemUse>,
}

/// One fault of a request, with its place.
#[derive(Serialize, ToSchema, Debug)]
pub struct ProblemFault {
    /// RFC 6901 pointer into the body, `?name` of a query parameter, or the name of a header.
    #[schema(example = "/tenantId")]
    pub pointer: String,
    #[schema(example = "required")]
    pub code: &'static str,
    pub detail: String,
    /// The position of the first wrong character in a text with its own grammar, such as `odata`, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub offset: Option<usize>,
    /// How many characters are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub length: Option<usize>,
    /// A probable correction, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "department")]
    pub suggestion: Option<String>,
}

/// A resource that uses the one that was to be deleted.
#[derive(Serialize, ToSchema, Debug)]
pub struct ProblemUse {
    /// The collection in the API.
    #[schema(example = "jobs")]
    pub kind: &'static str,
    pub id: Uuid,
    pub name: String,
}

/// The HTTP status of a problem code.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::MalformedJson | Code::InvalidCursor => StatusCode::BAD_REQUEST,
        Code::Unauthenticated | Code::TicketInvalid => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::FederatedNotAllowed => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Code::InUse
        | Code::NameTaken
        | Code::DestinationInUse
        | Code::RunInProgress
        | Code::RunNotCancellable
        | Code::RunNotAwaitingApproval
        | Code::ApprovalOutdated
        | Code::TestWouldRemove
        | Code::TenantChanged
        | Code::LeaseLost
        | Code::IdempotencyKeyInProgress => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::ValidationFailed
        | Code::IdempotencyKeyReused
        | Code::FilterInvalid
        | Code::ConnectionUnusable
        | Code::AssetsTokenInvalid
        | Code::ForgeTokenMissing => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::GraphFailed | Code::AssetsRefused => StatusCode::BAD_GATEWAY,
        Code::GraphUnreachable | Code::AssetsUnreachable => StatusCode::GATEWAY_TIMEOUT,
        Code::DatabaseUnavailable | Code::IssuerUnreachable => StatusCode::SERVICE_UNAVAILABLE,
        Code::SecretUnreadable | Code::ConfigurationInvalid | Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    fn new(error: &Error) -> Self {
        Self {
            kind: format!("urn:entra-assets:problem:{}", error.code),
            title: error.code.title(),
            status: status(error.code).as_u16(),
            code: error.code.as_str(),
            detail: error.detail.clone(),
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            errors: error
                .faults
                .iter()
                .map(|fault| ProblemFault {
                    pointer: fault.pointer.clone(),
                    code: fault.code,
                    detail: fault.detail.clone(),
                    offset: fault.place.as_ref().map(|place| place.offset),
                    length: fault.place.as_ref().map(|place| place.length),
                    suggestion: fault.place.as_ref().and_then(|place| place.suggestion.clone()),
                })
                .collect(),
            used_by: error
                .used_by
                .iter()
                .map(|user| ProblemUse { kind: user.kind, id: user.id, name: user.name.clone() })
                .collect(),
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        status(self.code)
    }

    fn error_response(&self) -> HttpResponse {
        let problem = Problem::new(self);
        if self.status_code().is_server_error() {
            tracing::error!(
                problem.code = problem.code,
                request.id = problem.request_id,
                cause = chain(self),
                "{}",
                problem.detail
            );
        } else {
            tracing::debug!(
                problem.code = problem.code,
                request.id = problem.request_id,
                cause = chain(self),
                "{}",
                problem.detail
            );
        }
        let mut response = HttpResponse::build(self.status_code());
        if self.status_code() == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.code == Code::BodyTimeout {
            // The rest of the body may still come, and would be taken for another request.
            response.force_close();
        }
        let own = self.retry_after.map(|wait| wait.as_secs().max(1).to_string());
        if let Some(seconds) = own.or_else(|| retry_after_seconds(self.code).map(str::to_owned)) {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).insert_header((header::CACHE_CONTROL, "no-store"));
        // Not `.json()`: that would set its own content type.
        response.body(serde_json::to_vec(&problem).unwrap_or_default())
    }
}

fn retry_after_seconds(code: Code) -> Option<&'static str> {
    match code {
        Code::RateLimited | Code::DatabaseUnavailable | Code::IdempotencyKeyInProgress => Some("1"),
        Code::IssuerUnreachable => Some("10"),
        _ => None,
    }
}

/// The causes of an error, outermost first, for the log.
fn chain(error: &Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// Turns what actix itself refuses into a problem document.
pub(super) fn from_actix(error: &actix_web::Error) -> HttpResponse {
    if let Some(own) = error.as_error::<Error>() {
        return own.error_response();
    }
    let status = error.as_response_error().status_code();
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::NOT_ACCEPTABLE => Code::NotAcceptable,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::ValidationFailed,
        _ => return Error::internal(error.to_string()).error_response(),
    };
    Error::new(code, error.to_string()).error_response()
}
