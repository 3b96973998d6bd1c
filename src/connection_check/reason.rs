//! Why a permission is not in the token: what the tenant has granted, and what the app registration requests.
//!
//! Source: docs/graph.md, «Grants».

use super::introspect::Introspection;
use crate::permission::catalog::PermissionKind;
use crate::permission::manifest;
use crate::permission::report::{Evidence, EvidenceKind, Verdict};
use crate::permission::{Capability, grants, list};

/// Why a permission is not in the token, as far as the tenant shows it.
pub struct Reason {
    /// The least permission of the part that is missing.
    pub least: &'static str,
    pub verdict: Verdict,
    pub evidence: Vec<Evidence>,
}

impl Reason {
    pub fn of(least: &'static str, capability: Capability, seen: &Introspection) -> Self {
        let part = capability.row().parts.iter().find(|part| part.first() == Some(&least)).copied().unwrap_or_default();
        let (verdict, mut evidence) = judge(part, seen);
        evidence.extend(of_other_apis(part, seen));
        Self { least, verdict, evidence }
    }
}

fn judge(part: &[&str], seen: &Introspection) -> (Verdict, Vec<Evidence>) {
    let among = |found: &[String]| found.iter().find(|name| grants(name, part)).cloned();
    let of_kind = |kind: PermissionKind| -> Vec<String> {
        let added = seen.manifest.as_deref().unwrap_or_default();
        manifest::graph_permissions(added, kind).into_iter().map(str::to_owned).collect()
    };
    let evidence = |kind, detail: String, request_id: &Option<String>| {
        vec![Evidence { request_id: request_id.clone(), ..Evidence::new(kind, detail) }]
    };
    let (assigned, delegated) = (seen.assigned.as_ref(), seen.delegated.as_ref());
    if let Some(name) = assigned.and_then(|granted| among(&granted.names)) {
        let detail = format!("the tenant has granted {name} to the application");
        return (Verdict::StaleToken, evidence(EvidenceKind::AppRoleAssignment, detail, &seen.request_ids.assigned));
    }
    let is_known = assigned.is_some_and(|granted| granted.is_complete);
    if let Some(name) = among(&of_kind(PermissionKind::Application)) {
        let (verdict, what) = if is_known {
            (Verdict::ConsentPending, "the tenant has not granted it")
        } else {
            (Verdict::Missing, "whether the tenant has granted it could not be read")
        };
        let detail = format!("the app registration requests {name} as Application; {what}");
        return (verdict, evidence(EvidenceKind::Manifest, detail, &seen.request_ids.manifest));
    }
    if let Some(name) = among(&of_kind(PermissionKind::Delegated)) {
        let detail = format!("the app registration requests {name} as Delegated");
        return (Verdict::AddedAsDelegated, evidence(EvidenceKind::Manifest, detail, &seen.request_ids.manifest));
    }
    if let Some(name) = delegated.and_then(|granted| among(&granted.names)) {
        let detail = format!("the tenant has granted {name} as Delegated");
        return (
            Verdict::AddedAsDelegated,
            evidence(EvidenceKind::DelegatedGrant, detail, &seen.request_ids.delegated),
        );
    }
    if seen.manifest.is_some() {
        let verdict = if is_known { Verdict::NotAdded } else { Verdict::Missing };
        let detail = format!("the app registration requests none of {}", list(part));
        return (verdict, evidence(EvidenceKind::Manifest, detail, &seen.request_ids.manifest));
    }
    (Verdict::Missing, Vec::new())
}

/// What may look like the permission that is missing: one of another API with the same name.
fn of_other_apis(part: &[&str], seen: &Introspection) -> Option<Evidence> {
    let granted = seen.assigned.as_ref()?;
    let (name, api) = granted.of_other_apis.iter().find(|(name, _)| grants(name, part))?;
    let detail = format!("the tenant has granted {name} of {api}, which has no effect on Microsoft Graph");
    let evidence = Evidence::new(EvidenceKind::AppRoleAssignment, detail);
    Some(Evidence { request_id: seen.request_ids.assigned.clone(), ..evidence })
}
