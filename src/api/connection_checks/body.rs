//! The result of a check in responses.

use crate::connection_check::{self, CheckIdentity, CheckReport, Overall};
use crate::db::connection_checks::ConnectionCheckRow;
use crate::error::{Error, Result};
use crate::ids::{CheckId, ConnectionId};
use crate::permission::report::{CapabilityVerdict, Finding, Remedy};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// A result older than this is stale: permissions and secrets change.
const STALE_AFTER: TimeDelta = TimeDelta::hours(24);

/// The result of a check.
#[derive(Serialize, ToSchema, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub struct CheckResponse {
    pub id: CheckId,
    /// Null for settings that are not stored.
    #[schema(required = true)]
    pub connection_id: Option<ConnectionId>,
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
    pub identity: CheckIdentity,
    /// Findings about the connection as a whole.
    pub findings: Vec<Finding>,
    /// One verdict for each requested capability, in the order of the request.
    pub capabilities: Vec<CapabilityVerdict>,
    /// How to grant everything that is missing at once. The remedies of a capability grant only that capability.
    pub remedies: Vec<Remedy>,
}

impl CheckResponse {
    pub(super) fn new(id: CheckId, connection: Option<ConnectionId>, report: CheckReport, now: DateTime<Utc>) -> Self {
        let age = now - report.checked_at;
        Self {
            id,
            connection_id: connection,
            checked_at: report.checked_at,
            age_seconds: age.num_seconds().max(0),
            stale: age > STALE_AFTER,
            overall: report.overall,
            summary: connection_check::summary(&report),
            partial: report.partial,
            identity: report.identity,
            findings: report.findings,
            capabilities: report.capabilities,
            remedies: report.remedies,
        }
    }

    /// `credential_version`: the connection's current one.
    pub(in crate::api) fn from_row(
        row: ConnectionCheckRow,
        credential_version: i64,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let is_of_another = !row.is_of(credential_version);
        let report = serde_json::from_value(row.report).map_err(Error::internal)?;
        let check = Self::new(CheckId(row.id), Some(ConnectionId(row.connection_id)), report, now);
        Ok(Self { stale: check.stale || is_of_another, ..check })
    }
}
