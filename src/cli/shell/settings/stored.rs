//! Settings as the service stores them. A file may write the same in another way: ids in another order, a short form, null
//! for a default. `None`: the service would refuse them.

use super::Object;
use crate::api::jobs;
use crate::cloud::Cloud;
use crate::destination::{self, EmptyValues, MissingObjects};
use crate::filter::Filter;
use crate::mapping::ReferenceTemplate;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) fn connection(fields: &Object) -> Option<Object> {
    let mut stored = fields.clone();
    write::<Cloud>(&mut stored, "cloud")?;
    if let Some(credential) = stored.get_mut("credential").and_then(Value::as_object_mut) {
        write::<Option<DateTime<Utc>>>(credential, "expiresAt")?;
    }
    Some(stored)
}

pub(super) fn filter(fields: &Object) -> Option<Object> {
    let mut rules = fields.clone();
    let name = rules.remove("name");
    let Value::Object(mut stored) = Filter::from_json(&Value::Object(rules)).ok()?.to_json() else { return None };
    stored.extend(name.map(|name| ("name".to_owned(), name)));
    Some(stored)
}

pub(super) fn destination(fields: &Object) -> Option<Object> {
    let mut stored = fields.clone();
    write::<MissingObjects>(&mut stored, "missingObjects")?;
    write::<EmptyValues>(&mut stored, "emptyValues")?;
    write::<ReferenceTemplate>(&mut stored, "referenceTemplate")?;
    let api = stored.get_mut("api").and_then(Value::as_object_mut);
    if let Some(Value::String(url)) = api.and_then(|api| api.get_mut("siteUrl")) {
        *url = destination::site(url);
    }
    Some(stored)
}

pub(super) fn job(fields: &Object) -> Option<Object> {
    match jobs::stored(Value::Object(fields.clone())).ok()? {
        Value::Object(stored) => Some(stored),
        _ => None,
    }
}

/// Writes a field as its type is written; one that is absent, with its default.
fn write<T: Default + Serialize + DeserializeOwned>(fields: &mut Object, name: &str) -> Option<()> {
    let value = fields.get(name).filter(|value| !value.is_null()).cloned();
    let value = value.map_or_else(|| Ok(T::default()), serde_json::from_value).ok()?;
    fields.insert(name.to_owned(), serde_json::to_value(value).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn fields(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_means_the_same_is_stored_alike() {
        let [first, second] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let upper = second.to_string().to_uppercase();
        type Stored = fn(&Object) -> Option<Object>;
        let [connection, filter, destination, job]: [Stored; 4] = [connection, filter, destination, job];
        let of_job = |objects: Value| json!({"name": "A", "connectionId": first, "objects": objects});
        let dimensions = json!({"users": {"dimensions": [{"attribute": "city", "objectType": "Town"}]}});
        for (stored, written, other) in [
            (connection, json!({"name": "A", "cloud": null}), json!({"name": "A", "cloud": "global"})),
            (
                connection,
                json!({"credential": {"expiresAt": "2099-01-01T01:00:00+01:00"}}),
                json!({"credential": {"expiresAt": "2099-01-01T00:00:00Z"}}),
            ),
            (
                filter,
                json!({"name": "A", "scope": {"users": "membersOf", "groupIds": [upper, first, second]}}),
                json!({"name": "A", "scope": {"users": "membersOf", "groupIds": [first, second]}, "outside": "drop"}),
            ),
            (
                filter,
                json!({"exclude": {"userIds": [second, first], "groupIds": [second, first], "userNames": [" a* "]}}),
                json!({"exclude": {"userIds": [first, second], "groupIds": [first, second], "userNames": ["a*"]}}),
            ),
            (
                filter,
                json!({"users": {"odata": " accountEnabled eq true "}}),
                json!({"users": {"odata": "accountEnabled eq true"}}),
            ),
            (
                destination,
                json!({"api": {"siteUrl": "https://a.example/"}, "missingObjects": null}),
                json!({"api": {"siteUrl": "https://a.example"}, "missingObjects": "unknown"}),
            ),
            (job, of_job(dimensions), of_job(json!({"users": {}, "cities": {"typeName": "Town"}}))),
            (job, of_job(Value::Null), json!({"name": "A", "connectionId": first, "deliver": "full", "removal": {}})),
        ] {
            let found = stored(&fields(written.clone()));
            assert!(found.is_some() && found == stored(&fields(other.clone())), "{written} and {other}");
        }
        assert_eq!(filter(&fields(json!({"users": {"odata": "accountEnabled eq"}}))), None);
        assert_eq!(destination(&fields(json!({"missingObjects": "perhaps"}))), None);
    }
}
