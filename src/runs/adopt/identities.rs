//! Writes identities into objects of others, after an approval.

use super::of_type::{AdoptionOfType, Candidate, unsent};
use crate::assets::lookup::{SeenObject, SeenObjects, VALUES_IN_A_QUERY, fold};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::delivered::adoption::{self, CandidateRow, Judgement};
use crate::directory::ObjectType;
use crate::mapping::ExistingType;
use crate::run_state::{ChangeAction, ChangeReason, RunStage, RunWarning};
use crate::runs::assets_objects::AssetsObjects;
use crate::runs::diff::diffed::Diffed;
use crate::runs::run::Run;
use crate::runs::stop::Stop;

/// Writes the identity into the objects that have none or write it otherwise, so that the import recognises them. Each
/// is looked at once more: what is no longer one object without an identity is left alone, and nothing is sent of it.
pub async fn write_identities(run: &Run, diffed: &mut Diffed) -> Result<(), Stop> {
    let types: Vec<(ObjectType, ExistingType)> =
        ObjectType::ALL.into_iter().filter_map(|of| Some((of, run.job.mapping.existing(of)?.clone()))).collect();
    if types.is_empty() || diffed.adoption.as_ref().is_none_or(|adoption| adoption.to_write() == 0) {
        return Ok(());
    }
    run.progress.enter(&run.app, RunStage::Deliver, None);
    let mut assets = AssetsObjects::find(run).await?;
    if assets.api.is_none() {
        // What cannot be looked at must not count as gone: the import would make it once more.
        let detail = "The destination has no `api` any more, which writes the identities.";
        let gone = || Stop::failed(RunStage::Deliver, RunErrorCode::ApprovalOutdated, detail, "Start a new run.");
        return Err(assets.refusal.take().map_or_else(gone, Stop::Failed));
    }
    for (object_type, existing) in &types {
        let of_type = AdoptionOfType { run, assets: &assets, object_type: *object_type, existing };
        of_type.write_identities().await?;
    }
    diffed.sends = run.outbox_counts().await?;
    Ok(())
}

/// What became of objects whose identity was to be written.
#[derive(Default)]
struct Outcome {
    written: Vec<i64>,
    /// Those that changed after the approval.
    changed: Vec<Judgement>,
}

impl AdoptionOfType<'_> {
    async fn write_identities(&self) -> Result<(), Stop> {
        let (organization, id, of) = (self.run.job.organization, self.run.lease.run, self.object_type.as_str());
        let mut after = 0;
        loop {
            let rows = self.run.tx("identities to write", async move |tx| {
                adoption::identities_to_write(tx, organization, id, of, after, VALUES_IN_A_QUERY as i64).await
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            self.write_some(rows).await?;
        }
    }

    async fn write_some(&self, rows: Vec<CandidateRow>) -> Result<(), Stop> {
        let candidates: Vec<Candidate> = rows.iter().map(|row| self.candidate(row)).collect::<Result<_, _>>()?;
        let Outcome { written, changed } = self.write_into(&candidates).await?;
        let (left, lease) = (changed.len() as u64, self.run.lease);
        self.run
            .tx("identities written", async move |tx| {
                adoption::identity_written(tx, &lease, &written).await?;
                adoption::judge(tx, &lease, &changed).await
            })
            .await?;
        if left > 0 {
            self.warn_of_changed(left);
        }
        Ok(())
    }

    /// Looks at the objects once more, and writes the identity where it is one.
    async fn write_into(&self, candidates: &[Candidate]) -> Result<Outcome, Stop> {
        let identity_key = self.existing.identity.as_str();
        let identities: Vec<String> = candidates.iter().map(|candidate| candidate.identity.clone()).collect();
        let found = self.assets.find_values(self.object_type, identity_key, &identities).await?;
        let by_identity = self.by_value(&found, identity_key);
        let match_by = self.existing.match_by.as_deref().unwrap_or(identity_key);
        let open = candidates.iter().filter(|candidate| !by_identity.contains_key(&fold(&candidate.identity)));
        let values: Vec<String> = open.filter_map(|candidate| candidate.match_by.clone()).collect();
        let others = self.assets.find_values(self.object_type, match_by, &values).await?;
        let by_other = self.by_value(&others, match_by);
        // Both say the ids of attributes, unless they found nothing.
        let ids = if found.attribute_ids.is_empty() { &others } else { &found };
        let mut outcome = Outcome::default();
        for candidate in candidates {
            let by_other = || by_other.get(&fold(candidate.match_by.as_deref()?));
            let objects = by_identity.get(&fold(&candidate.identity)).or_else(by_other);
            self.write_one(candidate, objects.map_or(&[], Vec::as_slice), ids, &mut outcome).await?;
        }
        Ok(outcome)
    }

    /// `objects`: those that the candidate can be. `ids`: an answer that has the ids of attributes.
    async fn write_one(
        &self,
        candidate: &Candidate,
        objects: &[&SeenObject],
        ids: &SeenObjects,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let (seq, identity, identity_key) = (candidate.seq, &candidate.identity, self.existing.identity.as_str());
        match objects {
            [one] => match self.value_of(one, identity_key) {
                // An earlier attempt wrote it.
                Some(is) if is == identity => outcome.written.push(seq),
                Some(is) if fold(is) != fold(identity) => {
                    outcome.changed.push(unsent(seq, ChangeAction::Ambiguous, ChangeReason::OtherIdentity, objects));
                }
                _ => {
                    self.assets.write(self.object_type, (ids, one), identity_key, identity).await?;
                    outcome.written.push(seq);
                }
            },
            // It is gone: the import makes another.
            [] => outcome.written.push(seq),
            several => {
                outcome.changed.push(unsent(seq, ChangeAction::Ambiguous, ChangeReason::SeveralInAssets, several));
            }
        }
        Ok(())
    }

    fn warn_of_changed(&self, number: u64) {
        self.run.progress.count(self.object_type.as_str(), |count| {
            (count.matched, count.ambiguous) = (count.matched.saturating_sub(number), count.ambiguous + number);
        });
        let detail = format!("{} changed in Assets after the approval.", self.object_type.counted(number));
        let warning = RunWarning::new(WarningCode::ObjectsAmbiguous, detail).with_count(number);
        self.run.progress.degrade(warning.with_advice(WarningCode::ObjectsAmbiguous.advice()));
    }
}
