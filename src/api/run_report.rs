//! The report of a run as a file: its facts, its counts, and every object that it changed. It is written from the
//! rows of `run_changes` a page at a time, so memory does not grow with its size.

mod csv;
mod head;
mod json;
mod row;
mod words;
mod xlsx;

use super::auth::{Caller, Credential};
use super::bound::Bound;
use super::places::WORKBOOKS;
use super::run_changes::ChangeResponse;
use super::runs::RunResponse;
use crate::app::App;
use crate::db::runs::{self, ChangeRow, Cut, Only};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use actix_web::body::SizedStream;
use actix_web::http::header::{self, ContentDisposition};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::{Stream, StreamExt};
use head::Head;
pub(super) use head::ReportFormat;
pub(super) use row::harmless;
use row::{Cells, cells};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
pub(super) use xlsx::{cell, filled};

/// How many changes are read at once, unless they are large.
const ROWS: i64 = 200;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// Absent: the first of these that `Accept` names, otherwise JSON.
    #[param(inline)]
    pub format: Option<ReportFormat>,
}

/// A report in JSON.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Null if the job was deleted.
    #[schema(required = true)]
    pub job_name: Option<String>,
    pub run: RunResponse,
    /// In the order of their delivery. Empty after the retention time.
    pub changes: Vec<ChangeResponse>,
}

/// An Excel workbook.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only describes the file in the document")]
pub struct Workbook(Vec<u8>);

/// Get the report of a run
///
/// A file with the facts of the run (job, mode, state, counts, warnings, error) and every object that it changed.
/// XLSX: a sheet «Run» and sheets «Changes» of up to a million rows. CSV: one table; its column `record` separates
/// facts (`run`, `count`, `warning`, `error`) from changes (`change`). In both, the columns `before` and `after` are
/// words, with attributes and objects by their names: of an object that came or went all values, of an update those that
/// differ, of a list what went and what came, and of a long list the first 50. A text that a spreadsheet could read as a
/// formula begins with an apostrophe. JSON has every value. The report of a run in progress has what is known so far.
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
    let changes = changes(app.get_ref().clone(), (organization, caller.credential), id);
    Ok(match format {
        ReportFormat::Json => response.streaming(json::write(head, changes)),
        ReportFormat::Csv => {
            let changes = in_cells(app.get_ref().clone(), organization, (head.run.job_id, id), changes);
            response.streaming(csv::write(head, changes))
        }
        ReportFormat::Xlsx => {
            let changes = in_cells(app.get_ref().clone(), organization, (head.run.job_id, id), changes);
            let content = xlsx::write(head, changes, WORKBOOKS.take(organization)?).await?;
            // It is compressed already.
            response.insert_header((header::CONTENT_ENCODING, "identity"));
            let bound = Bound::of_download(&app, caller.credential);
            response.body(SizedStream::new(content.length, content.into_stream(bound)))
        }
    })
}

/// All changes of a run in their order, a page at a time: no database connection is held while the caller reads. It ends
/// with the caller's key.
fn changes(
    app: App,
    (organization, credential): (OrganizationId, Credential),
    run: RunId,
) -> impl Stream<Item = Result<Vec<ChangeRow>>> {
    let bound = Bound::of_download(&app, credential);
    async_stream::stream! {
        let mut after = 0;
        loop {
            if let Err(over) = bound.check() {
                yield Err(over);
                return;
            }
            let page =
                app.db.read(organization, async move |tx| runs::changes(tx, organization, run, &Only::default(), after, ROWS).await).await;
            match page {
                Ok(Cut { rows, .. }) => match rows.last() {
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

/// The same changes as the cells of a table.
fn in_cells(
    app: App,
    organization: OrganizationId,
    (job, run): (JobId, RunId),
    changes: impl Stream<Item = Result<Vec<ChangeRow>>>,
) -> impl Stream<Item = Result<Vec<Cells>>> {
    changes.then(move |page| {
        let app = app.clone();
        async move {
            let rows = page?;
            let referred = words::referred(&rows);
            let names = app
                .db
                .read(organization, async |tx| runs::labels(tx, organization, (job, run), &referred).await)
                .await?;
            Ok(rows.into_iter().map(|row| cells(row, &names)).collect())
        }
    })
}
