//! The changes of a run as the outbox of its delivery: rows of `run_changes` with `send` are sent in their order.

use super::super::lost_writes::lost;
use crate::change::REMOVED;
use crate::db::runs::{Lease, fence};
use crate::db::schema::run_changes;
use crate::db::{Transaction, may_be_lost};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{ChangeAction, ChangeReason};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A row for `run_changes`.
#[derive(Clone, Debug)]
pub struct NewChange {
    pub seq: i64,
    pub object_type: ObjectType,
    pub object_id: Uuid,
    pub label: Option<String>,
    pub action: ChangeAction,
    pub reason: Option<ChangeReason>,
    pub send: bool,
    pub hash: Option<Vec<u8>>,
    pub before: Option<String>,
    /// `None` in a row to send: the payload that was delivered before.
    pub after: Option<String>,
    /// Of an object that is gone: an earlier run found it missing already.
    pub missing_before: bool,
}

/// Stores the next changes of a run. Fenced.
pub async fn add_changes(tx: &mut Transaction, lease: &Lease, changes: &[NewChange]) -> Result<()> {
    const ADD: &str = "
        INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, label, action, reason, send,
            hash, before, after, missing_before)
        SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
            $9::bool[], $10::bytea[], $11::text[], $12::text[], $13::bool[])";
    fence(tx, lease).await?;
    may_be_lost(tx).await?;
    check_changes(tx, lease, changes.first().map_or(0, |first| first.seq - 1)).await?;
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
        .bind::<Array<Bool>, _>(column(changes, |c| c.missing_before))
        .execute(tx)
        .await?;
    Ok(())
}

/// Makes sure that the change of this number is there, and so all before it: they do not wait for the disk, and a crash of the
/// database takes back the last of them. In a transaction that waits, they are on the disk when it ends. Callers have fenced.
pub async fn check_changes(tx: &mut Transaction, lease: &Lease, seq: i64) -> Result<()> {
    let change = run_changes::table.find((lease.organization.0, lease.run.0, seq)).select(run_changes::seq);
    let is_there = seq == 0 || change.first::<i64>(tx).await.optional()?.is_some();
    if is_there { Ok(()) } else { Err(lost()) }
}

/// PostgreSQL's text cannot contain NUL. It is escaped in JSON, but not in labels.
fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
}

/// Deletes the changes of a run, so that its diff can start again.
pub async fn clear_changes(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    fence(tx, lease).await?;
    diesel::sql_query("DELETE FROM run_changes WHERE organization_id = $1 AND run_id = $2")
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// A row of the outbox.
#[derive(QueryableByName, Clone, Debug)]
pub struct OutboxRow {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    pub object_type: ObjectType,
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
) -> Result<BTreeMap<ObjectType, u64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: ObjectType,
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

/// Marks removals as done in Assets, so that they are not repeated after a crash.
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

/// The number of a type's objects that a run has removed from Assets.
pub async fn removed(tx: &mut Transaction, organization: OrganizationId, run: RunId, object_type: &str) -> Result<u64> {
    let number: i64 = run_changes::table
        .filter(run_changes::organization_id.eq(organization.0))
        .filter(run_changes::run_id.eq(run.0))
        .filter(run_changes::object_type.eq(object_type))
        .filter(run_changes::action.eq(ChangeAction::Remove))
        .filter(run_changes::after.eq(REMOVED))
        .count()
        .get_result(tx)
        .await?;
    Ok(number.unsigned_abs())
}

/// The removals of a run that are still to be done.
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
