//! The queries that work across organizations. Only these functions, and those of `db` that say so, may do that.

mod monitoring;
mod operator;
mod organizations;
mod retention;
mod workers;

pub use monitoring::{Backlog, JobHealth, backlog, job_health};
pub use operator::{
    Creation, begin_deletion, create_organization, list_organizations, organization, organization_ids,
    update_organization,
};
pub use organizations::{NewOrganization, ensure_organization, find_organization};
pub use retention::{
    clear_deleted_jobs, clear_deleted_organizations, clear_ended_runs, clear_expired, wipe_organization,
};
pub use workers::{WorkerRow, forget_worker, list_workers, see_worker};

use super::Db;
use super::audit_events::AuditEventRow;
use super::handovers::HandoverRow;
use super::runs::NewRun;
use super::schema::{api_keys, handovers, jobs, tickets};
use crate::api_key::Scope;
use crate::error::Result;
use crate::ids::{ApiKeyId, HandoverId, JobId, OrganizationId};
use crate::job::ScheduleMode;
use crate::run_state::EventKind;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The columns of an API key that authentication needs.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<Scope>,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Finds the key of a caller whose organization is not known yet.
pub async fn find_api_key(db: &Db, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    db.system(async |tx| {
        let key = api_keys::table.filter(api_keys::id.eq(id.0)).select(ApiKeyRow::as_select()).first(tx).await;
        Ok(key.optional()?)
    })
    .await
}

/// Stores when a key was used. Callers do that at most once a minute for each key.
pub async fn touch_api_key(db: &Db, organization: OrganizationId, id: ApiKeyId, at: DateTime<Utc>) -> Result<()> {
    db.system(async |tx| {
        diesel::update(api_keys::table.find((organization.0, id.0)))
            .set(api_keys::last_used_at.eq(at))
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
}

/// A ticket that was redeemed.
pub struct TakenTicket {
    pub organization: OrganizationId,
    /// The API key of the caller who made it.
    pub api_key: Option<ApiKeyId>,
    /// When the token of the caller who made it ends. Neither: the admin key.
    pub token_ends_at: Option<DateTime<Utc>>,
}

/// Finds the link of a caller whose organization is not known yet.
pub async fn find_handover(db: &Db, id: HandoverId) -> Result<Option<(OrganizationId, HandoverRow)>> {
    db.system(async |tx| {
        let found: Option<(Uuid, HandoverRow)> = handovers::table
            .filter(handovers::id.eq(id.0))
            .select((handovers::organization_id, HandoverRow::as_select()))
            .first(tx)
            .await
            .optional()?;
        Ok(found.map(|(organization, row)| (OrganizationId(organization), row)))
    })
    .await
}

/// Redeems a ticket for `path`. Of two concurrent requests only one gets it.
pub async fn take_ticket(db: &Db, hash: &[u8], path: &str, now: DateTime<Utc>) -> Result<Option<TakenTicket>> {
    db.system(async |tx| {
        let valid = tickets::table
            .filter(tickets::hash.eq(hash))
            .filter(tickets::path.eq(path))
            .filter(tickets::expires_at.gt(now));
        let columns = (tickets::organization_id, tickets::api_key_id, tickets::token_ends_at);
        let taken: Option<(Uuid, Option<Uuid>, Option<DateTime<Utc>>)> =
            diesel::delete(valid).returning(columns).get_result(tx).await.optional()?;
        Ok(taken.map(|(organization, api_key, token_ends_at)| TakenTicket {
            organization: OrganizationId(organization),
            api_key: api_key.map(ApiKeyId),
            token_ends_at,
        }))
    })
    .await
}

/// A job whose schedule is due.
pub struct DueJob {
    pub organization: OrganizationId,
    pub job: JobId,
    pub cron: String,
    pub timezone: String,
    pub mode: ScheduleMode,
    pub due_at: DateTime<Utc>,
}

/// The jobs whose schedule is due.
pub async fn due_jobs(db: &Db, now: DateTime<Utc>) -> Result<Vec<DueJob>> {
    type Row = (Uuid, Uuid, Option<String>, Option<String>, ScheduleMode, Option<DateTime<Utc>>);
    db.system(async |tx| {
        let rows: Vec<Row> = jobs::table
            .filter(jobs::schedule_enabled.eq(true))
            .filter(jobs::deleting_at.is_null())
            .filter(jobs::schedule_next_at.le(now))
            .select((
                jobs::organization_id,
                jobs::id,
                jobs::schedule_cron,
                jobs::schedule_timezone,
                jobs::schedule_mode,
                jobs::schedule_next_at,
            ))
            .load(tx)
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(organization, job, cron, timezone, mode, due_at)| {
                Some(DueJob {
                    organization: OrganizationId(organization),
                    job: JobId(job),
                    cron: cron?,
                    timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
                    mode,
                    due_at: due_at?,
                })
            })
            .collect())
    })
    .await
}

/// Queues the run of a due schedule and sets its next time. `false`: nothing was queued, because another process was
/// faster, because the schedule was switched off or the job deleted meanwhile, or because a run of the job is queued or
/// running. A run that awaits approval is superseded.
pub async fn run_due_job(
    db: &Db,
    due: &DueJob,
    new: &NewRun,
    next: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (organization, job, due_at) = (due.organization, due.job, due.due_at);
    db.scoped(organization, async |tx| {
        let taken = diesel::update(jobs::table.find((organization.0, job.0)))
            .filter(jobs::schedule_next_at.eq(due_at))
            .filter(jobs::schedule_enabled.eq(true))
            .filter(jobs::deleting_at.is_null())
            .set(jobs::schedule_next_at.eq(next))
            .execute(tx)
            .await?;
        if taken == 0 || super::runs::has_busy(tx, organization, job).await? {
            return Ok(false);
        }
        super::runs::enqueue(tx, organization, new, now).await?;
        let message =
            format!("The job's schedule started this run. It is {}, as schedule.mode of the job says.", new.mode);
        let data = serde_json::json!({"message": message, "stage": null});
        super::runs::add_event(tx, organization, new.id, EventKind::Log, &data, now).await?;
        let done = ("create", "runs", new.id.0);
        let event = AuditEventRow::of_service(organization, &new.requested_by, done, now);
        super::audit_events::insert(tx, &event).await?;
        Ok(true)
    })
    .await
}
