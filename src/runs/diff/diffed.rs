//! What a comparison found, and the removal brake.

use super::adoption::Adoption;
use super::basis::Basis;
use crate::codes::WarningCode;
use crate::destination::MissingObjects;
use crate::directory::ObjectType;
use crate::job::RemovalPolicy;
use crate::run_state::RunWarning;
use crate::runs::context::Settings;
use crate::runs::run::Run;
use crate::text_enum::known_words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the comparison found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diffed {
    /// Rows to send, by type.
    pub sends: BTreeMap<ObjectType, u64>,
    /// What the rows to send are to change, by type.
    #[serde(default, deserialize_with = "known_words")]
    pub planned: BTreeMap<ObjectType, Planned>,
    /// Set when the removal brake stops the run.
    pub brake: Option<Brake>,
    /// Set when a person has to confirm what the run would do to objects of others.
    #[serde(default)]
    pub adoption: Option<Adoption>,
    /// The changes were compared with the objects that others made in Assets.
    #[serde(default)]
    pub compared: bool,
    /// The texts that lead to objects of others were looked up.
    #[serde(default)]
    pub looked_up: bool,
    /// Types of which everything in scope is sent.
    pub whole: Vec<ObjectType>,
    /// Objects that the last delivery had and this one leaves out.
    pub left_out: u64,
    /// By type, the objects that have references which were not delivered so before.
    pub references: BTreeMap<ObjectType, NewReferenceCounts>,
    /// What an approval approves: it no longer holds when any of it has changed.
    #[serde(flatten)]
    pub settings: Settings,
    pub generation: i64,
    #[serde(default)]
    pub basis: Basis,
}

/// What a delivery is to change of one type.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Planned {
    /// Objects to be created or updated, with those to be marked as removed.
    pub changed: u64,
    /// Objects to be marked as removed.
    pub marked: u64,
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
    pub object_type: ObjectType,
    /// Objects that are newly missing or out of scope.
    pub missing: u64,
    /// Objects that the last delivery had.
    pub delivered: u64,
    pub brake_percent: i32,
}

impl Brake {
    /// Says what stopped the run, and what an approval leads to.
    pub(super) fn warn(&self, run: &Run) {
        let detail = format!(
            "{} of {} {} are missing or out of scope since the last delivery: more than {} %. {}",
            self.missing,
            self.delivered,
            self.object_type,
            self.brake_percent,
            if_approved(run)
        );
        let advice = "Look at GET /v1/runs/{id}/changes?action=missing. If the changes are right, approve the run; otherwise \
                      cancel it and fix the filter or the connection.";
        run.progress.warn(RunWarning::new(WarningCode::RemovalBrake, detail).with_advice(advice));
    }
}

/// What becomes of the missing objects when the run is approved.
fn if_approved(run: &Run) -> String {
    let job = &run.job;
    let destination = job.destination.as_ref();
    let after = match job.after_missing_runs {
        ..=1 => String::new(),
        runs => format!(" once {runs} runs in a row miss them"),
    };
    match (job.policy, destination.map(|to| to.missing_objects)) {
        (RemovalPolicy::Keep, Some(MissingObjects::Update)) => {
            "The policy is keep, and Assets marks what an import leaves out: if the run is approved, Assets marks them.".to_owned()
        }
        (RemovalPolicy::Keep, Some(MissingObjects::Remove)) => {
            "The policy is keep, and Assets deletes what an import leaves out: if the run is approved, Assets deletes them."
                .to_owned()
        }
        (RemovalPolicy::Keep, _) => {
            "The policy is keep: if the run is approved, they stay in Assets as they are, and nothing is removed.".to_owned()
        }
        (RemovalPolicy::Mark, _) => {
            format!("The policy is mark: if the run is approved, they stay in Assets and get the lifecycle Removed{after}.")
        }
        (RemovalPolicy::Remove, _) if destination.is_some_and(|to| to.api.is_some()) => {
            format!("The policy is remove: if the run is approved, they are deleted in Assets{after}.")
        }
        (RemovalPolicy::Remove, _) => "The policy is remove, but the destination has no `api`: if the run is approved, they stay \
                                       in Assets as they are."
            .to_owned(),
    }
}

pub(super) fn pull_brake(run: &Run, object_type: ObjectType, missing: u64, delivered: u64) -> Option<Brake> {
    let percent = u64::from(run.job.brake_percent.unsigned_abs());
    let brake = Brake { object_type, missing, delivered, brake_percent: run.job.brake_percent };
    (missing * 100 > delivered * percent).then_some(brake)
}
