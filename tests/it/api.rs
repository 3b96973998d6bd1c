//! The API over real HTTP, file by file as in `src/api`.

mod auth;
mod connection_checks;
mod cors;
mod destination_checks;
mod job_schema;
mod organizations;
mod rate_limit;
mod run_report;
mod tickets;
mod webhooks;
mod workers;
