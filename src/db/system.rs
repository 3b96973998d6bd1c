//! The few queries that work across organizations. Each is named here, and nothing else may.

use super::Db;
use super::runs::NewRun;
use super::schema::{api_keys, jobs};
use crate::error::Result;
use crate::ids::{ApiKeyId, JobId, OrganizationId, WorkerId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// What authentication needs of an API key.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// The key that a caller presents, before its organization is known.
pub async fn find_api_key(db: &Db, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    db.system(async |tx| {
        let key = api_keys::table.filter(api_keys::id.eq(id.0)).select(ApiKeyRow::as_select()).first(tx).await;
        Ok(key.optional()?)
    })
    .await
}

/// Notes that a key was used. Callers do so at most once a minute per key.
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

/// A job whose schedule is due.
pub struct DueJob {
    pub organization: OrganizationId,
    pub job: JobId,
    pub cron: String,
    pub timezone: String,
    pub due_at: DateTime<Utc>,
}

/// The jobs whose time has come.
pub async fn due_jobs(db: &Db, now: DateTime<Utc>) -> Result<Vec<DueJob>> {
    type Row = (Uuid, Uuid, Option<String>, Option<String>, Option<DateTime<Utc>>);
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
                jobs::schedule_next_at,
            ))
            .load(tx)
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(organization, job, cron, timezone, due_at)| {
                Some(DueJob {
                    organization: OrganizationId(organization),
                    job: JobId(job),
                    cron: cron?,
                    timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
                    due_at: due_at?,
                })
            })
            .collect())
    })
    .await
}

/// Queues the run of a due schedule and sets its next time, unless another process was faster. `false` when
/// nothing was queued: a run of the job is alive.
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
            .set(jobs::schedule_next_at.eq(next))
            .execute(tx)
            .await?;
        if taken == 0 || super::runs::has_live(tx, organization, job).await? {
            return Ok(false);
        }
        super::runs::enqueue(tx, organization, new, now).await?;
        Ok(true)
    })
    .await
}

/// Notes that a worker process is alive.
pub async fn see_worker(db: &Db, worker: WorkerId, capacity: i32, now: DateTime<Utc>) -> Result<()> {
    const SEE: &str = "
        INSERT INTO workers (id, host, process_id, version, capacity, running, started_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, (SELECT count(*) FROM runs WHERE worker_id = $1 AND state = 'running'), $6, $6)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, running = excluded.running";
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    db.system(async |tx| {
        diesel::sql_query(SEE)
            .bind::<sql::Uuid, _>(worker.0)
            .bind::<sql::Text, _>(host)
            .bind::<sql::Integer, _>(std::process::id().cast_signed())
            .bind::<sql::Text, _>(env!("CARGO_PKG_VERSION"))
            .bind::<sql::Integer, _>(capacity)
            .bind::<sql::Timestamptz, _>(now)
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
}

/// Removes what is older than it is kept: events, changes and staging of ended runs, checks and audit
/// events; idempotency keys, tickets, workers that are gone. At most `batch` rows of each.
pub async fn clear_expired(
    db: &Db,
    records_before: DateTime<Utc>,
    keys_before: DateTime<Utc>,
    workers_before: DateTime<Utc>,
    now: DateTime<Utc>,
    batch: i64,
) -> Result<()> {
    const OF_RUNS: [&str; 5] = ["run_events", "run_changes", "staged_objects", "staged_members", "run_cursors"];
    let mut statements: Vec<(String, DateTime<Utc>)> = OF_RUNS
        .iter()
        .map(|table| {
            let text = format!(
                "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT t.ctid FROM {table} t JOIN runs r \
                 ON r.organization_id = t.organization_id AND r.id = t.run_id \
                 WHERE r.finished_at < $1 LIMIT $2))"
            );
            (text, records_before)
        })
        .collect();
    for (table, column, before) in [
        ("connection_checks", "checked_at", records_before),
        ("audit_events", "at", records_before),
        ("idempotency_keys", "created_at", keys_before),
        ("tickets", "expires_at", now),
        ("workers", "seen_at", workers_before),
    ] {
        let text = format!(
            "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} < $1 LIMIT $2))"
        );
        statements.push((text, before));
    }
    for (statement, before) in statements {
        db.system(async |tx| {
            diesel::sql_query(&statement)
                .bind::<sql::Timestamptz, _>(before)
                .bind::<sql::BigInt, _>(batch)
                .execute(tx)
                .await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Removes the data of deleted jobs in batches; the job's row goes last. Run records stay.
pub async fn clear_deleted_jobs(db: &Db, batch: i64) -> Result<()> {
    let deleted: Vec<(Uuid, Uuid)> = db
        .system(async |tx| {
            let deleted = jobs::table.filter(jobs::deleting_at.is_not_null()).select((jobs::organization_id, jobs::id));
            Ok(deleted.load(tx).await?)
        })
        .await?;
    for (organization, job) in deleted {
        clear_deleted_job(db, OrganizationId(organization), JobId(job), batch).await?;
    }
    Ok(())
}

async fn clear_deleted_job(db: &Db, organization: OrganizationId, job: JobId, batch: i64) -> Result<()> {
    const OF_JOB: [&str; 3] = ["mirror_objects", "mirror_members", "mirror_delivered"];
    const OF_RUN: [&str; 5] = ["run_changes", "run_events", "staged_objects", "staged_members", "run_cursors"];
    let of_job = OF_JOB.map(|table| (table, "job_id = $2"));
    let of_run =
        OF_RUN.map(|table| (table, "run_id IN (SELECT id FROM runs WHERE organization_id = $1 AND job_id = $2)"));
    for (table, condition) in of_job.into_iter().chain(of_run) {
        let statement = format!(
            "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} \
             WHERE organization_id = $1 AND {condition} LIMIT $3))"
        );
        loop {
            let removed = db
                .scoped(organization, async |tx| {
                    Ok(diesel::sql_query(&statement)
                        .bind::<sql::Uuid, _>(organization.0)
                        .bind::<sql::Uuid, _>(job.0)
                        .bind::<sql::BigInt, _>(batch)
                        .execute(tx)
                        .await?)
                })
                .await?;
            if (removed as i64) < batch {
                break;
            }
        }
    }
    db.scoped(organization, async move |tx| {
        diesel::delete(jobs::table.find((organization.0, job.0))).execute(tx).await?;
        Ok(())
    })
    .await
}
