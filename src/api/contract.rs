//! The OpenAPI document, enforced: before a handler runs, the request is held against its operation. In
//! this order: path (404), method (405), caller (401), rate (429), scope (403), `Accept` (406), body's media type (415),
//! size (413), JSON (400), then every fault of path, query, headers and body at once (422).

mod operation;
pub mod schema;

use super::auth::{self, Caller};
use super::rate_limit::{Quota, RateLimiter};
use super::tickets::Presented;
use crate::app::App;
use crate::error::{Code, Error, Faults, Result};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, ResponseError, web};
use futures_util::StreamExt;
use operation::{Operation, OperationBody};
use schema::Checker;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Most bytes that a request body may have.
pub const BODY_BYTES_MOST: usize = 1 << 20;
/// What a sender of too large a body may still send before the connection is closed; reading it lets the
/// sender see the answer.
const BODY_BYTES_DRAINED: usize = 16 << 20;

/// A check that the document cannot express, on a body that may have other faults too.
pub type ExtraCheck = fn(&Value, &mut Faults);

/// A check that needs the clock or a setting. Handlers make it too, after they know that a request is no repeated one;
/// here it completes the faults of a body that is refused anyway.
pub type CompletingCheck = fn(&App, &Value, &mut Faults);

/// The operations of the document, ready to be matched.
pub struct Contract {
    document: Value,
    operations: Vec<Operation>,
    extra: fn(&str) -> Option<ExtraCheck>,
    completing: fn(&str) -> Option<CompletingCheck>,
}

/// A checked JSON body, and the hash of what was sent.
#[derive(Clone)]
pub struct CheckedBody {
    pub value: Value,
    pub hash: [u8; 32],
}

/// The template of the operation that a request matched, such as `/v1/filters/{id}`.
#[derive(Clone)]
pub struct MatchedPath(pub String);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Contract {
    pub fn new(
        document: Value,
        extra: fn(&str) -> Option<ExtraCheck>,
        completing: fn(&str) -> Option<CompletingCheck>,
    ) -> Self {
        let mut operations = Vec::new();
        for (template, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for name in METHODS {
                if let Some(operation) = item.get(name) {
                    operations.extend(Operation::read(template, name, operation));
                }
            }
        }
        Self { document, operations, extra, completing }
    }

    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The operation of `method` and `path`. An error says whether the path or only the method is unknown.
    fn find(&self, method: &Method, path: &str) -> Result<&Operation, NoOperation> {
        let matching = || self.operations.iter().filter(|operation| matches(&operation.template, path));
        // `/v1/filters/validate` is not one of `/v1/filters/{id}`.
        let closest = matching().min_by_key(|operation| operation.template.matches('{').count());
        let Some(Operation { template, .. }) = closest else { return Err(NoOperation::UnknownPath) };
        let of_path: Vec<&Operation> = matching().filter(|operation| operation.template == *template).collect();
        of_path.iter().find(|operation| operation.method == *method).copied().ok_or_else(|| {
            let mut allowed: Vec<&str> = of_path.iter().map(|operation| operation.method.as_str()).collect();
            if of_path.iter().any(|operation| operation.method == Method::GET && operation.scope.is_none()) {
                allowed.push("HEAD");
            }
            allowed.sort_unstable();
            NoOperation::OtherMethods(allowed.join(", "))
        })
    }

    /// Whether GET of `path` needs no caller: health, the document, and the pages of `/docs`, which are not in it.
    fn is_open(&self, path: &str) -> bool {
        match self.find(&Method::GET, path) {
            Ok(operation) => operation.scope.is_none(),
            Err(NoOperation::UnknownPath) => path.starts_with("/docs"),
            Err(NoOperation::OtherMethods(_)) => false,
        }
    }

    /// Lets a request through to its handler, with its caller and its checked body beside it.
    async fn admit(&self, app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<()> {
        let query = request.query_string().to_owned();
        let ticket = if operation.takes_tickets { Presented::find(&query) } else { None };
        if let Some(scope) = operation.scope {
            let caller = match &ticket {
                Some(ticket) => ticket.redeem(app, request.path()).await?,
                None => auth::authenticate(app, request).await?,
            };
            count(app, &caller, request)?;
            caller.require(scope)?;
            request.extensions_mut().insert(caller);
        }
        check_accept(request, &operation.produces)?;
        operation.check_path(&self.document, request.path())?;
        let mut faults = Faults::default();
        operation.check_query(&self.document, ticket.as_ref().map_or(&query, |ticket| &ticket.rest), &mut faults);
        operation.check_headers(&self.document, request.headers(), &mut faults);
        if let Some(body) = &operation.body
            && let Some(checked) = read_body(request, body).await?
        {
            self.check_against(&body.schema, &checked.value, &mut faults);
            if !faults.is_empty()
                && let Some(check) = component(&body.schema).and_then(self.completing)
            {
                let mut more = Faults::default();
                check(app, &checked.value, &mut more);
                faults.add_new(more);
            }
            request.extensions_mut().insert(checked);
        }
        faults.into_result()
    }

    /// Adds to `faults` what keeps `path`, with its query, from being asked for with a ticket. `at`: where it is.
    pub fn check_ticket_path(&self, path: &str, at: &str, faults: &mut Faults) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let operation = self.find(&Method::GET, path).ok().filter(|operation| operation.takes_tickets);
        let Some(operation) = operation.filter(|operation| operation.check_path(&self.document, path).is_ok()) else {
            let known = self.operations.iter().filter(|operation| operation.takes_tickets);
            let known: Vec<&str> = known.map(|operation| operation.template.as_str()).collect();
            faults.push(at, "no_ticket_path", format!("tickets are only for {}", known.join(", ")));
            return;
        };
        let mut of_query = Faults::default();
        operation.check_query(&self.document, query, &mut of_query);
        if let Err(error) = of_query.into_result() {
            for fault in error.faults {
                faults.push(at, fault.code, format!("{}: {}", fault.pointer, fault.detail));
            }
        }
    }

    /// Adds the faults of a body that `schema` (a component's name) alone shows to `faults`.
    pub fn check_form(&self, schema: &str, value: &Value, faults: &mut Faults) {
        let reference = serde_json::json!({"$ref": format!("#/components/schemas/{schema}")});
        Checker { document: &self.document, faults }.check(&reference, value, "");
    }

    /// Adds every fault of a body at `schema` (a component's name) to `faults`.
    pub fn check(&self, schema: &str, value: &Value, faults: &mut Faults) {
        let reference = serde_json::json!({"$ref": format!("#/components/schemas/{schema}")});
        self.check_against(&reference, value, faults);
    }

    fn check_against(&self, schema: &Value, value: &Value, faults: &mut Faults) {
        Checker { document: &self.document, faults }.check(schema, value, "");
        let name = component(schema);
        if let Some(check) = name.and_then(self.extra) {
            let mut more = Faults::default();
            check(value, &mut more);
            faults.add_new(more);
        }
        if name.is_some_and(|name| name.starts_with("Create")) {
            check_name(value, faults);
        }
    }
}

/// The name of the component that a schema refers to.
fn component(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next())
}

/// A name by which nobody could tell the thing from others.
fn check_name(body: &Value, faults: &mut Faults) {
    let name = body.get("name").and_then(Value::as_str);
    if name.is_some_and(|name| !name.is_empty() && name.trim().is_empty()) {
        faults.push("/name", "blank", "must have a character that can be seen, not only white space");
    }
}

enum NoOperation {
    UnknownPath,
    OtherMethods(String),
}

/// Whether `path` fits `template`, in which `{name}` stands for one segment.
fn matches(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let mut wanted = template.split('/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted.starts_with('{') && !part.is_empty() || wanted == part => {}
            _ => return false,
        }
    }
}

/// The middleware: holds a request against the document, see the module.
pub async fn enforce(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let (Some(app), Some(contract)) =
        (request.app_data::<web::Data<App>>().cloned(), request.app_data::<web::Data<Contract>>().cloned())
    else {
        return Err(Error::internal("the app and the contract are registered").into());
    };
    if request.method() == Method::HEAD && contract.is_open(request.path()) {
        // Answered like GET; the server leaves the body out, because it was asked with HEAD.
        request.head_mut().method = Method::GET;
    }
    match contract.find(request.method(), request.path()) {
        Ok(operation) => {
            request.extensions_mut().insert(MatchedPath(operation.template.clone()));
            let admitted = contract.admit(&app, operation, &mut request).await;
            let quota = request.extensions().get::<Quota>().copied();
            let mut response = match admitted {
                Ok(()) => next.call(request).await?.map_into_boxed_body(),
                Err(error) => request.error_response(error),
            };
            if let Some(quota) = quota {
                quota.add_to(response.headers_mut());
            }
            return Ok(response);
        }
        // Not in the document: the pages of /docs, or nothing.
        Err(NoOperation::UnknownPath) => {}
        Err(NoOperation::OtherMethods(allowed)) => {
            let response = method_not_allowed(request.method(), &allowed);
            return Ok(request.into_response(response));
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Counts a request against its caller's limit, and leaves for the answer how they stand.
fn count(app: &App, caller: &Caller, request: &ServiceRequest) -> Result<()> {
    let limiter = request.app_data::<web::Data<RateLimiter>>();
    let Some(quota) = limiter.and_then(|limiter| limiter.count(caller, &app.clock)) else { return Ok(()) };
    request.extensions_mut().insert(quota);
    quota.refusal().map_or(Ok(()), Err)
}

fn method_not_allowed(method: &Method, allowed: &str) -> HttpResponse {
    let error =
        Error::new(Code::MethodNotAllowed, format!("This path does not have the method {method}; it has {allowed}."));
    let mut response = error.error_response();
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

/// Whether a media range of `Accept` covers `offer`.
pub fn accepts(range: &str, offer: &str) -> bool {
    let range = range.split(';').next().unwrap_or_default().trim();
    let offer = offer.split(';').next().unwrap_or_default().trim();
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => offer.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(kind)),
        None => range.eq_ignore_ascii_case(offer),
    }
}

fn check_accept(request: &ServiceRequest, offers: &[String]) -> Result<()> {
    let Some(accept) = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    let is_taken = |range: &str| {
        let refused = range.split(';').skip(1).any(|p| matches!(p.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && offers.iter().any(|offer| accepts(range, offer))
    };
    if offers.is_empty() || accept.trim().is_empty() || accept.split(',').any(is_taken) {
        return Ok(());
    }
    Err(Error::new(
        Code::NotAcceptable,
        format!("`Accept: {accept}` leaves nothing to answer with; this operation offers {}.", offers.join(", ")),
    ))
}

/// Reads the body if there is one. `None`: there is none and none is needed.
async fn read_body(request: &mut ServiceRequest, expected: &OperationBody) -> Result<Option<CheckedBody>> {
    let bytes = collect(request).await?;
    if bytes.is_empty() && !expected.required {
        return Ok(None);
    }
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !expected.media_types.iter().any(|media_type| accepts(given, media_type)) || given.contains('*') {
        let named = if given.is_empty() { "no Content-Type" } else { given };
        return Err(Error::new(
            Code::UnsupportedMediaType,
            format!("The request has {named}; this operation takes {}.", expected.media_types.join(" or ")),
        ));
    }
    let mut value = serde_json::from_slice(&bytes).map_err(|e| {
        Error::new(
            Code::MalformedJson,
            format!("The body is not JSON: {} at line {}, column {}.", reason(&e), e.line(), e.column()),
        )
    })?;
    write_integers(&mut value);
    Ok(Some(CheckedBody { value, hash: Sha256::digest(&bytes).into() }))
}

/// Largest integer up to which every one is exact as a floating-point number.
const EXACT_MOST: f64 = 9_007_199_254_740_992.0;

/// `5.0` is an integer to JSON Schema, so it becomes one.
fn write_integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() <= EXACT_MOST) {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
                let integer = float as i64;
                *value = Value::from(integer);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_integers),
        Value::Object(fields) => fields.values_mut().for_each(write_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What serde says without its « at line … » tail.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

async fn collect(request: &mut ServiceRequest) -> Result<web::BytesMut> {
    let mut payload = request.take_payload();
    let mut bytes = web::BytesMut::new();
    let mut length = 0;
    while let Some(part) = payload.next().await {
        let part = part.map_err(|e| {
            Error::new(Code::MalformedJson, "The body broke off before its end.").with_source(e.to_string())
        })?;
        length += part.len();
        if length > BODY_BYTES_DRAINED {
            break;
        }
        if length <= BODY_BYTES_MOST {
            bytes.extend_from_slice(&part);
        }
    }
    if length > BODY_BYTES_MOST {
        return Err(Error::new(
            Code::BodyTooLarge,
            format!("The body has more than {BODY_BYTES_MOST} bytes, the most that is taken."),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_segment_by_segment() {
        assert!(matches("/v1/filters/{id}", "/v1/filters/7"));
        assert!(!matches("/v1/filters/{id}", "/v1/filters/"));
        assert!(!matches("/v1/filters/{id}", "/v1/filters/7/preview"));
        assert!(!matches("/v1/filters", "/v1/filter"));
    }

    #[test]
    fn a_whole_number_is_an_integer() {
        let mut value = serde_json::json!({"a": [5.0, 5.5, -1e3, 1e300], "b": 7});
        write_integers(&mut value);
        assert_eq!(value, serde_json::json!({"a": [5, 5.5, -1000, 1e300], "b": 7}));
    }

    #[test]
    fn a_media_range_covers_what_it_says() {
        assert!(accepts("*/*", "application/json"));
        assert!(accepts("application/*;q=0.5", "application/json"));
        assert!(accepts("application/json; charset=utf-8", "application/json"));
        assert!(!accepts("text/*", "application/json"));
    }
}
