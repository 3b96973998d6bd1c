//! What is seen of a service with many customers: how long runs and deliveries wait, how long lists and statements take.

use super::world::Customers;
use crate::support::postgres::connect;
use crate::support::service::{Plan, Service};
use entra_assets::clock::Clock;
use entra_assets::config::HttpSettings;
use rustix::process::Signal;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long runs waited from the time at which they were due, in seconds.
#[derive(Debug)]
pub struct Waits {
    pub runs: i64,
    pub not_succeeded: i64,
    pub median: f64,
    pub p99: f64,
    pub longest: f64,
    /// The longest wait of each organization is not longer than this for half of them.
    pub of_half: f64,
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, not_succeeded, median, p99, longest, of_half } = self;
        write!(
            f,
            "{runs} runs, {not_succeeded} of them without success, waited: median {median:.1} s, p99 {p99:.1} s, "
        )?;
        write!(f, "longest {longest:.1} s; half of the organizations at most {of_half:.1} s")
    }
}

/// The runs of a phase, those of its jobs that `which` chooses from `due`.
pub async fn waits(customers: &Customers, phase: &str, which: &str) -> Waits {
    let query = format!(
        "WITH started AS (
            SELECT due.organization_id, state, extract(epoch FROM started_at - due.at)::float8 AS wait
            FROM test.due LEFT JOIN LATERAL (
                SELECT started_at, state FROM runs
                WHERE organization_id = due.organization_id AND job_id = due.job_id AND queued_at >= due.at
                ORDER BY queued_at LIMIT 1) run ON true
            WHERE phase = '{phase}' AND {which}
         ), worst AS (SELECT max(wait) AS wait FROM started GROUP BY organization_id)
         SELECT count(*), count(*) FILTER (WHERE state IS DISTINCT FROM 'succeeded'),
            percentile_disc(0.5) WITHIN GROUP (ORDER BY wait), percentile_disc(0.99) WITHIN GROUP (ORDER BY wait),
            max(wait), (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY wait) FROM worst)
         FROM started"
    );
    let row = customers.superuser.query_one(&query, &[]).await.unwrap();
    Waits {
        runs: row.get(0),
        not_succeeded: row.get(1),
        median: row.get(2),
        p99: row.get(3),
        longest: row.get(4),
        of_half: row.get(5),
    }
}

/// The same of deliveries to webhooks, from the event that they tell of.
pub async fn deliveries(customers: &Customers) -> (i64, i64, f64) {
    let query = "SELECT count(*), count(*) FILTER (WHERE delivered_at IS NULL),
            percentile_disc(0.99) WITHIN GROUP (ORDER BY extract(epoch FROM delivered_at - created_at)::float8)
         FROM webhook_deliveries";
    let row = customers.superuser.query_one(query, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

/// Until every job that was due in a phase has had its run.
pub async fn ended(customers: &Customers, phase: &str, within: Duration) {
    let open = format!(
        "SELECT count(*) FROM test.due WHERE phase = '{phase}' AND NOT EXISTS (SELECT FROM runs
            WHERE organization_id = due.organization_id AND job_id = due.job_id AND queued_at >= due.at
                AND finished_at IS NOT NULL)"
    );
    until_none(customers, &open, within).await;
}

/// Until every delivery was made.
pub async fn told(customers: &Customers, within: Duration) {
    until_none(customers, "SELECT count(*) FROM webhook_deliveries WHERE delivered_at IS NULL", within).await;
}

/// Until a query counts nothing: how long it took.
pub async fn until_none(customers: &Customers, query: &str, within: Duration) -> Duration {
    let begun = customers.clock.instant();
    let mut pace = tokio::time::interval(within / 500);
    loop {
        pace.tick().await;
        let left = customers.number(query).await;
        let passed = customers.clock.elapsed_since(begun);
        if left == 0 {
            return passed;
        }
        assert!(passed < within, "{left} are left after {passed:?}: {query}");
    }
}

/// Asks for lists in the name of one organization after another, at both processes: how long each answer took.
pub fn ask(customers: &Customers, plans: &[Plan; 2], stop: CancellationToken) -> JoinHandle<Vec<Duration>> {
    let keys: Vec<(String, usize)> = customers.organizations.iter().map(|one| (one.key.clone(), one.jobs)).collect();
    let origins: Vec<String> = plans.iter().map(Plan::origin).collect();
    let (clock, http) = (Clock::system(), entra_assets::http::client(&HttpSettings::default()).unwrap());
    tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(25));
        let mut took = Vec::new();
        for (number, (key, jobs)) in keys.iter().cycle().enumerate() {
            tokio::select! {
                _ = pace.tick() => {}
                () = stop.cancelled() => break,
            }
            let list = if number % 3 == 0 { "jobs" } else { "runs" };
            let sent = clock.instant();
            let request = http.get(format!("{}/v1/{list}", origins[number % 2])).bearer_auth(key);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            let page: Value = answer.json().await.unwrap();
            took.push(clock.elapsed_since(sent));
            let items = page["items"].as_array().unwrap().len();
            assert!(list == "runs" || items == (*jobs).min(50), "{items} of {jobs} jobs");
        }
        took.sort_unstable();
        took
    })
}

/// Looks which statement of the service takes longest, every 50 ms.
pub fn watch(customers: &Customers, stop: CancellationToken) -> JoinHandle<(f64, String)> {
    const LONGEST: &str = "SELECT extract(epoch FROM clock_timestamp() - query_start)::float8, query
        FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND usename <> current_user
        ORDER BY 1 DESC LIMIT 1";
    let url = customers.database.urls.superuser.clone();
    tokio::spawn(async move {
        let (client, mut longest) = (connect(&url).await, (0.0, String::new()));
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        while stop.run_until_cancelled(pace.tick()).await.is_some() {
            if let Some(row) = client.query_opt(LONGEST, &[]).await.unwrap() {
                let seen: f64 = row.get(0);
                if seen > longest.0 {
                    longest = (seen, row.get(1));
                }
            }
        }
        longest
    })
}

pub async fn stop(services: [Service<'_>; 2]) {
    for mut service in services {
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
    }
}
