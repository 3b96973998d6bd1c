//! Mirror → Assets: one execution, chunk by chunk, to its end.
//!
//! The intention is stored before Assets is asked for an execution, and its links before the first chunk. After a crash
//! an open execution resumes after the last acknowledged chunk, repeating the unacknowledged one with the same id and the
//! same rows; an execution that was completed is only watched.

pub mod check;
mod chunks;
pub mod delivered;
mod delivery;
pub mod execution;
mod objects;
pub mod schema;
pub mod setup;
pub mod types;

use super::collect::collected::Collected;
use super::context::DestinationAccess;
use super::diff::diffed::Diffed;
use super::forge_token::{self, target};
use super::run::Run;
use super::stop::Stop;
use crate::assets::{Client, ExecutionState, ExecutionStatus, Links};
use crate::codes::{AssetsErrorCode, RunErrorCode};
use crate::db::{destinations, executions};
use crate::error::Error;
use crate::ids::DestinationId;
use crate::run_state::{ExecutionStep, RunStage};
use delivered::Delivered;
use delivery::{Delivery, current_execution, failed};
use std::time::Duration;

/// Between looks at an execution that Assets processes: quick at first, for small imports.
const POLL_FIRST: Duration = Duration::from_millis(200);
const MAX_POLL: Duration = Duration::from_secs(10);
/// Assets has never been seen to process longer than this.
const MAX_PROCESSING: Duration = Duration::from_secs(12 * 3600);

/// Sends the outbox; or, where Assets has all of it, waits for what becomes of it. Needs the proof that what was read is
/// complete: an execution may only be completed with a whole read behind it.
pub async fn deliver(
    run: &Run,
    collected: &Collected,
    diffed: &Diffed,
    is_carried_out: bool,
) -> Result<Delivered, Stop> {
    let total: u64 = diffed.sends.values().sum();
    run.progress.enter(&run.app, RunStage::Deliver, Some(total));
    let client = run.app.assets.clone().with_cancellation(run.cancel.clone());
    let mut delivered = Delivered::default();
    if total > 0 {
        let began_at = run.app.clock.now();
        let sent = match is_carried_out {
            true => wait(run, collected, diffed).await,
            false => send(run, &client, collected, diffed).await,
        };
        let outcome = match sent {
            Err(stop) if is_forge(run) && stop.is_failure(RunErrorCode::Assets(AssetsErrorCode::TokenInvalid)) => {
                Err(forge_token::after_refusal(run, began_at, stop).await?)
            }
            outcome => outcome,
        };
        delivered = outcome?;
    }
    // What Assets took is recorded whatever becomes of the rest.
    match objects::remove_and_clear(run, &client, &delivered).await {
        Err(Stop::Failed(error)) => objects::warn_of_the_rest(run, Some(&error)),
        Err(Stop::Cancelled) if delivered.result.is_some() => objects::warn_of_the_rest(run, None),
        done => done?,
    }
    Ok(delivered)
}

async fn send(run: &Run, client: &Client, collected: &Collected, diffed: &Diffed) -> Result<Delivered, Stop> {
    let target = target(run).await?;
    let links = client.links(&target).await.map_err(|e| failed(&e))?;
    refuse_shared_source(run, &links).await?;
    finish(Delivery { run, client: client.clone(), links }, collected, diffed).await
}

/// Waits for what Assets has received completely. No cancellation and no outage keeps its outcome from being known.
async fn wait(run: &Run, collected: &Collected, diffed: &Diffed) -> Result<Delivered, Stop> {
    let client = run.app.assets.clone().with_patience(MAX_PROCESSING);
    let links = client.links(&target(run).await?).await.map_err(|e| failed(&e))?;
    finish(Delivery { run, client, links }, collected, diffed).await
}

async fn finish(delivery: Delivery<'_>, collected: &Collected, diffed: &Diffed) -> Result<Delivered, Stop> {
    let run = delivery.run;
    let result = delivery.run_execution(collected, diffed).await?;
    let stored = current_execution(&run.app, &run.lease).await?;
    let repeated = stored.map(|row| serde_json::from_value(row.repeated)).transpose().map_err(Error::internal)?;
    Ok(Delivered {
        result: Some(result),
        names: schema::names(&delivery).await?,
        repeated: repeated.unwrap_or_default(),
    })
}

/// Ends the run if another job delivers to the same import source, and did so before this one.
async fn refuse_shared_source(run: &Run, links: &Links) -> Result<(), Stop> {
    let (Some(destination), Some(source)) = (&run.job.destination, links.import_source_id()) else { return Ok(()) };
    let (organization, id) = (run.job.organization, DestinationId(destination.id));
    let other = run.tx("the import source's destinations", async move |tx| {
        destinations::set_import_source(tx, organization, id, &source).await?;
        destinations::same_source(tx, organization, id, None).await
    });
    let Some(other) = other.await? else { return Ok(()) };
    let was_first = match (other.delivered_at, destination.delivered_at) {
        (Some(theirs), Some(ours)) => theirs < ours,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if !was_first {
        return Ok(());
    }
    let code = RunErrorCode::DestinationInUse;
    Err(Stop::failed(RunStage::Deliver, code, other.refusal().detail, code.advice()))
}

fn is_forge(run: &Run) -> bool {
    run.job.destination.as_ref().is_some_and(|destination| matches!(destination.kind, DestinationAccess::Forge { .. }))
}

impl Delivery<'_> {
    /// From where an earlier attempt stopped to the end of the execution.
    async fn run_execution(&self, collected: &Collected, diffed: &Diffed) -> Result<ExecutionStatus, Stop> {
        let open = self.open_or_resume().await?;
        if let Some(result) = open.result {
            return Ok(result);
        }
        if !open.completed {
            self.send_all(&open, collected, diffed).await?;
        }
        self.watch(&open).await
    }

    /// Polls the execution until it ends. Not cancellable: once it is completed, Assets processes it, also while it does not
    /// answer.
    async fn watch(&self, open: &execution::Open) -> Result<ExecutionStatus, Stop> {
        let app = &self.run.app;
        let started = app.clock.instant();
        let mut pause = POLL_FIRST;
        loop {
            let target = target(self.run).await?;
            let left = MAX_PROCESSING.saturating_sub(app.clock.elapsed_since(started));
            let client = app.assets.clone().with_patience(left);
            let status = client.status(&target, &open.links).await.map_err(|e| failed(&e))?;
            match status.status {
                ExecutionState::Done => {
                    let result = serde_json::to_value(&status).map_err(Error::internal)?;
                    let change = executions::Change {
                        state: Some(ExecutionStep::Done),
                        result: Some(result),
                        ..Default::default()
                    };
                    self.note(open.id, change).await?;
                    return Ok(status);
                }
                // It stays stored as completed: a part of it may have been carried out.
                ExecutionState::Cancelled => {
                    return Err(Stop::failed(
                        RunStage::Deliver,
                        RunErrorCode::ExecutionCancelled,
                        "The import was cancelled in Assets.",
                        "Start the run again; it sends everything that was not delivered.",
                    ));
                }
                ExecutionState::Ingesting | ExecutionState::Processing | ExecutionState::Other => {}
            }
            if app.clock.elapsed_since(started) > MAX_PROCESSING {
                return Err(Stop::failed(
                    RunStage::Deliver,
                    RunErrorCode::AssetsProcessingTooLong,
                    "Assets has been processing the import for twelve hours.",
                    "Look at the import in Assets, and ask Atlassian support if it is stuck.",
                ));
            }
            app.clock.sleep(pause).await;
            pause = (pause * 3 / 2).min(MAX_POLL);
        }
    }
}
