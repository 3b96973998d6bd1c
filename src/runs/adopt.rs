//! Objects that others made in Assets: which of the run's objects they are.
//!
//! An object type of others has objects that the service did not deliver. Before they are written for the first time, the
//! run looks for them by the object API, and its changes say which were found (`matched`), which are not there (`create`),
//! and which could be several (`ambiguous`). A dry run also lists what is only in Assets. Nothing here writes into Assets
//! but [`write_identities`], after an approval. Source: docs/assets.md, «Existing object types».

mod approval;
mod identities;
mod keys;
mod matching;
mod of_type;

pub use identities::write_identities;

use super::assets_objects::AssetsObjects;
use super::collect::collected::Collected;
use super::diff::diffed::Diffed;
use super::run::Run;
use super::stop::Stop;
use crate::codes::WarningCode;
use crate::db::mirror::delivered;
use crate::db::mirror::delivered::adoption;
use crate::directory::ObjectType;
use crate::mapping::ExistingType;
use crate::run_state::{RunMode, RunWarning};
use approval::Found;
use of_type::AdoptionOfType;

/// Compares what would be created in object types of others with the objects that are there. What an earlier attempt
/// found stays. Whether there was anything to compare.
pub async fn compare(run: &Run, collected: &Collected, diffed: &mut Diffed) -> Result<bool, Stop> {
    let counts = run.progress.counts();
    let creates = |of: &ObjectType| counts.get(of.as_str()).is_some_and(|count| count.created > 0);
    let is_looking = run.mode == RunMode::DryRun;
    let existing: Vec<(ObjectType, ExistingType)> = collected
        .types
        .iter()
        .filter(|of| is_looking || creates(of))
        .filter_map(|of| Some((*of, run.job.mapping.existing(*of)?.clone())))
        .collect();
    if existing.is_empty() || run.job.destination.is_none() {
        return Ok(false);
    }
    let mut assets = AssetsObjects::find(run).await?;
    if existing.iter().any(|(_, existing)| existing.match_by.is_some())
        && let Some(error) = assets.refusal.take()
    {
        return Err(Stop::Failed(error));
    }
    if assets.api.is_some() {
        run.log("Looking for the objects that are in Assets already.").await?;
    }
    for (object_type, existing) in &existing {
        let is_first = delivered_before(run, *object_type).await? == 0;
        let lists = assets.api.is_some() && (is_looking || (is_first && approval::acts_on_missing(run)));
        let of_type = AdoptionOfType { run, assets: &assets, object_type: *object_type, existing };
        let has_listed = match of_type.find(lists).await {
            Ok(()) => lists,
            // What cannot be looked at is said; only identities that are to be written need to be known.
            Err(Stop::Failed(error)) if existing.match_by.is_none() => {
                assets.warn(run, *object_type, Some(&error.detail));
                false
            }
            Err(stop) => return Err(stop),
        };
        let (lease, of) = (run.lease, object_type.as_str());
        let counts = run.tx("what was found", async move |tx| adoption::found(tx, &lease, of).await).await?;
        let found = Found { is_first, has_listed, counts };
        if assets.api.is_none() {
            assets.warn(run, *object_type, None);
        }
        count(run, *object_type, &found, diffed);
        approval::note(run, *object_type, found, diffed);
    }
    diffed.sends = run.outbox_counts().await?;
    diffed.sends.iter().for_each(|(of, rows)| run.progress.count(of.as_str(), |count| count.sent = *rows));
    approval::warn(run, diffed);
    diffed.compared = true;
    Ok(true)
}

async fn delivered_before(run: &Run, object_type: ObjectType) -> Result<u64, Stop> {
    let (organization, job) = (run.job.organization, run.job.id);
    let counts = run.tx("delivered objects", async move |tx| delivered::counts(tx, organization, job).await).await?;
    Ok(counts.get(&object_type).copied().unwrap_or(0))
}

/// What was planned for a type is now known better.
fn count(run: &Run, object_type: ObjectType, found: &Found, diffed: &mut Diffed) {
    let found = &found.counts;
    let unsent = found.ambiguous + found.unidentified;
    run.progress.count(object_type.as_str(), |count| {
        count.created = count.created.saturating_sub(found.matched + unsent);
        count.updated += found.matched;
        (count.matched, count.ambiguous, count.unidentified) = (found.matched, found.ambiguous, found.unidentified);
        count.only_in_assets = found.only_in_assets;
    });
    if let Some(planned) = diffed.planned.get_mut(&object_type) {
        planned.changed = planned.changed.saturating_sub(unsent);
    }
    let warn = |code: WarningCode, number: u64, one: &str, several: &str| {
        if number == 0 {
            return;
        }
        let what = if number == 1 { one } else { several };
        let detail = format!("{} {what}.", object_type.counted(number));
        let warning = RunWarning::new(code, detail).with_count(number).with_advice(code.advice());
        if run.mode == RunMode::DryRun { run.progress.warn(warning) } else { run.progress.degrade(warning) }
    };
    let could = "could be several objects in Assets";
    warn(WarningCode::ObjectsAmbiguous, found.ambiguous, could, could);
    let (has, have) = ("has no value of the identity", "have no value of the identity");
    warn(WarningCode::ObjectsUnidentified, found.unidentified, has, have);
}
