//! The answer of a preview.

use crate::codes::PreviewWarningCode;
use crate::filter::EntityKind;
use crate::filter::kinds::{self, ByKind};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, Object};
use utoipa::openapi::{RefOr, Schema};
use uuid::Uuid;

/// How many objects of each kind a preview shows at most.
pub(super) const MAX_SAMPLE: usize = 10;

/// What a filter would import.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterPreview {
    /// Time ran out, Graph did not answer, or a permission is missing. The answer contains what was found.
    pub partial: bool,
    pub counts: PreviewCounts,
    pub sample: PreviewSample,
    pub cost: PreviewCost,
    pub warnings: Vec<PreviewWarning>,
}

/// How many objects the filter selects, by type. One that is off by default is absent without a condition on it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PreviewCounts {
    #[serde(flatten)]
    #[schema(schema_with = kinds::always::<PreviewCount>)]
    pub(super) by_kind: ByKind<PreviewCount>,
}

/// How many objects of a kind would be imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewCount {
    /// In scope, after exclusions and limits. Null if unknown.
    #[schema(required = true)]
    pub count: Option<u64>,
    /// False: an estimate from a part, because Graph does not count it or counting would take too many requests.
    pub exact: bool,
    /// Objects that match the condition but are outside the scope, excluded, or over a limit.
    #[schema(required = true)]
    pub out_of_scope: Option<u64>,
    /// Objects in the directory.
    #[schema(required = true)]
    pub total: Option<u64>,
}

/// Some of the objects that the filter selects, by type. One that is off by default is absent without a condition on it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PreviewSample {
    #[serde(flatten)]
    #[schema(schema_with = samples)]
    pub(super) by_kind: ByKind<Vec<SampleObject>>,
}

fn samples() -> Object {
    let list = ArrayBuilder::new().items(kinds::reference::<SampleObject>()).max_items(Some(MAX_SAMPLE));
    let list = RefOr::from(Schema::from(list));
    kinds::answered(list.clone(), list)
}

/// One object that would be imported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleObject {
    pub id: Uuid,
    /// The name; null: it has none.
    #[schema(required = true)]
    pub display_name: Option<String>,
    /// The user principal name; of users only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_principal_name: Option<String>,
    /// The e-mail address, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mail: Option<String>,
    /// The operating system; of devices only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operating_system: Option<String>,
}

/// A warning about the filter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewWarning {
    /// Stable; `docs/errors.md` has all codes.
    #[schema(value_type = String, example = "no_match")]
    pub code: PreviewWarningCode,
    /// The kind of object that the warning is about.
    #[schema(required = true)]
    pub kind: Option<EntityKind>,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub advice: Option<String>,
}

impl PreviewCounts {
    /// None of a kind that was not looked at.
    pub fn of(&self, kind: EntityKind) -> Option<&PreviewCount> {
        self.by_kind.get(&kind)
    }
}

impl PreviewSample {
    pub fn of(&self, kind: EntityKind) -> &[SampleObject] {
        self.by_kind.get(&kind).map(Vec::as_slice).unwrap_or_default()
    }
}

impl PreviewWarning {
    pub(super) fn new(code: PreviewWarningCode, kind: Option<EntityKind>, detail: impl Into<String>) -> Self {
        Self { code, kind, detail: detail.into(), advice: None }
    }

    pub(super) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// The cost of one full read. It is an estimate: the number of members is known only for groups that were read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewCost {
    pub requests: u64,
    pub resource_units: u64,
    /// The least time that Graph's quota allows, in a tenant of more than 500 users.
    pub seconds_at_least: u64,
    /// What the cost consists of.
    pub parts: Vec<CostPart>,
}

/// The cost of one part of the read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostPart {
    /// `users`, `managers`, `groups`, `memberships`, `licenses`, `devices`, `applications`, `servicePrincipals`,
    /// `administrativeUnits`, `scope`, `positions`.
    pub part: String,
    pub requests: u64,
    pub resource_units: u64,
}
