//! A JSON tree that borrows from the chunk it was read from: chunks are large, and only the mapped fields
//! are kept.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

#[derive(Debug)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let fields: &[(Cow<'a, str>, Json<'a>)] = match self {
            Json::Object(fields) => fields,
            _ => &[],
        };
        fields.iter().map(|(name, _)| name.as_ref())
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Json::Object(_))
    }

    /// The objects that a dotted selector leads to; lists on the way are entered.
    /// Source: docs/assets.md, «Schema and mapping document» (`hardDrives.files`).
    pub(super) fn select<'t>(&'t self, selector: &[String], found: &mut Vec<&'t Json<'a>>) {
        match (self, selector.split_first()) {
            (Json::List(items), _) => items.iter().for_each(|item| item.select(selector, found)),
            (_, None) => found.push(self),
            (_, Some((key, rest))) => {
                if let Some(inner) = self.get(key) {
                    inner.select(rest, found);
                }
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(|json| json as Json<'de>)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or(0));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::with_capacity(entries.size_hint().unwrap_or(8));
        while let Some(Key(key)) = entries.next_key()? {
            fields.push((key, entries.next_value()?));
        }
        Ok(Json::Object(fields))
    }
}

/// A key that borrows where the JSON text has no escapes in it.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(JsonVisitor)? {
            Json::Text(text) => Ok(Key(text)),
            _ => Err(serde::de::Error::custom("a key is a string")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_enters_lists_and_children() {
        let text = r#"{"drives":[{"id":"a","files":[{"p":1},{"p":2}]},{"id":"b","files":[{"p":3}]}]}"#;
        let json: Json<'_> = serde_json::from_str(text).unwrap();
        let count = |selector: &[&str]| {
            let mut found = Vec::new();
            json.select(&selector.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), &mut found);
            found.len()
        };
        assert_eq!(count(&["drives"]), 2);
        assert_eq!(count(&["drives", "files"]), 3);
        assert_eq!(count(&["Drives"]), 0);
    }
}
