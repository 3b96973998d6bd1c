//! What the words of enums mean, beside the enums: generators of clients take the description of a schema only.

use super::forge_imports::ForgeImportStatus;
use super::jobs::ExpandJob;
use super::objects::{MirrorType, Relation};
use super::page::{NameSort, TimeSort};
use super::run_report::ReportFormat;
use super::runs::ActorKind;
use super::workers::WorkerState;
use crate::api_key::Scope;
use crate::audit::Action;
use crate::change::DirectoryEvent;
use crate::cloud::Cloud;
use crate::connection::{CredentialKind, Overall};
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::directory::ObjectType;
use crate::directory::filterable::Type;
use crate::explain::{Outcome, StepName, StepVerdict, ValueSource};
use crate::filter::form::{NullComparison, PropertyShape};
use crate::filter::judgement::Joined;
use crate::filter::where_tree::ConditionOperator;
use crate::filter::{EntityKind, Outside, ScopeGroups, ScopeUsers};
use crate::insight::Insight;
use crate::jira_user::{JiraUserOutcome, JiraUserReason};
use crate::job::{Deliver, RemovalPolicy, ScheduleMode};
use crate::mapping::difference::RefusedKind;
use crate::mapping::fit::FitCode;
use crate::mapping::{Memberships, ReferenceTemplate};
use crate::permission::Capability;
use crate::permission::manifest::Resource;
use crate::permission::report::{EvidenceKind, RemedyKind, Severity, Verdict};
use crate::run_state::{ChangeAction, ChangeReason, EventKind, RunMode, RunStage, RunState, WaitReason};
use crate::runs::fit::FitFindingCode;
use crate::text_enum::Explained;
use crate::webhook::{DeliveryEvent, DeliveryState, WebhookEvent};
use serde_json::Value;
use utoipa::ToSchema;

/// Adds to the description of each enum what its words mean, wherever the same words stand.
pub(super) fn explain(document: &mut Value) {
    let lists: Vec<(Value, String)> = enums().into_iter().filter_map(|found| found.list()).collect();
    write(document, &lists);
}

fn write(node: &mut Value, lists: &[(Value, String)]) {
    match node {
        Value::Object(fields) => {
            let words = fields.get("enum");
            if let Some((_, list)) = lists.iter().find(|(known, _)| Some(known) == words) {
                let about = fields.get("description").and_then(Value::as_str).unwrap_or_default();
                let text = format!("{about}\n\n{list}").trim().to_owned();
                fields.insert("description".to_owned(), text.into());
            }
            fields.values_mut().for_each(|field| write(field, lists));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| write(item, lists)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An enum of the document: its words, and what each means.
struct Words {
    words: Vec<Value>,
    meanings: Vec<String>,
}

impl Words {
    /// The words as the document has them, with the text that explains them.
    fn list(self) -> Option<(Value, String)> {
        let lines = self.words.iter().zip(&self.meanings).filter(|(_, meaning)| !meaning.is_empty());
        let lines: Vec<String> =
            lines.filter_map(|(word, meaning)| Some(format!("- `{}`: {meaning}", word.as_str()?))).collect();
        (!lines.is_empty()).then(|| (self.words.into(), lines.join("\n")))
    }
}

fn enums() -> Vec<Words> {
    fn of<T: Explained + ToSchema>() -> Words {
        let schema = serde_json::to_value(T::schema()).unwrap_or_default();
        let words = schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
        Words { words, meanings: T::meanings() }
    }
    vec![
        of::<Action>(),
        of::<ActorKind>(),
        of::<Capability>(),
        of::<ChangeAction>(),
        of::<ChangeReason>(),
        of::<Cloud>(),
        of::<ConditionOperator>(),
        of::<CredentialKind>(),
        of::<Deliver>(),
        of::<DeliveryEvent>(),
        of::<DeliveryState>(),
        of::<DestinationKind>(),
        of::<DirectoryEvent>(),
        of::<EmptyValues>(),
        of::<EntityKind>(),
        of::<EventKind>(),
        of::<EvidenceKind>(),
        of::<FitCode>(),
        of::<FitFindingCode>(),
        of::<ForgeImportStatus>(),
        of::<Insight>(),
        of::<ExpandJob>(),
        of::<JiraUserOutcome>(),
        of::<JiraUserReason>(),
        of::<Joined>(),
        of::<Memberships>(),
        of::<MirrorType>(),
        of::<MissingObjects>(),
        of::<NameSort>(),
        of::<NullComparison>(),
        of::<ObjectType>(),
        of::<Outcome>(),
        of::<Outside>(),
        of::<Overall>(),
        of::<PropertyShape>(),
        of::<ReferenceTemplate>(),
        of::<RefusedKind>(),
        of::<Relation>(),
        of::<RemedyKind>(),
        of::<RemovalPolicy>(),
        of::<ReportFormat>(),
        of::<Resource>(),
        of::<RunMode>(),
        of::<RunStage>(),
        of::<RunState>(),
        of::<ScheduleMode>(),
        of::<Scope>(),
        of::<ScopeGroups>(),
        of::<ScopeUsers>(),
        of::<Severity>(),
        of::<StepName>(),
        of::<StepVerdict>(),
        of::<TimeSort>(),
        of::<ValueSource>(),
        of::<Type>(),
        of::<Verdict>(),
        of::<WaitReason>(),
        of::<WebhookEvent>(),
        of::<WorkerState>(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_these_enums_is_explained() {
        for Words { words, meanings } in enums() {
            assert!(!words.is_empty() && words.len() == meanings.len(), "{words:?}");
            for (word, meaning) in words.iter().zip(meanings) {
                assert!(meaning.ends_with('.'), "{word}: {meaning:?}");
            }
        }
    }
}
