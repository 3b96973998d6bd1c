//! Links: which operations accept a new resource, and with which values. Tools follow them from the creation of a
//! resource to all its operations.

use super::schemas::name_of;
use serde_json::{Map, Value, json};

/// An operation that a link can lead to.
struct Target {
    id: String,
    path: String,
    takes_if_match: bool,
}

pub(super) fn add(document: &mut Value) {
    let targets = targets(document);
    let Some(paths) = document["paths"].as_object().cloned() else { return };
    for (path, item) in &paths {
        for status in ["201", "202"] {
            let Some(response) = item.pointer(&format!("/post/responses/{status}")) else { continue };
            let links = links_of(response, &paths, &targets);
            if !links.is_empty() {
                document["paths"][path]["post"]["responses"][status]["links"] = Value::Object(links);
            }
        }
    }
}

fn targets(document: &Value) -> Vec<Target> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |(_, o)| (path, o)));
    operations
        .filter_map(|(path, operation)| {
            let parameters = operation.get("parameters").and_then(Value::as_array);
            Some(Target {
                id: operation.get("operationId")?.as_str()?.to_owned(),
                path: path.clone(),
                takes_if_match: parameters.into_iter().flatten().any(|parameter| parameter["name"] == "If-Match"),
            })
        })
        .collect()
}

/// The links of a response with a new resource: to every operation at and below its path.
fn links_of(response: &Value, paths: &Map<String, Value>, targets: &[Target]) -> Map<String, Value> {
    let mut links = Map::new();
    let Some(made) = schema_of(response) else { return links };
    let own_path = paths.iter().find(|(path, item)| {
        path.ends_with("/{id}") && item.pointer("/get/responses/200").and_then(schema_of) == Some(made)
    });
    let Some((own_path, _)) = own_path else { return links };
    let below = format!("{own_path}/");
    // A link gives one id, so it leads to no operation that takes two.
    let takes_one = |target: &&Target| target.path.matches('{').count() == 1;
    let leads_to = |target: &&Target| target.path == *own_path || target.path.starts_with(&below);
    for target in targets.iter().filter(takes_one).filter(leads_to) {
        let mut link = json!({"operationId": target.id, "parameters": {"path.id": "$response.body#/id"}});
        if target.takes_if_match {
            link["parameters"]["header.If-Match"] = json!("$response.header.ETag");
        }
        links.insert(target.id.clone(), link);
    }
    links
}

/// The component of a response.
fn schema_of(response: &Value) -> Option<&str> {
    name_of(response.pointer("/content/application~1json/schema")?)
}
