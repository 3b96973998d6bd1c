//! `oneOf`: how a value finds the variant that it is checked against, so that faults are those of one variant.

use super::types;
use serde_json::Value;

/// The variants of a `oneOf` without null, which is allowed beside all of them.
pub(super) enum Union<'s> {
    One(&'s Value),
    /// A field with one allowed value in each variant names the variant.
    Tagged(&'s str, Vec<&'s Value>),
    /// Each variant has another JSON type.
    Typed(Vec<&'s Value>),
}

impl<'s> Union<'s> {
    /// `None`: nothing tells the variants apart. `variants` are resolved.
    pub fn read(variants: impl IntoIterator<Item = &'s Value>) -> Option<Self> {
        let variants: Vec<&Value> = variants.into_iter().filter(|variant| !is_null(variant)).collect();
        if let [only] = variants.as_slice() {
            return Some(Self::One(only));
        }
        if let Some(tag) = common_tag(&variants) {
            return Some(Self::Tagged(tag, variants));
        }
        let mut names: Vec<&str> = variants.iter().flat_map(|variant| types::allowed(variant)).collect();
        names.sort_unstable();
        names.dedup();
        (names.len() == variants.len()).then_some(Self::Typed(variants))
    }
}

/// Whether a schema allows nothing but null.
pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// The value of the tag that a variant has.
pub(super) fn tag_value<'v>(variant: &'v Value, tag: &str) -> Option<&'v str> {
    match variant.get("properties")?.get(tag)?.get("enum")?.as_array()?.as_slice() {
        [Value::String(one)] => Some(one),
        _ => None,
    }
}

fn common_tag<'v>(variants: &[&'v Value]) -> Option<&'v str> {
    let first = variants.first()?.get("properties")?.as_object()?;
    let tag = first.keys().find(|name| variants.iter().all(|variant| tag_value(variant, name).is_some()))?;
    Some(tag)
}
