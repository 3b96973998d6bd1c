//! How the document that would be sent differs from the schema in Assets, and what Assets does not allow to change.
//! Source: docs/assets.md, «Changing a mapping».

use super::Mapping;
use super::current::{Current, Names, is_of_product, list, text};
use super::document::{ExternalIds, ImportSource};
use super::fit::{FitProblem, Fitting};
use super::lookup_fit;
use crate::text_enum::explained;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

/// What «Build objects/attributes» would do to the schema in Assets.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SchemaDifference)]
pub struct Difference {
    /// Nothing would be added or changed.
    pub in_sync: bool,
    /// Names of the object types that would be added.
    pub added_object_types: Vec<String>,
    /// Attributes that would be added to object types that exist.
    pub added_attributes: Vec<AttributeName>,
    /// What would be changed: descriptions, and how attributes are filled.
    pub changed: Vec<Change>,
    /// Changes that this job needs and Assets does not allow; nothing changes in Assets.
    pub refused: Vec<Refused>,
    /// Object types and attributes that people created; the import does not change them.
    pub foreign: Vec<AttributeName>,
    /// Attributes of earlier settings that the job no longer fills. They keep their values.
    pub unused: Vec<AttributeName>,
}

/// An attribute by its names in Assets; the object type itself if `attribute` is null.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeName {
    /// The name of the object type in Assets.
    pub object_type: String,
    /// The name of the attribute in Assets; null: it is about the object type itself.
    pub attribute: Option<String>,
}

/// A part of an object type or attribute that Assets has otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SchemaChange)]
pub struct Change {
    /// The name of the object type in Assets.
    pub object_type: String,
    /// The name of the attribute in Assets; null: it is about the object type itself.
    pub attribute: Option<String>,
    /// The field of the document: `description`, `attributeLocators`, `objectMappingIQL`, `externalIdPart`.
    pub field: String,
    /// What Assets has.
    pub current: String,
    /// What the job wants there.
    pub wanted: String,
}

/// A difference that an import cannot fix.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SchemaRefusal)]
pub struct Refused {
    /// The name of the object type in Assets.
    pub object_type: String,
    /// The name of the attribute in Assets; null: it is about the object type itself.
    pub attribute: Option<String>,
    /// Which change it would be.
    pub kind: RefusedKind,
    /// What Assets has.
    pub current: String,
    /// What the job wants there.
    pub wanted: String,
    /// What to do about it.
    pub advice: String,
    /// The field of the job that asks for it, where it is about an object type of others:
    /// `/objects/users/existing/attributes/mail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// Why a document cannot be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// Something has a name in Assets that the job needs for something else.
    NameTaken(String),
    /// An object type of others does not fit what the job writes into it.
    Unfit(String),
}

explained! {
    /// A change that Assets does not allow an import to make.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = SchemaRefusalKind)]
    pub enum RefusedKind {
        /// Another name of an object type.
        RenameObjectType,
        /// Another name of an attribute.
        RenameAttribute,
        /// Another type of an attribute.
        ChangeType,
        /// Another object type that an attribute refers to.
        ChangeReferencedType,
        /// The number of values, uniqueness, or which attribute is the label. The documentation does not say that an import can
        /// change them.
        ChangeConstraint,
        /// An object type or attribute of this name, made by a person or an earlier import source, has another form.
        NameTaken,
        /// An object type of others, or an attribute of it, does not fit what the job writes into it: it is not there, has no
        /// external id, or another type.
        Unfit,
    }
}

impl Mapping {
    /// Compares this mapping with the schema in Assets (`current`: the response to GET schema-and-mapping, or `None` if
    /// there is none yet).
    pub fn difference(&self, source: ImportSource<'_>, current: Option<&Value>) -> Difference {
        let current = Current::read(current.unwrap_or(&Value::Null));
        let ids = self.external_ids(source, &current);
        let wanted = self.write(source, &ids, &Names(None));
        let mut difference = Difference::default();
        self.compare_existing(&current, &ids, &mut difference);
        let wanted_types: Vec<&Value> = wanted
            .pointer("/schema/objectSchema/objectTypes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        let queries = self.patched_queries(source, &current);
        for wanted in &wanted_types {
            difference.compare_type(wanted, &current, &ids);
        }
        for mapping in wanted.pointer("/mapping/objectTypeMappings").and_then(Value::as_array).into_iter().flatten() {
            difference.compare_mapping(mapping, &current, &queries);
        }
        difference.list_foreign_and_unused(&wanted, &current, &ids);
        difference.in_sync = difference.added_object_types.is_empty()
            && difference.added_attributes.is_empty()
            && difference.changed.is_empty();
        difference
    }

    /// What does not fit of the object types of others.
    fn compare_existing(&self, current: &Current, ids: &ExternalIds, difference: &mut Difference) {
        let target_of = |of| self.is_enabled(of).then(|| ids.object_type(of));
        for mapped in self.types.iter().filter(|mapped| mapped.enabled) {
            for problem in lookup_fit::problems(mapped, current).into_iter().filter(|problem| problem.blocks) {
                difference.refused.push(unfit(&mapped.name, problem));
            }
            let Some(existing) = &mapped.existing else { continue };
            let fitting = Fitting {
                object_type: mapped.object_type,
                existing,
                current,
                target_of: &target_of,
                problems: Vec::new(),
            };
            for problem in fitting.check().into_iter().filter(|problem| problem.blocks) {
                difference.refused.push(unfit(&existing.object_type, problem));
            }
        }
    }

    /// The mapping queries as they would be sent, with the names in Assets.
    fn patched_queries(&self, source: ImportSource<'_>, current: &Current) -> HashMap<String, String> {
        let patched = self.write_with(source, current);
        let mappings = patched.pointer("/mapping/objectTypeMappings").and_then(Value::as_array);
        let attributes = mappings.into_iter().flatten().flat_map(|mapping| list(mapping, "attributesMapping"));
        attributes
            .map(|a| (text(a, "attributeExternalId").to_owned(), text(a, "objectMappingIQL").to_owned()))
            .collect()
    }
}

impl Difference {
    /// Why the document cannot be sent.
    pub fn blocked(&self) -> Option<Blocked> {
        let unfit = self.refused.iter().filter(|refused| refused.kind == RefusedKind::Unfit);
        let unfit: Vec<String> = unfit
            .map(|refused| {
                format!("{} ({})", refused.wanted.trim_end_matches('.'), refused.pointer.as_deref().unwrap_or_default())
            })
            .collect();
        match unfit.is_empty() {
            false => Some(Blocked::Unfit(unfit.join("; "))),
            true => self.name_taken().map(Blocked::NameTaken),
        }
    }

    /// What has a name in Assets that the job needs for something else.
    pub fn name_taken(&self) -> Option<String> {
        let refused = self.refused.iter().find(|refused| refused.kind == RefusedKind::NameTaken)?;
        let what = match &refused.attribute {
            Some(attribute) => format!("the attribute «{attribute}» of the object type «{}»", refused.object_type),
            None => format!("the object type «{}»", refused.object_type),
        };
        Some(match refused.current == refused.wanted {
            true => format!("{what} stands for something else already"),
            false => format!("{what} is {} where the job needs {}", refused.current, refused.wanted),
        })
    }

    fn compare_type(&mut self, wanted: &Value, current: &Current, ids: &ExternalIds) {
        let name = text(wanted, "name");
        let Some(found) = current.by_id.get(text(wanted, "externalId")) else {
            self.added_object_types.push(name.to_owned());
            if current.types.iter().any(|other| text(other, "name").eq_ignore_ascii_case(name)) {
                self.refused.push(refused(name, None, RefusedKind::NameTaken, name, name));
            }
            return;
        };
        let found_name = text(found, "name");
        if found_name != name {
            self.refused.push(refused(found_name, None, RefusedKind::RenameObjectType, found_name, name));
        }
        self.compare_text(found_name, None, "description", text(found, "description"), text(wanted, "description"));
        for attribute in list(wanted, "attributes") {
            match current.by_id.get(text(attribute, "externalId")) {
                Some(found) => self.compare_attribute(found_name, attribute, found, (current, ids)),
                None => self.add_attribute(found, attribute),
            }
        }
    }

    fn add_attribute(&mut self, found: &Value, wanted: &Value) {
        let (object_type, name) = (text(found, "name"), text(wanted, "name"));
        if list(found, "attributes").any(|other| text(other, "name").eq_ignore_ascii_case(name)) {
            self.refused.push(refused(object_type, Some(name), RefusedKind::NameTaken, name, name));
        }
        self.added_attributes.push(attribute_name(object_type, Some(name)));
    }

    fn compare_attribute(
        &mut self,
        object_type: &str,
        wanted: &Value,
        found: &Value,
        (current, ids): (&Current, &ExternalIds),
    ) {
        let name = text(found, "name");
        if name != text(wanted, "name") {
            self.refused.push(refused(
                object_type,
                Some(name),
                RefusedKind::RenameAttribute,
                name,
                text(wanted, "name"),
            ));
        }
        // What another import source or a person made can be taken over only in the same form.
        let id = text(found, "externalId");
        let is_taken_over = ids.is_adopted(id) && !current.is_mapped(id);
        let kind = |of_ours| if is_taken_over { RefusedKind::NameTaken } else { of_ours };
        let (is, should) = (text(found, "type"), text(wanted, "type"));
        if is != should {
            self.refused.push(refused(object_type, Some(name), kind(RefusedKind::ChangeType), is, should));
        }
        let (is, should) = (current.reference_target(found), text(wanted, "referenceObjectTypeExternalId"));
        if let Some(is) = is.filter(|is| *is != should) {
            let is = current.by_id.get(is).map_or(is, |target| text(target, "name"));
            let (is, should) = (format!("a reference to {is}"), text(wanted, "referenceObjectTypeName"));
            let should = format!("a reference to {should}");
            self.refused.push(refused(object_type, Some(name), kind(RefusedKind::ChangeReferencedType), &is, &should));
        }
        for field in ["maximumCardinality", "minimumCardinality", "unique", "label"] {
            // Assets sets `minimumCardinality` of the label to 1; a stricter value of the admin stays.
            if let (Some(is), Some(should)) = (found.get(field), wanted.get(field))
                && is != should
            {
                let (is, should) = (format!("{field} {is}"), format!("{field} {should}"));
                self.refused.push(refused(object_type, Some(name), RefusedKind::ChangeConstraint, &is, &should));
            }
        }
        self.compare_text(
            object_type,
            Some(name),
            "description",
            text(found, "description"),
            text(wanted, "description"),
        );
    }

    fn compare_mapping(&mut self, wanted: &Value, current: &Current, queries: &HashMap<String, String>) {
        let object_type = text(wanted, "objectTypeName");
        let Some(found) = current.mappings.get(text(wanted, "objectTypeExternalId")) else {
            let is_new = !current.by_id.contains_key(text(wanted, "objectTypeExternalId"));
            if !is_new {
                self.compare_text(object_type, None, "selector", "", text(wanted, "selector"));
            }
            return;
        };
        self.compare_text(object_type, None, "selector", text(found, "selector"), text(wanted, "selector"));
        for attribute in list(wanted, "attributesMapping") {
            let id = text(attribute, "attributeExternalId");
            let name = text(attribute, "attributeName");
            let Some(found) = list(found, "attributesMapping").find(|found| text(found, "attributeExternalId") == id)
            else {
                if current.by_id.contains_key(id) {
                    self.compare_text(object_type, Some(name), "attributeLocators", "", &locators(attribute));
                }
                continue;
            };
            self.compare_text(object_type, Some(name), "attributeLocators", &locators(found), &locators(attribute));
            let query = queries.get(id).map_or("", String::as_str);
            self.compare_text(object_type, Some(name), "objectMappingIQL", text(found, "objectMappingIQL"), query);
            let is_part = |mapping: &Value| (mapping["externalIdPart"] == true).to_string();
            self.compare_text(object_type, Some(name), "externalIdPart", &is_part(found), &is_part(attribute));
        }
    }

    fn compare_text(&mut self, object_type: &str, attribute: Option<&str>, field: &str, current: &str, wanted: &str) {
        if current != wanted {
            self.changed.push(Change {
                object_type: object_type.to_owned(),
                attribute: attribute.map(str::to_owned),
                field: field.to_owned(),
                current: current.to_owned(),
                wanted: wanted.to_owned(),
            });
        }
    }

    /// What Assets has besides the document: created by people, or by earlier settings of the job.
    fn list_foreign_and_unused(&mut self, wanted: &Value, current: &Current, ids: &ExternalIds) {
        // Every object type and attribute of the job is mapped.
        let mappings = wanted.pointer("/mapping/objectTypeMappings").and_then(Value::as_array);
        let mappings = mappings.into_iter().flatten();
        let wanted: Vec<&str> = mappings
            .flat_map(|mapping| {
                let attributes = list(mapping, "attributesMapping").map(|of| text(of, "attributeExternalId"));
                std::iter::once(text(mapping, "objectTypeExternalId")).chain(attributes)
            })
            .collect();
        for object_type in &current.types {
            let (name, id) = (text(object_type, "name"), text(object_type, "externalId"));
            if !wanted.contains(&id) {
                let list = if ids.is_ours(id) { &mut self.unused } else { &mut self.foreign };
                list.push(attribute_name(name, None));
                continue;
            }
            for attribute in list(object_type, "attributes") {
                let (id, attribute) = (text(attribute, "externalId"), text(attribute, "name"));
                if wanted.contains(&id) || is_assets_own(attribute) {
                    continue;
                }
                let list = if is_of_product(id) { &mut self.unused } else { &mut self.foreign };
                list.push(attribute_name(name, Some(attribute)));
            }
        }
    }
}

/// Attributes that every object has in Assets.
fn is_assets_own(name: &str) -> bool {
    matches!(name, "Key" | "Created" | "Updated")
}

fn locators(mapping: &Value) -> String {
    list(mapping, "attributeLocators").filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn attribute_name(object_type: &str, attribute: Option<&str>) -> AttributeName {
    AttributeName { object_type: object_type.to_owned(), attribute: attribute.map(str::to_owned) }
}

fn refused(object_type: &str, attribute: Option<&str>, kind: RefusedKind, current: &str, wanted: &str) -> Refused {
    let advice = match kind {
        RefusedKind::RenameObjectType | RefusedKind::RenameAttribute => {
            "An import cannot rename it. It keeps its current name. Rename it in Assets, or set the current name in the \
             job."
        }
        RefusedKind::ChangeType | RefusedKind::ChangeReferencedType => {
            "An import cannot change the type of an existing attribute. Delete the attribute in Assets and build the \
             schema again; the next full run fills it."
        }
        RefusedKind::ChangeConstraint => {
            "Atlassian does not document whether an import can change this. To change it, edit the attributes of the \
             object type in Assets."
        }
        RefusedKind::Unfit => {
            "GET /v1/destinations/{id}/types shows what is there, with a proposal. Correct `existing` or `lookups` in the job's \
             `objects`, or the object type in Assets."
        }
        RefusedKind::NameTaken => {
            "The object schema already has an object type or attribute of this name in another form. Rename or delete it in \
             Assets, choose another name in the job's `objects`, or use an import source in an empty object schema."
        }
    };
    Refused {
        object_type: object_type.to_owned(),
        attribute: attribute.map(str::to_owned),
        kind,
        current: current.to_owned(),
        wanted: wanted.to_owned(),
        advice: advice.to_owned(),
        pointer: None,
    }
}

fn unfit(object_type: &str, problem: FitProblem) -> Refused {
    let found = refused(object_type, None, RefusedKind::Unfit, "", &problem.detail);
    Refused { pointer: Some(problem.pointer), ..found }
}
