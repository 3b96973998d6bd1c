//! What the steps of a delivery share.

use crate::app::App;
use crate::assets::{AssetsError, Client, Links};
use crate::db::executions;
use crate::db::runs::Lease;
use crate::run_state::RunStage;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use crate::runs::transaction::transaction;
use crate::seal::Place;
use uuid::Uuid;

/// What the steps of a delivery share.
pub(super) struct Delivery<'a> {
    pub run: &'a Run,
    pub client: Client,
    pub links: Links,
}

impl Delivery<'_> {
    pub async fn note(&self, id: Uuid, change: executions::Change) -> Result<(), Stop> {
        note(&self.run.app, &self.run.lease, id, change).await
    }
}

pub(super) fn failed(error: &AssetsError) -> Stop {
    Stop::assets(RunStage::Deliver, error)
}

/// Writes down what is known of an execution. Fenced.
pub(super) async fn note(app: &App, lease: &Lease, id: Uuid, change: executions::Change) -> Result<(), Stop> {
    let (lease, now) = (*lease, app.clock.now());
    let noted = transaction(app, lease.organization, "note an execution", async move |tx| {
        executions::update(tx, &lease, id, &change, now).await
    });
    Ok(noted.await?)
}

/// Where the sealed links of an execution live.
pub(super) fn links_place(lease: &Lease, id: Uuid) -> Place {
    Place { table: "executions", column: "links_sealed", organization: lease.organization, row: id }
}
