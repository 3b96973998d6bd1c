//! What the steps of a delivery share.

use crate::app::App;
use crate::assets::{AssetsError, Client, ExecutionLinks, Links};
use crate::db::executions::{self, ExecutionRow};
use crate::db::runs::Lease;
use crate::error::{Error, Result};
use crate::run_state::RunStage;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use crate::runs::transaction::transaction;
use crate::seal::Place;
use secrecy::ExposeSecret;
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

/// The newest execution of a run that was not cancelled.
pub(super) async fn current_execution(app: &App, lease: &Lease) -> Result<Option<ExecutionRow>> {
    let Lease { organization, run, .. } = *lease;
    let known = transaction(app, organization, "current execution", async move |tx| {
        executions::current(tx, organization, run).await
    });
    known.await
}

/// The links of an execution; `None`: its start was not answered.
pub(super) fn open_links(app: &App, lease: &Lease, row: &ExecutionRow) -> Result<Option<ExecutionLinks>> {
    let Some(sealed) = &row.links_sealed else { return Ok(None) };
    let text = app.keys.open(links_place(lease, row.id), sealed)?;
    serde_json::from_str(text.expose_secret()).map(Some).map_err(Error::internal)
}

/// Where the sealed links of an execution live.
pub(super) fn links_place(lease: &Lease, id: Uuid) -> Place {
    Place { table: "executions", column: "links_sealed", organization: lease.organization, row: id }
}
