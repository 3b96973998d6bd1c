//! Webhooks: notifications about runs, checks, credentials and schedules. The workers send them, see [`crate::runs::webhooks`].

pub mod rotation;

use super::audit_events::{record, record_update};
use super::auth::{Caller, Scope};
use super::body::Body;
use super::once::{IdempotencyKeyHeader, Once};
use super::page::{NameSortQuery, Page, PageQuery};
use super::patch::Change;
use super::respond::{Created, Deleted, Found, IfMatch, IfMatchHeader, Versioned};
use crate::app::App;
use crate::audit::Action;
use crate::db::webhooks::{self, NewWebhookRow, WebhookRow};
use crate::db::{Transaction, jobs};
use crate::error::{Error, Fault, Faults, Result};
use crate::http::public::Refused;
use crate::ids::{JobId, OrganizationId, WebhookId};
use crate::runs::webhooks::secret_place;
use crate::webhook::WebhookEvent;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) const KIND: &str = "webhooks";
const URL_REFUSED: &str = "url_refused";

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Chat", "url": "https://hooks.example.com/entra-assets", "events": ["degraded", "failed", "awaitingApproval"], "secret": "a-shared-secret-of-the-receiver"}))]
pub struct CreateWebhook {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The receiver, called with POST: an https URL with a public address, unless the operator allows its origin.
    #[schema(min_length = 1, max_length = 2000, format = "uri")]
    pub url: String,
    /// Absent: what came of a run (`succeeded`, `degraded`, `failed`, `cancelled`, `awaitingApproval`). What a run found in the
    /// directory (`user.joined` and the like) is one delivery for each run and event, with the number and the first hundred
    /// objects.
    #[schema(min_items = 1, max_items = 16)]
    pub events: Option<Vec<WebhookEvent>>,
    /// The jobs that it is told of: their runs, what these found in the directory, and their schedules. Absent: all jobs.
    /// Whatever is about no job, such as a check of a connection, is told as `events` say.
    #[schema(min_items = 1, max_items = 20)]
    pub job_ids: Option<Vec<JobId>>,
    /// The key that signs each delivery, by the rules of Standard Webhooks: the header `webhook-signature: v1,<Base64>` has
    /// the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`. A secret that begins with `whsec_` is the Base64 of
    /// its key. The header `X-Entra-Assets-Signature: t=<seconds>,v1=<hex>` of earlier versions has the HMAC-SHA256 of
    /// `<seconds>.<body>`. Without a secret, deliveries are not signed.
    #[schema(write_only, min_length = 16, max_length = 200, pattern = "^[!-~]+$")]
    pub secret: Option<String>,
    /// Absent: true.
    pub enabled: Option<bool>,
}

impl fmt::Debug for CreateWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateWebhook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Changes to a webhook: omitted fields keep their value, also the secret; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct UpdateWebhook {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(min_length = 1, max_length = 2000, format = "uri", nullable = false)]
    url: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<WebhookEvent>>, min_items = 1, max_items = 16)]
    events: Change<Vec<WebhookEvent>>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<JobId>>, min_items = 1, max_items = 20)]
    job_ids: Change<Vec<JobId>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, min_length = 16, max_length = 200, pattern = "^[!-~]+$")]
    secret: Change<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    enabled: Change<bool>,
}

/// A webhook without its secret.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct WebhookResponse {
    pub id: WebhookId,
    pub name: String,
    /// The receiver. Without the scope `write`, its path is `/…`: whoever knows the whole URL of a chat's webhook may write
    /// there.
    pub url: String,
    pub events: Vec<WebhookEvent>,
    /// The jobs that it is told of; null: all of them. A job that was deleted stays here, and nothing is told of it.
    #[schema(required = true)]
    pub job_ids: Option<Vec<JobId>>,
    /// Whether deliveries are signed, because the webhook has a secret.
    pub signed: bool,
    /// Until when deliveries are signed with the secret before the last rotation too; null: they are not.
    #[schema(required = true)]
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub enabled: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Versioned for WebhookResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl WebhookResponse {
    fn from_row(row: WebhookRow) -> Self {
        Self {
            id: WebhookId(row.id),
            events: row.events,
            job_ids: row.job_ids.map(|ids| ids.into_iter().map(JobId).collect()),
            name: row.name,
            url: row.url,
            signed: row.secret_sealed.is_some(),
            previous_secret_until: row.previous_secret_until.filter(|_| row.previous_secret_sealed.is_some()),
            enabled: row.enabled,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// As the caller may see it.
    fn for_caller(self, caller: &Caller) -> Self {
        if caller.require(Scope::Write).is_ok() { self } else { self.shortened() }
    }

    fn shortened(self) -> Self {
        Self { url: shortened(&self.url), ..self }
    }
}

/// Stands for the path of a URL that is not shown.
const HIDDEN_PATH: &str = "/…";

/// A URL without what makes it a secret: `https://hooks.slack.com/…`.
fn shortened(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.path() == "/" && url.query().is_none() => url.into(),
        Ok(url) => format!("{}{HIDDEN_PATH}", url.origin().ascii_serialization()),
        Err(_) => HIDDEN_PATH.to_owned(),
    }
}

/// What the document cannot say of a webhook's URL, independent of the operator's settings.
pub(super) fn check(body: &Value, faults: &mut Faults) {
    let url = body.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    if url.is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
        faults.push("/url", URL_REFUSED, Refused::NoHttps.to_string());
    }
}

pub(super) fn unknown(id: WebhookId) -> Error {
    Error::not_found("webhook", id)
}

impl CreateWebhook {
    fn row(self, app: &App, organization: OrganizationId, id: WebhookId) -> Result<NewWebhookRow> {
        let seal = |secret: &String| app.keys.seal(secret_place(organization, id), secret);
        Ok(NewWebhookRow {
            name: self.name,
            url: receiver(app, &self.url)?,
            events: self.events.unwrap_or_else(|| WebhookEvent::DEFAULT.to_vec()),
            job_ids: self.job_ids.as_deref().map(ids),
            secret_sealed: self.secret.as_ref().map(seal).transpose()?,
            previous_secret_sealed: None,
            previous_secret_until: None,
            enabled: self.enabled.unwrap_or(true),
        })
    }
}

impl UpdateWebhook {
    fn row(self, app: &App, organization: OrganizationId, current: WebhookRow) -> Result<NewWebhookRow> {
        let id = WebhookId(current.id);
        // Whoever sets or removes the secret here wants no other; a rotation keeps it for a while.
        let keeps = matches!(self.secret, Change::Keep);
        Ok(NewWebhookRow {
            previous_secret_sealed: current.previous_secret_sealed.filter(|_| keeps),
            previous_secret_until: current.previous_secret_until.filter(|_| keeps),
            name: self.name.unwrap_or(current.name),
            url: receiver(app, &self.url.unwrap_or(current.url))?,
            events: match self.events {
                Change::Keep => current.events,
                Change::Reset => WebhookEvent::DEFAULT.to_vec(),
                Change::Set(events) => events,
            },
            job_ids: match self.job_ids {
                Change::Keep => current.job_ids,
                Change::Reset => None,
                Change::Set(jobs) => Some(ids(&jobs)),
            },
            secret_sealed: match self.secret {
                Change::Keep => current.secret_sealed,
                Change::Reset => None,
                Change::Set(secret) => Some(app.keys.seal(secret_place(organization, id), &secret)?),
            },
            enabled: self.enabled.of_optional(Some(current.enabled)).unwrap_or(true),
        })
    }
}

fn ids(jobs: &[JobId]) -> Vec<Uuid> {
    jobs.iter().map(|job| job.0).collect()
}

/// Refuses jobs that do not exist.
async fn check_jobs(tx: &mut Transaction, organization: OrganizationId, jobs: &[JobId]) -> Result<()> {
    let mut faults = Faults::default();
    let known = jobs::existing(tx, organization, &ids(jobs)).await?;
    for (place, job) in jobs.iter().enumerate().filter(|(_, job)| !known.contains(&job.0)) {
        let detail = format!("There is no job with the id {job}.");
        faults.push(format!("/jobIds/{place}"), "unknown_reference", detail);
    }
    faults.into_result()
}

fn receiver(app: &App, url: &str) -> Result<String> {
    let refused = |detail| Error::validation(vec![Fault::new("/url", URL_REFUSED, detail)]);
    read_url(app, url).map(Into::into).map_err(refused)
}

/// The URL of a receiver, if the operator's settings allow it; otherwise why not.
fn read_url(app: &App, url: &str) -> Result<Url, String> {
    if url.ends_with(HIDDEN_PATH) {
        let why = "is the short form that is shown without the scope `write`; send the whole URL, or leave it out";
        return Err(why.to_owned());
    }
    let url = Url::parse(url).map_err(|e| format!("is not a URL: {e}"))?;
    app.public_http.check(&url).map_err(|refused| refused.to_string())?;
    Ok(url)
}

/// What only the service can say of a new webhook: the operator's settings allow its receiver.
pub(super) fn check_now(app: &App, body: &Value, faults: &mut Faults) {
    if let Some(Err(detail)) = body.get("url").and_then(Value::as_str).map(|url| read_url(app, url)) {
        faults.push("/url", URL_REFUSED, detail);
    }
}

/// List webhooks
///
/// Oldest first, unless `sort` says otherwise; secrets are never shown, and whole URLs with the scope `write` only.
#[utoipa::path(
    tag = "Administration",
    params(webhooks::Which, NameSortQuery, PageQuery),
    responses((status = 200, description = "A page of webhooks", body = Page<WebhookResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/webhooks")]
pub async fn list_webhooks(
    app: Data<App>,
    caller: Caller,
    which: Query<webhooks::Which>,
    sort: Query<NameSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<WebhookResponse>>> {
    let (organization, window) = (caller.organization, query.sorted(KIND, &which, sort.order())?);
    let rows =
        app.db.scoped(organization, async |tx| webhooks::list(tx, organization, &which, &window.part()).await).await?;
    let page = window.cut(rows, |row| (row.id, &row.name));
    Ok(Json(page.map(|row| WebhookResponse::from_row(row).for_caller(&caller))))
}

/// Create a webhook
///
/// The receiver is called at each of its `events`. A body has the fields `id`, `type`, `timestamp` and `data` of Standard
/// Webhooks, and `text`, which chats such as Slack and Teams show as it is. Responses outside 200-299 and redirects are
/// failures; a failed delivery is repeated up to seven times within a day.
#[utoipa::path(
    tag = "Administration",
    params(IdempotencyKeyHeader),
    request_body = CreateWebhook,
    responses((status = 201, description = "The webhook", body = WebhookResponse)),
    security(("bearer" = ["write"]))
)]
#[post("/v1/webhooks")]
pub async fn create_webhook(
    app: Data<App>,
    caller: Caller,
    once: Once,
    body: Body<CreateWebhook>,
) -> Result<Created<WebhookResponse>> {
    let (organization, id) = (caller.organization, WebhookId::new(&app.clock));
    let jobs = body.0.job_ids.clone().unwrap_or_default();
    let new = body.0.row(&app, organization, id)?;
    let row = app
        .db
        .scoped(organization, async |tx| {
            if let Some(id) = once.replay(tx, &app, &caller).await?.map(WebhookId) {
                return webhooks::find(tx, organization, id).await?.ok_or_else(|| unknown(id));
            }
            check_jobs(tx, organization, &jobs).await?;
            let row = webhooks::insert(tx, organization, id, &new, app.clock.now()).await?;
            record(tx, &app, &caller, Action::Create, KIND, id.0).await?;
            once.done(tx, &app, &caller, 201, id.0).await?;
            Ok(row)
        })
        .await?;
    Ok(Created { location: format!("/v1/webhooks/{}", row.id), value: WebhookResponse::from_row(row) })
}

/// Get a webhook
///
/// Its receiver and its events. The secret is never shown, and the whole URL with the scope `write` only.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id")),
    responses((status = 200, description = "The webhook", body = WebhookResponse)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/webhooks/{id}")]
pub async fn get_webhook(app: Data<App>, caller: Caller, id: Path<WebhookId>) -> Result<Found<WebhookResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app.db.scoped(organization, async |tx| webhooks::find(tx, organization, id).await).await?;
    Ok(Found(WebhookResponse::from_row(row.ok_or_else(|| unknown(id))?).for_caller(&caller)))
}

/// Change a webhook
///
/// JSON merge patch: omitted fields keep their value; null resets to the default. `secret: null` ends the signing.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id"), IfMatchHeader),
    request_body(content((UpdateWebhook = "application/json"), (UpdateWebhook = "application/merge-patch+json"))),
    responses((status = 200, description = "The changed webhook", body = WebhookResponse)),
    security(("bearer" = ["write"]))
)]
#[patch("/v1/webhooks/{id}")]
pub async fn update_webhook(
    app: Data<App>,
    caller: Caller,
    id: Path<WebhookId>,
    if_match: IfMatch,
    body: Body<UpdateWebhook>,
) -> Result<Found<WebhookResponse>> {
    let (organization, id) = (caller.organization, *id);
    let row = app
        .db
        .scoped(organization, async |tx| {
            let current = webhooks::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            if let Change::Set(jobs) = &body.0.job_ids {
                check_jobs(tx, organization, jobs).await?;
            }
            let new = body.0.row(&app, organization, current.clone())?;
            let row = webhooks::update(tx, organization, id, &new, app.clock.now()).await?;
            // The URL of a chat's webhook is a secret, which the audit log does not keep.
            let secrets = [
                ("secret", current.secret_sealed.as_deref(), row.secret_sealed.as_deref()),
                ("url", Some(current.url.as_bytes()), Some(row.url.as_bytes())),
            ];
            let [before, after] = [current.clone(), row.clone()].map(|row| WebhookResponse::from_row(row).shortened());
            record_update(tx, &app, &caller, (KIND, id.0), (&before, &after), &secrets).await?;
            Ok(row)
        })
        .await?;
    Ok(Found(WebhookResponse::from_row(row)))
}

/// Delete a webhook
///
/// Also deletes its deliveries, sent or not.
#[utoipa::path(
    tag = "Administration",
    params(("id" = WebhookId, Path, description = "The webhook's id"), IfMatchHeader),
    responses((status = 204, description = "Deleted")),
    security(("bearer" = ["write"]))
)]
#[delete("/v1/webhooks/{id}")]
pub async fn delete_webhook(app: Data<App>, caller: Caller, id: Path<WebhookId>, if_match: IfMatch) -> Result<Deleted> {
    let (organization, id) = (caller.organization, *id);
    app.db
        .scoped(organization, async |tx| {
            let current = webhooks::lock(tx, organization, id).await?.ok_or_else(|| unknown(id))?;
            if_match.check(current.version)?;
            record(tx, &app, &caller, Action::Delete, KIND, id.0).await?;
            webhooks::delete(tx, organization, id).await
        })
        .await?;
    Ok(Deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shortened_to_its_origin() {
        for (url, expected) in [
            ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/…"),
            ("https://example.com:8443/?code=secret", "https://example.com:8443/…"),
            ("https://user:secret@example.com/hook", "https://example.com/…"),
            ("https://example.com/", "https://example.com/"),
        ] {
            assert_eq!(shortened(url), expected);
        }
    }
}
