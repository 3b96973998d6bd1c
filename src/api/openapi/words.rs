//! What the words of enums mean, beside the enums: generators of clients take the description of a schema only.

use crate::api_key::Scope;
use crate::connection::{CredentialKind, Overall};
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::insight::Insight;
use crate::job::{Deliver, RemovalPolicy, ScheduleMode};
use crate::mapping::{Memberships, ReferenceTemplate};
use crate::run_state::{ChangeAction, ChangeReason, EventKind, RunMode, RunStage, RunState, WaitReason};
use crate::text_enum::Explained;
use crate::webhook::{DeliveryEvent, WebhookEvent};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Adds to the description of each of these enums what its words mean.
pub(super) fn explain(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for (name, meanings) in enums() {
        let Some(schema) = schemas.get_mut(&name).and_then(Value::as_object_mut) else { continue };
        let lines = meanings.iter().filter(|(_, meaning)| !meaning.is_empty());
        let list: Vec<String> = lines.map(|(word, meaning)| format!("- `{word}`: {meaning}")).collect();
        if list.is_empty() {
            continue;
        }
        let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        schema.insert("description".to_owned(), json!(format!("{about}\n\n{}", list.join("\n")).trim()));
    }
}

fn enums() -> Vec<(String, Vec<(&'static str, String)>)> {
    fn of<T: Explained + ToSchema>() -> (String, Vec<(&'static str, String)>) {
        (T::name().into_owned(), T::meanings())
    }
    vec![
        of::<ChangeAction>(),
        of::<ChangeReason>(),
        of::<CredentialKind>(),
        of::<Deliver>(),
        of::<DeliveryEvent>(),
        of::<DestinationKind>(),
        of::<EmptyValues>(),
        of::<EventKind>(),
        of::<Insight>(),
        of::<Memberships>(),
        of::<MissingObjects>(),
        of::<Overall>(),
        of::<ReferenceTemplate>(),
        of::<RemovalPolicy>(),
        of::<RunMode>(),
        of::<RunStage>(),
        of::<RunState>(),
        of::<ScheduleMode>(),
        of::<Scope>(),
        of::<WaitReason>(),
        of::<WebhookEvent>(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_these_enums_is_explained() {
        for (name, meanings) in enums() {
            for (word, meaning) in meanings {
                assert!(meaning.ends_with('.'), "{name}: `{word}`: {meaning:?}");
            }
        }
    }
}
