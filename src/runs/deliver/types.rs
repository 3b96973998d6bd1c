//! Lists the object types in the object schema of a destination. A person waits for the answer, so the time is limited.

use crate::app::App;
use crate::db::job_settings;
use crate::error::{Code, Error, Result};
use crate::ids::{DestinationId, OrganizationId};
use crate::mapping::proposal::{SchemaTypes, schema_types};
use crate::runs::context::open_destination;
use crate::runs::transaction::transaction;
use std::time::Duration;

/// One call of Assets is not waited for longer than this, and all of them not longer than that.
const PATIENCE: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(18);

/// The object types of the object schema, with proposals.
pub async fn list(app: &App, organization: OrganizationId, id: DestinationId) -> Result<SchemaTypes> {
    let part = transaction(app, organization, "load a destination", async move |tx| {
        job_settings::destination(tx, organization, id).await
    });
    let part = part.await?;
    let destination = open_destination(&app.keys, organization, part)?;
    let target = destination.target(app, organization).await?;
    let client = app.assets.clone().with_patience(PATIENCE);
    let ask = async { client.schema_and_mapping(&target, &client.links(&target).await?).await };
    let document = tokio::select! {
        document = ask => document?,
        () = app.clock.sleep(DEADLINE) => {
            let detail = format!("Assets did not answer within {} seconds. Look again.", DEADLINE.as_secs());
            return Err(Error::new(Code::AssetsUnreachable, detail));
        }
    };
    Ok(schema_types(document.as_ref()))
}
