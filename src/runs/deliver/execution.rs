//! The execution that data is sent into: resumed from an earlier attempt, or a new one; and how it is given up.

use super::delivered::Repeated;
use super::delivery::{Delivery, current_execution, failed, links_place, note, open_links};
use super::schema;
use crate::app::App;
use crate::assets::{
    AssetsError, AssetsErrorKind, ConfigState, Conflict, ExecutionLinks, ExecutionState, ExecutionStatus, Target,
};
use crate::clock::Instant;
use crate::codes::{AssetsErrorCode, RunErrorCode};
use crate::db::executions::{self, Change, ExecutionRow};
use crate::db::mirror::{self, Receiver};
use crate::db::runs::Lease;
use crate::error::{Error, Result};
use crate::ids::JobId;
use crate::run_state::{ExecutionStep, RunStage};
use crate::runs::context::JobContext;
use crate::runs::forge_token::target;
use crate::runs::stop::Stop;
use crate::runs::transaction::transaction;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use uuid::Uuid;

/// How long somebody else's execution is waited for.
const MAX_OTHERS: Duration = Duration::from_secs(1800);
const OTHERS_POLL: Duration = Duration::from_secs(10);
/// How long an open execution is taken for the one whose start was not answered.
const MAX_OURS: TimeDelta = TimeDelta::days(1);

/// An execution of ours.
pub(in crate::runs) struct Open {
    pub id: Uuid,
    pub links: ExecutionLinks,
    pub acknowledged_seq: i64,
    /// A chunk whose acknowledgement is not known: its last row and its id.
    pub sending: Option<(i64, String)>,
    pub chunks: i32,
    /// Entries that were sent again so far.
    pub repeated: Repeated,
    pub completed: bool,
    /// It is over already.
    pub result: Option<ExecutionStatus>,
}

impl Delivery<'_> {
    /// The execution of an earlier attempt where it can go on, else a new one.
    pub(super) async fn open_or_resume(&self) -> Result<Open, Stop> {
        match current_execution(&self.run.app, &self.run.lease).await? {
            None => self.start().await,
            Some(row) if row.state == ExecutionStep::Starting => {
                self.give_up_lost_start(row.id, row.created_at).await?;
                self.start().await
            }
            Some(row) => match self.resume(row).await? {
                Some(open) => Ok(open),
                None => self.start().await,
            },
        }
    }

    /// `None` when it is gone or was cancelled: then a new one is started, and everything sent again.
    async fn resume(&self, row: ExecutionRow) -> Result<Option<Open>, Stop> {
        let links = open_links(&self.run.app, &self.run.lease, &row)?;
        let mut open = Open {
            id: row.id,
            links: links.ok_or_else(|| Error::internal("an execution without links"))?,
            acknowledged_seq: row.acknowledged_seq,
            sending: row.sending_seq.zip(row.sending_id).filter(|(seq, _)| *seq > row.acknowledged_seq),
            chunks: row.chunks,
            repeated: serde_json::from_value(row.repeated).map_err(Error::internal)?,
            completed: matches!(row.state, ExecutionStep::Completed | ExecutionStep::Done),
            result: row.result.map(serde_json::from_value).transpose().map_err(Error::internal)?,
        };
        if open.result.is_some() {
            return Ok(Some(open));
        }
        let target = target(self.run).await?;
        let state = match self.client.status(&target, &open.links).await {
            Ok(status) => status.status,
            Err(error) if error.kind == AssetsErrorKind::NotFound => ExecutionState::Cancelled,
            Err(error) => return Err(failed(&error)),
        };
        match state {
            ExecutionState::Ingesting | ExecutionState::Other => {}
            // The answer to the last chunk was lost, not the chunk.
            ExecutionState::Processing | ExecutionState::Done => open.completed = true,
            ExecutionState::Cancelled => {
                self.note(open.id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await?;
                return Ok(None);
            }
        }
        self.run.log("Resuming the execution that an earlier attempt started.").await?;
        Ok(Some(open))
    }

    /// A new execution, with its links sealed and stored.
    async fn start(&self) -> Result<Open, Stop> {
        let since = self.run.app.clock.instant();
        loop {
            if let Some(open) = self.try_start(since).await? {
                return Ok(open);
            }
        }
    }

    /// `None`: Assets did not start one now; it is to be tried again.
    async fn try_start(&self, since: Instant) -> Result<Option<Open>, Stop> {
        let state = self.wait_until_idle(since).await?;
        schema::ensure(self, state).await?;
        let app = &self.run.app;
        let id = crate::ids::new_v7(&app.clock);
        let receiver = self.receiver()?;
        let (lease, job, now) = (self.run.lease, self.run.job.id, app.clock.now());
        transaction(app, lease.organization, "start an execution", async move |tx| {
            executions::insert(tx, &lease, id, now).await?;
            mirror::delivery_begins(tx, lease.organization, job, &receiver, now).await
        })
        .await?;
        let target = target(self.run).await?;
        let execution = match self.client.start(&target, &self.links, false).await {
            Ok(execution) => execution,
            Err(error) if error.kind == AssetsErrorKind::OutcomeUnknown => {
                // Perhaps it was started. It is ours then, nothing is in it, and it can be cancelled.
                self.give_up_lost_start(id, now).await?;
                return Ok(None);
            }
            Err(error) if error.kind == AssetsErrorKind::Conflict(Conflict::InProgress) => {
                // Somebody else started one first.
                self.note(id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await?;
                self.wait_for_others(since).await?;
                return Ok(None);
            }
            Err(error) => {
                self.note(id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await?;
                return Err(failed(&error));
            }
        };
        let text = serde_json::to_string(&execution.links).map_err(Error::internal)?;
        let change = Change {
            state: Some(ExecutionStep::Ingesting),
            links_sealed: Some(app.keys.seal(links_place(&self.run.lease, id), &text)?),
            execution_id: Some(execution.execution_id),
            ..Change::default()
        };
        self.note(id, change).await?;
        Ok(Some(Open {
            id,
            links: execution.links,
            acknowledged_seq: 0,
            sending: None,
            chunks: 0,
            repeated: Repeated::new(),
            completed: false,
            result: None,
        }))
    }

    fn receiver(&self) -> Result<Receiver, Stop> {
        let destination = self.run.job.destination.as_ref();
        let destination = destination.ok_or_else(|| Error::internal("a delivery without a destination"))?;
        Ok(Receiver {
            destination: destination.id,
            destination_version: destination.version,
            import_source: self.links.import_source_id(),
        })
    }

    /// We asked for a start at `asked_at` and do not know what became of it. If an execution is open now, and accepts
    /// data, it is ours: nobody else's could have been open when we asked. It is empty, so it is cancelled. After a day
    /// that is no longer so sure, and it is waited for like another's.
    async fn give_up_lost_start(&self, id: Uuid, asked_at: DateTime<Utc>) -> Result<(), Stop> {
        self.cancel_empty(asked_at).await?;
        self.note(id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await
    }

    async fn cancel_empty(&self, asked_at: DateTime<Utc>) -> Result<(), Stop> {
        if self.run.app.clock.now() - asked_at > MAX_OURS {
            return Ok(());
        }
        let target = target(self.run).await?;
        let config = self.client.config_status(&target, &self.links).await.map_err(|e| failed(&e))?;
        if config.state == ConfigState::Running {
            let latest = self.client.latest_status(&target, &self.links).await.map_err(|e| failed(&e))?;
            let is_open = latest.as_ref().is_some_and(|latest| latest.status == ExecutionState::Ingesting);
            let cancel = config.cancel.or_else(|| {
                let id = latest.and_then(|latest| latest.execution_id)?;
                self.links.execution(&id).ok()
            });
            if let Some(cancel) = cancel.filter(|_| is_open) {
                self.client.cancel(&target, &cancel).await.map_err(|e| failed(&e))?;
            }
        }
        Ok(())
    }

    /// Cancels what earlier runs of the job left open: their process died for good, or Assets could not be
    /// reached when they ended.
    async fn cancel_stale(&self) -> Result<(), Stop> {
        let (organization, job, lease) = (self.run.job.organization, self.run.job.id, self.run.lease);
        let stale = self
            .run
            .tx("executions left open", async move |tx| executions::left_open(tx, organization, job, lease.run).await);
        for row in stale.await? {
            match open_links(&self.run.app, &lease, &row)? {
                None => self.cancel_empty(row.created_at).await?,
                Some(links) => {
                    let target = target(self.run).await?;
                    let status = self.client.status(&target, &links).await;
                    if status.is_ok_and(|status| status.status == ExecutionState::Ingesting) {
                        self.client.cancel(&target, &links.cancel).await.map_err(|e| failed(&e))?;
                    }
                }
            }
            let now = self.run.app.clock.now();
            self.run
                .tx("give up an execution", async move |tx| executions::give_up(tx, &lease, row.id, now).await)
                .await?;
        }
        Ok(())
    }

    /// Somebody else's execution is waited for, never cancelled. Returns the state of the import source then.
    async fn wait_until_idle(&self, since: Instant) -> Result<ConfigState, Stop> {
        self.cancel_stale().await?;
        loop {
            let target = target(self.run).await?;
            let config = self.client.config_status(&target, &self.links).await.map_err(|e| failed(&e))?;
            if config.state != ConfigState::Running {
                return match config.state {
                    ConfigState::Disabled => {
                        let kind = AssetsErrorKind::Conflict(Conflict::Disabled);
                        Err(failed(&AssetsError::new(kind, "configstatus says DISABLED")))
                    }
                    state => Ok(state),
                };
            }
            self.wait_for_others(since).await?;
        }
    }

    /// A moment, unless it took too long already.
    async fn wait_for_others(&self, since: Instant) -> Result<(), Stop> {
        let clock = &self.run.app.clock;
        if clock.elapsed_since(since) > MAX_OTHERS {
            return Err(Stop::failed(
                RunStage::Deliver,
                RunErrorCode::Assets(AssetsErrorCode::ExecutionInProgress),
                "Another execution of the import source, not started by this run, has been running for half an hour.",
                "Look at the import in Assets: wait for it or cancel it there; then start the run again.",
            ));
        }
        tokio::select! {
            () = self.run.cancel.cancelled() => Err(Stop::Cancelled),
            () = clock.sleep(OTHERS_POLL) => Ok(()),
        }
    }
}

/// Whether a run has an execution that Assets processes, so that it can only be watched to its end.
pub async fn is_completed(app: &App, lease: &Lease) -> Result<bool> {
    let known = current_execution(app, lease).await?;
    Ok(known.is_some_and(|row| matches!(row.state, ExecutionStep::Completed | ExecutionStep::Done)))
}

/// Gives up what a cancelled run has open in Assets. Failures are only logged: the next run finds what is
/// left.
pub async fn abandon(app: &App, lease: &Lease, job: JobId) {
    close(app, lease, job, "The run was cancelled.").await;
}

/// Cancels an execution that accepts data, with the reason in Assets' history.
pub(super) async fn close(app: &App, lease: &Lease, job: JobId, reason: &str) {
    if let Err(stop) = try_close(app, lease, job, reason).await {
        tracing::warn!(run.id = %lease.run, ?stop, "an open execution could not be cancelled");
    }
}

/// Gives up what an earlier attempt of a run has open, because the settings changed since. Where it went somewhere else,
/// it can be that only its end in Assets closes it.
pub async fn discard(app: &App, lease: &Lease, job: JobId, is_same_destination: bool) -> Result<(), Stop> {
    match try_close(app, lease, job, "The settings of the import changed.").await {
        Err(stop @ Stop::Failed(_)) if !is_same_destination => {
            tracing::warn!(run.id = %lease.run, ?stop, "an execution of the destination before could not be cancelled");
        }
        closed => closed?,
    }
    if is_same_destination {
        return Ok(());
    }
    match current_execution(app, lease).await? {
        Some(row) => {
            note(app, lease, row.id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await
        }
        None => Ok(()),
    }
}

async fn try_close(app: &App, lease: &Lease, job: JobId, reason: &str) -> Result<(), Stop> {
    let known = current_execution(app, lease).await?;
    // One whose start was not answered is looked for by the next run.
    let Some(row) = known.filter(|row| row.state == ExecutionStep::Ingesting) else { return Ok(()) };
    let Some(links) = open_links(app, lease, &row)? else { return Ok(()) };
    let Some(target) = target_of_job(app, lease, job).await? else { return Ok(()) };
    let client = app.assets.clone();
    if let Err(error) = client.failed_history(&target, &links, reason).await {
        tracing::info!(run.id = %lease.run, %error, "the reason could not be written into the history of Assets");
    }
    client.cancel(&target, &links.cancel).await.map_err(|e| failed(&e))?;
    note(app, lease, row.id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await
}

/// For [`abandon`], which has no run.
async fn target_of_job(app: &App, lease: &Lease, job: JobId) -> Result<Option<Target>> {
    let context = JobContext::load(app, lease.organization, job).await?;
    match &context.destination {
        Some(destination) => Ok(Some(destination.target(app, lease.organization).await?)),
        None => Ok(None),
    }
}
