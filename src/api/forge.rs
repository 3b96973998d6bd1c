//! What a Forge app calls on its own behalf.

use super::auth::Caller;
use super::auth::forge::{Invocation, SYSTEM_TOKEN_HEADER};
use super::{audit_events, forge_imports, organizations};
use crate::app::App;
use crate::audit::Action;
use crate::db::audit_events::AuditEventRow;
use crate::db::{forge_tokens, system};
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use actix_web::post;
use actix_web::web::{Data, Json, ReqData};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The token itself is never shown.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ForgeTokenResponse {
    /// When the token expires. A token that was brought before and ends later is kept.
    pub expires_at: DateTime<Utc>,
    /// The number of runs that waited for the token and now continue.
    #[schema(example = 1)]
    pub runs_resumed: usize,
}

/// Refuses every caller but a Forge app.
fn require_app(invocation: Option<ReqData<Invocation>>) -> Result<Invocation> {
    invocation.map(ReqData::into_inner).ok_or_else(|| {
        let detail = "Only a Forge app can call this. Send a Forge invocation token as the bearer token.";
        Error::new(Code::Forbidden, detail)
    })
}

/// Refresh the Forge app's token
///
/// For the scheduled trigger of the app: Forge adds the app's system token, which runs need to reach Assets. Every
/// other call of the app with the token refreshes it too. A body is not read.
#[utoipa::path(
    tag = "Forge",
    params(("x-forge-oauth-system" = Option<String>, Header, description = "The system token of the app, which Forge adds")),
    responses((status = 200, description = "The token is stored", body = ForgeTokenResponse)),
    security(("bearer" = ["run"]))
)]
#[post("/v1/forge/refresh")]
pub async fn refresh_forge_token(
    _caller: Caller,
    invocation: Option<ReqData<Invocation>>,
) -> Result<Json<ForgeTokenResponse>> {
    let invocation = require_app(invocation)?;
    let brought = invocation.brought.ok_or_else(|| {
        let detail = format!(
            "The call has no `{SYSTEM_TOKEN_HEADER}`. In the app's manifest enable `auth.appSystemToken` of the endpoint and \
             ask for the scope `read:app-system-token` and at least one more, such as `import:import-configuration:cmdb`."
        );
        Error::new(Code::ForgeTokenMissing, detail)
    })?;
    Ok(Json(ForgeTokenResponse { expires_at: brought.expires_at, runs_resumed: brought.runs_resumed }))
}

/// What was removed of an installation.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ForgeUninstallResponse {
    /// How many import sources the service delivered to and does not know any more.
    #[schema(example = 1)]
    pub imports_removed: usize,
    /// Whether the installation's organization went too; otherwise it has more than the app.
    #[schema(example = true)]
    pub organization_removed: bool,
}

/// Uninstall the Forge app
///
/// For `preUninstall` of the app. Removes the installation's organization if it is the app's alone: without an API key, and
/// without a destination of another kind than `forge`. Its tokens, credentials and webhooks are deleted and its runs have
/// ended before the answer; a worker removes the rest soon after. An organization with more stays, and `default` always: of
/// it, the app's tokens, the destinations of the kind `forge` and the jobs that deliver there are deleted, and the runs of
/// these jobs have ended. Connections with their credentials, filters and webhooks stay there. Can be repeated. Changes
/// nothing in Assets. A body is not read.
#[utoipa::path(
    tag = "Forge",
    responses((
        status = 200,
        description = "No token of the app is left, and no secret of an organization that was the app's alone",
        body = ForgeUninstallResponse
    )),
    security(("bearer" = ["write"]))
)]
#[post("/v1/forge/uninstall")]
pub async fn uninstall_forge_app(
    app: Data<App>,
    caller: Caller,
    invocation: Option<ReqData<Invocation>>,
) -> Result<Json<ForgeUninstallResponse>> {
    require_app(invocation)?;
    let removed = remove_installation(&app, &caller).await?;
    let imports_removed = match removed {
        Some(imports) => imports,
        None => forget_app(&app, &caller).await?,
    };
    Ok(Json(ForgeUninstallResponse { imports_removed, organization_removed: removed.is_some() }))
}

/// Removes the organization of an installation that is the app's alone, and answers with the number of its import sources. The
/// operator's audit log keeps the event: that of the organization goes with it.
async fn remove_installation(app: &App, caller: &Caller) -> Result<Option<usize>> {
    let (id, now) = (caller.organization, app.clock.now());
    let event = audit_events::event(app, caller, (Action::Uninstall, organizations::KIND, id.0));
    let event = AuditEventRow { organization_id: OrganizationId::DEFAULT.0, ..event };
    let removed = match system::begin_uninstall(&app.db, id, &event, now).await {
        // Another call has removed it meanwhile.
        Err(error) if error.code == Code::NotFound => Some(0),
        other => other?,
    };
    if removed.is_some() {
        // If this fails, a worker does it: the organization is marked.
        system::wipe_organization(&app.db, id, now).await?;
    }
    Ok(removed)
}

/// Removes what the app has in an organization, and answers with the number of its import sources.
async fn forget_app(app: &App, caller: &Caller) -> Result<usize> {
    let organization = caller.organization;
    app.db
        .scoped(organization, async |tx| {
            forge_tokens::delete_all(tx, organization).await?;
            audit_events::record(tx, app, caller, Action::Uninstall, organizations::KIND, organization.0).await?;
            forge_imports::forget(tx, app, caller, None).await
        })
        .await
}
