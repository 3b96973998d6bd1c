//! Liveness, readiness and metrics.

use crate::app::App;
use crate::error::Result;
use actix_web::HttpResponse;
use actix_web::get;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether the process answers.
#[derive(Serialize, ToSchema, Debug)]
pub struct Health {
    /// `ok`: the process answers.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The version of the program.
    pub version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Get liveness
///
/// Liveness probe: answers while the process runs, also without the database. Restart the process if it does not
/// answer.
#[utoipa::path(tag = "Operations", responses((status = 200, description = "The process runs", body = Health)), security(()))]
#[get("/healthz")]
pub async fn get_health() -> Json<Health> {
    Json(OK)
}

/// Get readiness
///
/// Readiness probe: 503 while the database cannot be reached.
#[utoipa::path(
    tag = "Operations",
    responses(
        (status = 200, description = "The service is ready", body = Health),
        (status = 503, response = super::openapi::Unready),
    ),
    security(())
)]
#[get("/readyz")]
pub async fn get_readiness(app: Data<App>) -> Result<Json<Health>> {
    app.db.ping().await?;
    Ok(Json(OK))
}

/// Metrics in the Prometheus text format
///
/// If the operator set a separate listener for metrics, they are only there.
#[utoipa::path(
    tag = "Operations",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")),
    security(())
)]
#[get("/metrics")]
pub async fn get_metrics() -> Result<HttpResponse> {
    let text = crate::telemetry::metrics()?.render();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
