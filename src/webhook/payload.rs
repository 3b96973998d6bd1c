//! What a delivery is about: one thing, which its body has under a name of its own and in `data`.

use super::DeliveryEvent;
use crate::change::{DirectoryEvent, ValueChange};
use crate::destination::MissingObjects;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, DestinationId, JobId, RunId};
use crate::run_state::{RunError, RunMode, RunStage, RunState, RunWarning, TypeCounts};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A run that has begun, ended, or waits for approval.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AnnouncedRun {
    pub id: RunId,
    pub job_id: JobId,
    /// The name of the job; null: it was deleted.
    #[schema(required = true)]
    pub job_name: Option<String>,
    pub mode: RunMode,
    pub state: RunState,
    /// What the run was busy with last; null: it did not begin.
    #[schema(required = true)]
    pub stage: Option<RunStage>,
    // As they are stored: another version may have written them.
    #[schema(value_type = BTreeMap<String, TypeCounts>)]
    pub counts: Value,
    #[schema(value_type = Vec<RunWarning>)]
    pub warnings: Value,
    /// Why the run failed or was cancelled; null: it was not.
    #[schema(required = true, value_type = Option<RunError>)]
    pub error: Option<Value>,
    pub queued_at: DateTime<Utc>,
    #[schema(required = true)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// A connection whose check failed.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FailedConnection {
    pub id: ConnectionId,
    pub name: String,
    pub summary: String,
}

/// A connection whose credential expires.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ExpiringConnection {
    pub id: ConnectionId,
    pub name: String,
    /// When the credential expires.
    pub credential_expires_at: DateTime<Utc>,
    /// The threshold that was passed: 30, 7 or 1 days before.
    #[schema(example = 30)]
    pub days: i32,
}

/// A job whose schedule was paused.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct PausedJob {
    pub id: JobId,
    pub name: String,
    /// `manual`, or why the service paused it.
    pub paused_reason: String,
}

/// A destination that treats missing objects otherwise than it said.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ObservedDestination {
    pub id: DestinationId,
    pub name: String,
    /// What it does with them, as a run observed.
    pub missing_objects: MissingObjects,
}

/// How many objects a delivery names at most.
pub const MAX_OBJECTS: usize = 100;

/// What a run found in the directory: one event, and the objects that it happened to.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryChanges {
    pub run_id: RunId,
    pub job_id: JobId,
    /// The name of the job; null: it was deleted.
    #[schema(required = true)]
    pub job_name: Option<String>,
    /// How many objects it happened to.
    pub count: u64,
    /// The first of them.
    #[schema(max_items = 100)]
    pub objects: Vec<ChangedObject>,
    /// The path of the changes of the run, and of those after it: `GET /v1/jobs/{id}/changes`.
    #[schema(example = "/v1/jobs/01900000-0000-7000-8000-000000000001/changes?after=AZAAAAAAcACAAAAAAAAAAQ")]
    pub feed: String,
}

/// An object of the directory that something happened to.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ChangedObject {
    pub object_id: Uuid,
    /// The name of the object; null: it has none.
    #[schema(required = true)]
    pub label: Option<String>,
    /// The values that make the event; empty where the object is new or gone.
    pub changes: Vec<ValueChange>,
}

/// The thing that a delivery is about.
#[derive(Clone, Debug)]
pub enum Subject {
    Nothing,
    Run(Box<AnnouncedRun>),
    FailedConnection(FailedConnection),
    ExpiringConnection(ExpiringConnection),
    PausedJob(PausedJob),
    ObservedDestination(ObservedDestination),
    Changes(DirectoryEvent, DirectoryChanges),
}

impl Subject {
    /// The job that it is about. Webhooks that have chosen jobs are told of theirs only, and of what is about no job.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Run(run) => Some(run.job_id),
            Self::PausedJob(job) => Some(job.id),
            Self::Changes(_, changes) => Some(changes.job_id),
            Self::Nothing | Self::FailedConnection(_) | Self::ExpiringConnection(_) | Self::ObservedDestination(_) => {
                None
            }
        }
    }

    /// The thing as it is in the body; `None`: there is none.
    pub fn value(&self) -> Result<Option<Value>> {
        let value = match self {
            Self::Nothing => return Ok(None),
            Self::Run(run) => serde_json::to_value(run),
            Self::FailedConnection(connection) => serde_json::to_value(connection),
            Self::ExpiringConnection(connection) => serde_json::to_value(connection),
            Self::PausedJob(job) => serde_json::to_value(job),
            Self::ObservedDestination(destination) => serde_json::to_value(destination),
            Self::Changes(_, changes) => serde_json::to_value(changes),
        };
        value.map(Some).map_err(Error::internal)
    }
}

impl DeliveryEvent {
    /// The name of the field with the thing that the event is about, and the name of its schema.
    pub fn subject(self) -> Option<(&'static str, String)> {
        fn named<T: ToSchema>(field: &'static str) -> Option<(&'static str, String)> {
            Some((field, T::name().into_owned()))
        }
        match self {
            Self::Succeeded
            | Self::Degraded
            | Self::Failed
            | Self::Cancelled
            | Self::AwaitingApproval
            | Self::Started => named::<AnnouncedRun>("run"),
            Self::CheckFailed => named::<FailedConnection>("connection"),
            Self::CredentialExpiring => named::<ExpiringConnection>("connection"),
            Self::SchedulePaused => named::<PausedJob>("job"),
            Self::DestinationObserved => named::<ObservedDestination>("destination"),
            Self::UserJoined
            | Self::UserLeft
            | Self::UserMoved
            | Self::LicenseExhausted
            | Self::GroupCreated
            | Self::GroupDeleted => named::<DirectoryChanges>("changes"),
            Self::Test => None,
        }
    }
}
