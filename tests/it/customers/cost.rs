//! What the service reads when it looks for work depends on who waits, not on how much waits nor on what has been. The
//! statistics of the database are from a moment at which nothing waited, as they are in a queue that is mostly empty.

use crate::support::postgres::connect;
use crate::support::world::World;
use chrono::TimeDelta;
use entra_assets::app::App;
use entra_assets::db::runs::{self, Claimant, Lease};
use entra_assets::db::{executions, webhooks};
use entra_assets::ids::{JobId, LeaseToken, OrganizationId, RunId};
use entra_assets::runs::scheduler;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 1, users: 1, groups: 1, memberships: None, devices: None };
/// A time that the clock of a world has passed, and that is not past any retention.
const BEFORE: &str = "(to_timestamp(1780300000) - interval '1 hour')";

/// A database of organizations that are made by hand.
struct Office {
    world: World,
    superuser: Client,
}

impl Office {
    /// So many organizations with as many jobs and a webhook each.
    async fn with(organizations: u32, jobs: u32) -> Self {
        let world = World::bare(SEED, AssetsOptions::default()).await;
        let superuser = connect(&world.database.urls.superuser).await;
        let rows = format!(
            "INSERT INTO organizations (organization_id, name, created_at, updated_at)
                SELECT gen_random_uuid(), 'Customer', {BEFORE}, {BEFORE} FROM generate_series(1, {organizations});
             INSERT INTO connections (organization_id, id, name, tenant_id, client_id, cloud, credential_kind, created_at,
                    updated_at)
                SELECT organization_id, gen_random_uuid(), 'Contoso', 't', gen_random_uuid(), 'global', 'federated',
                    {BEFORE}, {BEFORE} FROM organizations WHERE name = 'Customer';
             INSERT INTO jobs (organization_id, id, name, connection_id, objects, memberships, deliver, removal_policy,
                    removal_after_missing_runs, brake_percent, created_at, updated_at)
                SELECT organization_id, gen_random_uuid(), 'Job', id, '{{}}', 'onUser', 'full', 'keep', 3, 20, {BEFORE},
                    {BEFORE} FROM connections, generate_series(1, {jobs});
             INSERT INTO webhooks (organization_id, id, name, url, events, enabled, created_at, updated_at)
                SELECT organization_id, gen_random_uuid(), 'Chat', 'https://chat.example', '{{succeeded}}', true,
                    {BEFORE}, {BEFORE} FROM connections;
             ANALYZE"
        );
        superuser.batch_execute(&rows).await.unwrap();
        Self { world, superuser }
    }

    async fn execute(&self, statement: &str) {
        self.superuser.batch_execute(statement).await.unwrap();
    }

    async fn number(&self, query: &str) -> i64 {
        self.superuser.query_one(&format!("SELECT ({query})::bigint"), &[]).await.unwrap().get(0)
    }

    /// A run of each job that has none, due since `BEFORE`.
    async fn queue(&self, jobs_of_each: u32) {
        self.execute(&format!(
            "INSERT INTO runs (organization_id, id, job_id, mode, request, requested_by, state, run_after, queued_at,
                updated_at)
             SELECT organization_id, gen_random_uuid(), id, 'full', '{{}}', 'schedule', 'queued', {BEFORE}, {BEFORE}, {BEFORE}
             FROM (SELECT organization_id, id, row_number() OVER (PARTITION BY organization_id) AS place FROM jobs
                WHERE NOT EXISTS (SELECT FROM runs WHERE organization_id = jobs.organization_id AND job_id = jobs.id)) free
             WHERE place <= {jobs_of_each}"
        ))
        .await;
    }

    async fn announce(&self, of_each: u32) {
        self.execute(&format!(
            "INSERT INTO webhook_deliveries (organization_id, id, webhook_id, body, event, run_after, created_at)
             SELECT organization_id, gen_random_uuid(), id, '{{}}', 'succeeded', {BEFORE}, {BEFORE}
             FROM webhooks, generate_series(1, {of_each})"
        ))
        .await;
    }

    /// So many runs of each job that ended at `at`, each with what a run leaves behind.
    async fn live(&self, runs: u32, at: &str) {
        self.execute(&format!(
            "WITH ended AS (
                INSERT INTO runs (organization_id, id, job_id, mode, request, requested_by, state, run_after, queued_at,
                    started_at, finished_at, last_event_id, updated_at)
                SELECT organization_id, gen_random_uuid(), id, 'full', '{{}}', 'schedule', 'succeeded', {at}, {at}, {at}, {at},
                    1, {at} FROM jobs, generate_series(1, {runs})
                RETURNING organization_id, id),
             events AS (
                INSERT INTO run_events SELECT organization_id, id, 1, 'log', '{{}}', {at} FROM ended),
             sent AS (
                INSERT INTO executions (organization_id, run_id, id, state, created_at, updated_at)
                SELECT organization_id, id, gen_random_uuid(), 'done', {at}, {at} FROM ended),
             noted AS (
                INSERT INTO audit_events (organization_id, id, at, actor, action, resource_kind, resource_id)
                SELECT organization_id, gen_random_uuid(), {at}, 'schedule', 'create', 'runs', id FROM ended),
             asked AS (
                INSERT INTO idempotency_keys (organization_id, key, method, path, body_hash, created_at)
                SELECT organization_id, id::text, 'POST', '/v1/runs', '', {at} FROM ended),
             checked AS (
                INSERT INTO connection_checks (organization_id, id, connection_id, checked_at, overall, report)
                SELECT organization_id, gen_random_uuid(), connections.id, {at}, 'ok', '{{}}'
                FROM ended JOIN connections USING (organization_id))
             INSERT INTO webhook_deliveries (organization_id, id, webhook_id, body, event, run_after, delivered_at,
                created_at)
             SELECT organization_id, gen_random_uuid(), webhooks.id, '{{}}', 'succeeded', {at}, {at}, {at}
             FROM ended JOIN webhooks USING (organization_id)"
        ))
        .await;
        self.execute("ANALYZE").await;
    }

    /// How many blocks of tables and indexes a process read for some work. It counts what it read when its sessions end.
    async fn blocks<T>(&self, work: impl AsyncFnOnce(&App) -> T) -> i64 {
        const BLOCKS: &str = "SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read, 0)
            + coalesce(idx_blks_hit, 0)) FROM pg_statio_user_tables";
        const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND usename <> current_user";
        // So that what this session did itself is counted.
        self.execute("SELECT pg_stat_force_next_flush()").await;
        let before = self.number(BLOCKS).await;
        let process = self.world.process_with(self.world.clock.clone(), (*self.world.app.settings).clone(), 4);
        work(&process).await;
        drop(process);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while self.number(SESSIONS).await > 0 {
            ticks.tick().await;
        }
        self.number(BLOCKS).await - before
    }

    async fn claim(&self, app: &App) {
        let token = LeaseToken::new(&app.clock);
        let by = Claimant { worker: self.world.worker, walk: &app.walk, capacity: 4, token };
        assert!(runs::claim(&app.db, by, app.clock.now(), TimeDelta::hours(1)).await.unwrap().is_some());
    }

    async fn claim_deliveries(&self, app: &App) {
        let (token, now) = (LeaseToken::new(&app.clock), app.clock.now());
        assert_eq!(webhooks::claim(&app.db, token, 16, TimeDelta::hours(1), now).await.unwrap().len(), 16);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_as_much_however_many_runs_wait() {
    let office = Office::with(100, 30).await;
    office.queue(1).await;
    let few = office.blocks(async |app| office.claim(app).await).await;
    office.queue(29).await;
    let many = office.blocks(async |app| office.claim(app).await).await;
    println!("{few} blocks with a run of each organization, {many} with 30");
    assert!(few > 100 && many < 3 * few, "{few} {many}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_as_much_however_many_organizations_wait() {
    let mut read = Vec::new();
    for organizations in [100, 1_500] {
        let office = Office::with(organizations, 1).await;
        office.queue(1).await;
        read.push(office.blocks(async |app| office.claim(app).await).await);
    }
    println!("{} blocks with 100 organizations, {} with 1,500", read[0], read[1]);
    assert!(read[0] > 100 && read[1] < 3 * read[0], "{read:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_as_much_however_many_deliveries_wait() {
    let office = Office::with(100, 1).await;
    office.announce(1).await;
    let few = office.blocks(async |app| office.claim_deliveries(app).await).await;
    office.announce(50).await;
    let many = office.blocks(async |app| office.claim_deliveries(app).await).await;
    println!("{few} blocks with a delivery of each webhook, {many} with 50");
    assert!(few > 100 && many < 3 * few, "{few} {many}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_clock_reads_as_much_whatever_has_been() {
    let office = Office::with(2, 2).await;
    let row =
        office.superuser.query_one("SELECT organization_id::text, id::text FROM jobs LIMIT 1", &[]).await.unwrap();
    let [organization, job] = [0, 1].map(|column| row.get::<_, &str>(column).parse::<Uuid>().unwrap());
    let (organization, job) = (OrganizationId(organization), JobId(job));
    let look = async |app: &App| {
        scheduler::tick(app, office.world.worker).await.unwrap();
        let lease = Lease { organization, run: RunId(Uuid::nil()), token: LeaseToken(Uuid::nil()) };
        let left = app.db.scoped(organization, async |tx| executions::left_open(tx, &lease, job, Uuid::nil()).await);
        assert!(left.await.unwrap().is_empty());
    };
    office.live(100, BEFORE).await;
    let young = office.blocks(look).await;
    office.live(4_000, BEFORE).await;
    let old = office.blocks(look).await;
    println!("{young} blocks after 400 runs, {old} after 16,400");
    assert!(young > 20 && old < young + young / 2 + 30, "{young} {old}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_keeps_up_with_thousands_of_runs_an_hour() {
    let office = Office::with(50, 5).await;
    office.live(3, &format!("({BEFORE} - interval '90 days')")).await;
    office.live(1, BEFORE).await;
    for _ in 0..2 {
        scheduler::tick(&office.world.app, office.world.worker).await.unwrap();
    }
    let cleared = "SELECT count(*) FROM runs WHERE cleared_at IS NOT NULL";
    let left = "SELECT count(*) FROM run_events JOIN runs ON runs.organization_id = run_events.organization_id
        AND runs.id = run_events.run_id WHERE cleared_at IS NOT NULL";
    assert_eq!((office.number(cleared).await, office.number(left).await), (750, 0));
    for table in ["run_events", "executions", "audit_events", "webhook_deliveries", "idempotency_keys"] {
        assert_eq!(office.number(&format!("SELECT count(*) FROM {table}")).await, 250, "{table}");
    }
}
