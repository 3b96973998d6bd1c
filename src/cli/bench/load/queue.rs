//! How soon a queued run starts, and how many runs a second are claimed.

use super::super::runs::Job;
use super::drive::percentile;
use super::figure::Figure;
use crate::audit::Actor;
use crate::clock::Clock;
use crate::db::runs::{self, Claimant, NewRun, Walk};
use crate::db::{Db, organizations};
use crate::error::Error;
use crate::ids::{ConnectionId, JobId, LeaseToken, OrganizationId, RunId, WorkerId};
use crate::run_state::{RunMode, RunRequest, RunState};
use anyhow::{Context, Result};
use chrono::TimeDelta;
use diesel::sql_types::{Integer, Uuid as SqlUuid};
use diesel_async::RunQueryDsl as _;
use futures_util::future::try_join_all;
use std::time::Duration;
use uuid::Uuid;

/// Runs whose wait for a worker is measured.
const STARTS: usize = 100;
/// Organizations that wait, each with as many runs.
const ORGANIZATIONS: usize = 100;
const RUNS_OF_EACH: i32 = 100;
/// Claims of each measurement.
const CLAIMS: usize = 1_600;
const CLAIMERS: [usize; 3] = [1, 4, 16];

/// From the request to the start of a run, while the service does nothing else: by the times of its record.
pub(super) async fn until_started(job: &Job) -> Result<Vec<Figure>> {
    let mut waits = Vec::new();
    for _ in 0..STARTS {
        waits.push(job.wait_of_a_small_run().await?);
    }
    let milliseconds = |percent| percentile(waits.clone(), percent).map(|wait| wait.as_secs_f64() * 1_000.0);
    Ok(vec![
        Figure::new("enqueue to start, idle: median", "ms", milliseconds(50).context("no run")?),
        Figure::new("enqueue to start, idle: p99", "ms", milliseconds(99).context("no run")?),
    ])
}

/// Claims with 10,000 runs of 100 organizations queued. Each run is ended after its claim, so that as many work at the
/// same time as there are claimers; that is part of the measured time.
pub(super) async fn claims(db: &Db) -> Result<Vec<Figure>> {
    let clock = Clock::system();
    for _ in 0..ORGANIZATIONS {
        fill(db, &clock).await?;
    }
    let mut figures = Vec::new();
    for claimers in CLAIMERS {
        let started = clock.instant();
        let took = try_join_all((0..claimers).map(|_| claim_and_end(db, &clock, CLAIMS / claimers))).await?.concat();
        let seconds = clock.elapsed_since(started).as_secs_f64();
        let p99 = percentile(took.clone(), 99).context("nothing was claimed")?;
        let what = |of: &str| format!("10,000 queued, {claimers} claimers: {of}");
        figures.push(Figure::new(
            what("claims a second, with the end of each run"),
            "1/s",
            took.len() as f64 / seconds,
        ));
        figures.push(Figure::new(what("p99 of a claim"), "ms", p99.as_secs_f64() * 1_000.0));
    }
    Ok(figures)
}

/// How long each claim took.
async fn claim_and_end(db: &Db, clock: &Clock, number: usize) -> Result<Vec<Duration>> {
    let (mut took, walk) = (Vec::new(), Walk::default());
    for _ in 0..number {
        let (worker, token) = (WorkerId::new(clock), LeaseToken::new(clock));
        let by = Claimant { worker, walk: &walk, capacity: 4, token };
        let started = clock.instant();
        let (lease, _) = runs::claim(db, by, clock.now(), TimeDelta::minutes(5)).await?.context("nothing to claim")?;
        took.push(clock.elapsed_since(started));
        let now = clock.now();
        db.scoped(lease.organization, async |tx| runs::finish(tx, &lease, RunState::Cancelled, None, now).await)
            .await?;
    }
    Ok(took)
}

/// An organization with a connection, jobs and a queued run of each.
async fn fill(db: &Db, clock: &Clock) -> Result<()> {
    const CONNECTION: &str = "
        INSERT INTO connections (organization_id, id, name, tenant_id, client_id, cloud, credential_kind, created_at,
            updated_at)
        VALUES ($1, $2, 'Bench', $2, $2, 'global', 'federated', now(), now())";
    const JOBS: &str = "
        INSERT INTO jobs (organization_id, id, name, connection_id, objects, memberships, deliver, removal_policy,
            removal_after_missing_runs, brake_percent, created_at, updated_at)
        SELECT $1, gen_random_uuid(), 'Job ' || number, $2, '{}', 'onUser', 'full', 'keep', 3, 20, now(), now()
        FROM generate_series(1, $3) number
        RETURNING id";
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let (organization, connection) = (OrganizationId::new(clock), ConnectionId::new(clock));
    let new = organizations::NewOrganizationRow { name: "Bench".to_owned(), external_id: None };
    let now = clock.now();
    db.scoped(organization, async |tx| {
        organizations::insert(tx, organization, &new, now).await?;
        let query = diesel::sql_query(CONNECTION).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(connection.0);
        query.execute(tx).await?;
        let query = diesel::sql_query(JOBS)
            .bind::<SqlUuid, _>(organization.0)
            .bind::<SqlUuid, _>(connection.0)
            .bind::<Integer, _>(RUNS_OF_EACH);
        let jobs: Vec<Row> = query.load(tx).await?;
        for job in jobs {
            let (id, requested_by) = (RunId::new(clock), Actor::AdminKey);
            let (mode, request) = (RunMode::Full, RunRequest::default());
            runs::enqueue(tx, organization, &NewRun { id, job: JobId(job.id), mode, request, requested_by }, now)
                .await?;
        }
        Ok::<_, Error>(())
    })
    .await?;
    Ok(())
}
