//! Insights in responses.

use crate::directory::ObjectType;
use crate::insight::Insight;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A question and its answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InsightResponse {
    pub insight: Insight,
    /// The question in a few words.
    pub title: &'static str,
    /// What is counted, in words.
    pub rule: &'static str,
    /// The type of the objects behind the number; null: the connection of the job.
    #[schema(required = true)]
    pub object_type: Option<ObjectType>,
    /// How many there are; null if it is not known.
    #[schema(required = true)]
    pub count: Option<i64>,
    /// Why it is not known, and what to change; null if it is known.
    #[schema(required = true)]
    pub unknown_because: Option<String>,
}

/// An object behind a number.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct InsightItem {
    /// The object id, or the id of the connection.
    pub id: Uuid,
    /// Its name.
    pub label: String,
    /// The sign-in name of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_principal_name: Option<String>,
    /// What was found, in words: the last sign-in, the licences, the chain of managers.
    pub detail: String,
}
