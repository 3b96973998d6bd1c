//! Why a run is not queued or not approved.

use crate::app::App;
use crate::db::Transaction;
use crate::db::job_settings::{self, JobSettings};
use crate::db::mirror::{self, MirrorRow};
use crate::db::runs::{NewRun, RunRow};
use crate::destination::MissingObjects;
use crate::error::{Code, Error, Faults, Result};
use crate::ids::OrganizationId;
use crate::run_state::RunMode;
use crate::runs::checkpoint::Checkpoint;
use crate::runs::context::JobContext;
use serde_json::Value;
use uuid::Uuid;

/// What the document cannot say of a new run: which options its mode takes.
pub(in crate::api) fn check(body: &Value, faults: &mut Faults) {
    let Some(mode) = body.get("mode").and_then(Value::as_str).and_then(|mode| mode.parse::<RunMode>().ok()) else {
        return;
    };
    if body.get("limit").is_some_and(|limit| !limit.is_null()) && mode != RunMode::Test {
        let detail = format!(
            "`limit` is for the mode `test` only; the mode `{mode}` reads every object that the filter selects. Leave out `limit`."
        );
        faults.push("/limit", "not_for_mode", detail);
    }
    if body.get("resetMirror") == Some(&Value::Bool(true)) && matches!(mode, RunMode::Test | RunMode::DryRun) {
        let detail = format!(
            "The mode `{mode}` does not change the mirror, so it cannot reset it. Use the mode `full`, or leave out `resetMirror`."
        );
        faults.push("/resetMirror", "not_for_mode", detail);
    }
}

/// Refuses to fill the mirror of one tenant from another. If the connection names its tenant by a domain, the run itself
/// finds out from its token.
pub(super) fn refuse_another_tenant(settings: &JobSettings, mirror: &MirrorRow, new: &NewRun) -> Result<()> {
    let keeps_mirror = matches!(new.mode, RunMode::Full | RunMode::Incremental) && !new.request.reset_mirror;
    let wanted = Uuid::parse_str(&settings.connection.tenant_id).ok();
    match (mirror.tenant_id, wanted) {
        (Some(known), Some(wanted)) if known != wanted && keeps_mirror => Err(Error::new(
            Code::TenantChanged,
            format!(
                "The connection reaches the tenant {wanted}, but the mirror of this job holds the tenant {known}. If this \
                 change is intended, start the run with `resetMirror: true`; otherwise correct the connection's `tenantId`."
            ),
        )),
        _ => Ok(()),
    }
}

/// A test sends only a part of the objects. Unless Assets ignores missing objects, that is safe only while the
/// destination is empty.
pub(super) fn refuse_test_that_would_remove(settings: &JobSettings, mirror: &MirrorRow, new: &NewRun) -> Result<()> {
    let Some(destination) = settings.destination.as_ref().filter(|_| new.mode == RunMode::Test) else { return Ok(()) };
    let has_delivered = mirror.delivered_to == Some(destination.id) && mirror.delivered_at.is_some();
    // Objects of an earlier job of the destination count too.
    let has_objects = has_delivered || destination.delivered_at.is_some();
    if has_objects && destination.missing_objects != MissingObjects::Ignore {
        return Err(Error::new(
            Code::TestWouldRemove,
            "The destination already has objects, and a test sends only a part of them: Assets could treat the others as \
             missing. Use the mode `dryRun`, or configure Assets to ignore missing objects and set the destination's \
             `missingObjects` to `ignore`.",
        ));
    }
    Ok(())
}

/// An approval is for the changes that were found when the run stopped: they must still be what would happen.
pub(super) async fn refuse_outdated(
    tx: &mut Transaction,
    app: &App,
    organization: OrganizationId,
    run: &RunRow,
) -> Result<()> {
    let checkpoint = Checkpoint::of(run)?;
    let settings = job_settings::load(tx, organization, run.job()).await?;
    let settings = JobContext::new(app, organization, settings)?.settings();
    let mirror = mirror::find(tx, organization, run.job()).await?;
    if checkpoint.diffed.is_some_and(|found| found.settings == settings && found.generation == mirror.generation) {
        return Ok(());
    }
    Err(Error::new(
        Code::ApprovalOutdated,
        "The job, its filter, its destination or its mirror changed after the run stopped. Cancel the run and start a new one.",
    ))
}
