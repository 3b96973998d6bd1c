//! What the runs of a job changed, as one feed. Other programs follow the directory by it.

use super::auth::Caller;
use crate::app::App;
use crate::change::{DirectoryEvent, FeedPlace, ValueChange, changes};
use crate::db::job_settings;
use crate::db::runs::{self, FeedRow};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, RunId};
use crate::run_state::{ChangeAction, ChangeReason};
use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const LIMIT_DEFAULT: u16 = 50;
/// The word for the end of the feed.
const LATEST: &str = "latest";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FeedQuery {
    /// `nextAfter` of the previous response. Absent: from the oldest change that is kept. `latest`: from now on.
    #[param(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
    /// The maximum number of changes in the response. It has fewer where they have more than about 4 MiB; `more` then says so.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
}

/// A part of the feed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobChangesResponse {
    /// In the order in which they were made.
    pub items: Vec<JobChange>,
    /// The `after` of the next request.
    pub next_after: String,
    /// There are more changes: send the next request now. Otherwise send it after the next run.
    pub more: bool,
}

/// A change that a run made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobChange {
    /// Its place in the feed: the `after` that continues behind it.
    pub after: String,
    pub run_id: RunId,
    /// When the run ended.
    pub at: DateTime<Utc>,
    pub object_type: ObjectType,
    pub object_id: Uuid,
    /// The name of the object.
    #[schema(required = true)]
    pub label: Option<String>,
    pub action: ChangeAction,
    #[schema(required = true)]
    pub reason: Option<ChangeReason>,
    /// What happened in the directory, where it has a name; null otherwise. An object that was missing before has left
    /// before: null where it is then marked or removed.
    #[schema(required = true)]
    pub event: Option<DirectoryEvent>,
    /// The values that differ, by the key of the attribute.
    pub changes: Vec<ValueChange>,
}

impl JobChange {
    fn from_row(row: FeedRow) -> Self {
        let changes = changes(row.before.as_deref(), row.after.as_deref());
        Self {
            after: FeedPlace { run: row.run_id, seq: row.seq }.write(),
            run_id: RunId(row.run_id),
            at: row.at,
            object_type: row.object_type,
            object_id: row.object_id,
            label: row.label,
            action: row.action,
            reason: row.reason,
            event: match row.missing_before {
                true => None,
                false => DirectoryEvent::of(row.object_type, row.action, &changes),
            },
            changes,
        }
    }
}

/// Follow the changes of a job
///
/// Every change that the job's runs delivered, in their order, over all runs, with the values that differ and a name for
/// what happened: `user.joined`, `user.left`, `user.moved`, `license.exhausted`, `group.created`, `group.deleted`. An object
/// that is gone is there once, however many runs miss it, and again where it is marked or removed. Keep `nextAfter` and
/// continue with it. Changes are kept as long as their runs (`ENTRA_ASSETS_RETENTION_DAYS`).
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), FeedQuery),
    responses((status = 200, description = "The changes after a place", body = JobChangesResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/changes")]
pub async fn list_job_changes(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    query: Query<FeedQuery>,
) -> Result<Json<JobChangesResponse>> {
    let (organization, id) = (caller.organization, *id);
    let limit = i64::from(query.limit.unwrap_or(LIMIT_DEFAULT));
    let (start, found) = app
        .db
        .read(organization, async |tx| {
            job_settings::load(tx, organization, id).await?;
            let start = match query.after.as_deref() {
                None => FeedPlace { run: Uuid::nil(), seq: 0 },
                Some(LATEST) => runs::end_of_feed(tx, organization, id).await?,
                Some(after) => FeedPlace::read(after)?,
            };
            Ok((start, runs::feed(tx, organization, id, start, limit + 1).await?))
        })
        .await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.is_cut || found.rows.len() > most;
    let mut rows = found.rows;
    rows.truncate(most);
    let next = rows.last().map_or(start, |row| FeedPlace { run: row.run_id, seq: row.seq });
    let items = rows.into_iter().map(JobChange::from_row).collect();
    Ok(Json(JobChangesResponse { items, next_after: next.write(), more }))
}
