//! The verdicts: pure functions of the token's claims, what the tenant shows, and the result of a live request.

use super::introspect::Introspection;
use super::probe::Probe;
use super::reason::Reason;
use super::setup::place;
use super::sign_in;
use crate::codes::FindingCode;
use crate::graph::token::{Claims, Identity};
use crate::permission::remedy::{Page, Place};
use crate::permission::report::{CapabilityVerdict, Evidence, EvidenceKind, Finding, Remedy, Severity, Verdict};
use crate::permission::{Capability, Standing, list, standing};
use url::Url;

/// The verdict on a capability that was not checked.
pub fn unchecked(capability: Capability, why: &str) -> CapabilityVerdict {
    CapabilityVerdict {
        capability,
        verdict: Verdict::Unknown,
        permission: capability.least().collect::<Vec<_>>().join(", "),
        message: format!("{} could not be checked: {why}.", capability.row().title),
        evidence: Vec::new(),
        remedies: Vec::new(),
    }
}

/// The verdicts by the token alone. A run is refused early by these, never by an older check.
pub fn judge_token(claims: &Claims, identity: &Identity, capabilities: &[Capability]) -> Vec<CapabilityVerdict> {
    let (nothing, place) = (Introspection::default(), place(identity));
    let untried = Probe::NothingToTry { why: "no live request was sent".to_owned() };
    capabilities.iter().map(|capability| judge(*capability, claims, &untried, &nothing, &place)).collect()
}

/// The finding for which a run with this token, its own, cannot succeed; `None` if it can. A token that cannot be
/// decoded, or that has a directory role, may work. `graph_url` is the operator's setting.
pub fn refusal(claims: &Claims, identity: &Identity, graph_url: Option<&Url>) -> Option<Finding> {
    let wrong = sign_in::token_findings(claims, identity, graph_url);
    if let Some(error) = wrong.into_iter().find(|finding| finding.severity == Severity::Error) {
        return Some(error);
    }
    let may_work = !claims.readable || !claims.roles.is_empty() || claims.directory_roles().next().is_some();
    if may_work {
        return None;
    }
    let verdicts = judge_token(claims, identity, &Capability::DEFAULT);
    connection_findings(claims, &Introspection::default(), &[], &verdicts, &place(identity)).into_iter().next()
}

/// The verdict on one capability.
pub fn judge(
    capability: Capability,
    claims: &Claims,
    probe: &Probe,
    introspection: &Introspection,
    place: &Place,
) -> CapabilityVerdict {
    let mut verdict = match standing(capability, &claims.roles) {
        _ if !claims.readable => by_probe_alone(capability, probe),
        Standing::Granted(by) => with_permission(capability, Verdict::Granted, &by, probe, place),
        Standing::Limited(by) => with_permission(capability, Verdict::Limited, &by, probe, place),
        Standing::Missing(missing) => without_permission(capability, &missing, probe, introspection, place),
    };
    verdict.evidence.extend(probe_evidence(probe));
    verdict
}

/// The verdict when the token contains the permission. The live request confirms or contradicts it.
fn with_permission(
    capability: Capability,
    verdict: Verdict,
    by: &[String],
    probe: &Probe,
    place: &Place,
) -> CapabilityVerdict {
    let (title, names, is) = (capability.row().title, list(by), if by.len() > 1 { "are" } else { "is" });
    let least: Vec<&str> = capability.least().collect();
    let (verdict, message, remedies) = match (probe, verdict) {
        (Probe::Refused { .. }, Verdict::Limited) => {
            let text = format!(
                "{title} cannot be read: {names} allows basic properties only, and Graph denied this request. Grant {}.",
                list(&least)
            );
            (Verdict::Missing, text, place.grant(&least))
        }
        (Probe::Refused { code, .. }, _) => {
            (Verdict::Missing, refused_although(capability, &format!("{names} {is}"), code), Vec::new())
        }
        (Probe::Failed { .. }, _) => (
            Verdict::Unknown,
            format!("{title}: {names} {is} granted, but the live request failed, so the result is uncertain."),
            Vec::new(),
        ),
        (Probe::OutOfTime, _) => {
            (Verdict::Unknown, format!("{title}: {names} {is} granted, but Graph did not answer in time."), Vec::new())
        }
        (Probe::Worked { .. } | Probe::NothingToTry { .. }, Verdict::Limited) => {
            let text = format!(
                "{title} can be read only in part: {names} allows basic properties. Grant {} to read all properties.",
                list(&least)
            );
            (Verdict::Limited, text, place.grant(&least))
        }
        (Probe::Worked { .. } | Probe::NothingToTry { .. }, verdict) => {
            (verdict, format!("{title} can be read: {names} {is} granted as an Application permission."), Vec::new())
        }
    };
    let role = |name: &String| Evidence::new(EvidenceKind::TokenRole, format!("the token contains {name}"));
    let evidence = by.iter().map(role).collect();
    // The missing permissions are named where something must be granted before the capability works at all.
    let permission = if verdict == Verdict::Missing && !remedies.is_empty() { least.join(", ") } else { by.join(", ") };
    CapabilityVerdict { capability, verdict, permission, message, evidence, remedies }
}

fn refused_although(capability: Capability, granted: &str, code: &str) -> String {
    let title = capability.row().title;
    match code {
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant" => {
            format!(
                "{title} cannot be read: {granted} granted, but the tenant has no Entra ID P1 or P2 licence, which Microsoft requires for this."
            )
        }
        "Authorization_IdentityNotFound" => format!(
            "{title} cannot be read yet: {granted} granted, but Graph does not know the application yet. This takes about a \
             minute after consent; check again."
        ),
        _ => format!(
            "{title} cannot be read: {granted} granted, but Graph denied the request. Either consent was granted only minutes ago, \
             or a setting in the directory restricts the application. Check again in five minutes; if the error persists, give the \
             request id to Microsoft support."
        ),
    }
}

/// The verdict when the token lacks the permission: it works anyway, or the reason is looked for.
fn without_permission(
    capability: Capability,
    missing: &[&'static str],
    probe: &Probe,
    introspection: &Introspection,
    place: &Place,
) -> CapabilityVerdict {
    let (title, names) = (capability.row().title, list(missing));
    if let Probe::Worked { .. } = probe {
        let text = format!(
            "{title} can be read although {names} is not granted: a directory role of the application, or another permission, allows \
             it. It stops working when that role or permission is removed."
        );
        let role = Evidence::new(EvidenceKind::DirectoryRole, format!("the live request works without {names}"));
        return CapabilityVerdict {
            capability,
            verdict: Verdict::Granted,
            permission: missing.join(", "),
            message: text,
            evidence: vec![role],
            remedies: Vec::new(),
        };
    }
    let reasons = missing.iter().map(|least| Reason::of(least, capability, introspection)).collect::<Vec<_>>();
    let verdict = reasons.iter().map(|reason| reason.verdict).min_by_key(|verdict| urgency(*verdict));
    let verdict = verdict.unwrap_or(Verdict::Missing);
    let reasons: Vec<Reason> = reasons.into_iter().filter(|reason| reason.verdict == verdict).collect();
    let names = list(&reasons.iter().map(|reason| reason.least).collect::<Vec<_>>());
    let (message, remedies) = explain(verdict, title, &names, reasons.len(), missing, place);
    let evidence = reasons.into_iter().flat_map(|reason| reason.evidence).collect();
    CapabilityVerdict { capability, verdict, permission: missing.join(", "), message, evidence, remedies }
}

/// Of several missing permissions, the reason that needs work first decides the verdict.
fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::AddedAsDelegated => 0,
        Verdict::NotAdded => 1,
        Verdict::ConsentPending => 2,
        Verdict::Missing | Verdict::Granted | Verdict::Limited | Verdict::Unknown => 3,
        Verdict::StaleToken => 4,
    }
}

/// The sentence and the remedies for a missing permission. `names` are the `count` permissions with this verdict,
/// `missing` all that the capability lacks.
fn explain(
    verdict: Verdict,
    title: &str,
    names: &str,
    count: usize,
    missing: &[&str],
    place: &Place,
) -> (String, Vec<Remedy>) {
    let (is, it, a_permission) =
        if count == 1 { ("is", "it", "an Application permission") } else { ("are", "them", "Application permissions") };
    match verdict {
        Verdict::AddedAsDelegated => (
            format!(
                "{title} cannot be read: you added {names} as Delegated, which works only for a signed-in user. Add {it} as \
                 {a_permission} and grant admin consent."
            ),
            place.grant(missing),
        ),
        Verdict::ConsentPending => (
            format!("{title} cannot be read: {names} {is} added as {a_permission}, but admin consent is missing."),
            place.grant_added(missing),
        ),
        Verdict::StaleToken => (
            format!(
                "{title} cannot be read yet: {names} {is} granted, but new tokens do not contain {it} yet. This can take a few \
                 minutes after consent; check again."
            ),
            Vec::new(),
        ),
        Verdict::NotAdded => (
            format!(
                "{title} cannot be read: {names} {is} not added to the application. Add {it} under Microsoft Graph as \
                 {a_permission} and grant admin consent."
            ),
            place.grant(missing),
        ),
        Verdict::Granted | Verdict::Limited | Verdict::Missing | Verdict::Unknown => (
            format!("{title} cannot be read: the token does not contain {names} as {a_permission}."),
            place.grant(missing),
        ),
    }
}

/// The verdict when the token cannot be decoded.
fn by_probe_alone(capability: Capability, probe: &Probe) -> CapabilityVerdict {
    let title = capability.row().title;
    let (verdict, message) = match probe {
        Probe::Worked { .. } => (Verdict::Granted, format!("{title} can be read: a live request worked.")),
        Probe::Refused { .. } => (Verdict::Missing, format!("{title} cannot be read: Graph denied the request.")),
        Probe::NothingToTry { .. } | Probe::Failed { .. } | Probe::OutOfTime => {
            (Verdict::Unknown, format!("{title}: the check could not find out whether it can be read."))
        }
    };
    CapabilityVerdict { verdict, message, ..unchecked(capability, "") }
}

fn probe_evidence(probe: &Probe) -> Option<Evidence> {
    let (detail, request_id) = match probe {
        Probe::Worked { detail, request_id }
        | Probe::Refused { detail, request_id, .. }
        | Probe::Failed { detail, request_id } => (detail.clone(), request_id.clone()),
        Probe::NothingToTry { why } => (why.clone(), None),
        Probe::OutOfTime => ("Graph did not answer in time".to_owned(), None),
    };
    Some(Evidence { kind: EvidenceKind::Probe, detail, request_id })
}

/// Findings about the connection as a whole.
pub fn connection_findings(
    claims: &Claims,
    seen: &Introspection,
    probes: &[Probe],
    verdicts: &[CapabilityVerdict],
    place: &Place,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if seen.enabled == Some(false) {
        findings.push(
            Finding::new(
                Severity::Error,
                FindingCode::ApplicationDisabled,
                "The enterprise application is disabled in the tenant: Entra will issue no new tokens.",
            )
            .with_remedies(vec![
                place.portal(
                    Page::EnterpriseProperties,
                    "In the portal: Properties → Enabled for users to sign-in? → Yes.",
                ),
                place.az_enable(),
            ]),
        );
    }
    let nothing_works = !verdicts.iter().any(|verdict| verdict.verdict.works());
    if claims.readable && claims.oid.is_none() && nothing_works {
        let text = "The application has no enterprise application (service principal) in the tenant yet. Granting admin consent creates \
                    it, which takes about a minute.";
        findings.push(Finding::new(Severity::Error, FindingCode::ServicePrincipalMissing, text).with_remedies(vec![
            place.consent("Ask an administrator to open this link and accept."),
            place.az_make_service_principal(),
        ]));
    } else if claims.readable && claims.roles.is_empty() && nothing_works {
        findings.push(no_permission(seen, verdicts, place));
    }
    findings.extend(added_as_delegated(verdicts, place));
    if probes.iter().all(|probe| matches!(probe, Probe::Failed { .. } | Probe::OutOfTime)) && !probes.is_empty() {
        let text = "Sign-in succeeded, but Microsoft Graph could not be reached or returned errors only. Check the network and proxy of \
                    this service, and Microsoft's service health; then check again.";
        findings.push(Finding::new(Severity::Error, FindingCode::GraphUnreachable, text));
    }
    findings
}

/// The mistake that the portal invites, once for all capabilities that it concerns.
fn added_as_delegated(verdicts: &[CapabilityVerdict], place: &Place) -> Option<Finding> {
    let concerned = verdicts.iter().filter(|verdict| verdict.verdict == Verdict::AddedAsDelegated);
    let names = wanted(&concerned.cloned().collect::<Vec<_>>());
    if names.is_empty() {
        return None;
    }
    let (it, an_application_permission) =
        if names.len() == 1 { ("it", "an Application permission") } else { ("them", "Application permissions") };
    let text = format!(
        "Permissions were added as Delegated, which work only for a signed-in user. Add {} again, this time as \
         {an_application_permission}, and grant admin consent for {it}.",
        list(&names)
    );
    Some(Finding::new(Severity::Error, FindingCode::AddedAsDelegated, text).with_remedies(place.grant(&names)))
}

/// The permissions that would make every capability work, each once, in the order of the capabilities.
fn wanted(verdicts: &[CapabilityVerdict]) -> Vec<&'static str> {
    let mut names: Vec<&str> = Vec::new();
    let lacking = verdicts.iter().filter(|verdict| !verdict.remedies.is_empty());
    for verdict in lacking {
        for name in verdict.capability.least() {
            let is_missing = verdict.verdict == Verdict::Limited || verdict.permission.split(", ").any(|p| p == name);
            if is_missing && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// One set of remedies for everything that is missing.
pub fn remedies_for_all(verdicts: &[CapabilityVerdict], place: &Place) -> Vec<Remedy> {
    let names = wanted(verdicts);
    let mut lacking = verdicts.iter().filter(|verdict| !verdict.remedies.is_empty());
    if names.is_empty() {
        Vec::new()
    } else if lacking.all(|verdict| verdict.verdict == Verdict::ConsentPending) {
        place.grant_added(&names)
    } else {
        place.grant(&names)
    }
}

/// The finding for a token without any Application permission. It says so if nothing shows the reason.
fn no_permission(seen: &Introspection, verdicts: &[CapabilityVerdict], place: &Place) -> Finding {
    if seen.manifest.is_some() || seen.assigned.is_some() {
        let text = "Sign-in succeeded, so the credential is correct, but the token contains no Application permission. Each capability \
                    below names the reason.";
        return Finding::new(Severity::Error, FindingCode::NoApplicationPermission, text);
    }
    let names = wanted(verdicts);
    let text = format!(
        "Sign-in succeeded, so tenant, client id and credential are correct, but the token contains no Application permission, and \
         Entra does not name the reason. Most likely {} added as Delegated permissions, which the portal offers first and which have \
         no effect for a service. The second most likely reason: they are Application permissions, but nobody clicked «Grant admin \
         consent». The third: consent was granted in the last five minutes and is not effective yet. To find the reason, look at the \
         column Type under API permissions, or give the app registration's manifest to the manifest check (POST /v1/manifest-checks): \
         it names every permission that was added as Delegated.",
        if names.len() == 1 { "the permission was" } else { "the permissions were" }
    );
    let mut remedies = place.grant(&names);
    remedies.push(place.portal(
        Page::Manifest,
        "To find the reason: open Manifest in the portal, copy all of it, and paste it into the manifest check.",
    ));
    Finding::new(Severity::Error, FindingCode::NoApplicationPermission, text).with_remedies(remedies)
}
