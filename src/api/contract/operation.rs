//! An operation of the document: what it takes in path, query, headers and body, and what it answers with.

use super::schema::{self, Schemas};
use crate::api::auth::Scope;
use crate::error::{Code, Error, Result};
use actix_web::http::Method;
use serde_json::{Map, Value};

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Who has the scope.
    Scope(Scope),
    /// The bearer of a handover's link.
    Handover,
}

/// The word that stands for [`Access::Handover`] in the place of a scope.
const HANDOVER: &str = "handover";

impl Access {
    /// A word that is no scope opens nothing.
    fn read(operation: &Value) -> Self {
        match operation.pointer("/security/0/bearer/0").and_then(Value::as_str) {
            None => Self::Open,
            Some(HANDOVER) => Self::Handover,
            Some(scope) => Self::Scope(scope.parse().unwrap_or(Scope::Admin)),
        }
    }
}

/// One operation of the document.
pub(super) struct Operation {
    pub template: String,
    pub method: Method,
    pub access: Access,
    /// Requests without a valid key count against the limit of their address.
    pub is_limited: bool,
    /// The operation also accepts a ticket in the query instead of a key.
    pub takes_tickets: bool,
    pub parameters: Vec<Value>,
    /// The schema and media types of the body, and whether there must be one.
    pub body: Option<OperationBody>,
    pub produces: Vec<String>,
}

pub(super) struct OperationBody {
    pub schema: Value,
    pub media_types: Vec<String>,
    pub required: bool,
}

impl Operation {
    pub fn read(template: &str, method: &str, operation: &Value) -> Option<Self> {
        let security = operation.get("security").and_then(Value::as_array);
        let takes_tickets = security.into_iter().flatten().any(|way| way.get("ticket").is_some());
        let content = |value: &Value| -> Vec<String> {
            let types = value.get("content").and_then(Value::as_object);
            types.into_iter().flat_map(Map::keys).cloned().collect()
        };
        let body = operation.get("requestBody").map(|body| OperationBody {
            schema: body
                .get("content")
                .and_then(Value::as_object)
                .and_then(|types| types.values().next())
                .and_then(|media| media.get("schema"))
                .cloned()
                .unwrap_or_default(),
            media_types: content(body),
            required: body.get("required") == Some(&Value::Bool(true)),
        });
        let responses = operation.get("responses").and_then(Value::as_object);
        let is_limited = responses.is_some_and(|responses| responses.contains_key("429"));
        let successes = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
        Some(Self {
            template: template.to_owned(),
            method: Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?,
            access: Access::read(operation),
            is_limited,
            takes_tickets,
            parameters: operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default(),
            body,
            produces: successes.flat_map(|(_, response)| content(response)).collect(),
        })
    }

    pub fn parameters_in<'a>(&'a self, place: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.parameters
            .iter()
            .filter(move |parameter| parameter.get("in").and_then(Value::as_str) == Some(place))
            .filter_map(|parameter| Some((parameter.get("name")?.as_str()?, parameter)))
    }

    /// An id in the path that is no UUID belongs to no resource.
    pub fn check_path(&self, schemas: &Schemas, path: &str) -> Result<()> {
        for (part, wanted) in path.split('/').zip(self.template.split('/')) {
            let Some(name) = wanted.strip_prefix('{').map(|name| name.trim_end_matches('}')) else { continue };
            let parameter = self.parameters_in("path").find(|(known, _)| *known == name);
            let Some(schema) = parameter.and_then(|(_, parameter)| parameter.get("schema")) else { continue };
            let schema = schemas.resolve(schema);
            let is_uuid = schema.get("format").and_then(Value::as_str) == Some("uuid");
            if is_uuid && !schema::is_uuid(part) {
                return Err(Error::new(Code::NotFound, "Not found: the id in the path is not a UUID."));
            }
        }
        Ok(())
    }
}
