//! Whether this delivery goes to the same place as the last one. What was delivered to another place does not count here.

use crate::codes::WarningCode;
use crate::db::mirror::{self, MirrorRow, delivered};
use crate::db::{Transaction, job_settings};
use crate::error::Result;
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::runs::forge_token::target;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use uuid::Uuid;

/// What changed since the last delivery of the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Nothing,
    /// Settings of the destination, but not where it leads.
    Settings,
    /// The token belongs to another import source, as after one was created again in Assets.
    ImportSource,
    /// The job delivers to another destination.
    Destination,
}

impl Change {
    /// Whether what was delivered before is in another place.
    pub fn is_elsewhere(self) -> bool {
        matches!(self, Self::ImportSource | Self::Destination)
    }
}

/// Asks Assets only if the destination was changed since the last delivery.
pub(super) async fn compare(run: &Run) -> Result<Change, Stop> {
    let Some(to) = &run.job.destination else { return Ok(Change::Nothing) };
    let (organization, job) = (run.job.organization, run.job.id);
    let mirror = run.tx("find the mirror", async move |tx| mirror::find(tx, organization, job).await).await?;
    let change = if mirror.delivered_to != Some(to.id) {
        Change::Destination
    } else if mirror.destination_version == Some(to.version) || mirror.import_source.is_none() {
        Change::Nothing
    } else {
        let client = run.app.assets.clone().with_cancellation(run.cancel.clone());
        let links = client.links(&target(run).await?).await.map_err(|error| Stop::assets(RunStage::Diff, &error))?;
        if links.import_source_id() == mirror.import_source { Change::Settings } else { Change::ImportSource }
    };
    if run.mode == RunMode::DryRun && change.is_elsewhere() && mirror.delivered_at.is_some() {
        let detail = "The job delivers to another place than before, which has nothing of it yet: the next run sends everything.";
        run.progress.warn(RunWarning::new(WarningCode::DestinationChanged, detail));
    }
    Ok(change)
}

/// Stores the change, and forgets what was delivered elsewhere.
pub(super) async fn note(tx: &mut Transaction, run: &Run, mirror: &mut MirrorRow, change: Change) -> Result<()> {
    let Some((id, version)) = run.job.destination.as_ref().map(|to| (to.id, to.version)) else { return Ok(()) };
    match change {
        Change::Nothing => return Ok(()),
        Change::Settings => mirror.destination_version = Some(version),
        Change::ImportSource => {
            forget(tx, run, mirror, id).await?;
            mirror.destination_version = Some(version);
            job_settings::forget_contents(tx, run.job.organization, id).await?;
        }
        Change::Destination => forget(tx, run, mirror, id).await?,
    }
    mirror::save(tx, mirror).await
}

async fn forget(tx: &mut Transaction, run: &Run, mirror: &mut MirrorRow, destination: Uuid) -> Result<()> {
    delivered::forget(tx, run.job.organization, run.job.id).await?;
    mirror.delivered_to = Some(destination);
    mirror.delivered_at = None;
    (mirror.import_source, mirror.destination_version) = (None, None);
    mirror.resend.clear();
    mirror.compared_by = None;
    Ok(())
}
