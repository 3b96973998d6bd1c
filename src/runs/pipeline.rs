//! One run, stage by stage. After each stage a checkpoint is written, from which any process goes on.

use super::collect::{self, Collected};
use super::context::{JobContext, Settings};
use super::deliver::{self, Delivered};
use super::diff::{self, Diffed};
use super::journal::{Journal, Told};
use super::settle;
use super::stop::Stop;
use crate::app::App;
use crate::db::mirror::read::Source;
use crate::db::runs::{Lease, RunRow};
use crate::error::{Error, Result};
use crate::run_state::{Deliver, RunMode, RunRequest, RunStage, RunState};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// How long a run waits for approval.
const APPROVAL_LIFE: TimeDelta = TimeDelta::days(7);

/// A claimed run with all it needs.
pub struct Run {
    pub app: App,
    pub lease: Lease,
    pub mode: RunMode,
    pub request: RunRequest,
    pub job: JobContext,
    pub approved: bool,
    pub journal: Journal,
    /// Ends every wait and request of this run.
    pub cancel: CancellationToken,
}

/// How far a run came. What is `None` is still to do.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Checkpoint {
    pub collected: Option<Collected>,
    pub diffed: Option<Diffed>,
    pub delivered: Option<Delivered>,
    /// Counts and warnings up to here. A stage that begins anew tells its own again.
    pub told: Option<Told>,
    /// What was told when everything had been read.
    pub told_of_read: Option<Told>,
}

impl Checkpoint {
    /// Whether it was made with other settings than those of now.
    pub fn is_outdated(&self, settings: &Settings) -> bool {
        !self.reads(settings) || self.diffed.as_ref().is_some_and(|diffed| diffed.settings != *settings)
    }

    /// Whether what was read is what these settings select.
    fn reads(&self, settings: &Settings) -> bool {
        self.collected.as_ref().is_none_or(|collected| collected.selection == settings.selection)
    }

    /// Forgets what does not hold with these settings: the comparison, and what was read if it was something else.
    pub fn begin_again(&mut self, settings: &Settings) {
        if !self.reads(settings) {
            *self = Self { told: Some(Told::default()), ..Self::default() };
            return;
        }
        (self.diffed, self.delivered) = (None, None);
        self.told = self.told_of_read.take();
    }
}

impl Run {
    pub fn checkpoint(row: &RunRow) -> Result<Checkpoint> {
        serde_json::from_value(row.checkpoint.clone()).map_err(Error::internal)
    }

    /// Whether everything in scope is sent, or only what changed.
    pub fn delivery(&self) -> Deliver {
        self.request.deliver.unwrap_or(self.job.deliver)
    }

    /// A test and a dry run compare what they read themselves; the others make it the mirror first.
    pub fn source(&self) -> Source {
        match self.mode {
            RunMode::Test | RunMode::DryRun => Source::Staged(self.lease.run),
            RunMode::Full | RunMode::Incremental => Source::Mirror(self.job.id),
        }
    }

    async fn save(&self, checkpoint: &mut Checkpoint) -> Result<()> {
        checkpoint.told = Some(self.journal.told());
        let value = serde_json::to_value(checkpoint).map_err(Error::internal)?;
        self.journal.checkpoint(&self.app, &self.lease, &value).await
    }

    pub async fn log(&self, message: &str) -> Result<()> {
        self.journal.log(&self.app, &self.lease, message).await
    }
}

/// Leads a run from its checkpoint to its end. `Ok`: its terminal record is written.
pub async fn execute(run: &Run, mut checkpoint: Checkpoint) -> Result<RunState, Stop> {
    let collected = match checkpoint.collected.take() {
        Some(collected) => collected,
        None => {
            run.journal.enter(&run.app, RunStage::Collect, None);
            Box::pin(collect::collect(run)).await?
        }
    };
    let diffed = match checkpoint.diffed.take() {
        Some(diffed) => diffed,
        None => {
            let told = Some(run.journal.told());
            checkpoint = Checkpoint { collected: Some(collected.clone()), told_of_read: told, ..Checkpoint::default() };
            run.save(&mut checkpoint).await?;
            diff::diff(run, &collected).await?
        }
    };
    checkpoint.collected = Some(collected);
    checkpoint.diffed = Some(diffed);
    run.save(&mut checkpoint).await?;
    let (Some(collected), Some(diffed)) = (&checkpoint.collected, &checkpoint.diffed) else {
        return Err(Error::internal("the checkpoint lost its stages").into());
    };

    if run.mode == RunMode::DryRun || run.job.destination.is_none() {
        return Ok(settle::without_delivery(run).await?);
    }
    if diffed.brake.is_some() && run.approved && run.job.settings() != diffed.settings {
        let detail = "The job or its destination changed after the run stopped at the brake.";
        return Err(Stop::failed(RunStage::Diff, "approval_outdated", detail, "Start a new run."));
    }
    if let Some(brake) = &diffed.brake
        && !run.approved
    {
        let expires_at = run.app.clock.now() + APPROVAL_LIFE;
        let detail = serde_json::to_value(brake).map_err(Error::internal)?;
        return Err(Stop::AwaitApproval { detail, expires_at });
    }
    let delivered = match checkpoint.delivered.take() {
        Some(delivered) => delivered,
        None => deliver::deliver(run, collected, diffed).await?,
    };
    // The last word of this stage, before the next one begins.
    run.journal.flush(&run.app, &run.lease).await?;
    let state = settle::settle(run, collected, diffed, &delivered).await?;
    Ok(state)
}
