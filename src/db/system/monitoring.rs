//! What an operator watches: how each job's last run ended, and what waits in the queue.

use super::super::Db;
use crate::error::Result;
use crate::run_state::RunState;
use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// How the last run of a job ended, tests and dry runs left out.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct JobHealth {
    #[diesel(sql_type = SqlUuid)]
    pub organization_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub job_id: Uuid,
    #[diesel(sql_type = Text)]
    pub last_state: RunState,
    #[diesel(sql_type = Timestamptz)]
    pub last_finished_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_started_at: Option<DateTime<Utc>>,
    /// When a run last succeeded, with or without warnings.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub last_success_at: Option<DateTime<Utc>>,
}

/// How many runs are in a state that does not end by itself, and since when the oldest is due.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    #[diesel(sql_type = Text)]
    pub state: RunState,
    #[diesel(sql_type = BigInt)]
    pub runs: i64,
    #[diesel(sql_type = Timestamptz)]
    pub oldest_due_at: DateTime<Utc>,
}

/// The jobs that have run, at most `limit`, the oldest jobs first.
pub async fn job_health(db: &Db, limit: i64) -> Result<Vec<JobHealth>> {
    const HEALTH: &str = "
        SELECT job.organization_id, job.id AS job_id, last.state AS last_state, last.finished_at AS last_finished_at,
            last.started_at AS last_started_at, success.finished_at AS last_success_at
        FROM jobs job
        JOIN LATERAL (
            SELECT state, started_at, finished_at FROM runs
            WHERE organization_id = job.organization_id AND job_id = job.id AND finished_at IS NOT NULL
              AND mode IN ('full', 'incremental')
            ORDER BY id DESC LIMIT 1) last ON true
        LEFT JOIN LATERAL (
            SELECT finished_at FROM runs
            WHERE organization_id = job.organization_id AND job_id = job.id AND state IN ('succeeded', 'degraded')
              AND mode IN ('full', 'incremental')
            ORDER BY id DESC LIMIT 1) success ON true
        WHERE job.deleting_at IS NULL
        ORDER BY job.organization_id, job.id LIMIT $1";
    db.system(async |tx| Ok(sql_query(HEALTH).bind::<BigInt, _>(limit).load(tx).await?)).await
}

/// The runs that wait, run, or await approval, by state.
pub async fn backlog(db: &Db) -> Result<Vec<Backlog>> {
    const BACKLOG: &str = "
        SELECT state, count(*) AS runs, min(run_after) AS oldest_due_at FROM runs
        WHERE finished_at IS NULL GROUP BY state";
    db.system(async |tx| Ok(sql_query(BACKLOG).load(tx).await?)).await
}
