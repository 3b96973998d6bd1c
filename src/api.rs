//! HTTP: the OpenAPI document is generated from the handlers here, and `contract` holds every request against
//! it before a handler runs. A handler extracts, parses, makes one call, and answers.

pub mod api_keys;
pub mod attributes;
pub mod audit_events;
pub mod auth;
mod body;
pub mod capabilities;
pub mod connection_checks;
pub mod connections;
pub mod contract;
pub mod credentials;
pub mod destination_checks;
mod destinations;
mod edge;
pub mod filter_previews;
pub mod filter_validation;
pub mod filters;
pub mod forge;
pub mod health;
pub mod job_schema;
pub mod jobs;
pub mod objects;
mod once;
pub mod openapi;
pub mod organizations;
mod page;
pub mod problem;
pub mod rate_limit;
mod respond;
pub mod run_changes;
pub mod run_events;
pub mod run_report;
pub mod runs;
pub mod tickets;
pub mod webhook_deliveries;
pub mod webhooks;
pub mod workers;

use crate::app::App;
use crate::error::Result;
use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as ActixApp, HttpServer, web};
use auth::issuers::Issuers;
use contract::{CompletingCheck, Contract, ExtraCheck};
use std::net::TcpListener;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Threads that answer requests; the work is waiting for the database.
const THREADS: usize = 2;
/// How long a caller has to send the head of a request: a busy machine at either end is not to be refused.
const HEAD_SECONDS: u64 = 30;
/// How long open requests have to end when the service stops.
const DRAIN_SECONDS: u64 = 10;

/// Which operations a server has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// Every operation.
    All,
    /// All but `/metrics`, which has a listener of its own.
    AllButMetrics,
    /// Health and metrics.
    Operations,
}

/// Every operation. `.service()` only: `.route()` would be left out of the document.
fn routes(config: &mut ServiceConfig<'_>) {
    routes_v1(config);
    config.service(openapi::get_openapi).service(health::get_metrics);
    health_routes(config);
}

fn health_routes(config: &mut ServiceConfig<'_>) {
    config.service(health::get_health).service(health::get_readiness);
}

fn routes_v1(config: &mut ServiceConfig<'_>) {
    config
        .service(capabilities::list_capabilities)
        .service(connections::list_connections)
        .service(connections::create_connection)
        .service(connections::get_connection)
        .service(connections::update_connection)
        .service(connections::delete_connection)
        .service(connection_checks::check_connection)
        .service(connection_checks::list_connection_checks)
        .service(connection_checks::check_connection_settings)
        .service(connection_checks::check_manifest)
        .service(connection_checks::get_connection_setup)
        .service(filters::list_filters)
        .service(filters::create_filter)
        .service(filter_validation::validate_filter)
        .service(filter_previews::preview_filter)
        .service(filter_previews::preview_stored_filter)
        .service(filters::get_filter)
        .service(filters::update_filter)
        .service(filters::delete_filter)
        .service(destinations::list_destinations)
        .service(destinations::create_destination)
        .service(destination_checks::get_destination_setup)
        .service(destinations::get_destination)
        .service(destinations::update_destination)
        .service(destinations::delete_destination)
        .service(destination_checks::check_destination)
        .service(jobs::list_jobs)
        .service(jobs::create_job)
        .service(jobs::get_job)
        .service(jobs::update_job)
        .service(jobs::delete_job)
        .service(attributes::list_attributes)
        .service(objects::list_objects)
        .service(job_schema::get_job_schema)
        .service(job_schema::build_job_schema)
        .service(runs::create_run)
        .service(runs::list_job_runs)
        .service(runs::list_runs)
        .service(runs::get_run)
        .service(runs::cancel_run)
        .service(runs::approve_run)
        .service(run_events::list_run_events)
        .service(run_changes::list_run_changes)
        .service(run_report::get_run_report)
        .service(tickets::create_ticket)
        .service(forge::refresh_forge_token)
        .service(api_keys::list_api_keys)
        .service(api_keys::create_api_key)
        .service(api_keys::get_api_key)
        .service(api_keys::delete_api_key)
        .service(organizations::list_organizations)
        .service(organizations::create_organization)
        .service(organizations::get_organization)
        .service(organizations::update_organization)
        .service(organizations::delete_organization)
        .service(workers::list_workers)
        .service(webhooks::list_webhooks)
        .service(webhooks::create_webhook)
        .service(webhooks::get_webhook)
        .service(webhooks::update_webhook)
        .service(webhooks::delete_webhook)
        .service(webhook_deliveries::list_webhook_deliveries)
        .service(webhook_deliveries::test_webhook)
        .service(audit_events::list_audit_events);
}

/// Checks of bodies that the document cannot express, by the name of the body's schema.
fn extra_checks(schema: &str) -> Option<ExtraCheck> {
    match schema {
        "CreateJob" => Some(jobs::check),
        "CreateRun" => Some(runs::check),
        "CreateWebhook" => Some(webhooks::check),
        "CreateFilter" => Some(filters::check),
        "PreviewFilter" => Some(filter_previews::check),
        "CreateConnection" | "CheckConnectionSettings" => Some(credentials::check),
        _ => None,
    }
}

fn completing_checks(schema: &str) -> Option<CompletingCheck> {
    match schema {
        "CreateApiKey" => Some(api_keys::check_now),
        "CreateConnection" | "CheckConnectionSettings" => Some(credentials::check_now),
        "CreateDestination" => Some(destinations::check_now),
        "CreateWebhook" => Some(webhooks::check_now),
        _ => None,
    }
}

/// The contract of this program.
pub fn contract() -> Contract {
    Contract::new(openapi::document(), extra_checks, completing_checks)
}

/// The HTTP server on `listener`; runs when it is awaited and stops by its handle.
pub fn server(app: App, listener: TcpListener, offer: Offer) -> Result<Server> {
    let issuers = web::Data::new(Issuers::new(&app));
    let limiter = web::Data::new(rate_limit::RateLimiter::new(app.settings.rate_limit));
    let (app, contract) = (web::Data::new(app), web::Data::new(contract()));
    let server = HttpServer::new(move || {
        let docs = SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json"));
        let configure = move |config: &mut web::ServiceConfig| {
            let config = &mut ServiceConfig::new(config);
            health_routes(config);
            if offer != Offer::Operations {
                routes_v1(config);
                config.service(openapi::get_openapi);
            }
            if offer != Offer::AllButMetrics {
                config.service(health::get_metrics);
            }
        };
        ActixApp::new()
            .app_data(app.clone())
            .app_data(contract.clone())
            .app_data(issuers.clone())
            .app_data(limiter.clone())
            .configure(configure)
            .service(web::redirect("/docs", "/docs/"))
            .service(docs)
            .default_service(web::route().to(edge::unknown_path))
            .wrap(from_fn(contract::enforce))
            .wrap(Compress::default())
            .wrap(from_fn(edge::wrap))
    });
    let server = server
        .workers(THREADS)
        .disable_signals()
        .client_request_timeout(std::time::Duration::from_secs(HEAD_SECONDS))
        .shutdown_timeout(DRAIN_SECONDS)
        .listen(listener)
        .map_err(crate::error::Error::internal)?;
    Ok(server.run())
}
