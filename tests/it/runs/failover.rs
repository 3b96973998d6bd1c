//! The database goes away and comes back, takes no changes for a while, or has another clock than the processes.

use crate::support::postgres::connect;
use crate::support::test_app::TestApp;
use crate::support::world::{ORGANIZATION, World};
use chrono::TimeDelta;
use entra_assets::app::App;
use entra_assets::clock::Clock;
use entra_assets::db::mirror::delivered::{self, NewChange};
use entra_assets::db::runs::{self, Claimant, Lease, NewRun};
use entra_assets::directory::ObjectType;
use entra_assets::error::Code;
use entra_assets::ids::{LeaseToken, RunId, WorkerId};
use entra_assets::run_state::{ChangeAction, RunMode, RunRequest};
use entra_assets::runs::{database_clock, worker};
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

/// An operator of the database, who is connected to another one.
struct Operator {
    client: Client,
    database: String,
}

impl Operator {
    async fn of(app: &TestApp) -> Self {
        let (server, database) = app.world.database.urls.superuser.rsplit_once('/').unwrap();
        Self { client: connect(&format!("{server}/postgres")).await, database: database.to_owned() }
    }

    /// Changes the database, and ends all sessions in it.
    async fn change(&self, what: &str) {
        self.client.batch_execute(&format!("ALTER DATABASE {} {what}", self.database)).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        self.client.query(end, &[&self.database]).await.unwrap();
    }

    /// The same in the middle of a run.
    async fn change_amid_run(&self, app: &TestApp, what: &str) {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while app.world.graph.counters().requests < 5 {
            ticks.tick().await;
        }
        self.change(what).await;
    }
}

async fn refused(app: &TestApp, method: Method, path: &str) {
    let call = app.call(method.clone(), path);
    let call = if method == Method::POST { call.json(&json!({"name": "All"})) } else { call };
    let answer = call.send().await;
    assert_eq!(answer.header("retry-after"), "1", "{method} {path}");
    answer.problem(503, "database_unavailable");
}

/// The run that was cut off goes on as if nothing had happened.
async fn assert_goes_on(app: &TestApp, run: &str) {
    app.world.clock.advance(Duration::from_secs(60));
    let run = app.world.bring_to_its_end(RunId(run.parse().unwrap())).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    app.world.assert_exact("the database is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_to_come_back_and_runs_wait() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.world.graph.set_latency(Duration::from_millis(400));
    let operator = Operator::of(&app).await;
    tokio::join!(app.step(), operator.change_amid_run(&app, "ALLOW_CONNECTIONS false"));

    refused(&app, Method::GET, "/v1/jobs").await;
    refused(&app, Method::POST, "/v1/filters").await;
    refused(&app, Method::GET, "/readyz").await;
    app.get("/healthz").await.expect(200);
    let error = worker::step(&app.world.app, app.world.worker).await.unwrap_err();
    assert_eq!(error.code, Code::DatabaseUnavailable, "{error}");

    operator.change("ALLOW_CONNECTIONS true").await;
    app.get("/readyz").await.expect(200);
    assert_goes_on(&app, &run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_read_only_reading_works_and_changes_wait() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    app.world.graph.set_latency(Duration::from_millis(400));
    let operator = Operator::of(&app).await;
    tokio::join!(app.step(), operator.change_amid_run(&app, "SET default_transaction_read_only = on"));

    app.get(&format!("/v1/runs/{run}")).await.expect(200);
    refused(&app, Method::POST, "/v1/filters").await;
    app.world.clock.advance(Duration::from_secs(60));
    let error = worker::step(&app.world.app, app.world.worker).await.unwrap_err();
    assert_eq!(error.code, Code::DatabaseUnavailable, "{error}");
    let found = app.get(&format!("/v1/runs/{run}")).await.expect(200);
    assert!(found["finishedAt"].is_null(), "it has not failed: {found}");

    operator.change("RESET default_transaction_read_only").await;
    assert_goes_on(&app, &run).await;
}

/// What is staged, as it was once.
struct Staging(Client);

impl Staging {
    const TABLES: [&str; 3] = ["run_cursors", "staged_members", "staged_objects"];

    async fn of(world: &World) -> Self {
        let client = connect(&world.database.urls.superuser).await;
        let copies = Self::TABLES.map(|table| format!("CREATE TEMP TABLE was_{table} AS SELECT * FROM {table};"));
        let copy = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {} COMMIT", copies.concat());
        client.batch_execute(&copy).await.unwrap();
        Self(client)
    }

    /// Leaves the tables as a crash of the database does that takes back what was committed since.
    async fn comes_back(&self) {
        let tables = Self::TABLES;
        let returns =
            tables.map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM was_{table};"));
        let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", tables.join(", "));
        self.0.batch_execute(&format!("BEGIN; {lock}; {} COMMIT", returns.concat())).await.unwrap();
    }
}

async fn staged_users(world: &World) -> usize {
    world.text("SELECT count(*) FROM staged_objects WHERE object_type = 'users'").await.parse().unwrap()
}

/// Lets time pass until so many users are staged.
async fn until_staged(world: &World, users: usize) {
    let staged = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while staged_users(world).await < users {
            ticks.tick().await;
        }
    };
    world.while_time_passes(staged).await;
}

/// Pages do not wait for the disk. A crash of the database takes the last of them back, and the process that reads may live
/// on, with a new connection, behind the page that is gone.
#[tokio::test(flavor = "multi_thread")]
async fn pages_that_the_database_loses_while_the_process_reads_on_are_read_again() {
    let world = World::following(SeedOptions { users: 200, groups: 8, ..SeedOptions::default() }).await;
    world.graph.set_max_page_size(5);
    world.graph.set_latency(Duration::from_millis(400));
    world.hasten(5);
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let crash = async {
        until_staged(&world, 10).await;
        let (before, staging) = (staged_users(&world).await, Staging::of(&world).await);
        until_staged(&world, before + 20).await;
        staging.comes_back().await;
        world.hasten(100);
        world.while_time_passes(std::future::pending::<()>()).await;
    };
    tokio::select! {
        done = worker::step(&world.app, world.worker) => assert!(done.unwrap(), "there was nothing to do"),
        () = crash => {}
    }
    assert!(world.find(id).await.finished_at.is_none(), "the run goes back to the queue");
    world.graph.set_latency(Duration::ZERO);
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    world.assert_exact("the database has lost pages");
}

/// A process whose machine's clock is wrong.
fn process(world: &World, ahead: TimeDelta) -> App {
    let clock = Clock::system();
    clock.adjust(ahead);
    world.another_process(clock, (*world.app.settings).clone())
}

async fn claim(app: &App) -> Option<Lease> {
    let (worker, token) = (WorkerId::new(&app.clock), LeaseToken::new(&app.clock));
    let by = Claimant { worker, walk: &app.walk, capacity: 4, token };
    let claimed = runs::claim(&app.db, by, app.clock.now(), TimeDelta::minutes(5)).await.unwrap();
    claimed.map(|(lease, _)| lease)
}

fn change(seq: i64) -> NewChange {
    NewChange {
        seq,
        object_type: ObjectType::Users,
        object_id: Uuid::from_u128(7),
        label: None,
        action: ChangeAction::Create,
        reason: None,
        send: true,
        hash: None,
        before: None,
        after: None,
        missing_before: false,
    }
}

/// The same of the changes that a comparison finds.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_the_database_loses_while_the_process_compares_on_leave_no_gap() {
    let seed = SeedOptions { users: 4, groups: 1, ..SeedOptions::default() };
    let world = World::with(seed, AssetsOptions::default()).await;
    world.queue(world.add_job().await, RunMode::Full, RunRequest::default()).await;
    let (db, lease) = (&world.app.db, claim(&world.app).await.unwrap());
    let add = async |changes: Vec<NewChange>| {
        db.scoped(ORGANIZATION, async move |tx| delivered::add_changes(tx, &lease, &changes).await).await
    };
    let check = async |last: i64| {
        db.scoped(ORGANIZATION, async move |tx| delivered::check_changes(tx, &lease, last).await).await
    };
    add(vec![change(1), change(2)]).await.unwrap();
    add(vec![change(3)]).await.unwrap();
    check(3).await.unwrap();
    world.execute("DELETE FROM run_changes WHERE seq = 3".to_owned()).await;
    assert_eq!(check(3).await.unwrap_err().code, Code::DatabaseUnavailable);
    assert_eq!(add(vec![change(4)]).await.unwrap_err().code, Code::DatabaseUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_go_by_the_clock_of_the_database_whatever_their_own_say() {
    let seed = SeedOptions { users: 4, groups: 1, ..SeedOptions::default() };
    let world = World::with(seed, AssetsOptions::default()).await;
    let (behind, ahead) = (process(&world, TimeDelta::minutes(-10)), process(&world, TimeDelta::minutes(10)));
    let apart = || (ahead.clock.now() - behind.clock.now()).abs();
    assert!(apart() > TimeDelta::minutes(19));
    for (app, by) in [(&behind, 10), (&ahead, -10)] {
        let adjusted = database_clock::follow(app).await.unwrap();
        assert!((adjusted - TimeDelta::minutes(by)).abs() < TimeDelta::minutes(1), "{adjusted}");
    }
    assert!(apart() < TimeDelta::minutes(1), "{}", apart());

    // A lease of the one lasts for the other as long as for itself.
    let new = NewRun {
        id: RunId::new(&behind.clock),
        job: world.add_job().await,
        mode: RunMode::Full,
        request: RunRequest::default(),
        requested_by: "test".into(),
    };
    let now = behind.clock.now() - TimeDelta::minutes(1);
    behind.db.scoped(ORGANIZATION, async |tx| runs::enqueue(tx, ORGANIZATION, &new, now).await).await.unwrap();
    assert_eq!(claim(&behind).await.unwrap().run, new.id);
    assert!(claim(&ahead).await.is_none());
    // Without a common clock it would have been taken away.
    ahead.clock.adjust(TimeDelta::minutes(20));
    assert_eq!(claim(&ahead).await.unwrap().run, new.id);
}
