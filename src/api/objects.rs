//! The mirror of a job, to browse or to export.

use super::auth::Caller;
use super::page::{Page, PageQuery};
use crate::app::App;
use crate::db::job_settings;
use crate::db::mirror::browse::{self, MembershipRow};
use crate::db::mirror::read::ObjectRow;
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId};
use actix_web::http::header::{self, ContentDisposition};
use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Rows fetched at once for a stream.
const STREAM_ROWS: i64 = 1000;

/// What a mirror has.
#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub enum MirrorType {
    Users,
    Groups,
    Licenses,
    Devices,
    Memberships,
}

impl MirrorType {
    /// Matches every object type, so that a new one cannot be left out here.
    fn of(object_type: ObjectType) -> Self {
        match object_type {
            ObjectType::Users => Self::Users,
            ObjectType::Groups => Self::Groups,
            ObjectType::Licenses => Self::Licenses,
            ObjectType::Devices => Self::Devices,
        }
    }

    fn as_str(self) -> &'static str {
        let object_type = ObjectType::ALL.into_iter().find(|object_type| Self::of(*object_type) == self);
        object_type.map_or("memberships", ObjectType::as_str)
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ObjectsQuery {
    #[param(inline)]
    pub r#type: MirrorType,
}

/// An object with the Graph properties that the job selects, or a membership.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum MirrorItem {
    Membership(MembershipResponse),
    #[schema(value_type = MirrorObject)]
    Object(Value),
}

/// `id` and the selected properties; relations as `managerId` and `ownerIds`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "01900000-0000-7000-8000-000000000001", "displayName": "Adele Vance"}))]
pub struct MirrorObject {
    pub id: String,
    #[serde(flatten)]
    pub properties: BTreeMap<String, Value>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipResponse {
    pub group_id: Uuid,
    pub member_id: Uuid,
    /// `user`, `group`, `device`, `servicePrincipal`, `contact` or `other`.
    pub member_type: String,
}

fn object(row: ObjectRow) -> Result<MirrorItem> {
    serde_json::from_str(&row.data).map(MirrorItem::Object).map_err(Error::internal)
}

fn membership(row: MembershipRow) -> MirrorItem {
    let MembershipRow { group_id, member_id, member_type } = row;
    MirrorItem::Membership(MembershipResponse { group_id, member_id, member_type })
}

/// Browse the mirror of a job
///
/// What the last complete read found. With `Accept: application/x-ndjson` or with a ticket, the response has all objects,
/// one JSON object per line.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), ObjectsQuery, PageQuery),
    responses((
        status = 200,
        description = "A page of objects, or all of them",
        headers(("Content-Disposition" = String, description = "`attachment` with a file name, if the response has all objects")),
        content((Page<MirrorItem> = "application/json"), (String = "application/x-ndjson"))
    )),
    security(("bearer" = ["read"]), ("ticket" = []))
)]
#[get("/v1/jobs/{id}/objects")]
pub async fn list_objects(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    id: Path<JobId>,
    what: Query<ObjectsQuery>,
    query: Query<PageQuery>,
) -> Result<HttpResponse> {
    let (organization, id, what) = (caller.organization, *id, what.r#type);
    app.db.scoped(organization, async |tx| job_settings::load(tx, organization, id).await).await?;
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let is_export = caller.is_by_ticket() && !accept.contains("application/json");
    if is_export || accept.contains("application/x-ndjson") {
        return Ok(stream(app.get_ref().clone(), organization, id, what));
    }
    let window = query.window(&format!("jobs/{id}/objects/{}", what.as_str()))?;
    let page = if what == MirrorType::Memberships {
        // The cursor holds the number of memberships before it instead of an id.
        let skip = window.after.map_or(0, |after| i64::try_from(after.as_u128()).unwrap_or(i64::MAX));
        let rows = app
            .db
            .scoped(organization, async |tx| browse::memberships_from(tx, organization, id, skip, window.rows()).await)
            .await?;
        let mut number = skip;
        let rows: Vec<(i64, MembershipRow)> = rows
            .into_iter()
            .map(|row| {
                number += 1;
                (number, row)
            })
            .collect();
        let place = |(number, _): &(i64, MembershipRow)| Uuid::from_u128(u128::from(number.unsigned_abs()));
        window.page(rows, place, |(_, row)| membership(row))
    } else {
        let rows = app
            .db
            .scoped(organization, async |tx| {
                browse::page(tx, organization, id, what.as_str(), window.after, window.rows()).await
            })
            .await?;
        window.try_page(rows, |row| row.id, object)?
    };
    Ok(Json(page).respond_to(&request).map_into_boxed_body())
}

/// All rows, a thousand at a time: no database connection is held while the caller reads.
fn stream(app: App, organization: OrganizationId, job: JobId, what: MirrorType) -> HttpResponse {
    let lines = async_stream::stream! {
        let mut after_object: Option<Uuid> = None;
        let mut after_membership: Option<(Uuid, Uuid)> = None;
        loop {
            let lines: Result<Vec<String>> = if what == MirrorType::Memberships {
                let rows = app.db.scoped(organization, async move |tx| {
                    browse::memberships(tx, organization, job, after_membership, STREAM_ROWS).await
                });
                rows.await.and_then(|rows| {
                    after_membership = rows.last().map(|row| (row.group_id, row.member_id));
                    rows.into_iter().map(|row| serde_json::to_string(&membership(row)).map_err(Error::internal)).collect()
                })
            } else {
                let rows = app.db.scoped(organization, async move |tx| {
                    browse::page(tx, organization, job, what.as_str(), after_object, STREAM_ROWS).await
                });
                rows.await.map(|rows| {
                    after_object = rows.last().map(|row| row.id);
                    rows.into_iter().map(|row| row.data).collect()
                })
            };
            match lines {
                Ok(lines) if lines.is_empty() => return,
                Ok(lines) => yield Ok::<Bytes, actix_web::Error>(Bytes::from(lines.join("\n") + "\n")),
                // The headers are sent already: only an aborted stream tells the caller that it is incomplete.
                Err(error) => {
                    tracing::error!(job.id = %job, code = %error.code, "export aborted: {}", error.detail);
                    yield Err(actix_web::error::ErrorInternalServerError("export aborted"));
                    return;
                }
            }
        }
    };
    HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header(ContentDisposition::attachment(format!("{}.ndjson", what.as_str())))
        .streaming(lines)
}
