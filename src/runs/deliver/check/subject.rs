//! What a check is about.

use crate::app::App;
use crate::db::{destinations, job_settings};
use crate::error::Result;
use crate::ids::{DestinationId, JobId, OrganizationId};
use crate::runs::context::{Destination, JobContext, open_destination};
use crate::runs::transaction::transaction;

/// A destination with the job that delivers there.
pub struct Subject {
    pub organization: OrganizationId,
    pub destination: Destination,
    pub job: Option<JobContext>,
}

pub async fn load(app: &App, organization: OrganizationId, id: DestinationId) -> Result<Subject> {
    let (part, users) = transaction(app, organization, "load a destination", async move |tx| {
        let part = job_settings::destination(tx, organization, id).await?;
        Ok((part, destinations::used_by(tx, organization, id).await?))
    })
    .await?;
    let job = match users.first() {
        Some(user) => Some(JobContext::load(app, organization, JobId(user.id)).await?),
        None => None,
    };
    Ok(Subject { organization, destination: open_destination(&app.keys, organization, part)?, job })
}
