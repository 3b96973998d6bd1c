//! One request for a token.

use super::access_token::AccessToken;
use super::assertion;
use super::claims::Claims;
use super::credential::{Credential, SECRET_ID_PASTED, looks_like_secret_id};
use super::federated::Federated;
use super::identity::{Identity, is_tenant_id};
use crate::clock::Clock;
use crate::codes::FindingCode;
use crate::config::HostSettings;
use crate::graph::sign_in_error::{SignInError, SignInErrorKind, leading_json};
use crate::{http, trace};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::fmt;
use std::time::Duration;
use tracing::Instrument as _;
use url::Url;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest response that is read, in bytes. A token with hundreds of roles has some tens of kilobytes.
const MAX_BODY_BYTES: usize = 512 * 1024;
/// Timeout of one attempt: the sign-in service answers within a second or two, or not at all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// Assumed lifetime when the response does not name one.
const LIFE_ASSUMED_SECONDS: i64 = 3599;

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default, deserialize_with = "lenient_seconds")]
    expires_in: Option<i64>,
}

/// Seconds as a number, or as text: some responses of the older endpoint use text.
fn lenient_seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::Number(number) => number.as_i64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// Sends one request, without retries.
pub(super) async fn ask(
    client: &reqwest::Client,
    clock: &Clock,
    hosts: &HostSettings,
    federated: &Federated,
    identity: &Identity,
) -> Result<AccessToken, SignInError> {
    let form = form(clock, federated, identity).await?;
    let fields: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
    let url = token_url(hosts, identity).ok_or_else(|| {
        let text = format!("«{}» is neither a tenant id nor a domain name", identity.tenant_id);
        SignInError::of(SignInErrorKind::NotSent, FindingCode::TenantMalformed, text)
    })?;
    let traced = trace::request("entra", "POST", &url, || "POST /oauth2/v2.0/token".to_owned());
    let request = client.post(url).timeout(ATTEMPT_TIMEOUT).form(&fields);
    let response = request.send().instrument(traced.clone()).await;
    let status = response.as_ref().ok().map(|response| response.status().as_u16());
    trace::note_answer(&traced, status);
    let response = response.map_err(|e| unreachable(&e))?;
    let status = response.status().as_u16();
    let retry_after = http::retry_after(response.headers(), clock.now());
    let request_id = response.headers().get("x-ms-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let body = match http::bounded_body(response, MAX_BODY_BYTES).await {
        Ok(body) => body,
        Err(http::BodyError::Broken(e)) => return Err(unreachable(&e)),
        Err(e @ http::BodyError::TooLarge { .. }) => {
            return Err(SignInError::of(
                SignInErrorKind::Unreadable,
                FindingCode::SignInAnswerUnreadable,
                e.to_string(),
            ));
        }
    };
    if status != 200 {
        return Err(SignInError::from_answer(status, &body, request_id.as_deref(), retry_after));
    }
    let Some(answer) = leading_json::<Answer>(&body) else {
        let text = "the response of the sign-in service has status 200 but no access_token";
        return Err(SignInError::of(SignInErrorKind::Unreadable, FindingCode::SignInAnswerUnreadable, text));
    };
    let now = clock.now();
    let claims = Claims::decode(&answer.access_token);
    let life = answer.expires_in.unwrap_or(LIFE_ASSUMED_SECONDS).clamp(0, 24 * 3600);
    Ok(AccessToken {
        secret: answer.access_token.into(),
        claims,
        expires_at: now + TimeDelta::seconds(life),
        obtained_at: now,
        request_id,
    })
}

/// The token endpoint: at the operator's host setting, else at the cloud's. `None`: the tenant id cannot be
/// part of a path.
fn token_url(hosts: &HostSettings, identity: &Identity) -> Option<Url> {
    let path = is_tenant_id(&identity.tenant_id).then(|| token_path(identity))?;
    match &hosts.login_url {
        Some(origin) => origin.join(&path).ok(),
        None => Url::parse(&format!("{}{path}", identity.cloud.login_host())).ok(),
    }
}

fn token_path(identity: &Identity) -> String {
    format!("/{}/oauth2/v2.0/token", identity.tenant_id)
}

type Form = Vec<(&'static str, SecretString)>;

async fn form(clock: &Clock, federated: &Federated, identity: &Identity) -> Result<Form, SignInError> {
    let mut form: Form = vec![
        ("client_id", identity.client_id.to_string().into()),
        ("scope", identity.cloud.scope().to_owned().into()),
        ("grant_type", "client_credentials".to_owned().into()),
    ];
    match &identity.credential {
        Credential::ClientSecret(secret) if looks_like_secret_id(secret.expose_secret()) => {
            let text = SECRET_ID_PASTED;
            return Err(SignInError::of(SignInErrorKind::NotSent, FindingCode::SecretIdPasted, text));
        }
        Credential::ClientSecret(secret) => form.push(("client_secret", secret.clone())),
        Credential::Certificate { certificate_pem, private_key_pem } => {
            // The audience stays the cloud's own endpoint, wherever the operator sends the bytes.
            let audience = format!("{}{}", identity.cloud.login_host(), token_path(identity));
            let signed = assertion::sign(clock, &audience, identity.client_id, certificate_pem, private_key_pem)
                .map_err(|fault| {
                    SignInError::of(SignInErrorKind::NotSent, FindingCode::CertificateUnusable, fault.detail)
                })?;
            push_assertion(&mut form, signed);
        }
        Credential::Awaited => {
            let text = FindingCode::CredentialAwaited.meaning();
            return Err(SignInError::of(SignInErrorKind::NotSent, FindingCode::CredentialAwaited, text));
        }
        Credential::Federated => {
            let token = federated.token(identity).await?;
            push_assertion(&mut form, token);
        }
    }
    Ok(form)
}

fn push_assertion(form: &mut Form, assertion: SecretString) {
    form.push(("client_assertion_type", ASSERTION_TYPE.to_owned().into()));
    form.push(("client_assertion", assertion));
}

fn unreachable(error: &reqwest::Error) -> SignInError {
    let what = if error.is_timeout() {
        "the sign-in service did not answer in time"
    } else if error.is_connect() {
        "no connection to the sign-in service"
    } else {
        "the request to the sign-in service failed"
    };
    SignInError::of(SignInErrorKind::Unreachable, FindingCode::SignInUnreachable, format!("{what}: {}", Causes(error)))
}

/// The chain of causes without the URL.
struct Causes<'a>(&'a reqwest::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut source = std::error::Error::source(self.0);
        let mut last = None;
        while let Some(error) = source {
            last = Some(error);
            source = error.source();
        }
        match last {
            Some(root) => write!(f, "{root}"),
            None => f.write_str("no further detail"),
        }
    }
}
