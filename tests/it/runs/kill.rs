//! The real program, killed again and again: its runs end by themselves, exact, with little asked twice.

use crate::support::exact::assert_exact;
use crate::support::postgres::TestDatabase;
use crate::support::service::Plan;
use entra_assets::clock::Clock;
use entra_assets::seal::KeyRing;
use entra_assets::sim::assets::{self as sim_assets, AssetsOptions, AssetsSim, Behaviour, Processing};
use entra_assets::sim::graph::{self as sim_graph, GraphOptions, GraphSim, RequestRecord};
use entra_assets::sim::seed::SeedOptions;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;
use tokio_postgres::NoTls;

mod adopt;
mod positions;
mod soak;

const SEED: SeedOptions = SeedOptions { seed: 2, users: 150, groups: 40, memberships: Some(700), devices: Some(4) };

/// How long Graph takes for an answer.
const LATENCY: Duration = Duration::from_millis(30);

struct Outside {
    graph: GraphSim,
    assets: AssetsSim,
}

impl Outside {
    /// Small pages and chunks, and answers slow enough to be interrupted.
    fn start() -> Self {
        Self::of(SEED)
    }

    fn of(seed: SeedOptions) -> Self {
        let graph = sim_graph::start(GraphOptions { seed, ..GraphOptions::default() }).unwrap();
        graph.set_max_page_size(10);
        graph.set_latency(LATENCY);
        let behaviour = Behaviour {
            max_chunk_entries: Some(20),
            latency_ms: 30,
            processing: Processing::Polls(3),
            ..Behaviour::default()
        };
        let assets = sim_assets::start(AssetsOptions { behaviour, ..AssetsOptions::default() }).unwrap();
        Self { graph, assets }
    }

    fn graph_requests(&self) -> usize {
        self.asked(|_| true)
    }

    /// How many requests of a kind there were; a batch is one.
    fn asked(&self, is_of: impl Fn(&RequestRecord) -> bool) -> usize {
        let requests = self.graph.requests();
        let sent = requests.iter().filter(|request| request.path.starts_with("/v1.0") && !request.in_batch);
        sent.filter(|request| is_of(request)).count()
    }

    fn requests(&self) -> usize {
        self.graph_requests() + self.assets.requests().len()
    }

    /// Assets holds what the directory has, object by object and reference by reference.
    fn assert_exact(&self, why: &str) {
        assert_exact(&self.graph, &self.assets, why);
    }
}

/// Settings that name the tests' own database.
fn settings(database: &TestDatabase) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", database.urls.runtime.clone()),
        ("ENTRA_ASSETS_MIGRATE_URL", database.urls.migrate.clone()),
        ("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret().to_owned()),
    ]
}

fn plan(outside: &Outside, settings: &[(&'static str, String)]) -> Plan {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Plan::new(&outside.graph, &outside.assets, &settings)
}

/// As if the time that a lease lives had gone by.
async fn let_leases_run_out(database: &TestDatabase) {
    let (client, connection) = tokio_postgres::connect(&database.urls.superuser, NoTls).await.unwrap();
    tokio::spawn(connection);
    let past = "UPDATE runs SET lease_expires_at = now() - interval '1 second' WHERE state = 'running'";
    client.batch_execute(past).await.unwrap();
}

fn assert_succeeded(run: &Value, why: &str) {
    assert_eq!(run["state"], "succeeded", "{why}: {run}");
}

/// A number below `bound` that depends on the seed alone.
fn below(seed: u64, bound: usize) -> usize {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
}

/// Moments spread over a run, another set for each seed.
fn moments(seed: u64, kills: usize, requests: usize) -> Vec<usize> {
    let part = requests / kills;
    (0..kills).map(|number| number * part + 1 + below(seed * 100 + number as u64, part)).collect()
}

/// What is left of a lease after its holder died is half a minute.
const LEASE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_the_other_goes_on_at_once_when_one_is_killed() {
    let (outside, database) = (Outside::start(), TestDatabase::create().await);
    let settings = settings(&database);
    let (first, second) = (plan(&outside, &settings), plan(&outside, &settings));
    let mut killed = first.start().await;
    let job = killed.add_job(&outside.graph, &outside.assets).await;
    let run = killed.start_run(&job).await;
    let mut other = second.start().await;
    killed.until("the run is on its way", async |_| outside.requests() >= 25).await;
    killed.kill();
    let clock = Clock::system();
    let died = clock.instant();
    let path = format!("/v1/runs/{run}");
    other.until("the other goes on", async |other| other.get(&path).await.is_some_and(|run| run["attempt"] == 2)).await;
    let waited = clock.elapsed_since(died);
    println!("the other process went on {waited:?} after the first was killed");
    assert!(waited < LEASE / 2, "{waited:?}");
    assert_succeeded(&other.ended(&run).await, "taken over");
    outside.assert_exact("taken over");
    other.signal(Signal::TERM);
    assert!(other.exit().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_restart_one_after_the_other_while_their_run_goes_on() {
    let (outside, database) = (Outside::start(), TestDatabase::create().await);
    let settings = settings(&database);
    let plans = [plan(&outside, &settings), plan(&outside, &settings), plan(&outside, &settings)];
    let mut services = Vec::new();
    for plan in &plans {
        services.push(plan.start().await);
    }
    let job = services[0].add_job(&outside.graph, &outside.assets).await;
    let run = services[0].start_run(&job).await;
    for (number, requests) in [20, 45, 70].into_iter().enumerate() {
        let service = &mut services[number];
        service.until("the run is on its way", async |_| outside.requests() >= requests).await;
        service.signal(Signal::TERM);
        let status = service.exit().await;
        assert_eq!(status.code(), Some(0), "{}", plans[number].log());
        services[number] = plans[number].start().await;
    }
    assert_succeeded(&services[0].ended(&run).await, "restarted one after the other");
    outside.assert_exact("restarted one after the other");
    for service in &mut services {
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_in_the_middle_of_a_run_comes_back_and_the_run_goes_on() {
    let outside = Outside::start();
    let plan = plan(&outside, &[]);
    let mut service = plan.start().await;
    let job = service.add_job(&outside.graph, &outside.assets).await;
    let run = service.start_run(&job).await;
    for requests in [25, 90] {
        service.until("the run is on its way", async |_| outside.requests() >= requests).await;
        let file = std::fs::read_to_string(plan.data_dir().join("postgres/postmaster.pid")).unwrap();
        let postmaster: i32 = file.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(postmaster).unwrap(), Signal::KILL).unwrap();
    }
    assert_succeeded(&service.ended(&run).await, "its database was killed");
    outside.assert_exact("its database was killed");
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_stops_the_program_cleanly_and_the_run_goes_on_after_a_start() {
    let (outside, database) = (Outside::start(), TestDatabase::create().await);
    let settings = settings(&database);
    let plan = plan(&outside, &settings);
    let mut service = plan.start().await;
    let job = service.add_job(&outside.graph, &outside.assets).await;
    let run = service.start_run(&job).await;
    for (requests, signals) in [(20, 1), (60, 2)] {
        service.until("the run is on its way", async |_| outside.requests() >= requests).await;
        for _ in 0..signals {
            service.signal(Signal::TERM);
        }
        let status = service.exit().await;
        assert_eq!(status.code(), Some(0), "{signals} signals\n{}", plan.log());
        service = plan.start().await;
        // Given back, not lost: nobody had to wait for a lease to run out.
        let found = service.get(&format!("/v1/runs/{run}")).await.unwrap();
        assert!(found["finishedAt"].is_null(), "{found}");
    }
    let ended = service.ended(&run).await;
    assert_succeeded(&ended, "stopped twice");
    assert_eq!(ended["attempt"], 3);
    outside.assert_exact("stopped twice");
}
