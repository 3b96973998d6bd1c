//! One validation of a connection: a fresh token, what it carries, what the tenant has granted, and one live
//! request per capability. The report says exactly what is wrong and how to mend it.
//!
//! Source of the decisions: docs/graph.md, «Sign-in errors», «Access tokens», «Grants».

mod introspect;
mod probe;
mod reader;
pub mod setup;
mod sign_in;
mod text;
mod verdict;

pub use setup::{Setup, place, setup};
pub use sign_in::sign_in_finding;
pub use text::render_text;
pub use verdict::{judge_token, refusal};

use crate::graph::sign_in_error::{SignInError, SignInErrorKind};
use crate::graph::token::{AccessToken, Claims, Credential, Identity, Tokens};
use crate::permission::remedy::{Page, Place};
use crate::permission::report::{CapabilityVerdict, Finding, Remedy, Severity, Verdict};
use crate::permission::{Capability, excess, manifest};
use chrono::{DateTime, TimeDelta, Utc};
pub(crate) use reader::Deadline;
use reader::Reader;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A check answers within this time, with what it has: Forge gives a call 25 seconds.
pub const DEADLINE: Duration = Duration::from_secs(18);
/// How much of it repeating the request for a token may take.
const SIGN_IN_BUDGET: Duration = Duration::from_secs(6);
/// From this long before its end, a credential's end date is a warning.
const EXPIRY_WARNING: TimeDelta = TimeDelta::days(30);

/// The result in one word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Overall {
    /// Every capability that was asked about is granted.
    Ok,
    /// Some work, some do not, or only in part.
    Degraded,
    /// There is no token, or nothing works with it.
    Failed,
}

impl Overall {
    /// The word in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// Who Entra says that the connection is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckIdentity {
    /// The application's name, once a token has told it.
    pub app_display_name: Option<String>,
    /// The tenant of the token; before there is one, the tenant of the connection (GUID or domain).
    pub tenant_id: String,
    pub client_id: Uuid,
    /// Object id of the enterprise application in the tenant.
    pub service_principal_id: Option<String>,
    /// `clientSecret`, `certificate` or `federated`.
    pub credential_kind: String,
    /// When the certificate ends, or the secret as declared.
    pub credential_expires_at: Option<DateTime<Utc>>,
}

/// What a check says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    pub checked_at: DateTime<Utc>,
    pub overall: Overall,
    /// Time ran out before everything was looked at.
    pub partial: bool,
    pub identity: CheckIdentity,
    /// About the connection as a whole.
    pub findings: Vec<Finding>,
    /// One verdict for each capability that was asked about, in that order.
    pub capabilities: Vec<CapabilityVerdict>,
    /// What grants everything that is missing at once; a capability's own remedies grant only that one.
    #[serde(default)]
    pub remedies: Vec<Remedy>,
}

/// Checks a connection. `http` is the client for Graph; `declared_secret_expiry` is what the administrator
/// entered as the secret's end; `deadline` is how long it may take in all, see [`DEADLINE`].
pub async fn check(
    tokens: &Tokens,
    http: &reqwest::Client,
    identity: &Identity,
    capabilities: &[Capability],
    declared_secret_expiry: Option<DateTime<Utc>>,
    deadline: Duration,
) -> CheckReport {
    let deadline = Deadline::new(tokens.clock().clone(), deadline);
    let expires_at = expires_at(&identity.credential, declared_secret_expiry);
    let sign_in = tokio::time::timeout(deadline.remaining(), tokens.fresh_within(identity, SIGN_IN_BUDGET));
    let outcome = match sign_in.await {
        Ok(outcome) => outcome,
        Err(_) => {
            let text = "the sign-in service did not answer in the time of a check";
            Err(SignInError::of(SignInErrorKind::Unreachable, "sign_in_unreachable", text))
        }
    };
    let mut report = CheckReport {
        checked_at: tokens.clock().now(),
        overall: Overall::Failed,
        partial: false,
        identity: seen(identity, outcome.as_ref().ok().map(|token| &token.claims), expires_at),
        findings: Vec::new(),
        capabilities: Vec::new(),
        remedies: Vec::new(),
    };
    match outcome {
        Err(error) => {
            report.partial = error.is_transient();
            report.findings.push(sign_in_finding(&error, identity));
            let unchecked = |capability: &Capability| verdict::unchecked(*capability, "Entra gave no token");
            report.capabilities = capabilities.iter().map(unchecked).collect();
        }
        Ok(token) => look(&mut report, tokens, http, identity, &token, capabilities, &deadline).await,
    }
    report.findings.extend(expiry_finding(identity, expires_at, report.checked_at, &report.findings));
    report.overall = overall(&report);
    report
}

/// Everything that needs a token.
async fn look(
    report: &mut CheckReport,
    tokens: &Tokens,
    http: &reqwest::Client,
    identity: &Identity,
    token: &AccessToken,
    capabilities: &[Capability],
    deadline: &Deadline,
) {
    let claims = &token.claims;
    let wrong = sign_in::token_findings(claims, identity, tokens.hosts().graph_url.as_ref());
    let is_unusable = wrong.iter().any(|finding| finding.severity == Severity::Error);
    report.findings.extend(wrong);
    if is_unusable {
        let unchecked = |capability: &Capability| verdict::unchecked(*capability, "the token is not the right one");
        report.capabilities = capabilities.iter().map(unchecked).collect();
        return;
    }
    let reader = Reader::new(http, tokens.hosts(), identity.cloud, token.secret.expose_secret(), deadline);
    let principal = claims.oid.as_deref().and_then(|oid| Uuid::parse_str(oid).ok());
    let looking = introspect::introspect(&reader, identity.client_id, principal);
    let probing = probe::probe_all(&reader, capabilities);
    let (introspection, probes) = futures_util::join!(looking, probing);
    let place = Place { service_principal: principal, ..setup::place(identity) };
    let place = introspection.place(place);
    let judge = |(capability, probe): (&Capability, &probe::Probe)| {
        verdict::judge(*capability, claims, probe, &introspection, &place)
    };
    report.partial = introspection.out_of_time || probes.iter().any(probe::Probe::is_out_of_time);
    report.capabilities = capabilities.iter().zip(&probes).map(judge).collect();
    report.findings.extend(verdict::connection_findings(claims, &introspection, &probes, &report.capabilities, &place));
    report.remedies = verdict::remedies_for_all(&report.capabilities, &place);
    let roles: Vec<&str> = claims.roles.iter().map(String::as_str).collect();
    let too_much = excess(&roles);
    if !too_much.is_empty() {
        report.findings.push(manifest::excess_finding(&too_much));
    }
}

fn seen(identity: &Identity, claims: Option<&Claims>, expires_at: Option<DateTime<Utc>>) -> CheckIdentity {
    let of_token = |read: fn(&Claims) -> Option<String>| claims.and_then(read);
    CheckIdentity {
        app_display_name: of_token(|claims| claims.app_displayname.clone()),
        tenant_id: of_token(|claims| claims.tid.clone()).unwrap_or_else(|| identity.tenant_id.clone()),
        client_id: identity.client_id,
        service_principal_id: of_token(|claims| claims.oid.clone()),
        credential_kind: identity.credential.kind().to_owned(),
        credential_expires_at: expires_at,
    }
}

fn expires_at(credential: &Credential, declared: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match credential {
        Credential::ClientSecret(_) => declared,
        Credential::Certificate { .. } => credential.expires_at(),
        Credential::Federated => None,
    }
}

/// A warning from 30 days before the end of the credential, unless Entra said already that it has expired.
fn expiry_finding(
    identity: &Identity,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    so_far: &[Finding],
) -> Option<Finding> {
    let at = expires_at.filter(|at| *at - now <= EXPIRY_WARNING)?;
    if so_far.iter().any(|finding| finding.code == "client_secret_expired") {
        return None;
    }
    let what = match identity.credential {
        Credential::Certificate { .. } => "certificate",
        Credential::ClientSecret(_) | Credential::Federated => "client secret",
    };
    let day = at.format("%Y-%m-%d");
    let (code, text) = if at <= now {
        (
            "credential_expired",
            format!(
                "The {what} ended on {day} according to its date. Replace it, or correct the date if it still works."
            ),
        )
    } else {
        let days = (at - now).num_days();
        (
            "credential_expires_soon",
            format!("The {what} ends on {day}, in {days} days. Make a new one and enter it here before that."),
        )
    };
    let remedies = vec![
        setup::place(identity).portal(Page::Credentials, "In the portal: Certificates & secrets → make a new one."),
    ];
    Some(Finding::new(Severity::Warning, code, text).with_remedies(remedies))
}

fn overall(report: &CheckReport) -> Overall {
    let works = |verdict: &CapabilityVerdict| verdict.verdict.works();
    let is_blocked = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    if report.capabilities.iter().all(|c| c.verdict == Verdict::Granted) && !is_blocked {
        Overall::Ok
    } else if report.capabilities.iter().any(works) {
        Overall::Degraded
    } else {
        Overall::Failed
    }
}

#[cfg(test)]
mod tests;
