//! Every fault of a selection, with its place in the body.

use super::{Memberships, ObjectSelection, Selection};
use crate::directory::attributes::{attribute, attributes, is_of_tenant};
use crate::directory::{Attribute, Link, ObjectType, UserValues};
use crate::error::Faults;
use crate::mapping::existing::id_key;
use crate::mapping::names::{ASSETS_OWN_NAMES, MAX_ATTRIBUTES, unknown, wrong_name};
use crate::mapping::{dimension, lookup};

impl Selection {
    /// Adds all faults; `pointer` is the place of the selection in the body: `/objects`.
    pub fn check(&self, pointer: &str, faults: &mut Faults) {
        if !ObjectType::ALL.into_iter().any(|object_type| self.of(object_type).enabled) {
            faults.push(pointer, "nothing_selected", "at least one object type must be enabled");
        }
        for object_type in ObjectType::ALL {
            self.of(object_type).check(object_type, &format!("{pointer}/{object_type}"), faults);
        }
        self.check_type_names(pointer, faults);
        self.check_lookups(pointer, faults);
        self.check_targets(pointer, faults);
        self.check_values(pointer, faults);
    }

    /// Objects that are values of users are made of users.
    fn check_values(&self, pointer: &str, faults: &mut Faults) {
        if self.of(ObjectType::Users).enabled {
            return;
        }
        let is_made = |of: &ObjectType| self.of(*of).enabled && UserValues::of(*of).is_some();
        for object_type in ObjectType::ALL.into_iter().filter(is_made) {
            let detail = format!("The {object_type} are made of the users, which the job does not import.");
            faults.push(format!("{pointer}/{object_type}/enabled"), "users_required", detail);
        }
    }

    /// References lead to objects that are imported, and these are looked up by their id.
    fn check_targets(&self, pointer: &str, faults: &mut Faults) {
        for object_type in ObjectType::ALL.into_iter().filter(|object_type| self.of(*object_type).enabled) {
            let pointer = format!("{pointer}/{object_type}");
            let existing = self.of(object_type).existing.as_ref();
            for attribute in self.attributes(object_type, Memberships::Both) {
                let Some(target) = attribute.link().map(Link::target) else { continue };
                let (chosen, id) = (self.of(target), id_key(target));
                let has_id = chosen.existing.as_ref().is_none_or(|existing| existing.attributes.contains_key(id));
                let pointer = match existing {
                    Some(_) => format!("{pointer}/existing/attributes/{}", attribute.key),
                    None => format!("{pointer}/references"),
                };
                if !chosen.enabled {
                    let detail = format!("`{}` refers to {target}, which the job does not import.", attribute.key);
                    faults.push(pointer, "reference_not_mapped", detail);
                } else if !has_id {
                    let detail = format!(
                        "`{}` refers to {target}, which are looked up by their id: map `{id}` in \
                         /objects/{target}/existing/attributes.",
                        attribute.key
                    );
                    faults.push(pointer, "reference_not_mapped", detail);
                }
            }
        }
    }

    /// What lookups lead to is not imported, and an attribute in Assets is filled once.
    fn check_lookups(&self, pointer: &str, faults: &mut Faults) {
        let imported = ObjectType::ALL.into_iter().filter(|of| self.of(*of).enabled);
        let imported: Vec<String> = imported.map(|of| self.type_name(of).to_lowercase()).collect();
        for object_type in ObjectType::ALL {
            let choice = self.of(object_type);
            let is_existing = choice.existing.is_some();
            let names = choice.filled(object_type);
            let filled = lookup::FilledAttributes { object_type, names, imported: &imported, is_existing };
            lookup::check(choice.lookups(), filled, &format!("{pointer}/{object_type}/lookups"), faults);
        }
    }

    fn check_type_names(&self, pointer: &str, faults: &mut Faults) {
        let mut taken: Vec<String> = Vec::new();
        for object_type in ObjectType::ALL {
            let name = self.type_name(object_type);
            let folded = name.to_lowercase();
            if taken.contains(&folded) {
                let detail = format!("two object types would have the name `{name}`");
                let field = if self.of(object_type).existing.is_some() { "existing/objectType" } else { "typeName" };
                faults.push(format!("{pointer}/{object_type}/{field}"), "duplicate_name", detail);
            }
            taken.push(folded);
        }
    }
}

impl ObjectSelection {
    fn check(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        if let Some(dimensions) = &self.dimensions {
            dimension::check(dimensions, object_type, &format!("{pointer}/dimensions"), faults);
        }
        self.check_jira_user(object_type, pointer, faults);
        if let Some(existing) = &self.existing {
            self.check_alone(pointer, faults);
            return existing.check(object_type, &format!("{pointer}/existing"), faults);
        }
        let chosen = self.attributes.as_deref().unwrap_or_default();
        if chosen.len() > MAX_ATTRIBUTES {
            let detail = format!("An object type can have at most {MAX_ATTRIBUTES} attributes.");
            faults.push(format!("{pointer}/attributes"), "too_many", detail);
            return;
        }
        for (position, key) in chosen.iter().enumerate() {
            let pointer = format!("{pointer}/attributes/{position}");
            if attribute(object_type, key).is_none() {
                faults.push(pointer, "unknown_attribute", unknown(object_type, key));
            } else if chosen[..position].contains(key) {
                faults.push(pointer, "duplicate", format!("`{key}` is already in the list."));
            }
        }
        for (position, key) in self.references.iter().flatten().enumerate() {
            if !attribute(object_type, key).is_some_and(|attribute| attribute.is_reference()) {
                let detail = format!("`{key}` is not a reference of {object_type}.");
                faults.push(format!("{pointer}/references/{position}"), "unknown_attribute", detail);
            }
        }
        if let Some(detail) = self.type_name.as_deref().and_then(wrong_name) {
            faults.push(format!("{pointer}/typeName"), "invalid_name", detail);
        }
        self.check_names(object_type, pointer, faults);
    }

    /// Only users have Jira accounts, in an attribute that nothing else fills.
    fn check_jira_user(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        if object_type != ObjectType::Users {
            if self.jira_user || self.jira_user_attribute.is_some() {
                let field = if self.jira_user { "jiraUser" } else { "jiraUserAttribute" };
                faults.push(format!("{pointer}/{field}"), "only_users", "Only users have Jira accounts.");
            }
            return;
        }
        let (name, pointer) = (self.jira_user_attribute(), format!("{pointer}/jiraUserAttribute"));
        if let Some(detail) = wrong_name(name) {
            faults.push(pointer, "invalid_name", detail);
        } else if ASSETS_OWN_NAMES.contains(&name.to_lowercase().as_str()) {
            let detail = format!("`{name}` is an attribute that Assets itself gives to every object.");
            faults.push(pointer, "reserved_name", detail);
        } else if self.jira_user
            && let Some(key) = self.key_named(object_type, name)
        {
            let detail = format!("The import writes `{key}` into the attribute `{name}`. Name another one.");
            faults.push(pointer, "duplicate_name", detail);
        }
    }

    /// The key of the attribute that the import writes into the attribute of this name.
    fn key_named(&self, object_type: ObjectType, name: &str) -> Option<String> {
        let looked_up = self.lookups().iter().filter_map(|lookup| lookup.reference(object_type));
        let looked_up = looked_up.map(|of| (of.name.to_lowercase(), of.key.into_owned()));
        let mut filled = self.filled(object_type).into_iter().chain(looked_up);
        filled.find(|(filled, _)| *filled == name.to_lowercase()).map(|(_, key)| key)
    }

    /// The attributes in Assets that the import fills besides lookups, in small letters, with the keys of what fills them.
    fn filled(&self, object_type: ObjectType) -> Vec<(String, String)> {
        let fold = |name: &str| name.trim().to_lowercase();
        if let Some(existing) = &self.existing {
            return existing.attributes.iter().map(|(key, theirs)| (fold(theirs), key.clone())).collect();
        }
        let name = |of: &Attribute| fold(self.names.get(of.key.as_ref()).map_or(of.name.as_ref(), String::as_str));
        let written = attributes(object_type).iter().filter(|of| of.is_reference() || self.has(of));
        written.map(|of| (name(of), of.key.clone().into_owned())).collect()
    }

    /// An object type that is there has its own attributes and names.
    fn check_alone(&self, pointer: &str, faults: &mut Faults) {
        let given = [
            ("attributes", self.attributes.is_some()),
            ("references", self.references.is_some()),
            ("names", !self.names.is_empty()),
            ("typeName", self.type_name.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            let detail =
                format!("`existing.attributes` says what is imported: leave out `{field}`, or leave out `existing`.");
            faults.push(format!("{pointer}/{field}"), "not_with_existing", detail);
        }
    }

    fn check_names(&self, object_type: ObjectType, pointer: &str, faults: &mut Faults) {
        for (key, name) in &self.names {
            let pointer = format!("{pointer}/names/{}", crate::error::pointer_part(key));
            if attribute(object_type, key).is_none() {
                faults.push(pointer, "unknown_attribute", unknown(object_type, key));
            } else if let Some(detail) = wrong_name(name) {
                faults.push(pointer, "invalid_name", detail);
            } else if ASSETS_OWN_NAMES.contains(&name.trim().to_lowercase().as_str()) {
                let detail = format!("`{}` is an attribute that Assets itself gives to every object.", name.trim());
                faults.push(pointer, "reserved_name", detail);
            }
        }
        let extensions = self.attributes.iter().flatten().filter(|key| is_of_tenant(key));
        let extensions: Vec<Attribute> = extensions.filter_map(|key| attribute(object_type, key)).collect();
        let mut taken: Vec<String> = Vec::new();
        for attribute in attributes(object_type)
            .iter()
            .filter(|attribute| attribute.is_reference() || self.has(attribute))
            .chain(&extensions)
        {
            let name = self.names.get(attribute.key.as_ref()).map_or(attribute.name.as_ref(), |name| name.trim());
            if taken.contains(&name.to_lowercase()) {
                let detail =
                    format!("Two attributes would be called `{name}`; give one of them another name in `names`.");
                faults.push(format!("{pointer}/names/{}", attribute.key), "duplicate_name", detail);
            }
            taken.push(name.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use serde_json::{Value, json};

    fn faults(selection: Value) -> Vec<(String, &'static str)> {
        let selection: Selection = serde_json::from_value(selection).unwrap();
        let mut faults = Faults::default();
        selection.check("/objects", &mut faults);
        let found = faults.into_result().err().map(|Error { faults, .. }| faults).unwrap_or_default();
        found.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let selection = json!({
            "users": {"attributes": ["department", "nickname", "department"], "names": {"mail": " ", "city": "Key", "x/y": "Z"}},
            "groups": {"references": ["manager"], "names": {"mail": "description"}},
            "licenses": {"typeName": "Entra User"},
        });
        assert_eq!(
            faults(selection),
            [
                ("/objects/users/attributes/1".to_owned(), "unknown_attribute"),
                ("/objects/users/attributes/2".to_owned(), "duplicate"),
                ("/objects/users/names/city".to_owned(), "reserved_name"),
                ("/objects/users/names/mail".to_owned(), "invalid_name"),
                ("/objects/users/names/x~1y".to_owned(), "unknown_attribute"),
                ("/objects/groups/references/0".to_owned(), "unknown_attribute"),
                ("/objects/groups/names/mail".to_owned(), "duplicate_name"),
                ("/objects/licenses/typeName".to_owned(), "duplicate_name"),
            ]
        );
    }

    #[test]
    fn a_name_cannot_break_a_reference_query() {
        assert_eq!(
            faults(json!({"users": {"names": {"objectId": "ID\" OR 1"}}})),
            [("/objects/users/names/objectId".to_owned(), "invalid_name")]
        );
    }

    #[test]
    fn faults_of_dimensions_are_named() {
        let department = || json!({"attribute": "department"});
        let cases = [
            (
                json!({"users": {"dimensions": [{"attribute": "mail"}]}}),
                "users/dimensions/0/attribute",
                "unknown_attribute",
            ),
            (
                json!({"users": {"dimensions": [department(), department()]}}),
                "users/dimensions/1/attribute",
                "duplicate",
            ),
            (
                json!({"users": {"dimensions": [{"attribute": "city", "objectType": "A\"B"}]}}),
                "users/dimensions/0/objectType",
                "invalid_name",
            ),
            (json!({"groups": {"dimensions": [department()]}}), "groups/dimensions", "only_users"),
            (
                json!({"users": {"enabled": false, "dimensions": [department()]}}),
                "departments/enabled",
                "users_required",
            ),
            (json!({"users": {"enabled": false}, "offices": {}}), "offices/enabled", "users_required"),
        ];
        for (selection, pointer, code) in cases {
            let found = faults(selection);
            assert!(found.contains(&(format!("/objects/{pointer}"), code)), "{pointer}: {found:?}");
        }
    }

    #[test]
    fn a_selection_of_nothing_is_a_fault() {
        let off = json!({"users": {"enabled": false}, "groups": {"enabled": false}, "licenses": {"enabled": false}});
        assert_eq!(faults(off), [("/objects".to_owned(), "nothing_selected")]);
    }
}
