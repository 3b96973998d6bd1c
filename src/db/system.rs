//! The queries that work across organizations. Only these functions, and those of `db` that say so, may do that.

mod expiries;
mod monitoring;
mod operator;
mod organizations;
mod retention;
mod retries;
mod workers;

pub use expiries::announce_expiries;
pub use monitoring::{Backlog, JobHealth, backlog, job_health};
pub use operator::{
    Creation, begin_deletion, begin_uninstall, create_organization, list_organizations, organization, organization_ids,
    update_organization,
};
pub use organizations::{NewOrganization, ensure_organization, find_organization};
pub use retention::{
    OF_RUN, clear_deleted_jobs, clear_deleted_organizations, clear_ended_runs, clear_expired, of_organization,
    wipe_organization,
};
pub use retries::{DueRetry, due_retries, retry};
pub use workers::{WorkerRow, forget_worker, list_workers, see_worker};

use super::Db;
use super::audit_events::AuditEventRow;
use super::handovers::HandoverRow;
use super::runs::NewRun;
use super::schema::{api_keys, handovers, jobs, tickets};
use crate::api_key::Scope;
use crate::audit::Action;
use crate::error::Result;
use crate::ids::{ApiKeyId, HandoverId, JobId, OrganizationId, RunId};
use crate::job::ScheduleMode;
use crate::run_state::event::{LogData, RunEvent};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::RunQueryDsl;
use std::collections::{HashMap, HashSet};
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

/// Those of these keys that are valid.
pub async fn valid_api_keys(db: &Db, keys: &[ApiKeyId], now: DateTime<Utc>) -> Result<HashSet<ApiKeyId>> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
    let valid: Vec<Uuid> = db
        .system(async |tx| {
            let valid = api_keys::table
                .filter(api_keys::id.eq_any(&ids))
                .filter(api_keys::revoked_at.is_null())
                .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now)));
            Ok(valid.select(api_keys::id).load(tx).await?)
        })
        .await?;
    Ok(valid.into_iter().map(ApiKeyId).collect())
}

/// The number of the last event of each of these runs that exists.
pub async fn last_events(db: &Db, runs: &[(OrganizationId, RunId)]) -> Result<HashMap<RunId, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Uuid)]
        id: Uuid,
        #[diesel(sql_type = sql_types::BigInt)]
        last_event_id: i64,
    }
    const LAST: &str = "
        SELECT runs.id, runs.last_event_id FROM unnest($1::uuid[], $2::uuid[]) AS followed(organization_id, id)
        JOIN runs ON runs.organization_id = followed.organization_id AND runs.id = followed.id";
    let (organizations, ids): (Vec<Uuid>, Vec<Uuid>) =
        runs.iter().map(|(organization, run)| (organization.0, run.0)).unzip();
    let rows: Vec<Row> = db
        .system(async |tx| {
            Ok(diesel::sql_query(LAST)
                .bind::<sql_types::Array<sql_types::Uuid>, _>(&organizations)
                .bind::<sql_types::Array<sql_types::Uuid>, _>(&ids)
                .load(tx)
                .await?)
        })
        .await?;
    Ok(rows.into_iter().map(|row| (RunId(row.id), row.last_event_id)).collect())
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

/// A job whose schedule is due, or the second one, whose runs read everything.
pub struct DueJob {
    pub organization: OrganizationId,
    pub job: JobId,
    pub cron: String,
    pub full_cron: Option<String>,
    pub timezone: String,
    pub mode: ScheduleMode,
    pub due_at: Option<DateTime<Utc>>,
    pub full_due_at: Option<DateTime<Utc>>,
}

impl DueJob {
    /// Whether the second schedule is due: then the run reads everything.
    pub fn is_full_due(&self, now: DateTime<Utc>) -> bool {
        self.full_due_at.is_some_and(|at| at <= now)
    }
}

/// The next times of a job's schedules.
#[derive(Clone, Copy, Default, Debug)]
pub struct NextTimes {
    pub next_at: Option<DateTime<Utc>>,
    pub full_next_at: Option<DateTime<Utc>>,
}

#[derive(Queryable)]
struct DueRow {
    organization: Uuid,
    job: Uuid,
    cron: Option<String>,
    full_cron: Option<String>,
    timezone: Option<String>,
    mode: ScheduleMode,
    due_at: Option<DateTime<Utc>>,
    full_due_at: Option<DateTime<Utc>>,
}

/// The jobs whose schedules are due.
pub async fn due_jobs(db: &Db, now: DateTime<Utc>) -> Result<Vec<DueJob>> {
    db.system(async |tx| {
        let rows: Vec<DueRow> = jobs::table
            .filter(jobs::schedule_enabled.eq(true))
            .filter(jobs::deleting_at.is_null())
            .filter(
                jobs::schedule_next_at
                    .assume_not_null()
                    .le(now)
                    .or(jobs::schedule_full_next_at.assume_not_null().le(now)),
            )
            .select((
                jobs::organization_id,
                jobs::id,
                jobs::schedule_cron,
                jobs::schedule_full_cron,
                jobs::schedule_timezone,
                jobs::schedule_mode,
                jobs::schedule_next_at,
                jobs::schedule_full_next_at,
            ))
            .load(tx)
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                Some(DueJob {
                    organization: OrganizationId(row.organization),
                    job: JobId(row.job),
                    cron: row.cron?,
                    full_cron: row.full_cron,
                    timezone: row.timezone.unwrap_or_else(|| "UTC".to_owned()),
                    mode: row.mode,
                    due_at: row.due_at,
                    full_due_at: row.full_due_at,
                })
            })
            .collect())
    })
    .await
}

/// Queues the run of a due schedule and sets its next time. `false`: nothing was queued, because another process was
/// faster, because the schedule was switched off or the job deleted meanwhile, or because a run of the job is queued or
/// running: a run of the second schedule then stays due. A run that awaits approval is superseded.
pub async fn run_due_job(db: &Db, due: &DueJob, new: &NewRun, next: NextTimes, now: DateTime<Utc>) -> Result<bool> {
    let (organization, job) = (due.organization, due.job);
    db.scoped(organization, async |tx| {
        // Of several processes that look at the same time, one queues the run, and the others go on with the next job.
        let taken: Option<Uuid> = jobs::table
            .find((organization.0, job.0))
            .filter(jobs::schedule_next_at.is_not_distinct_from(due.due_at))
            .filter(jobs::schedule_full_next_at.is_not_distinct_from(due.full_due_at))
            .filter(jobs::schedule_enabled.eq(true))
            .filter(jobs::deleting_at.is_null())
            .select(jobs::id)
            .for_no_key_update()
            .skip_locked()
            .first(tx)
            .await
            .optional()?;
        if taken.is_none() {
            return Ok(false);
        }
        let is_busy = super::runs::has_busy(tx, organization, job).await?;
        // Its next time may be a week away, so a run that reads everything starts as soon as the job is free.
        let full_next_at = if is_busy && due.is_full_due(now) { due.full_due_at } else { next.full_next_at };
        diesel::update(jobs::table.find((organization.0, job.0)))
            .set((jobs::schedule_next_at.eq(next.next_at), jobs::schedule_full_next_at.eq(full_next_at)))
            .execute(tx)
            .await?;
        if is_busy {
            return Ok(false);
        }
        super::runs::enqueue(tx, organization, new, now).await?;
        let field = if due.is_full_due(now) { "fullCron" } else { "mode" };
        let message =
            format!("The job's schedule started this run. It is {}, as schedule.{field} of the job says.", new.mode);
        let started = RunEvent::Log(LogData { message, stage: None });
        super::runs::add_event(tx, organization, new.id, &started, now).await?;
        let done = (Action::Create, "runs", new.id.0);
        let event = AuditEventRow::of_service(organization, new.requested_by.clone(), done, now);
        super::audit_events::insert(tx, &event).await?;
        Ok(true)
    })
    .await
}
