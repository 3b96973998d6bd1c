//! Collections whose objects are kept as JSON: their lists, single objects, and what these are related with. What a
//! collection allows is a row of the table; what is in it, a file of `seed/records`.

use super::answer::{Answer, Answered, Problem};
use super::filter::record::{Comparable, Condition};
use super::list::clause;
use super::permission::{self as may, AnyOf};
use super::request::Request;
use super::shape::MAX_EXPAND;
use super::sim::{Feature, Sim};
use crate::seed::{Directory, Record};
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
    /// What `$filter` can compare.
    comparable: &'static [Comparable],
    /// A list of it needs a filter on one of these.
    needs_filter: &'static [&'static str],
    /// It belongs to the directory, so it has advanced queries.
    is_directory: bool,
}

/// Sources: the page «List …» of each collection in <https://learn.microsoft.com/graph/api/overview>.
const COLLECTIONS: &[Collection] = &[
    Collection {
        path: "applications",
        permissions: may::APPLICATIONS,
        kind: "application",
        relations: &["owners", "federatedIdentityCredentials"],
        comparable: &[
            ("appId", "e"),
            ("createdDateTime", "EGN"),
            ("description", "EGS"),
            ("disabledByMicrosoftStatus", "E"),
            ("displayName", "eGsN"),
            ("id", "e"),
            ("identifierUris", "eGS"),
            ("publisherDomain", "EGS"),
            ("signInAudience", "E"),
            ("tags", "EGS"),
        ],
        needs_filter: &[],
        is_directory: true,
    },
    Collection {
        path: "servicePrincipals",
        permissions: may::APPLICATIONS,
        kind: "servicePrincipal",
        relations: &["owners"],
        comparable: &[
            ("accountEnabled", "E"),
            ("alternativeNames", "EGS"),
            ("appId", "eS"),
            ("appOwnerOrganizationId", "EG"),
            ("appRoleAssignmentRequired", "E"),
            ("description", "EGS"),
            ("disabledByMicrosoftStatus", "E"),
            ("displayName", "eGsN"),
            ("id", "e"),
            ("servicePrincipalNames", "eGS"),
            ("servicePrincipalType", "e"),
            ("tags", "eGS"),
        ],
        needs_filter: &[],
        is_directory: true,
    },
    Collection {
        path: "roleManagement/directory/roleDefinitions",
        permissions: may::ROLES,
        kind: "unifiedRoleDefinition",
        relations: &[],
        comparable: &[("displayName", "e"), ("id", "e"), ("isBuiltIn", "e")],
        needs_filter: &[],
        is_directory: false,
    },
    Collection {
        path: "roleManagement/directory/roleAssignments",
        permissions: may::ROLES,
        kind: "unifiedRoleAssignment",
        relations: &[],
        comparable: &[("roleDefinitionId", "e"), ("principalId", "e")],
        // Older versions of the page say that a list without a filter is refused.
        needs_filter: &["roleDefinitionId", "principalId"],
        is_directory: false,
    },
    Collection {
        path: "directory/administrativeUnits",
        permissions: may::UNITS,
        kind: "administrativeUnit",
        relations: &["members"],
        comparable: &[("description", "ES"), ("displayName", "eGsN"), ("id", "e")],
        needs_filter: &[],
        is_directory: true,
    },
    Collection {
        path: "deviceManagement/managedDevices",
        permissions: may::MANAGED_DEVICES,
        kind: "managedDevice",
        relations: &[],
        comparable: &[("deviceName", "es"), ("id", "e"), ("operatingSystem", "es")],
        needs_filter: &[],
        is_directory: false,
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.application",
        permissions: may::APPLICATIONS,
        kind: "application",
        relations: &[],
        comparable: &[("id", "e")],
        needs_filter: &[],
        is_directory: true,
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.servicePrincipal",
        permissions: may::APPLICATIONS,
        kind: "servicePrincipal",
        relations: &[],
        comparable: &[("id", "e")],
        needs_filter: &[],
        is_directory: true,
    },
    Collection {
        path: "directory/deletedItems/microsoft.graph.administrativeUnit",
        permissions: may::UNITS,
        kind: "administrativeUnit",
        relations: &[],
        comparable: &[("id", "e")],
        needs_filter: &[],
        is_directory: true,
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
    let of_tenant = super::apps::as_records(sim, request, collection.path)?;
    let directory = request.token.directory.read().unwrap_or_else(PoisonError::into_inner);
    let records: Vec<&Record> = of_tenant.iter().chain(directory.records(collection.path)).collect();
    match rest {
        [] => list(sim, request, collection, &directory, &records),
        ["$count"] => count(sim, request, collection, &records),
        [key] => {
            let shape = Shape::of(sim, request, collection, &records)?;
            let record = find(&records, key)?;
            let mut whole = Map::new();
            let context = format!("{}/{}/$metadata#{}/$entity", request.origin, request.version(), collection.path);
            whole.insert("@odata.context".to_owned(), json!(context));
            whole.extend(shape.write(&directory, record));
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
            let items: Vec<Value> = related(&directory, record, relation).collect();
            request.value_page("directoryObjects", &items)
        }
        _ => Err(Problem::bad_request("Resource not found for the segment.")),
    }
}

fn find<'r>(records: &[&'r Record], key: &str) -> Result<&'r Record, Problem> {
    let id = Uuid::parse_str(key).ok();
    records.iter().copied().find(|record| Some(record.id) == id).ok_or_else(|| Problem::not_found(key))
}

/// The objects that a record is related with, but for those of the directory that were deleted.
fn related<'r>(directory: &'r Directory, record: &'r Record, relation: &str) -> impl Iterator<Item = Value> + use<'r> {
    let is_there = |id: &Uuid| directory.find(*id).is_none_or(|found| directory.is_live(found));
    let objects = record.relations.get(relation).into_iter().flatten().filter(move |(_, id)| is_there(id));
    objects.map(|(kind, id)| json!({"@odata.type": kind, "id": id}))
}

fn list(
    sim: &Sim,
    request: &Request<'_>,
    collection: &Collection,
    directory: &Directory,
    records: &[&Record],
) -> Answered {
    sim.check_top(&request.query, collection.path)?;
    let shape = Shape::of(sim, request, collection, records)?;
    let advanced = request.advanced() && collection.is_directory;
    if advanced && request.query.has("$expand") {
        let message = "Request with $expand query parameter is not supported with advanced query capabilities.";
        return Err(Problem::unsupported_query(message));
    }
    let found = matching(sim, request, collection, records, advanced)?;
    let count = (advanced && !request.query.has("$skiptoken")).then_some(found.len() as u64);
    let item = |n: usize| found.get(n).map_or(Value::Null, |record| Value::Object(shape.write(directory, record)));
    request.counted_page(collection.path, found.len(), count, item)
}

/// A number as plain text.
fn count(sim: &Sim, request: &Request<'_>, collection: &Collection, records: &[&Record]) -> Answered {
    if !request.eventual || !collection.is_directory {
        return Err(Problem::bad_request("$count is not currently supported."));
    }
    sim.refused(Feature::Count)?;
    Ok(Answer::text(200, matching(sim, request, collection, records, true)?.len().to_string()))
}

/// The records that `$filter` and `$search` leave.
fn matching<'r>(
    sim: &Sim,
    request: &Request<'_>,
    collection: &Collection,
    records: &[&'r Record],
    advanced: bool,
) -> Result<Vec<&'r Record>, Problem> {
    let text = request.query.get("$filter");
    let condition = text.map(|text| Condition::parse(text, collection.comparable, advanced)).transpose()?;
    let is_named = |condition: &Condition| collection.needs_filter.iter().any(|name| condition.names(name));
    if !collection.needs_filter.is_empty() && !condition.as_ref().is_some_and(is_named) {
        let message = format!("Filter needs one of: {}.", collection.needs_filter.join(", "));
        return Err(Problem::bad_request(message));
    }
    if let Some(condition) = condition.as_ref().filter(|_| collection.is_directory && !advanced)
        && !condition.names("id")
    {
        sim.refused(Feature::DefaultFilter)?;
    }
    let search = match request.query.get("$search") {
        Some(_) if !request.eventual => return Err(Problem::unsupported_query("$search needs ConsistencyLevel.")),
        text => text.map(clause).transpose()?,
    };
    let contains = |record: &Record, (name, term): &(String, String)| {
        record.text(name).to_lowercase().contains(&term.to_lowercase())
    };
    let is_wanted = |record: &&Record| {
        condition.as_ref().is_none_or(|condition| condition.holds(record))
            && search.as_ref().is_none_or(|search| contains(record, search))
    };
    Ok(records.iter().copied().filter(is_wanted).collect())
}

/// What is written of a record.
struct Shape {
    names: Option<Vec<String>>,
    expand: Option<&'static str>,
}

impl Shape {
    fn of(sim: &Sim, request: &Request<'_>, collection: &Collection, records: &[&Record]) -> Result<Self, Problem> {
        let names = request.query.select();
        let known = |name: &str| {
            let is_known = |record: &&Record| record.properties.contains_key(name);
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

    fn write(&self, directory: &Directory, record: &Record) -> Map<String, Value> {
        let is_relation = |name: &str| name == "federatedIdentityCredentials";
        let is_wanted = |name: &str| match &self.names {
            Some(names) => names.iter().any(|wanted| wanted == name),
            None => !is_relation(name),
        };
        let properties = record.properties.iter().filter(|(name, _)| is_wanted(name) && !is_relation(name));
        let mut map: Map<String, Value> = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(expand) = self.expand {
            let items = match record.properties.get(expand) {
                Some(items) => items.clone(),
                None => related(directory, record, expand).take(MAX_EXPAND).collect(),
            };
            map.insert(expand.to_owned(), items);
        }
        map
    }
}
