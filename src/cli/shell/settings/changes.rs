//! What has to change so that the service is as a file says. A field that the file does not name stays as it is.

use super::Object;
use super::kind::Kind;
use crate::api::contract::schema::Schemas;
use serde_json::Value;

/// The fields of `wanted` that the service would store otherwise than it has them, as a change of the API takes them.
pub(super) fn changes(kind: &Kind, schemas: &Schemas, wanted: &Object, current: &Object) -> Object {
    let (before, mut changes) = (kind.after(schemas, current, &Object::new()), Object::new());
    for (name, value) in wanted {
        let now = current.get(name).unwrap_or(&Value::Null);
        let is_whole = kind.whole.contains(&name.as_str());
        let value = if is_whole { in_place_of(value, now) } else { value.clone() };
        let change = Object::from_iter([(name.clone(), value)]);
        if kind.after(schemas, current, &change).get(name) != before.get(name) {
            changes.extend(change);
        }
    }
    changes
}

/// A change is merged with what is there, so the parts that are no longer wanted are named as null.
fn in_place_of(wanted: &Value, now: &Value) -> Value {
    let (Value::Object(wanted), Value::Object(now)) = (wanted, now) else { return wanted.clone() };
    let mut change = wanted.clone();
    for name in now.keys().filter(|name| !wanted.contains_key(*name)) {
        change.insert(name.clone(), Value::Null);
    }
    Value::Object(change)
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;
    use crate::api;
    use serde_json::json;
    use uuid::Uuid;

    fn of(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let contract = api::contract().unwrap();
        let change = |kind: &str, wanted: &Value, current: &Value| {
            let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
            Value::Object(changes(kind, contract.schemas(), &of(wanted.clone()), &of(current.clone())))
        };
        let [first, second] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let empty = json!({"property": "mail", "operator": "eq", "value": null});
        let mail = json!({"property": "mail", "operator": "eq", "value": "a@b.example"});
        let filter = json!({
            "name": "A", "limits": {"maxUsers": 10, "maxGroups": 5}, "users": {"odata": "accountEnabled eq true"},
            "groups": {"where": empty}, "exclude": {"userIds": [first, second]},
        });
        for (wanted, expected) in [
            (json!({"name": "A"}), json!({})),
            (json!({"limits": {"maxUsers": 10}}), json!({})),
            (json!({"limits": {"maxUsers": 11}}), json!({"limits": {"maxUsers": 11}})),
            (json!({"exclude": {"userIds": [second, first]}}), json!({})),
            (json!({"exclude": {"userIds": [second]}}), json!({"exclude": {"userIds": [second]}})),
            (json!({"outside": "drop", "scope": null, "devices": null}), json!({})),
            (json!({"outside": "stub"}), json!({"outside": "stub"})),
            (json!({"exclude": null}), json!({"exclude": null})),
            (json!({"users": {"odata": "accountEnabled eq true"}}), json!({})),
            (json!({"users": {"where": mail}}), json!({"users": {"where": mail, "odata": null}})),
            (json!({"groups": {"where": empty}}), json!({})),
            (json!({"groups": {"where": mail}}), json!({"groups": {"where": mail}})),
            (json!({"groups": null}), json!({"groups": null})),
            (json!({"applications": {"where": {"not": empty}}}), json!({"applications": {"where": {"not": empty}}})),
            (json!({"nothing": 1}), json!({"nothing": 1})),
        ] {
            assert_eq!(change("filters", &wanted, &filter), expected, "{wanted}");
        }
        let job = json!({
            "name": "A", "connectionId": first, "deliver": "changes",
            "objects": {"cities": {"enabled": true, "typeName": "Town"}, "devices": {"enabled": false}},
        });
        let dimensions = |attribute: &str| json!({"users": {"dimensions": [{"attribute": attribute}]}});
        for (wanted, expected) in [
            (json!({"objects": dimensions("city")}), json!({})),
            (json!({"objects": dimensions("country")}), json!({"objects": dimensions("country")})),
            (json!({"objects": {"devices": {"enabled": true}}}), json!({"objects": {"devices": {"enabled": true}}})),
            (json!({"objects": {"devices": null}, "removal": null, "schedule": null}), json!({})),
            (json!({"deliver": null}), json!({"deliver": null})),
        ] {
            assert_eq!(change("jobs", &wanted, &job), expected, "{wanted}");
        }
    }
}
