//! One validation of a connection: a fresh token, what it carries, what the tenant has granted, and one live
//! request per capability. The report says exactly what is wrong and how to fix it.
//!
//! Source of the decisions: docs/graph.md, «Sign-in errors», «Access tokens», «Grants».

mod introspect;
pub mod lacking;
mod probe;
mod reader;
mod reason;
mod report;
pub mod setup;
mod sign_in;
mod summary;
mod text;
pub mod turns;
mod verdict;

pub use crate::connection::Overall;
pub use report::{CheckIdentity, CheckReport};
pub use setup::{Setup, place, setup, setup_of_new};
pub use sign_in::{sign_in_finding, sign_in_remedies};
pub use summary::summary;
pub use text::{render_manifest, render_text};
pub use verdict::{judge_token, refusal};

use crate::codes::FindingCode;
use crate::graph::token::{Claims, Credential, Identity};
use crate::graph::{Client, Session};
use crate::permission::remedy::{Page, Place};
use crate::permission::report::{CapabilityVerdict, Finding, Severity, Verdict};
use crate::permission::{Capability, excess, manifest};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// The time of a check. When it is over, the report contains what was found so far. A Forge call lasts 25 seconds at most.
pub const DEADLINE: Duration = Duration::from_secs(18);
/// The check warns this long before a credential ends.
const EXPIRY_WARNING: TimeDelta = TimeDelta::days(30);

/// Checks a connection. `declared_secret_expiry` is the end of the secret as the administrator entered it;
/// `deadline` is the time of the whole check, see [`DEADLINE`].
pub async fn check(
    graph: &Client,
    identity: &Identity,
    capabilities: &[Capability],
    declared_secret_expiry: Option<DateTime<Utc>>,
    deadline: Duration,
) -> CheckReport {
    let expires_at = expires_at(&identity.credential, declared_secret_expiry);
    let outcome = graph.interactive_session(identity, deadline).await;
    let mut report = CheckReport {
        checked_at: graph.tokens().clock().now(),
        overall: Overall::Failed,
        partial: false,
        identity: seen(identity, outcome.as_ref().ok().map(|(_, token)| &token.claims), expires_at),
        findings: Vec::new(),
        capabilities: Vec::new(),
        remedies: Vec::new(),
    };
    match outcome {
        Err(error) => {
            report.partial = error.is_transient();
            report.findings.push(sign_in_finding(&error, identity));
            let unchecked = |capability: &Capability| verdict::unchecked(*capability, "sign-in failed");
            report.capabilities = capabilities.iter().map(unchecked).collect();
        }
        Ok((session, token)) => {
            let graph_url = graph.tokens().hosts().graph_url.as_ref();
            look(&mut report, &session, &token.claims, graph_url, capabilities).await;
        }
    }
    report.findings.extend(expiry_finding(identity, expires_at, report.checked_at, &report.findings));
    report.overall = overall(&report);
    report
}

/// Everything that needs a token. `graph_url` is the operator's setting.
async fn look(
    report: &mut CheckReport,
    session: &Session,
    claims: &Claims,
    graph_url: Option<&Url>,
    capabilities: &[Capability],
) {
    let identity = session.identity();
    let wrong = sign_in::token_findings(claims, identity, graph_url);
    let is_unusable = wrong.iter().any(|finding| finding.severity == Severity::Error);
    report.findings.extend(wrong);
    if is_unusable {
        let unchecked =
            |capability: &Capability| verdict::unchecked(*capability, "the token does not match the connection");
        report.capabilities = capabilities.iter().map(unchecked).collect();
        return;
    }
    let principal = claims.oid.as_deref().and_then(|oid| Uuid::parse_str(oid).ok());
    let looking = introspect::introspect(session, identity.client_id, principal);
    let probing = probe::probe_all(session, capabilities);
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
        credential_kind: identity.credential.kind().to_string(),
        credential_expires_at: expires_at,
    }
}

fn expires_at(credential: &Credential, declared: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match credential {
        Credential::ClientSecret(_) => declared,
        Credential::Certificate { .. } => credential.expires_at(),
        Credential::Federated | Credential::Awaited => None,
    }
}

/// A warning from 30 days before the end of the credential, unless Entra already reported it as expired.
fn expiry_finding(
    identity: &Identity,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    so_far: &[Finding],
) -> Option<Finding> {
    let at = expires_at.filter(|at| *at - now <= EXPIRY_WARNING)?;
    if so_far.iter().any(|finding| finding.code == FindingCode::ClientSecretExpired) {
        return None;
    }
    let what = match identity.credential {
        Credential::Certificate { .. } => "certificate",
        Credential::ClientSecret(_) | Credential::Federated | Credential::Awaited => "client secret",
    };
    let day = at.format("%Y-%m-%d");
    let (code, text) = if at <= now {
        (
            FindingCode::CredentialExpired,
            format!(
                "According to its end date the {what} expired on {day}. Replace it, or correct the date if it still works."
            ),
        )
    } else {
        let days = (at - now).num_days();
        (
            FindingCode::CredentialExpiresSoon,
            format!("The {what} expires on {day}, in {days} days. Create a new one and enter it here before that."),
        )
    };
    let remedies = vec![
        setup::place(identity).portal(Page::Credentials, "In the portal: Certificates & secrets → create a new one."),
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
