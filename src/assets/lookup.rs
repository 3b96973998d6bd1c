//! Objects that others made: found by their values, listed by their type, and given an identity. By the object API, within
//! its limits (docs/assets.md, «Limits»).

use super::client::Client;
use super::error::{AssetsError, AssetsErrorKind, Result};
use super::objects::{SiteAccess, number};
use super::request::{Repeat, Request, json_body};
use super::wire::{AqlPage, ObjectSchemaPage, ObjectTypeEntry, id_text};
use reqwest::Method;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// Values in one query.
pub const VALUES_IN_A_QUERY: usize = 50;
/// Object schemas read at once.
const SCHEMAS: usize = 50;

/// An object type in the object API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypePlace {
    pub object_schema_id: String,
    pub object_type_id: String,
}

/// An object as people see it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeenObject {
    /// Its id in the object API: a number.
    pub id: String,
    /// Such as `ITSM-5186`.
    pub key: String,
    pub label: String,
    /// By the names of the attributes. Of a reference: the key of the object.
    pub values: BTreeMap<String, Vec<String>>,
}

/// A value as Assets compares it: without regard to case.
pub fn fold(value: &str) -> String {
    value.trim().to_lowercase()
}

/// A part of the objects of a type.
#[derive(Clone, Debug, Default)]
pub struct SeenObjects {
    pub objects: Vec<SeenObject>,
    /// The ids of the type's attributes by their names.
    pub attribute_ids: BTreeMap<String, String>,
    /// How many objects the answer had, of whatever type.
    pub length: usize,
    pub is_last: bool,
}

impl Client {
    /// The ids of an object type, by the id of its object schema or, where that is not known, by the schema's name.
    pub async fn find_type(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        (schema_id, schema_name): (Option<String>, &str),
        type_name: &str,
    ) -> Result<TypePlace> {
        let object_schema_id = match schema_id {
            Some(id) => id,
            None => self.schema_named(access, workspace_id, schema_name).await?,
        };
        let url =
            self.object_url(workspace_id, &format!("objectschema/{}/objecttypes/flat", number(&object_schema_id)?))?;
        let types: Vec<ObjectTypeEntry> = self.get("GET objecttypes", access.credential(), url).await?;
        let found = types.iter().find(|of| of.name == type_name).ok_or_else(|| {
            let detail = format!("the object schema has no object type «{type_name}» that this user may see");
            AssetsError::new(AssetsErrorKind::NotFound, detail).during("GET objecttypes")
        })?;
        Ok(TypePlace { object_schema_id, object_type_id: number(&id_text(&found.id))?.to_owned() })
    }

    /// The id of the one object schema with this name.
    async fn schema_named(&self, access: &SiteAccess, workspace_id: &str, name: &str) -> Result<String> {
        let mut found: Vec<String> = Vec::new();
        let mut start = 0;
        loop {
            let mut url = self.object_url(workspace_id, "objectschema/list")?;
            url.query_pairs_mut()
                .append_pair("startAt", &start.to_string())
                .append_pair("maxResults", &SCHEMAS.to_string());
            let page: ObjectSchemaPage = self.get("GET objectschema/list", access.credential(), url).await?;
            found.extend(page.values.iter().filter(|schema| schema.name == name).map(|schema| id_text(&schema.id)));
            start += page.values.len();
            if page.values.is_empty() || page.is_last.or(page.last).unwrap_or(page.values.len() < SCHEMAS) {
                break;
            }
        }
        match &found[..] {
            [only] => Ok(only.clone()),
            _ => {
                let detail = format!("{} object schemas that this user may see are called «{name}»", found.len());
                Err(AssetsError::new(AssetsErrorKind::NotFound, detail).during("GET objectschema/list"))
            }
        }
    }

    /// The objects of a type that have one of these values in an attribute. Assets compares without regard to case. Where
    /// there are more than `most`, some are left out, and `is_last` is false.
    pub async fn find_by_values(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        place: &TypePlace,
        attribute: &str,
        values: &[String],
        most: Option<usize>,
    ) -> Result<SeenObjects> {
        let mut all = SeenObjects { is_last: true, ..SeenObjects::default() };
        for values in values.chunks(VALUES_IN_A_QUERY) {
            let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            let condition = format!(" AND {} IN ({})", quoted_name(attribute), quoted.join(", "));
            let mut start = 0;
            loop {
                let page = self.objects_of(access, workspace_id, place, &condition, start).await?;
                start += page.length;
                all.objects.extend(page.objects);
                all.attribute_ids.extend(page.attribute_ids);
                if most.is_some_and(|most| all.objects.len() > most) {
                    return Ok(SeenObjects { is_last: false, ..all });
                }
                if page.is_last {
                    break;
                }
            }
        }
        Ok(all)
    }

    /// Objects of a type, from the one at `start`.
    pub async fn objects_from(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        place: &TypePlace,
        start: usize,
    ) -> Result<SeenObjects> {
        self.objects_of(access, workspace_id, place, "", start).await
    }

    async fn objects_of(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        place: &TypePlace,
        condition: &str,
        start: usize,
    ) -> Result<SeenObjects> {
        let query = format!("objectTypeId = {}{condition}", place.object_type_id);
        let (page, is_last) = self.aql_page(access, workspace_id, &json!({ "qlQuery": query }), start).await?;
        Ok(seen(place, page, is_last))
    }

    /// Writes one value of an object, or takes the value away. Its other attributes stay unchanged.
    pub async fn write_value(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        (place, object_id): (&TypePlace, &str),
        attribute_id: &str,
        value: Option<&str>,
    ) -> Result<()> {
        self.between_writes().await;
        let values: Vec<_> = value.iter().map(|value| json!({ "value": value })).collect();
        let attributes = json!([{ "objectTypeAttributeId": attribute_id, "objectAttributeValues": values }]);
        let request = Request {
            action: "PUT object",
            method: Method::PUT,
            url: self.object_url(workspace_id, &format!("object/{}", number(object_id)?))?,
            credential: access.credential(),
            body: json_body(&json!({ "objectTypeId": place.object_type_id, "attributes": attributes })),
            repeat: Repeat::Safe,
        };
        self.send(&request).await.map(|_| ())
    }
}

/// A text in a query. Source: docs/assets.md, «Object API».
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace(['"', '\\'], ""))
}

/// Takes only objects of the type: a query that Assets interprets differently must not lead to another object.
fn seen(place: &TypePlace, page: AqlPage, is_last: bool) -> SeenObjects {
    let names: HashMap<String, &str> =
        page.object_type_attributes.iter().map(|attribute| (id_text(&attribute.id), attribute.name.as_str())).collect();
    let is_of_type = |of: &&super::wire::AqlObject| {
        let schema = id_text(&of.object_type.object_schema_id);
        id_text(&of.object_type.id) == place.object_type_id && (schema.is_empty() || schema == place.object_schema_id)
    };
    let objects = page.values.iter().filter(is_of_type).map(|object| {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for attribute in &object.attributes {
            let Some(name) = names.get(&id_text(&attribute.object_type_attribute_id)) else { continue };
            let texts = attribute.object_attribute_values.iter().map(|value| match &value.referenced_object {
                Some(object) => object.object_key.clone(),
                None if value.value.is_null() => value.display_value.clone().unwrap_or_default(),
                None => value.value.as_str().map_or_else(|| value.value.to_string(), str::to_owned),
            });
            values.entry((*name).to_owned()).or_default().extend(texts);
        }
        SeenObject { id: id_text(&object.id), key: object.object_key.clone(), label: object.label.clone(), values }
    });
    let objects = objects.collect();
    let length = page.values.len();
    let attribute_ids = page.object_type_attributes.into_iter().map(|of| (of.name, id_text(&of.id))).collect();
    SeenObjects { objects, attribute_ids, length, is_last }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_text() {
        assert_eq!(quoted(r#"a" OR "b\"#), r#""a\" OR \"b\\""#);
        assert_eq!(quoted_name(r#"Na"me"#), r#""Name""#);
    }

    #[test]
    fn objects_of_other_types_are_not_seen() {
        let object = |id: &str, of: &str| {
            json!({"id": id, "objectKey": format!("E-{id}"), "label": "Ada", "objectType": {"id": of, "objectSchemaId": 1},
                   "attributes": [
                       {"objectTypeAttributeId": "70", "objectAttributeValues": [{"value": "a@x"}]},
                       {"objectTypeAttributeId": "71", "objectAttributeValues": [
                           {"value": "9", "referencedObject": {"objectKey": "E-9"}}]},
                       {"objectTypeAttributeId": "72", "objectAttributeValues": [{"displayValue": "Active"}]}]})
        };
        let page: AqlPage = serde_json::from_value(json!({"isLast": true,
            "objectTypeAttributes": [{"id": "70", "name": "Mail"}, {"id": 71, "name": "Boss"}, {"id": "72", "name": "State"}],
            "values": [object("1", "23"), object("2", "24")]}))
        .unwrap();
        let place = TypePlace { object_schema_id: "1".to_owned(), object_type_id: "23".to_owned() };
        let found = seen(&place, page, true);
        let [one] = &found.objects[..] else { panic!("{found:?}") };
        let values = json!({"Mail": ["a@x"], "Boss": ["E-9"], "State": ["Active"]});
        assert_eq!((json!(one.values), one.key.as_str(), found.length), (values, "E-1", 2));
        assert_eq!(found.attribute_ids["Boss"], "71");
    }
}
