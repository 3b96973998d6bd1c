//! Collections whose objects are kept as JSON: their lists, single objects, and what these are related with. What a
//! collection allows is a row of the table; what is in it, a file of `seed/records`.

use super::answer::{Answer, Answered, Problem};
use super::permission::{self as may, AnyOf};
use super::request::Request;
use super::shape::MAX_EXPAND;
use super::sim::{Feature, Sim};
use crate::seed::Record;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;
use uuid::Uuid;

struct Collection {
    path: &'static str,
    permissions: AnyOf,
    /// `@odata.type` in messages.
    kind: &'static str,
    /// What `$expand` takes.
    relations: &'static [&'static str],
    /// A list of it needs a filter on one of these.
    needs_filter: &'static [&'static str],
}

/// Sources: the page «List …» of each collection in <https://learn.microsoft.com/graph/api/overview>.
const COLLECTIONS: &[Collection] = &[
    Collection {
        path: "applications",
        permissions: may::APPLICATIONS,
        kind: "application",
        relations: &["owners", "federatedIdentityCredentials"],
        needs_filter: &[],
    },
    Collection {
        path: "servicePrincipals",
        permissions: may::APPLICATIONS,
        kind: "servicePrincipal",
        relations: &["owners"],
        needs_filter: &[],
    },
    Collection {
        path: "roleManagement/directory/roleDefinitions",
        permissions: may::ROLES,
        kind: "unifiedRoleDefinition",
        relations: &[],
        needs_filter: &[],
    },
    Collection {
        path: "roleManagement/directory/roleAssignments",
        permissions: may::ROLES,
        kind: "unifiedRoleAssignment",
        relations: &[],
        // Older versions of the page say that a list without a filter is refused.
        needs_filter: &["roleDefinitionId", "principalId"],
    },
    Collection {
        path: "directory/administrativeUnits",
        permissions: may::UNITS,
        kind: "administrativeUnit",
        relations: &["members"],
        needs_filter: &[],
    },
    Collection {
        path: "deviceManagement/managedDevices",
        permissions: may::MANAGED_DEVICES,
        kind: "managedDevice",
        relations: &[],
        needs_filter: &[],
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.application",
        permissions: may::APPLICATIONS,
        kind: "application",
        relations: &[],
        needs_filter: &[],
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.servicePrincipal",
        permissions: may::APPLICATIONS,
        kind: "servicePrincipal",
        relations: &[],
        needs_filter: &[],
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.administrativeUnit",
        permissions: may::UNITS,
        kind: "administrativeUnit",
        relations: &[],
        needs_filter: &[],
    },
];

/// The answer, if the path is about such a collection.
pub fn route(sim: &Sim, request: &Request<'_>) -> Option<Answered> {
    let (collection, rest) = COLLECTIONS.iter().find_map(|collection| {
        let rest = request.path.strip_prefix(collection.path)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((collection, rest))
    })?;
    let rest: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    // What was granted to a service principal is looked at elsewhere.
    let is_grant = matches!(rest.last(), Some(&("appRoleAssignments" | "oauth2PermissionGrants")));
    (!is_grant).then(|| answer(sim, request, collection, &rest))
}

fn answer(sim: &Sim, request: &Request<'_>, collection: &Collection, rest: &[&str]) -> Answered {
    request.token.needs(collection.permissions)?;
    // The app registrations of the tenant stand before those that belong to the directory alone.
    let mut records = super::apps::as_records(sim, request, collection.path)?;
    {
        let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
        records.extend(directory.records(collection.path).iter().cloned());
        let is_there = |id: &Uuid| directory.find(*id).is_none_or(|found| directory.is_live(found));
        let related = records.iter_mut().flat_map(|record| record.relations.values_mut());
        related.for_each(|objects| objects.retain(|(_, id)| is_there(id)));
    }
    match rest {
        [] => list(sim, request, collection, &records),
        [key] => {
            let shape = Shape::of(sim, request, collection, &records)?;
            let record = find(&records, key)?;
            let mut whole = Map::new();
            let context = format!("{}/{}/$metadata#{}/$entity", request.origin, request.version(), collection.path);
            whole.insert("@odata.context".to_owned(), json!(context));
            whole.extend(shape.write(record));
            Ok(Answer::value(200, &Value::Object(whole)))
        }
        [key, relation] => {
            let record = find(&records, key)?;
            let is_known = collection.relations.contains(relation) || record.relations.contains_key(*relation);
            if !is_known {
                return Err(Problem::bad_request(format!("Resource not found for the segment '{relation}'.")));
            }
            // Some are objects within the record, the others objects of their own.
            if let Some(Value::Array(items)) = record.properties.get(*relation) {
                return request.value_page(relation, items);
            }
            let related = record.relations.get(*relation).into_iter().flatten();
            let items: Vec<Value> = related.map(|(kind, id)| json!({"@odata.type": kind, "id": id})).collect();
            request.value_page("directoryObjects", &items)
        }
        _ => Err(Problem::bad_request("Resource not found for the segment.")),
    }
}

fn find<'r>(records: &'r [Record], key: &str) -> Result<&'r Record, Problem> {
    let id = Uuid::parse_str(key).ok();
    records.iter().find(|record| Some(record.id) == id).ok_or_else(|| Problem::not_found(key))
}

fn list(sim: &Sim, request: &Request<'_>, collection: &Collection, records: &[Record]) -> Answered {
    sim.check_top(&request.query, collection.path)?;
    let shape = Shape::of(sim, request, collection, records)?;
    let condition = request.query.get("$filter").map(Condition::parse).transpose()?;
    let is_named = |names: &[&str]| {
        condition.as_ref().is_some_and(|condition| condition.0.iter().any(|test| names.contains(&test.name())))
    };
    if !collection.needs_filter.is_empty() && !is_named(collection.needs_filter) {
        let message = format!("Filter needs one of: {}.", collection.needs_filter.join(", "));
        return Err(Problem::bad_request(message));
    }
    let is_wanted = |record: &&Record| condition.as_ref().is_none_or(|condition| condition.holds(record));
    let items: Vec<Value> = records.iter().filter(is_wanted).map(|record| Value::Object(shape.write(record))).collect();
    request.value_page(collection.path, &items)
}

/// What is written of a record.
struct Shape {
    names: Option<Vec<String>>,
    expand: Option<&'static str>,
}

impl Shape {
    fn of(sim: &Sim, request: &Request<'_>, collection: &Collection, records: &[Record]) -> Result<Self, Problem> {
        let names = request.query.select();
        let known = |name: &str| {
            let is_known = |record: &Record| record.properties.contains_key(name);
            records.is_empty() || (records.iter().any(is_known) && !collection.relations.contains(&name))
        };
        if let Some(unknown) = names.iter().flatten().find(|name| !known(name)) {
            let kind = collection.kind;
            let message = format!(
                "Parsing OData Select and Expand failed: Could not find a property named '{unknown}' on type \
                 'microsoft.graph.{kind}'."
            );
            return Err(Problem::new(400, "BadRequest", message));
        }
        let Some(text) = request.query.get("$expand") else { return Ok(Self { names, expand: None }) };
        sim.refused(Feature::Expand)?;
        let name = text.split('(').next().unwrap_or_default().trim();
        let expand = collection.relations.iter().copied().find(|known| *known == name);
        match expand {
            Some(expand) => Ok(Self { names, expand: Some(expand) }),
            None => Err(Problem::new(400, "ExpandNotSupported", format!("$expand={text}: no such relationship."))),
        }
    }

    fn write(&self, record: &Record) -> Map<String, Value> {
        let is_relation = |name: &str| name == "federatedIdentityCredentials";
        let is_wanted = |name: &str| match &self.names {
            Some(names) => names.iter().any(|wanted| wanted == name),
            None => !is_relation(name),
        };
        let properties = record.properties.iter().filter(|(name, _)| is_wanted(name) && !is_relation(name));
        let mut map: Map<String, Value> = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(expand) = self.expand {
            let related = record.relations.get(expand).into_iter().flatten().take(MAX_EXPAND);
            let items = match record.properties.get(expand) {
                Some(items) => items.clone(),
                None => related.map(|(kind, id)| json!({"@odata.type": kind, "id": id})).collect(),
            };
            map.insert(expand.to_owned(), items);
        }
        map
    }
}

/// Conditions that all hold.
struct Condition(Vec<Test>);

enum Test {
    In(String, Vec<Value>),
    StartsWith(String, String),
}

impl Test {
    fn name(&self) -> &str {
        match self {
            Self::In(name, _) | Self::StartsWith(name, _) => name,
        }
    }
}

impl Condition {
    /// `name eq value`, `name in (…)`, `startsWith(name,'…')`, joined by `and`.
    fn parse(text: &str) -> Result<Self, Problem> {
        text.split(" and ").map(Self::test).collect::<Result<_, _>>().map(Self)
    }

    fn test(text: &str) -> Result<Test, Problem> {
        let text = text.trim();
        let wrong = || Problem::unsupported_query(format!("The filter '{text}' is not supported."));
        if let Some((name, value)) = text.split_once(" eq ") {
            return Ok(Test::In(name.trim().to_owned(), vec![literal(value)]));
        }
        if let Some((name, list)) = text.split_once(" in ") {
            let list = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')')).ok_or_else(wrong)?;
            return Ok(Test::In(name.trim().to_owned(), list.split(',').map(literal).collect()));
        }
        let lower = text.to_ascii_lowercase();
        let inner = lower.strip_prefix("startswith(").map(|_| &text["startswith(".len()..]);
        let (name, value) = inner
            .and_then(|inner| inner.strip_suffix(')'))
            .and_then(|inner| inner.split_once(','))
            .ok_or_else(wrong)?;
        let value = literal(value).as_str().map(str::to_lowercase).ok_or_else(wrong)?;
        Ok(Test::StartsWith(name.trim().to_owned(), value))
    }

    fn holds(&self, record: &Record) -> bool {
        self.0.iter().all(|test| match test {
            Test::In(name, values) => {
                let found = record.properties.get(name).unwrap_or(&Value::Null);
                values.iter().any(|value| match (found.as_str(), value.as_str()) {
                    (Some(found), Some(value)) => found.eq_ignore_ascii_case(value),
                    _ => found == value,
                })
            }
            Test::StartsWith(name, start) => record.text(name).to_lowercase().starts_with(start),
        })
    }
}

/// A text in quotes, a word, a number.
fn literal(text: &str) -> Value {
    let text = text.trim();
    match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(text) => json!(text.replace("''", "'")),
        None => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    }
}
