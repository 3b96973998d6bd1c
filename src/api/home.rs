//! `GET /`: where somebody who only has the address can go on. Open to everybody, like the pages that it leads to.

use super::console;
use crate::app::App;
use actix_web::http::header;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{HttpResponse, Resource, guard};
use serde_json::json;

pub(super) fn serve(config: &mut ServiceConfig) {
    config.service(Resource::new("/").guard(guard::Any(guard::Get()).or(guard::Head())).to(show));
}

/// Leads to the console if there is one; otherwise names the pages that need no key. The paths are relative, so that they
/// are right behind a proxy that adds a path.
async fn show(app: Data<App>) -> HttpResponse {
    if console::is_offered(app.settings.console) {
        return HttpResponse::Found().insert_header((header::LOCATION, "console/")).finish();
    }
    HttpResponse::Ok().json(json!({
        "name": "entra-assets",
        "document": "openapi.json",
        "documentation": "docs/",
        "live": "healthz",
        "ready": "readyz",
    }))
}
