//! The API over real HTTP, file by file as in `src/api`.

mod amplification;
mod api_keys;
mod auth;
mod connection_checks;
mod connections;
mod conventions;
mod cors;
mod destination_checks;
mod destinations;
mod filters;
mod job_schema;
mod jobs;
mod lists;
mod metrics;
mod objects;
mod once;
mod organizations;
mod page;
mod rate_limit;
mod run_events;
mod run_report;
mod runs;
mod secrets;
mod tickets;
mod webhooks;
mod workers;
