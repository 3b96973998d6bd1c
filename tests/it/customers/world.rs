//! Many organizations over one database, and the servers outside.

use crate::support::postgres::{TestDatabase, connect};
use crate::support::service::Plan;
use entra_assets::api::auth::{self, Scope};
use entra_assets::clock::Clock;
use entra_assets::ids::{self, ApiKeyId, JobId, OrganizationId};
use entra_assets::seal::{KeyRing, Place};
use entra_assets::sim::assets::{self as sim_assets, AssetsOptions, AssetsSim};
use entra_assets::sim::graph::{self as sim_graph, GraphOptions, GraphSim};
use entra_assets::sim::seed::{Directory, SeedOptions};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;
use tokio_postgres::Client;
use uuid::Uuid;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

/// The directory of each tenant.
const TENANT: SeedOptions = SeedOptions { seed: 1, users: 12, groups: 4, memberships: Some(24), devices: Some(1) };
/// No test is under way at this time of the year; the tests say when a job is due.
const ONCE_A_YEAR: &str = "0 4 1 1 *";
/// Organizations that are inserted in one go.
const AT_ONCE: usize = 50;

/// When jobs were to start, which the service does not know.
const DUE: &str = "
    CREATE SCHEMA test;
    CREATE TABLE test.due (phase text, organization_id uuid, job_id uuid, at timestamptz);
    CREATE INDEX due_by_phase ON test.due (phase);";

pub struct Organization {
    pub id: OrganizationId,
    /// A key with the scope `read`.
    pub key: String,
    pub jobs: usize,
}

pub struct Customers {
    pub graph: GraphSim,
    pub assets: AssetsSim,
    pub receiver: MockServer,
    pub database: TestDatabase,
    pub superuser: Client,
    pub organizations: Vec<Organization>,
    pub clock: Clock,
    keys: KeyRing,
    master_key: SecretString,
}

impl Customers {
    /// One organization for each number of jobs.
    pub async fn with(jobs: impl IntoIterator<Item = usize>) -> Self {
        let clock = Clock::system();
        let graph = sim_graph::start(GraphOptions { seed: TENANT, ..GraphOptions::default() }).unwrap();
        let assets = sim_assets::start(AssetsOptions::default()).unwrap();
        let receiver = MockServer::start().await;
        Mock::given(matchers::method("POST")).respond_with(ResponseTemplate::new(204)).mount(&receiver).await;
        let database = TestDatabase::create().await;
        let superuser = connect(&database.urls.superuser).await;
        superuser.batch_execute(DUE).await.unwrap();
        let master_key = KeyRing::generate();
        let keys = KeyRing::parse(&master_key).unwrap();
        let mut customers =
            Self { graph, assets, receiver, database, superuser, organizations: Vec::new(), clock, keys, master_key };
        let jobs: Vec<usize> = jobs.into_iter().collect();
        for part in jobs.chunks(AT_ONCE) {
            let statements: String = part.iter().map(|jobs| customers.add(*jobs)).collect();
            customers.superuser.batch_execute(&statements).await.unwrap();
        }
        // As in a database that is in use: with statistics, and these from a moment at which nothing waited.
        customers.superuser.batch_execute("ANALYZE").await.unwrap();
        customers
    }

    /// How each process of the service is started.
    pub fn plan(&self) -> Plan {
        let urls = &self.database.urls;
        let settings = [
            ("DATABASE_URL", urls.runtime.as_str()),
            ("ENTRA_ASSETS_MIGRATE_URL", urls.migrate.as_str()),
            ("ENTRA_ASSETS_MASTER_KEY", self.master_key.expose_secret()),
            ("ENTRA_ASSETS_WEBHOOK_ALLOW", &self.receiver.uri()),
            ("ENTRA_ASSETS_LOG", "warn"),
        ];
        Plan::new(&self.graph, &self.assets, &settings)
    }

    /// An organization with a tenant, a webhook, and jobs that each deliver to an import source of their own: the statements
    /// that insert it.
    fn add(&mut self, jobs: usize) -> String {
        let number = self.organizations.len();
        let id = OrganizationId(ids::new_v7(&self.clock));
        let seed = SeedOptions { seed: number as u64, ..TENANT };
        let tenant = self.graph.add_tenant(Directory::generate(seed));
        let (key_id, connection) = (ApiKeyId(ids::new_v7(&self.clock)), ids::new_v7(&self.clock));
        let (key, hash) = auth::new_key(key_id);
        let sealed = self.seal("connections", "credential_sealed", id, connection, &tenant.client_secret);
        let mut sql = format!(
            "INSERT INTO organizations (organization_id, name, created_at, updated_at)
                VALUES ('{id}', 'Customer {number}', now(), now());
             INSERT INTO api_keys (organization_id, id, name, scopes, secret_hash, created_at, updated_at)
                VALUES ('{id}', '{}', 'Key', '{{{}}}', '{}', now(), now());
             INSERT INTO connections (organization_id, id, name, tenant_id, client_id, cloud, credential_kind,
                credential_sealed, created_at, updated_at)
                VALUES ('{id}', '{connection}', 'Contoso', '{}', '{}', 'global', 'clientSecret', '{sealed}', now(), now());
             INSERT INTO webhooks (organization_id, id, name, url, events, enabled, created_at, updated_at)
                VALUES ('{id}', '{}', 'Chat', '{}/hook', '{{succeeded,degraded,failed}}', true, now(), now());",
            key_id.0,
            Scope::Read.as_str(),
            bytes(&hash),
            tenant.tenant_id,
            tenant.client_id,
            ids::new_v7(&self.clock),
            self.receiver.uri(),
        );
        for job in 0..jobs {
            let source = self.assets.add_source("Entra ID");
            let destination = ids::new_v7(&self.clock);
            let sealed = self.seal("destinations", "token_sealed", id, destination, &source.token);
            let job_id = JobId::new(&self.clock);
            write!(
                sql,
                "INSERT INTO destinations (organization_id, id, name, kind, token_sealed, missing_objects, empty_values,
                    reference_template, created_at, updated_at)
                    VALUES ('{id}', '{destination}', 'Assets {job}', 'assetsImport', '{sealed}', 'ignore', 'unknown',
                        'arrayPlaceholder', now(), now());
                 INSERT INTO jobs (organization_id, id, name, connection_id, destination_id, objects, memberships, deliver,
                    removal_policy, removal_after_missing_runs, brake_percent, schedule_cron, schedule_timezone,
                    schedule_enabled, created_at, updated_at)
                    VALUES ('{id}', '{job_id}', 'Job {job}', '{connection}', '{destination}', '{{}}', 'onUser', 'changes',
                        'keep', 3, 20, '{ONCE_A_YEAR}', 'UTC', true, now(), now());"
            )
            .unwrap();
        }
        self.organizations.push(Organization { id, key, jobs });
        sql
    }

    fn seal(
        &self,
        table: &'static str,
        column: &'static str,
        organization: OrganizationId,
        row: Uuid,
        text: &str,
    ) -> String {
        bytes(&self.keys.seal(Place { table, column, organization, row }, text).unwrap())
    }

    /// Makes jobs due: those that `which` chooses from `jobs`, each at its own time of the `seconds` after `from` seconds.
    pub async fn make_due(&self, phase: &str, which: &str, from: u32, seconds: u32) {
        let spread = format!(
            "INSERT INTO test.due SELECT '{phase}', organization_id, id,
                statement_timestamp() + {from} * interval '1 second' + {seconds} * interval '1 second'
                    * (row_number() OVER (ORDER BY md5(id::text)) - 1) / count(*) OVER ()
             FROM jobs WHERE {which};
             UPDATE jobs SET schedule_next_at = due.at FROM test.due
             WHERE due.phase = '{phase}' AND jobs.organization_id = due.organization_id AND jobs.id = due.job_id"
        );
        self.superuser.batch_execute(&spread).await.unwrap();
    }

    pub async fn number(&self, query: &str) -> i64 {
        self.superuser.query_one(&format!("SELECT ({query})::bigint"), &[]).await.unwrap().get(0)
    }

    /// The bytes of the tables, with their indexes and what is stored beside them.
    pub async fn bytes(&self) -> i64 {
        let query = "SELECT sum(pg_total_relation_size(oid)) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
        self.number(query).await
    }
}

/// As PostgreSQL reads `bytea`.
fn bytes(bytes: &[u8]) -> String {
    bytes.iter().fold("\\x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
