//! A new secret for the signatures of a webhook.

use super::{KIND, WebhookResponse, unknown};
use crate::api::audit_events::record;
use crate::api::auth::Caller;
use crate::api::body::Body;
use crate::api::respond::{Found, IfMatch, IfMatchHeader};
use crate::app::App;
use crate::audit::Action;
use crate::db::webhooks::{self, NewWebhookRow, WebhookRow};
use crate::error::Result;
use crate::ids::{OrganizationId, WebhookId};
use crate::runs::webhooks::{previous_secret_place, secret_place};
use actix_web::post;
use actix_web::web::{Data, Path};
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde::Deserialize;
use utoipa::ToSchema;

/// A new secret.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"secret": "the-next-secret-of-the-receiver", "previousValidHours": 24}))]
pub struct RotateSecret {
    /// The key that signs deliveries from now on.
    #[schema(write_only, min_length = 16, max_length = 200, pattern = "^[!-~]+$")]
    secret: String,
    /// For how many hours deliveries are signed with the secret before too. 0: it ends at once.
    #[serde(default = "a_day")]
    #[schema(minimum = 0, maximum = 168, default = 24)]
    previous_valid_hours: i64,
}

fn a_day() -> i64 {
    24
}

impl RotateSecret {
    fn row(&self, app: &App, organization: OrganizationId, current: WebhookRow) -> Result<NewWebhookRow> {
        let id = WebhookId(current.id);
        let opened = current.secret_sealed.map(|sealed| app.keys.open(secret_place(organization, id), &sealed));
        let opened = opened.transpose()?;
        let until = app.clock.now() + TimeDelta::hours(self.previous_valid_hours);
        let (previous, until) = match opened {
            _ if self.previous_valid_hours == 0 => (None, None),
            // The call is repeated, as when its answer was lost: the secret before is still that of the first time.
            Some(now) if now.expose_secret() == self.secret => {
                (current.previous_secret_sealed, current.previous_secret_until)
            }
            Some(now) => {
                (Some(app.keys.seal(previous_secret_place(organization, id), now.expose_secret())?), Some(until))
            }
            None => (None, None),
        };
        Ok(NewWebhookRow {
            name: current.name,
            url: current.url,
            events: current.events,
            job_ids: current.job_ids,
            secret_sealed: Some(app.keys.seal(secret_place(organization, id), &self.secret)?),
            previous_secret_until: until,
            previous_secret_sealed: previous,
            enabled: current.enabled,
        })
    }
}

/// Rotate the secret of a webhook
///
/// Deliveries are signed with the new secret, and for a while with the one before too: their signature headers then have
/// both, so that a receiver can change its own copy in between.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id"), IfMatchHeader),
    request_body = RotateSecret,
    responses((status = 200, description = "The webhook, without its secrets", body = WebhookResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/webhooks/{id}/rotate-secret")]
pub async fn rotate_webhook_secret(
    app: Data<App>,
    caller: Caller,
    id: Path<WebhookId>,
    if_match: IfMatch,
    body: Body<RotateSecret>,
) -> Result<Found<WebhookResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = webhooks::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            let new = body.0.row(&app, organization, current)?;
            record(tx, &app, &caller, Action::RotateSecret, KIND, id.0).await?;
            webhooks::update(tx, organization, id, &new, app.clock.now()).await
        })
        .await?;
    Ok(Found(WebhookResponse::from_row(row)))
}
