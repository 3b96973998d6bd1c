//! The engine: what a run does from its claim to its end.
//!
//! [`worker`] claims runs from the queue and keeps their leases. [`pipeline`] takes one [`run`] through its stages:
//! [`collect`] reads the directory from Graph into the mirror, [`diff`] compares it with what was delivered,
//! `adopt` finds the objects that others made, `lookups` counts whose texts lead to no object of others, [`deliver`] sends
//! the difference to Assets, `jira_users` adds the accounts of users, [`settle`] records what Assets took. A
//! [`checkpoint`] is stored after the read, the comparison and the look at objects of others, from which any process
//! resumes the run; a delivery resumes from its execution. [`progress`] reports counts, warnings and progress meanwhile.
//! [`scheduler`] queues runs that are due; [`webhooks`] announces how runs end; [`quotas`] shares Graph's quota
//! with other processes; [`followers`] wakes those who follow runs; [`database_clock`] keeps to their common clock;
//! `monitoring` sets the metrics of jobs and queue; [`outage`] keeps the log short while the database is away.

mod adopt;
mod assets_objects;
pub mod checkpoint;
pub mod collect;
pub mod context;
pub mod database_clock;
pub mod deliver;
pub mod diff;
pub mod fit;
pub mod followers;
pub mod forge_token;
mod jira_users;
mod lookups;
mod monitoring;
pub mod outage;
pub mod pipeline;
pub mod progress;
pub mod quotas;
pub mod run;
pub mod scheduler;
pub mod settle;
pub mod stop;
pub mod takeover;
mod transaction;
pub mod webhooks;
pub mod worker;
