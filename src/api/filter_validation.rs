//! Validation of a filter before it is stored.

use super::auth::Caller;
use super::body::Body;
use super::contract::Contract;
use crate::error::Faults;
use crate::filter::validation::{self, Validation};
use actix_web::post;
use actix_web::web::{Data, Json};
use serde_json::Value;

/// Validate a filter
///
/// Takes the body of a filter, with or without a name. The response has its conditions in normalised form and the
/// queries for Graph, or every error with its place, as `POST /v1/filters` would name them. Nothing is stored, and no
/// request to Graph is made.
#[utoipa::path(
    tag = "Filters",
    request_body(content = Object, example = json!({"users": {"odata": "endsWith(mail,'@contoso.example')"}})),
    responses((status = 200, description = "The verdict, also for an invalid filter", body = Validation)),
    security(("bearer" = ["read"]))
)]
#[post("/v1/filters/validate")]
pub async fn validate_filter(contract: Data<Contract>, _: Caller, body: Body<Value>) -> Json<Validation> {
    let (mut named, mut body) = (body.0.clone(), body.0);
    if let Value::Object(fields) = &mut named {
        fields.insert("name".to_owned(), Value::from("any"));
    }
    if let Value::Object(fields) = &mut body {
        fields.remove("name");
    }
    let mut of_form = Faults::default();
    contract.check_form("CreateFilter", &named, "", &mut of_form);
    Json(validation::validate(&body, of_form.into_vec()))
}
