//! Runs in requests and responses.

use super::actor::Actor;
use crate::api::respond::{NamedResource, Versioned, shortened};
use crate::codes::WarningCode;
use crate::db::runs::RunRow;
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{JobId, RunId};
use crate::job::Deliver;
use crate::run_state::{Counts, Progress, RunError, RunMode, RunStage, RunState, RunWarning, TypeCounts};
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a run should do.
#[derive(Deserialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"mode": "full"}))]
pub struct CreateRun {
    pub mode: RunMode,
    /// How many users a `test` reads; 100 by default. Only with the mode `test`.
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: Option<u32>,
    /// What this run sends; by default what the job says. Without effect with the mode `dryRun`, which sends nothing.
    pub deliver: Option<Deliver>,
    /// Discard the mirror, because the connection reaches another tenant than before. Only with the modes `full` and
    /// `incremental`.
    pub reset_mirror: Option<bool>,
}

/// One execution of a job.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "01900000-0000-7000-8000-000000000001", "jobId": "01900000-0000-7000-8000-000000000002",
    "mode": "full", "limit": null, "deliver": null, "resetMirror": false, "requestedBy": "schedule",
    "triggeredBy": {"kind": "schedule", "id": null, "name": null}, "approvedBy": null, "approvedAt": null,
    "state": "running", "stage": "collect", "waitReason": null, "attempt": 1, "cancelRequested": false,
    "progress": {
        "stage": "collect", "done": 1200, "total": 2000, "objectsPerSecond": 5400.0, "etaSeconds": 3,
        "resourceUnits": 310, "resourceUnitsLeft": 7690, "throttledMs": 0,
    },
    "counts": {"users": {
        "read": 1200, "sent": 0, "created": 0, "updated": 0, "unchanged": 0, "missing": 0, "removed": 0, "ignored": 0,
    }},
    "error": null, "warnings": [], "warningCount": 0, "approvalExpiresAt": null, "queuedAt": "2027-01-01T05:00:00Z",
    "startedAt": "2027-01-01T05:00:01Z", "finishedAt": null, "version": 3,
    "createdAt": "2027-01-01T05:00:00Z", "updatedAt": "2027-01-01T05:00:02Z",
}))]
pub struct RunResponse {
    pub id: RunId,
    pub job_id: JobId,
    /// The job, with `expand=job`. Absent if the job was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job: Option<NamedResource>,
    pub mode: RunMode,
    #[schema(required = true)]
    pub limit: Option<u32>,
    #[schema(required = true)]
    pub deliver: Option<Deliver>,
    /// Whether the run forgot its mirror first, as its request said.
    pub reset_mirror: bool,
    /// `schedule`, or the caller that requested it.
    pub requested_by: String,
    /// Who requested it, by name.
    pub triggered_by: Actor,
    /// Who approved it after it waited for approval; null otherwise.
    #[schema(required = true)]
    pub approved_by: Option<Actor>,
    /// When it was approved; null otherwise.
    #[schema(required = true)]
    pub approved_at: Option<DateTime<Utc>>,
    pub state: RunState,
    /// The current stage, or the last one of a run that has ended; null before the first.
    #[schema(required = true)]
    pub stage: Option<RunStage>,
    /// Why a queued run waits: `forgeToken`, …
    #[schema(required = true)]
    pub wait_reason: Option<String>,
    /// How many times a process started or resumed it.
    pub attempt: i32,
    /// Whether somebody asked to cancel it. It ends soon after.
    pub cancel_requested: bool,
    #[schema(required = true)]
    pub progress: Option<Progress>,
    /// By object type (`users`, `groups`, `licenses` and so on), and `memberships`.
    #[schema(value_type = BTreeMap<String, TypeCounts>)]
    pub counts: Counts,
    /// Why the run failed, or who cancelled it and when; null otherwise. Of a run of more than 2,000
    /// bytes, a list has it in short and without remedies.
    #[schema(required = true)]
    pub error: Option<RunError>,
    /// What went wrong without ending the run. Of a run of more than 2,000 bytes, a list has the first three in short and
    /// without advice.
    pub warnings: Vec<RunWarning>,
    /// How many warnings the run has.
    pub warning_count: usize,
    /// When the approval expires; null unless the run awaits approval.
    #[schema(required = true)]
    pub approval_expires_at: Option<DateTime<Utc>>,
    pub queued_at: DateTime<Utc>,
    #[schema(required = true)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub finished_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for RunResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl RunResponse {
    pub(in crate::api) fn from_row(row: RunRow) -> Result<Self> {
        let (state, request) = (row.state, row.run_request()?);
        let mut counts: Counts = read(row.counts)?;
        let counted = ObjectType::ALL.into_iter().filter(|object_type| object_type.spec().is_default);
        for name in counted.map(ObjectType::as_str).chain(["memberships"]) {
            counts.entry(name.to_owned()).or_default();
        }
        let warnings = warnings(row.warnings, state, row.approved_at)?;
        Ok(Self {
            id: RunId(row.id),
            job_id: JobId(row.job_id),
            job: None,
            mode: row.mode,
            limit: request.limit,
            deliver: request.deliver,
            reset_mirror: request.reset_mirror,
            triggered_by: Actor::unnamed(&row.requested_by),
            requested_by: row.requested_by.to_string(),
            approved_by: None,
            approved_at: row.approved_at,
            state,
            stage: row.stage,
            wait_reason: row.wait_reason.map(|reason| reason.to_string()),
            attempt: row.attempt,
            cancel_requested: row.cancel_requested_at.is_some(),
            progress: row.progress.map(read).transpose()?,
            counts,
            // While the run lives, the column holds who requested the cancellation, which is no error.
            error: row.error.filter(|_| state.is_terminal()).map(read).transpose()?,
            warning_count: warnings.len(),
            warnings,
            approval_expires_at: row.approval_expires_at,
            queued_at: row.queued_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            version: row.version,
            created_at: row.queued_at,
            updated_at: row.updated_at,
        })
    }

    /// The run as lists show it: whole if it is small, and otherwise without what is long.
    pub(super) fn listed(row: RunRow) -> Result<Self> {
        let mut run = Self::from_row(row)?;
        let size = |run: &Self| serde_json::to_string(run).map_or(0, |text| text.len());
        if size(&run) <= LISTED_BYTES {
            return Ok(run);
        }
        run.warnings.truncate(LISTED_WARNINGS);
        for warning in &mut run.warnings {
            warning.advice = None;
            warning.detail = shortened(&warning.detail);
        }
        if let Some(error) = &mut run.error {
            error.remedies.clear();
            error.detail = shortened(&error.detail);
            error.advice = error.advice.as_deref().map(shortened);
        }
        Ok(run)
    }
}

/// The size from which a list shortens a run; and how many of its warnings it then shows.
const LISTED_BYTES: usize = 2000;
const LISTED_WARNINGS: usize = 3;
/// The warnings of a run. What to do about those that ask for approval depends on what has been done since.
fn warnings(stored: Value, state: RunState, approved_at: Option<DateTime<Utc>>) -> Result<Vec<RunWarning>> {
    let mut warnings: Vec<RunWarning> = read(stored)?;
    let advice = match (state, approved_at) {
        (RunState::AwaitingApproval, _) => return Ok(warnings),
        (_, Some(at)) => {
            format!("The run was approved at {}.", at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
        }
        (RunState::Cancelled | RunState::Failed, None) => {
            "The run ended without an approval and delivered nothing.".to_owned()
        }
        // A dry run delivers nothing, and a job without a destination neither.
        (_, None) => "A run that delivers stops here until somebody approves it.".to_owned(),
    };
    let asks = |warning: &RunWarning| {
        warning.code == WarningCode::RemovalBrake || warning.code == WarningCode::AdoptionNeedsApproval
    };
    for warning in warnings.iter_mut().filter(|warning| asks(warning)) {
        warning.advice = Some(advice.clone());
    }
    Ok(warnings)
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(Error::internal)
}
