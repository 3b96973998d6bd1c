//! What a job refers to, and its newest run, beside the job: one query each for a whole page.

use super::body::JobResponse;
use super::last_run::LastRun;
use crate::api::page::Page;
use crate::api::respond::NamedResource;
use crate::db::names::{Named, names};
use crate::db::{Transaction, runs};
use crate::error::{Error, Result};
use crate::ids::OrganizationId;
use crate::text_enum::{Words, text_enum};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

text_enum! {
    /// What a response shows beside a job.
    ExpandJob in "no column" {
        /// The name of the connection.
        Connection = "connection",
        /// The name of the filter.
        Filter = "filter",
        /// The name of the destination.
        Destination = "destination",
        /// The newest run in short.
        LastRun = "lastRun",
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExpandQuery {
    /// What each job has beside it, separated by commas: the names of its `connection`, `filter` and `destination`, and
    /// its newest run in short (`lastRun`).
    #[param(
        value_type = Vec<ExpandJob>, inline, required = false, style = Form, explode = false, max_items = 4,
        example = json!(["connection", "lastRun"])
    )]
    pub expand: Option<Words<ExpandJob>>,
}

impl ExpandQuery {
    /// The jobs with what the caller wants to see beside them.
    pub async fn apply(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        mut page: Page<JobResponse>,
    ) -> Result<Page<JobResponse>> {
        for what in self.expand.iter().flat_map(|words| &words.0) {
            match what {
                ExpandJob::Connection => {
                    let ids = page.items.iter().map(|job| job.connection_id.0).collect();
                    let names = names(tx, organization, Named::Connections, ids).await?;
                    for job in &mut page.items {
                        job.connection = NamedResource::find(&names, job.connection_id.0);
                    }
                }
                ExpandJob::Filter => {
                    let ids = page.items.iter().filter_map(|job| job.filter_id).map(Uuid::from).collect();
                    let names = names(tx, organization, Named::Filters, ids).await?;
                    for job in &mut page.items {
                        job.filter = job.filter_id.and_then(|id| NamedResource::find(&names, id.0));
                    }
                }
                ExpandJob::Destination => {
                    let ids = page.items.iter().filter_map(|job| job.destination_id).map(Uuid::from).collect();
                    let names = names(tx, organization, Named::Destinations, ids).await?;
                    for job in &mut page.items {
                        job.destination = job.destination_id.and_then(|id| NamedResource::find(&names, id.0));
                    }
                }
                ExpandJob::LastRun => {
                    let ids: Vec<Uuid> = page.items.iter().map(|job| job.id.0).collect();
                    for row in runs::newest(tx, organization, &ids).await? {
                        let job = page.items.iter_mut().find(|job| job.id.0 == row.job_id);
                        job.ok_or_else(|| Error::internal("a run of a job that was not asked for"))?.last_run =
                            Some(LastRun::from_row(row)?);
                    }
                }
            }
        }
        Ok(page)
    }
}
