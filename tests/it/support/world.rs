//! A whole world for runs: a database, both simulators, and the engine, driven by hand.

use super::postgres::TestDatabase;
use clap::Parser;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use entra_assets::app::App;
use entra_assets::clock::Clock;
use entra_assets::config::Settings;
use entra_assets::db::Db;
use entra_assets::db::connect::Options;
use entra_assets::db::runs::{self, NewRun, RunRow};
use entra_assets::ids::{JobId, OrganizationId, RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::worker;
use entra_assets::seal::{KeyRing, Place};
use entra_assets::sim::assets::{self as sim_assets, AssetsOptions, AssetsSim};
use entra_assets::sim::graph::{self as sim_graph, GraphOptions, GraphSim};
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const ORGANIZATION: OrganizationId = OrganizationId::DEFAULT;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
}

pub struct World {
    pub graph: GraphSim,
    pub assets: AssetsSim,
    pub app: App,
    pub clock: Clock,
    pub connection: Uuid,
    pub destination: Uuid,
    worker: WorkerId,
    _database: TestDatabase,
}

#[expect(dead_code, reason = "a kit: not every test uses all of it")]
impl World {
    pub async fn new(users: u32, groups: u32) -> Self {
        Self::with(SeedOptions { users, groups, ..SeedOptions::default() }, AssetsOptions::default()).await
    }

    pub async fn with(seed: SeedOptions, assets: AssetsOptions) -> Self {
        let clock = Clock::system();
        let database = TestDatabase::create().await;
        let graph = sim_graph::start(GraphOptions { clock: clock.clone(), seed, ..GraphOptions::default() }).unwrap();
        let assets = sim_assets::start(AssetsOptions { clock: clock.clone(), ..assets }).unwrap();
        let arguments = [
            "test",
            "--login-url",
            &graph.login_origin(),
            "--graph-url",
            &graph.graph_origin(),
            "--assets-url",
            assets.origin(),
        ];
        let settings = Cli::parse_from(arguments).settings;
        let options = Options::new(&database.urls.runtime.clone().into(), None).unwrap();
        let db = Db::new(&options, 12).unwrap();
        let keys = KeyRing::parse(&KeyRing::generate()).unwrap();
        let app = App::new(db, clock.clone(), keys, settings, CancellationToken::new()).unwrap();
        let worker = WorkerId::new(&clock);
        let (connection, destination) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let world = Self { graph, assets, app, clock, connection, destination, worker, _database: database };
        world.add_connection().await;
        world.add_destination("unknown").await;
        world
    }

    async fn execute(&self, statement: String) {
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
        let place =
            Place { table: "destinations", column: "token_sealed", organization: ORGANIZATION, row: self.destination };
        let sealed = self.app.keys.seal(place, &self.assets.token()).unwrap();
        self.execute(format!(
            "INSERT INTO destinations (organization_id, id, name, kind, token_sealed, missing_objects, empty_values,
                reference_template, created_at, updated_at)
             VALUES ('{ORGANIZATION}', '{}', 'Assets', 'assetsImport', '\\x{}', '{missing_objects}', 'unknown',
                'arrayPlaceholder', now(), now())",
            self.destination,
            hex(&sealed),
        ))
        .await;
    }

    /// Changes columns of the destination: `missing_objects = 'ignore'`.
    pub async fn set_destination(&self, change: &str) {
        self.execute(format!("UPDATE destinations SET {change} WHERE id = '{}'", self.destination)).await;
    }

    /// Changes columns of every job: `removal_policy = 'mark'`.
    pub async fn set_job(&self, change: &str) {
        self.execute(format!("UPDATE jobs SET {change}, version = version + 1")).await;
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
        assert!(worker::step(&self.app, self.worker).await.unwrap(), "there was nothing to do");
        self.find(id).await
    }

    pub async fn queue(&self, job: JobId, mode: RunMode, request: RunRequest) -> RunId {
        let new = NewRun { id: RunId::new(&self.clock), job, mode, request, requested_by: "test".to_owned() };
        let now = self.clock.now();
        self.app.db.scoped(ORGANIZATION, async |tx| runs::enqueue(tx, ORGANIZATION, &new, now).await).await.unwrap();
        new.id
    }

    pub async fn step(&self) -> bool {
        worker::step(&self.app, self.worker).await.unwrap()
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
