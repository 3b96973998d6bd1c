//! What a comparison goes by, so that a later one can tell whether untouched objects would compare as before.

use crate::db::mirror::{self, MirrorRow};
use crate::destination::MissingObjects;
use crate::directory::{Link, ObjectType};
use crate::error::{Error, Result};
use crate::job::Deliver;
use crate::run_state::RunMode;
use crate::runs::run::Run;
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// What later comparisons may rely on once this one is delivered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Basis {
    /// `mirrors.compared_by` as it was. If it differs when this comparison is delivered, another run has delivered in
    /// between.
    pub before: Option<String>,
    /// By what was compared. `None`: the next comparison has to look at everything.
    pub settings: Option<String>,
    /// Only what was touched was compared.
    pub only_touched: bool,
}

impl Basis {
    pub(super) fn new(run: &Run, mirror: &MirrorRow, has_lost_types: bool, only_touched: bool) -> Result<Self> {
        let text = |bytes: &[u8]| HEXLOWER.encode(bytes);
        let keeps = can_be_followed(run) && !has_lost_types;
        let settings = if keeps { Some(text(&settings(run)?)) } else { None };
        Ok(Self { before: mirror.compared_by.as_deref().map(text), settings, only_touched })
    }

    /// What `mirrors.compared_by` becomes with a delivery at this time, if it settled every type.
    pub fn after(&self, mirror: &MirrorRow, is_settled: bool, delivered_at: DateTime<Utc>) -> Option<Vec<u8>> {
        let was_alone = mirror.compared_by.as_deref().map(|before| HEXLOWER.encode(before)) == self.before;
        let settings = self.settings.as_ref().filter(|_| was_alone && is_settled)?;
        HEXLOWER.decode(settings.as_bytes()).ok().map(|settings| compared_by(&settings, Some(delivered_at)))
    }
}

/// Whether the job's comparisons can do with what was touched. Not if each delivery of it is whole, or if users carry groups
/// at any depth: a group that moves changes everybody below it.
fn can_be_followed(run: &Run) -> bool {
    let job = &run.job;
    let ignores = job.destination.as_ref().is_some_and(|to| to.missing_objects == MissingObjects::Ignore);
    let looks = matches!(run.mode, RunMode::Test | RunMode::DryRun);
    ignores && !looks && job.deliver == Deliver::Changes && !has_nested_groups(run)
}

pub(super) fn has_nested_groups(run: &Run) -> bool {
    run.job.mapping.carries(ObjectType::Users, Link::AllGroups)
}

/// Everything besides the mirror that the text of an object and what becomes of it depend on.
pub(super) fn settings(run: &Run) -> Result<Vec<u8>> {
    let settings = serde_json::to_vec(&run.job.settings()).map_err(Error::internal)?;
    let version = run.job.mapping.version().to_le_bytes();
    let names = run.app.license_names.digest();
    Ok(mirror::hash(&[&settings, &version, &names, env!("CARGO_PKG_VERSION").as_bytes()]))
}

/// The settings with the time of the delivery: a version of the service that does not know what was touched changes the
/// time, and so the value no longer holds.
pub(super) fn compared_by(settings: &[u8], delivered_at: Option<DateTime<Utc>>) -> Vec<u8> {
    let at = delivered_at.map_or(0, |at| at.timestamp_micros());
    mirror::hash(&[settings, &at.to_le_bytes()])
}
