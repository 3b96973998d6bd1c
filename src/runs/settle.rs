//! Records what was delivered and ends the run, in one transaction.

mod taken;

use super::collect::collected::Collected;
use super::deliver::delivered::Delivered;
use super::diff::diffed::{Diffed, NewReferenceCounts};
use super::progress::Work;
use super::run::Run;
use crate::assets::ExecutionStatus;
use crate::audit::{Action, Actor};
use crate::codes::WarningCode;
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::mirror::{self, Counters, MirrorRow, delivered, moved_by};
use crate::db::runs::{self, Lease};
use crate::db::{Transaction, job_settings};
use crate::destination::MissingObjects;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use crate::plural::counted;
use crate::run_state::{RunMode, RunStage, RunState, RunWarning};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Ends a run that delivers nothing: a dry run, or a job without a destination.
pub async fn without_delivery(run: &Run) -> Result<RunState> {
    let state = end_state(run);
    run.progress.flush(&run.app, &run.lease).await?;
    let (lease, now) = (run.lease, run.app.clock.now());
    run.fenced_tx("end without delivery", async move |tx| {
        mirror::clear_staging(tx, lease.organization, lease.run).await?;
        runs::finish(tx, &lease, state, None, now).await
    })
    .await?;
    Ok(state)
}

fn end_state(run: &Run) -> RunState {
    if run.progress.is_degraded() { RunState::Degraded } else { RunState::Succeeded }
}

/// Records what Assets took, type by type. A type counts as delivered only if what Assets reports of it covers what was
/// sent. Any other is sent completely next time.
pub async fn settle(run: &Run, collected: &Collected, diffed: &Diffed, delivery: &Delivered) -> Result<RunState> {
    let sent = diffed.sends.values().sum();
    run.progress.enter(&run.app, RunStage::Settle, Some(sent));
    let settled = taken::settled_types(run, diffed, delivery);
    let observed = delivery.result.as_ref().and_then(|result| observe_missing(run, diffed, result));
    for (object_type, new) in &diffed.references {
        check_references(run, *object_type, *new, delivery);
    }
    run.progress.was_done(Work::Objects, sent);
    run.progress.flush(&run.app, &run.lease).await?;
    let end = End {
        run,
        diffed,
        settled: &settled,
        observed,
        counts_missing: run.mode != RunMode::Test && !collected.types.is_empty(),
        state: end_state(run),
        now: run.app.clock.now(),
    };
    // Everything is stored in one transaction, with the end of the run.
    run.tx("settle", async |tx| end.store(tx).await).await?;
    Ok(end.state)
}

/// What is stored when a delivery is over.
struct End<'a> {
    run: &'a Run,
    diffed: &'a Diffed,
    settled: &'a [ObjectType],
    /// What Assets did with objects that were left out, against the setting of the destination.
    observed: Option<MissingObjects>,
    counts_missing: bool,
    state: RunState,
    now: DateTime<Utc>,
}

impl End<'_> {
    async fn store(&self, tx: &mut Transaction) -> Result<()> {
        let (lease, job, is_test) = (&self.run.lease, self.run.job.id, self.run.mode == RunMode::Test);
        let Self { diffed, settled, now, .. } = *self;
        let mut mirror = mirror::find(tx, lease.organization, job).await?;
        let is_settled = settled.len() == ObjectType::ALL.len() && !is_test;
        let compared_by = diffed.basis.after(&mirror, is_settled, now);
        let held = match compared_by.is_some() && diffed.basis.only_touched {
            true => Some(held_after(tx, lease, job, &mirror, settled).await?),
            false => None,
        };
        delivered::settle(tx, lease, job, settled, self.counts_missing, now).await?;
        let held = match held {
            Some(held) => held,
            None => delivered::counts(tx, lease.organization, job).await?,
        };
        if !is_test {
            mirror::touched::settle(tx, lease, job, settled).await?;
        }
        self.note_delivery(&mut mirror, compared_by, &held)?;
        mirror::save(tx, &mirror).await?;
        if let Some(destination) = diffed.settings.destination {
            job_settings::note_contents(tx, lease.organization, destination, &held).await?;
            self.note_observed(tx, destination).await?;
        }
        mirror::clear_staging(tx, lease.organization, lease.run).await?;
        runs::finish(tx, lease, self.state, None, now).await
    }

    /// Notes in the mirror what was compared and delivered.
    fn note_delivery(
        &self,
        mirror: &mut MirrorRow,
        compared_by: Option<Vec<u8>>,
        held: &BTreeMap<ObjectType, u64>,
    ) -> Result<()> {
        let Self { run, diffed, settled, now, .. } = *self;
        if compared_by.is_some() {
            mirror.touched_generation = Some(diffed.generation);
        }
        mirror.compared_by = match run.mode {
            // It says nothing of the mirror. A value of its own tells a run that compared before, and is approved later.
            RunMode::Test => Some(run.lease.run.0.as_bytes().to_vec()),
            RunMode::Full | RunMode::Incremental | RunMode::DryRun => compared_by,
        };
        mirror.set_counters(&Counters { held: held.clone(), ..mirror.counters() })?;
        mirror.delivered_to = diffed.settings.destination;
        mirror.delivered_at = Some(now);
        mirror.updated_at = now;
        mirror.resend.retain(|known| !(diffed.whole.contains(known) && settled.contains(known)));
        mirror.resend.extend(diffed.sends.keys().filter(|sent| !settled.contains(sent)));
        if self.observed.is_some() {
            // What Assets removed or marked may be anything that was left out.
            mirror.resend.extend(ObjectType::ALL);
        }
        mirror.resend.sort();
        mirror.resend.dedup();
        Ok(())
    }

    /// Notes in the destination what Assets did with objects that were left out, and pauses the schedule.
    async fn note_observed(&self, tx: &mut Transaction, destination: Uuid) -> Result<()> {
        let Some(observed) = self.observed else { return Ok(()) };
        let (run, now) = (self.run, self.now);
        let organization = run.lease.organization;
        job_settings::observe_missing_objects(tx, organization, destination, observed, now).await?;
        job_settings::pause_schedule(tx, organization, run.job.id, "missing_objects_observed", now).await?;
        let event = AuditEventRow {
            organization_id: organization.0,
            id: crate::ids::new_v7(&run.app.clock),
            at: now,
            actor: Actor::Run(run.lease.run),
            action: Action::Observe.into(),
            resource_kind: "destinations".to_owned(),
            resource_id: Some(destination),
            detail: serde_json::json!({"missingObjects": observed}),
            address: None,
        };
        audit_events::insert(tx, &event).await
    }
}

/// How many objects are delivered by type once a run that compared little is settled.
async fn held_after(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    mirror: &MirrorRow,
    settled: &[ObjectType],
) -> Result<BTreeMap<ObjectType, u64>> {
    let mut held = mirror.counters().held;
    for (object_type, gained) in delivered::gained(tx, lease, job, settled).await? {
        let number = held.entry(object_type).or_default();
        *number = moved_by(*number, gained);
    }
    held.retain(|_, number| *number > 0);
    Ok(held)
}

/// Whether Assets acted on objects that this execution left out, against the setting of the destination.
fn observe_missing(run: &Run, diffed: &Diffed, result: &ExecutionStatus) -> Option<MissingObjects> {
    let types = result.progress_result.iter().flat_map(|result| result.object_type_result_map.values());
    let (deleted, updated) = types.fold((0, 0), |(deleted, updated), result| {
        (deleted + result.objects_missing_deleted, updated + result.objects_missing_updated)
    });
    let observed = match (deleted, updated) {
        (1.., _) => MissingObjects::Remove,
        (_, 1..) => MissingObjects::Update,
        _ => return None,
    };
    let declared = run.job.destination.as_ref().map(|destination| destination.missing_objects)?;
    if declared == observed && (deleted + updated).unsigned_abs() <= diffed.left_out {
        return None;
    }
    let detail = format!(
        "Assets {} {} that this import left out. The destination said «{declared}».",
        if observed == MissingObjects::Remove { "deleted" } else { "changed" },
        counted((deleted + updated).unsigned_abs(), "object", "objects"),
    );
    let advice = "In Assets open the import's mapping and look at «Missing objects» of every object type. The \
                  destination now says what was observed, and the job's schedule is paused until somebody enables it.";
    run.progress.degrade(RunWarning::new(WarningCode::MissingObjectsObserved, detail).with_advice(advice));
    Some(observed)
}

/// References were sent, no object of the type was as before, and Assets resolved none: the template does not work
/// there. Assets counts objects whose references changed, so a manager, which is looked up another way, must not hide
/// lists that find nothing: then no more objects changed than had a single reference.
fn check_references(run: &Run, object_type: ObjectType, new: NewReferenceCounts, delivery: &Delivered) {
    let Some(result) = delivery.of(object_type) else { return };
    let resolved = result.objects_with_updated_references.unsigned_abs();
    let lists_failed = new.lists_only > 0 && resolved <= new.single;
    if result.objects_identical > 0 || !(resolved == 0 || lists_failed) {
        return;
    }
    let sent = new.single + new.lists_only;
    let detail = format!("Of {} with new references, Assets resolved those of {resolved}.", object_type.counted(sent));
    let advice = "Set referenceTemplate of the destination to the other value (arrayPlaceholder or joinedString) and start a full run.";
    run.progress
        .degrade(RunWarning::new(WarningCode::ReferencesNotResolved, detail).with_count(sent).with_advice(advice));
}
