//! The system token of a Forge app. The app brings it with its calls. Runs use the newest token for each call to Assets, and wait
//! without a lease while there is none.

use super::context::{Destination, DestinationAccess};
use super::run::Run;
use super::stop::Stop;
use super::transaction::transaction;
use crate::app::App;
use crate::assets::Target;
use crate::codes::RunErrorCode;
use crate::db::forge_tokens::{self, ForgeTokenRow};
use crate::db::runs;
use crate::error::{Code, Error, Result};
use crate::ids::{self, OrganizationId};
use crate::run_state::{RunStage, WaitReason};
use crate::seal::Place;
use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

/// A token with less life than this is not used for another call.
const LEAST: TimeDelta = TimeDelta::minutes(3);
/// How long a token lives that does not say so itself. Source: docs/assets.md, «Forge».
const LIFE: TimeDelta = TimeDelta::minutes(55);
/// How long a run waits for the app to bring a token.
const MAX_WAIT: TimeDelta = TimeDelta::hours(6);
/// A token that Assets refuses so soon after it was stored has not expired: it is not valid at all.
const REFUSED_EARLY: TimeDelta = TimeDelta::minutes(5);

/// What storing a token led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredToken {
    /// When the token that is kept expires.
    pub expires_at: DateTime<Utc>,
    /// Runs that waited for it and go on.
    pub runs_resumed: usize,
}

fn place(organization: OrganizationId, row: uuid::Uuid) -> Place {
    Place { table: "forge_tokens", column: "token_sealed", organization, row }
}

/// Seals and stores a token, unless the one before ends later, and wakes the runs that wait for one. `ends_at`: as the
/// token says itself.
pub async fn bring(
    app: &App,
    organization: OrganizationId,
    installation: &str,
    token: &str,
    api_base_url: &Url,
    ends_at: Option<DateTime<Utc>>,
) -> Result<StoredToken> {
    let (id, now) = (ids::new_v7(&app.clock), app.clock.now());
    let row = ForgeTokenRow {
        organization_id: organization.0,
        installation_id: installation.to_owned(),
        token_sealed: app.keys.seal(place(organization, id), token)?,
        id,
        api_base_url: api_base_url.to_string(),
        expires_at: ends_at.unwrap_or(now + LIFE),
        updated_at: now,
    };
    transaction(app, organization, "store a Forge token", async |tx| {
        let expires_at = forge_tokens::keep_the_longer(tx, &row).await?;
        let is_of_use = expires_at - now >= LEAST;
        let runs_resumed =
            if is_of_use { runs::resume(tx, organization, WaitReason::ForgeToken, now).await? } else { 0 };
        Ok(StoredToken { expires_at, runs_resumed })
    })
    .await
}

async fn newest(app: &App, organization: OrganizationId) -> Result<Option<ForgeTokenRow>> {
    transaction(app, organization, "newest Forge token", async move |tx| forge_tokens::newest(tx, organization).await)
        .await
}

impl Destination {
    /// How to call Assets now, while a person waits.
    pub async fn target(&self, app: &App, organization: OrganizationId) -> Result<Target> {
        self.target_for(app, organization, TimeDelta::zero()).await?.ok_or_else(|| {
            let detail = "The Forge app has brought no token for Assets that is still valid. Call this from the app, \
                          with `appSystemToken` enabled for its endpoint.";
            Error::new(Code::ForgeTokenMissing, detail)
        })
    }

    /// For Forge with the newest token that the app brought; `None` while there is none that lives for `least` more.
    async fn target_for(&self, app: &App, organization: OrganizationId, least: TimeDelta) -> Result<Option<Target>> {
        let (workspace_id, import_id) = match &self.kind {
            DestinationAccess::AssetsImport { token } => return Ok(Some(Target::ImportToken { token: token.clone() })),
            DestinationAccess::Forge { workspace_id, import_id } => (workspace_id.clone(), import_id.clone()),
        };
        let alive_at = app.clock.now() + least;
        let Some(newest) = newest(app, organization).await?.filter(|token| alive_at < token.expires_at) else {
            return Ok(None);
        };
        Ok(Some(Target::Forge {
            token: app.keys.open(place(organization, newest.id), &newest.token_sealed)?,
            api_base_url: newest.api_base_url.parse().map_err(Error::internal)?,
            workspace_id,
            import_id,
        }))
    }
}

/// How a run calls Assets now. Without a good token it stops, and waits for the app to bring one.
pub(super) async fn target(run: &Run) -> Result<Target, Stop> {
    let organization = run.job.organization;
    let destination =
        run.job.destination.as_ref().ok_or_else(|| Error::internal("a delivery without a destination"))?;
    match destination.target_for(&run.app, organization, LEAST).await? {
        Some(target) => Ok(target),
        None => Err(wait(run).await?),
    }
}

/// Why a run without a token stops: it waits until six hours have passed since it had one, or since it was ready
/// to begin; then it fails.
async fn wait(run: &Run) -> Result<Stop> {
    let (organization, id) = (run.job.organization, run.lease.run);
    let (newest, row) = run
        .tx("wait for a Forge token", async move |tx| {
            Ok((forge_tokens::newest(tx, organization).await?, runs::find(tx, organization, id).await?))
        })
        .await?;
    let ready_at = row.approved_at.unwrap_or(row.queued_at);
    let until = newest.map_or(ready_at, |token| token.expires_at.max(ready_at)) + MAX_WAIT;
    if run.app.clock.now() < until {
        return Ok(Stop::Wait { until, reason: WaitReason::ForgeToken });
    }
    Ok(Stop::failed(
        RunStage::Deliver,
        RunErrorCode::ForgeTokenMissing,
        "The Forge app brought no valid token for six hours.",
        "Open the app in Jira once, and check that its scheduled trigger calls POST /v1/forge/refresh.",
    ))
}

/// Assets refused the token of a run (401). One that has run out before its time is waited for; one that was good
/// when the run used it last goes on with the newest. `began_at`: when this attempt began to deliver.
pub(super) async fn after_refusal(run: &Run, began_at: DateTime<Utc>, refusal: Stop) -> Result<Stop> {
    let (organization, now) = (run.job.organization, run.app.clock.now());
    let Some(newest) = newest(&run.app, organization).await? else { return wait(run).await };
    if newest.updated_at > began_at {
        // Perhaps it was not this one that was refused. If it is, the next attempt knows.
        return Ok(Stop::Wait { until: now, reason: WaitReason::ForgeToken });
    }
    if now - newest.updated_at < REFUSED_EARLY {
        let Stop::Failed(mut error) = refusal else { return Ok(refusal) };
        error.detail = "Assets does not accept the token that the Forge app brought a moment ago.".to_owned();
        error.advice = Some(
            "The app's manifest needs the scopes import:import-configuration:cmdb and read:app-system-token, the app \
             must be installed on the site of the destination's workspace, and importId must be of its own import type."
                .to_owned(),
        );
        return Ok(Stop::Failed(error));
    }
    let id = newest.id;
    run.tx("end a Forge token", async move |tx| forge_tokens::end(tx, organization, id, now).await).await?;
    wait(run).await
}
