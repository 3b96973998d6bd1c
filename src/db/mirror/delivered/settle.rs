//! What a delivery led to becomes what was delivered, in the transaction that ends its run.

use super::super::statement::{execute, execute_for, is_in_mirror};
use crate::db::Transaction;
use crate::db::runs::{Lease, fence};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::BTreeMap;

/// How many more objects that are not marked as removed will be delivered, by type, once these types of a run are settled.
pub async fn gained(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    types: &[ObjectType],
) -> Result<BTreeMap<ObjectType, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: ObjectType,
        #[diesel(sql_type = BigInt)]
        gained: i64,
    }
    const GAINED: &str = "
        SELECT c.object_type, sum(
            (c.action NOT IN ('mark', 'remove'))::int - (d.marked IS NOT NULL AND NOT d.marked)::int)::bigint AS gained
        FROM run_changes c
        LEFT JOIN LATERAL (SELECT marked FROM mirror_delivered WHERE organization_id = $1 AND job_id = $3
            AND object_type = c.object_type AND id = c.object_id LIMIT 1) d ON true
        WHERE c.organization_id = $1 AND c.run_id = $2 AND ((c.action = 'remove' AND c.after = 'removed')
            OR (c.object_type = ANY($4) AND c.send AND c.after IS NOT NULL AND c.action <> 'remove'))
        GROUP BY c.object_type";
    let rows: Vec<Row> = diesel::sql_query(GAINED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.object_type, row.gained)).collect())
}

/// Stores what a run sent of the given types as delivered, counts missing objects, and deletes what was removed from
/// Assets. Fenced. Happens at most once per run, because the run ends in the same transaction.
pub async fn settle(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    types: &[ObjectType],
    count_missing: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    fence(tx, lease).await?;
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
    types: &[ObjectType],
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

const DELIVERED: (&str, &str) = ("mirror_delivered", "object_type = c.object_type AND id = c.object_id");
const ACCOUNTS: (&str, &str) = ("jira_users", "c.object_type = 'users' AND user_id = c.object_id");

/// The rows in a table of the changes `c` of a run that fulfil a condition. One look-up for each, whatever the planner
/// estimates: a table that was just filled has no statistics.
fn rows_of_changes((table, key): (&str, &str), condition: &str) -> String {
    format!(
        "ctid = ANY(ARRAY(SELECT k.place FROM run_changes c CROSS JOIN LATERAL (SELECT ctid AS place FROM {table}
            WHERE organization_id = $1 AND job_id = $3 AND {key} LIMIT 1) k
         WHERE c.organization_id = $1 AND c.run_id = $2 AND {condition}))"
    )
}

/// Deletes what was removed from Assets.
async fn forget_removed(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    // Whoever comes back gets a new object, which has no Jira account.
    for of in [DELIVERED, ACCOUNTS] {
        let removed = rows_of_changes(of, "c.action = 'remove' AND c.after = 'removed'");
        execute(tx, lease, job, &format!("DELETE FROM {} WHERE {removed}", of.0)).await?;
    }
    Ok(())
}

/// Resets the count of missing runs of objects that the mirror has again.
async fn clear_missing(tx: &mut Transaction, lease: &Lease, job: JobId, types: &[ObjectType]) -> Result<()> {
    let seen_again = format!(
        "UPDATE mirror_delivered d SET missing_runs = 0, missing_reason = NULL
         WHERE organization_id = $1 AND job_id = $2 AND object_type = ANY($3) AND missing_runs > 0 AND NOT marked AND {}",
        is_in_mirror("$2", "d.object_type", "d.id")
    );
    diesel::sql_query(seen_again)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    Ok(())
}

/// Counts one more missing run of the objects that the run did not find. A removal that was not done is one too.
async fn count_missing_again(tx: &mut Transaction, lease: &Lease, job: JobId, types: &[ObjectType]) -> Result<()> {
    let missing = rows_of_changes(DELIVERED, "c.action IN ('missing', 'remove') AND c.object_type = ANY($4)");
    let statement = format!(
        "UPDATE mirror_delivered d SET missing_runs = missing_runs + 1, missing_reason = (
            SELECT c.reason FROM run_changes c WHERE c.organization_id = $1 AND c.object_id = d.id AND c.run_id = $2
                AND c.object_type = d.object_type AND c.action IN ('missing', 'remove') LIMIT 1)
         WHERE d.{missing}"
    );
    execute_for(tx, lease, job, &statement, types).await
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
