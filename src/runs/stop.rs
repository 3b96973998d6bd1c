//! Why a run stops: it failed, was cancelled, lost its lease, was released, waits, or awaits approval.

use crate::assets::{AssetsError, AssetsErrorKind};
use crate::codes::{RecordedCode, RunErrorCode};
use crate::connection_check;
use crate::error::{Code, Error};
use crate::graph::{GraphError, GraphErrorKind};
use crate::permission::report::Remedy;
use crate::run_state::{RunError, RunStage, WaitReason};
use chrono::{DateTime, Utc};
use serde_json::Value;

#[derive(Debug)]
pub enum Stop {
    /// It ends here, and the record says why.
    Failed(Box<RunError>),
    /// A user cancelled it, and whatever was open has been closed.
    Cancelled,
    /// Another process has the run now: nothing more may be written.
    LeaseLost,
    /// The process is stopping, or the database is unavailable: the run returns to the queue and is due at once.
    Released,
    /// It goes on at `until`, from its checkpoint.
    Wait { until: DateTime<Utc>, reason: WaitReason },
    /// Objects would go missing, or objects of others would change: it goes on when somebody approves.
    AwaitApproval { detail: Value, expires_at: DateTime<Utc> },
}

impl Stop {
    pub fn failed(
        stage: RunStage,
        code: impl Into<RecordedCode<RunErrorCode>>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Failed(Box::new(RunError {
            stage: Some(stage),
            code: code.into(),
            detail: detail.into(),
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some(advice.into()),
            remedies: Vec::new(),
        }))
    }

    /// Whether the run fails for this reason.
    pub fn is_failure(&self, code: RunErrorCode) -> bool {
        matches!(self, Self::Failed(error) if error.code == code)
    }

    /// Why the run ends, in a sentence; `None`: it goes on.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Failed(error) => Some(format!("{}: {}", error.code, error.detail)),
            Self::Cancelled => Some("The run was cancelled.".to_owned()),
            Self::LeaseLost | Self::Released | Self::Wait { .. } | Self::AwaitApproval { .. } => None,
        }
    }

    /// The same failure, with ways to fix it.
    pub fn with_remedies(mut self, remedies: Vec<Remedy>) -> Self {
        if let Self::Failed(error) = &mut self {
            error.remedies = remedies;
        }
        self
    }

    /// The same failure, with what it means for the run said first.
    pub fn because(mut self, meaning: &str) -> Self {
        if let Self::Failed(error) = &mut self {
            error.detail = format!("{meaning} {}", error.detail);
        }
        self
    }

    /// A failure of Graph or of the sign-in.
    pub fn graph(error: &GraphError) -> Self {
        if error.is_cancelled() {
            return Self::Cancelled;
        }
        let sign_in = match &error.kind {
            GraphErrorKind::SignIn(error) => Some(error),
            _ => None,
        };
        Self::Failed(Box::new(RunError {
            stage: Some(RunStage::Collect),
            code: error.run_error_code().into(),
            detail: error.to_string(),
            graph_code: sign_in.and_then(|e| e.aadsts).map(|n| format!("AADSTS{n}")).or_else(|| error.code.clone()),
            assets_code: None,
            request_id: sign_in.and_then(|e| e.trace_id.clone()).or_else(|| error.request_id.clone()),
            advice: Some(sign_in.map_or_else(|| error.advice().to_owned(), |error| error.advice())),
            remedies: sign_in.map(|error| connection_check::sign_in_remedies(error)).unwrap_or_default(),
        }))
    }

    /// A failure of Assets.
    pub fn assets(stage: RunStage, error: &AssetsError) -> Self {
        if error.kind == AssetsErrorKind::Cancelled {
            return Self::Cancelled;
        }
        Self::Failed(Box::new(RunError {
            stage: Some(stage),
            code: RunErrorCode::from(error.code()).into(),
            detail: error.to_string(),
            graph_code: None,
            assets_code: error.answer_code.clone().or_else(|| error.status.map(|status| status.to_string())),
            request_id: error.request_id.clone(),
            advice: Some(error.advice().to_owned()),
            remedies: Vec::new(),
        }))
    }
}

impl From<GraphError> for Stop {
    fn from(error: GraphError) -> Self {
        Self::graph(&error)
    }
}

/// Errors of our own: of the database, of sealed secrets, or defects.
impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error.code {
            Code::LeaseLost => return Self::LeaseLost,
            // Nothing is wrong with the run: it resumes from its checkpoint when the database is back.
            Code::DatabaseUnavailable => return Self::Released,
            _ => {}
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(code = %error.code, cause, "a stage failed: {}", error.detail);
        let code = RunErrorCode::from(error.code);
        Self::Failed(Box::new(RunError {
            stage: None,
            code: code.into(),
            detail: error.detail,
            graph_code: None,
            assets_code: None,
            request_id: None,
            advice: Some(code.advice().to_owned()),
            remedies: Vec::new(),
        }))
    }
}
