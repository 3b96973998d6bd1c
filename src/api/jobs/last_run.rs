//! The newest run of a job, in short.

use crate::api::respond::shortened;
use crate::db::runs::LastRunRow;
use crate::error::{Error, Result};
use crate::ids::RunId;
use crate::run_state::{Counts, Progress, RunMode, RunStage, RunState};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The newest run of a job in short. `GET /v1/runs/{id}` has the whole run.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    pub id: RunId,
    pub mode: RunMode,
    pub state: RunState,
    /// The current stage, or the last one of a run that has ended; null before the first.
    #[schema(required = true)]
    pub stage: Option<RunStage>,
    /// `schedule`, or the caller that requested it.
    pub requested_by: String,
    /// How far the run is; null once it has ended.
    #[schema(required = true)]
    pub progress: Option<Progress>,
    pub totals: RunTotals,
    /// How many warnings the run has.
    pub warning_count: i32,
    /// Why it failed or was cancelled; null otherwise.
    #[schema(required = true)]
    pub error: Option<ErrorSummary>,
    /// When it was requested.
    pub queued_at: DateTime<Utc>,
    /// When a worker began with it; null before.
    #[schema(required = true)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; null before.
    #[schema(required = true)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// What happened to the objects of all types together.
#[derive(Serialize, ToSchema, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RunTotals {
    /// Objects that were read and are in scope.
    pub read: u64,
    /// Objects that were created.
    pub created: u64,
    /// Objects that were updated.
    pub updated: u64,
    /// Objects that are missing or out of scope.
    pub missing: u64,
    /// Objects that were removed from Assets.
    pub removed: u64,
}

/// An error in short.
#[derive(Serialize, ToSchema, Debug)]
pub struct ErrorSummary {
    /// Stable: `graph_forbidden`, …
    #[schema(example = "graph_forbidden")]
    pub code: String,
    /// What happened, in short.
    pub detail: String,
}

/// Memberships are counted with the run, and are no objects.
const MEMBERSHIPS: &str = "memberships";

impl LastRun {
    pub(in crate::api) fn from_row(row: LastRunRow) -> Result<Self> {
        let counts: Counts = serde_json::from_value(row.counts).map_err(Error::internal)?;
        let mut totals = RunTotals::default();
        for (_, of) in counts.iter().filter(|(name, _)| *name != MEMBERSHIPS) {
            totals.read += of.read;
            totals.created += of.created;
            totals.updated += of.updated;
            totals.missing += of.missing;
            totals.removed += of.removed;
        }
        let has_ended = row.state.is_terminal();
        let progress = row.progress.filter(|_| !has_ended).map(serde_json::from_value::<Progress>);
        // While the run lives, the column holds who requested the cancellation, which is no error.
        let error = row.error_code.zip(row.error_detail).filter(|_| has_ended);
        Ok(Self {
            id: RunId(row.id),
            mode: row.mode,
            state: row.state,
            stage: row.stage,
            requested_by: row.requested_by.to_string(),
            progress: progress.transpose().map_err(Error::internal)?,
            totals,
            warning_count: row.warnings,
            error: error.map(|(code, detail)| ErrorSummary { code, detail: shortened(&detail) }),
            queued_at: row.queued_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}
