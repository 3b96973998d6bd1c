//! What every report has in addition to the changes: the job, the run, the format, and the name of the file.

use crate::api::runs::RunResponse;
use crate::app::App;
use crate::db::{jobs, runs};
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use crate::text_enum::explained;
use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Deserialize;
use utoipa::ToSchema;

explained! {
    /// The format of a file.
    #[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "lowercase")]
    pub enum ReportFormat {
        /// A workbook of Excel.
        Xlsx,
        /// Lines of values, separated by commas.
        Csv,
        /// One JSON object.
        Json,
    }
}

impl ReportFormat {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    /// The format for a caller who names none in the query.
    pub fn by_accept(request: &HttpRequest) -> Self {
        let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let named = |format: &Self| {
            let media_type = format.media_type().split(';').next().unwrap_or_default();
            accept.split(',').any(|range| range.split(';').next().unwrap_or_default().trim() == media_type)
        };
        [Self::Json, Self::Csv, Self::Xlsx].into_iter().find(named).unwrap_or(Self::Json)
    }

    pub fn extension(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// The facts of a report, without the changes.
pub(super) struct Head {
    pub job_name: Option<String>,
    pub run: RunResponse,
}

impl Head {
    pub async fn load(app: &App, organization: OrganizationId, id: RunId) -> Result<Self> {
        app.db
            .read(organization, async |tx| {
                let row = runs::find(tx, organization, id).await?;
                let job = jobs::find(tx, organization, row.job()).await?;
                Ok(Self { job_name: job.map(|job| job.name), run: RunResponse::from_row(row)? })
            })
            .await
    }

    /// `entra-assets-nightly-full-20260801-0500.csv`; the time is that of the queueing of the run, in UTC.
    pub fn file_name(&self, format: ReportFormat) -> String {
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
