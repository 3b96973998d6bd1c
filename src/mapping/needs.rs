//! The capabilities that a job needs of its connection, and what of the job needs them.

use super::Mapping;
use crate::directory::ObjectType;
use crate::permission::Capability;

/// A type or an attribute that a job imports, and the capability that reading it takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    pub object_type: ObjectType,
    /// The key of the attribute; none, if the type itself needs it.
    pub attribute: Option<String>,
    pub capability: Capability,
}

impl Mapping {
    /// What the types need, and what their attributes need besides.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        for object_type in ObjectType::ALL.into_iter().filter(|object_type| self.is_enabled(*object_type)) {
            let spec = object_type.spec();
            needs.push(Need { object_type, attribute: None, capability: spec.capability });
            for attribute in self.read_attributes(object_type) {
                let is_hidden =
                    |hidden: &&crate::directory::Hidden| hidden.properties.contains(&attribute.key.as_ref());
                let hidden = spec.hidden.as_ref().filter(is_hidden).map(|hidden| hidden.without);
                let own = attribute.capability().and_then(|name| name.parse().ok());
                let further = [own, hidden].into_iter().flatten().filter(|capability| *capability != spec.capability);
                needs.extend(further.map(|capability| Need {
                    object_type,
                    attribute: Some(attribute.key.clone().into_owned()),
                    capability,
                }));
            }
        }
        needs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Memberships, ReferenceTemplate, Selection};
    use serde_json::{Value, json};

    fn needs(objects: Value) -> Vec<(ObjectType, Option<String>, Capability)> {
        let selection: Selection = serde_json::from_value(objects).unwrap();
        let mapping = Mapping::new(&selection, Memberships::default(), ReferenceTemplate::default());
        mapping.needs().into_iter().map(|need| (need.object_type, need.attribute, need.capability)).collect()
    }

    #[test]
    fn a_type_needs_its_own_and_an_attribute_what_it_needs_besides() {
        let needs = needs(json!({
            "users": {"attributes": ["lastSignInDateTime"], "references": ["manager"]}, "groups": {"enabled": false},
            "licenses": {"enabled": false}, "devices": {"attributes": ["isCompliant"], "references": []}, "applications": {},
        }));
        let has = |object_type, attribute: Option<&str>, capability| {
            needs.contains(&(object_type, attribute.map(str::to_owned), capability))
        };
        assert!(has(ObjectType::Users, None, Capability::Users));
        assert!(has(ObjectType::Users, Some("lastSignInDateTime"), Capability::SignInActivity), "{needs:?}");
        assert!(has(ObjectType::Users, Some("manager"), Capability::Managers), "{needs:?}");
        assert!(has(ObjectType::Devices, Some("isCompliant"), Capability::IntuneDevices), "{needs:?}");
        assert!(has(ObjectType::Applications, None, Capability::Applications));
        assert!(!needs.iter().any(|(object_type, ..)| *object_type == ObjectType::Groups), "it is off");
    }

    #[test]
    fn a_text_that_is_only_looked_up_is_read_too() {
        let key = "customSecurityAttributes_Finance_Centre";
        let needs = needs(json!({"users": {"lookups": [{"attribute": key, "objectType": "Cost Center"}]}}));
        let need = (ObjectType::Users, Some(key.to_owned()), Capability::SecurityAttributes);
        assert_eq!(needs.iter().filter(|of| **of == need).count(), 1, "{needs:?}");
    }
}
