//! What was delivered, and the outbox of what is to be: `run_changes` rows with `send`.

use super::read::Source;
use crate::db::runs::{Lease, fence};
use crate::db::{Transaction, join_in_bulk, may_be_lost};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A row for `run_changes`.
#[derive(Clone, Debug)]
pub struct NewChange {
    pub seq: i64,
    pub object_type: &'static str,
    pub object_id: Uuid,
    pub label: Option<String>,
    pub action: &'static str,
    pub reason: Option<&'static str>,
    pub send: bool,
    pub hash: Option<Vec<u8>>,
    pub before: Option<String>,
    /// `None` of a row to send: the payload as delivered before.
    pub after: Option<String>,
}

/// Stores changes of a run. Fenced.
pub async fn add_changes(tx: &mut Transaction, lease: &Lease, changes: &[NewChange]) -> Result<()> {
    const ADD: &str = "
        INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, label, action, reason, send,
            hash, before, after)
        SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
            $9::bool[], $10::bytea[], $11::text[], $12::text[])";
    fence(tx, lease).await?;
    may_be_lost(tx).await?;
    fn column<'a, T>(changes: &'a [NewChange], value: impl Fn(&'a NewChange) -> T) -> Vec<T> {
        changes.iter().map(value).collect()
    }
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<BigInt>, _>(column(changes, |c| c.seq))
        .bind::<Array<Text>, _>(column(changes, |c| c.object_type))
        .bind::<Array<SqlUuid>, _>(column(changes, |c| c.object_id))
        .bind::<Array<Nullable<Text>>, _>(column(changes, |c| c.label.as_deref().map(without_nul)))
        .bind::<Array<Text>, _>(column(changes, |c| c.action))
        .bind::<Array<Nullable<Text>>, _>(column(changes, |c| c.reason))
        .bind::<Array<Bool>, _>(column(changes, |c| c.send))
        .bind::<Array<Nullable<Bytea>>, _>(column(changes, |c| c.hash.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(changes, |c| c.before.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(changes, |c| c.after.as_deref()))
        .execute(tx)
        .await?;
    Ok(())
}

/// PostgreSQL's text has no NUL character; JSON texts have it escaped, labels do not.
fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
}

/// Removes the changes of a run, so that its diff can begin anew.
pub async fn clear_changes(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    fence(tx, lease).await?;
    delete_changes(tx, lease.organization, lease.run, false).await
}

async fn delete_changes(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    unchanged_only: bool,
) -> Result<()> {
    let only = if unchanged_only { "AND action = 'unchanged'" } else { "" };
    diesel::sql_query(format!("DELETE FROM run_changes WHERE organization_id = $1 AND run_id = $2 {only}"))
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .execute(tx)
        .await?;
    Ok(())
}

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
    pub missing_reason: Option<String>,
    #[diesel(sql_type = Bool)]
    pub marked: bool,
}

/// Delivered objects of a type that the source does not have, after `after`, by id. The reason is what the run
/// found out now, else what an earlier one did.
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
            (SELECT s.data FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = '{run}'
                AND s.object_type = 'gone:' || $3 AND s.id = d.id), missing_reason) AS missing_reason
        FROM mirror_delivered d
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND ($4 IS NULL OR id > $4)
          AND NOT EXISTS (SELECT FROM {objects} o WHERE o.organization_id = $1 AND o.{key} = '{}'
            AND o.object_type IN ($3, 'stub:' || $3) AND o.id = d.id)
        ORDER BY id LIMIT $5",
        source.key()
    );
    join_in_bulk(tx).await?;
    delivered_page(tx, &query, organization, job, object_type, after, limit).await
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
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND ($4 IS NULL OR id > $4)
        ORDER BY id LIMIT $5";
    delivered_page(tx, PAGE, organization, job, object_type, after, limit).await
}

async fn delivered_page(
    tx: &mut Transaction,
    query: &str,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeliveredRow>> {
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Nullable<SqlUuid>, _>(after)
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
) -> Result<std::collections::HashMap<Uuid, String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = Text)]
        payload: String,
    }
    // One look at the index for each id, whatever the planner takes the table to hold.
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
) -> Result<std::collections::BTreeMap<String, u64>> {
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

/// A row of the outbox.
#[derive(QueryableByName, Clone, Debug)]
pub struct OutboxRow {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    pub object_type: String,
    #[diesel(sql_type = Text)]
    pub payload: String,
}

/// The next rows to send after `after`, in their order.
pub async fn outbox(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    job: JobId,
    after: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    const OUTBOX: &str = "
        SELECT c.seq, c.object_type, coalesce(c.after, (
            SELECT payload FROM mirror_delivered d WHERE d.organization_id = $1 AND d.job_id = $3
                AND d.object_type = c.object_type AND d.id = c.object_id)) AS payload FROM run_changes c
        WHERE c.organization_id = $1 AND c.run_id = $2 AND c.seq > $4 AND c.send
        ORDER BY c.seq LIMIT $5";
    Ok(diesel::sql_query(OUTBOX)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// How many rows of each type a run sends.
pub async fn outbox_counts(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
) -> Result<std::collections::BTreeMap<String, u64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: String,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const COUNTS: &str = "
        SELECT object_type, count(*) AS number FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND send GROUP BY object_type";
    let rows: Vec<Row> =
        diesel::sql_query(COUNTS).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(run.0).load(tx).await?;
    Ok(rows.into_iter().map(|row| (row.object_type, row.number.unsigned_abs())).collect())
}

/// Writes down as delivered what a run sent of the given types, counts what stayed missing, and forgets what
/// was removed. Fenced; at most once per run, because the run ends in the same transaction.
pub async fn settle(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    types: &[String],
    count_missing: bool,
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
    const SEEN_AGAIN: &str = "
        UPDATE mirror_delivered d SET missing_runs = 0, missing_reason = NULL
        WHERE organization_id = $1 AND job_id = $3 AND object_type = ANY($4) AND missing_runs > 0 AND NOT marked
          AND EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $3
            AND o.object_type IN (d.object_type, 'stub:' || d.object_type) AND o.id = d.id) AND $2 IS NOT NULL AND $5 IS NOT NULL";
    const MISSING: &str = "
        UPDATE mirror_delivered d SET missing_runs = missing_runs + 1, missing_reason = c.reason
        FROM run_changes c
        WHERE d.organization_id = $1 AND d.job_id = $3 AND d.object_type = ANY($4)
          AND c.organization_id = $1 AND c.run_id = $2 AND c.action = 'missing'
          AND c.object_type = d.object_type AND c.object_id = d.id AND $5 IS NOT NULL";
    const REMOVED: &str = "
        DELETE FROM mirror_delivered d USING run_changes c
        WHERE d.organization_id = $1 AND d.job_id = $3 AND $4 IS NOT NULL
          AND c.organization_id = $1 AND c.run_id = $2 AND c.action = 'remove' AND c.after = 'removed'
          AND c.object_type = d.object_type AND c.object_id = d.id AND $5 IS NOT NULL";
    fence(tx, lease).await?;
    join_in_bulk(tx).await?;
    let mut statements = vec![SENT, REMOVED];
    if count_missing {
        statements.extend([SEEN_AGAIN, MISSING]);
    }
    for statement in statements {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<SqlUuid, _>(job.0)
            .bind::<Array<Text>, _>(types)
            .bind::<Timestamptz, _>(now)
            .execute(tx)
            .await?;
    }
    delete_changes(tx, lease.organization, lease.run, true).await
}

/// Forgets what was delivered: another destination has nothing yet.
pub async fn forget(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    diesel::sql_query("DELETE FROM mirror_delivered WHERE organization_id = $1 AND job_id = $2")
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Marks removals as carried out in Assets, so that a crash does not repeat them.
pub async fn removal_done(tx: &mut Transaction, lease: &Lease, object_type: &str, ids: &[Uuid]) -> Result<()> {
    const DONE: &str = "
        UPDATE run_changes SET after = 'removed'
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND action = 'remove' AND object_id = ANY($4)";
    fence(tx, lease).await?;
    diesel::sql_query(DONE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx)
        .await?;
    Ok(())
}

/// Objects of a type that a run removed from Assets so far.
pub async fn removed(tx: &mut Transaction, organization: OrganizationId, run: RunId, object_type: &str) -> Result<u64> {
    use crate::db::schema::run_changes as c;
    let number: i64 = c::table
        .filter(c::organization_id.eq(organization.0))
        .filter(c::run_id.eq(run.0))
        .filter(c::object_type.eq(object_type))
        .filter(c::action.eq("remove"))
        .filter(c::after.eq("removed"))
        .count()
        .get_result(tx)
        .await?;
    Ok(number.unsigned_abs())
}

/// Removals of a run that are still to be carried out.
pub async fn removals(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    object_type: &str,
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        object_id: Uuid,
    }
    const REMOVALS: &str = "
        SELECT object_id FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND action = 'remove' AND after IS NULL
        ORDER BY seq";
    let rows: Vec<Row> = diesel::sql_query(REMOVALS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(object_type)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.object_id).collect())
}
