//! What the events of a run say, by their kind.

use super::{Counts, EventKind, Progress, RunError, RunStage, RunState, TypeCounts, WaitReason};
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Something that happened to a run.
#[derive(Clone, Debug)]
pub enum RunEvent {
    State(Box<StateData>),
    Progress(Box<ProgressData>),
    Log(LogData),
}

impl RunEvent {
    pub fn kind(&self) -> EventKind {
        match self {
            Self::State(_) => EventKind::State,
            Self::Progress(_) => EventKind::Progress,
            Self::Log(_) => EventKind::Log,
        }
    }

    /// As it is stored and shown.
    pub fn data(&self) -> Result<Value> {
        let data = match self {
            Self::State(data) => serde_json::to_value(data),
            Self::Progress(data) => serde_json::to_value(data),
            Self::Log(data) => serde_json::to_value(data),
        };
        data.map_err(Error::internal)
    }
}

/// The state that a run came to, with what belongs to this state.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunStateData)]
pub struct StateData {
    /// The state that the run came to.
    pub state: RunState,
    /// Of `running`: how many times a worker has begun or resumed the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempt: Option<i32>,
    /// Of `queued`: somebody approved the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub approved: Option<bool>,
    /// Of `queued`: what a run waits for that had begun; null: only for a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<WaitReason>)]
    pub wait_reason: Option<Option<WaitReason>>,
    /// Of `queued`: when a worker takes up a run that had begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub run_after: Option<DateTime<Utc>>,
    /// Of `awaitingApproval`: what the run found, and asks about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    pub brake: Option<Value>,
    /// Of a run that has ended: why it failed or was cancelled; null: it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunError>)]
    pub error: Option<Option<RunError>>,
}

impl StateData {
    /// Only the state.
    pub fn new(state: RunState) -> Self {
        Self { state, attempt: None, approved: None, wait_reason: None, run_after: None, brake: None, error: None }
    }
}

impl From<StateData> for RunEvent {
    fn from(data: StateData) -> Self {
        Self::State(Box::new(data))
    }
}

/// How far a run is.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[schema(as = RunProgressData)]
pub struct ProgressData {
    pub progress: Progress,
    /// Numbers of objects so far, by type.
    #[schema(value_type = BTreeMap<String, TypeCounts>)]
    pub counts: Counts,
}

/// A message for people.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[schema(as = RunLogData)]
pub struct LogData {
    /// What happened, in one or two sentences.
    pub message: String,
    /// What the run was busy with; null: it had not begun.
    #[schema(required = true)]
    pub stage: Option<RunStage>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_has_only_what_belongs_to_it() {
        let event = RunEvent::from(StateData { approved: Some(true), ..StateData::new(RunState::Queued) });
        assert_eq!(event.data().unwrap(), json!({"state": "queued", "approved": true}));
        let ended = StateData { error: Some(None), ..StateData::new(RunState::Succeeded) };
        assert_eq!(RunEvent::from(ended).data().unwrap(), json!({"state": "succeeded", "error": null}));
    }
}
