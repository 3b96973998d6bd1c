//! One directory object: its properties as canonical JSON, and separately its references.

use super::member::Member;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// Values nested deeper than this are copied unchanged. Those of Graph have three levels.
const MAX_DEPTH: usize = 32;

/// Why an object of a delta response was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removed {
    /// Soft-deleted: it can be restored for 30 days.
    Changed,
    /// Deleted permanently.
    Deleted,
}

/// What a response says about the manager of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Manager {
    /// Nothing. A list with `$expand=manager` leaves the manager out if there is none.
    #[default]
    NotInResponse,
    /// Null, or an empty list: there is no manager.
    None,
    /// This one. In a delta response it can be a removal.
    Is(Member),
}

impl Manager {
    /// The manager, or the removed one, if the response names one.
    pub fn member(self) -> Option<Member> {
        match self {
            Self::NotInResponse | Self::None => None,
            Self::Is(member) => Some(member),
        }
    }
}

impl From<Option<Member>> for Manager {
    /// From a response that contains the manager if there is one.
    fn from(member: Option<Member>) -> Self {
        member.map_or(Self::None, Self::Is)
    }
}

/// An object of a list or delta response.
#[derive(Debug, Default, PartialEq)]
pub struct Properties {
    /// A GUID, except for `subscribedSku`: `{tenantId}_{skuId}`.
    pub id: String,
    /// The properties with their id as canonical JSON: sorted, without white space, annotations, relations and
    /// nulls. The same object always gives the same text.
    pub json: String,
    /// Names of the properties that came as null, sorted. In a delta answer they were cleared.
    pub nulls: Vec<String>,
    /// Whether there is any property apart from the id. A delta response can repeat a group with members only.
    pub has_properties: bool,
    /// `$expand=manager`, or `manager@delta`.
    pub manager: Manager,
    /// `$expand=owners` (20 at most: if there are 20, read them separately), or `owners@delta`. `None`: not in the
    /// response.
    pub owners: Option<Vec<Member>>,
    /// `$expand=members` (20 at most), or `members@delta`, which can come in several parts of one group.
    pub members: Option<Vec<Member>>,
    /// `$expand=memberOf` (20 at most).
    pub member_of: Option<Vec<Member>>,
    /// In a delta response: why it was removed.
    pub removed: Option<Removed>,
}

impl Properties {
    /// The id of a directory object.
    pub fn uuid(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.id).ok()
    }
}

/// Reads one object of a page.
pub fn properties(item: &str) -> Result<Properties, serde_json::Error> {
    let mut found = Properties::default();
    let mut entries: Vec<(Cow<'_, str>, &RawValue)> = Vec::new();
    for (name, value) in serde_json::from_str::<Entries<'_>>(item)?.0 {
        match &*name {
            "manager" | "manager@delta" => found.manager = single(value)?.into(),
            "owners" | "owners@delta" => found.owners = Some(serde_json::from_str(value.get())?),
            "members" | "members@delta" => found.members = Some(serde_json::from_str(value.get())?),
            "memberOf" => found.member_of = Some(serde_json::from_str(value.get())?),
            "@removed" => found.removed = Some(serde_json::from_str::<RemovedWire<'_>>(value.get())?.read()),
            name if name.contains('@') => {}
            _ if value.get() == "null" => found.nulls.push(name.into_owned()),
            _ => {
                if name == "id" {
                    found.id = serde_json::from_str(value.get())?;
                } else {
                    found.has_properties = true;
                }
                entries.push((name, value));
            }
        }
    }
    if found.id.is_empty() {
        return Err(serde::de::Error::missing_field("id"));
    }
    found.has_properties |= !found.nulls.is_empty();
    found.nulls.sort_unstable();
    found.json.reserve(item.len());
    write_object(entries, &mut found.json, 0)?;
    Ok(found)
}

/// A relation to one object: the object itself when expanded, a list of one in a delta answer.
fn single(value: &RawValue) -> Result<Option<Member>, serde_json::Error> {
    if value.get().starts_with('[') {
        // A change of manager can come as a removal and an addition: the addition counts. Nobody has two managers.
        let all: Vec<Member> = serde_json::from_str(value.get())?;
        let mut added = all.iter().filter(|member| !member.is_removed);
        return Ok(match (added.next(), added.next()) {
            (Some(one), None) => Some(*one),
            (None, _) => all.first().copied(),
            (Some(_), Some(_)) => None,
        });
    }
    serde_json::from_str(value.get())
}

#[derive(Deserialize)]
struct RemovedWire<'a> {
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
}

impl RemovedWire<'_> {
    /// An unknown reason counts as the one that can be undone.
    fn read(&self) -> Removed {
        if self.reason == "deleted" { Removed::Deleted } else { Removed::Changed }
    }
}

/// Writes the canonical form of any JSON value.
fn write(value: &RawValue, out: &mut String, depth: usize) -> Result<(), serde_json::Error> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') if depth < MAX_DEPTH => {
            let entries = serde_json::from_str::<Entries<'_>>(text)?.0;
            let is_kept =
                |(name, value): &(Cow<'_, str>, &RawValue)| !name.contains("@odata.") && value.get() != "null";
            write_object(entries.into_iter().filter(is_kept).collect(), out, depth)
        }
        // A list of texts and numbers, as Graph writes it: this is the canonical form already.
        Some(b'[') if !text.bytes().any(|b| b == b'{' || b == b'\\' || b.is_ascii_whitespace()) => {
            out.push_str(text);
            Ok(())
        }
        Some(b'[') if depth < MAX_DEPTH => {
            out.push('[');
            for (position, item) in serde_json::from_str::<Vec<&RawValue>>(text)?.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(item, out, depth + 1)?;
            }
            out.push(']');
            Ok(())
        }
        // `\u00e9` and `é` are the same text.
        Some(b'"') if text.contains('\\') => {
            out.push_str(&serde_json::to_string(&serde_json::from_str::<String>(text)?)?);
            Ok(())
        }
        _ => {
            out.push_str(text);
            Ok(())
        }
    }
}

fn write_object(
    mut entries: Vec<(Cow<'_, str>, &RawValue)>,
    out: &mut String,
    depth: usize,
) -> Result<(), serde_json::Error> {
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    out.push('{');
    for (position, (name, value)) in entries.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            out.push('"');
            out.push_str(&name);
            out.push('"');
        } else {
            out.push_str(&serde_json::to_string(&name)?);
        }
        out.push(':');
        write(value, out, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

/// The entries of an object in their order, borrowed from the text.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(24);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    entries.push((name, value));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Object).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::MemberType;

    const ID: &str = "6e7b768e-07e2-4810-8459-485f84f8f204";
    const OTHER: &str = "11111111-1111-1111-1111-111111111111";

    #[test]
    fn the_same_object_gives_the_same_text_however_it_is_written() {
        let one = properties(&format!(
            r#"{{"@odata.type":"t","id":"{ID}","surname":"M\u00fcller","businessPhones":[ "1" , "2" ],"mail":null,"onPremisesExtensionAttributes":{{"b":1,"a":null,"@odata.type":"x"}}}}"#
        ));
        let two = properties(&format!(
            r#"{{"surname":"Müller","onPremisesExtensionAttributes":{{"b":1}},"businessPhones":["1","2"],"id":"{ID}"}}"#
        ));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!(one.json, two.json);
        assert_eq!(
            one.json,
            format!(
                r#"{{"businessPhones":["1","2"],"id":"{ID}","onPremisesExtensionAttributes":{{"b":1}},"surname":"Müller"}}"#
            )
        );
        assert_eq!(one.nulls, ["mail"]);
        assert!(serde_json::from_str::<serde_json::Value>(&one.json).is_ok());
    }

    #[test]
    fn what_was_expanded_stands_apart() {
        let read = properties(&format!(
            r##"{{"id":"{ID}","manager@odata.context":"x","manager":{{"@odata.type":"#microsoft.graph.user","id":"{OTHER}"}},
                "owners":[],"members":[{{"id":"{OTHER}","@odata.type":"#microsoft.graph.group"}}]}}"##
        ))
        .unwrap();
        assert_eq!(read.manager.member().unwrap().id.to_string(), OTHER);
        assert_eq!(read.owners.as_deref(), Some(&[][..]));
        assert_eq!(read.members.unwrap()[0].kind, MemberType::Group);
        assert_eq!(read.member_of, None);
        assert_eq!(read.json, format!(r#"{{"id":"{ID}"}}"#));
        assert!(!read.has_properties);
    }

    #[test]
    fn a_change_of_manager_is_its_addition() {
        let read = |text: &str| properties(&format!(r#"{{"id":"{ID}","manager@delta":{text}}}"#)).unwrap().manager;
        let both = format!(r#"[{{"id":"{ID}","@removed":{{"reason":"deleted"}}}},{{"id":"{OTHER}"}}]"#);
        assert_eq!(read(&both).member().unwrap().id.to_string(), OTHER);
        let gone = format!(r#"[{{"id":"{ID}","@removed":{{"reason":"deleted"}}}}]"#);
        assert!(read(&gone).member().unwrap().is_removed);
        assert_eq!((read("[]"), read("null")), (Manager::None, Manager::None));
        let without = properties(&format!(r#"{{"id":"{ID}"}}"#)).unwrap().manager;
        assert_eq!(without, Manager::NotInResponse);
    }

    #[test]
    fn removals_tell_soft_from_permanent() {
        let read = |reason: &str| {
            properties(&format!(r#"{{"id":"{ID}","@removed":{{"reason":"{reason}"}}}}"#)).unwrap().removed
        };
        assert_eq!(read("changed"), Some(Removed::Changed));
        assert_eq!(read("deleted"), Some(Removed::Deleted));
        assert_eq!(properties(&format!(r#"{{"id":"{ID}"}}"#)).unwrap().removed, None);
    }

    #[test]
    fn a_sku_has_an_id_of_two_parts() {
        let read = properties(&format!(r#"{{"id":"{ID}_{OTHER}","consumedUnits":14}}"#)).unwrap();
        assert_eq!(read.uuid(), None);
        assert!(read.has_properties);
    }

    #[test]
    fn an_object_without_an_id_is_an_error() {
        assert!(properties("{}").is_err());
        assert!(properties(r#"{"id":null}"#).is_err());
        assert!(properties("[]").is_err());
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = format!(r#"{{"id":"{ID}","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let _ = properties(&deep);
    }
}
