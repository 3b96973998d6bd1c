//! What a run reports while it is executed: counts, warnings and progress, stored at most once a second.

use super::transaction::transaction;
use crate::app::App;
use crate::clock::Instant;
use crate::codes::WarningCode;
use crate::db::runs::{self, Lease, Note};
use crate::error::Result;
use crate::graph::Usage;
use crate::ids::JobId;
use crate::run_state::event::{LogData, ProgressData, RunEvent};
use crate::run_state::{Counts, Progress, RunStage, RunWarning, TypeCounts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Warnings of one code beyond this many are only counted: in one more, of which the count says how many they are.
const MAX_SAME_WARNINGS: usize = 20;
const MORE_WARNINGS: &str = "There are more warnings of this kind; `count` says how many.";

/// Cheap to clone; all clones write into the same run.
#[derive(Clone)]
pub struct RunProgress(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// One write at a time, so that an older one does not come after a newer one.
    writing: tokio::sync::Mutex<()>,
}

struct State {
    /// Names the run's job in metrics.
    job: String,
    stage: RunStage,
    stage_started: Instant,
    /// What the stage does, by kind: each goes on at its own pace.
    work: [Amount; 2],
    usage: Usage,
    /// Units and waiting of earlier attempts of this run.
    earlier: (u64, u64),
    counts: Counts,
    warnings: Vec<RunWarning>,
    degraded: bool,
    /// Rises with every change.
    revision: u64,
    /// The revision that is certainly stored.
    written: u64,
}

/// What there is to do. A page of objects takes one request, as the members of one group do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    Objects,
    /// The members of groups.
    Groups,
}

/// So much of one kind of work.
#[derive(Clone, Copy, Default)]
struct Amount {
    done: u64,
    /// How much of it an earlier attempt had done, which counts as progress but not as speed.
    done_before: u64,
    total: Option<u64>,
}

impl Amount {
    fn per_second(self, seconds: f64) -> f64 {
        if seconds > 0.0 { self.done.saturating_sub(self.done_before) as f64 / seconds } else { 0.0 }
    }

    /// How long the rest takes at the current pace; `None` while there is none.
    fn seconds_left(self, seconds: f64) -> Option<f64> {
        let left = self.total?.saturating_sub(self.done) as f64;
        let per_second = self.per_second(seconds);
        match left > 0.0 {
            true => (per_second > 0.0).then_some(left / per_second),
            false => Some(0.0),
        }
    }
}

/// The kinds go on side by side: the stage ends with the last of them. `None`: nobody can say when.
fn seconds_left(work: &[Amount], seconds: f64) -> Option<f64> {
    let expected = work.iter().filter(|amount| amount.total.is_some());
    expected.map(|amount| amount.seconds_left(seconds)).reduce(|a, b| Some(a?.max(b?))).flatten()
}

impl State {
    fn reported(&self) -> Reported {
        Reported { counts: self.counts.clone(), warnings: self.warnings.clone(), degraded: self.degraded }
    }
}

/// What a run had reported up to a checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reported {
    pub counts: Counts,
    pub warnings: Vec<RunWarning>,
    pub degraded: bool,
}

impl RunProgress {
    /// Resumes from what an earlier attempt had reported up to its last checkpoint. What it reported later comes again.
    pub fn new(app: &App, job: JobId, reported: Reported, progress: Option<&Progress>) -> Self {
        Self::of_job(job.to_string(), app.clock.instant(), reported, progress)
    }

    fn of_job(job: String, now: Instant, reported: Reported, progress: Option<&Progress>) -> Self {
        let Reported { counts, warnings, degraded } = reported;
        let state = State {
            job,
            stage: RunStage::Collect,
            stage_started: now,
            work: Default::default(),
            usage: Usage::default(),
            earlier: progress.map_or((0, 0), |p| (p.resource_units, p.throttled_ms)),
            degraded,
            counts,
            warnings,
            revision: 1,
            written: 0,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), writing: tokio::sync::Mutex::new(()) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a stage.
    pub fn enter(&self, app: &App, stage: RunStage, total: Option<u64>) {
        let mut state = self.state();
        state.stage = stage;
        state.stage_started = app.clock.instant();
        state.work = [Amount { total, ..Amount::default() }, Amount::default()];
        state.revision += 1;
    }

    pub fn stage(&self) -> RunStage {
        self.state().stage
    }

    fn change(&self, work: Work, change: impl FnOnce(&mut Amount)) {
        let mut state = self.state();
        change(&mut state.work[work as usize]);
        state.revision += 1;
    }

    pub fn advance(&self, work: Work, done: u64) {
        self.change(work, |amount| amount.done += done);
    }

    /// Done by an earlier attempt of this run.
    pub fn was_done(&self, work: Work, done: u64) {
        self.change(work, |amount| {
            amount.done += done;
            amount.done_before += done;
        });
    }

    pub fn expect(&self, work: Work, more: u64) {
        self.change(work, |amount| amount.total = Some(amount.total.unwrap_or(0) + more));
    }

    /// So much is done again.
    pub fn take_back(&self, work: Work, done: u64) {
        self.change(work, |amount| amount.done = amount.done.saturating_sub(done));
    }

    pub fn used(&self, usage: Usage) {
        let mut state = self.state();
        // Units that the quota gives back are no reason to store progress.
        let known = |usage: Usage| (usage.requests, usage.resource_units, usage.throttled_ms);
        state.revision += u64::from(known(state.usage) != known(usage));
        state.usage = usage;
    }

    /// Changes the counts of one type: `users`, …, or `memberships`.
    pub fn count(&self, object_type: &str, change: impl FnOnce(&mut TypeCounts)) {
        let mut state = self.state();
        change(state.counts.entry(object_type.to_owned()).or_default());
        state.revision += 1;
    }

    /// What was counted so far is counted again.
    pub fn forget_counts(&self) {
        let mut state = self.state();
        state.counts.clear();
        state.revision += 1;
    }

    /// Somebody approved the run: nothing is left to do about what it asked.
    pub fn was_approved(&self) {
        let mut state = self.state();
        let asks = |warning: &RunWarning| {
            warning.code == WarningCode::RemovalBrake || warning.code == WarningCode::AdoptionNeedsApproval
        };
        for warning in state.warnings.iter_mut().filter(|warning| asks(warning)) {
            warning.advice = Some("The run was approved.".to_owned());
        }
        state.revision += 1;
    }

    /// From here on the counts say what was done, and no longer what is planned.
    pub fn forget_plans(&self) {
        let mut state = self.state();
        for count in state.counts.values_mut() {
            (count.created, count.updated, count.removed, count.marked) = (0, 0, 0, 0);
            count.not_cleared += std::mem::take(&mut count.cleared);
        }
        state.revision += 1;
    }

    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// What was reported so far, to be stored with a checkpoint.
    pub fn reported(&self) -> Reported {
        self.state().reported()
    }

    /// A warning that leaves the result as it should be. The same warning is reported once: an attempt after a crash may
    /// repeat it.
    pub fn warn(&self, warning: RunWarning) {
        let mut state = self.state();
        if state.warnings.contains(&warning) {
            return;
        }
        let same = state.warnings.iter().filter(|w| w.code == warning.code).count();
        if same < MAX_SAME_WARNINGS {
            state.warnings.push(warning);
        } else if let Some(others) =
            state.warnings.iter_mut().find(|w| w.code == warning.code && w.detail == MORE_WARNINGS)
        {
            others.count = Some(others.count.unwrap_or(0) + 1);
        } else {
            state.warnings.push(RunWarning {
                detail: MORE_WARNINGS.to_owned(),
                count: Some(1),
                advice: None,
                ..warning
            });
        }
        state.revision += 1;
    }

    /// A warning that needs an administrator: the run ends `degraded`.
    pub fn degrade(&self, warning: RunWarning) {
        self.state().degraded = true;
        self.warn(warning);
    }

    pub fn is_degraded(&self) -> bool {
        self.state().degraded
    }

    fn progress(&self, app: &App) -> Progress {
        let state = self.state();
        let seconds = app.clock.elapsed_since(state.stage_started).as_secs_f64();
        let per_second: f64 = state.work.iter().map(|amount| amount.per_second(seconds)).sum();
        let expected = state.work.iter().filter_map(|amount| amount.total);
        Progress {
            stage: state.stage,
            done: state.work.iter().map(|amount| amount.done).sum(),
            total: expected.reduce(|all, more| all + more),
            objects_per_second: (per_second * 10.0).round() / 10.0,
            eta_seconds: seconds_left(&state.work, seconds).map(|left| left.ceil() as u64),
            resource_units: state.earlier.0 + state.usage.resource_units,
            resource_units_left: (state.usage.requests > 0).then_some(state.usage.units_left),
            throttled_ms: state.earlier.1 + state.usage.throttled_ms,
        }
    }

    /// Stores what changed since the last time, with an event for the event stream.
    pub async fn flush(&self, app: &App, lease: &Lease) -> Result<()> {
        self.write(app, lease, None).await
    }

    /// Stores everything together with a checkpoint.
    pub async fn checkpoint(&self, app: &App, lease: &Lease, checkpoint: &Value) -> Result<()> {
        self.write(app, lease, Some(checkpoint)).await
    }

    async fn write(&self, app: &App, lease: &Lease, checkpoint: Option<&Value>) -> Result<()> {
        let _alone = self.0.writing.lock().await;
        let progress = self.progress(app);
        let (reported, stage, revision) = {
            let state = self.state();
            if checkpoint.is_none() && state.written == state.revision {
                return Ok(());
            }
            measure(&state.job, &progress);
            (state.reported(), state.stage, state.revision)
        };
        let data = ProgressData { progress: progress.clone(), counts: reported.counts.clone() };
        let event = RunEvent::Progress(Box::new(data));
        let progress = serde_json::to_value(progress).map_err(crate::error::Error::internal)?;
        let (lease, now) = (*lease, app.clock.now());
        transaction(app, lease.organization, "store progress", async |tx| {
            let note = Note {
                stage: Some(stage),
                checkpoint,
                progress: Some(&progress),
                counts: Some(&reported.counts),
                warnings: Some(&reported.warnings),
                degraded: Some(reported.degraded),
            };
            runs::note(tx, &lease, &note, now).await?;
            runs::add_event(tx, lease.organization, lease.run, &event, now).await
        })
        .await?;
        // Only now: a write that was cancelled did not happen.
        self.state().written = revision;
        Ok(())
    }

    /// Adds a line to the log and to the event stream.
    pub async fn log(&self, app: &App, lease: &Lease, message: &str) -> Result<()> {
        let (lease, now) = (*lease, app.clock.now());
        tracing::info!(run.id = %lease.run, organization.id = %lease.organization, "{message}");
        let event = RunEvent::Log(LogData { message: message.to_owned(), stage: Some(self.stage()) });
        transaction(app, lease.organization, "log", async |tx| {
            runs::fence(tx, &lease).await?;
            runs::add_event(tx, lease.organization, lease.run, &event, now).await
        })
        .await
    }
}

/// The progress as metrics, by job, because a job has one live run. Gauges that are no longer updated expire.
fn measure(job: &str, progress: &Progress) {
    let job = job.to_owned();
    let of_stage = [("job_id", job.clone()), ("stage", progress.stage.to_string())];
    metrics::gauge!("entra_assets_run_objects_done", &of_stage).set(progress.done as f64);
    if let Some(total) = progress.total {
        metrics::gauge!("entra_assets_run_objects_expected", &of_stage).set(total as f64);
    }
    metrics::gauge!("entra_assets_run_objects_per_second", &of_stage).set(progress.objects_per_second);
    if let Some(seconds) = progress.eta_seconds {
        metrics::gauge!("entra_assets_run_eta_seconds", &of_stage).set(seconds as f64);
    }
    let of_job = [("job_id", job)];
    metrics::gauge!("entra_assets_run_resource_units", &of_job).set(progress.resource_units as f64);
    if let Some(left) = progress.resource_units_left {
        metrics::gauge!("entra_assets_run_resource_units_left", &of_job).set(left as f64);
    }
    metrics::gauge!("entra_assets_run_throttled_seconds", &of_job).set(progress.throttled_ms as f64 / 1000.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(done: u64, done_before: u64, total: Option<u64>) -> Amount {
        Amount { done, done_before, total }
    }

    /// A list of 150,000 objects is soon read, the members of 50,000 groups take a request each.
    #[test]
    fn the_slowest_work_says_when_a_stage_ends() {
        let lists = amount(150_000, 0, Some(150_000));
        assert_eq!(seconds_left(&[lists, amount(5_000, 0, Some(50_000))], 10.0), Some(90.0));
        assert_eq!(seconds_left(&[lists, amount(50_000, 0, Some(50_000))], 100.0), Some(0.0));
        // What an earlier attempt did does not count as pace.
        assert_eq!(seconds_left(&[lists, amount(5_000, 4_000, Some(50_000))], 10.0), Some(450.0));
        assert_eq!(seconds_left(&[lists, amount(4_000, 4_000, Some(50_000))], 10.0), None);
        assert_eq!(seconds_left(&[amount(5, 0, None), amount(0, 0, None)], 10.0), None);
    }

    #[test]
    fn the_count_of_a_warning_never_gets_another_meaning() {
        let clock = crate::clock::Clock::manual_sleepless(chrono::DateTime::UNIX_EPOCH);
        let progress = RunProgress::of_job("job".to_owned(), clock.instant(), Reported::default(), None);
        for number in 0..25u64 {
            let warning = RunWarning::new(crate::codes::WarningCode::GroupGone, format!("Group {number}."));
            progress.warn(warning.with_count(100 + number));
        }
        let warnings = progress.reported().warnings;
        assert_eq!(warnings.len(), MAX_SAME_WARNINGS + 1);
        assert!(
            warnings.iter().take(MAX_SAME_WARNINGS).zip(100..).all(|(warning, count)| warning.count == Some(count))
        );
        assert_eq!((warnings[20].detail.as_str(), warnings[20].count), (MORE_WARNINGS, Some(5)));
    }
}
