//! The processes that execute runs, for the operator.

use super::auth::Caller;
use super::organizations::require_operator;
use super::page::{Page, PageQuery};
use crate::app::App;
use crate::db::system::{self, WorkerRow};
use crate::error::Result;
use crate::ids::WorkerId;
use crate::text_enum::explained;
use actix_web::get;
use actix_web::web::{Data, Json, Query};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// A worker sends a heartbeat every 15 seconds.
const ALIVE_WITHIN: TimeDelta = TimeDelta::seconds(60);

explained! {
    /// Whether a worker is there.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum WorkerState {
        /// Its last heartbeat is less than a minute old.
        Alive,
        /// The worker has sent no heartbeat for a minute: it died or lost the database. After ten minutes it is
        /// removed from the list.
        Stale,
    }
}

/// A process that executes runs.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WorkerResponse {
    pub id: WorkerId,
    pub state: WorkerState,
    /// The name of the machine or container.
    pub host: String,
    /// The number of the process there.
    pub process_id: i32,
    /// The version of the service.
    pub version: String,
    /// The maximum number of runs that it executes at the same time.
    pub capacity: i32,
    /// The number of runs that it executed at its last heartbeat.
    pub running: i32,
    pub started_at: DateTime<Utc>,
    /// When its last heartbeat came.
    pub seen_at: DateTime<Utc>,
}

impl WorkerResponse {
    fn new(row: WorkerRow, now: DateTime<Utc>) -> Self {
        let state = if now - row.seen_at <= ALIVE_WITHIN { WorkerState::Alive } else { WorkerState::Stale };
        Self {
            id: WorkerId(row.id),
            state,
            host: row.host,
            process_id: row.process_id,
            version: row.version,
            capacity: row.capacity,
            running: row.running,
            started_at: row.started_at,
            seen_at: row.seen_at,
        }
    }
}

/// List workers
///
/// For the operator: the processes that execute the runs of all organizations. A worker that stops removes itself
/// from the list.
#[utoipa::path(
    tag = "Administration",
    params(PageQuery),
    responses((status = 200, description = "A page of workers, oldest first", body = Page<WorkerResponse>)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/workers")]
pub async fn list_workers(
    app: Data<App>,
    caller: Caller,
    query: Query<PageQuery>,
) -> Result<Json<Page<WorkerResponse>>> {
    require_operator(&caller)?;
    let (window, now) = (query.window("workers")?, app.clock.now());
    let rows = system::list_workers(&app.db, window.after, window.rows()).await?;
    Ok(Json(window.page(rows, |row| row.id, |row| WorkerResponse::new(row, now))))
}
