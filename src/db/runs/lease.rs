//! The lease of a run: its worker renews it, stores its progress under it, and releases it or ends the run.

use super::end::end;
use super::history::add_event;
use crate::db::listen::{RUNS, notify};
use crate::db::schema::runs;
use crate::db::{Db, Transaction, webhooks};
use crate::error::{Code, Error, Result};
use crate::ids::{LeaseToken, OrganizationId, RunId};
use crate::run_state::event::StateData;
use crate::run_state::{Counts, RunError, RunStage, RunState, RunWarning, WaitReason};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

/// A claim on a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lease {
    pub organization: OrganizationId,
    pub run: RunId,
    pub token: LeaseToken,
}

/// Stores how far the run is when an attempt begins. Returns how many attempts in a row before it ended with their process
/// and made no progress: no page, no checkpoint, and no chunk that Assets took.
pub async fn note_reached(tx: &mut Transaction, lease: &Lease) -> Result<i32> {
    const REACHED: &str = "
        WITH reached AS (SELECT concat_ws(' ',
            (SELECT md5(checkpoint::text) FROM runs WHERE organization_id = $1 AND id = $2),
            (SELECT sum(pages) FROM run_cursors WHERE organization_id = $1 AND run_id = $2),
            (SELECT concat(count(*), ' ', sum(chunks), ' ', count(result)) FROM executions
                WHERE organization_id = $1 AND run_id = $2)) AS now)
        UPDATE runs SET reached = now,
            attempts_in_vain = CASE WHEN runs.reached = now THEN attempts_in_vain ELSE 0 END
        FROM reached WHERE organization_id = $1 AND id = $2 AND lease_token = $3
        RETURNING attempts_in_vain AS number";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        number: i32,
    }
    let row: Option<Row> = diesel::sql_query(REACHED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(lease.token.0)
        .get_result(tx)
        .await
        .optional()?;
    row.map(|row| row.number).ok_or_else(|| lease_lost(lease))
}

/// The leases of processes that died: nobody holds their locks any more. Across organizations.
///
/// `own`: the lock of this process, which need not be looked at.
pub async fn abandoned(db: &Db, own: i64, now: DateTime<Utc>) -> Result<Vec<LeaseToken>> {
    // The locks are tried only for what the first step takes. What is got is freed when the transaction ends.
    const ABANDONED: &str = "
        WITH held AS MATERIALIZED (
            SELECT runs.lease_token, workers.presence FROM runs JOIN workers ON workers.id = runs.worker_id
            WHERE runs.state = 'running' AND runs.finished_at IS NULL AND runs.lease_expires_at > $2
                AND workers.presence <> $1)
        SELECT lease_token AS token FROM held WHERE pg_try_advisory_xact_lock(presence)";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        token: Uuid,
    }
    db.system(async |tx| {
        let query = diesel::sql_query(ABANDONED).bind::<BigInt, _>(own).bind::<Timestamptz, _>(now);
        let rows: Vec<Row> = query.load(tx).await?;
        Ok(rows.into_iter().map(|row| LeaseToken(row.token)).collect())
    })
    .await
}

/// Ends these leases, so that the next worker claims the runs at once. Returns how many still existed.
pub async fn end_leases(db: &Db, tokens: &[LeaseToken], now: DateTime<Utc>) -> Result<usize> {
    let tokens: Vec<Uuid> = tokens.iter().map(|token| token.0).collect();
    db.system(async move |tx| {
        let held = runs::table.filter(runs::lease_token.eq_any(tokens).and(runs::finished_at.is_null()));
        let ended = diesel::update(held).set(runs::lease_expires_at.eq(now)).execute(tx).await?;
        if ended > 0 {
            notify(tx, RUNS, "").await?;
        }
        Ok(ended)
    })
    .await
}

/// The result of renewing a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Renewed {
    pub cancel_requested: bool,
}

/// Extends a lease. The error is `lease_lost` if another process has the run.
pub async fn renew(db: &Db, lease: &Lease, until: DateTime<Utc>) -> Result<Renewed> {
    let lease = *lease;
    db.scoped(lease.organization, async move |tx| {
        let requested: Option<Option<DateTime<Utc>>> = diesel::update(held(&lease))
            .set(runs::lease_expires_at.eq(until))
            .returning(runs::cancel_requested_at)
            .get_result(tx)
            .await
            .optional()?;
        let requested = requested.ok_or_else(|| lease_lost(&lease))?;
        Ok(Renewed { cancel_requested: requested.is_some() })
    })
    .await
}

/// The first statement of every transaction in which the holder of a lease writes. It fails if the lease is lost, and
/// prevents others from claiming the run until the transaction ends (a claim skips locked rows). It does not block notes
/// and renewals of the same holder: a key share lock permits changes to other columns.
pub async fn fence(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    let held: Option<Uuid> = runs::table
        .find((lease.organization.0, lease.run.0))
        .filter(runs::lease_token.eq(lease.token.0))
        .for_key_share()
        .select(runs::id)
        .first(tx)
        .await
        .optional()?;
    held.map(|_| ()).ok_or_else(|| lease_lost(lease))
}

#[diesel::dsl::auto_type]
fn held(lease: &Lease) -> _ {
    let organization: Uuid = lease.organization.0;
    let run: Uuid = lease.run.0;
    let token: Uuid = lease.token.0;
    runs::table.filter(runs::organization_id.eq(organization).and(runs::id.eq(run)).and(runs::lease_token.eq(token)))
}

fn lease_lost(lease: &Lease) -> Error {
    Error::new(Code::LeaseLost, format!("Another process executes run {} now.", lease.run))
}

/// What a worker stores while it executes a run; `None` leaves a column unchanged.
#[derive(Default)]
pub struct Note<'a> {
    pub stage: Option<RunStage>,
    pub checkpoint: Option<&'a Value>,
    pub progress: Option<&'a Value>,
    pub counts: Option<&'a Counts>,
    pub warnings: Option<&'a [RunWarning]>,
    /// Whether the run will end as `degraded`.
    pub degraded: Option<bool>,
}

/// Stores the progress of the run. Fenced.
pub async fn note(tx: &mut Transaction, lease: &Lease, note: &Note<'_>, now: DateTime<Utc>) -> Result<()> {
    const NOTE: &str = "
        UPDATE runs SET stage = coalesce($4, stage), checkpoint = coalesce($5, checkpoint),
            progress = coalesce($6, progress), counts = coalesce($7, counts), warnings = coalesce($8, warnings),
            updated_at = $9, degraded = coalesce($10, degraded)
        WHERE organization_id = $1 AND id = $2 AND lease_token = $3";
    let json = |value: Option<serde_json::Result<Value>>| value.transpose().map_err(Error::internal);
    let counts = json(note.counts.map(serde_json::to_value))?;
    let warnings = json(note.warnings.map(serde_json::to_value))?;
    let changed = diesel::sql_query(NOTE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(lease.token.0)
        .bind::<Nullable<Text>, _>(note.stage)
        .bind::<Nullable<Jsonb>, _>(note.checkpoint)
        .bind::<Nullable<Jsonb>, _>(note.progress)
        .bind::<Nullable<Jsonb>, _>(counts)
        .bind::<Nullable<Jsonb>, _>(warnings)
        .bind::<Timestamptz, _>(now)
        .bind::<Nullable<Bool>, _>(note.degraded)
        .execute(tx)
        .await?;
    if changed == 1 { Ok(()) } else { Err(lease_lost(lease)) }
}

/// Ends a run that this lease holds.
pub async fn finish(
    tx: &mut Transaction,
    lease: &Lease,
    state: RunState,
    error: Option<&RunError>,
    now: DateTime<Utc>,
) -> Result<()> {
    fence(tx, lease).await?;
    end(tx, lease.organization, lease.run, state, error, now).await
}

/// Whether somebody has cancelled the run. Nobody else can until the transaction ends: whoever wants to finds what it
/// stores.
pub async fn is_cancel_requested(tx: &mut Transaction, lease: &Lease) -> Result<bool> {
    let requested: Option<Option<DateTime<Utc>>> =
        held(lease).for_update().select(runs::cancel_requested_at).first(tx).await.optional()?;
    Ok(requested.ok_or_else(|| lease_lost(lease))?.is_some())
}

/// Lets the run wait for approval: it has no lease until somebody approves or cancels it, or until `expires_at`.
pub async fn await_approval(
    tx: &mut Transaction,
    lease: &Lease,
    detail: &Value,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = diesel::update(held(lease))
        .set((
            runs::state.eq(RunState::AwaitingApproval),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::approval_expires_at.eq(expires_at),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    if changed != 1 {
        return Err(lease_lost(lease));
    }
    let stopped = StateData { brake: Some(detail.clone()), ..StateData::new(RunState::AwaitingApproval) };
    add_event(tx, lease.organization, lease.run, &stopped.into(), now).await?;
    webhooks::announce_run(tx, lease.organization, lease.run, RunState::AwaitingApproval, now).await
}

/// Returns a run to the queue, to be claimed again from `run_after` on.
pub async fn release(
    tx: &mut Transaction,
    lease: &Lease,
    run_after: DateTime<Utc>,
    wait_reason: Option<WaitReason>,
    now: DateTime<Utc>,
) -> Result<()> {
    let changed = diesel::update(held(lease))
        .set((
            runs::state.eq(RunState::Queued),
            runs::lease_token.eq(None::<Uuid>),
            runs::lease_expires_at.eq(None::<DateTime<Utc>>),
            runs::run_after.eq(run_after),
            runs::wait_reason.eq(wait_reason),
            runs::version.eq(runs::version + 1),
            runs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    if changed != 1 {
        return Err(lease_lost(lease));
    }
    let queued =
        StateData { wait_reason: Some(wait_reason), run_after: Some(run_after), ..StateData::new(RunState::Queued) };
    add_event(tx, lease.organization, lease.run, &queued.into(), now).await?;
    notify(tx, RUNS, "").await
}
