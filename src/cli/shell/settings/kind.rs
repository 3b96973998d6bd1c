//! What a file of settings can have, in the order in which one refers to another.

use super::secret::{self, Reference};
use super::{Object, stored};
use crate::api::contract::schema::Schemas;
use crate::api::patch::{merged, without_nulls};
use crate::api::{credentials, jobs};
use crate::error::Faults;
use serde_json::{Value, json};

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
    /// Writes references to the stored secrets, which no answer has: each is made from a word for the secret.
    pub(super) refer_to_secrets: fn(&mut Object, &mut Reference<'_>),
    /// Writes a body as the API reads it before it is checked.
    pub(super) prepare: fn(&mut Value, &mut Faults),
    /// Fields of which only one part is set at a time, so that a change of one takes the place of the other.
    pub(super) whole: &'static [&'static str],
    /// What null in a change stands for, where that is not nothing.
    defaults: fn() -> Value,
    /// Takes out of what can be written of an answer what is no setting.
    clean: fn(&Schemas, &mut Object),
    /// Fields that may say only that nothing was known yet, and the JSON that says so.
    unknown: &'static [(&'static str, &'static str)],
    /// Writes the fields as the service stores them.
    stored: fn(&Object) -> Option<Object>,
}

pub(super) static KINDS: [Kind; 4] = [
    Kind {
        name: "connections",
        one: "connection",
        schema: "CreateConnection",
        references: &[],
        secrets: &["/credential/secret", "/credential/certificate", "/credential/privateKey"],
        refer_to_secrets: secret::of_connection,
        prepare: credentials::prepare,
        whole: &[],
        defaults: || Value::Null,
        clean: |_, _| {},
        unknown: &[("credential", r#"{"kind":"awaited"}"#)],
        stored: stored::connection,
    },
    Kind {
        name: "filters",
        one: "filter",
        schema: "CreateFilter",
        references: &[],
        secrets: &[],
        refer_to_secrets: |_, _| {},
        prepare: |_, _| {},
        whole: &["users", "groups", "devices", "applications", "servicePrincipals", "roles", "administrativeUnits"],
        defaults: || Value::Null,
        clean: |_, _| {},
        unknown: &[],
        stored: stored::filter,
    },
    Kind {
        name: "destinations",
        one: "destination",
        schema: "CreateDestination",
        references: &[],
        secrets: &["/token", "/api/apiToken"],
        refer_to_secrets: secret::of_destination,
        prepare: |_, _| {},
        whole: &[],
        defaults: || Value::Null,
        clean: |_, _| {},
        unknown: &[("missingObjects", r#""unknown""#)],
        stored: stored::destination,
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
        refer_to_secrets: |_, _| {},
        prepare: |_, _| {},
        whole: &[],
        defaults: jobs::defaults,
        clean: clean_schedule,
        unknown: &[],
        stored: stored::job,
    },
];

impl Kind {
    pub(super) fn path(&self) -> String {
        format!("/v1/{}", self.name)
    }

    /// What the API answers, with the fields alone that can be written, and without those that are not set.
    pub(super) fn writable(&self, schemas: &Schemas, answer: &Value) -> Object {
        let mut item = known_fields(schemas, self.schema, answer);
        (self.clean)(schemas, &mut item);
        item
    }

    /// The fields that the service has after a change of `current`.
    pub(super) fn after(&self, schemas: &Schemas, current: &Object, change: &Object) -> Object {
        let (current, change) = (Value::Object(current.clone()), Value::Object(change.clone()));
        match merged(schemas, self.schema, current, &change, &(self.defaults)()) {
            Value::Object(changed) => (self.stored)(&changed).unwrap_or(changed),
            _ => Object::new(),
        }
    }

    /// Whether a field of a file says only that nothing was known yet. The service may know more by now: somebody entered
    /// the credential, or a run saw what Assets does.
    pub(super) fn says_nothing_yet(&self, field: &str, value: &Value) -> bool {
        let said = value.to_string();
        self.unknown.contains(&(field, said.as_str()))
    }
}

/// A pause is no setting: it ends by itself or by a person, and then the schedule is on as before.
fn clean_schedule(schemas: &Schemas, job: &mut Object) {
    let Some(schedule) = job.get_mut("schedule") else { return };
    let is_on = schedule["enabled"] == true || schedule["pausedReason"].is_string();
    let mut known = known_fields(schemas, "JobSchedule", schedule);
    known.insert("enabled".to_owned(), json!(is_on));
    *schedule = Value::Object(known);
}

/// The fields of `value` that the schema has.
fn known_fields(schemas: &Schemas, schema: &str, value: &Value) -> Object {
    let fields = fields_of(schemas.document(), schema);
    match without_nulls(schemas, schema, value.clone()) {
        Value::Object(known) => known.into_iter().filter(|(name, _)| fields.contains(name)).collect(),
        _ => Object::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::filter::EntityKind;

    fn kind(name: &str) -> &'static Kind {
        KINDS.iter().find(|kind| kind.name == name).unwrap()
    }

    #[test]
    fn a_condition_on_any_kind_of_object_takes_the_place_of_another() {
        assert_eq!(kind("filters").whole, EntityKind::ALL.map(EntityKind::as_str));
    }

    #[test]
    fn a_null_in_a_tree_of_conditions_is_a_value() {
        let contract = api::contract().unwrap();
        let tree = json!({"not": {"property": "mail", "operator": "eq", "value": null}});
        let answer = json!({
            "id": "1", "name": "A", "users": {"where": tree}, "groups": null, "limits": {"maxUsers": null, "maxGroups": 1},
        });
        let written = json!({"name": "A", "users": {"where": tree}, "limits": {"maxGroups": 1}});
        assert_eq!(Value::Object(kind("filters").writable(contract.schemas(), &answer)), written);
    }

    #[test]
    fn a_paused_schedule_is_written_as_it_goes_on() {
        let contract = api::contract().unwrap();
        for (enabled, paused, written) in
            [(true, Value::Null, true), (false, Value::Null, false), (false, json!("manual"), true)]
        {
            let schedule = json!({"cron": "@daily", "enabled": enabled, "pausedReason": paused, "nextRunAt": null});
            let found = kind("jobs").writable(contract.schemas(), &json!({"name": "A", "schedule": schedule}));
            assert_eq!(found["schedule"], json!({"cron": "@daily", "enabled": written}));
        }
    }
}
