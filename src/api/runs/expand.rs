//! What a run refers to, beside the run: one query for a whole page.

use super::body::RunResponse;
use crate::api::page::Page;
use crate::api::respond::NamedResource;
use crate::db::Transaction;
use crate::db::names::{Named, names};
use crate::error::Result;
use crate::ids::OrganizationId;
use crate::text_enum::{Words, text_enum};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

text_enum! {
    /// What a response shows beside a run.
    ExpandRun in "no column" {
        /// The name of the job.
        Job = "job",
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExpandQuery {
    /// `job`: each run also has the name of its job.
    #[param(value_type = Vec<ExpandRun>, inline, required = false, style = Form, explode = false, max_items = 1)]
    pub expand: Option<Words<ExpandRun>>,
}

impl ExpandQuery {
    /// The runs with what the caller wants to see beside them.
    pub async fn apply(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        mut page: Page<RunResponse>,
    ) -> Result<Page<RunResponse>> {
        if self.expand.as_ref().is_none_or(|words| words.0.is_empty()) {
            return Ok(page);
        }
        let ids: Vec<Uuid> = page.items.iter().map(|run| run.job_id.0).collect();
        let names = names(tx, organization, Named::Jobs, ids).await?;
        for run in &mut page.items {
            run.job = NamedResource::find(&names, run.job_id.0);
        }
        Ok(page)
    }
}
