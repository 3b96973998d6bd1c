//! What was delivered: the exact JSON that Assets took of each object.

pub mod adoption;
mod outbox;

pub use outbox::{
    NewChange, OutboxRow, add_changes, clear_changes, outbox, outbox_counts, removal_done, removals, removed,
};

use super::source::Source;
use crate::db::runs::{Lease, fence};
use crate::db::{Transaction, join_in_bulk};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::ChangeReason;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
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
/// found, else the one that an earlier run found.
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
                AND s.object_type = 'gone:' || $5 AND s.id = d.id), missing_reason) AS missing_reason
        FROM mirror_delivered d
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $5 AND id > $6
          AND NOT EXISTS (SELECT FROM {objects} o WHERE o.organization_id = $1 AND o.{key} = $4
            AND o.object_type IN ($5, 'stub:' || $5) AND o.id = d.id)
        ORDER BY id LIMIT $7"
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
pub async fn counts(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<BTreeMap<String, u64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: String,
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

/// Stores what a run sent of the given types as delivered, counts missing objects, and deletes what was removed from
/// Assets. Fenced. Happens at most once per run, because the run ends in the same transaction.
pub async fn settle(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    types: &[String],
    count_missing: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    fence(tx, lease).await?;
    join_in_bulk(tx).await?;
    write_sent(tx, lease, job, types, now).await?;
    forget_removed(tx, lease, job).await?;
    if count_missing {
        clear_missing(tx, lease, job, types).await?;
        count_missing_again(tx, lease, job, types).await?;
    }
    clear_unchanged(tx, lease).await
}

/// Stores what was sent of these types as delivered.
async fn write_sent(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    types: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    const SENT: &str = "
        INSERT INTO mirror_delivered AS d
            (organization_id, job_id, object_type, id, hash, payload, label, missing_runs, missing_reason, marked, delivered_at)
        SELECT $1, $3, object_type, object_id, hash, after, label, 0,
            CASE WHEN action = 'mark' THEN reason END, action = 'mark', $5
        FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = ANY($4)
          AND send AND after IS NOT NULL AND action <> 'remove'
        ON CONFLICT (organization_id, job_id, object_type, id) DO UPDATE
        SET hash = excluded.hash, payload = excluded.payload, label = excluded.label, missing_runs = 0,
            missing_reason = excluded.missing_reason, marked = excluded.marked, delivered_at = excluded.delivered_at";
    diesel::sql_query(SENT)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .bind::<Timestamptz, _>(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes what was removed from Assets.
async fn forget_removed(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    const REMOVED: &str = "
        DELETE FROM mirror_delivered d USING run_changes c
        WHERE d.organization_id = $1 AND d.job_id = $3
          AND c.organization_id = $1 AND c.run_id = $2 AND c.action = 'remove' AND c.after = 'removed'
          AND c.object_type = d.object_type AND c.object_id = d.id";
    diesel::sql_query(REMOVED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Resets the count of missing runs of objects that the mirror has again.
async fn clear_missing(tx: &mut Transaction, lease: &Lease, job: JobId, types: &[String]) -> Result<()> {
    const SEEN_AGAIN: &str = "
        UPDATE mirror_delivered d SET missing_runs = 0, missing_reason = NULL
        WHERE organization_id = $1 AND job_id = $2 AND object_type = ANY($3) AND missing_runs > 0 AND NOT marked
          AND EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $2
            AND o.object_type IN (d.object_type, 'stub:' || d.object_type) AND o.id = d.id)";
    diesel::sql_query(SEEN_AGAIN)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts one more missing run of the objects that the run did not find.
async fn count_missing_again(tx: &mut Transaction, lease: &Lease, job: JobId, types: &[String]) -> Result<()> {
    const MISSING: &str = "
        UPDATE mirror_delivered d SET missing_runs = missing_runs + 1, missing_reason = c.reason
        FROM run_changes c
        WHERE d.organization_id = $1 AND d.job_id = $3 AND d.object_type = ANY($4)
          AND c.organization_id = $1 AND c.run_id = $2 AND c.action = 'missing'
          AND c.object_type = d.object_type AND c.object_id = d.id";
    diesel::sql_query(MISSING)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the rows of the outbox that only repeated what was delivered: they are no changes.
async fn clear_unchanged(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    diesel::sql_query("DELETE FROM run_changes WHERE organization_id = $1 AND run_id = $2 AND action = 'unchanged'")
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes what was delivered: another destination has nothing yet.
pub async fn forget(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    diesel::sql_query("DELETE FROM mirror_delivered WHERE organization_id = $1 AND job_id = $2")
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .execute(tx)
        .await?;
    Ok(())
}
