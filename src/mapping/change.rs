//! The differences between the delivered JSON of an object and its current JSON.

use super::Mapping;
use crate::directory::{Link, ObjectType};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use uuid::Uuid;

/// An attribute that had a value when it was delivered and has none now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleared {
    /// The attribute's key: `manager`.
    pub key: String,
    /// Its name in Assets: `Manager`.
    pub name: String,
}

/// How the text of an object changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextChange {
    /// No value changed, or other attributes are imported: the mapping changed.
    Mapping,
    /// Only references.
    References,
    Values,
}

/// The kinds of references that are new in an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NewReferences {
    /// A reference to one object: a manager.
    pub single: bool,
    /// A list.
    pub list: bool,
}

fn fields(payload: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(payload).unwrap_or_default()
}

fn is_empty(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"" | "[]")
}

impl Mapping {
    /// How the text of a delivered object changed.
    pub fn text_change(&self, object_type: ObjectType, before: &str, after: &str) -> TextChange {
        let (before, after) = (fields(before), fields(after));
        if !before.keys().eq(after.keys()) {
            return TextChange::Mapping;
        }
        let mut changed = after.iter().filter(|(key, value)| before.get(*key).map(|b| b.get()) != Some(value.get()));
        let is_reference = |key: &str| {
            self.of(object_type).attributes.iter().any(|of| of.attribute.key == key && of.attribute.link().is_some())
        };
        match changed.clone().next() {
            None => TextChange::Mapping,
            Some(_) if changed.all(|(key, _)| is_reference(key)) => TextChange::References,
            Some(_) => TextChange::Values,
        }
    }

    /// The references in `after` that Assets has to look up because they were not delivered so.
    pub fn new_references(&self, object_type: ObjectType, before: Option<&str>, after: &str) -> NewReferences {
        let (before, after) = (before.map(fields).unwrap_or_default(), fields(after));
        let mut found = NewReferences::default();
        for attribute in self.of(object_type).attributes.iter().map(|mapped| &mapped.attribute) {
            let Some(link) = attribute.link() else { continue };
            let key = attribute.key.as_ref();
            let Some(value) = after.get(key).filter(|value| !is_empty(value)) else { continue };
            if before.get(key).map(|before| before.get()) != Some(value.get()) {
                *(if link.is_many() { &mut found.list } else { &mut found.single }) = true;
            }
        }
        found
    }

    /// The keys of the attributes that have a value in a payload, in alphabetical order.
    pub fn non_empty_attributes(payload: &str) -> Vec<String> {
        let filled = fields(payload).into_iter().filter(|(_, value)| !is_empty(value));
        filled.map(|(key, _)| key).collect()
    }

    /// The ids that a payload has in a list of references, in whatever template it was written; `None`: the payload
    /// has no such attribute.
    pub fn linked(&self, object_type: ObjectType, link: Link, payload: &str) -> Option<Vec<Uuid>> {
        let attributes = &self.of(object_type).attributes;
        let mapped = attributes.iter().find(|mapped| mapped.attribute.link() == Some(link))?;
        let fields = fields(payload);
        let text = fields.get(mapped.attribute.key.as_ref() as &str)?.get();
        Some(text.split(['[', ']', '"', ',']).filter_map(|id| Uuid::parse_str(id).ok()).collect())
    }

    /// The attributes that had a value in the payload delivered before and have none in the new one: those
    /// that Assets keeps when it ignores empty values. Attributes that are no longer part of the mapping
    /// do not count.
    pub fn cleared(&self, object_type: ObjectType, before: &str, after: &str) -> Vec<Cleared> {
        let after = Self::non_empty_attributes(after);
        let lost = Self::non_empty_attributes(before).into_iter().filter(|key| !after.contains(key));
        let attributes = &self.of(object_type).attributes;
        lost.filter_map(|key| {
            let mapped = attributes.iter().find(|mapped| mapped.attribute.key == key.as_str())?;
            Some(Cleared { name: mapped.name.clone(), key })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Memberships, ReferenceTemplate, Selection};

    fn mapping() -> Mapping {
        Mapping::new(&Selection::default(), Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder)
    }

    #[test]
    fn what_changed_is_told_apart() {
        let change = |before, after| mapping().text_change(ObjectType::Users, before, after);
        assert_eq!(change(r#"{"mail":1}"#, r#"{"mail":1}"#), TextChange::Mapping);
        assert_eq!(change(r#"{"mail":1}"#, r#"{"mail":1,"city":null}"#), TextChange::Mapping);
        assert_eq!(change(r#"{"mail":1,"groups":[]}"#, r#"{"mail":1,"groups":["x"]}"#), TextChange::References);
        assert_eq!(change(r#"{"mail":1,"groups":[]}"#, r#"{"mail":2,"groups":["x"]}"#), TextChange::Values);
    }

    #[test]
    fn only_references_that_are_new_have_to_be_looked_up() {
        let new = |before, after| mapping().new_references(ObjectType::Users, before, after);
        let after = r#"{"manager":"m","groups":["g"],"licenses":[]}"#;
        assert_eq!(new(None, after), NewReferences { single: true, list: true });
        assert_eq!(new(Some(after), after), NewReferences::default());
        let before = r#"{"manager":null,"groups":["g"],"licenses":["l"]}"#;
        assert_eq!(new(Some(before), after), NewReferences { single: true, list: false });
    }

    #[test]
    fn references_are_found_again_in_what_was_delivered_in_either_template() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let linked = |payload: &str| mapping().linked(ObjectType::Users, Link::Groups, payload);
        assert_eq!(linked(&format!(r#"{{"mail":"m","groups":["{one}","{two}"]}}"#)), Some(vec![one, two]));
        assert_eq!(linked(&format!(r#"{{"groups":"{one},{two}"}}"#)), Some(vec![one, two]));
        assert_eq!(linked(r#"{"groups":null}"#), Some(vec![]));
        assert_eq!(linked(r#"{"groups":[]}"#), Some(vec![]));
        assert_eq!(linked(r#"{"mail":"m"}"#), None);
    }
}
