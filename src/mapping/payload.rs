//! The exact JSON text of an object. It is deterministic: the same data gives the same text, so the hash of the text shows
//! whether the object changed.
//!
//! All attributes of the mapping are always written: an empty value as null, an empty list as `[]`. The setting for empty
//! values in Assets decides whether Assets then clears the attribute; an omitted field could never be cleared.

use super::lookup::MappedLookup;
use super::names::breaks_queries;
use super::{MappedAttribute, Mapping, ReferenceTemplate};
use crate::directory::security_attributes;
use crate::directory::{self, AttributeSource, Expiry, Lifecycle, Link, ObjectType, Properties, ValueType};
use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde_json::Value;
use std::fmt::Write;
use uuid::Uuid;

/// The most characters (UTF-16 units, as Atlassian counts) of a `text` attribute. The few Graph texts that
/// can be longer by a character or two, such as a display name of 256, are cut; the rest are `textarea`.
const MAX_TEXT_CHARACTERS: usize = 255;

/// The references of an object, as ids of delivered objects. Other ids are omitted, so that the object changes and is sent
/// again once its target is delivered.
#[derive(Clone, Default, Debug)]
pub struct References(pub Vec<(Link, Vec<Uuid>)>);

impl References {
    pub fn of(&self, link: Link) -> &[Uuid] {
        self.0.iter().find(|(known, _)| *known == link).map_or(&[], |(_, ids)| ids)
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.0.iter().map(|(_, ids)| ids.len()).sum()
    }
}

impl Mapping {
    /// The JSON object that is sent for one directory object. `removed_on` is set for an object that is
    /// kept as a record: its Lifecycle is then Removed.
    pub fn payload(
        &self,
        object_type: ObjectType,
        id: Uuid,
        properties: &Properties,
        references: &References,
        removed_on: Option<DateTime<Utc>>,
    ) -> String {
        self.text_of(&Object { object_type, id, properties, references, removed_on, is_stub: false })
    }

    /// The JSON object of an object outside the scope that others refer to: its identity, name and Lifecycle. All other
    /// attributes are empty.
    pub fn stub(&self, object_type: ObjectType, id: Uuid, properties: &Properties) -> String {
        let references = &References::default();
        self.text_of(&Object { object_type, id, properties, references, removed_on: None, is_stub: true })
    }

    /// The value of one attribute that is no reference, as text; `None` if it is empty.
    pub fn value(&self, object_type: ObjectType, key: &str, id: Uuid, properties: &Properties) -> Option<String> {
        let mapped = self.of(object_type).attributes.iter().find(|mapped| mapped.attribute.key == key)?;
        let references = &References::default();
        let object = Object { object_type, id, properties, references, removed_on: None, is_stub: false };
        let attribute = &mapped.attribute;
        let mut out = String::new();
        self.push_value(&mut out, attribute.source, key, attribute.value_type, &object);
        serde_json::from_str::<Option<String>>(&out).ok().flatten()
    }

    fn text_of(&self, object: &Object<'_>) -> String {
        let (attributes, references) = (&self.of(object.object_type).attributes, object.references);
        let mut out = String::with_capacity(attributes.len() * 48 + references.len() * 39);
        // A stub of an object that people made says nothing of its other values, which must not be emptied.
        let is_brief = object.is_stub && self.of(object.object_type).existing.is_some();
        let is_of_stubs = |of: &MappedAttribute| {
            let source = of.attribute.source;
            matches!(source, AttributeSource::Identity(_) | AttributeSource::Label | AttributeSource::Lifecycle)
                || self.of(object.object_type).is_identity(&of.attribute)
        };
        let written = attributes.iter().filter(|of| !is_brief || is_of_stubs(of));
        for (position, MappedAttribute { attribute, lookup, .. }) in written.enumerate() {
            out.push(if position == 0 { '{' } else { ',' });
            push_string(&mut out, &attribute.key);
            out.push(':');
            match attribute.source {
                AttributeSource::Link(link) => self.push_link(&mut out, link, object),
                AttributeSource::Identity(_) | AttributeSource::Label | AttributeSource::Lifecycle => {
                    self.push_value(&mut out, attribute.source, &attribute.key, attribute.value_type, object);
                }
                _ if object.is_stub && !is_brief => out.push_str("null"),
                AttributeSource::Lookup => self.push_lookup(&mut out, lookup.as_ref(), object),
                source => self.push_value(&mut out, source, &attribute.key, attribute.value_type, object),
            }
        }
        out.push('}');
        out
    }

    fn push_value(
        &self,
        out: &mut String,
        source: AttributeSource,
        key: &str,
        value_type: ValueType,
        object: &Object<'_>,
    ) {
        let Object { object_type, id, properties, removed_on, .. } = *object;
        match source {
            AttributeSource::Identity(_) => push_id(out, id),
            AttributeSource::Label => {
                let label = directory::label(object_type, id, properties, &self.license_names);
                push_string(out, cut(&label));
            }
            AttributeSource::Property(name) => push_property(out, properties.get(name), value_type),
            AttributeSource::Field(name, field) => {
                push_property(out, properties.get(name).and_then(|value| value.get(field)), value_type);
            }
            AttributeSource::Extension => push_property(out, properties.get(key), value_type),
            AttributeSource::SecurityAttribute => {
                push_property(out, security_attributes::value(properties, key), value_type)
            }
            AttributeSource::Derived(_, value) => push_property(out, Some(&value(properties)), value_type),
            AttributeSource::Expiry(_, end) => match end(properties).as_str().and_then(parse_time) {
                Some(end) => push_string(out, Expiry::of(end, self.now).as_str()),
                None => out.push_str("null"),
            },
            AttributeSource::Lifecycle => {
                let lifecycle = match removed_on {
                    Some(_) => Lifecycle::Removed,
                    None => directory::lifecycle(object_type, properties),
                };
                push_string(out, lifecycle.as_str());
            }
            AttributeSource::RemovedOn => match removed_on {
                Some(at) => push_time(out, at),
                None => out.push_str("null"),
            },
            AttributeSource::Tenant => match self.tenant.get() {
                Some(tenant) => push_id(out, *tenant),
                None => out.push_str("null"),
            },
            // Written by `push_link` and `push_lookup`.
            AttributeSource::Link(_) | AttributeSource::Lookup => out.push_str("null"),
        }
    }

    /// Writes the text by which an object is found, unless it has a character that could end it in the query: how Assets puts
    /// values into a query is not documented, and nobody may choose the query by what is entered in the directory.
    fn push_lookup(&self, out: &mut String, lookup: Option<&MappedLookup>, object: &Object<'_>) {
        let text = lookup.and_then(|MappedLookup { of, .. }| {
            let mut text = String::new();
            self.push_value(&mut text, of.source, &of.key, of.value_type, object);
            serde_json::from_str::<Option<String>>(&text).ok().flatten()
        });
        match text.filter(|text| !text.chars().any(breaks_queries)) {
            Some(text) => push_string(out, &text),
            None => out.push_str("null"),
        }
    }

    fn push_link(&self, out: &mut String, link: Link, object: &Object<'_>) {
        let ids = object.references.of(link);
        if !link.is_many() {
            match ids.first() {
                Some(id) => push_id(out, *id),
                None => out.push_str("null"),
            }
            return;
        }
        if ids.is_sorted_by(|a, b| a < b) {
            self.push_ids(out, ids);
        } else {
            let mut sorted = ids.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            self.push_ids(out, &sorted);
        }
    }

    fn push_ids(&self, out: &mut String, ids: &[Uuid]) {
        match self.template {
            ReferenceTemplate::ArrayPlaceholder => {
                out.push('[');
                for (position, id) in ids.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    push_id(out, *id);
                }
                out.push(']');
            }
            ReferenceTemplate::JoinedString if ids.is_empty() => out.push_str("null"),
            ReferenceTemplate::JoinedString => {
                out.push('"');
                for (position, id) in ids.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    push_display(out, id.as_hyphenated());
                }
                out.push('"');
            }
        }
    }
}

struct Object<'a> {
    object_type: ObjectType,
    id: Uuid,
    properties: &'a Properties,
    references: &'a References,
    removed_on: Option<DateTime<Utc>>,
    is_stub: bool,
}

fn push_property(out: &mut String, value: Option<&Value>, value_type: ValueType) {
    let empty = "null";
    match (value_type, value) {
        (ValueType::Boolean, Some(Value::Bool(value))) => out.push_str(if *value { "true" } else { "false" }),
        (ValueType::Integer, Some(Value::Number(number))) if number.is_i64() || number.is_u64() => {
            push_display(out, number)
        }
        (ValueType::DateTime, Some(Value::String(text))) => match parse_time(text) {
            Some(at) => push_time(out, at),
            None => out.push_str(empty),
        },
        (ValueType::Text, Some(value)) => push_text(out, value, cut),
        (ValueType::Textarea, Some(value)) => push_text(out, value, |text| text),
        (ValueType::Boolean | ValueType::Integer | ValueType::DateTime, _) | (_, None) => out.push_str(empty),
        // Written by their own sources.
        (ValueType::Status | ValueType::Reference, Some(_)) => out.push_str(empty),
    }
}

/// Writes a value as text: a list joined by commas, a blank value as null.
fn push_text(out: &mut String, value: &Value, bound: fn(&str) -> &str) {
    let joined;
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Array(values) => {
            let texts = values.iter().filter_map(|value| match value {
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            });
            joined = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
            &joined
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            joined = value.to_string();
            &joined
        }
        Value::Null => "",
    };
    let text = bound(text.trim());
    if text.is_empty() {
        out.push_str("null");
    } else {
        push_string(out, text);
    }
}

/// The first 255 UTF-16 units, at a character's end.
fn cut(text: &str) -> &str {
    if text.len() <= MAX_TEXT_CHARACTERS {
        return text;
    }
    let mut units = 0;
    for (position, character) in text.char_indices() {
        units += character.len_utf16();
        if units > MAX_TEXT_CHARACTERS {
            return &text[..position];
        }
    }
    text
}

/// A time as Graph writes it, with up to seven decimal places of a second. `None` for another text and for the year 1,
/// which Graph uses for «never».
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (at.year() > 1600).then_some(at)
}

/// `2026-01-31T08:00:00Z`, without fractions: the default date format of an import source is
/// `yyyy-MM-dd'T'HH:mm:ss'Z'` (docs/assets.md, «Schema and mapping document»).
fn push_time(out: &mut String, at: DateTime<Utc>) {
    out.push('"');
    out.push_str(&at.to_rfc3339_opts(SecondsFormat::Secs, true));
    out.push('"');
}

fn push_id(out: &mut String, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    out.push('"');
    out.push_str(id.as_hyphenated().encode_lower(&mut buffer));
    out.push('"');
}

fn push_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

/// A JSON string (RFC 8259 §7).
fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(position) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        out.push_str(&rest[..position]);
        match rest.as_bytes()[position] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[position + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::{Memberships, Selection};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn mapping(selection: Value, template: ReferenceTemplate) -> Mapping {
        Mapping::new(&serde_json::from_value::<Selection>(selection).unwrap(), Memberships::Both, template)
    }

    fn small() -> Value {
        json!({"users": {"attributes": ["mail", "createdDateTime", "onPremisesSyncEnabled", "businessPhones"]}})
    }

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_text_of_an_object_is_exact() {
        let (id, manager, one, two) = (Uuid::from_u128(9), Uuid::from_u128(8), Uuid::from_u128(1), Uuid::from_u128(2));
        let references = References(vec![(Link::MANAGER, vec![manager]), (Link::Groups, vec![two, one, two])]);
        let user = properties(json!({
            "displayName": "Zoë \"Z\" \u{1}\n", "mail": "z@x", "createdDateTime": "2021-03-10T20:44:46.1234567Z",
            "onPremisesSyncEnabled": true, "businessPhones": ["+1 555 0100", " ", "+1 555 0101"], "accountEnabled": false,
        }));
        let mapping = mapping(small(), ReferenceTemplate::ArrayPlaceholder);
        assert_eq!(
            mapping.payload(ObjectType::Users, id, &user, &references, None),
            r#"{"objectId":"00000000-0000-0000-0000-000000000009","displayName":"Zoë \"Z\" \u0001","mail":"z@x","businessPhones":"+1 555 0100, +1 555 0101","createdDateTime":"2021-03-10T20:44:46Z","onPremisesSyncEnabled":true,"manager":"00000000-0000-0000-0000-000000000008","groups":["00000000-0000-0000-0000-000000000001","00000000-0000-0000-0000-000000000002"],"licenses":[],"lifecycle":"Disabled","removedOn":null}"#
        );
    }

    #[test]
    fn empty_values_are_written_not_left_out() {
        let mapping = mapping(small(), ReferenceTemplate::JoinedString);
        let text = mapping.payload(ObjectType::Users, Uuid::nil(), &Properties::new(), &References::default(), None);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({"objectId": Uuid::nil(), "displayName": Uuid::nil(), "mail": null, "businessPhones": null,
                   "createdDateTime": null, "onPremisesSyncEnabled": null, "manager": null, "groups": null,
                   "licenses": null, "lifecycle": "Active", "removedOn": null})
        );
    }

    #[test]
    fn a_joined_string_holds_every_reference() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let references = References(vec![(Link::Groups, vec![one, two])]);
        let mapping = mapping(small(), ReferenceTemplate::JoinedString);
        let text = mapping.payload(ObjectType::Users, Uuid::nil(), &Properties::new(), &references, None);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["groups"], format!("{one},{two}"));
    }

    #[test]
    fn a_kept_object_is_marked_removed() {
        let at = DateTime::parse_from_rfc3339("2026-02-03T04:05:06.789Z").unwrap().to_utc();
        let mapping = mapping(small(), ReferenceTemplate::ArrayPlaceholder);
        let text =
            mapping.payload(ObjectType::Users, Uuid::nil(), &Properties::new(), &References::default(), Some(at));
        assert!(text.ends_with(r#""lifecycle":"Removed","removedOn":"2026-02-03T04:05:06Z"}"#), "{text}");
    }

    #[test]
    fn a_stub_has_its_identity_and_name_and_guesses_nothing() {
        let mapping = mapping(json!({}), ReferenceTemplate::ArrayPlaceholder);
        let user = properties(json!({"displayName": "Ada", "userPrincipalName": "ada@x", "accountEnabled": false}));
        for (object_type, lifecycle) in [(ObjectType::Users, "Disabled"), (ObjectType::Groups, "Active")] {
            let text = mapping.stub(object_type, Uuid::nil(), &user);
            let filled = Mapping::non_empty_attributes(&text);
            assert_eq!(filled, ["displayName", "lifecycle", "objectId"]);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&value["displayName"], &value["lifecycle"]), (&json!("Ada"), &json!(lifecycle)));
        }
    }

    #[test]
    fn every_type_writes_its_derived_values() {
        let mapping = mapping(json!({"devices": {}}), ReferenceTemplate::ArrayPlaceholder);
        let of = |object_type, value| -> Value {
            let text = mapping.payload(object_type, Uuid::nil(), &properties(value), &References::default(), None);
            serde_json::from_str(&text).unwrap()
        };
        let group = of(
            ObjectType::Groups,
            json!({"displayName": "G", "groupTypes": ["Unified"], "resourceProvisioningOptions": ["Team"]}),
        );
        assert_eq!(
            (&group["groupKind"], &group["membership"], &group["teams"]),
            (&json!("Microsoft 365"), &json!("Assigned"), &json!(true))
        );
        let sku = of(
            ObjectType::Licenses,
            json!({"skuPartNumber": "P", "prepaidUnits": {"enabled": 5}, "consumedUnits": 2, "capabilityStatus": "Suspended"}),
        );
        assert_eq!(
            (&sku["name"], &sku["enabledUnits"], &sku["availableUnits"], &sku["lifecycle"]),
            (&json!("P"), &json!(5), &json!(3), &json!("Disabled"))
        );
        let device = of(
            ObjectType::Devices,
            json!({"isCompliant": false, "approximateLastSignInDateTime": "0001-01-01T00:00:00Z"}),
        );
        assert_eq!((&device["isCompliant"], &device["approximateLastSignInDateTime"]), (&json!(false), &Value::Null));
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_at_a_character() {
        let long = "é".repeat(256);
        assert_eq!(cut(&long).chars().count(), 255);
        let astral = "𝒳".repeat(200);
        assert_eq!(cut(&astral).chars().count(), 127);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn what_was_cleared_is_named() {
        let mapping = mapping(small(), ReferenceTemplate::ArrayPlaceholder);
        let before = r#"{"mail":"a","manager":"m","groups":["g"],"displayName":"A","gone":"x"}"#;
        let after = r#"{"mail":"b","manager":null,"groups":[],"displayName":"A"}"#;
        let names: Vec<_> = mapping.cleared(ObjectType::Users, before, after).into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["Groups", "Manager"]);
        assert_eq!(mapping.cleared(ObjectType::Users, after, before), []);
    }

    proptest! {
        #[test]
        fn any_text_arrives_as_it_is(text in "\\PC{0,80}|[\\x00-\\x1f\"\\\\é𝒳]{0,40}") {
            let mut out = String::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
