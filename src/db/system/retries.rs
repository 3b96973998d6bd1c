//! Runs of schedules that failed and are to be repeated.

use crate::audit::{Action, Actor};
use crate::db::runs::{NewRun, enqueue, has_busy};
use crate::db::schema::jobs;
use crate::db::{Db, audit_events};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use crate::run_state::RunMode;
use audit_events::AuditEventRow;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A job whose last run was one of its schedule and failed.
#[derive(QueryableByName, Clone, Debug)]
pub struct DueRetry {
    #[diesel(sql_type = SqlUuid)]
    pub organization_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub job_id: Uuid,
    /// The run that failed.
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    #[diesel(sql_type = Text)]
    pub mode: RunMode,
}

/// The jobs whose failed run is to be repeated now: the newest run failed, it was started by the schedule or repeats one
/// that was, and there are attempts left.
pub async fn due_retries(db: &Db, now: DateTime<Utc>) -> Result<Vec<DueRetry>> {
    // Of the newest runs, no more than the first attempt and its repetitions are of interest. The repetitions are those
    // before the run of the schedule.
    const DUE: &str = "
        SELECT j.organization_id, j.id AS job_id, r.id AS run_id, r.mode
        FROM jobs j CROSS JOIN LATERAL (
            SELECT id, mode, state, requested_by, finished_at FROM runs
            WHERE organization_id = j.organization_id AND job_id = j.id ORDER BY id DESC LIMIT 1) r
        WHERE j.schedule_enabled AND j.schedule_retry_attempts > 0 AND j.deleting_at IS NULL
            AND r.state = 'failed' AND r.requested_by IN ('schedule', 'retry')
            AND r.finished_at + j.schedule_retry_minutes * interval '1 minute' <= $1
            AND (SELECT count(*) FROM (
                SELECT requested_by, sum((requested_by <> 'retry')::int) OVER (ORDER BY id DESC) AS before FROM (
                    SELECT id, requested_by FROM runs
                    WHERE organization_id = j.organization_id AND job_id = j.id
                    ORDER BY id DESC LIMIT j.schedule_retry_attempts) newest) numbered
                WHERE before = 0) < j.schedule_retry_attempts";
    db.system(async |tx| Ok(diesel::sql_query(DUE).bind::<Timestamptz, _>(now).load(tx).await?)).await
}

/// Queues the repetition. `false`: another process was faster, the schedule was switched off, or a run is under way.
pub async fn retry(db: &Db, due: &DueRetry, new: &NewRun, now: DateTime<Utc>) -> Result<bool> {
    let (organization, job) = (OrganizationId(due.organization_id), JobId(due.job_id));
    db.scoped(organization, async |tx| {
        let is_on: Option<bool> = jobs::table
            .find((organization.0, job.0))
            .filter(jobs::deleting_at.is_null())
            .select(jobs::schedule_enabled)
            .for_update()
            .first(tx)
            .await
            .optional()?;
        let newest = crate::db::runs::newest(tx, organization, &[job.0]).await?.pop();
        let is_newest = newest.is_some_and(|newest| newest.id == due.run_id);
        if is_on != Some(true) || !is_newest || has_busy(tx, organization, job).await? {
            return Ok(false);
        }
        enqueue(tx, organization, new, now).await?;
        let event = AuditEventRow::of_service(organization, Actor::Retry, (Action::Create, "runs", new.id.0), now);
        audit_events::insert(tx, &event).await?;
        Ok(true)
    })
    .await
}
