//! What a comparison found, and the removal brake.

use crate::directory::ObjectType;
use crate::runs::context::Settings;
use crate::runs::run::Run;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diffed {
    /// Rows to send, by type.
    pub sends: BTreeMap<String, u64>,
    /// Set when the removal brake stops the run.
    pub brake: Option<Brake>,
    /// Types of which everything in scope is sent.
    pub whole: Vec<ObjectType>,
    /// Objects that the last delivery had and this one leaves out.
    pub left_out: u64,
    /// By type, the objects that have references which were not delivered so before.
    pub references: BTreeMap<String, NewReferenceCounts>,
    /// What an approval approves: it no longer holds when any of it has changed.
    #[serde(flatten)]
    pub settings: Settings,
    pub generation: i64,
}

/// Objects of one type with references that Assets has to look up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewReferenceCounts {
    /// With one that leads to a single object, whatever lists there are beside it.
    pub single: u64,
    /// With lists only.
    pub lists_only: u64,
}

/// Too many objects of one type would go missing at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Brake {
    pub object_type: String,
    /// Objects that are newly missing or out of scope.
    pub missing: u64,
    /// Objects that the last delivery had.
    pub delivered: u64,
    pub brake_percent: i32,
}

pub(super) fn pull_brake(run: &Run, object_type: ObjectType, missing: u64, delivered: u64) -> Option<Brake> {
    let percent = u64::from(run.job.brake_percent.unsigned_abs());
    (missing * 100 > delivered * percent).then(|| Brake {
        object_type: object_type.as_str().to_owned(),
        missing,
        delivered,
        brake_percent: run.job.brake_percent,
    })
}
