//! A hundred deaths at random, of three processes that take each other's runs over.

use super::positions::{Kind, Undisturbed};
use super::{below, moments, plan, settings};
use crate::support::postgres::TestDatabase;
use crate::support::service::{Plan, Service};
use rustix::process::Signal;
use tokio_postgres::{Client, NoTls};

const KINDS: [Kind; 5] = [Kind::Members, Kind::Conditions, Kind::Limits, Kind::Changes, Kind::ChangesInScope];
const DEATHS: usize = 100;
/// In one run at most.
const DEATHS_OF_A_RUN: usize = 6;

/// The process that has a run.
async fn holder(client: &Client, run: &str) -> Option<u32> {
    let query = format!(
        "SELECT process_id FROM workers JOIN runs ON runs.worker_id = workers.id
         WHERE runs.id = '{run}' AND runs.state = 'running'"
    );
    let row = client.query_opt(&query, &[]).await.unwrap()?;
    u32::try_from(row.get::<_, i32>(0)).ok()
}

/// One run, whose process is killed again and again. Returns how often.
async fn killed_at_random(seed: u64, undisturbed: &Undisturbed, most: usize) -> usize {
    let (outside, database) = (undisturbed.outside(), TestDatabase::create().await);
    let (client, connection) = tokio_postgres::connect(&database.urls.superuser, NoTls).await.unwrap();
    tokio::spawn(connection);
    let settings = settings(&database);
    let plans: [Plan; 3] = std::array::from_fn(|_| plan(&outside, &settings));
    let mut first = plans[0].start().await;
    let (_, run) = undisturbed.kind.start(&outside, &plans[0], &mut first, |_| ()).await;
    let mut services = vec![first, plans[1].start().await, plans[2].start().await];
    let path = format!("/v1/runs/{run}");
    let mut deaths = 0;
    for moment in moments(seed, DEATHS_OF_A_RUN, undisturbed.requests).into_iter().take(most) {
        // Until another takes the run over, it is that of a process that is gone.
        let alive: Vec<u32> = services.iter().map(Service::process).collect();
        let mut process = None;
        let is_over = services[0]
            .until_some("the moment to die", async |service: &mut Service<'_>| {
                let ended = service.get(&path).await.is_some_and(|run| !run["finishedAt"].is_null());
                if outside.requests() >= moment {
                    process = holder(&client, &run).await.filter(|process| alive.contains(process));
                }
                (ended || process.is_some()).then_some(ended)
            })
            .await;
        if is_over {
            break;
        }
        let at = services.iter().position(|service| Some(service.process()) == process).unwrap();
        services[at].signal(Signal::KILL);
        services[at].exit().await;
        deaths += 1;
        services[at] = plans[at].start().await;
    }
    let ended = services[below(seed, 3)].ended(&run).await;
    let hits = ended["attempt"].as_u64().unwrap() as usize - 1;
    assert!(hits <= deaths, "{hits} attempts died of {deaths} deaths");
    let why = format!("{:?}, seed {seed}, killed {deaths} times", undisturbed.kind);
    undisturbed.assert_ended(&outside, &ended, hits * undisturbed.in_flight, &why);
    for service in &mut services {
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
    }
    deaths
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_a_hundred_kills_end_exact() {
    let mut undisturbed = Vec::new();
    for kind in KINDS {
        undisturbed.push(Undisturbed::new(kind, super::SEED).await);
    }
    let mut deaths = 0;
    for seed in 1.. {
        let of_kind = &undisturbed[seed as usize % KINDS.len()];
        deaths += killed_at_random(seed, of_kind, DEATHS - deaths).await;
        if deaths == DEATHS {
            return;
        }
    }
}
