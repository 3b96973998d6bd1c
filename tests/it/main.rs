//! The integration tests, one binary: they mirror `src/api`, and drive runs through the public API.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

mod api;
mod architecture;
mod assets_client;
mod cli;
mod commands;
mod connection_checks;
mod customers;
mod database_url;
mod dependencies;
mod documents;
mod filters;
mod graph_client;
mod howto;
mod move_database;
mod openapi;
mod postgres;
mod retention;
mod row_level_security;
mod runs;
mod schema;
mod settings;
mod shell;
mod sim_assets;
mod sim_graph;
mod support;
mod tenancy;
mod traces;
