//! Custom security attributes: each tenant defines sets of them, and who may read them is granted apart. A job names one by
//! a key like that of a directory extension: `customSecurityAttributes_<set>_<attribute>`.
//! Source: docs/graph.md, «Properties».

use super::attribute::{Attribute, AttributeSource, Presence, ValueType};
use super::object_type::ObjectType;
use super::properties::Properties;
use serde_json::Value;

/// The property that holds them all.
pub const SECURITY_ATTRIBUTES: &str = "customSecurityAttributes";
const PREFIX: &str = "customSecurityAttributes_";
/// The names of a set and an attribute have up to 32 characters each.
const MAX_NAMES: usize = 65;

/// The attribute with a key, if the objects of the type have such attributes.
pub(super) fn attribute(object_type: ObjectType, key: &str) -> Option<Attribute> {
    let hidden = object_type.spec().hidden.as_ref();
    hidden.filter(|hidden| hidden.properties.contains(&SECURITY_ATTRIBUTES))?;
    let names = key.strip_prefix(PREFIX)?;
    let is_pair = names.trim_matches('_') == names && names.contains('_') && names.len() <= MAX_NAMES;
    let is_name = names.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_pair && is_name).then(|| Attribute {
        key: key.to_owned().into(),
        name: names.replacen('_', " ", 1).into(),
        description: format!("Custom security attribute {names}").into(),
        value_type: ValueType::Textarea,
        source: AttributeSource::SecurityAttribute,
        presence: Presence::OnRequest,
    })
}

/// The value of the attribute with this key. Where the names have underscores themselves, the object tells where the name of
/// the set ends.
pub fn value<'p>(properties: &'p Properties, key: &str) -> Option<&'p Value> {
    let names = key.strip_prefix(PREFIX)?;
    let sets = properties.get(SECURITY_ATTRIBUTES)?;
    names.match_indices('_').find_map(|(at, _)| sets.get(&names[..at])?.get(&names[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_names_a_set_and_an_attribute_of_it() {
        let user = json!({"customSecurityAttributes": {"Engineering": {"Project": ["Baker"], "Cost_Center": 7}}});
        let of = |name: &str| value(user.as_object().unwrap(), &format!("{PREFIX}{name}")).cloned();
        assert_eq!(of("Engineering_Project"), Some(json!(["Baker"])));
        assert_eq!(of("Engineering_Cost_Center"), Some(json!(7)));
        assert_eq!((of("Engineering_Other"), of("Other_Project"), of("Engineering")), (None, None, None));
        let is_known = |object_type, name: &str| attribute(object_type, &format!("{PREFIX}{name}")).is_some();
        assert!(is_known(ObjectType::Users, "Engineering_Project"));
        assert!(!is_known(ObjectType::Groups, "Engineering_Project"));
        for wrong in ["Engineering", "_Project", "Engineering_", "Engi neering_Project", &"x_".repeat(40)] {
            assert!(!is_known(ObjectType::Users, wrong), "{wrong}");
        }
    }
}
