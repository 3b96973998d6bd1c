//! What was delivered: the exact JSON that Assets took of each object.

pub mod adoption;
mod outbox;
mod settle;
mod texts;

pub use outbox::{
    NewChange, OutboxRow, add_changes, check_changes, clear_changes, outbox, outbox_counts, removal_done, removals,
    removed,
};
pub use settle::{gained, settle};
pub use texts::texts;

use super::source::Source;
use super::statement::is_in_mirror;
use super::stored_as::{gone_of, stub_of};
use crate::db::{Transaction, join_in_bulk};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::ChangeReason;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// An object that was delivered.
#[derive(QueryableByName, Clone, Debug)]
pub struct DeliveredRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Text)]
    pub payload: String,
    #[diesel(sql_type = Bytea)]
    pub hash: Vec<u8>,
    #[diesel(sql_type = Integer)]
    pub missing_runs: i32,
    #[diesel(sql_type = Nullable<Text>)]
    pub missing_reason: Option<ChangeReason>,
    #[diesel(sql_type = Bool)]
    pub marked: bool,
}

/// Delivered objects of a type that the source does not have, after `after`, by id. The reason is the one that this run
/// found, else the one that an earlier run found, delivered or not.
pub async fn absent(
    tx: &mut Transaction,
    organization: OrganizationId,
    (job, run): (JobId, RunId),
    source: Source,
    object_type: &str,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeliveredRow>> {
    let (objects, _, key) = source.names();
    let query = format!(
        "SELECT id, label, payload, hash, missing_runs, marked, coalesce(
            (SELECT s.data FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $3
                AND s.object_type = {} AND s.id = d.id),
            (SELECT t.reason FROM mirror_touched t WHERE t.organization_id = $1 AND t.job_id = $2
                AND t.object_type = $5 AND t.id = d.id), missing_reason) AS missing_reason
        FROM mirror_delivered d
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $5 AND id > $6
          AND NOT EXISTS (SELECT FROM {objects} o WHERE o.organization_id = $1 AND o.{key} = $4
            AND o.object_type IN ($5, {}) AND o.id = d.id)
        ORDER BY id LIMIT $7",
        gone_of("$5"),
        stub_of("$5")
    );
    join_in_bulk(tx).await?;
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// As [`absent`], of these objects only, in the order of their ids. The mirror is what does not have them.
pub async fn absent_among(
    tx: &mut Transaction,
    organization: OrganizationId,
    (job, run): (JobId, RunId),
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<Vec<DeliveredRow>> {
    let absent = format!(
        "SELECT d.id, d.label, d.payload, d.hash, d.missing_runs, d.marked, coalesce(
            (SELECT s.data FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $3
                AND s.object_type = {} AND s.id = d.id),
            (SELECT t.reason FROM mirror_touched t WHERE t.organization_id = $1 AND t.job_id = $2
                AND t.object_type = $4 AND t.id = d.id), d.missing_reason) AS missing_reason
        FROM unnest($5::uuid[]) AS wanted(id)
        CROSS JOIN LATERAL (SELECT * FROM mirror_delivered WHERE organization_id = $1 AND job_id = $2
            AND object_type = $4 AND id = wanted.id LIMIT 1) d
        WHERE {} IS NULL ORDER BY d.id",
        gone_of("$4"),
        is_in_mirror("$2", "$4", "wanted.id")
    );
    Ok(diesel::sql_query(absent)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?)
}

/// The ids of a type's delivered objects that were missing last, ascending.
pub async fn missing_ids(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
) -> Result<Vec<Uuid>> {
    use crate::db::schema::mirror_delivered as d;
    Ok(d::table
        .filter(d::organization_id.eq(organization.0))
        .filter(d::job_id.eq(job.0))
        .filter(d::object_type.eq(object_type.as_str()))
        .filter(d::missing_runs.gt(0))
        .order(d::id)
        .select(d::id)
        .load(tx)
        .await?)
}

/// Those of these objects that are delivered and not marked as removed, ascending.
pub async fn existing(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    // One look-up for each id, whatever the planner estimates.
    const EXISTING: &str = "
        SELECT d.id FROM (SELECT DISTINCT unnest($4::uuid[]) AS id) AS wanted CROSS JOIN LATERAL (
            SELECT id, marked FROM mirror_delivered
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = wanted.id LIMIT 1) d
        WHERE NOT d.marked ORDER BY d.id";
    let rows: Vec<Row> = diesel::sql_query(EXISTING)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Delivered objects of a type after `after`, by id.
pub async fn page(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeliveredRow>> {
    const PAGE: &str = "
        SELECT id, label, payload, hash, missing_runs, missing_reason, marked FROM mirror_delivered
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id > $4
        ORDER BY id LIMIT $5";
    Ok(diesel::sql_query(PAGE)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// The payloads of some delivered objects of a type.
pub async fn payloads(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = Text)]
        payload: String,
    }
    // One index lookup for each id, whatever the planner estimates.
    const PAYLOADS: &str = "
        SELECT wanted.id, d.payload FROM unnest($4::uuid[]) AS wanted(id) CROSS JOIN LATERAL (
            SELECT payload FROM mirror_delivered
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = wanted.id OFFSET 0) d";
    let rows: Vec<Row> = diesel::sql_query(PAYLOADS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.payload)).collect())
}

/// The ids of a type's delivered objects that are not marked as removed, ascending.
pub async fn ids(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
) -> Result<Vec<Uuid>> {
    use crate::db::schema::mirror_delivered as d;
    Ok(d::table
        .filter(d::organization_id.eq(organization.0))
        .filter(d::job_id.eq(job.0))
        .filter(d::object_type.eq(object_type))
        .filter(d::marked.eq(false))
        .order(d::id)
        .select(d::id)
        .load(tx)
        .await?)
}

/// Delivered objects by type that are not marked as removed.
pub async fn counts(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
) -> Result<BTreeMap<ObjectType, u64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: ObjectType,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const COUNTS: &str = "
        SELECT object_type, count(*) AS number FROM mirror_delivered
        WHERE organization_id = $1 AND job_id = $2 AND NOT marked GROUP BY object_type";
    let rows: Vec<Row> =
        diesel::sql_query(COUNTS).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0).load(tx).await?;
    Ok(rows.into_iter().map(|row| (row.object_type, row.number.unsigned_abs())).collect())
}

/// Deletes what was delivered, and which Jira accounts were written: another destination has nothing yet.
pub async fn forget(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    for table in ["mirror_delivered", "jira_users"] {
        diesel::sql_query(format!("DELETE FROM {table} WHERE organization_id = $1 AND job_id = $2"))
            .bind::<SqlUuid, _>(organization.0)
            .bind::<SqlUuid, _>(job.0)
            .execute(tx)
            .await?;
    }
    Ok(())
}
