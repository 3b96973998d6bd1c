//! One run, stage by stage. Any process resumes the run from its checkpoint, which is stored after the read, after the
//! comparison, and after each look at objects of others. A delivery resumes from its execution.

use super::checkpoint::Checkpoint;
use super::collect::collected::Collected;
use super::deliver::execution;
use super::diff::diffed::Diffed;
use super::run::Run;
use super::stop::Stop;
use super::{adopt, collect, deliver, diff, jira_users, lookups, settle};
use crate::codes::RunErrorCode;
use crate::error::Error;
use crate::run_state::{RunMode, RunStage, RunState};
use crate::trace;
use chrono::TimeDelta;
use tracing::Instrument as _;

/// How long a run waits for approval.
const APPROVAL_LIFE: TimeDelta = TimeDelta::days(7);

/// Takes a run from its checkpoint to its end. `Ok`: its terminal record is written.
pub async fn execute(run: &Run, checkpoint: Checkpoint) -> Result<RunState, Stop> {
    // What Assets has received completely it carries out, whatever was changed or cancelled since: nothing but the outcome
    // is still open, and it has to become known.
    let is_carried_out = execution::is_completed(&run.app, &run.lease, run.job.id).await?;
    let (collected, diffed) = match is_carried_out {
        true => carried_out(run, checkpoint).await?,
        false => {
            let (collected, mut diffed) = read_and_compare(run, checkpoint).await?;
            if let Some(ended) = before_delivery(run, &mut diffed).await? {
                return Ok(ended);
            }
            (collected, diffed)
        }
    };
    let delivered =
        deliver::deliver(run, &collected, &diffed, is_carried_out).instrument(trace::stage("deliver")).await?;
    jira_users::set(run, &diffed, &delivered).await?;
    // What delivery reported last is stored before the next stage starts.
    run.progress.flush(&run.app, &run.lease).await?;
    Ok(settle::settle(run, &collected, &diffed, &delivered).instrument(trace::stage("settle")).await?)
}

/// What Assets carries out, from the checkpoint. The run ends if the job delivers elsewhere by now: only the job's own
/// destination is watched.
async fn carried_out(run: &Run, checkpoint: Checkpoint) -> Result<(Collected, Diffed), Stop> {
    let (collected, mut diffed) = whole(checkpoint)?;
    if run.job.settings().destination != diffed.settings.destination {
        let detail = "The job got another destination while Assets carried out the import.";
        return Err(Stop::failed(RunStage::Deliver, RunErrorCode::ApprovalOutdated, detail, "Start a new run."));
    }
    if let Some(tenant) = collected.tenant {
        run.job.mapping.reads_tenant(tenant);
    }
    diffed.sends = run.outbox_counts().await?;
    begin_delivery(run);
    Ok((collected, diffed))
}

/// Everything between the comparison and the first request that changes something in Assets. `Some`: the run ends here.
async fn before_delivery(run: &Run, diffed: &mut Diffed) -> Result<Option<RunState>, Stop> {
    if run.mode == RunMode::DryRun || run.job.destination.is_none() {
        return Ok(Some(settle::without_delivery(run).await?));
    }
    require_approval(run, diffed)?;
    begin_delivery(run);
    adopt::write_identities(run, diffed).await?;
    Ok(None)
}

fn begin_delivery(run: &Run) {
    if run.approved {
        run.progress.was_approved();
    }
    run.progress.forget_plans();
}

/// What was read and how it differs: from the checkpoint, else read and compared now.
async fn read_and_compare(run: &Run, mut checkpoint: Checkpoint) -> Result<(Collected, Diffed), Stop> {
    let collected = match checkpoint.collected.take() {
        Some(collected) => collected,
        None => {
            run.progress.enter(&run.app, RunStage::Collect, None);
            Box::pin(collect::collect(run)).instrument(trace::stage("collect")).await?
        }
    };
    if let Some(tenant) = collected.tenant {
        run.job.mapping.reads_tenant(tenant);
    }
    let diffed = match checkpoint.diffed.take() {
        Some(diffed) => diffed,
        None => {
            let reported = Some(run.progress.reported());
            checkpoint =
                Checkpoint { collected: Some(collected.clone()), reported_by_read: reported, ..Checkpoint::default() };
            checkpoint.save(run).await?;
            diff::diff(run, &collected).instrument(trace::stage("diff")).await?
        }
    };
    checkpoint.collected = Some(collected);
    checkpoint.diffed = Some(diffed);
    checkpoint.save(run).await?;
    if let (Some(collected), Some(diffed)) = (&checkpoint.collected, &mut checkpoint.diffed)
        && !diffed.compared
        && adopt::compare(run, collected, diffed).await?
    {
        checkpoint.save(run).await?;
    }
    // What an approval approves was looked up before.
    if !run.approved
        && let Some(diffed) = &mut checkpoint.diffed
        && !diffed.looked_up
        && lookups::check(run, diffed).await?
    {
        checkpoint.save(run).await?;
    }
    whole(checkpoint)
}

fn whole(checkpoint: Checkpoint) -> Result<(Collected, Diffed), Stop> {
    let lost = || Error::internal("the checkpoint lost its stages");
    Ok(checkpoint.collected.zip(checkpoint.diffed).ok_or_else(lost)?)
}

/// Stops a run that a person has to approve, and one that is no longer what a person has approved.
fn require_approval(run: &Run, diffed: &Diffed) -> Result<(), Stop> {
    let detail = match (&diffed.brake, &diffed.adoption) {
        (None, None) => return Ok(()),
        (Some(brake), _) => serde_json::to_value(brake),
        (None, Some(adoption)) => serde_json::to_value(adoption),
    };
    if !run.approved {
        let expires_at = run.app.clock.now() + APPROVAL_LIFE;
        return Err(Stop::AwaitApproval { detail: detail.map_err(Error::internal)?, expires_at });
    }
    if run.job.settings() != diffed.settings {
        let detail = "The job or its destination changed after the run stopped for approval.";
        return Err(Stop::failed(RunStage::Diff, RunErrorCode::ApprovalOutdated, detail, "Start a new run."));
    }
    Ok(())
}
