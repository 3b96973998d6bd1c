//! A whole world for runs: a database, both simulators, and the engine, driven by hand.

use super::postgres::{TestDatabase, connect};
use chrono::DateTime;
use clap::Parser;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use entra_assets::app::App;
use entra_assets::clock::Clock;
use entra_assets::config::Settings;
use entra_assets::db::Db;
use entra_assets::db::connect::Options;
use entra_assets::db::runs::{self, NewRun, Only, RunRow};
use entra_assets::ids::{JobId, OrganizationId, RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::worker;
use entra_assets::seal::{KeyRing, Place};
use entra_assets::sim::assets::{self as sim_assets, AssetsOptions, AssetsSim};
use entra_assets::sim::graph::{self as sim_graph, GraphOptions, GraphSim};
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const ORGANIZATION: OrganizationId = OrganizationId::DEFAULT;
/// The admin key of the service over a world.
pub const ADMIN_KEY: &str = "an-admin-key-of-the-tests-0123456789";
const TICK: Duration = Duration::from_millis(1);
/// How many transactions of the service are open, but for the one that asks, and those that wait for a lock of the test.
const OPEN_TRANSACTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    AND wait_event_type IS DISTINCT FROM 'Lock'";
/// Real time: what does not answer should not hold up a test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
}

/// See [`World::store`].
pub type Store = BTreeMap<(&'static str, String), BTreeMap<String, Vec<String>>>;

const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

pub struct World {
    pub graph: GraphSim,
    pub assets: AssetsSim,
    pub app: App,
    pub clock: Clock,
    pub connection: Uuid,
    pub destination: Uuid,
    pub worker: WorkerId,
    pub database: TestDatabase,
    haste: AtomicU32,
}

impl World {
    pub async fn new(users: u32, groups: u32) -> Self {
        Self::with(SeedOptions { users, groups, ..SeedOptions::default() }, AssetsOptions::default()).await
    }

    pub async fn with(seed: SeedOptions, assets: AssetsOptions) -> Self {
        let graph = Self::graph(seed);
        let origin = graph.graph_origin();
        Self::reaching(graph, &origin, assets).await
    }

    /// Without any connection or destination.
    pub async fn bare(seed: SeedOptions, assets: AssetsOptions) -> Self {
        let graph = Self::graph(seed);
        let origin = graph.graph_origin();
        Self::over(graph, &origin, assets).await
    }

    /// A directory on a clock that is moved by hand.
    pub fn graph(seed: SeedOptions) -> GraphSim {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        sim_graph::start(GraphOptions { clock, seed, ..GraphOptions::default() }).unwrap()
    }

    /// A world that reads `graph` through another origin.
    pub async fn reaching(graph: GraphSim, graph_origin: &str, assets: AssetsOptions) -> Self {
        let world = Self::over(graph, graph_origin, assets).await;
        world.add_connection().await;
        world.add_destination("unknown").await;
        world
    }

    async fn over(graph: GraphSim, graph_origin: &str, assets: AssetsOptions) -> Self {
        let clock = graph.clock();
        let database = TestDatabase::create().await;
        let assets = sim_assets::start(AssetsOptions { clock: clock.clone(), ..assets }).unwrap();
        let arguments = [
            "test",
            "--login-url",
            &graph.login_origin(),
            "--graph-url",
            graph_origin,
            "--assets-url",
            assets.origin(),
            "--admin-key",
            ADMIN_KEY,
        ];
        let mut settings = Cli::parse_from(arguments).settings;
        settings.http.request_timeout = Some(REQUEST_TIMEOUT);
        let options = Options::new(&database.urls.runtime.clone().into(), None).unwrap();
        let db = Db::new(&options, 12).unwrap();
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let app = App::new(db, clock.clone(), keys, settings, CancellationToken::new()).unwrap();
        let worker = WorkerId::new(&clock);
        let (connection, destination) = (Uuid::from_u128(1), Uuid::from_u128(2));
        Self { graph, assets, app, clock, connection, destination, worker, haste: AtomicU32::new(100), database }
    }

    /// The engine of another process on the same database.
    pub fn another_process(&self, clock: Clock, settings: Settings) -> App {
        self.process_with(clock, settings, 12)
    }

    /// The same with so many connections.
    pub fn process_with(&self, clock: Clock, settings: Settings, connections: u16) -> App {
        let options = Options::new(&self.database.urls.runtime.clone().into(), None).unwrap();
        let db = Db::new(&options, connections).unwrap();
        App::new(db, clock, self.app.keys.clone(), settings, CancellationToken::new()).unwrap()
    }

    pub async fn execute(&self, statement: String) {
        self.app.db.scoped(ORGANIZATION, async |tx| Ok(tx.batch_execute(&statement).await?)).await.unwrap();
    }

    async fn add_connection(&self) {
        let credentials = self.graph.default_credentials();
        let place = Place {
            table: "connections",
            column: "credential_sealed",
            organization: ORGANIZATION,
            row: self.connection,
        };
        let sealed = self.app.keys.seal(place, &credentials.client_secret).unwrap();
        self.execute(format!(
            "INSERT INTO connections (organization_id, id, name, tenant_id, client_id, cloud, credential_kind,
                credential_sealed, created_at, updated_at)
             VALUES ('{ORGANIZATION}', '{}', 'Contoso', '{}', '{}', 'global', 'clientSecret', '\\x{}', now(), now())",
            self.connection,
            credentials.tenant_id,
            credentials.client_id,
            hex(&sealed),
        ))
        .await;
    }

    async fn add_destination(&self, missing_objects: &str) {
        self.insert_destination(self.destination, &self.assets.token(), missing_objects).await;
    }

    /// Another destination, with an import source of its own, of which Assets ignores what is missing. Their ids.
    pub async fn add_another_destination(&self) -> (Uuid, Uuid) {
        let (id, source) = (Uuid::from_u128(9), self.assets.add_source("Another"));
        self.insert_destination(id, &source.token, "ignore").await;
        (id, source.id)
    }

    async fn insert_destination(&self, id: Uuid, token: &str, missing_objects: &str) {
        let sealed = self.seal_token(id, token);
        self.execute(format!(
            "INSERT INTO destinations (organization_id, id, name, kind, token_sealed, missing_objects, empty_values,
                reference_template, created_at, updated_at)
             VALUES ('{ORGANIZATION}', '{id}', 'Assets {id}', 'assetsImport', '{sealed}', '{missing_objects}', 'unknown',
                'arrayPlaceholder', now(), now())",
        ))
        .await;
    }

    /// A token of an import source as a destination stores it.
    pub fn seal_token(&self, destination: Uuid, token: &str) -> String {
        let place =
            Place { table: "destinations", column: "token_sealed", organization: ORGANIZATION, row: destination };
        format!("\\x{}", hex(&self.app.keys.seal(place, token).unwrap()))
    }

    /// Changes columns of the destination: `missing_objects = 'ignore'`.
    pub async fn set_destination(&self, change: &str) {
        self.execute(format!("UPDATE destinations SET {change} WHERE id = '{}'", self.destination)).await;
    }

    /// Changes columns of every job: `removal_policy = 'mark'`.
    pub async fn set_job(&self, change: &str) {
        self.execute(format!("UPDATE jobs SET {change}, version = version + 1")).await;
    }

    /// Gives the destination access to the object API.
    pub async fn give_object_api(&self) {
        let row = self.destination;
        let place = Place { table: "destinations", column: "api_token_sealed", organization: ORGANIZATION, row };
        let sealed = self.app.keys.seal(place, sim_assets::API_TOKEN).unwrap();
        self.set_destination(&format!(
            "api_site_url = '{}', api_email = '{}', api_token_sealed = '\\x{}'",
            self.assets.origin(),
            sim_assets::API_EMAIL,
            hex(&sealed)
        ))
        .await;
    }

    pub async fn approve(&self, id: RunId) {
        let now = self.clock.now();
        self.app.db.scoped(ORGANIZATION, async |tx| runs::approve(tx, ORGANIZATION, id, now).await).await.unwrap();
    }

    pub async fn cancel(&self, id: RunId) {
        let now = self.clock.now();
        let db = &self.app.db;
        db.scoped(ORGANIZATION, async |tx| runs::request_cancel(tx, ORGANIZATION, id, &"a test".into(), now).await)
            .await
            .unwrap();
    }

    /// Cancels runs at the moment at which what they found by comparing is stored, and lets nobody tell their workers.
    pub async fn cancel_once_compared(&self) {
        const CANCEL: &str = "
            CREATE FUNCTION cancel() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                NEW.cancel_requested_at := now();
                RETURN NEW;
            END $$;
            CREATE TRIGGER cancel_once_compared BEFORE UPDATE ON runs FOR EACH ROW
                WHEN (jsonb_typeof(NEW.checkpoint -> 'diffed') = 'object') EXECUTE FUNCTION cancel()";
        connect(&self.database.urls.superuser).await.batch_execute(CANCEL).await.unwrap();
    }

    /// `action`, `reason`, `label` of every change of a run that has a reason to be listed.
    pub async fn changes(&self, id: RunId) -> Vec<runs::ChangeRow> {
        self.app
            .db
            .scoped(ORGANIZATION, async |tx| runs::changes(tx, ORGANIZATION, id, &Only::default(), 0, 100_000).await)
            .await
            .unwrap()
            .rows
    }

    /// The text of one column of the first row.
    pub async fn text(&self, query: &str) -> String {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        let query = format!("SELECT ({query})::text AS text");
        let db = &self.app.db;
        let row: Row =
            db.scoped(ORGANIZATION, async |tx| Ok(diesel::sql_query(&query).get_result(tx).await?)).await.unwrap();
        row.text
    }

    /// Waits until a query counts nothing, as soon as PostgreSQL has noticed that a session ended.
    pub async fn until_none(&self, query: &str) {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..2_000 {
            if self.text(query).await == "0" {
                return;
            }
            ticks.tick().await;
        }
        panic!("it never counts nothing: {query}");
    }

    /// Whether a session of this database waits for a lock. Other tests have databases of their own on the same server.
    pub async fn somebody_waits(&self) -> bool {
        self.text(WAITING).await != "0"
    }

    pub async fn until_somebody_waits(&self) {
        self.until_none(&format!("SELECT (({WAITING}) = 0)::int")).await;
    }

    /// Lets nobody write into a table while the answer lives.
    pub async fn lock(&self, table: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.database.urls.superuser, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN SHARE MODE")).await.unwrap();
        client
    }

    /// What Assets holds: values by object type and Object ID.
    pub fn store(&self) -> Store {
        let mut store = Store::new();
        for name in ["Entra User", "Entra Group", "Entra License"] {
            let identity = if name == "Entra License" { "SKU ID" } else { "Object ID" };
            for object in self.assets.objects(name) {
                let id = object.values.get(identity).and_then(|ids| ids.iter().next().cloned()).unwrap_or(object.key);
                store.insert((name, id), object.values);
            }
        }
        store
    }

    /// Executions of Assets that were processed to their end.
    pub fn processed(&self) -> usize {
        self.assets.executions().iter().filter(|execution| execution.status == "DONE").count()
    }

    pub async fn add_filter(&self, rule: Value) -> Uuid {
        let id = Uuid::from_u128(3);
        let rule = rule.to_string().replace('\'', "''");
        self.execute(format!(
            "INSERT INTO filters (organization_id, id, name, rule, created_at, updated_at)
             VALUES ('{ORGANIZATION}', '{id}', 'Filter', '{rule}', now(), now())
             ON CONFLICT (organization_id, id) DO UPDATE SET rule = excluded.rule"
        ))
        .await;
        id
    }

    /// A job with everything in it.
    pub async fn add_job(&self) -> JobId {
        self.add_job_with(json!({})).await
    }

    pub async fn add_job_with(&self, objects: Value) -> JobId {
        let id = JobId::new(&self.clock);
        self.execute(format!(
            "INSERT INTO jobs (organization_id, id, name, connection_id, destination_id, objects, memberships, deliver,
                removal_policy, removal_after_missing_runs, brake_percent, created_at, updated_at)
             VALUES ('{ORGANIZATION}', '{id}', 'Nightly', '{}', '{}', '{objects}', 'onUser', 'full', 'keep', 3, 20,
                now(), now())",
            self.connection, self.destination,
        ))
        .await;
        id
    }

    /// Queues a run and lets a worker execute it to its end.
    pub async fn run(&self, job: JobId, mode: RunMode) -> RunRow {
        self.run_with(job, mode, RunRequest::default()).await
    }

    pub async fn run_with(&self, job: JobId, mode: RunMode, request: RunRequest) -> RunRow {
        let id = self.queue(job, mode, request).await;
        assert!(self.step().await, "there was nothing to do");
        self.find(id).await
    }

    pub async fn queue(&self, job: JobId, mode: RunMode, request: RunRequest) -> RunId {
        let new = NewRun { id: RunId::new(&self.clock), job, mode, request, requested_by: "test".into() };
        let now = self.clock.now();
        self.app.db.scoped(ORGANIZATION, async |tx| runs::enqueue(tx, ORGANIZATION, &new, now).await).await.unwrap();
        new.id
    }

    /// Claims a run and executes it, while time passes a hundred times faster.
    pub async fn step(&self) -> bool {
        self.while_time_passes(worker::step(&self.app, self.worker)).await.unwrap()
    }

    /// Ends a run whose process is gone, as a version would that cleans nothing up.
    pub async fn end_as_failed(&self, id: RunId) {
        let end = "state = 'failed', finished_at = now(), lease_token = NULL";
        self.execute(format!("UPDATE runs SET {end} WHERE id = '{id}'")).await;
    }

    /// Claims a run, and drops it where it stands as soon as `dies` is true: the process is gone.
    pub async fn step_and_die(&self, dies: impl Fn() -> bool) {
        self.step_and_die_when(async || dies()).await;
    }

    /// The same, with something that has to be asked for.
    pub async fn step_and_die_when(&self, dies: impl AsyncFn() -> bool) {
        let death = async {
            let mut ticks = tokio::time::interval(TICK);
            while !dies().await {
                ticks.tick().await;
            }
        };
        let step = self.while_time_passes(worker::step(&self.app, self.worker));
        tokio::select! {
            _ = step => {}
            () = death => {}
        }
        // PostgreSQL ends the transactions of a process that is gone; until then they may hold the run.
        self.until_none(OPEN_TRANSACTIONS).await;
        // Nobody renews the lease: it runs out.
        self.clock.advance(Duration::from_secs(60));
    }

    /// Drives `work` with the clock going on by itself.
    pub async fn while_time_passes<T>(&self, work: impl Future<Output = T>) -> T {
        let passing = async {
            let mut ticks = tokio::time::interval(TICK);
            loop {
                ticks.tick().await;
                self.clock.advance(TICK * AtomicU32::load(&self.haste, Ordering::Relaxed));
            }
        };
        tokio::select! {
            done = work => done,
            () = passing => panic!("time does not end"),
        }
    }

    /// How many times faster time passes in [`World::step`].
    pub fn hasten(&self, times: u32) {
        AtomicU32::store(&self.haste, times, Ordering::Relaxed);
    }

    pub async fn find(&self, id: RunId) -> RunRow {
        self.app.db.scoped(ORGANIZATION, async |tx| runs::find(tx, ORGANIZATION, id).await).await.unwrap()
    }

    /// The number of rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        let query = format!("SELECT count(*) AS number FROM {table}");
        let row: Row = self
            .app
            .db
            .scoped(ORGANIZATION, async |tx| Ok(diesel::sql_query(&query).get_result(tx).await?))
            .await
            .unwrap();
        row.number
    }

    /// Asserts that Assets holds exactly the directory: objects by type, references by kind.
    pub fn assert_delivered(&self) {
        let truth = self.graph.truth();
        let counts = self.assets.counts();
        let objects = |name: &str| counts.objects.get(name).copied().unwrap_or(0) as u64;
        let references = |name: &str, attribute: &str| {
            counts.references.get(name).and_then(|of| of.get(attribute)).copied().unwrap_or(0) as u64
        };
        let found = [
            objects("Entra User"),
            objects("Entra Group"),
            objects("Entra License"),
            references("Entra User", "Manager"),
            references("Entra User", "Groups"),
            references("Entra User", "Licenses"),
            references("Entra Group", "Parent Groups"),
            references("Entra Group", "Owners"),
            references("Entra Group", "Licenses"),
        ];
        let expected = [
            truth.users,
            truth.groups,
            truth.licenses,
            truth.managers,
            truth.user_memberships,
            truth.user_licenses,
            truth.group_memberships,
            truth.owners,
            truth.group_licenses,
        ];
        assert_eq!(found, expected, "users groups licences | manager groups licences | parents owners licences");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
