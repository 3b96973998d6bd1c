//! Reads a schema-and-mapping document by the rules of Atlassian's JSON schemas 2021_09_15 and 2023_10_19:
//! a document with any external id is held to the newer one. Every fault is found at once.
//! Source: docs/assets.md, «Schema and mapping document».

use super::store::{AttributeKind, Status};
use serde_json::{Map, Value, json};

/// One fault of a document, as `dataValidationErrors` lists it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) path: String,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into() }
    }
}

/// The body of a 400 for a document. Source: docs/assets.md, «Schema and mapping document»; only the code
/// `UNKNOWN_EXTERNAL_ID_MAPPING` is known.
pub(super) fn refusal(faults: &[Fault]) -> Value {
    let messages: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect();
    let details: Vec<Value> =
        faults.iter().map(|fault| json!({"code": fault.code, "path": fault.path, "message": fault.message})).collect();
    json!({"errorMessages": messages, "errors": {}, "dataValidationErrors": details})
}

#[derive(Debug)]
pub(super) struct Document {
    pub(super) schema: Option<SchemaPart>,
    pub(super) mappings: Option<Vec<MappingPart>>,
}

#[derive(Debug)]
pub(super) struct SchemaPart {
    pub(super) name: String,
    pub(super) description: String,
    /// Children follow their parents.
    pub(super) types: Vec<TypePart>,
    pub(super) statuses: Vec<Status>,
    /// Key and name.
    pub(super) icons: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct TypePart {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) external_id: Option<String>,
    pub(super) icon_key: Option<String>,
    pub(super) parent: Option<usize>,
    pub(super) attributes: Vec<AttributePart>,
}

#[derive(Debug)]
pub(super) struct AttributePart {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) external_id: Option<String>,
    pub(super) kind: AttributeKind,
    pub(super) label: Option<bool>,
    pub(super) minimum: Option<i64>,
    pub(super) maximum: Option<i64>,
    pub(super) unique: Option<bool>,
    pub(super) target_name: Option<String>,
    pub(super) target_external_id: Option<String>,
    pub(super) type_values: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct MappingPart {
    pub(super) path: String,
    pub(super) type_name: String,
    pub(super) type_external_id: Option<String>,
    pub(super) description: String,
    pub(super) selector: String,
    pub(super) attributes: Vec<AttributeMappingPart>,
}

#[derive(Clone, Debug)]
pub(super) struct AttributeMappingPart {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) external_id: Option<String>,
    pub(super) locators: Vec<String>,
    pub(super) identity: bool,
    pub(super) template: Option<String>,
}

/// Attributes that Assets itself adds; GET shows them, and they may come back without an external id.
pub(super) const SYSTEM_ATTRIBUTES: [&str; 3] = ["Key", "Created", "Updated"];

impl AttributePart {
    /// Whether it is one that Assets itself added, come back from a GET; an import's own attribute of the same
    /// name has an external id of its own.
    pub(super) fn is_system(&self) -> bool {
        let own_id = self.external_id.as_ref().is_some_and(|id| !id.starts_with("cmdb::externalId/"));
        SYSTEM_ATTRIBUTES.contains(&self.name.as_str()) && !own_id
    }
}

/// Reads a document. `partial` (PATCH): one of `schema` and `mapping` is enough.
pub(super) fn read(body: &Value, partial: bool) -> Result<Document, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new(), with_external_ids: has_external_id(body) };
    let document = reader.document(body, partial);
    if let Some(schema) = &document.schema {
        reader.all_or_none(schema);
    }
    if reader.faults.is_empty() { Ok(document) } else { Err(reader.faults) }
}

fn has_external_id(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(key, inner)| {
            let names_one = matches!(key.as_str(), "externalId" | "objectTypeExternalId" | "attributeExternalId");
            (names_one && !inner.is_null()) || has_external_id(inner)
        }),
        Value::Array(items) => items.iter().any(has_external_id),
        _ => false,
    }
}

struct Reader {
    faults: Vec<Fault>,
    with_external_ids: bool,
}

impl Reader {
    fn fault(&mut self, code: &'static str, path: &str, message: impl Into<String>) {
        self.faults.push(Fault::new(code, path, message));
    }

    /// The fields of an object; a known key in another case is a fault. Source: docs/assets.md, «Schema and mapping
    /// document».
    fn object<'v>(&mut self, value: &'v Value, path: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Some(fields) = value.as_object() else {
            self.fault("INVALID_TYPE", path, "an object is expected");
            return None;
        };
        for key in fields.keys() {
            if let Some(right) = known.iter().find(|k| **k != key && k.eq_ignore_ascii_case(key)) {
                self.fault("UNKNOWN_KEY", path, format!("`{key}` is not known; keys are case-sensitive: `{right}`"));
            }
        }
        Some(fields)
    }

    fn required(&mut self, fields: &Map<String, Value>, path: &str, key: &str) -> String {
        match fields.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(_) => {
                self.fault("INVALID_TYPE", &format!("{path}/{key}"), "a string is expected");
                String::new()
            }
            None => {
                self.fault("REQUIRED_KEY_MISSING", path, format!("`{key}` is required"));
                String::new()
            }
        }
    }

    fn optional<'v>(&mut self, fields: &'v Map<String, Value>, path: &str, key: &str) -> Option<&'v str> {
        match fields.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.fault("INVALID_TYPE", &format!("{path}/{key}"), "a string is expected");
                None
            }
        }
    }

    fn flag(&mut self, fields: &Map<String, Value>, path: &str, key: &str) -> Option<bool> {
        match fields.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => {
                self.fault("INVALID_TYPE", &format!("{path}/{key}"), "true or false is expected");
                None
            }
        }
    }

    fn integer(&mut self, fields: &Map<String, Value>, path: &str, key: &str) -> Option<i64> {
        let value = fields.get(key).filter(|value| !value.is_null())?;
        let number = value.as_i64();
        if number.is_none() {
            self.fault("INVALID_TYPE", &format!("{path}/{key}"), "a whole number is expected");
        }
        number
    }

    fn list<'v>(&mut self, fields: &'v Map<String, Value>, path: &str, key: &str, least: usize) -> &'v [Value] {
        match fields.get(key) {
            Some(Value::Array(items)) => {
                if items.len() < least {
                    self.fault("TOO_FEW_ITEMS", &format!("{path}/{key}"), format!("at least {least} is expected"));
                }
                items
            }
            None | Some(Value::Null) => {
                if least > 0 {
                    self.fault("REQUIRED_KEY_MISSING", path, format!("`{key}` is required"));
                }
                &[]
            }
            Some(_) => {
                self.fault("INVALID_TYPE", &format!("{path}/{key}"), "a list is expected");
                &[]
            }
        }
    }

    fn texts(&mut self, fields: &Map<String, Value>, path: &str, key: &str, least: usize) -> Vec<String> {
        let items = self.list(fields, path, key, least);
        let texts: Vec<String> = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if texts.len() != items.len() {
            self.fault("INVALID_TYPE", &format!("{path}/{key}"), "strings are expected");
        }
        texts
    }

    fn document(&mut self, body: &Value, partial: bool) -> Document {
        let mut document = Document { schema: None, mappings: None };
        let Some(root) = self.object(body, "", &["schema", "mapping", "$schema"]) else { return document };
        if !partial || (root.get("schema").is_none() && root.get("mapping").is_none()) {
            for key in ["schema", "mapping"] {
                if !root.contains_key(key) {
                    self.fault("REQUIRED_KEY_MISSING", "", format!("`{key}` is required"));
                }
            }
        }
        document.schema = root.get("schema").and_then(|value| self.schema(value));
        document.mappings = root.get("mapping").and_then(|value| self.mappings(value));
        document
    }

    fn schema(&mut self, value: &Value) -> Option<SchemaPart> {
        let fields = self.object(value, "/schema", &["objectSchema", "iconSchema", "statusSchema"])?;
        let statuses = fields.get("statusSchema").map_or_else(Vec::new, |v| self.statuses(v));
        let icons = fields.get("iconSchema").map_or_else(Vec::new, |v| self.icons(v));
        let Some(inner) = fields.get("objectSchema") else {
            self.fault("REQUIRED_KEY_MISSING", "/schema", "`objectSchema` is required");
            return None;
        };
        let path = "/schema/objectSchema";
        let fields = self.object(inner, path, &["name", "description", "objectTypes"])?;
        let mut part = SchemaPart {
            name: self.required(fields, path, "name"),
            description: self.required(fields, path, "description"),
            types: Vec::new(),
            statuses,
            icons,
        };
        for (n, item) in self.list(fields, path, "objectTypes", 1).iter().enumerate() {
            self.object_type(item, format!("{path}/objectTypes/{n}"), None, &mut part.types);
        }
        Some(part)
    }

    fn object_type(&mut self, value: &Value, path: String, parent: Option<usize>, types: &mut Vec<TypePart>) {
        const KEYS: [&str; 6] = ["name", "description", "externalId", "iconKey", "attributes", "children"];
        let Some(fields) = self.object(value, &path, &KEYS) else { return };
        let attributes = self.list(fields, &path, "attributes", 0).iter().enumerate();
        let attributes: Vec<AttributePart> =
            attributes.filter_map(|(n, item)| self.attribute(item, format!("{path}/attributes/{n}"))).collect();
        if attributes.iter().filter(|attribute| attribute.label == Some(true)).count() > 1 {
            self.fault("SEVERAL_LABELS", &path, "only one attribute can be the label");
        }
        for (n, attribute) in attributes.iter().enumerate() {
            if attributes[..n].iter().any(|earlier| earlier.name == attribute.name) {
                self.fault("DUPLICATE_NAME", &attribute.path, format!("`{}` occurs twice", attribute.name));
            }
        }
        let part = TypePart {
            name: self.required(fields, &path, "name"),
            description: self.required(fields, &path, "description"),
            external_id: self.optional(fields, &path, "externalId").map(str::to_owned),
            icon_key: self.optional(fields, &path, "iconKey").map(str::to_owned),
            parent,
            attributes,
            path: path.clone(),
        };
        types.push(part);
        let this = types.len() - 1;
        for (n, child) in self.list(fields, &path, "children", 0).iter().enumerate() {
            self.object_type(child, format!("{path}/children/{n}"), Some(this), types);
        }
    }

    fn attribute(&mut self, value: &Value, path: String) -> Option<AttributePart> {
        const KEYS: [&str; 11] = [
            "name",
            "description",
            "type",
            "externalId",
            "label",
            "referenceObjectTypeName",
            "referenceObjectTypeExternalId",
            "typeValues",
            "maximumCardinality",
            "minimumCardinality",
            "unique",
        ];
        let fields = self.object(value, &path, &KEYS)?;
        let type_name = self.required(fields, &path, "type");
        let kind =
            AttributeKind::parse(&type_name).filter(|kind| self.with_external_ids || *kind != AttributeKind::Status);
        if kind.is_none() && fields.get("type").is_some_and(Value::is_string) {
            self.fault("UNKNOWN_TYPE", &format!("{path}/type"), format!("`{type_name}` is not an attribute type"));
        }
        let kind = kind.unwrap_or(AttributeKind::Text);
        let type_values = self.texts(fields, &path, "typeValues", 0);
        if fields.get("typeValues").is_some_and(|v| !v.is_null())
            && kind != AttributeKind::Status
            && self.with_external_ids
        {
            self.fault("INVALID_TYPE_VALUES", &path, "`typeValues` needs the type status");
        }
        if type_values.iter().enumerate().any(|(n, value)| type_values[..n].contains(value)) {
            self.fault("INVALID_TYPE_VALUES", &path, "`typeValues` holds a value twice");
        }
        let part = AttributePart {
            name: self.required(fields, &path, "name"),
            description: self.required(fields, &path, "description"),
            external_id: self.optional(fields, &path, "externalId").map(str::to_owned),
            kind,
            label: self.flag(fields, &path, "label"),
            minimum: self.integer(fields, &path, "minimumCardinality"),
            maximum: self.integer(fields, &path, "maximumCardinality"),
            unique: self.flag(fields, &path, "unique"),
            target_name: self.optional(fields, &path, "referenceObjectTypeName").map(str::to_owned),
            target_external_id: self.optional(fields, &path, "referenceObjectTypeExternalId").map(str::to_owned),
            type_values,
            path: path.clone(),
        };
        if kind == AttributeKind::Reference && part.target_name.is_none() && !self.with_external_ids {
            self.fault("REQUIRED_KEY_MISSING", &path, "`referenceObjectTypeName` is required");
        }
        Some(part)
    }

    fn statuses(&mut self, value: &Value) -> Vec<Status> {
        let path = "/schema/statusSchema";
        let Some(fields) = self.object(value, path, &["statuses"]) else { return Vec::new() };
        let mut found = Vec::new();
        for (n, item) in self.list(fields, path, "statuses", 1).iter().enumerate() {
            let path = format!("{path}/statuses/{n}");
            let Some(fields) = self.object(item, &path, &["name", "description", "category"]) else { continue };
            let status = Status {
                name: self.name(fields, &path),
                description: self.required(fields, &path, "description"),
                category: self.required(fields, &path, "category"),
            };
            if !["active", "inactive", "pending"].contains(&status.category.as_str()) {
                self.fault("INVALID_CATEGORY", &path, "`category` is active, inactive or pending");
            }
            found.push(status);
        }
        found
    }

    fn icons(&mut self, value: &Value) -> Vec<(String, String)> {
        let path = "/schema/iconSchema";
        let Some(fields) = self.object(value, path, &["icons"]) else { return Vec::new() };
        let mut found = Vec::new();
        for (n, item) in self.list(fields, path, "icons", 1).iter().enumerate() {
            let path = format!("{path}/icons/{n}");
            let Some(fields) = self.object(item, &path, &["key", "name", "png48"]) else { continue };
            let key = self.required(fields, &path, "key");
            if !(1..=255).contains(&key.chars().count()) {
                self.fault("INVALID_LENGTH", &path, "`key` has 1 to 255 characters");
            }
            let name = self.name(fields, &path);
            let png = self.required(fields, &path, "png48");
            if !is_png48(&png) {
                self.fault("INVALID_ICON", &path, "`png48` is a PNG of 48 by 48 pixels in base64");
            }
            found.push((key, name));
        }
        found
    }

    /// The names of statuses and icons: 2 to 30 of letters, digits, hyphens and spaces.
    fn name(&mut self, fields: &Map<String, Value>, path: &str) -> String {
        let name = self.required(fields, path, "name");
        let fits = (2..=30).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b.is_ascii_whitespace());
        if !fits {
            self.fault("INVALID_NAME", path, "`name` has 2 to 30 letters, digits, spaces or hyphens");
        }
        name
    }

    fn mappings(&mut self, value: &Value) -> Option<Vec<MappingPart>> {
        const KEYS: [&str; 5] =
            ["objectTypeName", "objectTypeExternalId", "selector", "description", "attributesMapping"];
        let fields = self.object(value, "/mapping", &["objectTypeMappings"])?;
        if !fields.contains_key("objectTypeMappings") {
            self.fault("REQUIRED_KEY_MISSING", "/mapping", "`objectTypeMappings` is required");
        }
        let mut found = Vec::new();
        for (n, item) in self.list(fields, "/mapping", "objectTypeMappings", 0).iter().enumerate() {
            let path = format!("/mapping/objectTypeMappings/{n}");
            let Some(fields) = self.object(item, &path, &KEYS) else { continue };
            let attributes = self.list(fields, &path, "attributesMapping", 0).iter().enumerate();
            let attributes = attributes
                .filter_map(|(n, item)| self.attribute_mapping(item, format!("{path}/attributesMapping/{n}")))
                .collect();
            found.push(MappingPart {
                type_name: self.required(fields, &path, "objectTypeName"),
                type_external_id: self.optional(fields, &path, "objectTypeExternalId").map(str::to_owned),
                description: self.required(fields, &path, "description"),
                selector: self.required(fields, &path, "selector"),
                attributes,
                path,
            });
        }
        Some(found)
    }

    fn attribute_mapping(&mut self, value: &Value, path: String) -> Option<AttributeMappingPart> {
        const KEYS: [&str; 5] =
            ["attributeName", "attributeExternalId", "attributeLocators", "externalIdPart", "objectMappingIQL"];
        let fields = self.object(value, &path, &KEYS)?;
        let template = self.optional(fields, &path, "objectMappingIQL").map(str::to_owned);
        if let Some(Err(error)) = template.as_deref().map(super::aql::parse) {
            self.fault("INVALID_IQL", &path, format!("`objectMappingIQL` cannot be read: {error}"));
        }
        Some(AttributeMappingPart {
            name: self.required(fields, &path, "attributeName"),
            external_id: self.optional(fields, &path, "attributeExternalId").map(str::to_owned),
            locators: self.texts(fields, &path, "attributeLocators", 1),
            identity: self.flag(fields, &path, "externalIdPart").unwrap_or(false),
            template,
            path,
        })
    }

    /// Every type and attribute has an external id, or none has; and none occurs twice.
    fn all_or_none(&mut self, schema: &SchemaPart) {
        let mut seen = std::collections::HashSet::new();
        for of in &schema.types {
            let attributes = of.attributes.iter().filter(|a| !SYSTEM_ATTRIBUTES.contains(&a.name.as_str()));
            let all = attributes.map(|a| (&a.path, &a.external_id)).chain([(&of.path, &of.external_id)]);
            for (path, external_id) in all {
                match external_id {
                    None if self.with_external_ids => {
                        self.fault("EXTERNAL_ID_MISSING", path, "either everything has an `externalId`, or nothing");
                    }
                    Some(id) if !seen.insert(id.clone()) => {
                        self.fault("DUPLICATE_EXTERNAL_ID", path, format!("`{id}` occurs twice"));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A PNG's signature, then its header chunk with width and height.
fn is_png48(text: &str) -> bool {
    use base64::Engine;
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) else { return false };
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        && bytes.get(12..24) == Some(&[b'I', b'H', b'D', b'R', 0, 0, 0, 48, 0, 0, 0, 48][..])
}
