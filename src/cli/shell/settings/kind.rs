//! What a file of settings can have, in the order in which one refers to another.

use super::Object;
use serde_json::{Map, Value};

/// One kind of settings.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name in the file and in the API.
    pub(super) name: &'static str,
    pub(super) one: &'static str,
    /// The schema of a new one in the OpenAPI document.
    pub(super) schema: &'static str,
    /// The fields by which it refers to others: in the file, in the API, and the kind of what is referred to.
    pub(super) references: &'static [(&'static str, &'static str, &'static str)],
    /// The places of its secrets. In the file each is a reference.
    pub(super) secrets: &'static [&'static str],
    /// Fields of which only one part is set at a time, so that a change of one takes the place of the other.
    pub(super) whole: &'static [&'static str],
}

pub(super) static KINDS: [Kind; 4] = [
    Kind {
        name: "connections",
        one: "connection",
        schema: "CreateConnection",
        references: &[],
        secrets: &["/credential/secret", "/credential/certificate", "/credential/privateKey"],
        whole: &[],
    },
    Kind {
        name: "filters",
        one: "filter",
        schema: "CreateFilter",
        references: &[],
        secrets: &[],
        whole: &["users", "groups", "devices"],
    },
    Kind {
        name: "destinations",
        one: "destination",
        schema: "CreateDestination",
        references: &[],
        secrets: &["/token", "/api/apiToken"],
        whole: &[],
    },
    Kind {
        name: "jobs",
        one: "job",
        schema: "CreateJob",
        references: &[
            ("connection", "connectionId", "connections"),
            ("filter", "filterId", "filters"),
            ("destination", "destinationId", "destinations"),
        ],
        secrets: &[],
        whole: &[],
    },
];

impl Kind {
    pub(super) fn path(&self) -> String {
        format!("/v1/{}", self.name)
    }

    /// What the API answers, with the fields alone that can be written, and without those that are not set.
    pub(super) fn writable(&self, document: &Value, answer: &Value) -> Object {
        let mut item = known_fields(document, &[self.schema], answer);
        if self.name == "jobs"
            && let Some(schedule) = item.get_mut("schedule")
        {
            *schedule = Value::Object(known_fields(document, &["JobSchedule"], schedule));
        }
        item
    }
}

/// The fields of `value` that one of the schemas has.
fn known_fields(document: &Value, schemas: &[&str], value: &Value) -> Object {
    let fields: Vec<String> = schemas.iter().flat_map(|schema| fields_of(document, schema)).collect();
    let known =
        value.as_object().into_iter().flatten().filter(|(name, value)| !value.is_null() && fields.contains(*name));
    known.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
}

/// The names of the fields of a schema; of a choice, those of all its forms.
fn fields_of(document: &Value, schema: &str) -> Vec<String> {
    let found = &document["components"]["schemas"][schema];
    let own = found["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let forms = found["oneOf"].as_array().into_iter().flatten();
    let names = forms.filter_map(|form| form["$ref"].as_str()?.rsplit('/').next().map(str::to_owned));
    let of_forms = names.flat_map(|name| fields_of(document, &name));
    own.chain(of_forms).collect()
}

/// In an answer a field that is not set is null; in a file it is left out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(name, value)| (name.clone(), without_nulls(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}
