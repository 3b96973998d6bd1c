//! The processes that execute runs. They serve every organization.

use super::super::Db;
use super::super::schema::workers;
use crate::error::Result;
use crate::ids::WorkerId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = workers)]
pub struct WorkerRow {
    pub id: Uuid,
    pub host: String,
    pub process_id: i32,
    pub version: String,
    pub capacity: i32,
    pub running: i32,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
}

/// Stores that a worker process is alive, and the lock that shows it.
pub async fn see_worker(
    db: &Db,
    worker: WorkerId,
    capacity: i32,
    presence: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SEE: &str = "
        INSERT INTO workers (id, host, process_id, version, capacity, running, started_at, seen_at, presence)
        VALUES ($1, $2, $3, $4, $5, (SELECT count(*) FROM runs
            WHERE worker_id = $1 AND state = 'running' AND finished_at IS NULL), $6, $6, $7)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, running = excluded.running,
            presence = excluded.presence";
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    db.system(async |tx| {
        diesel::sql_query(SEE)
            .bind::<sql::Uuid, _>(worker.0)
            .bind::<sql::Text, _>(host)
            .bind::<sql::Integer, _>(std::process::id().cast_signed())
            .bind::<sql::Text, _>(env!("CARGO_PKG_VERSION"))
            .bind::<sql::Integer, _>(capacity)
            .bind::<sql::Timestamptz, _>(now)
            .bind::<sql::Nullable<sql::BigInt>, _>(presence)
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
}

/// Removes a worker process that stops.
pub async fn forget_worker(db: &Db, worker: WorkerId) -> Result<()> {
    db.system(async |tx| {
        diesel::delete(workers::table.find(worker.0)).execute(tx).await?;
        Ok(())
    })
    .await
}

/// Oldest first; `after` is the last id of the page before.
pub async fn list_workers(db: &Db, after: Option<Uuid>, limit: i64) -> Result<Vec<WorkerRow>> {
    db.system(async |tx| {
        let query = workers::table.filter(workers::id.gt(after.unwrap_or_default())).order(workers::id.asc());
        Ok(query.limit(limit).select(WorkerRow::as_select()).load(tx).await?)
    })
    .await
}
