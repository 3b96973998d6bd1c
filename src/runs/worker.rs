//! The worker pool: claims runs, renews their leases, and stores how they end.

use super::checkpoint::Checkpoint;
use super::context::JobContext;
use super::deliver::execution;
use super::outage::Outage;
use super::pipeline;
use super::progress::{Reported, RunProgress};
use super::run::Run;
use super::stop::Stop;
use super::transaction::transaction;
use crate::app::App;
use crate::codes::RunErrorCode;
use crate::db::Transaction;
use crate::db::listen::Notice;
use crate::db::mirror;
use crate::db::runs::{self, Claimant, Lease, RunRow};
use crate::error::{Code, Error, Result};
use crate::ids::{JobId, LeaseToken, WorkerId};
use crate::run_state::{RunError, RunStage, RunState, RunWarning};
use crate::trace;
use chrono::TimeDelta;
use futures_util::FutureExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How long a lease is valid: after a process dies, another one waits at most this long.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// The lease is renewed every third of its life.
const RENEWAL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(5);
const FLUSH: Duration = Duration::from_secs(1);
/// A run whose process died so often in a row without any progress is given up, because it may be the cause. A run that
/// makes progress may be interrupted any number of times.
const MAX_IN_VAIN: i32 = 50;

/// Executes runs until `stopping`; then releases the runs that it has, and ends.
pub async fn work(app: App, worker: WorkerId, stopping: CancellationToken) {
    let mut notices = app.notices.subscribe();
    let slots = Arc::new(Semaphore::new(usize::from(app.settings.concurrent_runs())));
    // Dropped with this future: an abort ends the runs too.
    let mut tasks = JoinSet::new();
    let mut outage = Outage::default();
    loop {
        while tasks.try_join_next().is_some() {}
        let slot = tokio::select! {
            // First, so that a run released while stopping is not claimed again.
            biased;
            () = stopping.cancelled() => break,
            slot = slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let claimed = claim(&app, worker).await;
        outage.note(
            &app.clock,
            "the run queue cannot be read",
            claimed.as_ref().err().map(|error| error.detail.as_str()),
        );
        match claimed {
            Ok(Some((lease, row))) => {
                let (app, stopping) = (app.clone(), stopping.clone());
                tasks.spawn(async move {
                    Box::pin(execute(&app, lease, row, &stopping)).await;
                    drop(slot);
                });
            }
            Ok(None) | Err(_) => {
                drop(slot);
                wait(&app, &mut notices, &stopping).await;
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Claims and executes one run, if any is due. For tests, which drive the worker by hand. Returns whether
/// there was one.
pub async fn step(app: &App, worker: WorkerId) -> Result<bool> {
    let Some((lease, row)) = claim(app, worker).await? else { return Ok(false) };
    Box::pin(execute(app, lease, row, &CancellationToken::new())).await;
    Ok(true)
}

async fn claim(app: &App, worker: WorkerId) -> Result<Option<(Lease, RunRow)>> {
    let token = LeaseToken::new(&app.clock);
    let by = Claimant { worker, walk: &app.walk, capacity: app.settings.concurrent_runs(), token };
    runs::claim(&app.db, by, app.clock.now(), LEASE).await
}

/// Waits for a notice or for the next poll. Notices only save time; correctness rests on polling.
async fn wait(app: &App, notices: &mut broadcast::Receiver<Notice>, stopping: &CancellationToken) {
    let poll = app.clock.sleep(POLL + app.clock.jitter(POLL / 2));
    tokio::pin!(poll);
    loop {
        tokio::select! {
            () = &mut poll => return,
            () = stopping.cancelled() => return,
            notice = notices.recv() => match notice {
                Ok(Notice::RunsQueued) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Ok(
                    Notice::RunChanged(_)
                    | Notice::CancelRequested(_)
                    | Notice::WebhooksQueued
                    | Notice::QuotaChanged(_),
                ) => {}
                Err(broadcast::error::RecvError::Closed) => {
                    // No notices in this process: only polling is left.
                    poll.await;
                    return;
                }
            },
        }
    }
}

/// Executes a claimed run while its lease is renewed, and stores how it ended.
async fn execute(app: &App, lease: Lease, row: RunRow, stopping: &CancellationToken) {
    let (cancel, job) = (CancellationToken::new(), row.job());
    tracing::info!(run.id = %lease.run, organization.id = %lease.organization, mode = %row.mode, attempt = row.attempt, "run claimed");
    let keeper = Keeper { app, lease, cancel: cancel.clone(), stopping };
    let traced = trace::run(&lease.run, &lease.organization, &row.mode, row.attempt, row.traceparent());
    let outcome = Box::pin(keeper.while_held(lead(app, lease, row, cancel))).instrument(traced.clone()).await;
    if let Outcome::Stopped(Stop::Failed(error), _) = &outcome {
        trace::note_failure(&traced, &error.code.to_string());
    }
    drop(traced);
    let first = app.clock.instant();
    loop {
        let Err(error) = write_end(app, &lease, job, &outcome).await else { return };
        tracing::error!(run.id = %lease.run, code = %error.code, "the end of a run could not be stored: {}", error.detail);
        let is_late = app.clock.elapsed_since(first) > LEASE.to_std().unwrap_or_default();
        // After the lease, whoever claims the run goes on from its checkpoint.
        if error.code != Code::DatabaseUnavailable || is_late || stopping.is_cancelled() {
            return;
        }
        app.clock.sleep(FLUSH).await;
    }
}

/// How an execution ended, and how that is stored.
enum Outcome {
    Ended(RunState),
    Stopped(Stop, Option<RunProgress>),
}

async fn lead(app: &App, lease: Lease, row: RunRow, cancel: CancellationToken) -> Outcome {
    let outcome = go_through(app, lease, &row, cancel).await;
    if let Outcome::Stopped(stop, _) = &outcome {
        execution::close(app, &lease, row.job(), stop).await;
    }
    outcome
}

async fn go_through(app: &App, lease: Lease, row: &RunRow, cancel: CancellationToken) -> Outcome {
    match reason_to_give_up(app, &lease, row).await {
        Ok(None) => {}
        Ok(Some(stop)) | Err(stop) => return Outcome::Stopped(stop, None),
    }
    match prepare(app, lease, row, cancel).await {
        Err(stop) => Outcome::Stopped(stop, None),
        // Its type is forgotten: the compiler cannot see through all of it at once.
        Ok((run, checkpoint)) => match pipeline_with_flush(&run, checkpoint).boxed().await {
            Ok(state) => Outcome::Ended(state),
            Err(stop) => Outcome::Stopped(stop, Some(run.progress)),
        },
    }
}

/// Why a run that was claimed is ended at once. An execution that Assets has received completely is awaited, so that its
/// outcome is known.
async fn reason_to_give_up(app: &App, lease: &Lease, row: &RunRow) -> Result<Option<Stop>, Stop> {
    let is_cancelled = row.cancel_requested_at.is_some();
    let is_in_vain = is_in_vain(app, lease).await?;
    if !(is_cancelled || is_in_vain) || execution::is_completed(app, lease, row.job()).await? {
        return Ok(None);
    }
    if is_cancelled {
        return Ok(Some(Stop::Cancelled));
    }
    let advice = "Look at the log of the service for why its process ended; then start a new run.";
    let detail = format!("The worker process ended {MAX_IN_VAIN} times while the run made no progress.");
    let stage = row.stage.unwrap_or(RunStage::Collect);
    Ok(Some(Stop::failed(stage, RunErrorCode::TooManyAttempts, detail, advice)))
}

async fn is_in_vain(app: &App, lease: &Lease) -> Result<bool> {
    let attempts =
        transaction(app, lease.organization, "note an attempt", async |tx| runs::note_reached(tx, lease).await).await?;
    Ok(attempts >= MAX_IN_VAIN)
}

async fn prepare(app: &App, lease: Lease, row: &RunRow, cancel: CancellationToken) -> Result<(Run, Checkpoint), Stop> {
    let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).map_err(Error::internal);
    let job = JobContext::load(app, lease.organization, row.job()).await?;
    let checkpoint = current_checkpoint(app, &lease, row, &job).await?;
    let reported = match checkpoint.reported.clone() {
        Some(reported) => reported,
        None => {
            let warnings: Vec<RunWarning> = serde_json::from_value(row.warnings.clone()).map_err(Error::internal)?;
            Reported { counts: read(&row.counts)?, warnings, degraded: row.degraded }
        }
    };
    let progress = row.progress.as_ref().and_then(|p| serde_json::from_value(p.clone()).ok());
    let run = Run {
        app: app.clone(),
        lease,
        mode: row.mode,
        request: row.run_request()?,
        job,
        approved: row.approved_at.is_some(),
        progress: RunProgress::new(app, row.job(), reported, progress.as_ref()),
        cancel,
    };
    Ok((run, checkpoint))
}

/// Where an earlier attempt stopped. If the settings changed since its comparison, that is repeated: its rows fit only the
/// destination and mapping they were made for. An execution that Assets already processes goes on, and what was approved
/// is not changed.
async fn current_checkpoint(app: &App, lease: &Lease, row: &RunRow, job: &JobContext) -> Result<Checkpoint, Stop> {
    let mut checkpoint = Checkpoint::of(row)?;
    let settings = job.settings();
    let is_approved = row.approved_at.is_some();
    if is_approved || !checkpoint.is_outdated(&settings) || execution::is_completed(app, lease, row.job()).await? {
        return Ok(checkpoint);
    }
    let went_there = checkpoint.diffed.as_ref().and_then(|diffed| diffed.settings.destination);
    if !execution::discard(app, lease, row.job(), went_there == settings.destination).await? {
        checkpoint.begin_again(&settings);
    }
    Ok(checkpoint)
}

/// The stages, while progress is stored every second.
async fn pipeline_with_flush(run: &Run, checkpoint: Checkpoint) -> Result<RunState, Stop> {
    let flushing = async {
        loop {
            run.app.clock.sleep(FLUSH).await;
            if let Err(error) = run.progress.flush(&run.app, &run.lease).await {
                return error;
            }
        }
    };
    // Both are polled all the time, so that a stage that holds a row lock can release it.
    tokio::select! {
        ended = pipeline::execute(run, checkpoint) => ended,
        error = flushing => Err(error.into()),
    }
}

/// Keeps a lease while a run is executed.
struct Keeper<'a> {
    app: &'a App,
    lease: Lease,
    cancel: CancellationToken,
    stopping: &'a CancellationToken,
}

impl Keeper<'_> {
    /// `work` until its end; or until the lease is lost, or this process stops: then it is dropped where it
    /// stands, which is safe at every point, as a crash would be.
    async fn while_held(&self, work: impl Future<Output = Outcome>) -> Outcome {
        tokio::select! {
            outcome = work => outcome,
            stop = self.keep() => Outcome::Stopped(stop, None),
        }
    }

    /// Renews the lease until there is a reason to stop.
    async fn keep(&self) -> Stop {
        let mut notices = self.app.notices.subscribe();
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => {
                    self.cancel.cancel();
                    return Stop::Released;
                }
                () = self.app.clock.sleep(RENEWAL) => {}
                () = cancel_requested(&mut notices, &self.lease) => {}
            }
            if let Some(stop) = self.renew().await {
                return stop;
            }
        }
    }

    async fn renew(&self) -> Option<Stop> {
        match runs::renew(&self.app.db, &self.lease, self.app.clock.now() + LEASE).await {
            Ok(renewed) => {
                if renewed.cancel_requested {
                    // The stages see it, close what they have open, and end.
                    self.cancel.cancel();
                }
                None
            }
            Err(error) if error.code == Code::LeaseLost => {
                self.cancel.cancel();
                Some(Stop::LeaseLost)
            }
            Err(error) => {
                // The next renewal may succeed before the lease runs out; if not, the fence stops us.
                tracing::warn!(run.id = %self.lease.run, code = %error.code, "the lease could not be renewed: {}", error.detail);
                None
            }
        }
    }
}

/// Until the cancellation of this run is announced. A lost announcement costs the time to the next renewal.
async fn cancel_requested(notices: &mut broadcast::Receiver<Notice>, lease: &Lease) {
    loop {
        match notices.recv().await {
            Ok(Notice::CancelRequested(run)) if run == lease.run.0 => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn write_end(app: &App, lease: &Lease, job: JobId, outcome: &Outcome) -> Result<()> {
    let (stop, progress) = match outcome {
        Outcome::Ended(state) => {
            tracing::info!(run.id = %lease.run, state = %state, "run ended");
            return Ok(());
        }
        Outcome::Stopped(Stop::LeaseLost, _) => {
            tracing::warn!(run.id = %lease.run, "the lease was lost; another process has the run");
            return Ok(());
        }
        Outcome::Stopped(stop, progress) => (stop, progress.as_ref()),
    };
    if let Some(progress) = progress {
        progress.flush(app, lease).await?;
    }
    tracing::info!(run.id = %lease.run, ?stop, "run stopped");
    let waits = matches!(stop, Stop::Wait { .. } | Stop::AwaitApproval { .. });
    if write_stop(app, lease, stop, progress, waits).await? {
        return Ok(());
    }
    tracing::info!(run.id = %lease.run, "the run was cancelled before it could wait");
    // Nobody renews the lease any more. Should it run out while Assets is asked, whoever claims the run does the same.
    let stored = match execution::is_completed(app, lease, job).await {
        // Assets carries it out all the same, so it is awaited.
        Ok(true) => write_stop(app, lease, stop, progress, false).await,
        Ok(false) => {
            execution::close(app, lease, job, &Stop::Cancelled).await;
            write_stop(app, lease, &Stop::Cancelled, progress, false).await
        }
        Err(stop) => write_stop(app, lease, &stop, progress, false).await,
    };
    stored.map(|_| ())
}

/// `false`: nothing is stored, because somebody has cancelled the run. Not every stage looks for that, and while a run waits
/// nobody does: `is_cancellable`.
async fn write_stop(
    app: &App,
    lease: &Lease,
    stop: &Stop,
    progress: Option<&RunProgress>,
    is_cancellable: bool,
) -> Result<bool> {
    let (lease, now) = (*lease, app.clock.now());
    transaction(app, lease.organization, "store the end", async |tx| {
        if is_cancellable && runs::is_cancel_requested(tx, &lease).await? {
            return Ok(false);
        }
        match stop {
            Stop::Failed(error) => {
                let error = RunError { stage: error.stage.or(progress.map(RunProgress::stage)), ..(**error).clone() };
                clear(tx, &lease).await?;
                runs::finish(tx, &lease, RunState::Failed, Some(&error), now).await?;
            }
            Stop::Cancelled => {
                clear(tx, &lease).await?;
                let stage = progress.map(RunProgress::stage);
                let why = runs::cancellation(tx, lease.organization, lease.run, stage).await?;
                runs::finish(tx, &lease, RunState::Cancelled, Some(&why), now).await?;
            }
            Stop::Released => runs::release(tx, &lease, now, None, now).await?,
            Stop::Wait { until, reason } => runs::release(tx, &lease, *until, Some(*reason), now).await?,
            Stop::AwaitApproval { detail, expires_at } => {
                runs::await_approval(tx, &lease, detail, *expires_at, now).await?;
            }
            Stop::LeaseLost => {}
        }
        Ok(true)
    })
    .await
}

/// What a run that ends without being settled leaves: nothing that it read, and a note if Assets may have what it sent.
async fn clear(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    runs::fence(tx, lease).await?;
    mirror::clear_staging(tx, lease.organization, lease.run).await?;
    mirror::resend_unsettled(tx, lease).await
}
