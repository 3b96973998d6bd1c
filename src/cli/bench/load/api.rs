//! Requests a second, and how long they take, beside the bare server: with 1, 16 and 64 clients while nothing else
//! happens, and with 16 while four runs work.

use super::super::process::{Process, Scratch};
use super::super::runs::Job;
use super::super::service::Service;
use super::drive::{Seen, drive};
use super::figure::Figure;
use crate::config::HttpSettings;
use crate::http;
use anyhow::{Result, bail};
use reqwest::RequestBuilder;
use secrecy::ExposeSecret as _;
use serde_json::json;

/// Jobs beside the one with a destination: a page of them is full.
const JOBS: usize = 50;
/// Runs that work at the same time.
const RUNS: usize = 4;
const CLIENTS: [u64; 3] = [1, 16, 64];
/// Clients while runs work.
const BESIDE_RUNS: u64 = 16;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Get,
    List,
    Create,
}

/// The two servers, and how each is asked for the same.
struct Servers<'a> {
    client: reqwest::Client,
    service: &'a Service,
    bare: String,
    job: &'a str,
}

impl Servers<'_> {
    fn service(&self, operation: Operation, mark: &str, number: u64) -> RequestBuilder {
        let address = &self.service.address;
        let request = match operation {
            Operation::Get => self.client.get(format!("{address}/v1/jobs/{}", self.job)),
            Operation::List => self.client.get(format!("{address}/v1/jobs")),
            Operation::Create => {
                self.client.post(format!("{address}/v1/filters")).json(&json!({"name": format!("{mark} {number}")}))
            }
        };
        request.bearer_auth(self.service.key.expose_secret())
    }

    fn bare(&self, operation: Operation, mark: &str, number: u64) -> RequestBuilder {
        let address = &self.bare;
        match operation {
            Operation::Get => self.client.get(format!("{address}/jobs/{}", self.job)),
            Operation::List => self.client.get(format!("{address}/jobs")),
            Operation::Create => self.client.post(format!("{address}/filters/bare-{mark}-{number}")),
        }
    }

    /// What so many clients see of the one and of the other.
    async fn compare(&self, operation: Operation, clients: u64, circumstances: &str) -> Result<Vec<Figure>> {
        let mark = clients.to_string();
        let service = drive(clients, |number| self.service(operation, &mark, number)).await?;
        let bare = drive(clients, |number| self.bare(operation, &mark, number)).await?;
        let what = |of: &str| format!("{operation:?}, {clients} clients{circumstances}: {of}").to_lowercase();
        let milliseconds = |seen: &Seen| seen.p99.as_secs_f64() * 1_000.0;
        Ok(vec![
            Figure::new(what("requests a second"), "1/s", service.per_second),
            Figure::new(what("p99"), "ms", milliseconds(&service)),
            Figure::new(what("p99 of the bare server"), "ms", milliseconds(&bare)),
            Figure::new(what("requests a second ÷ bare server"), "", service.per_second / bare.per_second),
        ])
    }
}

pub(super) async fn measure(
    scratch: &Scratch,
    database_url: &str,
    service: &Service,
    job: &Job,
) -> Result<Vec<Figure>> {
    let settings = [("ENTRA_ASSETS_BENCH_BARE_DATABASE_URL", database_url.to_owned())];
    let mut process = Process::start(scratch, "bench", &[], &settings)?;
    let bare = process.wait_for("answers at ").await?;
    let client = http::client(&HttpSettings::default())?;
    let servers = Servers { client, service, bare, job: job.id() };
    let working = job.add_others(JOBS).await?;

    let mut figures = Vec::new();
    for operation in [Operation::Get, Operation::List, Operation::Create] {
        for clients in CLIENTS {
            figures.extend(servers.compare(operation, clients, "").await?);
        }
    }
    let working = &working[..RUNS];
    for operation in [Operation::Get, Operation::List] {
        let runs = job.start(working).await?;
        figures.extend(servers.compare(operation, BESIDE_RUNS, " while four runs work").await?);
        if !job.are_all_under_way(&runs).await? {
            bail!("the runs were over before the measurement was: give more --users and --memberships");
        }
        job.wait_for(&runs).await?;
    }
    process.stop().await?;
    Ok(figures)
}
