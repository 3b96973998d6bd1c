//! What an object schema has, and how a job could fill it: object types and attributes found by their names and types.

use super::current::{Current, is_of_product, list, text};
use super::existing::{ExistingType, id_key};
use super::fit::{FitProblem, Fitting, takes};
use crate::directory::attributes::attributes;
use crate::directory::{Attribute, AttributeSource, ObjectType};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most object types that are listed, and the most attributes of one.
const MAX_TYPES_READ: usize = 500;
const MAX_ATTRIBUTES_READ: usize = 200;

/// The object types of an object schema, and what a job could write into them.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaTypes {
    /// The name of the object schema; null while the import source has none.
    #[schema(required = true)]
    pub object_schema: Option<String>,
    /// Parents before their children, as Assets lists them.
    #[schema(max_items = 500)]
    pub types: Vec<SchemaType>,
    /// There are more than are listed.
    pub truncated: bool,
    /// For each kind of object, the object type that looks like it, if there is one.
    pub proposals: Vec<TypeProposal>,
}

/// An object type in Assets. Attributes of the types User and Group are not shown to an import.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaType {
    pub name: String,
    /// Null: an import cannot fill it.
    #[schema(required = true)]
    pub external_id: Option<String>,
    pub description: String,
    /// This service built it, for whatever import source.
    pub built_here: bool,
    /// The import source already fills it with these objects: `users`.
    #[schema(required = true)]
    pub filled_with: Option<String>,
    /// Its attributes.
    #[schema(max_items = 200)]
    pub attributes: Vec<SchemaAttribute>,
}

/// An attribute of an object type in Assets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaAttribute {
    pub name: String,
    /// Null: an import cannot fill it.
    #[schema(required = true)]
    pub external_id: Option<String>,
    /// As the schema document names it: `text`, `email`, `referenced_object`.
    pub r#type: String,
    /// Whether it is the name of the object.
    pub label: bool,
    /// Whether no two objects can have the same value.
    pub unique: bool,
    /// How many values an object must have.
    pub minimum_cardinality: i64,
    /// -1: no limit.
    pub maximum_cardinality: i64,
    /// The object type that a reference leads to.
    #[schema(required = true)]
    pub refers_to: Option<String>,
}

/// How a job could fill an object type that is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeProposal {
    pub object_type: ObjectType,
    /// For `objects.{objectType}.existing` of a job, as it is.
    pub existing: ExistingType,
    /// What does not fit, or is worth knowing.
    pub problems: Vec<FitProblem>,
}

/// What people call an attribute, beside our name and key.
fn attribute_names(key: &str) -> &'static [&'static str] {
    match key {
        "objectId" => &[
            "entra id",
            "entra object id",
            "azure id",
            "azure ad id",
            "azure object id",
            "azure ad object id",
            "aad id",
            "aad object id",
            "external id",
            "microsoft id",
            "id",
        ],
        "skuId" => &["id", "sku", "external id"],
        "displayName" | "name" => &["name", "full name", "employee name", "user", "group name", "device name"],
        "userPrincipalName" => {
            &["upn", "username", "user name", "login", "login name", "sign in name", "account", "logon name"]
        }
        "mail" => {
            &["email", "e mail", "email address", "e mail address", "mail address", "work email", "primary email"]
        }
        "givenName" => &["first name", "forename"],
        "surname" => &["last name", "family name"],
        "jobTitle" => &["title", "position", "role", "function"],
        "department" => &["dept", "department name"],
        "companyName" => &["organization", "organisation", "employer"],
        "officeLocation" => &["location", "office location", "site"],
        "employeeId" => &["employee number", "personnel number", "staff id", "staff number"],
        "mobilePhone" => &["mobile", "cell", "cell phone", "mobile number"],
        "businessPhones" => &["phone", "phone number", "telephone", "work phone", "business phone"],
        "accountEnabled" => &["enabled", "active", "account status", "is enabled"],
        "createdDateTime" => &["created on", "creation date", "created date", "entra created"],
        "lifecycle" => &["status", "state"],
        "manager" => &["supervisor", "reports to", "line manager"],
        "groups" => &["member of", "memberships", "group memberships"],
        "members" => &["users", "member"],
        "owners" => &["owner", "used by", "assigned to"],
        "licenses" => &["licences", "assigned licenses", "products"],
        "skuPartNumber" => &["sku part number", "product code"],
        "operatingSystemVersion" => &["os version", "operating system version"],
        "operatingSystem" => &["os"],
        "isCompliant" => &["is compliant"],
        "isManaged" => &["is managed"],
        _ => &[],
    }
}

/// Letters and digits in lower case, one space between words.
fn plain(name: &str) -> String {
    let words: String = name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is in an object schema (the answer to GET schema-and-mapping), with proposals.
pub fn schema_types(document: Option<&Value>) -> SchemaTypes {
    let current = Current::read(document.unwrap_or(&Value::Null));
    let name =
        document.and_then(|document| document.pointer("/schema/objectSchema")).map(|schema| text(schema, "name"));
    SchemaTypes {
        object_schema: name.filter(|name| !name.is_empty()).map(str::to_owned),
        types: current.types.iter().take(MAX_TYPES_READ).map(|of| described(of, &current)).collect(),
        truncated: current.types.len() > MAX_TYPES_READ
            || current.types.iter().any(|of| list(of, "attributes").count() > MAX_ATTRIBUTES_READ),
        proposals: proposals(&current),
    }
}

fn id_of(value: &Value) -> Option<String> {
    Some(text(value, "externalId")).filter(|id| !id.is_empty()).map(str::to_owned)
}

fn described(of: &Value, current: &Current) -> SchemaType {
    let mapping = current.mappings.get(text(of, "externalId"));
    SchemaType {
        name: text(of, "name").to_owned(),
        external_id: id_of(of),
        description: text(of, "description").to_owned(),
        built_here: is_of_product(text(of, "externalId")),
        filled_with: mapping.map(|mapping| text(mapping, "selector").to_owned()),
        attributes: list(of, "attributes")
            .take(MAX_ATTRIBUTES_READ)
            .map(|of| described_attribute(of, current))
            .collect(),
    }
}

fn described_attribute(of: &Value, current: &Current) -> SchemaAttribute {
    let is = |field: &str| of[field] == true;
    let target = (text(of, "type") == "referenced_object").then(|| current.reference_target(of)).flatten();
    let target = target.map(|id| current.by_id.get(id).map_or(id, |of| text(of, "name")).to_owned());
    SchemaAttribute {
        name: text(of, "name").to_owned(),
        external_id: id_of(of),
        r#type: text(of, "type").to_owned(),
        label: is("label"),
        unique: is("unique"),
        minimum_cardinality: of["minimumCardinality"].as_i64().unwrap_or(0),
        maximum_cardinality: of["maximumCardinality"].as_i64().unwrap_or(1),
        refers_to: target
            .or_else(|| Some(text(of, "referenceObjectTypeName").to_owned()).filter(|name| !name.is_empty())),
    }
}

fn proposals(current: &Current) -> Vec<TypeProposal> {
    let found = |object_type: ObjectType| {
        let is_free = |of: &&Value| !text(of, "externalId").is_empty() && !is_of_product(text(of, "externalId"));
        object_type
            .spec()
            .names
            .iter()
            .find_map(|name| current.types.iter().filter(is_free).find(|of| plain(text(of, "name")) == *name))
    };
    let types: Vec<(ObjectType, &Value)> =
        ObjectType::ALL.into_iter().filter_map(|object_type| Some((object_type, found(object_type)?))).collect();
    let target_of =
        |wanted: ObjectType| types.iter().find(|(object_type, _)| *object_type == wanted).and_then(|(_, of)| id_of(of));
    types
        .iter()
        .filter_map(|(object_type, of)| {
            let existing = proposal(*object_type, of, current, &target_of)?;
            let fitting = Fitting {
                object_type: *object_type,
                existing: &existing,
                current,
                target_of: &target_of,
                problems: Vec::new(),
            };
            let problems = fitting.check();
            Some(TypeProposal { object_type: *object_type, problems, existing })
        })
        .collect()
}

/// The attributes that look like ours. `None`: nothing tells the objects apart.
fn proposal(
    object_type: ObjectType,
    of: &Value,
    current: &Current,
    target_of: &dyn Fn(ObjectType) -> Option<String>,
) -> Option<ExistingType> {
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    let mut taken: Vec<&str> = Vec::new();
    // A name of ours is a better sign than one that people also use.
    for is_ours in [true, false] {
        for ours in attributes(object_type).iter().filter(|ours| !matches!(ours.source, AttributeSource::RemovedOn)) {
            let names: Vec<String> = match is_ours {
                true => vec![plain(&ours.name), plain(&ours.key), plain(&spaced(&ours.key))],
                false => attribute_names(&ours.key).iter().map(|name| (*name).to_owned()).collect(),
            };
            let fits = |theirs: &&Value| {
                let id = text(theirs, "externalId");
                !id.is_empty()
                    && !taken.contains(&id)
                    && names.contains(&plain(text(theirs, "name")))
                    && is_open(ours, theirs, current, target_of)
            };
            if !chosen.contains_key(ours.key.as_ref())
                && let Some(theirs) = list(of, "attributes").find(fits)
            {
                taken.push(text(theirs, "externalId"));
                chosen.insert(ours.key.clone().into_owned(), text(theirs, "name").to_owned());
            }
        }
    }
    let identity = [id_key(object_type), "userPrincipalName", "mail", "skuPartNumber", "deviceId"];
    let identity = identity.into_iter().find(|key| chosen.contains_key(*key))?;
    Some(ExistingType {
        object_type: text(of, "name").to_owned(),
        identity: identity.to_owned(),
        attributes: chosen,
        match_by: None,
    })
}

/// Whether an attribute of theirs takes ours: a reference leads to the object type that is proposed for its objects.
fn is_open(
    ours: &Attribute,
    theirs: &Value,
    current: &Current,
    target_of: &dyn Fn(ObjectType) -> Option<String>,
) -> bool {
    let leads = |link: crate::directory::Link| {
        let target = target_of(link.target());
        target.is_some() && current.reference_target(theirs).map(str::to_owned) == target
    };
    let is_own = matches!(text(theirs, "name"), "Key" | "Created" | "Updated");
    !is_own && takes(ours, text(theirs, "type")) && ours.link().is_none_or(leads)
}

/// `jobTitle` as `job Title`.
fn spaced(key: &str) -> String {
    key.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(c);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::fit::FitCode;
    use serde_json::json;

    fn attribute(name: &str, kind: &str) -> Value {
        json!({"externalId": format!("cmdb::externalId/{name}"), "name": name, "type": kind, "label": name == "Name",
               "minimumCardinality": 0, "maximumCardinality": 1, "unique": false})
    }

    fn people(attributes: Vec<Value>) -> Value {
        json!({"schema": {"objectSchema": {"name": "CMDB", "description": "", "objectTypes": [
            {"externalId": "cmdb::externalId/people", "name": "People", "attributes": attributes}]}}})
    }

    #[test]
    fn attributes_are_found_by_name_and_type() {
        let document = people(vec![
            attribute("Key", "text"),
            attribute("Name", "text"),
            attribute("E-Mail", "email"),
            attribute("Title", "select"),
            attribute("Department", "integer"),
            attribute("Desk", "text"),
            json!({"externalId": "m", "name": "Manager", "type": "referenced_object",
                   "referenceObjectTypeExternalId": "cmdb::externalId/people"}),
        ]);
        let found = schema_types(Some(&document));
        assert_eq!((found.object_schema.as_deref(), found.types.len(), found.truncated), (Some("CMDB"), 1, false));
        let [proposal] = &found.proposals[..] else { panic!("{:?}", found.proposals) };
        let existing = json!(proposal.existing);
        assert_eq!(
            existing,
            json!({"objectType": "People", "identity": "mail", "attributes":
                {"displayName": "Name", "mail": "E-Mail", "jobTitle": "Title", "manager": "Manager"}})
        );
        let codes: Vec<FitCode> = proposal.problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [FitCode::IdentityNotUnique]);
    }

    #[test]
    fn a_type_without_an_identity_or_built_here_is_not_proposed() {
        let without = people(vec![attribute("Name", "text")]);
        assert!(schema_types(Some(&without)).proposals.is_empty());
        let mut ours = people(vec![attribute("Name", "text"), attribute("Mail", "text")]);
        assert_eq!(schema_types(Some(&ours)).proposals.len(), 1);
        ours["schema"]["objectSchema"]["objectTypes"][0]["externalId"] = json!("entra-0123abcd/user");
        let found = schema_types(Some(&ours));
        assert!(found.proposals.is_empty() && found.types[0].built_here);
        assert!(schema_types(None).types.is_empty());
    }
}
