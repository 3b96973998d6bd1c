//! What a run creates, updates, or finds missing or out of scope.

use super::auth::Caller;
use crate::app::App;
use crate::db::runs::{self, ChangeRow, Only};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::RunId;
use crate::run_state::{ChangeAction, ChangeReason};
use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::page::{Page, PageQuery};

/// One object that a run changes.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunChange)]
pub struct ChangeResponse {
    pub object_type: ObjectType,
    /// Its id in the directory. Of an object that is only in Assets: its number there, as an id.
    pub object_id: Uuid,
    /// The keys in Assets of the objects that it is, or could be: ITSM-5186. Only for object types of others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assets_keys: Vec<String>,
    #[schema(required = true)]
    pub label: Option<String>,
    pub action: ChangeAction,
    #[schema(required = true)]
    pub reason: Option<ChangeReason>,
    /// The object as it was delivered before; null for a new object. Of an object that others made in Assets: what it has
    /// there in the attributes that the job writes; of references the keys in Assets.
    #[schema(required = true, value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The object as it is delivered now; null if it is missing or removed.
    #[schema(required = true, value_type = Option<Object>)]
    pub after: Option<Value>,
}

impl ChangeResponse {
    pub(super) fn from_row(row: ChangeRow) -> Self {
        let object = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            object_type: row.object_type,
            object_id: row.object_id,
            assets_keys: row.assets_keys.unwrap_or_default(),
            label: row.label,
            action: row.action,
            reason: row.reason,
            before: object(row.before),
            after: object(row.after),
        }
    }
}

/// Which changes to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct ChangesQuery {
    /// Only objects of this type.
    #[param(inline)]
    pub r#type: Option<ObjectType>,
    /// Only changes of this kind. `missing` shows every object that is gone or has left the scope, also those that the
    /// run marks, removes or reduces to a stub: these objects stop a run at the removal brake. Objects that are
    /// `unchanged` are never listed.
    #[param(inline)]
    pub action: Option<ChangeAction>,
    /// Only changes of this object.
    pub object_id: Option<Uuid>,
    /// Only changes of objects whose label contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub label: Option<String>,
}

/// List the changes of a run
///
/// In the order of their delivery. A dry run has changes too: they show what a full run would do. A page ends before
/// `limit` where its changes have more than about 4 MiB; `nextCursor` then continues.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id"), ChangesQuery, PageQuery),
    responses((status = 200, description = "A page of changes", body = Page<ChangeResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/runs/{id}/changes")]
pub async fn list_run_changes(
    app: Data<App>,
    caller: Caller,
    id: Path<RunId>,
    what: Query<ChangesQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ChangeResponse>>> {
    let (organization, id) = (caller.organization, *id);
    let what = what.into_inner();
    let only = Only { object_type: what.r#type, action: what.action, object: what.object_id, label: what.label };
    let window = query.window(&format!("runs/{id}/changes/{only:?}"))?;
    // The cursor is the number of the last change, in the place of an id.
    let after = window.after.map_or(0, |after| i64::try_from(after.as_u128()).unwrap_or(i64::MAX));
    let changes = app
        .db
        .read(organization, async |tx| {
            runs::find(tx, organization, id).await?;
            runs::changes(tx, organization, id, &only, after, window.rows()).await
        })
        .await?;
    let number = |row: &ChangeRow| Uuid::from_u128(u128::from(row.seq.unsigned_abs()));
    Ok(Json(window.page_of(changes, number, ChangeResponse::from_row)))
}
