//! Corrections of the generated schemas, so that generated clients are easy to use: every type has one name, every
//! union a tag, and nothing that can only be absent is nullable.

use serde_json::{Map, Value, json};

pub(super) fn tidy(document: &mut Value) {
    join_parts(document);
    name_items_of_pages(document);
    name_variants(document);
    add_discriminators(document);
    describe_patches(document);
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.values_mut().for_each(lift_descriptions);
        schemas.values_mut().for_each(open_objects);
    }
    let Some(paths) = document["paths"].as_object_mut() else { return };
    let operations = paths.values_mut().filter_map(Value::as_object_mut).flat_map(|item| item.values_mut());
    operations.for_each(remove_nulls);
}

/// Makes one object of fields that a type has of its own and fields that it shares with others.
fn join_parts(document: &mut Value) {
    let schemas = document["components"]["schemas"].as_object_mut();
    for schema in schemas.into_iter().flatten().filter_map(|(_, schema)| schema.as_object_mut()) {
        let is_object = |part: &Value| part.get("properties").is_some();
        let parts = schema.get("allOf").and_then(Value::as_array).filter(|parts| parts.iter().all(is_object));
        let Some(parts) = parts.cloned() else { continue };
        schema.remove("allOf");
        for (name, value) in parts.into_iter().filter_map(object).flatten() {
            match (schema.get_mut(&name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                (_, value) => drop(schema.insert(name, value)),
            }
        }
    }
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The name of the component that a schema refers to.
pub(super) fn name_of(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// Names the schema of the items of a page, so that there is one type for them.
fn name_items_of_pages(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let known: Vec<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas.iter_mut() {
        if let Some(item) = name.strip_prefix("Page_").filter(|item| known.iter().any(|other| other == item)) {
            schema["properties"]["items"]["items"] = reference(item);
        }
    }
}

/// Turns the variants of a tagged union into components named by their title. Unknown fields are not allowed in those of a
/// request, as in the service; those of an answer may get more.
fn name_variants(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let mut named = Map::new();
    for (name, schema) in schemas.iter_mut() {
        for variant in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(title) = variant.get("title").and_then(Value::as_str).map(str::to_owned) else { continue };
            let mut whole = std::mem::replace(variant, reference(&title));
            if name.starts_with("Create") {
                whole["additionalProperties"] = json!(false);
            }
            named.insert(title, whole);
        }
    }
    schemas.extend(named);
}

/// Adds the discriminator to a union of components that share a field with one allowed value each.
fn add_discriminators(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let found: Vec<(String, Value)> = schemas
        .iter()
        .filter_map(|(name, schema)| Some((name.clone(), discriminator(schemas, schema.get("oneOf")?.as_array()?)?)))
        .collect();
    for (name, discriminator) in found {
        schemas[&name]["discriminator"] = discriminator;
    }
}

fn discriminator(schemas: &Map<String, Value>, variants: &[Value]) -> Option<Value> {
    let names = variants.iter().map(name_of).collect::<Option<Vec<_>>>()?;
    let properties = |name: &str| schemas.get(name)?.get("properties")?.as_object();
    let (tag, values) = properties(names.first()?)?.keys().find_map(|tag| {
        let values = names.iter().map(|name| match properties(name)?.get(tag)?.get("enum")?.as_array()?.as_slice() {
            [Value::String(one)] => Some(one.clone()),
            _ => None,
        });
        Some((tag, values.collect::<Option<Vec<_>>>()?))
    })?;
    let targets = names.iter().map(|name| json!(format!("#/components/schemas/{name}")));
    let mapping: Map<String, Value> = values.into_iter().zip(targets).collect();
    Some(json!({"propertyName": tag, "mapping": mapping}))
}

/// In a merge patch every field at every depth may be absent, which keeps its value, or null, which resets it to its
/// default. So the nested objects that an `Update…` shares with its `Create…` get their own schemas.
fn describe_patches(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let mut parts = Map::new();
    let mut patches: Map<String, Value> =
        schemas.iter().filter(|(name, _)| name.starts_with("Update")).map(|(n, of)| (n.clone(), of.clone())).collect();
    for (name, patch) in &mut patches {
        for field in fields_of(patch) {
            refer_to_patch(schemas, field, &mut parts);
        }
        describe_like(&models(schemas, name), patch);
    }
    schemas.extend(patches);
    schemas.extend(parts);
}

/// The schemas of what a patch changes: that of the new resource, or the variants of it.
fn models<'s>(schemas: &'s Map<String, Value>, patch: &str) -> Vec<&'s Value> {
    let whole =
        schemas.get(&patch.replacen("Update", "Create", 1)).or_else(|| schemas.get(patch.trim_start_matches("Update")));
    let variants = whole.and_then(|whole| whole.get("oneOf")).and_then(Value::as_array);
    let variants = variants.into_iter().flatten().filter_map(|variant| schemas.get(name_of(variant)?));
    whole.into_iter().chain(variants).collect()
}

/// A field of a patch that says nothing of itself means what it means in the resource.
fn describe_like(models: &[&Value], patch: &mut Value) {
    let Some(fields) = patch.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, field) in fields.iter_mut().filter(|(_, field)| field.get("$ref").is_none()) {
        let said = models.iter().find_map(|model| model.get("properties")?.get(name)?.get("description"));
        if let (Some(field), Some(said)) = (field.as_object_mut(), said) {
            field.entry("description").or_insert_with(|| said.clone());
        }
    }
}

fn fields_of(schema: &mut Value) -> impl Iterator<Item = &mut Value> {
    schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(|fields| fields.values_mut())
}

/// Replaces a reference to a nested object by a reference to the patch of that object, and adds the patch to `parts`.
fn refer_to_patch(schemas: &Map<String, Value>, schema: &mut Value, parts: &mut Map<String, Value>) {
    for variant in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        refer_to_patch(schemas, variant, parts);
    }
    let Some(name) = name_of(schema).filter(|name| !name.starts_with("Update")) else { return };
    let Some(whole) = schemas.get(name).filter(|whole| whole.get("properties").is_some()) else { return };
    let patch_name = format!("Update{}", name.trim_end_matches("Body"));
    schema["$ref"] = json!(format!("#/components/schemas/{patch_name}"));
    if parts.contains_key(&patch_name) {
        return;
    }
    let mut patch = whole.clone();
    let what = whole.get("description").and_then(Value::as_str).unwrap_or_default();
    patch["description"] =
        json!(format!("{what} In a change, omitted fields keep their value; null resets to the default.").trim());
    for field in fields_of(&mut patch) {
        refer_to_patch(schemas, field, parts);
        if let Some(field) = field.as_object_mut() {
            // A field that is absent from a patch keeps its value, so it has no default.
            field.remove("default");
        }
        if let Some(of_any_name) = field.get_mut("additionalProperties").filter(|others| others.is_object()) {
            allow_null(of_any_name);
        }
        allow_null(field);
    }
    parts.insert(patch_name, patch);
}

fn allow_null(schema: &mut Value) {
    let nothing = json!({"type": "null"});
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(target) = fields.remove("$ref") {
        fields.insert("oneOf".to_owned(), json!([{"$ref": target}, nothing]));
    } else if let Some(variants) = fields.get_mut("oneOf").and_then(Value::as_array_mut) {
        if !variants.iter().any(is_null) {
            variants.push(nothing);
        }
    } else if let Some(of) = fields.get_mut("type") {
        let names: Vec<&str> = texts(of).filter(|name| *name != "null").chain(["null"]).collect();
        *of = json!(names);
    }
}

/// Moves the description of the alternative in «X or null» to the whole.
fn lift_descriptions(schema: &mut Value) {
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    if let Some(variants) = variants.filter(|variants| variants.iter().any(is_null)) {
        let found: Vec<Value> =
            variants.iter_mut().filter_map(|variant| variant.as_object_mut()?.remove("description")).collect();
        if let Some(description) = found.into_iter().next() {
            schema["description"] = description;
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(lift_descriptions),
        Value::Array(items) => items.iter_mut().for_each(lift_descriptions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Allows any field in an object without properties, and removes a default of null, which is none.
fn open_objects(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        let is_object = fields.get("type").is_some_and(|of| texts(of).any(|name| name == "object"));
        if is_object && !fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
            fields.insert("additionalProperties".to_owned(), json!(true));
        }
        if fields.get("default") == Some(&Value::Null) {
            fields.remove("default");
        }
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(open_objects),
        Value::Array(items) => items.iter_mut().for_each(open_objects),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(several)
}

/// An optional parameter or body is absent, never null.
fn remove_nulls(operation: &mut Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    for parameter in parameters.into_iter().flatten() {
        remove_null(&mut parameter["schema"]);
    }
    let media_types = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    for media in media_types.into_iter().flat_map(|types| types.values_mut()) {
        remove_null(&mut media["schema"]);
    }
}

fn remove_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(variants) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        variants.retain(|variant| !is_null(variant));
        if let [only] = variants.as_slice() {
            *schema = only.clone();
        }
    }
}
