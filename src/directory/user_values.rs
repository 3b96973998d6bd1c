//! The distinct values that users have in a property, as objects. [`super::value`] says which texts are one value. The
//! spelling that most users have is its name; of spellings that as many users have, the one that comes first by the
//! numbers of its characters.

use super::attribute::{Attribute, Link};
use super::attributes::attributes;
use super::object_type::ObjectType;
use super::properties::Properties;
use super::value;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// The values of one property of users, as they are collected.
#[derive(Debug)]
pub struct UserValues {
    pub object_type: ObjectType,
    link: Link,
    /// By the id of the value, how many users have it in which spelling.
    found: HashMap<Uuid, HashMap<String, u64>>,
}

impl UserValues {
    /// `None`: the objects of the type are not values of users.
    pub fn of(object_type: ObjectType) -> Option<Self> {
        let mut links = attributes(ObjectType::Users).iter().filter_map(Attribute::link);
        let link = links.find(|link| matches!(link, Link::Value { target, .. } if *target == object_type))?;
        Some(Self { object_type, link, found: HashMap::new() })
    }

    /// The property of users that they are in.
    pub fn property(&self) -> Option<&'static str> {
        self.link.property()
    }

    /// The key of the attribute of users with the text.
    pub fn key(&self) -> &'static str {
        match self.link {
            Link::Value { field, .. } => field,
            _ => "",
        }
    }

    /// Adds the value of a user.
    pub fn add(&mut self, user: &Properties) {
        let Some(spelling) = self.link.value(user).and_then(value::spelling) else { return };
        let id = value::id_of(self.object_type, &spelling);
        *self.found.entry(id).or_default().entry(spelling).or_default() += 1;
    }

    /// The objects, each with the properties that it is kept with.
    pub fn into_objects(self) -> impl Iterator<Item = (Uuid, Properties)> {
        self.found.into_iter().filter_map(|(id, spellings)| {
            let most = spellings.into_iter().max_by(|(a, of_a), (b, of_b)| of_a.cmp(of_b).then_with(|| b.cmp(a)));
            most.map(|(name, _)| (id, Properties::from_iter([("name".to_owned(), Value::from(name))])))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::id;
    use super::*;
    use serde_json::json;

    fn names(object_type: ObjectType, users: &[Value]) -> Vec<String> {
        let mut values = UserValues::of(object_type).unwrap();
        users.iter().for_each(|user| values.add(user.as_object().unwrap()));
        let objects = values.into_objects();
        let mut names: Vec<String> = objects.map(|(_, value)| value["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn spellings_of_one_value_are_one_object_with_the_most_frequent_name() {
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("as they are", &["Sales", "Legal"], &["Legal", "Sales"]),
            ("case", &["sales", "Sales", "SALES", "Sales"], &["Sales"]),
            ("white space around and within", &["  Human  Resources ", "Human\tResources"], &["Human Resources"]),
            ("a space that does not break", &["Human\u{a0}Resources", "Human Resources"], &["Human Resources"]),
            ("composed and decomposed", &["Cafe\u{301}", "Caf\u{e9}"], &["Caf\u{e9}"]),
            ("as many of both: the first by its characters", &["sales", "Sales"], &["Sales"]),
            ("blank is no value", &["", " ", "\n"], &[]),
            (
                "accents and punctuation count",
                &["Resume", "Résumé", "R&D", "R & D"],
                &["R & D", "R&D", "Resume", "Résumé"],
            ),
        ];
        for (what, texts, wanted) in cases {
            for reversed in [false, true] {
                let mut users: Vec<Value> = texts.iter().map(|text| json!({"department": text})).collect();
                if reversed {
                    users.reverse();
                }
                assert_eq!(names(ObjectType::Departments, &users), wanted, "{what}");
            }
        }
    }

    #[test]
    fn a_user_refers_to_its_value_in_any_spelling() {
        let of = |user: Value, object_type| {
            UserValues::of(object_type).unwrap().link.ids(user.as_object().unwrap()).first().copied()
        };
        let sales = of(json!({"department": "Sales"}), ObjectType::Departments);
        assert!(sales.is_some());
        assert_eq!(of(json!({"department": " SALES "}), ObjectType::Departments), sales);
        assert_eq!(of(json!({"department": " "}), ObjectType::Departments), None);
        assert_eq!(of(json!({}), ObjectType::Departments), None);
        assert_ne!(of(json!({"jobTitle": "Sales"}), ObjectType::JobTitles), sales, "a title is no department");
        let nested = json!({"employeeOrgData": {"costCenter": "K-10", "division": "D"}});
        assert_eq!(of(nested, ObjectType::CostCenters), id(ObjectType::CostCenters, "k-10"));
        assert_eq!(of(json!({"employeeOrgData": {"division": "D"}}), ObjectType::CostCenters), None);
    }

    #[test]
    fn an_id_never_changes() {
        let id = id(ObjectType::Departments, "Sales").unwrap().to_string();
        assert_eq!(id, "359b281d-1afb-4c0e-9eb0-852b74236dd0");
    }
}
