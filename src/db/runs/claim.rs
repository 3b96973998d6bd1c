//! Which run a worker gets next. The turn goes to an organization first and then to a connection of it, so that nobody
//! waits until all runs of somebody else are over: whoever has the fewest runs under way is next, then whoever was not
//! served for the longest time. Of equals, runs that a person started go before those of schedules.
//!
//! Each claim looks at the next few organizations that wait, at those of the runs of people that have waited longest, and at
//! the first runs of the one whose turn it is, so what is asked does not grow with all that waits.

use super::history::add_event;
use super::lease::Lease;
use super::row::RunRow;
use crate::db::{Db, Transaction, webhooks};
use crate::error::Result;
use crate::ids::{LeaseToken, OrganizationId, WorkerId};
use crate::run_state::RunState;
use crate::run_state::event::StateData;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// A scheduled run that has waited for so long is as urgent as one that a person started, so that it is not put off for
/// ever.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// When a connection was served last is looked for so far back.
const MEMORY: TimeDelta = TimeDelta::hours(6);
/// Organizations that are tried in one claim, and runs of each connection. Later ones get their turn only if workers take
/// all of the earlier ones at this very moment.
const MAX_TRIED: i64 = 32;
/// Runs of one organization among which its connections are looked for. A connection whose first run is behind so many of
/// others waits until some of these have started.
const MAX_LOOKED_AT: i64 = 256;
/// Organizations that one claim looks at on its walk; and runs that people started.
const WINDOW: i64 = 64;

/// Where the claims of a process are on their walk through the organizations that wait. Cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Walk(Arc<Mutex<Uuid>>);

impl Walk {
    /// The organization that was looked at last.
    fn place(&self) -> Uuid {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_to(&self, place: Uuid) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// Who claims a run, and the token of the lease that it gets.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    pub worker: WorkerId,
    /// Shared by all workers of the process.
    pub walk: &'a Walk,
    /// How many runs this worker executes at the same time.
    pub capacity: u16,
    pub token: LeaseToken,
}

/// Claims the run whose turn it is: queued and due, or running with an expired lease. Across organizations. A run whose
/// lease expired goes before all others, because its turn has begun.
pub async fn claim(
    db: &Db,
    by: Claimant<'_>,
    now: DateTime<Utc>,
    lease_for: TimeDelta,
) -> Result<Option<(Lease, RunRow)>> {
    db.system(async |tx| {
        for organization in whose_turn(tx, by.walk, now).await? {
            let Some(run) = claim_of(tx, organization, by, now, lease_for).await? else { continue };
            let lease = Lease { organization, run: run.run_id(), token: by.token };
            let running = StateData { attempt: Some(run.attempt), ..StateData::new(RunState::Running) };
            add_event(tx, organization, lease.run, &running.into(), now).await?;
            if run.attempt == 1 {
                webhooks::announce_run(tx, organization, lease.run, RunState::Running, now).await?;
            }
            return Ok(Some((lease, run)));
        }
        Ok(None)
    })
    .await
}

/// The organizations that have a run to claim, in the order of their turns: of those that wait, the next ones on the walk
/// and those of the [`WINDOW`] runs of people that have waited longest; and all that have a run whose lease expired. While
/// not more than [`WINDOW`] wait, these are all of them. Of more, each is looked at once in a walk.
async fn whose_turn(tx: &mut Transaction, walk: &Walk, now: DateTime<Utc>) -> Result<Vec<OrganizationId>> {
    // The walk goes on from $4, and around from the first one up to there: one look into an index for each organization.
    // The first run of each is the one that a person started, else the one that has waited longest.
    const TURNS: &str = "
        WITH RECURSIVE ahead AS (
            SELECT $4::uuid AS organization_id, 0::bigint AS place
            UNION ALL
            SELECT next.organization_id, place + 1 FROM ahead CROSS JOIN LATERAL (
                SELECT organization_id FROM runs WHERE state = 'queued' AND run_after <= $1
                    AND organization_id > ahead.organization_id ORDER BY organization_id LIMIT 1) next
            WHERE place < $5
        ), around AS (
            SELECT $6::uuid AS organization_id, max(place) AS place FROM ahead
            UNION ALL
            SELECT next.organization_id, place + 1 FROM around CROSS JOIN LATERAL (
                SELECT organization_id FROM runs WHERE state = 'queued' AND run_after <= $1
                    AND organization_id > around.organization_id AND organization_id <= $4
                ORDER BY organization_id LIMIT 1) next
            WHERE place < $5
        ), walk AS MATERIALIZED (
            SELECT organization_id, place FROM ahead WHERE place > 0
            UNION ALL SELECT organization_id, place FROM around WHERE organization_id > $6
        ), of_people AS (
            SELECT organization_id FROM runs WHERE state = 'queued' AND run_after <= $1
                AND NOT (approved_at IS NULL AND requested_by IN ('schedule', 'retry'))
            ORDER BY run_after LIMIT $5
        ), running AS MATERIALIZED (
            SELECT organization_id, count(*) FILTER (WHERE lease_expires_at > $1) AS number,
                bool_or(lease_expires_at <= $1) AS has_orphan
            FROM runs WHERE state = 'running' AND finished_at IS NULL GROUP BY organization_id
        ), either AS (
            SELECT organization_id FROM walk UNION SELECT organization_id FROM of_people
            UNION SELECT organization_id FROM running WHERE has_orphan
        )
        SELECT either.organization_id, (SELECT organization_id FROM walk ORDER BY place DESC LIMIT 1) AS walked_to
        FROM either
        LEFT JOIN running USING (organization_id)
        LEFT JOIN LATERAL (
            SELECT run_after, run_after <= $2
                OR NOT (approved_at IS NULL AND requested_by IN ('schedule', 'retry')) AS is_urgent
            FROM runs WHERE organization_id = either.organization_id AND state = 'queued' AND run_after <= $1
            ORDER BY (approved_at IS NULL AND requested_by IN ('schedule', 'retry')), run_after LIMIT 1
        ) first ON true
        LEFT JOIN LATERAL (
            SELECT max(started_at) AS at FROM runs WHERE organization_id = either.organization_id
        ) served ON true
        ORDER BY coalesce(has_orphan, false) DESC, coalesce(number, 0), first.is_urgent DESC NULLS LAST,
            served.at NULLS FIRST, first.run_after, either.organization_id
        LIMIT $3";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        organization_id: Uuid,
        #[diesel(sql_type = Nullable<SqlUuid>)]
        walked_to: Option<Uuid>,
    }
    let query = diesel::sql_query(TURNS)
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(now - PATIENCE)
        .bind::<BigInt, _>(MAX_TRIED)
        .bind::<SqlUuid, _>(walk.place())
        .bind::<BigInt, _>(WINDOW)
        .bind::<SqlUuid, _>(Uuid::nil());
    let rows: Vec<Row> = query.load(tx).await?;
    if let Some(place) = rows.iter().find_map(|row| row.walked_to) {
        walk.go_to(place);
    }
    Ok(rows.into_iter().map(|row| OrganizationId(row.organization_id)).collect())
}

/// Claims a run of one organization, in the order of its connections' turns. `None`: other workers take its runs at this
/// moment, or the connection already has all workers of this process but one, which is kept for the jobs of others.
async fn claim_of(
    tx: &mut Transaction,
    organization: OrganizationId,
    by: Claimant<'_>,
    now: DateTime<Utc>,
    lease_for: TimeDelta,
) -> Result<Option<RunRow>> {
    // The conditions of `waiting` are repeated for the row that is locked: PostgreSQL checks them again on its newest
    // version, which another worker may have claimed meanwhile.
    //
    // Whose connection a run is of is looked up run by run, whatever the planner estimates. With one connection there is
    // nothing to look for behind its first runs.
    const CLAIM: &str = "
        WITH due AS MATERIALIZED (
            SELECT id, run_after, approved_at IS NULL AND requested_by IN ('schedule', 'retry') AS is_scheduled,
                (SELECT connection_id FROM jobs WHERE organization_id = $5 AND jobs.id = runs.job_id) AS connection_id
            FROM runs WHERE organization_id = $5 AND state = 'queued' AND run_after <= $4
            ORDER BY (approved_at IS NULL AND requested_by IN ('schedule', 'retry')), run_after
            LIMIT CASE (SELECT count(*) FROM connections WHERE organization_id = $5) WHEN 1 THEN $9 ELSE $10 END
        ), in_line AS (
            SELECT due.*, row_number() OVER (PARTITION BY connection_id ORDER BY is_scheduled, run_after) AS place FROM due
        ), waiting AS MATERIALIZED (
            SELECT id, connection_id, run_after, false AS is_orphan, run_after <= $7 OR NOT is_scheduled AS is_urgent
            FROM in_line WHERE place <= $9
            UNION ALL
            SELECT id, (SELECT connection_id FROM jobs WHERE organization_id = $5 AND jobs.id = runs.job_id), run_after,
                true, true
            FROM runs WHERE organization_id = $5 AND state = 'running' AND lease_expires_at <= $4
        ), running AS MATERIALIZED (
            SELECT job.connection_id, count(*) AS number, count(*) FILTER (WHERE worker_id = $2) AS here
            FROM runs JOIN jobs job ON job.organization_id = $5 AND job.id = runs.job_id
            WHERE runs.organization_id = $5 AND state = 'running' AND lease_expires_at > $4
            GROUP BY job.connection_id
        ), served AS MATERIALIZED (
            SELECT job.connection_id, max(recent.started_at) AS at FROM (
                SELECT job_id, started_at FROM runs WHERE organization_id = $5 AND started_at > $8
                ORDER BY started_at DESC LIMIT 32) recent
            JOIN jobs job ON job.organization_id = $5 AND job.id = recent.job_id GROUP BY job.connection_id
        ), next AS (
            SELECT run.id FROM waiting
            JOIN runs run ON run.organization_id = $5 AND run.id = waiting.id
            LEFT JOIN running ON running.connection_id = waiting.connection_id
            LEFT JOIN served ON served.connection_id = waiting.connection_id
            WHERE run.run_after <= $4
              AND (run.state = 'queued' OR (run.state = 'running' AND run.lease_expires_at <= $4))
              AND (is_orphan OR $6 = 1 OR coalesce(here, 0) < $6 - 1
                OR NOT EXISTS (SELECT FROM jobs other WHERE other.deleting_at IS NULL
                    AND (other.organization_id <> $5 OR other.connection_id <> waiting.connection_id)))
            ORDER BY is_orphan DESC, coalesce(number, 0), is_urgent DESC, served.at NULLS FIRST, waiting.run_after
            LIMIT 1 FOR UPDATE OF run SKIP LOCKED
        )
        UPDATE runs SET state = 'running', lease_token = $1, worker_id = $2, lease_expires_at = $3,
            attempt = attempt + 1,
            attempts_in_vain = CASE WHEN state = 'running' THEN attempts_in_vain + 1 ELSE 0 END,
            started_at = coalesce(started_at, $4), wait_reason = NULL, version = version + 1, updated_at = $4
        WHERE organization_id = $5 AND id = (SELECT id FROM next)
        RETURNING *";
    let claimed = diesel::sql_query(CLAIM)
        .bind::<SqlUuid, _>(by.token.0)
        .bind::<SqlUuid, _>(by.worker.0)
        .bind::<Timestamptz, _>(now + lease_for)
        .bind::<Timestamptz, _>(now)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<BigInt, _>(i64::from(by.capacity))
        .bind::<Timestamptz, _>(now - PATIENCE)
        .bind::<Timestamptz, _>(now - MEMORY)
        .bind::<BigInt, _>(MAX_TRIED)
        .bind::<BigInt, _>(MAX_LOOKED_AT)
        .get_result(tx)
        .await
        .optional()?;
    Ok(claimed)
}
