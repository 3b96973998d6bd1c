//! `entra-assets` imports a Microsoft Entra ID directory into Jira Service Management Assets.
//!
//! A REST API ([`api`]) keeps connections, filters, destinations and import jobs in PostgreSQL ([`db`]).
//! A run of a job is a row in a queue that a pool of workers claims ([`runs`]): it collects the directory
//! from Microsoft Graph ([`graph`]) into a mirror, compares it with what was delivered before, and
//! delivers the rest to Assets ([`assets`]). A connection check ([`connection_check`]) says exactly which
//! permission is missing and how to fix it. Two simulators ([`sim`], a package of their own) stand in for the outside
//! world in tests and demonstrations.
//!
//! # The floors
//! Imports go downward only; adapters never import each other; only [`cli`] and the tests import [`sim`].
//! `tests/it/architecture.rs` reads the `use crate::` lines and fails on any other edge.
//!
//! | floor | modules | rule |
//! |---|---|---|
//! | 0 kernel | `clock codes config error http ids plural random seal trace` | the tools everything may use |
//! | 1 rules | `text_enum assets_limits audit change cloud api_key connection destination directory filter insight jira_user job mapping permission quota run_state schedule webhook` | pure: no I/O, no clock, no async |
//! | 2 adapters | `db graph assets postgres` | one outside system each |
//! | 3 engine | `app connection_check directory_lookup explain filter_preview runs` | where two adapters meet |
//! | 4 edge | `api serve shutdown telemetry` | HTTP in, HTTP out |
//! | beside | `sim` | the package `simulators/`, which shares only `kernel/` (`clock`, `random`) with this one |

// floor 0: kernel
pub use entra_assets_kernel::{clock, random};

pub mod codes;
pub mod config;
pub mod error;
pub mod http;
pub mod ids;
pub(crate) mod plural;
pub mod seal;
pub mod trace;

// floor 1: rules
pub mod api_key;
pub(crate) mod assets_limits;
pub mod audit;
pub(crate) mod change;
pub mod cloud;
pub mod connection;
pub mod destination;
pub mod directory;
pub mod filter;
pub mod insight;
pub mod jira_user;
pub mod job;
pub mod mapping;
pub mod permission;
pub mod quota;
pub mod run_state;
pub(crate) mod schedule;
pub(crate) mod text_enum;
pub(crate) mod webhook;

// floor 2: adapters
pub mod assets;
pub mod db;
pub mod graph;
pub mod postgres;

// floor 3: engine
pub mod app;
pub mod connection_check;
pub(crate) mod directory_lookup;
pub(crate) mod explain;
pub(crate) mod filter_preview;
pub mod runs;

// floor 4: edge
pub mod api;
pub mod serve;
pub(crate) mod shutdown;
pub(crate) mod telemetry;

// beside
#[cfg(feature = "simulators")]
pub use entra_assets_simulators as sim;

pub mod cli;
