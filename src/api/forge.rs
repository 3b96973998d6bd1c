//! What a Forge app calls on its own behalf.

use super::auth::Caller;
use super::auth::forge::{Invocation, SYSTEM_TOKEN_HEADER};
use crate::error::{Code, Error, Result};
use actix_web::post;
use actix_web::web::{Json, ReqData};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The token itself is never shown.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ForgeTokenResponse {
    /// When the token expires.
    pub expires_at: DateTime<Utc>,
    /// The number of runs that waited for the token and now continue.
    #[schema(example = 1)]
    pub runs_resumed: usize,
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
    let Some(invocation) = invocation else {
        let detail =
            "Only a Forge app can refresh its token. Call this with a Forge invocation token as the bearer token.";
        return Err(Error::new(Code::Forbidden, detail));
    };
    let brought = invocation.brought.ok_or_else(|| {
        let detail = format!(
            "The call has no `{SYSTEM_TOKEN_HEADER}`. In the app's manifest enable `auth.appSystemToken` of the endpoint and \
             ask for the scope `read:app-system-token` and at least one more, such as `import:import-configuration:cmdb`."
        );
        Error::new(Code::ForgeTokenMissing, detail)
    })?;
    Ok(Json(ForgeTokenResponse { expires_at: brought.expires_at, runs_resumed: brought.runs_resumed }))
}
