//! The report of a run as a file: what it was, what it counted, and every object it changed. Written from the rows
//! of `run_changes` a page at a time, so its size does not matter.

mod csv;
mod json;
mod row;
mod xlsx;

use super::auth::Caller;
use super::run_changes::ChangeResponse;
use super::runs::RunResponse;
use crate::app::App;
use crate::db::jobs;
use crate::db::runs::{self, ChangeRow, Only};
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use actix_web::body::SizedStream;
use actix_web::http::header::{self, ContentDisposition};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Changes read at once. With memberships on the group, one can be megabytes.
const ROWS: i64 = 200;

#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    Xlsx,
    Csv,
    Json,
}

impl ReportFormat {
    fn media_type(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// What a caller gets who does not say it in the query.
    fn by_accept(request: &HttpRequest) -> Self {
        let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let named = |format: &Self| {
            let media_type = format.media_type().split(';').next().unwrap_or_default();
            accept.split(',').any(|range| range.split(';').next().unwrap_or_default().trim() == media_type)
        };
        [Self::Json, Self::Csv, Self::Xlsx].into_iter().find(named).unwrap_or(Self::Json)
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Absent: the first of these that `Accept` names, else JSON.
    #[param(inline)]
    pub format: Option<ReportFormat>,
}

/// A report in JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Null: the job was deleted since.
    #[schema(required = true)]
    pub job_name: Option<String>,
    pub run: RunResponse,
    /// In the order of their delivery. Empty once they are older than they are kept.
    pub changes: Vec<ChangeResponse>,
}

/// An Excel workbook.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only describes the file in the document")]
pub struct Workbook(Vec<u8>);

/// What a report says beside the changes.
struct Head {
    job_name: Option<String>,
    run: RunResponse,
}

impl Head {
    async fn load(app: &App, organization: OrganizationId, id: RunId) -> Result<Self> {
        app.db
            .scoped(organization, async |tx| {
                let row = runs::find(tx, organization, id).await?;
                let job = jobs::find(tx, organization, row.job()).await?;
                Ok(Self { job_name: job.map(|job| job.name), run: RunResponse::from_row(row)? })
            })
            .await
    }

    /// `entra-assets-nightly-full-20260801-0500.csv`; the time is when the run was queued, in UTC.
    fn file_name(&self, format: ReportFormat) -> String {
        let job = self.job_name.as_deref().unwrap_or("deleted job");
        let words: Vec<String> = job
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        let job = if words.is_empty() { "job".to_owned() } else { words.join("-") };
        let at = self.run.queued_at.format("%Y%m%d-%H%M");
        format!("entra-assets-{job}-{}-{at}.{}", self.run.mode, format.extension())
    }
}

/// Get the report of a run
///
/// A file with the facts of the run (job, mode, state, counts, warnings, error) and every object that it changed.
/// XLSX: a sheet «Run», and sheets «Changes» of up to a million rows. CSV: one table; the column `record` tells facts
/// (`run`, `count`, `warning`, `error`) from changes (`change`). In both, a text that a spreadsheet could take for a
/// formula begins with an apostrophe. A run that is under way is reported as far as it is.
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id"), ReportQuery),
    responses((
        status = 200,
        description = "The report, as a file to save",
        headers(("Content-Disposition" = String, description = "`attachment` with a file name")),
        content(
            (RunReport = "application/json"),
            (String = "text/csv"),
            (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        )
    )),
    security(("bearer" = ["read"]), ("ticket" = []))
)]
#[get("/v1/runs/{id}/report")]
pub async fn get_run_report(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    id: Path<RunId>,
    query: Query<ReportQuery>,
) -> Result<HttpResponse> {
    let (organization, id, format) =
        (caller.organization, *id, query.format.unwrap_or_else(|| ReportFormat::by_accept(&request)));
    let head = Head::load(&app, organization, id).await?;
    let mut response = HttpResponse::Ok();
    response.content_type(format.media_type());
    response.insert_header((header::CONTENT_DISPOSITION, ContentDisposition::attachment(head.file_name(format))));
    let changes = changes(app.get_ref().clone(), organization, id);
    Ok(match format {
        ReportFormat::Json => response.streaming(json::write(head, changes)),
        ReportFormat::Csv => response.streaming(csv::write(head, changes)),
        ReportFormat::Xlsx => {
            let content = xlsx::write(head, changes).await?;
            // It is compressed already.
            response.insert_header((header::CONTENT_ENCODING, "identity"));
            response.body(SizedStream::new(content.length, content.into_stream()))
        }
    })
}

/// All changes of a run in their order, a page at a time: no connection is held while the caller reads.
fn changes(app: App, organization: OrganizationId, run: RunId) -> impl Stream<Item = Result<Vec<ChangeRow>>> {
    async_stream::stream! {
        let mut after = 0;
        loop {
            let page =
                app.db.scoped(organization, async move |tx| runs::changes(tx, organization, run, Only::default(), after, ROWS).await).await;
            match page {
                Ok(rows) => match rows.last() {
                    None => return,
                    Some(last) => {
                        after = last.seq;
                        yield Ok(rows);
                    }
                },
                Err(error) => {
                    yield Err(error);
                    return;
                }
            }
        }
    }
}

/// How a body that has begun ends when the rest cannot be read: broken off, so that the caller sees it.
fn broken_off(error: &crate::error::Error) -> actix_web::Error {
    tracing::error!(code = %error.code, "a report broke off: {}", error.detail);
    actix_web::error::ErrorInternalServerError("the report broke off")
}
