//! Questions about a directory that the mirror of a job answers: numbers, and the objects behind each number.

mod asked;
mod body;
mod file;

use super::auth::Caller;
use super::page::{Page, PageQuery};
use super::places::SEARCHES;
use super::run_report::{ReportFormat, Workbook};
use crate::app::App;
use crate::error::Result;
use crate::ids::JobId;
use crate::insight::Insight;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use asked::Asked;
use body::{InsightItem, InsightResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The answers to all questions.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InsightsResponse {
    /// When the job last read the directory completely; null before the first time.
    #[schema(required = true)]
    pub read_at: Option<DateTime<Utc>>,
    pub items: Vec<InsightResponse>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InsightQuery {
    /// The question.
    #[param(inline)]
    pub insight: Insight,
    /// `csv` and `xlsx`: a file with all objects. Absent: the first of these that `Accept` names, otherwise a page in JSON.
    #[param(inline)]
    pub format: Option<ReportFormat>,
}

/// Get the insights of a job
///
/// What the mirror of the job shows about the directory: licences that are paid and not used, users without a manager,
/// groups without an owner, inactive guests and more. Each has a number and its rule in words. The numbers are those of the
/// last complete read, in the scope of the job's filter. The request is a search: an organization may have four at once
/// (`rate_limited`).
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id")),
    responses((status = 200, description = "The answers", body = InsightsResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/insights")]
pub async fn list_insights(app: Data<App>, caller: Caller, id: Path<JobId>) -> Result<Json<InsightsResponse>> {
    let _search = SEARCHES.take(caller.organization)?;
    let asked = Asked::load(&app, caller.organization, *id).await?;
    Ok(Json(InsightsResponse { read_at: asked.read_at(), items: asked.answers(&app).await? }))
}

/// List the objects behind an insight
///
/// By id, a page in JSON, or all of them as CSV or XLSX. In CSV and XLSX, a text that a spreadsheet could read as a formula
/// begins with an apostrophe. This is a search: an organization may have four at once, and two Excel files (`rate_limited`).
#[utoipa::path(
    tag = "Jobs",
    params(
        ("id" = JobId, Path, description = "The job's id"),
        InsightQuery,
        PageQuery
    ),
    responses((
        status = 200,
        description = "A page of objects, or a file with all of them",
        headers(("Content-Disposition" = String, description = "`attachment` with a file name, if the response is a file")),
        content(
            (Page<InsightItem> = "application/json"),
            (String = "text/csv"),
            (Workbook = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        )
    )),
    security(("bearer" = ["read"]), ("ticket" = []))
)]
#[get("/v1/jobs/{id}/insights/objects")]
pub async fn list_insight_objects(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    id: Path<JobId>,
    query: Query<InsightQuery>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let (job, insight) = (*id, query.insight);
    let search = SEARCHES.take(caller.organization)?;
    let asked = Asked::load(&app, caller.organization, job).await?;
    let format = query.format.unwrap_or_else(|| ReportFormat::by_accept(&request));
    if format != ReportFormat::Json {
        return file::write(app.get_ref().clone(), asked, (insight, format), (caller.credential, search)).await;
    }
    let window = page.window(&format!("jobs/{job}/insights/{insight}"))?;
    let items = asked.objects(&app, insight, window.after, window.rows()).await?;
    Ok(Json(window.page(items, |item| item.id, |item| item)).respond_to(&request).map_into_boxed_body())
}
