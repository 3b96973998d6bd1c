//! A check as lists show it: what was found, without evidence and remedies, which are long.

use super::body::CheckResponse;
use crate::connection_check::Overall;
use crate::ids::{CheckId, ConnectionId};
use crate::permission::Capability;
use crate::permission::report::{Severity, Verdict};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of a check in short. `GET /v1/connections/{id}/checks/{checkId}` has its evidence and remedies.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct CheckSummary {
    /// The id of the check.
    pub id: CheckId,
    /// The connection that was checked.
    #[schema(required = true)]
    pub connection_id: Option<ConnectionId>,
    /// When it was checked.
    pub checked_at: DateTime<Utc>,
    /// The age of the result in seconds.
    pub age_seconds: i64,
    /// The result is older than a day, or the connection has another tenant, application or credential since: check
    /// again.
    pub stale: bool,
    pub overall: Overall,
    /// The result in one or two sentences.
    pub summary: String,
    /// The time limit was reached before everything was checked.
    pub partial: bool,
    /// Findings about the connection as a whole.
    pub findings: Vec<FindingSummary>,
    /// One verdict for each capability that was checked.
    pub capabilities: Vec<VerdictSummary>,
}

/// A finding without its texts.
#[derive(Serialize, ToSchema, Debug)]
pub struct FindingSummary {
    /// Stable: `client_secret_invalid`.
    #[schema(example = "client_secret_invalid")]
    pub code: String,
    pub severity: Severity,
}

/// The verdict on a capability, without its reasons.
#[derive(Serialize, ToSchema, Debug)]
pub struct VerdictSummary {
    pub capability: Capability,
    pub verdict: Verdict,
}

impl From<CheckResponse> for CheckSummary {
    fn from(check: CheckResponse) -> Self {
        let findings = check.findings.into_iter();
        let verdicts = check.capabilities.into_iter();
        Self {
            id: check.id,
            connection_id: check.connection_id,
            checked_at: check.checked_at,
            age_seconds: check.age_seconds,
            stale: check.stale,
            overall: check.overall,
            summary: check.summary,
            partial: check.partial,
            findings: findings.map(|of| FindingSummary { code: of.code.to_string(), severity: of.severity }).collect(),
            capabilities: verdicts
                .map(|of| VerdictSummary { capability: of.capability, verdict: of.verdict })
                .collect(),
        }
    }
}
