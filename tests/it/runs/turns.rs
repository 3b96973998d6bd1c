//! Whose run is claimed next: organizations take turns, then their connections, and people go before schedules.

use crate::support::postgres::connect;
use crate::support::world::{ORGANIZATION, World};
use chrono::TimeDelta;
use entra_assets::db::runs::{self, Claimant, Lease, NewRun};
use entra_assets::ids::{self, JobId, LeaseToken, OrganizationId, RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest, RunState};
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use std::time::Duration;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 1, users: 1, groups: 1, memberships: None, devices: None };
const PERSON: &str = "adminKey";
const SCHEDULE: &str = "schedule";

/// A queue whose runs are claimed and ended by hand.
struct Queue {
    world: World,
    superuser: tokio_postgres::Client,
}

impl Queue {
    async fn new() -> Self {
        let world = World::bare(SEED, AssetsOptions::default()).await;
        let superuser = connect(&world.database.urls.superuser).await;
        Self { world, superuser }
    }

    async fn add_organization(&self) -> OrganizationId {
        let id = OrganizationId(ids::new_v7(&self.world.clock));
        let row = format!(
            "INSERT INTO organizations (organization_id, name, created_at, updated_at) VALUES ('{}', 'Fabrikam', now(), now())",
            id.0
        );
        self.superuser.batch_execute(&row).await.unwrap();
        id
    }

    async fn add_connection(&self, organization: OrganizationId) -> Uuid {
        let id = ids::new_v7(&self.world.clock);
        let row = format!(
            "INSERT INTO connections (organization_id, id, name, tenant_id, client_id, cloud, credential_kind, created_at, \
             updated_at) VALUES ('{organization}', '{id}', 'Contoso', '{id}', '{id}', 'global', 'federated', now(), now())"
        );
        self.superuser.batch_execute(&row).await.unwrap();
        id
    }

    async fn add_job(&self, organization: OrganizationId, connection: Uuid) -> JobId {
        let id = JobId::new(&self.world.clock);
        let row = format!(
            "INSERT INTO jobs (organization_id, id, name, connection_id, objects, memberships, deliver, removal_policy, \
             removal_after_missing_runs, brake_percent, created_at, updated_at) VALUES ('{organization}', '{id}', 'Job', \
             '{connection}', '{{}}', 'onUser', 'full', 'keep', 3, 20, now(), now())"
        );
        self.superuser.batch_execute(&row).await.unwrap();
        id
    }

    /// Queues a run of a new job, a second after the one before.
    async fn queue(&self, organization: OrganizationId, connection: Uuid, requested_by: &str) -> RunId {
        self.world.clock.advance(Duration::from_secs(1));
        let (now, job) = (self.world.clock.now(), self.add_job(organization, connection).await);
        let (id, requested_by) = (RunId::new(&self.world.clock), requested_by.into());
        let new = NewRun { id, job, mode: RunMode::Full, request: RunRequest::default(), requested_by };
        let db = &self.world.app.db;
        db.scoped(organization, async |tx| runs::enqueue(tx, organization, &new, now).await).await.unwrap();
        id
    }

    async fn claim_by(&self, worker: WorkerId, capacity: u16) -> Option<Lease> {
        let (walk, token) = (&self.world.app.walk, LeaseToken::new(&self.world.clock));
        let by = Claimant { worker, walk, capacity, token };
        let (db, now) = (&self.world.app.db, self.world.clock.now());
        runs::claim(db, by, now, TimeDelta::hours(9)).await.unwrap().map(|(lease, _)| lease)
    }

    async fn claim(&self) -> Lease {
        self.claim_by(self.world.worker, 100).await.unwrap()
    }

    async fn end(&self, lease: Lease) {
        self.world.clock.advance(Duration::from_secs(1));
        let (db, now) = (&self.world.app.db, self.world.clock.now());
        let end = async |tx: &mut _| runs::finish(tx, &lease, RunState::Succeeded, None, now).await;
        db.scoped(lease.organization, end).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_with_many_runs_lets_the_others_go_first() {
    let queue = Queue::new().await;
    let few = queue.add_organization().await;
    let (many, connection) = (ORGANIZATION, queue.add_connection(ORGANIZATION).await);
    for _ in 0..6 {
        queue.queue(many, connection, SCHEDULE).await;
    }
    let connection = queue.add_connection(few).await;
    for _ in 0..2 {
        queue.queue(few, connection, SCHEDULE).await;
    }
    // One worker, one run at a time: they alternate.
    let mut order = Vec::new();
    for _ in 0..4 {
        let lease = queue.claim().await;
        order.push(lease.organization);
        queue.end(lease).await;
    }
    assert_eq!(order, [many, few, many, few]);
    // Many workers: a newcomer waits for nobody's end.
    queue.claim().await;
    queue.claim().await;
    let newcomer = queue.add_organization().await;
    let connection = queue.add_connection(newcomer).await;
    queue.queue(newcomer, connection, SCHEDULE).await;
    assert_eq!(queue.claim().await.organization, newcomer);
    assert_eq!(queue.claim().await.organization, many);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_an_organization_take_turns() {
    let queue = Queue::new().await;
    let (first, second) = (queue.add_connection(ORGANIZATION).await, queue.add_connection(ORGANIZATION).await);
    let mut of_first = Vec::new();
    for _ in 0..3 {
        of_first.push(queue.queue(ORGANIZATION, first, SCHEDULE).await);
    }
    let of_second = queue.queue(ORGANIZATION, second, SCHEDULE).await;
    let lease = queue.claim().await;
    assert_eq!(lease.run, of_first[0], "it has waited longest");
    queue.end(lease).await;
    let lease = queue.claim().await;
    assert_eq!(lease.run, of_second, "the first connection had its turn");
    assert_eq!(queue.claim().await.run, of_first[1]);
    assert_eq!(queue.claim().await.run, of_first[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_a_person_started_goes_before_schedules_that_did_not_wait_long() {
    let queue = Queue::new().await;
    let connection = queue.add_connection(ORGANIZATION).await;
    let other = queue.add_organization().await;
    let scheduled = queue.queue(ORGANIZATION, connection, SCHEDULE).await;
    let elsewhere = queue.add_connection(other).await;
    let repeated = queue.queue(other, elsewhere, "retry").await;
    let started = queue.queue(ORGANIZATION, connection, PERSON).await;
    let lease = queue.claim().await;
    assert_eq!(lease.run, started);
    queue.end(lease).await;
    let lease = queue.claim().await;
    assert_eq!(lease.run, repeated, "its organization was not served yet");
    queue.end(lease).await;

    // Whoever waits for ten minutes is not put off any longer.
    queue.world.clock.advance(Duration::from_secs(600));
    queue.queue(ORGANIZATION, connection, PERSON).await;
    assert_eq!(queue.claim().await.run, scheduled);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_does_not_get_all_workers_of_a_process_while_there_are_others() {
    let queue = Queue::new().await;
    let large = queue.add_connection(ORGANIZATION).await;
    for _ in 0..6 {
        queue.queue(ORGANIZATION, large, PERSON).await;
    }
    let (first, second) = (WorkerId::new(&queue.world.clock), WorkerId::new(&queue.world.clock));
    let other = queue.add_organization().await;
    let small = queue.add_connection(other).await;
    // A job that may be due at any moment.
    queue.add_job(other, small).await;
    assert!(queue.claim_by(first, 3).await.is_some());
    assert!(queue.claim_by(first, 3).await.is_some());
    assert!(queue.claim_by(first, 3).await.is_none(), "the last worker is kept for the others");
    assert!(queue.claim_by(second, 3).await.is_some(), "another process has workers of its own");
    assert!(queue.claim_by(WorkerId::new(&queue.world.clock), 1).await.is_some(), "a single worker serves everybody");
    let run = queue.queue(other, small, SCHEDULE).await;
    assert_eq!(queue.claim_by(first, 3).await.unwrap().run, run);
}

/// Forty runs of the first one were queued before.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_many_runs_does_not_hide_another_one_of_its_organization() {
    let queue = Queue::new().await;
    let (large, small) = (queue.add_connection(ORGANIZATION).await, queue.add_connection(ORGANIZATION).await);
    let first = queue.queue(ORGANIZATION, large, SCHEDULE).await;
    let second = queue.queue(ORGANIZATION, large, SCHEDULE).await;
    for _ in 0..38 {
        queue.queue(ORGANIZATION, large, SCHEDULE).await;
    }
    let of_small = [queue.queue(ORGANIZATION, small, SCHEDULE).await, queue.queue(ORGANIZATION, small, SCHEDULE).await];
    let (one, other) = (WorkerId::new(&queue.world.clock), WorkerId::new(&queue.world.clock));
    assert_eq!(queue.claim_by(one, 2).await.unwrap().run, first, "it has waited longest");
    assert_eq!(queue.claim_by(one, 2).await.unwrap().run, of_small[0], "the large one has all workers but one");
    assert_eq!(queue.claim_by(other, 100).await.unwrap().run, second, "both have one under way");
    assert_eq!(queue.claim_by(other, 100).await.unwrap().run, of_small[1], "the large one has two under way");
}

/// More than one claim looks at.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_organizations_each_has_its_turn_and_nobody_who_started_a_run_waits_for_it() {
    let queue = Queue::new().await;
    let mut waiting = Vec::new();
    for _ in 0..130 {
        let organization = queue.add_organization().await;
        let connection = queue.add_connection(organization).await;
        waiting.push((queue.queue(organization, connection, SCHEDULE).await, organization, connection));
    }
    let (longest, ..) = waiting[0];
    assert_eq!(queue.claim().await.run, longest);
    let (_, organization, connection) = waiting[129];
    let started = queue.queue(organization, connection, PERSON).await;
    assert_eq!(queue.claim().await.run, started);
    let mut claimed = vec![longest];
    while let Some(lease) = queue.claim_by(queue.world.worker, 100).await {
        claimed.push(lease.run);
    }
    claimed.sort_by_key(|run| run.0);
    let mut all: Vec<RunId> = waiting.into_iter().map(|(run, ..)| run).collect();
    all.sort_by_key(|run| run.0);
    assert_eq!(claimed, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_alone_gets_all_workers() {
    let queue = Queue::new().await;
    let connection = queue.add_connection(ORGANIZATION).await;
    for _ in 0..3 {
        queue.queue(ORGANIZATION, connection, PERSON).await;
        assert!(queue.claim_by(queue.world.worker, 3).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_worker_died_goes_before_runs_that_have_not_begun() {
    let queue = Queue::new().await;
    let connection = queue.add_connection(ORGANIZATION).await;
    let begun = queue.queue(ORGANIZATION, connection, SCHEDULE).await;
    assert_eq!(queue.claim().await.run, begun);
    let other = queue.add_organization().await;
    let elsewhere = queue.add_connection(other).await;
    queue.queue(other, elsewhere, PERSON).await;
    queue.world.clock.advance(Duration::from_secs(10 * 3_600));
    assert_eq!(queue.claim().await.run, begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_claim_at_the_same_moment_get_a_run_each() {
    let queue = Queue::new().await;
    let connection = queue.add_connection(ORGANIZATION).await;
    let mut queued = Vec::new();
    for _ in 0..8 {
        queued.push(queue.queue(ORGANIZATION, connection, SCHEDULE).await);
    }
    let claims = futures_util::future::join_all((0..8).map(|_| queue.claim())).await;
    let mut claimed: Vec<RunId> = claims.into_iter().map(|lease| lease.run).collect();
    claimed.sort_by_key(|run| run.0);
    queued.sort_by_key(|run| run.0);
    assert_eq!(claimed, queued);
}
