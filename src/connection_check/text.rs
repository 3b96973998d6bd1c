//! A report as text for a terminal.

use super::report::CheckReport;
use crate::connection::Overall;
use crate::permission::manifest::ManifestReport;
use crate::permission::report::{CapabilityVerdict, Finding, Remedy, RemedyKind, Severity, Verdict};
use std::fmt::Write as _;

/// Columns of a line of prose.
const WIDTH: usize = 100;

/// The report as a person would read it, ending with a line break. Remedies are written once, for
/// everything that is missing.
pub fn render_text(report: &CheckReport) -> String {
    let mut out = String::new();
    let verdict = match report.overall {
        Overall::Ok => "ok: every capability works",
        Overall::Degraded => "degraded: some capabilities do not work",
        Overall::Failed => "failed: nothing can be imported with this connection",
    };
    line(&mut out, "", &format!("Connection check {verdict}."));
    if report.partial {
        line(&mut out, "", "The report is incomplete because time ran out. Check again.");
    }
    let identity = &report.identity;
    let name = identity.app_display_name.as_deref().unwrap_or("(unknown name)");
    line(&mut out, "  ", &format!("Application  {name}, client id {}", identity.client_id));
    line(&mut out, "  ", &format!("Tenant       {}", identity.tenant_id));
    let end =
        identity.credential_expires_at.map(|at| format!(", expires {}", at.format("%Y-%m-%d"))).unwrap_or_default();
    let kind = match identity.credential_kind.as_str() {
        "clientSecret" => "client secret",
        "federated" => "workload identity of this service",
        other => other,
    };
    line(&mut out, "  ", &format!("Credential   {kind}{end}"));
    findings_and_verdicts(&mut out, &report.findings, &report.capabilities, &report.remedies);
    out
}

/// The report of a manifest, in the same form.
pub fn render_manifest(report: &ManifestReport) -> String {
    let mut out = String::new();
    let name = report.display_name.as_deref().unwrap_or("(unknown name)");
    let id = report.app_id.map(|id| format!(", client id {id}")).unwrap_or_default();
    line(&mut out, "", &format!("Manifest of {name}{id}."));
    for permission in &report.permissions {
        let name = permission.name.clone().unwrap_or_else(|| permission.id.to_string());
        line(&mut out, "  ", &format!("{:<12} {name}", permission.kind));
    }
    let remedies: Vec<Remedy> = report.capabilities.iter().flat_map(|verdict| verdict.remedies.clone()).collect();
    findings_and_verdicts(&mut out, &report.findings, &report.capabilities, &remedies);
    out
}

fn findings_and_verdicts(out: &mut String, findings: &[Finding], capabilities: &[CapabilityVerdict], more: &[Remedy]) {
    let mut shown: Vec<&Remedy> = Vec::new();
    for finding in findings {
        let mark = match finding.severity {
            Severity::Error => "✗",
            Severity::Warning => "!",
            Severity::Info => "i",
        };
        out.push('\n');
        wrap(out, &format!("{mark} "), &finding.message);
        if let Some(text) = &finding.microsoft_message {
            wrap(out, "  Microsoft says: ", text);
        }
        for (name, id) in [("Trace ID", &finding.trace_id), ("Correlation ID", &finding.correlation_id)] {
            if let Some(id) = id {
                line(out, "  ", &format!("{name}: {id}"));
            }
        }
        collect(&mut shown, &finding.remedies);
    }
    out.push('\n');
    for capability in capabilities {
        wrap(
            out,
            &format!("{} {:<18} ", mark(capability.verdict), capability.capability.as_str()),
            &capability.message,
        );
    }
    collect(&mut shown, more);
    remedies(out, &shown);
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Granted => "✓",
        Verdict::Limited => "~",
        Verdict::Unknown => "?",
        Verdict::Missing
        | Verdict::AddedAsDelegated
        | Verdict::ConsentPending
        | Verdict::StaleToken
        | Verdict::NotAdded => "✗",
    }
}

fn collect<'a>(shown: &mut Vec<&'a Remedy>, more: &'a [Remedy]) {
    for remedy in more {
        if !shown.iter().any(|s| s.value == remedy.value && s.kind == remedy.kind) {
            shown.push(remedy);
        }
    }
}

fn remedies(out: &mut String, shown: &[&Remedy]) {
    if shown.is_empty() {
        return;
    }
    out.push_str("\nHow to fix it\n");
    for remedy in shown {
        wrap(out, "• ", &remedy.title);
        match remedy.kind {
            RemedyKind::ConsentUrl | RemedyKind::Portal | RemedyKind::Assets | RemedyKind::Request => {
                line(out, "  ", &remedy.value)
            }
            RemedyKind::AzCli | RemedyKind::Powershell => remedy.value.lines().for_each(|text| line(out, "    ", text)),
        }
    }
}

fn line(out: &mut String, indent: &str, text: &str) {
    let _ = writeln!(out, "{indent}{text}");
}

/// Breaks prose at spaces; later lines are indented as far as `first` reaches.
fn wrap(out: &mut String, first: &str, text: &str) {
    let indent = " ".repeat(first.chars().count().min(21));
    let mut current = first.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && current.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, "", &current);
            current.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    line(out, "", &current);
}
