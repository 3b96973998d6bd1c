//! The mirror of a job, to browse or to export.

mod one;

pub(super) use one::Relation;
pub use one::get_object;

use super::auth::Caller;
use super::bound::{Bound, broken_off};
use super::page::{Page, PageQuery, Window};
use super::places::{Place, SEARCHES};
use crate::app::App;
use crate::db::job_settings;
use crate::db::list::Order;
use crate::db::mirror::browse::{self, MembershipRow, Only};
use crate::db::mirror::read::ObjectRow;
use crate::directory::ObjectType;
use crate::error::{Error, Faults, Result};
use crate::ids::{JobId, OrganizationId};
use crate::text_enum::Explained;
use actix_web::http::header::{self, ContentDisposition};
use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

/// Rows fetched at once for a stream.
const STREAM_ROWS: i64 = 1000;

/// What a mirror has.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(try_from = "String")]
pub enum MirrorType {
    Objects(ObjectType),
    Memberships,
}

const MEMBERSHIPS: &str = "memberships";

impl TryFrom<String> for MirrorType {
    type Error = String;

    fn try_from(word: String) -> std::result::Result<Self, String> {
        if word == MEMBERSHIPS { Ok(Self::Memberships) } else { word.parse().map(Self::Objects) }
    }
}

impl MirrorType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Objects(object_type) => object_type.as_str(),
            Self::Memberships => MEMBERSHIPS,
        }
    }
}

/// Described by hand, because the object types are a list.
impl PartialSchema for MirrorType {
    fn schema() -> RefOr<Schema> {
        let words = ObjectType::ALL.into_iter().map(ObjectType::as_str).chain([MEMBERSHIPS]);
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
        schema.description(Some("What a mirror has.")).into()
    }
}

impl ToSchema for MirrorType {}

impl Explained for MirrorType {
    fn meanings() -> Vec<String> {
        let of_memberships = "Which object is a direct member of which group.".to_owned();
        ObjectType::meanings().into_iter().chain([of_memberships]).collect()
    }
}

#[derive(Deserialize, IntoParams, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct ObjectsQuery {
    /// What to list.
    #[param(inline)]
    pub r#type: MirrorType,
    /// Only the object with this id.
    pub id: Option<Uuid>,
    /// Only objects whose display name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub label: Option<String>,
    /// Only objects whose display name, user principal name, mail address or part number contains this text, whatever the
    /// case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
    /// Of memberships, only those of this group.
    pub group_id: Option<Uuid>,
    /// Of memberships, only those of this member.
    pub member_id: Option<Uuid>,
}

impl ObjectsQuery {
    /// Objects have names, and memberships have a group and a member.
    fn check(&self) -> Result<()> {
        let of_objects =
            [("?id", self.id.is_some()), ("?label", self.label.is_some()), ("?search", self.search.is_some())];
        let of_memberships = [("?groupId", self.group_id.is_some()), ("?memberId", self.member_id.is_some())];
        let (wrong, detail) = match self.r#type {
            MirrorType::Memberships => (of_objects.to_vec(), "does not apply to memberships"),
            _ => (of_memberships.to_vec(), "applies to `type=memberships` only"),
        };
        let mut faults = Faults::default();
        for (pointer, _) in wrong.into_iter().filter(|(_, is_given)| *is_given) {
            faults.push(pointer, "not_applicable", detail);
        }
        faults.into_result()
    }

    /// A place for a search, if it is one: every object is looked at.
    fn search(&self, organization: OrganizationId) -> Result<Option<Place>> {
        let is_search = self.label.is_some() || self.search.is_some();
        is_search.then(|| SEARCHES.take(organization)).transpose()
    }

    fn only(&self) -> Only {
        Only { id: self.id, label: self.label.clone(), search: self.search.clone() }
    }
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

/// A direct member of a group.
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
/// one JSON object per line. `label` and `search` look at every object: an organization may have four such searches at once
/// (`rate_limited`), and one that takes the database longer than a minute is stopped (`database_unavailable`).
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
    let (organization, id) = (caller.organization, *id);
    app.db.read(organization, async |tx| job_settings::load(tx, organization, id).await).await?;
    what.check()?;
    let search = what.search(organization)?;
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let is_export = caller.is_by_ticket() && !accept.contains("application/json");
    let narrowed = (what.group_id, what.member_id);
    if is_export || accept.contains("application/x-ndjson") {
        let bound = Bound::of_download(&app, caller.credential);
        return Ok(stream(app.get_ref().clone(), (bound, search), (organization, id), what.into_inner()));
    }
    let window = query.sorted(&format!("jobs/{id}/objects"), &what, Order::OLDEST_FIRST)?;
    let page = match what.r#type {
        MirrorType::Memberships if narrowed == (None, None) => {
            memberships_page(&app, organization, id, &window).await?
        }
        MirrorType::Memberships => {
            let rows = app.db.read(organization, async |tx| {
                browse::memberships_of(tx, organization, id, narrowed, window.after, window.rows()).await
            });
            let place = |row: &MembershipRow| if narrowed.0.is_some() { row.member_id } else { row.group_id };
            window.page(rows.await?, place, membership)
        }
        object_type => {
            let only = what.only();
            let rows = app.db.read(organization, async |tx| {
                browse::page(tx, organization, id, object_type.as_str(), &only, window.after, window.rows()).await
            });
            window.try_page(rows.await?, |row| row.id, object)?
        }
    };
    Ok(Json(page).respond_to(&request).map_into_boxed_body())
}

/// A page of all memberships. Its cursor holds the number of memberships before it instead of an id.
async fn memberships_page(
    app: &App,
    organization: OrganizationId,
    job: JobId,
    window: &Window,
) -> Result<Page<MirrorItem>> {
    let skip = window.after.map_or(0, |after| i64::try_from(after.as_u128()).unwrap_or(i64::MAX));
    let rows = app
        .db
        .read(organization, async |tx| browse::memberships_from(tx, organization, job, skip, window.rows()).await)
        .await?;
    let numbered: Vec<(i64, MembershipRow)> = (skip + 1..).zip(rows).collect();
    let place = |(number, _): &(i64, MembershipRow)| Uuid::from_u128(u128::from(number.unsigned_abs()));
    Ok(window.page(numbered, place, |(_, row)| membership(row)))
}

fn to_lines(rows: Vec<MembershipRow>) -> Result<Vec<String>> {
    rows.into_iter().map(|row| serde_json::to_string(&membership(row)).map_err(Error::internal)).collect()
}

/// All rows, a thousand at a time: no database connection is held while the caller reads. It ends with the caller's key.
fn stream(
    app: App,
    (bound, search): (Bound, Option<Place>),
    (organization, job): (OrganizationId, JobId),
    query: ObjectsQuery,
) -> HttpResponse {
    let (what, narrowed) = (query.r#type, (query.group_id, query.member_id));
    let lines = async_stream::stream! {
        let _search = search;
        let only = query.only();
        let mut after_object: Option<Uuid> = None;
        let mut after_membership: Option<(Uuid, Uuid)> = None;
        loop {
            let lines: Result<Vec<String>> = if let Err(over) = bound.check() {
                Err(over)
            } else if narrowed != (None, None) {
                let after = after_membership.map(|(group, member)| if narrowed.0.is_some() { member } else { group });
                let rows = app.db.read(organization, async move |tx| {
                    browse::memberships_of(tx, organization, job, narrowed, after, STREAM_ROWS).await
                });
                rows.await.and_then(|rows| {
                    after_membership = rows.last().map(|row| (row.group_id, row.member_id)).or(after_membership);
                    to_lines(rows)
                })
            } else if what == MirrorType::Memberships {
                let rows = app.db.read(organization, async move |tx| {
                    browse::memberships(tx, organization, job, after_membership, STREAM_ROWS).await
                });
                rows.await.and_then(|rows| {
                    after_membership = rows.last().map(|row| (row.group_id, row.member_id));
                    to_lines(rows)
                })
            } else {
                let (after, only) = (after_object, only.clone());
                let rows = app.db.read(organization, async move |tx| {
                    browse::page(tx, organization, job, what.as_str(), &only, after, STREAM_ROWS).await
                });
                rows.await.map(|rows| {
                    after_object = rows.last().map(|row| row.id);
                    rows.into_iter().map(|row| row.data).collect()
                })
            };
            match lines {
                Ok(lines) if lines.is_empty() => return,
                Ok(lines) => yield Ok::<Bytes, actix_web::Error>(Bytes::from(lines.join("\n") + "\n")),
                Err(error) => {
                    yield Err(broken_off("export", &error));
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
