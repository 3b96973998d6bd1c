//! What the API is compared with: a server that does the same transactions and nothing else. No key, no limit, no check of
//! the body, no document.

use crate::cli::output;
use crate::clock::Clock;
use crate::db::connect::Options;
use crate::db::list::Part;
use crate::db::{Db, filters, jobs};
use crate::error::{Code, Error, Result};
use crate::filter::Filter;
use crate::ids::{FilterId, JobId, OrganizationId};
use actix_web::web::{self, Data, Json, Path};
use actix_web::{App, HttpServer};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::net::TcpListener;

/// As many as the service has by default.
pub(in crate::cli::bench) const CONNECTIONS: u16 = 16;
/// As many as a page of the API has by default.
const PAGE: i64 = 50;

#[derive(Clone)]
struct Bare {
    db: Db,
    clock: Clock,
}

/// Serves until the process ends.
pub(in crate::cli::bench) async fn serve(database_url: &str) -> anyhow::Result<()> {
    let options = Options::new(&SecretString::from(database_url), None)?;
    let bare = Data::new(Bare { db: Db::new(&options, CONNECTIONS)?, clock: Clock::system() });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    output::say(&format!("answers at http://{}", listener.local_addr()?));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(bare.clone())
            .route("/jobs/{id}", web::get().to(get_job))
            .route("/jobs", web::get().to(list_jobs))
            .route("/filters/{name}", web::post().to(create_filter))
    });
    server.listen(listener)?.run().await?;
    Ok(())
}

async fn get_job(bare: Data<Bare>, id: Path<JobId>) -> Result<Json<Value>> {
    let organization = OrganizationId::DEFAULT;
    let found = bare.db.scoped(organization, async |tx| jobs::find(tx, organization, *id).await).await?;
    let job = found.ok_or_else(|| Error::new(Code::NotFound, "There is no such job."))?;
    Ok(Json(described(&job)))
}

async fn list_jobs(bare: Data<Bare>) -> Result<Json<Value>> {
    let organization = OrganizationId::DEFAULT;
    let (which, part) = (jobs::Which::default(), Part::first(PAGE + 1));
    let rows = bare.db.scoped(organization, async |tx| jobs::list(tx, organization, &which, &part).await).await?;
    Ok(Json(rows.iter().map(described).collect()))
}

async fn create_filter(bare: Data<Bare>, name: Path<String>) -> Result<Json<Value>> {
    let organization = OrganizationId::DEFAULT;
    let new = filters::NewFilterRow { name: name.into_inner(), rule: Filter::default().to_json() };
    let (id, now) = (FilterId::new(&bare.clock), bare.clock.now());
    let row = bare.db.scoped(organization, async |tx| filters::insert(tx, organization, id, &new, now).await).await?;
    Ok(Json(json!({"id": row.id, "name": row.name})))
}

fn described(job: &jobs::JobRow) -> Value {
    json!({"id": job.id, "name": job.name, "connectionId": job.connection_id, "version": job.version})
}
