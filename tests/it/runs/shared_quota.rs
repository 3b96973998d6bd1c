//! Several processes import from one tenant: together they spend no more than the quota of one.

use crate::support::world::{ORGANIZATION, World};
use entra_assets::app::App;
use entra_assets::cloud::Cloud;
use entra_assets::graph::token::{Credential, Identity};
use entra_assets::graph::{RequestOptions, Session};
use entra_assets::ids::{ConnectionId, JobId, RunId, WorkerId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::runs::{quotas, worker};
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::{Action, Credentials, Fault, Quota, RetryAfterForm};
use entra_assets::sim::seed::{Directory, SeedOptions};
use std::collections::HashSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const SEED: SeedOptions = SeedOptions { seed: 8, users: 60, groups: 800, memberships: None, devices: None };
/// Units in ten seconds: so few that three runs wait for them most of the time.
const UNITS: u32 = 800;

/// Processes that share the quotas of `world`.
fn processes(world: &World, number: usize) -> Vec<App> {
    let mut settings = (*world.app.settings).clone();
    settings.graph_units = UNITS;
    let new = |_| {
        let app = world.another_process(world.clock.clone(), settings.clone());
        app.graph.share_limiters();
        app
    };
    (0..number).map(new).collect()
}

async fn exchange(processes: &[App]) {
    for app in processes {
        quotas::tick(app).await.unwrap();
    }
}

/// A run of a job without a destination.
async fn queue(world: &World) -> RunId {
    let job = JobId::new(&world.clock);
    world
        .execute(format!(
            "INSERT INTO jobs (organization_id, id, name, connection_id, objects, memberships, deliver, removal_policy, \
             removal_after_missing_runs, brake_percent, created_at, updated_at) VALUES ('{ORGANIZATION}', '{job}', 'Job', \
             '{}', '{{}}', 'onUser', 'full', 'keep', 3, 20, now(), now())",
            world.connection
        ))
        .await;
    world.queue(job, RunMode::Full, RunRequest::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_on_one_tenant_spend_the_quota_of_one_and_are_hardly_refused() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    // What one run takes that nobody disturbs.
    let run = queue(&world).await;
    assert!(world.step().await);
    assert_eq!(world.find(run).await.state.as_str(), "succeeded");
    let plan = world.graph.counters().units;
    assert!(plan > u64::from(UNITS), "{plan} units are no test of the quota");

    world.graph.reset_counters();
    world.graph.set_quota(Some(Quota::Units(UNITS)), RetryAfterForm::Seconds);
    world.graph.set_latency(Duration::from_millis(80));
    let processes = processes(&world, 3);
    let mut runs = Vec::new();
    for _ in &processes {
        runs.push(queue(&world).await);
    }
    let work = futures_util::future::join_all(processes.iter().map(async |app| {
        let worker = WorkerId::new(&app.clock);
        assert!(worker::step(app, worker).await.unwrap());
    }));
    // The processes exchange as time passes, however slow this machine is.
    let time = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        loop {
            exchange(&processes).await;
            for _ in 0..10 {
                ticks.tick().await;
                world.clock.advance(Duration::from_millis(10));
            }
        }
    };
    tokio::select! {
        _ = work => {}
        () = time => {}
    }
    for run in runs {
        let run = world.find(run).await;
        assert_eq!((run.state.as_str(), run.attempt), ("succeeded", 1), "{:?}", run.error);
    }
    let used = world.graph.counters();
    println!(
        "plan 3 × {plan} units, used {}; {} of {} requests were refused",
        used.units, used.throttled, used.requests
    );
    assert!(used.units * 100 <= plan * 3 * 102, "{} units, planned 3 × {plan}", used.units);
    assert!(used.throttled * 100 <= used.requests, "{} of {} requests were refused", used.throttled, used.requests);
}

fn session(world: &World, app: &App) -> Session {
    session_with(world.graph.default_credentials(), app)
}

fn session_with(credentials: Credentials, app: &App) -> Session {
    let identity = Identity {
        organization: ORGANIZATION,
        connection: ConnectionId(credentials.client_id),
        credential_version: 1,
        tenant_id: credentials.tenant_id,
        client_id: credentials.client_id,
        cloud: Cloud::Global,
        credential: Credential::ClientSecret(credentials.client_secret.into()),
    };
    app.graph.session(identity, CancellationToken::new())
}

async fn get(session: &Session) {
    session.get(&session.url("users?$top=1"), &RequestOptions::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_one_process_stops_the_others() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    let processes = processes(&world, 2);
    let (first, second) = (session(&world, &processes[0]), session(&world, &processes[1]));
    get(&first).await;
    get(&second).await;
    for _ in 0..3 {
        exchange(&processes).await;
    }
    world.graph.add_fault(Fault::on("/v1.0/users", Action::throttled(Some("7"))));
    let refused = tokio::spawn({
        let first = first.clone();
        async move { get(&first).await }
    });
    let superuser = crate::support::postgres::connect(&world.database.urls.superuser).await;
    let paused = "SELECT (state->>'pausedUntil')::timestamptz > updated_at FROM graph_quotas";
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    while !superuser.query_one(paused, &[]).await.unwrap().get::<_, bool>(0) {
        ticks.tick().await;
        exchange(&processes).await;
    }
    exchange(&processes).await;
    let before = world.graph.counters().requests;
    let held = tokio::spawn({
        let second = second.clone();
        async move { get(&second).await }
    });
    for _ in 0..20 {
        ticks.tick().await;
    }
    assert_eq!(world.graph.counters().requests, before, "nobody asks while Graph wants no requests");
    assert!(!held.is_finished() && !refused.is_finished());
    world.clock.advance(Duration::from_secs(8));
    held.await.unwrap();
    refused.await.unwrap();
}

/// With many tenants, most have nothing to say when one of them does.
#[tokio::test(flavor = "multi_thread")]
async fn who_calls_for_units_does_not_make_all_others_report() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    let app = &processes(&world, 1)[0];
    let tenant = || {
        let directory = Directory::generate(SeedOptions { users: 3, groups: 1, ..SEED });
        session_with(world.graph.add_tenant(directory), app)
    };
    for session in [tenant(), tenant(), tenant()] {
        get(&session).await;
    }
    quotas::tick(app).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    get(&tenant()).await;
    quotas::look(app, Some(&HashSet::new())).await.unwrap();
    let superuser = crate::support::postgres::connect(&world.database.urls.superuser).await;
    let fresh = async || -> i64 {
        let query = "SELECT count(*) FROM graph_quotas WHERE updated_at = (SELECT max(updated_at) FROM graph_quotas)";
        superuser.query_one(query, &[]).await.unwrap().get(0)
    };
    assert_eq!(fresh().await, 1, "only the new one");
    world.clock.advance(Duration::from_secs(1));
    let marks = app.graph.limiters().iter().map(|(key, _)| key.mark()).take(2).collect();
    quotas::look(app, Some(&marks)).await.unwrap();
    assert_eq!(fresh().await, 2, "those that another process names");
    world.clock.advance(Duration::from_secs(1));
    quotas::tick(app).await.unwrap();
    assert_eq!(fresh().await, 4);
}
