//! The execution that data is sent into: resumed from an earlier attempt, or a new one; and how it is given up.

use super::delivered::Repeated;
use super::delivery::{Delivery, current_execution, failed, links_place, note, open_links};
use super::schema;
use crate::app::App;
use crate::assets::{
    AssetsError, AssetsErrorKind, Client, ConfigState, Conflict, ExecutionLinks, ExecutionState, ExecutionStatus,
    Links, Target,
};
use crate::clock::Instant;
use crate::codes::{AssetsErrorCode, RunErrorCode};
use crate::db::executions::{self, Change, ExecutionRow};
use crate::db::job_settings;
use crate::db::mirror::{self, Receiver};
use crate::db::runs::Lease;
use crate::error::{Code, Error, Result};
use crate::ids::{DestinationId, JobId};
use crate::run_state::{ExecutionStep, RunStage};
use crate::runs::context::open_destination;
use crate::runs::forge_token::target;
use crate::runs::stop::Stop;
use crate::runs::transaction::transaction;
use chrono::TimeDelta;
use std::time::Duration;
use uuid::Uuid;

/// How long somebody else's execution is waited for.
const MAX_OTHERS: Duration = Duration::from_secs(1800);
const OTHERS_POLL: Duration = Duration::from_secs(10);
/// How long an open execution is taken for the one whose start was not answered. After that anybody may have started it.
const MAX_OURS: TimeDelta = TimeDelta::minutes(15);
/// How long after its start Assets is asked about an execution that was left open, where it does not say what became of it.
const MAX_LEFT_OPEN: TimeDelta = TimeDelta::days(1);

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

/// Starts that were not answered: Assets may have made an execution of each, or may still do so. Each is remembered by its
/// row until another start succeeded or an execution was cancelled.
struct LostStarts(Vec<Uuid>);

impl Delivery<'_> {
    /// The execution of an earlier attempt where it can go on, else a new one.
    pub(super) async fn open_or_resume(&self) -> Result<Open, Stop> {
        let known = current_execution(&self.run.app, &self.run.lease).await?;
        let open = match known.filter(|row| row.state != ExecutionStep::Starting) {
            Some(row) => self.resume(row).await?,
            None => None,
        };
        match open {
            Some(open) => Ok(open),
            None => self.start().await,
        }
    }

    /// `None` when it is gone or was cancelled before it was completed: then a new one is started, and everything sent
    /// again. One that was completed is only watched, and nothing is ever started in its place.
    async fn resume(&self, row: ExecutionRow) -> Result<Option<Open>, Stop> {
        let links = open_links(&self.run.app, &self.run.lease, &row)?;
        let mut open = Open {
            id: row.id,
            links: links.ok_or_else(|| Error::internal("an execution without links"))?,
            acknowledged_seq: row.acknowledged_seq,
            sending: row.unanswered().zip(row.sending_id.clone()),
            chunks: row.chunks,
            repeated: serde_json::from_value(row.repeated.clone()).map_err(Error::internal)?,
            completed: row.is_completed(),
            result: row.result.clone().map(serde_json::from_value).transpose().map_err(Error::internal)?,
        };
        if open.result.is_some() {
            return Ok(Some(open));
        }
        if !open.completed {
            let target = target(self.run).await?;
            match self.client.status(&target, &open.links).await.map(|status| status.status) {
                Ok(ExecutionState::Ingesting | ExecutionState::Other) => {}
                Ok(ExecutionState::Processing | ExecutionState::Done) => {
                    // The answer to the last chunk was lost, not the chunk.
                    note_completed(&self.run.app, &self.run.lease, &row).await?;
                    open.completed = true;
                }
                Ok(ExecutionState::Cancelled) => return self.note_cancelled(open.id).await.map(|()| None),
                Err(error) if error.kind == AssetsErrorKind::NotFound => {
                    return self.note_cancelled(open.id).await.map(|()| None);
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        self.run.log("Resuming the execution that an earlier attempt started.").await?;
        Ok(Some(open))
    }

    async fn note_cancelled(&self, id: Uuid) -> Result<(), Stop> {
        note_cancelled(&self.run.app, &self.run.lease, id).await
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
        let mut lost = self.close_left_open().await?;
        let state = self.wait_until_idle(since, &mut lost).await?;
        schema::ensure(self, state).await?;
        let app = &self.run.app;
        let id = crate::ids::new_v7(&app.clock);
        let receiver = self.receiver()?;
        let (lease, job, now) = (self.run.lease, self.run.job.id, app.clock.now());
        transaction(app, lease.organization, "start an execution", async move |tx| {
            executions::insert(tx, &lease, id, receiver.destination, now).await?;
            mirror::delivery_begins(tx, lease.organization, job, &receiver, now).await
        })
        .await?;
        let target = target(self.run).await?;
        let execution = match self.client.start(&target, &self.links, false).await {
            Ok(execution) => execution,
            Err(error) if error.kind == AssetsErrorKind::OutcomeUnknown => {
                // Perhaps it was started, or will be in a moment: the next try looks for it.
                self.pause(since, || failed(&error)).await?;
                return Ok(None);
            }
            Err(error) if error.kind == AssetsErrorKind::Conflict(Conflict::InProgress) => {
                // Somebody else started one first; or it is the one whose start was not answered.
                self.note_cancelled(id).await?;
                if !self.cancel_lost(&mut lost).await? {
                    self.wait_for_others(since).await?;
                }
                return Ok(None);
            }
            Err(error) => {
                self.note_cancelled(id).await?;
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
        self.give_up(lost.0).await?;
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

    /// Cancels what earlier runs left open in this destination: their process died for good, or Assets could not be reached
    /// when they ended. Returns the starts that may still lead to an execution, those of this run too.
    async fn close_left_open(&self) -> Result<LostStarts, Stop> {
        let (lease, job, destination) = (self.run.lease, self.run.job.id, self.receiver()?.destination);
        let left = self
            .run
            .tx("executions left open", async move |tx| executions::left_open(tx, &lease, job, destination).await);
        let now = self.run.app.clock.now();
        let (mut over, mut lost) = (Vec::new(), Vec::new());
        for row in left.await? {
            match open_links(&self.run.app, &lease, &row)? {
                Some(links) => {
                    if self.cancel_if_open(&row, &links).await? {
                        over.push(row.id);
                    }
                }
                None if now - row.created_at <= MAX_OURS => lost.push(row.id),
                None => over.push(row.id),
            }
        }
        self.give_up(over).await?;
        Ok(LostStarts(lost))
    }

    /// Whether it can be forgotten: it is over, or nothing that is sent from here leads to it. An execution that is long gone
    /// must not keep everything from being delivered, whatever Assets answers.
    async fn cancel_if_open(&self, row: &ExecutionRow, links: &ExecutionLinks) -> Result<bool, Stop> {
        let target = target(self.run).await?;
        let closed = match self.client.status(&target, links).await {
            Ok(status) if status.status == ExecutionState::Ingesting => {
                self.client.cancel(&target, &links.cancel).await
            }
            asked => asked.map(|_| ()),
        };
        let Err(error) = closed else { return Ok(true) };
        let is_old = self.run.app.clock.now() - row.created_at > MAX_LEFT_OPEN;
        match error.kind {
            AssetsErrorKind::Cancelled => return Err(failed(&error)),
            AssetsErrorKind::NotFound => return Ok(true),
            _ if is_old => {}
            // Perhaps the token is refused before its time, and the next one leads there.
            AssetsErrorKind::Unauthorized if row.destination_id.is_some() => return Ok(false),
            AssetsErrorKind::Unauthorized
            | AssetsErrorKind::Forbidden
            | AssetsErrorKind::ForeignLink
            | AssetsErrorKind::Validation { .. } => {}
            _ => return Err(failed(&error)),
        }
        tracing::warn!(run.id = %self.run.lease.run, %error, "an execution that an earlier run left open is given up");
        Ok(true)
    }

    async fn give_up(&self, ids: Vec<Uuid>) -> Result<(), Stop> {
        if ids.is_empty() {
            return Ok(());
        }
        let (lease, now) = (self.run.lease, self.run.app.clock.now());
        let done = self.run.tx("give up executions", async move |tx| executions::give_up(tx, &lease, &ids, now).await);
        Ok(done.await?)
    }

    /// If an execution is open while a start of ours is not answered, and accepts data, it is ours: nobody else's could have
    /// been open when we asked. It is empty, so it is cancelled. Whether there was one.
    async fn cancel_lost(&self, lost: &mut LostStarts) -> Result<bool, Stop> {
        if lost.0.is_empty() || !cancel_empty(&self.client, &target(self.run).await?, &self.links).await? {
            return Ok(false);
        }
        self.give_up(std::mem::take(&mut lost.0)).await?;
        Ok(true)
    }

    /// Somebody else's execution is waited for, never cancelled. Returns the state of the import source then.
    async fn wait_until_idle(&self, since: Instant, lost: &mut LostStarts) -> Result<ConfigState, Stop> {
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
            if !self.cancel_lost(lost).await? {
                self.wait_for_others(since).await?;
            }
        }
    }

    async fn wait_for_others(&self, since: Instant) -> Result<(), Stop> {
        let too_long = || {
            Stop::failed(
                RunStage::Deliver,
                RunErrorCode::Assets(AssetsErrorCode::ExecutionInProgress),
                "Another execution of the import source, not started by this run, has been running for half an hour.",
                "Look at the import in Assets: wait for it or cancel it there; then start the run again.",
            )
        };
        self.pause(since, too_long).await
    }

    /// A moment, unless it took too long already.
    async fn pause(&self, since: Instant, too_long: impl FnOnce() -> Stop) -> Result<(), Stop> {
        let clock = &self.run.app.clock;
        if clock.elapsed_since(since) > MAX_OTHERS {
            return Err(too_long());
        }
        tokio::select! {
            () = self.run.cancel.cancelled() => Err(Stop::Cancelled),
            () = clock.sleep(OTHERS_POLL) => Ok(()),
        }
    }
}

/// Cancels the newest execution of an import source if it accepts data. Whether there was one.
async fn cancel_empty(client: &Client, target: &Target, links: &Links) -> Result<bool, Stop> {
    let config = client.config_status(target, links).await.map_err(|e| failed(&e))?;
    if config.state != ConfigState::Running {
        return Ok(false);
    }
    let latest = client.latest_status(target, links).await.map_err(|e| failed(&e))?;
    let Some(latest) = latest.filter(|latest| latest.status == ExecutionState::Ingesting) else { return Ok(false) };
    let by_id = || links.execution(&latest.execution_id?).ok();
    let Some(cancel) = config.cancel.or_else(by_id) else { return Ok(false) };
    client.cancel(target, &cancel).await.map_err(|e| failed(&e))?;
    Ok(true)
}

/// Whether a run has an execution that Assets has received completely, so that it can only be watched to its end. Where
/// Assets cannot say, it counts as open: how such a run ends is remembered, see [`mirror::resend_unsettled`].
pub async fn is_completed(app: &App, lease: &Lease, job: JobId) -> Result<bool, Stop> {
    let Some(row) = current_execution(app, lease).await? else { return Ok(false) };
    match was_completed(app, lease, job, &row).await {
        Err(stop @ Stop::Failed(_)) => {
            tracing::warn!(run.id = %lease.run, ?stop, "Assets does not say whether it has the last chunk");
            Ok(false)
        }
        known => known,
    }
}

/// What is stored; and where the answer to a chunk was lost, which may have been the last one, what Assets says.
async fn was_completed(app: &App, lease: &Lease, job: JobId, row: &ExecutionRow) -> Result<bool, Stop> {
    if row.is_completed() || row.unanswered().is_none() {
        return Ok(row.is_completed());
    }
    let Some(links) = open_links(app, lease, row)? else { return Ok(false) };
    let Some(target) = target_of(app, lease, job, row).await? else { return Ok(false) };
    let status = app.assets.status(&target, &links).await.map_err(|e| failed(&e))?;
    if !matches!(status.status, ExecutionState::Processing | ExecutionState::Done) {
        return Ok(false);
    }
    note_completed(app, lease, row).await?;
    Ok(true)
}

/// Assets has the chunk whose answer was lost, and it was the last one.
async fn note_completed(app: &App, lease: &Lease, row: &ExecutionRow) -> Result<(), Stop> {
    let change = Change {
        state: Some(ExecutionStep::Completed),
        acknowledged_seq: row.unanswered(),
        chunks: Some(row.chunks + 1),
        ..Change::default()
    };
    note(app, lease, row.id, change).await
}

/// Closes what a run that failed or was cancelled has open in Assets: it would block the import source. Failures are only
/// logged: the next run finds what is left.
pub async fn close(app: &App, lease: &Lease, job: JobId, stop: &Stop) {
    let Some(reason) = stop.reason() else { return };
    if let Err(stop) = try_close(app, lease, job, &reason).await {
        tracing::warn!(run.id = %lease.run, ?stop, "an open execution could not be cancelled");
    }
}

/// Gives up what an earlier attempt of a run has open, because the settings changed since. Whether Assets has received it
/// completely after all: then nothing is given up. Where it went somewhere else, it can be that only its end in Assets
/// closes it.
pub async fn discard(app: &App, lease: &Lease, job: JobId, is_same_destination: bool) -> Result<bool, Stop> {
    let failure = match try_close(app, lease, job, "The settings of the import changed.").await {
        Ok(true) => return Ok(true),
        Ok(false) => None,
        Err(stop @ Stop::Failed(_)) => Some(stop),
        Err(stop) => return Err(stop),
    };
    if let Some(stop) = &failure {
        tracing::warn!(run.id = %lease.run, ?stop, "an execution of the settings before could not be cancelled");
    }
    let Some(row) = current_execution(app, lease).await? else { return Ok(false) };
    match (is_same_destination, row.state) {
        // Its start was not answered: whoever delivers looks for what became of it.
        (true, ExecutionStep::Starting) => Ok(false),
        // It must not be resumed with other rows. Unless something failed, its destination is gone: the next attempt knows.
        (true, _) => Err(failure.unwrap_or(Stop::Released)),
        (false, _) => note_cancelled(app, lease, row.id).await.map(|()| false),
    }
}

/// Cancels an execution that accepts data, with the reason in Assets' history. Whether Assets has received it completely:
/// then there is nothing to cancel.
async fn try_close(app: &App, lease: &Lease, job: JobId, reason: &str) -> Result<bool, Stop> {
    let Some(row) = current_execution(app, lease).await? else { return Ok(false) };
    if was_completed(app, lease, job, &row).await? {
        return Ok(true);
    }
    let Some(target) = target_of(app, lease, job, &row).await? else { return Ok(false) };
    let client = app.assets.clone();
    match open_links(app, lease, &row)? {
        Some(links) => {
            if let Err(error) = client.failed_history(&target, &links, reason).await {
                tracing::info!(run.id = %lease.run, %error, "the reason could not be written into the history of Assets");
            }
            client.cancel(&target, &links.cancel).await.map_err(|e| failed(&e))?;
        }
        // What Assets may still make of the start is looked for by the next run.
        None if app.clock.now() - row.created_at > MAX_OURS => return Ok(false),
        None => {
            let links = client.links(&target).await.map_err(|e| failed(&e))?;
            if !cancel_empty(&client, &target, &links).await? {
                return Ok(false);
            }
        }
    }
    note_cancelled(app, lease, row.id).await.map(|()| false)
}

async fn note_cancelled(app: &App, lease: &Lease, id: Uuid) -> Result<(), Stop> {
    note(app, lease, id, Change { state: Some(ExecutionStep::Cancelled), ..Change::default() }).await
}

/// Where an execution was started, wherever the job leads now; `None`: that destination is gone. Nothing but the destination
/// is opened: whatever else does not work, it can be asked.
async fn target_of(app: &App, lease: &Lease, job: JobId, row: &ExecutionRow) -> Result<Option<Target>> {
    let (organization, there) = (lease.organization, row.destination_id);
    let destination = transaction(app, organization, "the destination of an execution", async move |tx| match there {
        Some(id) => job_settings::destination(tx, organization, DestinationId(id)).await.map(Some),
        // A version before did not note it.
        None => Ok(job_settings::load(tx, organization, job).await?.destination),
    });
    match destination.await {
        Ok(Some(part)) => Ok(Some(open_destination(&app.keys, organization, part)?.target(app, organization).await?)),
        Ok(None) => Ok(None),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
