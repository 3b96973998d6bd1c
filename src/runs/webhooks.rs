//! Sends queued webhook deliveries. Every worker process sends; a delivery is claimed by one at a time.

use super::outage::Outage;
use super::transaction::transaction;
use crate::app::App;
use crate::db::listen::Notice;
use crate::db::webhooks::{self, Attempt, Claimed, WebhookRow};
use crate::error::{Error, Result};
use crate::http;
use crate::ids::{LeaseToken, OrganizationId, WebhookId};
use crate::seal::Place;
use aws_lc_rs::hmac;
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE64, HEXLOWER};
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// The waits before a failed delivery is sent again; after the last it is given up.
const WAITS: [Duration; 7] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(12 * 3600),
];
/// A sender that died is missed after this long. Longer than a request may take.
const LEASE: TimeDelta = TimeDelta::seconds(60);
const POLL: Duration = Duration::from_secs(10);
/// Deliveries claimed and sent at once.
const AT_ONCE: usize = 16;
/// Characters of why a receiver could not be reached. A certificate may have very many names.
const MAX_CAUSE: usize = 500;
/// A receiver that wants no more answers so.
const GONE: u16 = 410;

/// Sends until `stopping`; then ends what is under way.
pub async fn keep(app: App, stopping: CancellationToken) {
    let (mut notices, mut outage) = (app.notices.subscribe(), Outage::default());
    let mut sending = FuturesUnordered::new();
    while !stopping.is_cancelled() {
        // A slow receiver keeps one place of many, and the others go on.
        let claimed = claim(&app, AT_ONCE - sending.len()).await;
        let is_free = claimed.as_ref().is_ok_and(|claimed| !claimed.is_empty()) && sending.len() < AT_ONCE;
        let mut failed = claimed.as_ref().err().map(|error| error.detail.clone());
        sending.extend(claimed.unwrap_or_default().into_iter().map(|claimed| deliver(&app, claimed)));
        if !is_free || sending.len() >= AT_ONCE {
            tokio::select! {
                Some(settled) = sending.next() => failed = failed.or(settled.err().map(|error: Error| error.detail)),
                () = wait(&app, &mut notices, &stopping) => {}
            }
        }
        outage.note(&app.clock, "webhooks cannot be sent", failed.as_deref());
    }
    while let Some(settled) = sending.next().await {
        if let Err(error) = settled {
            tracing::warn!(code = %error.code, "what became of a delivery was not stored: {}", error.detail);
        }
    }
}

/// Until something is queued, or the time for a poll has come.
async fn wait(app: &App, notices: &mut broadcast::Receiver<Notice>, stopping: &CancellationToken) {
    let queued = async {
        loop {
            match notices.recv().await {
                Ok(Notice::WebhooksQueued) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    tokio::select! {
        () = queued => {}
        () = app.clock.sleep(POLL + app.clock.jitter(POLL / 2)) => {}
        () = stopping.cancelled() => {}
    }
}

/// Sends what is due. Returns how many deliveries were attempted. Public for tests, which move the clock by hand.
pub async fn step(app: &App) -> Result<usize> {
    let claimed = claim(app, AT_ONCE).await?;
    let number = claimed.len();
    let mut sending = stream::iter(claimed).map(|claimed| deliver(app, claimed)).buffer_unordered(AT_ONCE);
    // An error of one must not drop the others: their receivers may have accepted them already.
    let mut first_error = None;
    while let Some(outcome) = sending.next().await {
        first_error = first_error.or(outcome.err());
    }
    first_error.map_or(Ok(number), Err)
}

async fn claim(app: &App, most: usize) -> Result<Vec<Claimed>> {
    if most == 0 {
        return Ok(Vec::new());
    }
    webhooks::claim(&app.db, LeaseToken::new(&app.clock), most as i64, LEASE, app.clock.now()).await
}

async fn deliver(app: &App, claimed: Claimed) -> Result<()> {
    let attempt = match attempt(app, &claimed).await {
        Ok(attempt) => attempt,
        Err(error) => failed(app, &claimed, None, error.detail, None),
    };
    let organization = OrganizationId(claimed.organization_id);
    if let Attempt::Failed { error, again_at: None, .. } = &attempt {
        tracing::warn!(organization.id = %organization, webhook.id = %claimed.webhook_id, "a delivery was given up: {error}");
    }
    let now = app.clock.now();
    transaction(app, organization, "settle a delivery", async |tx| webhooks::settle(tx, &claimed, &attempt, now).await)
        .await
}

/// Sends a delivery once. An error is one of ours, and counts as a failed attempt.
async fn attempt(app: &App, claimed: &Claimed) -> Result<Attempt> {
    let (organization, id) = (OrganizationId(claimed.organization_id), WebhookId(claimed.webhook_id));
    let found =
        transaction(app, organization, "find a webhook", async |tx| webhooks::find(tx, organization, id).await).await?;
    let webhook = found.ok_or_else(|| Error::not_found("webhook", id))?;
    let give_up = |error: &str| Attempt::Failed { status: None, error: error.to_owned(), again_at: None };
    if !webhook.enabled {
        return Ok(give_up("The webhook is switched off."));
    }
    let url = Url::parse(&webhook.url).map_err(Error::internal)?;
    let request = match app.public_http.post(&url).await {
        Ok(request) => request,
        Err(refused) => return Ok(give_up(&format!("Not sent: the URL {refused}."))),
    };
    let (body, now) = (claimed.body.to_string(), app.clock.now());
    let secrets = secrets(app, organization, &webhook, now)?;
    let mut request = request
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", claimed.id.to_string())
        .header("webhook-timestamp", now.timestamp().to_string())
        .header("X-Entra-Assets-Event", claimed.event.as_str())
        .header("X-Entra-Assets-Delivery", claimed.id.to_string());
    if !secrets.is_empty() {
        request = request
            .header("webhook-signature", standard_signature(&secrets, claimed.id, now, &body))
            .header("X-Entra-Assets-Signature", signature(&secrets, now, &body));
    }
    Ok(match request.body(body).send().await {
        Ok(response) if response.status().is_success() => Attempt::Delivered { status: response.status().as_u16() },
        Ok(response) => {
            let status = response.status().as_u16();
            let wait = http::retry_after(response.headers(), app.clock.now());
            failed(app, claimed, Some(status), answered(response.status()), wait)
        }
        Err(error) => failed(app, claimed, None, unreachable(error), None),
    })
}

fn answered(status: reqwest::StatusCode) -> String {
    match status.is_redirection() {
        true => {
            format!("The receiver answered {status}; redirects are not followed. Enter the address that it leads to.")
        }
        false => format!("The receiver answered {status}."),
    }
}

/// Why there was no answer, to the last cause, without the URL.
fn unreachable(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    let why: String = words.join(": ").chars().take(MAX_CAUSE).collect();
    format!("The receiver could not be reached: {why}.")
}

/// A failed attempt, and when the next one is due. `wait`: what the receiver asks for, at least.
fn failed(app: &App, claimed: &Claimed, status: Option<u16>, error: String, wait: Option<Duration>) -> Attempt {
    let begun = usize::try_from(claimed.attempt).unwrap_or(usize::MAX);
    let next = WAITS.get(begun.saturating_sub(1)).filter(|_| status != Some(GONE));
    let again_at = next.map(|next| {
        let next = (*next).max(wait.unwrap_or_default());
        app.clock.now() + next + app.clock.jitter(next / 10)
    });
    Attempt::Failed { status, error, again_at }
}

/// Where the secret of a webhook is sealed.
pub fn secret_place(organization: OrganizationId, id: WebhookId) -> Place {
    Place { table: "webhooks", column: "secret_sealed", organization, row: id.0 }
}

/// Where the secret before the last rotation is sealed.
pub fn previous_secret_place(organization: OrganizationId, id: WebhookId) -> Place {
    Place { column: "previous_secret_sealed", ..secret_place(organization, id) }
}

/// The secrets that sign a delivery: the current one, and for a time the one before.
fn secrets(
    app: &App,
    organization: OrganizationId,
    webhook: &WebhookRow,
    now: DateTime<Utc>,
) -> Result<Vec<SecretString>> {
    let id = WebhookId(webhook.id);
    let current = webhook.secret_sealed.as_ref().map(|sealed| (secret_place(organization, id), sealed));
    let is_valid = webhook.previous_secret_until.is_some_and(|until| until > now);
    let previous = webhook.previous_secret_sealed.as_ref().filter(|_| is_valid);
    let previous = previous.map(|sealed| (previous_secret_place(organization, id), sealed));
    current.into_iter().chain(previous).map(|(place, sealed)| app.keys.open(place, sealed)).collect()
}

/// `t=<seconds>,v1=<hex of HMAC-SHA256 over "<seconds>.<body>">`, with a `v1` for each secret. The time lets a receiver
/// refuse what is replayed.
fn signature(secrets: &[SecretString], now: DateTime<Utc>, body: &str) -> String {
    let seconds = now.timestamp();
    let sign = |secret: &SecretString| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
        format!(",v1={}", HEXLOWER.encode(tag.as_ref()))
    };
    format!("t={seconds}{}", secrets.iter().map(sign).collect::<String>())
}

/// `v1,<Base64 of HMAC-SHA256 over "<id>.<seconds>.<body>">` for each secret, separated by blanks. A secret that begins
/// with `whsec_` is the Base64 of its key. Source: the specification of Standard Webhooks.
fn standard_signature(secrets: &[SecretString], id: Uuid, now: DateTime<Utc>, body: &str) -> String {
    let sign = |secret: &SecretString| {
        let text = secret.expose_secret();
        let decoded = text.strip_prefix("whsec_").and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(text.as_bytes()));
        let tag = hmac::sign(&key, format!("{id}.{}.{body}", now.timestamp()).as_bytes());
        format!("v1,{}", BASE64.encode(tag.as_ref()))
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python: `hmac.new(b"Jefe", b"1.{}", "sha256").hexdigest()`.
    #[test]
    fn the_signature_covers_time_and_body() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let sign = |secret: &str, seconds, body| signature(&[SecretString::from(secret)], at(seconds), body);
        assert_eq!(sign("Jefe", 1, "{}"), "t=1,v1=dc7943cccf20f64327d263db5e2aca27c2b8175e8e6e7ea04f482091bf456b0f");
        let first = sign("Jefe", 1, "{}");
        assert!(first != sign("Jefe", 2, "{}") && first != sign("Jefe", 1, "[]") && first != sign("jefe", 1, "{}"));
    }

    /// With the form of secret, the time and the header of the specification's example.
    #[test]
    fn the_standard_signature_is_that_of_the_specification() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let now = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let id = Uuid::from_u128(7);
        let one = standard_signature(std::slice::from_ref(&secret), id, now, "{}");
        let key = BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let tag = BASE64.decode(one.strip_prefix("v1,").unwrap().as_bytes()).unwrap();
        let signed = format!("{id}.1614265330.{{}}");
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &tag).unwrap();
        let two = standard_signature(&[secret, SecretString::from("an-older-secret-text")], id, now, "{}");
        assert!(two.starts_with(&format!("{one} v1,")) && two.split(' ').count() == 2, "{two}");
        assert_eq!(signature(&["a".into(), "b".into()], now, "{}").matches("v1=").count(), 2);
    }
}
