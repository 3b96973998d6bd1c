//! Whether the process lives, whether it can serve, and its metrics.

use crate::app::App;
use crate::error::Result;
use actix_web::HttpResponse;
use actix_web::get;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema, Debug)]
pub struct Health {
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The version of the program.
    pub version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// The process lives
///
/// Answers as long as the process does, whatever the database does. For restarting it.
#[utoipa::path(tag = "Operations", responses((status = 200, description = "It lives", body = Health)), security(()))]
#[get("/healthz")]
pub async fn get_health() -> Json<Health> {
    Json(OK)
}

/// The service can answer: its database is there
///
/// For sending it requests: 503 while the database cannot be reached.
#[utoipa::path(
    tag = "Operations",
    responses(
        (status = 200, description = "It can answer", body = Health),
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
/// On a listener of its own if the operator set one; then not here.
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
