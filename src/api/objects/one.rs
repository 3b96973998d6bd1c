//! One object of a job: its values, its links, what Assets has of it, and its history.

use crate::api::auth::Caller;
use crate::app::App;
use crate::change::{ValueChange, changes};
use crate::db::mirror::lookup::{self, DeliveredObject, HistoryRow, TypedObjectRow};
use crate::db::mirror::{StoredAs, browse};
use crate::db::{Transaction, job_settings};
use crate::directory::{self, LicenseNames, ObjectType};
use crate::error::{Code, Error, Fault, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{ChangeAction, ChangeReason, RunMode, RunState};
use crate::text_enum::explained;
use actix_web::get;
use actix_web::web::{Data, Json, Path};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Objects with one name that an error lists at most.
const MAX_FOUND: i64 = 11;
/// Links of one kind that are shown at most.
const MAX_LINKS: i64 = 100;
/// Changes that are shown at most.
const MAX_CHANGES: i64 = 50;

/// One object of a job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectResponse {
    pub id: Uuid,
    pub object_type: ObjectType,
    /// Its name, which is never empty.
    pub label: String,
    /// The properties that the last complete read found, as Microsoft Graph names them; null if it did not find the object.
    #[schema(required = true, value_type = Option<Object>)]
    pub properties: Option<Value>,
    /// The objects that it is linked with, up to a hundred of each kind.
    pub links: Vec<ObjectLink>,
    /// What Assets took of it last; null if it was never delivered.
    #[schema(required = true)]
    pub delivered: Option<DeliveredResponse>,
    /// What the last fifty runs that changed it did, newest first, as far as they are kept.
    pub history: Vec<ObjectChange>,
}

/// Another object that an object is linked with.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ObjectLink {
    pub relation: Relation,
    pub id: Uuid,
    /// The type of the other object; null if the job does not import it.
    #[schema(required = true)]
    pub object_type: Option<ObjectType>,
    /// The name of the other object; null if the job does not import it.
    #[schema(required = true)]
    pub label: Option<String>,
}

explained! {
    /// How two objects are linked.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum Relation {
        /// The other is the manager of the user.
        Manager,
        /// The other owns the group or device.
        Owner,
        /// The other is a licence that is assigned to the user or group.
        License,
        /// The other is a group that has the object as a direct member.
        Group,
        /// The other is a direct member of the group.
        Member,
    }
}

/// An object as Assets took it last.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveredResponse {
    /// When it was delivered.
    pub at: DateTime<Utc>,
    /// The values as they were sent.
    #[schema(value_type = Object)]
    pub values: Value,
    /// How many complete reads in a row did not see it since.
    pub missing_runs: i32,
    /// Why it is missing; null if it is not.
    #[schema(required = true)]
    pub missing_reason: Option<ChangeReason>,
    /// It was delivered as a record with the status Removed.
    pub marked: bool,
}

/// What a run did to an object.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    pub run_id: RunId,
    pub mode: RunMode,
    /// The state of the run: only a run that succeeded or is degraded has delivered it.
    pub state: RunState,
    /// When the run ended, or was changed last.
    pub at: DateTime<Utc>,
    pub action: ChangeAction,
    #[schema(required = true)]
    pub reason: Option<ChangeReason>,
    /// The values that differ, by name.
    pub changes: Vec<ValueChange>,
}

/// Get an object of a job
///
/// By its object id, or by its user principal name, mail address, display name or part number. With the labels of what it
/// is linked with, what Assets took of it last, and what each run did to it.
#[utoipa::path(
    tag = "Jobs",
    params(
        ("id" = JobId, Path, description = "The job's id"),
        ("type" = ObjectType, Path, description = "The type of the object"),
        ("key" = String, Path, description = "The object id, or a name of the object")
    ),
    responses((status = 200, description = "The object", body = ObjectResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/objects/{type}/{key}")]
pub async fn get_object(
    app: Data<App>,
    caller: Caller,
    path: Path<(JobId, String, String)>,
) -> Result<Json<ObjectResponse>> {
    let (organization, (job, object_type, key)) = (caller.organization, path.into_inner());
    let object_type: ObjectType = object_type
        .parse()
        .map_err(|why| Error::new(Code::NotFound, format!("Not found: the type in the path is not known: {why}.")))?;
    let names = app.license_names.clone();
    let found = app
        .db
        .read(organization, async |tx| {
            job_settings::load(tx, organization, job).await?;
            find(tx, organization, job, object_type, key.trim(), &names).await
        })
        .await?;
    Ok(Json(found))
}

async fn find(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
    key: &str,
    names: &LicenseNames,
) -> Result<ObjectResponse> {
    let kind = object_type.as_str();
    let mirrored = lookup::by_key(tx, organization, job, StoredAs::Object(object_type), key, MAX_FOUND).await?;
    let properties = mirrored.first().map(|row| parse(&row.data)).transpose()?;
    let ids: Vec<Uuid> = match mirrored.is_empty() {
        false => mirrored.iter().map(|row| row.id).collect(),
        true => lookup::delivered(tx, organization, job, kind, key, MAX_FOUND)
            .await?
            .into_iter()
            .map(|row| row.id)
            .collect(),
    };
    let id = match ids.as_slice() {
        [] => return Err(Error::not_found(object_type.spec().singular, key)),
        [one] => *one,
        several => return Err(ambiguous(object_type, key, several)),
    };
    let delivered = lookup::delivered(tx, organization, job, kind, &id.to_string(), 1).await?.pop();
    let label = match (&properties, &delivered) {
        (Some(properties), _) => directory::label(object_type, id, properties, names),
        (None, Some(DeliveredObject { label: Some(label), .. })) => label.clone(),
        (None, _) => id.to_string(),
    };
    let links = links(tx, organization, job, (object_type, id, properties.as_ref()), names).await?;
    let history = lookup::history(tx, organization, job, kind, id, MAX_CHANGES).await?;
    Ok(ObjectResponse {
        id,
        object_type,
        label,
        properties: properties.map(Value::Object),
        links,
        delivered: delivered.map(DeliveredResponse::from_row).transpose()?,
        history: history.into_iter().map(ObjectChange::from_row).collect(),
    })
}

fn ambiguous(object_type: ObjectType, key: &str, ids: &[Uuid]) -> Error {
    let shown: Vec<String> = ids.iter().take(10).map(Uuid::to_string).collect();
    let one = object_type.spec().singular;
    let detail = format!("More than one {one} is named «{key}». Use an id: {}", shown.join(", "));
    Error::validation(vec![Fault::new("key", "ambiguous", detail)])
}

fn parse(data: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(data).map_err(Error::internal)
}

/// The links of an object, with the labels of those that the mirror has.
async fn links(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    (object_type, id, properties): (ObjectType, Uuid, Option<&Map<String, Value>>),
    names: &LicenseNames,
) -> Result<Vec<ObjectLink>> {
    let mut found: Vec<(Relation, Uuid)> = properties.map(named_links).unwrap_or_default();
    let groups = lookup::containing(tx, organization, job, &[id]).await?;
    let most = usize::try_from(MAX_LINKS).unwrap_or(usize::MAX);
    found.extend(groups.into_iter().take(most).map(|one| (Relation::Group, one.group_id)));
    if object_type == ObjectType::Groups {
        let members = browse::memberships_of(tx, organization, job, (Some(id), None), None, MAX_LINKS).await?;
        found.extend(members.into_iter().map(|one| (Relation::Member, one.member_id)));
    }
    let ids: Vec<Uuid> = found.iter().map(|(_, id)| *id).collect();
    let known: HashMap<Uuid, TypedObjectRow> =
        lookup::some(tx, organization, job, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
    let link = |(relation, id): (Relation, Uuid)| {
        let row = known.get(&id);
        let object_type = row.and_then(|row| row.object_type.parse::<ObjectType>().ok());
        let label =
            row.zip(object_type).and_then(|(row, of)| Some(directory::label(of, id, &parse(&row.data).ok()?, names)));
        ObjectLink { relation, id, object_type, label }
    };
    Ok(found.into_iter().map(link).collect())
}

/// The links that the properties of an object name.
fn named_links(properties: &Map<String, Value>) -> Vec<(Relation, Uuid)> {
    let id = |value: &Value| value.as_str().and_then(|text| Uuid::parse_str(text).ok());
    let list = |name: &str| properties.get(name).and_then(Value::as_array).into_iter().flatten();
    let manager = properties.get("managerId").and_then(id).map(|id| (Relation::Manager, id));
    let owners = list("ownerIds").filter_map(id).map(|id| (Relation::Owner, id));
    let licenses = list("assignedLicenses").filter_map(|one| id(one.get("skuId")?)).map(|id| (Relation::License, id));
    let most = usize::try_from(MAX_LINKS).unwrap_or(usize::MAX);
    manager.into_iter().chain(owners.take(most)).chain(licenses.take(most)).collect()
}

impl DeliveredResponse {
    fn from_row(row: DeliveredObject) -> Result<Self> {
        Ok(Self {
            at: row.delivered_at,
            values: serde_json::from_str(&row.payload).map_err(Error::internal)?,
            missing_runs: row.missing_runs,
            missing_reason: row.missing_reason,
            marked: row.marked,
        })
    }
}

impl ObjectChange {
    fn from_row(row: HistoryRow) -> Self {
        Self {
            run_id: RunId(row.run_id),
            mode: row.mode,
            state: row.state,
            at: row.at,
            action: row.action,
            reason: row.reason,
            changes: changes(row.before.as_deref(), row.after.as_deref()),
        }
    }
}
