//! Members, owners and managers: an id and a type, read without the properties around them.

use super::page::{Content, Envelope, Links, first_json, mark};
use crate::directory::MemberType;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use uuid::Uuid;

/// From `@odata.type`: `#microsoft.graph.user`.
fn member_type(odata_type: &str) -> MemberType {
    let name = odata_type.strip_prefix('#').unwrap_or(odata_type);
    match name.strip_prefix("microsoft.graph.").unwrap_or(name) {
        "user" => MemberType::User,
        "group" => MemberType::Group,
        "device" => MemberType::Device,
        "servicePrincipal" => MemberType::ServicePrincipal,
        "orgContact" => MemberType::Contact,
        _ => MemberType::Other,
    }
}

/// One end of a membership, ownership or other relation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    pub id: Uuid,
    pub kind: MemberType,
    /// The object has properties, and all of them are null: the application has no permission to read this type of
    /// object. The nulls are not values. Source: docs/graph.md, «Unreadable objects».
    pub is_unreadable: bool,
    /// In a delta response: it is no longer a member.
    pub is_removed: bool,
}

impl Member {
    pub fn user(id: Uuid) -> Self {
        Self { id, kind: MemberType::User, is_unreadable: false, is_removed: false }
    }
}

/// A page of directory objects of which only id and type matter.
#[derive(Debug, Default)]
pub struct Members(pub Vec<Member>);

impl Content for Members {
    fn read(body: String) -> Result<(Links, Self), serde_json::Error> {
        let envelope: Envelope<Vec<Member>> = first_json(&body)?;
        let (links, members) = envelope.split();
        Ok((links, Self(members)))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn mark(&self) -> u64 {
        mark(self.0.len(), self.0.first().map(|m| m.id), self.0.last().map(|m| m.id))
    }
}

enum Field {
    Id,
    Type,
    Removed,
    Annotation,
    Property,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Field, E> {
                Ok(match name {
                    "id" => Field::Id,
                    "@odata.type" => Field::Type,
                    "@removed" => Field::Removed,
                    name if name.contains("@odata.") => Field::Annotation,
                    _ => Field::Property,
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// Reads the name of a type, without storing it.
struct TypeName;

impl<'de> DeserializeSeed<'de> for TypeName {
    type Value = MemberType;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<MemberType, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TypeName {
    type Value = MemberType;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type name like #microsoft.graph.user")
    }
    fn visit_str<E>(self, name: &str) -> Result<MemberType, E> {
        Ok(member_type(name))
    }
}

/// Reads whether a value is null, without storing it.
struct IsNull;

impl<'de> DeserializeSeed<'de> for IsNull {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IsNull {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(true)
    }
    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        // Without the permission a list property can be an empty list, which then means as little as null.
        let mut is_empty = true;
        while items.next_element::<IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(is_empty)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a directory object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                let (mut id, mut kind, mut is_removed) = (None, MemberType::Other, false);
                let (mut properties, mut nulls) = (0u32, 0u32);
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::Id => id = Some(map.next_value()?),
                        Field::Type => kind = map.next_value_seed(TypeName)?,
                        Field::Removed => {
                            map.next_value::<IgnoredAny>()?;
                            is_removed = true;
                        }
                        Field::Annotation => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        Field::Property => {
                            properties += 1;
                            nulls += u32::from(map.next_value_seed(IsNull)?);
                        }
                    }
                }
                let id = id.ok_or_else(|| de::Error::missing_field("id"))?;
                Ok(Member { id, kind, is_unreadable: properties > 0 && nulls == properties, is_removed })
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::Items;
    use super::*;

    const USER: &str = "6e7b768e-07e2-4810-8459-485f84f8f204";

    fn members(value: &str) -> Vec<Member> {
        Members::read(format!(r#"{{"value":{value}}}"#)).unwrap().1.0
    }

    #[test]
    fn half_a_page_html_or_a_page_without_items_is_no_page() {
        let whole = format!(r#"{{"value":[{{"id":"{USER}"}}],"@odata.nextLink":"https://h/"}}"#);
        for cut in 0..whole.len() {
            assert!(Items::read(whole[..cut].to_owned()).is_err(), "{cut}");
            assert!(Members::read(whole[..cut].to_owned()).is_err(), "{cut}");
        }
        for wrong in ["<html></html>", "{}", r#"{"error":{"code":"x"}}"#, r#"{"value":null}"#, "[]", ""] {
            assert!(Items::read(wrong.to_owned()).is_err(), "{wrong}");
            assert!(Members::read(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_member_is_its_id_and_type() {
        let found = members(&format!(
            r##"[{{"@odata.type":"#microsoft.graph.user","id":"{USER}"}},
                {{"id":"{}","@odata.type":"\u0023microsoft.graph.group"}},
                {{"@odata.type":"#microsoft.graph.somethingNew","id":"{USER}"}},
                {{"id":"{USER}"}}]"##,
            USER.to_uppercase()
        ));
        let kinds: Vec<_> = found.iter().map(|m| m.kind).collect();
        assert_eq!(kinds, [MemberType::User, MemberType::Group, MemberType::Other, MemberType::Other]);
        assert!(found.iter().all(|m| m.id == USER.parse::<Uuid>().unwrap() && !m.is_unreadable && !m.is_removed));
        assert!(size_of::<Member>() <= 20);
    }

    #[test]
    fn a_member_whose_properties_are_all_null_is_unreadable() {
        let found = members(&format!(
            r##"[{{"@odata.type":"#microsoft.graph.device","@odata.id":"x","id":"{USER}","displayName":null,"mail":null,"list":[]}},
                {{"id":"{USER}","displayName":null,"accountEnabled":false}},
                {{"id":"{USER}","o":{{"a":null}}}}]"##
        ));
        assert_eq!(found.iter().map(|m| m.is_unreadable).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn a_removed_member_of_a_delta_answer_says_so() {
        let found = members(&format!(r#"[{{"id":"{USER}","@removed":{{"reason":"deleted"}}}}]"#));
        assert!(found[0].is_removed);
    }

    #[test]
    fn a_member_without_a_usable_id_is_an_error_not_a_gap() {
        assert!(Members::read(r#"{"value":[{"@odata.type":"x"}]}"#.to_owned()).is_err());
        assert!(Members::read(r#"{"value":[{"id":"nobody"}]}"#.to_owned()).is_err());
    }
}
