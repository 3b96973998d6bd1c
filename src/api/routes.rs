//! The operations, in the order of the document. `.service()` only: `.route()` would leave an operation out of it.

use super::{
    api_keys, attributes, audit_events, capabilities, connection_checks, connection_setup, connections,
    destination_checks, destination_types, destinations, directory_lookups, explanations, filter_previews,
    filter_properties, filter_validation, filters, forge, forge_imports, handovers, health, insights, jira_users,
    job_changes, job_fit, job_schedules, job_schema, jobs, objects, openapi, organizations, run_changes, run_events,
    run_report, runs, tickets, webhook_deliveries, webhooks, workers,
};
use utoipa_actix_web::service_config::ServiceConfig;

/// Every operation.
pub(super) fn all(config: &mut ServiceConfig<'_>) {
    v1(config);
    config.service(openapi::get_openapi).service(health::get_metrics);
    health(config);
}

/// Liveness and readiness.
pub(super) fn health(config: &mut ServiceConfig<'_>) {
    config.service(health::get_health).service(health::get_readiness);
}

/// The operations under `/v1`.
pub(super) fn v1(config: &mut ServiceConfig<'_>) {
    config
        .service(capabilities::list_capabilities)
        .service(connections::list_connections)
        .service(connections::create_connection)
        // Before `{id}`, which would take it.
        .service(connection_setup::get_new_connection_setup)
        .service(connections::get_connection)
        .service(connections::update_connection)
        .service(connections::delete_connection)
        .service(connection_checks::check_connection)
        .service(connection_checks::list_connection_checks)
        .service(connection_checks::get_connection_check)
        .service(connection_checks::check_connection_settings)
        .service(connection_checks::check_manifest)
        .service(connection_setup::get_connection_setup)
        .service(handovers::create_handover)
        .service(handovers::list_handovers)
        .service(handovers::get_handover)
        .service(handovers::revoke_handover)
        .service(handovers::get_handed_over)
        .service(handovers::enter_handed_over_credential)
        .service(handovers::check_handed_over)
        .service(handovers::check_handed_over_manifest)
        .service(filters::list_filters)
        .service(filters::create_filter)
        .service(filter_validation::validate_filter)
        .service(filter_previews::preview_filter)
        .service(filter_previews::preview_stored_filter)
        .service(filter_properties::list_filter_properties)
        .service(directory_lookups::look_up_directory)
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
        .service(destination_types::list_destination_types)
        .service(jobs::list_jobs)
        .service(jobs::create_job)
        .service(jobs::get_job)
        .service(jobs::update_job)
        .service(jobs::delete_job)
        .service(job_schedules::pause_job)
        .service(job_schedules::resume_job)
        .service(attributes::list_attributes)
        .service(objects::list_objects)
        .service(objects::get_object)
        .service(explanations::explain_object)
        .service(job_changes::list_job_changes)
        .service(insights::list_insights)
        .service(insights::list_insight_objects)
        .service(jira_users::list_jira_users)
        .service(job_fit::get_job_fit)
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
        .service(forge::uninstall_forge_app)
        .service(forge_imports::get_forge_import_status)
        .service(forge_imports::start_forge_import)
        .service(forge_imports::stop_forge_import)
        .service(forge_imports::delete_forge_import)
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
        .service(webhook_deliveries::get_webhook_delivery)
        .service(webhooks::rotation::rotate_webhook_secret)
        .service(webhook_deliveries::test_webhook)
        .service(webhook_deliveries::resend_webhook_delivery)
        .service(audit_events::list_audit_events);
}
