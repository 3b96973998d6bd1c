//! What has to change so that the service is as a file says. A field that the file does not name stays as it is.

use super::Object;
use serde_json::Value;

/// The fields of `wanted` that differ from `current`, as a change of the API takes them. `whole`: the fields that are
/// compared as a whole.
pub(super) fn changes(wanted: &Object, current: &Object, whole: &[&str]) -> Object {
    let mut changes = Object::new();
    for (name, value) in wanted {
        let now = current.get(name).unwrap_or(&Value::Null);
        let is_whole = whole.contains(&name.as_str());
        let is_same = if is_whole { value == now } else { fits(value, now) };
        if !is_same {
            let change = if is_whole { in_place_of(value, now) } else { value.clone() };
            changes.insert(name.clone(), change);
        }
    }
    changes
}

/// Whether `now` has everything that is wanted. What more it has are defaults.
fn fits(wanted: &Value, now: &Value) -> bool {
    match (wanted, now) {
        (Value::Object(wanted), Value::Object(now)) => {
            wanted.iter().all(|(name, value)| fits(value, now.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Array(wanted), Value::Array(now)) => {
            wanted.len() == now.len() && wanted.iter().zip(now).all(|(wanted, now)| fits(wanted, now))
        }
        (Value::Number(wanted), Value::Number(now)) => wanted.as_f64() == now.as_f64(),
        _ => wanted == now,
    }
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
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let current = of(json!({
            "name": "A", "limits": {"maxUsers": 10, "maxGroups": 5}, "list": [1, 2], "users": {"odata": "x"}, "on": true,
        }));
        for (wanted, change) in [
            (json!({"name": "A"}), json!({})),
            (json!({"limits": {"maxUsers": 10.0}}), json!({})),
            (json!({"limits": {"maxUsers": 11}}), json!({"limits": {"maxUsers": 11}})),
            (json!({"list": [1]}), json!({"list": [1]})),
            (json!({"list": [1, 2], "on": false}), json!({"on": false})),
            (json!({"users": {"odata": "x"}}), json!({})),
            (json!({"users": {"where": {}}}), json!({"users": {"where": {}, "odata": null}})),
            (json!({"new": null}), json!({})),
            (json!({"on": null}), json!({"on": null})),
        ] {
            assert_eq!(Value::Object(changes(&of(wanted.clone()), &current, &["users"])), change, "{wanted}");
        }
    }
}
