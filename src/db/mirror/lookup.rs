//! One object of a job: what the mirror and the delivery know of it, the groups that it is in, and what happened to it.

use super::browse::names_equal;
use super::read::ObjectRow;
use super::stored_as::StoredAs;
use super::tenant_names::without_tenant_names;
use crate::db::Transaction;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use crate::run_state::{ChangeAction, ChangeReason, RunMode, RunState};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// What is stored as this and has this id, or else this name: display name, user principal name, mail address or part
/// number, whatever the case.
pub async fn by_key(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    stored_as: StoredAs,
    key: &str,
    limit: i64,
) -> Result<Vec<ObjectRow>> {
    const BY_ID: &str = "
        SELECT id, data FROM mirror_objects
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = $4";
    if let Ok(id) = Uuid::parse_str(key) {
        let query = diesel::sql_query(BY_ID).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
        return Ok(query.bind::<Text, _>(stored_as).bind::<SqlUuid, _>(id).load(tx).await?);
    }
    let by_name = format!(
        "SELECT id, data FROM mirror_objects
         WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND {} ~* $4
         ORDER BY id LIMIT $5",
        without_tenant_names("data")
    );
    Ok(diesel::sql_query(by_name)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(stored_as)
        .bind::<Text, _>(names_equal(key))
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// An object as Assets took it last.
#[derive(QueryableByName, Clone, Debug)]
pub struct DeliveredObject {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Text)]
    pub payload: String,
    #[diesel(sql_type = Timestamptz)]
    pub delivered_at: DateTime<Utc>,
    /// Complete reads in a row that did not see it.
    #[diesel(sql_type = Integer)]
    pub missing_runs: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub missing_reason: Option<ChangeReason>,
    /// Delivered as removed.
    #[diesel(sql_type = Bool)]
    pub marked: bool,
}

/// The delivered objects of a type that have this id, or else this label.
pub async fn delivered(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    key: &str,
    limit: i64,
) -> Result<Vec<DeliveredObject>> {
    const QUERY: &str = "
        SELECT id, label, payload, delivered_at, missing_runs, missing_reason, marked FROM mirror_delivered
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3
            AND CASE WHEN $4 IS NULL THEN lower(label) = lower($5) ELSE id = $4 END
        ORDER BY id LIMIT $6";
    Ok(diesel::sql_query(QUERY)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Nullable<SqlUuid>, _>(Uuid::parse_str(key).ok())
        .bind::<Text, _>(key)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// A group and one of the objects that are its direct members.
#[derive(QueryableByName, Clone, Copy, Debug)]
pub struct Containment {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub member_id: Uuid,
}

/// The groups that contain any of these objects directly, as far as the mirror knows: groups that are imported, and
/// those by which a scope decides.
pub async fn containing(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    members: &[Uuid],
) -> Result<Vec<Containment>> {
    const QUERY: &str = "
        SELECT DISTINCT m.group_id, member AS member_id FROM (
            SELECT group_id, member_ids FROM mirror_members WHERE organization_id = $1 AND job_id = $2
            UNION ALL
            SELECT group_id, member_ids FROM mirror_scope_members WHERE organization_id = $1 AND job_id = $2) m,
            unnest(m.member_ids) AS member
        WHERE m.member_ids && $3 AND member = ANY($3)
        ORDER BY m.group_id";
    let query = diesel::sql_query(QUERY).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
    Ok(query.bind::<Array<SqlUuid>, _>(members).load(tx).await?)
}

/// Those of these objects that the mirror has, of whatever type.
pub async fn some(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    ids: &[Uuid],
) -> Result<Vec<TypedObjectRow>> {
    const QUERY: &str = "
        SELECT object_type, id, data FROM mirror_objects
        WHERE organization_id = $1 AND job_id = $2 AND object_type = ANY($4) AND id = ANY($3)";
    let types: Vec<&str> = crate::directory::ObjectType::ALL.iter().map(|of| of.as_str()).collect();
    let query = diesel::sql_query(QUERY).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
    Ok(query.bind::<Array<SqlUuid>, _>(ids).bind::<Array<Text>, _>(types).load(tx).await?)
}

/// An object of the mirror with its type.
#[derive(QueryableByName, Clone, Debug)]
pub struct TypedObjectRow {
    #[diesel(sql_type = Text)]
    pub object_type: String,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub data: String,
}

/// How many objects of a type the mirror has, and the largest of their ids.
pub async fn extent(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
) -> Result<(i64, Option<Uuid>)> {
    const QUERY: &str = "
        SELECT count(*) AS number, (SELECT id FROM mirror_objects
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 ORDER BY id DESC LIMIT 1) AS last
        FROM mirror_objects WHERE organization_id = $1 AND job_id = $2 AND object_type = $3";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
        #[diesel(sql_type = Nullable<SqlUuid>)]
        last: Option<Uuid>,
    }
    let query = diesel::sql_query(QUERY).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
    let row: Row = query.bind::<Text, _>(object_type).get_result(tx).await?;
    Ok((row.number, row.last))
}

/// A change of an object, with the run that made it.
#[derive(QueryableByName, Clone, Debug)]
pub struct HistoryRow {
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    #[diesel(sql_type = Text)]
    pub mode: RunMode,
    #[diesel(sql_type = Text)]
    pub state: RunState,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub action: ChangeAction,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<ChangeReason>,
    #[diesel(sql_type = Nullable<Text>)]
    pub before: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub after: Option<String>,
}

/// What the runs of a job did to an object, newest first. Sending it again as it was is no change.
pub async fn history(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    id: Uuid,
    limit: i64,
) -> Result<Vec<HistoryRow>> {
    const QUERY: &str = "
        SELECT c.run_id, r.mode, r.state, coalesce(r.finished_at, r.updated_at) AS at, c.action, c.reason, c.before, c.after
        FROM run_changes c JOIN runs r ON r.organization_id = $1 AND r.id = c.run_id
        WHERE c.organization_id = $1 AND c.object_id = $4 AND c.object_type = $3 AND c.action <> 'unchanged'
            AND r.job_id = $2
        ORDER BY c.run_id DESC LIMIT $5";
    Ok(diesel::sql_query(QUERY)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}
