//! References within the document.

use serde_json::Value;

/// Components that have a grammar of their own: [`crate::filter::where_tree`] reads the tree of conditions, and points
/// to each fault in it. Here such a value only has to be an object.
const GRAMMARS: [&str; 1] = ["Where"];

/// The name of the component that a schema refers to.
pub fn component(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/components/schemas/")
}

/// Whether the schema refers to a component with a grammar of its own.
pub fn is_grammar(schema: &Value) -> bool {
    component(schema).is_some_and(|name| GRAMMARS.contains(&name))
}

/// The schema that a chain of references leads to. `None`: it leads nowhere.
pub(super) fn resolve<'a>(document: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    while let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        schema = document.pointer(target.trim_start_matches('#'))?;
    }
    Some(schema)
}
