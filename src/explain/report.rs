//! The answer to «why»: steps, each with a verdict, and a conclusion.

use crate::directory::ObjectType;
use crate::directory_lookup::DirectoryMatch;
use crate::filter::judgement::JudgedCondition;
use crate::text_enum::explained;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Why an object is imported or not.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "objectType": "users", "key": "adele@contoso.com",
    "object": {
        "id": "87d349ed-44d7-43e1-9a83-5f2406dee5bd", "displayName": "Adele Vance",
        "userPrincipalName": "adele@contoso.com", "mail": "adele@contoso.com",
    },
    "candidates": [], "outcome": "notImported",
    "conclusion": "The user is not imported. The condition `department eq 'Engineering'` does not hold: the user has the value «Sales».",
    "advice": "Change the value in Entra, or the filter's condition on users: `department eq 'Engineering'`.",
    "source": "graph", "readAt": "2027-01-01T05:00:00Z",
    "steps": [
        {"step": "type", "verdict": "passed", "sentence": "The job imports users.", "seen": null},
        {"step": "found", "verdict": "passed", "sentence": "Microsoft Graph has the user «Adele Vance».", "seen": "87d349ed-44d7-43e1-9a83-5f2406dee5bd"},
        {
            "step": "condition", "verdict": "failed",
            "sentence": "The condition `department eq 'Engineering'` does not hold: the user has the value «Sales».", "seen": null,
            "conditions": [{"condition": "department eq 'Engineering'", "within": "all", "value": "Sales", "holds": false}],
            "advice": "Change the value in Entra, or the filter's condition on users: `department eq 'Engineering'`.",
        },
    ],
}))]
pub struct Explanation {
    pub object_type: ObjectType,
    /// The id or name that was asked for.
    pub key: String,
    /// The object; null if there is none, or if several have the name.
    #[schema(required = true)]
    pub object: Option<DirectoryMatch>,
    /// The objects that have the name, if there are several: ask for one of them by its id.
    #[schema(max_items = 10)]
    pub candidates: Vec<DirectoryMatch>,
    pub outcome: Outcome,
    /// The answer in one or two sentences.
    pub conclusion: String,
    /// What to change, if the answer is not what is wanted; null if there is nothing to change.
    #[schema(required = true)]
    pub advice: Option<String>,
    /// Where the values of the object come from; null if there is no object.
    #[schema(required = true)]
    pub source: Option<ValueSource>,
    /// When the job last read the directory completely; null before the first time.
    #[schema(required = true)]
    pub read_at: Option<DateTime<Utc>>,
    /// What decides, in the order in which a run decides it. Steps after one that cannot be decided may be missing.
    pub steps: Vec<Step>,
}

explained! {
    /// Whether the object is imported.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = ExplanationOutcome)]
    pub enum Outcome {
        /// It is in scope, and Assets has it. Without a destination: the mirror has it.
        Imported,
        /// It is in scope, and the next run brings it, or the run that waits.
        Pending,
        /// It is not in scope, or does not exist.
        NotImported,
        /// It is no longer in scope or no longer exists, and Assets still has it.
        Leaving,
        /// A step could not be decided.
        Unknown,
    }
}

explained! {
    /// Where values were read.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = ExplanationSource)]
    pub enum ValueSource {
        /// From the job's mirror, as its last complete read found them.
        Mirror,
        /// From Microsoft Graph, just now.
        Graph,
        /// From what was delivered: neither the mirror nor Graph has the object.
        Delivered,
    }
}

/// One thing that decides whether an object is imported.
#[derive(Serialize, ToSchema, Clone, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExplanationStep)]
pub struct Step {
    pub step: StepName,
    pub verdict: StepVerdict,
    /// What was found, in one plain sentence.
    pub sentence: String,
    /// The value that was seen: the name that an exclusion matches, a number, a time. Null where there is none.
    pub seen: Value,
    /// Of the step `condition`: each condition of the filter, with the value that was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<JudgedCondition>,
    /// Of the step `scope`: the groups that lead from the object to a group of the scope, beginning with the one that has
    /// the object as a direct member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathGroup>,
    /// What to change; absent where there is nothing to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub advice: Option<String>,
}

explained! {
    /// What a step is about.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = ExplanationStepName)]
    pub enum StepName {
        /// Whether the job imports objects of this type.
        Type,
        /// Whether the object exists.
        Found,
        /// Whether the application may read objects of this type.
        Permission,
        /// Whether the object fulfils the condition of the filter.
        Condition,
        /// Whether the filter excludes it by id or name.
        Exclusion,
        /// Whether it is in the filter's scope, by membership.
        Scope,
        /// Whether it is within the filter's limits.
        Limit,
        /// Whether the last complete read found it in scope.
        Read,
        /// Whether it was delivered to Assets.
        Delivery,
        /// What Assets answered.
        Assets,
    }
}

explained! {
    /// What a step says.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = ExplanationVerdict)]
    pub enum StepVerdict {
        /// It does not keep the object from being imported.
        Passed,
        /// It keeps the object from being imported.
        Failed,
        /// It has not happened yet.
        Pending,
        /// It could not be decided.
        Unknown,
        /// It decides nothing here: the filter has no such rule, or the job has no destination.
        NotApplicable,
    }
}

/// A group on a path of memberships.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
#[schema(as = ExplanationGroup)]
pub struct PathGroup {
    pub id: Uuid,
    /// Its display name; null if it is not known.
    #[schema(required = true)]
    pub name: Option<String>,
}

impl Step {
    pub fn new(step: StepName, verdict: StepVerdict, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { step, verdict, sentence, seen: Value::Null, conditions: Vec::new(), path: Vec::new(), advice: None }
    }

    pub fn seen(mut self, value: impl Into<Value>) -> Self {
        self.seen = value.into();
        self
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl PathGroup {
    pub fn shown(&self) -> String {
        self.name.as_ref().map_or_else(|| self.id.to_string(), |name| format!("«{name}»"))
    }
}
