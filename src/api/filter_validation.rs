//! Judging a filter before it is saved.

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
/// Takes the body of a filter, with or without a name, and answers with its texts in one form and how Graph has
/// to be asked, or with every error and its place, in the words of `POST /v1/filters`. Nothing is saved, and Graph is
/// not asked.
#[utoipa::path(
    tag = "Filters",
    request_body(content = Object, example = json!({"users": {"odata": "endsWith(mail,'@contoso.example')"}})),
    responses((status = 200, description = "The verdict, also on an invalid filter", body = Validation)),
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
    contract.check_form("CreateFilter", &named, &mut of_form);
    Json(validation::validate(&body, of_form.into_vec()))
}
