//! The OpenAPI document: generated from the handlers, completed with what every operation has.

mod codes;
mod common;
mod examples;
mod links;
mod schemas;
mod sides;
mod webhooks;

pub use codes::errors_page;

use super::contract::Contract;
use super::problem::{self, Problem, ProblemFault, ProblemUse};
use crate::error::Code;
use crate::filter::body::RuleBody;
use crate::filter::validation::ValidRule;
use crate::filter::where_tree::{All, Any, Condition, ElementsAll, ElementsAny, Not};
use crate::filter_preview::{PreviewCount, SampleObject};
use crate::webhook::payload::{
    AnnouncedRun, DirectoryChanges, ExpiringConnection, FailedConnection, ObservedDestination, PausedJob,
};
use actix_web::get;
use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpResponse};
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToResponse};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "entra-assets",
        description = "Imports a Microsoft Entra ID directory into Jira Service Management Assets.",
        license(name = "MIT", identifier = "MIT")
    ),
    servers((url = "/", description = "This service")),
    tags(
        (name = "Connections", description = "How to reach an Entra tenant, and whether its permissions are sufficient"),
        (name = "Filters", description = "Which users and groups to import"),
        (name = "Destinations", description = "Where objects are delivered: import sources of Assets"),
        (name = "Jobs", description = "What to import, from which tenant, to which destination, and when"),
        (name = "Runs", description = "Executions of a job"),
        (name = "Forge", description = "What a Forge app calls on its own behalf"),
        (name = "Administration", description = "Keys, organizations, webhooks, workers and the audit log"),
        (name = "Operations", description = "Health and metrics"),
    ),
    components(schemas(Problem, ProblemFault, ProblemUse, All, Any, Not, ElementsAny, ElementsAll, Condition, RuleBody,
        ValidRule, PreviewCount, SampleObject, AnnouncedRun, FailedConnection, ExpiringConnection, PausedJob, ObservedDestination, DirectoryChanges))
)]
struct Base;

/// 409: the current state does not allow the request. Handlers name it where it can happen.
#[derive(ToResponse)]
#[response(
    description = "The current state does not allow the request, see `code`",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "only describes the response in the document")]
pub struct Conflict(Problem);

/// 503: the database cannot be reached.
#[derive(ToResponse)]
#[response(description = "The database cannot be reached", content_type = "application/problem+json")]
#[expect(dead_code, reason = "only describes the response in the document")]
pub struct Unready(Problem);

/// 502: Graph or Assets refused. Handlers name it if they pass on its error.
#[derive(ToResponse)]
#[response(description = "Microsoft Graph or Assets refused, see `code`", content_type = "application/problem+json")]
#[expect(dead_code, reason = "only describes the response in the document")]
pub struct BadGateway(Problem);

/// 504: Graph or Assets does not answer in time.
#[derive(ToResponse)]
#[response(
    description = "Microsoft Graph or Assets did not answer in time, see `code`",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "only describes the response in the document")]
pub struct GatewayTimeout(Problem);

/// The complete document of the operations that `routes` registers. `explain` says what the words of enums mean.
pub fn document(routes: impl FnOnce(&mut ServiceConfig<'_>), explain: impl FnOnce(&mut Value)) -> Value {
    let (_, api) = ActixApp::new().into_utoipa_app().openapi(Base::openapi()).configure(routes).split_for_parts();
    let mut document = serde_json::to_value(api).unwrap_or_default();
    complete(&mut document, explain);
    document
}

/// As indented JSON with a line break at the end.
pub fn to_json(document: &Value) -> String {
    serde_json::to_string_pretty(document).map(|text| text + "\n").unwrap_or_default()
}

/// As YAML, with the same order of fields.
pub fn to_yaml(document: &Value) -> String {
    yaml_serde::to_string(document).unwrap_or_default()
}

/// The responses that any operation may have, by the name of their component.
const COMMON: [(&str, &str, Code); 13] = [
    ("BadRequest", "400", Code::MalformedJson),
    ("Unauthorized", "401", Code::Unauthenticated),
    ("Forbidden", "403", Code::Forbidden),
    ("NotFound", "404", Code::NotFound),
    ("NotAcceptable", "406", Code::NotAcceptable),
    ("RequestTimeout", "408", Code::BodyTimeout),
    ("PreconditionFailed", "412", Code::PreconditionFailed),
    ("ContentTooLarge", "413", Code::BodyTooLarge),
    ("UnsupportedMediaType", "415", Code::UnsupportedMediaType),
    ("UnprocessableContent", "422", Code::ValidationFailed),
    ("TooManyRequests", "429", Code::RateLimited),
    ("InternalServerError", "500", Code::Internal),
    ("ServiceUnavailable", "503", Code::DatabaseUnavailable),
];

/// What probes ask, as often as they like.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Headers of every response to an authenticated caller, unless the operator set no limit.
const RATE_LIMIT_HEADERS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

fn problem_response(code: Code) -> Value {
    let status = problem::status(code).as_u16();
    let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}});
    if status != 401 {
        for name in RATE_LIMIT_HEADERS {
            headers[name] = json!({"$ref": format!("#/components/headers/{name}")});
        }
    }
    if matches!(status, 409 | 429 | 503) {
        headers["Retry-After"] = json!({"$ref": "#/components/headers/Retry-After"});
    }
    if status == 401 {
        headers["WWW-Authenticate"] = json!({"$ref": "#/components/headers/WWW-Authenticate"});
    }
    json!({
        "description": code.title(),
        "headers": headers,
        "content": {problem::MEDIA_TYPE: {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": {
                "type": format!("urn:entra-assets:problem:{code}"),
                "title": code.title(),
                "status": status,
                "code": code.as_str(),
                "detail": code.meaning(),
                "requestId": "01900000-0000-7000-8000-000000000000",
            },
        }},
    })
}

fn complete(document: &mut Value, explain: impl FnOnce(&mut Value)) {
    document["info"]["description"] = json!(include_str!("openapi/guide.md"));
    codes::list(&mut document["components"]["schemas"]["Problem"]["properties"]["code"]);
    document["components"]["securitySchemes"] = json!({"bearer": {
        "type": "http", "scheme": "bearer",
        "description": "An API key (`eak_…`), the operator's admin key, or a JWT of a configured issuer. The names next to an operation are the scopes that it needs; `admin` includes all scopes. The scope `handover` is that of the link of a handover (`eah_…`), which no key has.",
    }, "ticket": {
        "type": "apiKey", "in": "query", "name": "ticket",
        "description": "A ticket of `POST /v1/tickets`, valid once within 60 seconds.",
    }});
    document["components"]["headers"] = json!({
        "ETag": {"description": "The version, for `If-Match`", "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}, "example": "\"1\""},
        "Location": {"description": "The path of the new resource", "schema": {"type": "string", "format": "uri-reference"}},
        "Retry-After": {"description": "How many seconds to wait before the next attempt", "schema": {"type": "integer", "minimum": 0}},
        "RateLimit-Limit": {"description": "How many requests per minute the key, or all keys and tokens of its organization together, may send to this process", "schema": {"type": "integer", "minimum": 1}},
        "RateLimit-Remaining": {"description": "How many requests are left", "schema": {"type": "integer", "minimum": 0}},
        "RateLimit-Reset": {"description": "How many seconds until the whole limit is available again", "schema": {"type": "integer", "minimum": 0}},
        "WWW-Authenticate": {"description": "How to authenticate (RFC 9110)", "schema": {"type": "string"}, "example": "Bearer"},
        "X-Request-Id": {"description": "The id of the request in the service's log", "schema": {"type": "string"}},
    });
    let mut responses = Map::new();
    for (name, _, code) in COMMON {
        responses.insert(name.to_owned(), problem_response(code));
    }
    responses.insert("Conflict".to_owned(), problem_response(Code::InUse));
    responses["Conflict"]["description"] = json!("The current state does not allow the request, see `code`");
    for (name, code, description) in [
        ("BadGateway", Code::AssetsRefused, "Microsoft Graph or Assets refused, see `code`"),
        ("GatewayTimeout", Code::AssetsUnreachable, "Microsoft Graph or Assets did not answer in time, see `code`"),
    ] {
        responses.insert(name.to_owned(), problem_response(code));
        responses[name]["description"] = json!(description);
    }
    responses.insert("Unready".to_owned(), problem_response(Code::DatabaseUnavailable));
    document["components"]["responses"] = Value::Object(responses);
    schemas::tidy(document);
    sides::separate(document);
    webhooks::add(document);
    common::describe(document);
    explain(document);
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths.iter_mut() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete_operation(path, method, operation);
            allow_empty_lists(operation);
        }
    }
    links::add(document);
    examples::add(document);
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let has_in = |place: &str| parameters.iter().any(|parameter| parameter["in"] == place);
    let has_if_match = parameters.iter().any(|parameter| parameter["name"] == "If-Match");
    // The resource that the first request created may be deleted before the repetition.
    let has_idempotency_key = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
    let has_body = operation.get("requestBody").is_some();
    let is_open = operation.pointer("/security/0/bearer").is_none();
    // A place in a list or in a feed is a text that the service made.
    let is_place = |parameter: &Value| parameter["name"] == "cursor" || parameter["name"] == "after";
    let has_cursor =
        parameters.iter().any(|parameter| is_place(parameter) && parameter["schema"]["pattern"].is_string());
    let is_versioned = answers_with_version(operation);
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (name, status, _) in COMMON {
        let applies = match status {
            "400" => has_body || has_cursor,
            "401" | "403" => !is_open,
            "429" => !PROBES.contains(&path),
            "404" => has_in("path") || has_idempotency_key,
            "412" => has_if_match,
            "408" | "413" | "415" => has_body,
            "503" => !is_open,
            _ => true,
        };
        if applies && !responses.contains_key(status) {
            responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
    if has_idempotency_key && !responses.contains_key("409") {
        responses.insert("409".to_owned(), json!({"$ref": "#/components/responses/Conflict"}));
    }
    for (status, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('2')) {
        response["headers"]["X-Request-Id"] = json!({"$ref": "#/components/headers/X-Request-Id"});
        if !is_open {
            for name in RATE_LIMIT_HEADERS {
                response["headers"][name] = json!({"$ref": format!("#/components/headers/{name}")});
            }
        }
        let creates = method == "post" && matches!(status.as_str(), "201" | "202");
        if creates {
            response["headers"]["Location"] = json!({"$ref": "#/components/headers/Location"});
        }
        if is_versioned && status != "204" {
            response["headers"]["ETag"] = json!({"$ref": "#/components/headers/ETag"});
        }
    }
}

/// Clients write an empty list in a query as `name=`.
fn allow_empty_lists(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
    for parameter in parameters.filter(|parameter| parameter["in"] == "query" && parameter["schema"]["type"] == "array")
    {
        parameter["allowEmptyValue"] = true.into();
    }
}

/// Whether the response is one resource with a version.
fn answers_with_version(operation: &Value) -> bool {
    let schema = ["200", "201", "202"]
        .iter()
        .find_map(|status| operation.pointer(&format!("/responses/{status}/content/application~1json/schema/$ref")));
    let name = schema.and_then(Value::as_str).and_then(|target| target.rsplit('/').next()).unwrap_or_default();
    VERSIONED.contains(&name)
}

/// The schemas of resources with a version.
const VERSIONED: [&str; 9] = [
    "ApiKeyResponse",
    "ConnectionResponse",
    "DestinationResponse",
    "FilterResponse",
    "HandoverResponse",
    "JobResponse",
    "OrganizationResponse",
    "RunResponse",
    "WebhookResponse",
];

/// The document as YAML. It is a page and not an operation, like `/docs`.
pub async fn yaml_page(contract: Data<Contract>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(to_yaml(contract.document()))
}

/// Get the OpenAPI document
///
/// OpenAPI 3.1 as JSON. `/openapi.yaml` and `entra-assets openapi --yaml` have the same document as YAML.
#[utoipa::path(
    tag = "Operations",
    responses((status = 200, description = "This document", body = Object)),
    security(())
)]
#[get("/openapi.json")]
pub async fn get_openapi(contract: Data<Contract>) -> HttpResponse {
    HttpResponse::Ok().json(contract.document())
}
