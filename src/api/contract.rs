//! The OpenAPI document, enforced: every request is checked against its operation before a handler runs. In this
//! order: path (404), method (405), the limit of the address (429), caller (401), the limit of the caller (429), scope (403),
//! `Accept` (406), the body's media type (415), size (413) and JSON (400), then all faults of path, query, headers and body at
//! once (422).

mod body;
mod caller;
mod negotiation;
mod operation;
mod parameters;
mod route;
pub mod schema;

pub use body::{CheckedBody, write_integers};
pub use route::unknown_path;

use super::rate_limit::Quota;
use crate::app::App;
use crate::error::{Error, Faults, Result};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use operation::Operation;
use route::NoOperation;
use schema::Schemas;
use schema::reference::component;
use serde_json::{Value, json};

/// Writes what a body may have in several forms in the one that the document describes. Its faults take the place of
/// those that the document would give.
pub type Preparation = fn(&mut Value, &mut Faults);

/// A check that the document cannot express, on a body that may have other faults too.
pub type ExtraCheck = fn(&Value, &mut Faults);

/// A check that needs the clock or a setting. The handler runs it too, once it knows that the request is no
/// repetition; here it only completes the faults of a body that is refused anyway.
pub type CompletingCheck = fn(&App, &Value, &mut Faults);

/// The operations of the document, ready to be matched.
pub struct Contract {
    schemas: Schemas,
    operations: Vec<Operation>,
    preparations: fn(&str) -> Option<Preparation>,
    extra: fn(&str) -> Option<ExtraCheck>,
    completing: fn(&str) -> Option<CompletingCheck>,
}

/// The template of the operation that a request matched, such as `/v1/filters/{id}`.
#[derive(Clone)]
pub struct MatchedPath(pub String);

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

impl Contract {
    /// Fails if the document describes requests with what the check does not keep.
    pub fn new(
        document: Value,
        preparations: fn(&str) -> Option<Preparation>,
        extra: fn(&str) -> Option<ExtraCheck>,
        completing: fn(&str) -> Option<CompletingCheck>,
    ) -> Result<Self> {
        let mut operations = Vec::new();
        for (template, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for name in METHODS {
                if let Some(operation) = item.get(name) {
                    operations.extend(Operation::read(template, name, operation));
                }
            }
        }
        Ok(Self { schemas: Schemas::new(document)?, operations, preparations, extra, completing })
    }

    pub fn document(&self) -> &Value {
        self.schemas.document()
    }

    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// Lets a request through to its handler, with its caller and its checked body in its extensions.
    async fn admit(&self, app: &App, operation: &Operation, request: &mut ServiceRequest) -> Result<()> {
        let query = caller::identify(app, operation, request).await?;
        negotiation::check_accept(request, &operation.produces)?;
        operation.check_path(&self.schemas, request.path())?;
        let mut faults = Faults::default();
        parameters::check_query(operation, &self.schemas, &query, &mut faults);
        parameters::check_headers(operation, &self.schemas, request.headers(), &mut faults);
        self.admit_body(app, operation, request, &mut faults).await?;
        faults.into_result()
    }

    /// Reads the body, adds its faults to `faults`, and leaves it in the request's extensions.
    async fn admit_body(
        &self,
        app: &App,
        operation: &Operation,
        request: &mut ServiceRequest,
        faults: &mut Faults,
    ) -> Result<()> {
        let Some(expected) = &operation.body else { return Ok(()) };
        let Some(mut checked) = body::read(request, expected).await? else { return Ok(()) };
        if let Some(prepare) = component(&expected.schema).and_then(self.preparations) {
            prepare(&mut checked.value, faults);
        }
        let mut of_document = Faults::default();
        self.check_against(&expected.schema, &checked.value, &mut of_document);
        faults.add_new(of_document);
        if !faults.is_empty()
            && let Some(check) = component(&expected.schema).and_then(self.completing)
        {
            let mut more = Faults::default();
            check(app, &checked.value, &mut more);
            faults.add_new(more);
        }
        request.extensions_mut().insert(checked);
        Ok(())
    }

    /// Adds to `faults` why a ticket cannot be made for `path` with its query. `at` points to the path in the body.
    pub fn check_ticket_path(&self, path: &str, at: &str, faults: &mut Faults) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let operation =
            route::find(&self.operations, &Method::GET, path).ok().filter(|operation| operation.takes_tickets);
        let Some(operation) = operation.filter(|operation| operation.check_path(&self.schemas, path).is_ok()) else {
            let known = self.operations.iter().filter(|operation| operation.takes_tickets);
            let known: Vec<&str> = known.map(|operation| operation.template.as_str()).collect();
            faults.push(at, "no_ticket_path", format!("does not take a ticket; tickets are for {}", known.join(", ")));
            return;
        };
        let mut of_query = Faults::default();
        parameters::check_query(operation, &self.schemas, query, &mut of_query);
        if let Err(error) = of_query.into_result() {
            for fault in error.faults {
                faults.push(at, fault.code, format!("{}: {}", fault.pointer, fault.detail));
            }
        }
    }

    /// Adds the faults of form of a value to `faults`, without those of its extra check. `schema` is a component's name.
    pub fn check_form(&self, schema: &str, value: &Value, pointer: &str, faults: &mut Faults) {
        self.schemas.check(&json!({"$ref": format!("#/components/schemas/{schema}")}), value, pointer, faults);
    }

    /// Adds every fault of a body to `faults`. `schema` is a component's name.
    pub fn check(&self, schema: &str, value: &Value, faults: &mut Faults) {
        self.check_against(&json!({"$ref": format!("#/components/schemas/{schema}")}), value, faults);
    }

    fn check_against(&self, schema: &Value, value: &Value, faults: &mut Faults) {
        self.schemas.check(schema, value, "", faults);
        let name = component(schema);
        if let Some(check) = name.and_then(self.extra) {
            let mut more = Faults::default();
            check(value, &mut more);
            faults.add_new(more);
        }
        if name.is_some_and(|name| name.starts_with("Create") || name.starts_with("Update")) {
            check_name(value, faults);
        }
    }
}

/// A name of white space only could not be told from others.
fn check_name(body: &Value, faults: &mut Faults) {
    let name = body.get("name").and_then(Value::as_str);
    if name.is_some_and(|name| !name.is_empty() && name.trim().is_empty()) {
        faults.push("/name", "blank", "must not consist of white space only");
    }
}

/// The middleware that checks every request against the document.
pub async fn enforce(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let (Some(app), Some(contract)) =
        (request.app_data::<web::Data<App>>().cloned(), request.app_data::<web::Data<Contract>>().cloned())
    else {
        return Err(Error::internal("the app and the contract are registered").into());
    };
    if request.method() == Method::HEAD && route::is_open(&contract.operations, request.path()) {
        // Answered like GET: the server itself leaves out the body.
        request.head_mut().method = Method::GET;
    }
    match route::find(&contract.operations, request.method(), request.path()) {
        Ok(operation) => {
            request.extensions_mut().insert(MatchedPath(operation.template.clone()));
            let admitted = contract.admit(&app, operation, &mut request).await;
            let quota = request.extensions().get::<Quota>().copied();
            let mut response = match admitted {
                Ok(()) => next.call(request).await?.map_into_boxed_body(),
                Err(error) => request.error_response(error),
            };
            // Who is no longer known when the request is carried out has no limit of its own.
            if let Some(quota) = quota.filter(|_| response.status() != StatusCode::UNAUTHORIZED) {
                quota.add_to(response.headers_mut());
            }
            return Ok(response);
        }
        Err(no_operation) => {
            if let Err(error) = caller::count_other(&app, &request) {
                return Ok(request.error_response(error));
            }
            match no_operation {
                NoOperation::UnknownPath if route::is_page(request.path()) => {}
                // Refused here and not by the router: that decodes the path first, so it may find a handler for a path which
                // the document does not have, and which was therefore not checked.
                NoOperation::UnknownPath => {
                    let error = unknown_path(request.path());
                    return Ok(request.error_response(error));
                }
                NoOperation::OtherMethods(allowed) => {
                    let response = route::method_not_allowed(request.method(), &allowed);
                    return Ok(request.into_response(response));
                }
            }
        }
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
