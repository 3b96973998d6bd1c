//! HTTP: the OpenAPI document is generated from the handlers here, and `contract` checks every request against it
//! before a handler runs. A handler reads its input, calls one function, and answers.

pub mod api_keys;
pub mod application_query;
pub mod attributes;
pub mod audit_events;
pub mod auth;
mod body;
mod bound;
pub mod capabilities;
mod client;
pub mod connection_checks;
mod connection_setup;
pub mod connections;
pub mod console;
pub mod contract;
pub mod credentials;
pub mod descriptors;
pub mod destination_checks;
pub mod destination_types;
mod destinations;
mod directory_lookups;
mod edge;
mod explanations;
pub mod filter_previews;
mod filter_properties;
pub mod filter_validation;
pub mod filters;
pub mod forge;
mod forge_imports;
mod handovers;
pub mod health;
mod home;
mod insights;
pub mod jira_users;
mod job_changes;
pub mod job_fit;
mod job_schedules;
pub mod job_schema;
pub mod jobs;
pub mod objects;
mod once;
pub mod openapi;
pub mod organizations;
mod page;
pub mod patch;
pub mod places;
pub mod problem;
pub mod rate_limit;
pub mod refusals;
mod respond;
mod routes;
pub mod run_changes;
pub mod run_events;
pub mod run_report;
pub mod runs;
pub mod tickets;
pub mod webhook_deliveries;
pub mod webhooks;
mod words;
pub mod workers;

use crate::app::App;
use crate::error::Result;
use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as ActixApp, HttpServer, web};
use auth::issuers::Issuers;
use contract::{CompletingCheck, Contract, ExtraCheck, Preparation};
use refusals::Refusals;
use std::net::TcpListener;
use std::sync::Arc;
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Threads that answer requests; they mostly wait for the database.
const THREADS: usize = 2;
/// How long a caller may take to send the head of a request; generous, because either machine may be busy.
const HEAD_SECONDS: u64 = 15;
/// How long open requests may take to end when the service stops.
const DRAIN_SECONDS: u64 = 10;

/// Which operations a server offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offer {
    /// Every operation.
    All,
    /// Every operation but `/metrics`, which has its own listener.
    AllButMetrics,
    /// Health and metrics.
    Operations,
}

/// The preparations of a body before it is checked, by the name of the body's schema.
fn preparations(schema: &str) -> Option<Preparation> {
    match schema {
        "CreateConnection" | "UpdateConnection" | "CheckConnectionSettings" | "EnterCredential" => {
            Some(credentials::prepare)
        }
        _ => None,
    }
}

/// The checks of a body that the document cannot express, by the name of the body's schema.
fn extra_checks(schema: &str) -> Option<ExtraCheck> {
    match schema {
        "CreateJob" => Some(jobs::check),
        "CreateRun" => Some(runs::check),
        "CreateWebhook" => Some(webhooks::check),
        "CreateFilter" => Some(filters::check),
        "UpdateFilter" => Some(filters::check_change),
        "PreviewFilter" => Some(filter_previews::check),
        "CreateConnection" | "CheckConnectionSettings" | "EnterCredential" => Some(credentials::check),
        "CreateDestination" | "UpdateDestination" => Some(destinations::check),
        _ => None,
    }
}

/// The checks of a body that need the clock or a setting, by the name of the body's schema.
fn completing_checks(schema: &str) -> Option<CompletingCheck> {
    match schema {
        "CreateApiKey" => Some(api_keys::check_now),
        "CreateConnection" | "CheckConnectionSettings" | "EnterCredential" => Some(credentials::check_now),
        "CreateDestination" => Some(destinations::check_now),
        "CreateWebhook" => Some(webhooks::check_now),
        _ => None,
    }
}

/// The contract of this program. Fails if its document says more than the contract keeps.
pub fn contract() -> Result<Contract> {
    Contract::new(openapi::document(routes::all, words::explain), preparations, extra_checks, completing_checks)
}

/// The HTTP server on `listener`. It runs while it is awaited, and its handle stops it.
pub fn server(app: App, listener: TcpListener, offer: Offer, refusals: Arc<Refusals>) -> Result<Server> {
    let issuers = web::Data::new(Issuers::new(&app));
    let refusals = web::Data::from(refusals);
    let limiter = web::Data::new(rate_limit::RateLimiter::new(&app.settings));
    let (app, contract) = (web::Data::new(app), web::Data::new(contract()?));
    let server = HttpServer::new(move || {
        let docs = SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json"));
        let configure = move |config: &mut web::ServiceConfig| {
            let config = &mut ServiceConfig::new(config);
            routes::health(config);
            if offer != Offer::Operations {
                routes::v1(config);
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
            .app_data(refusals.clone())
            .configure(configure)
            .configure(move |config| {
                if offer != Offer::Operations {
                    console::serve(config);
                    home::serve(config);
                }
            })
            .service(web::redirect("/docs", "/docs/"))
            .route("/openapi.yaml", web::get().to(openapi::yaml_page))
            .service(docs)
            .default_service(web::route().to(edge::unknown_path))
            .wrap(from_fn(contract::enforce))
            .wrap(Compress::default())
            .wrap(from_fn(edge::wrap))
    });
    let server = server
        .workers(THREADS)
        .max_connections(descriptors::connections().div_ceil(THREADS))
        .disable_signals()
        .client_request_timeout(std::time::Duration::from_secs(HEAD_SECONDS))
        .shutdown_timeout(DRAIN_SECONDS)
        .listen(listener)
        .map_err(crate::error::Error::internal)?;
    Ok(server.run())
}
