//! The permissions in the manifest of an app registration. Reading them needs no call to Graph, and only they show why a
//! token has no permissions: added as Delegated, without consent, or never added.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/reference-microsoft-graph-app-manifest>;
//! docs/graph.md, «Grants».

mod entry;
mod read;

pub use entry::{ManifestPermission, Resource};
pub use read::{Added, read};

use super::catalog::{self, MICROSOFT_GRAPH, PermissionKind};
use super::remedy::{Page, Place};
use super::report::{CapabilityVerdict, Evidence, EvidenceKind, Finding, Severity, Verdict};
use super::{Capability, Standing, excess, grants, list, missing_parts, standing};
use crate::codes::FindingCode;
use crate::error::Result;
use entry::{Entry, Meaning};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a manifest grants and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReport {
    /// The application (client) id, if the manifest has it.
    pub app_id: Option<Uuid>,
    /// The name of the application, if the manifest has it.
    pub display_name: Option<String>,
    /// The permissions that are added in it.
    pub permissions: Vec<ManifestPermission>,
    /// What is wrong with it, or worth knowing.
    pub findings: Vec<Finding>,
    /// Whether each capability works once an administrator has granted consent to these permissions.
    pub capabilities: Vec<CapabilityVerdict>,
}

/// Checks a manifest in any form that [`read()`] takes. `place` has the hosts of the cloud, and tenant and client unless
/// the manifest names its client.
///
/// # Errors
/// `validation_failed` with a fault for each malformed entry.
pub fn check(manifest: &Value, capabilities: &[Capability], place: &Place) -> Result<ManifestReport> {
    let manifest = read(manifest)?;
    let added = manifest.added;
    let place = Place { client: manifest.app_id.or(place.client), ..place.clone() };
    let application = graph_permissions(&added, PermissionKind::Application);
    let entries: Vec<Entry> = added.iter().map(|added| Entry::new(added, capabilities, &application)).collect();
    Ok(ManifestReport {
        app_id: manifest.app_id,
        display_name: manifest.display_name,
        findings: findings(&entries, &application, capabilities, &place),
        capabilities: capabilities.iter().map(|capability| verdict(*capability, &added, &place)).collect(),
        permissions: entries.into_iter().map(Entry::into_permission).collect(),
    })
}

/// Names of the Microsoft Graph permissions of one kind.
pub fn graph_permissions(added: &[Added], kind: PermissionKind) -> Vec<&'static str> {
    let of_kind = added.iter().filter(|entry| entry.resource == MICROSOFT_GRAPH && entry.kind == kind);
    of_kind.filter_map(|entry| catalog::name(entry.id, kind)).collect()
}

/// The names of the entries with some meaning, each once.
fn names(entries: &[Entry], wanted: impl Fn(&Meaning) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    for name in entries.iter().filter(|entry| wanted(&entry.meaning)).map(Entry::shown) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn findings(entries: &[Entry], application: &[&str], capabilities: &[Capability], place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let delegated = names(entries, |meaning| matches!(meaning, Meaning::AddedAsDelegated { .. }));
    if !delegated.is_empty() {
        findings.push(added_as_delegated(&delegated, &lacking(application, capabilities), place));
    }
    let old = entries.iter().filter(|entry| matches!(entry.meaning, Meaning::OfAzureAdGraph)).count();
    if old > 0 {
        findings.push(azure_ad_graph(old, place));
    }
    let wrong_kind = names(entries, |meaning| matches!(meaning, Meaning::WrongKind { .. }));
    if !wrong_kind.is_empty() {
        let text = format!(
            "Id and type do not match for {}. Remove the entry, and add the permission in the portal.",
            list(&wrong_kind)
        );
        findings.push(Finding::new(Severity::Error, FindingCode::PermissionKindMismatch, text));
    }
    let unknown = names(entries, |meaning| matches!(meaning, Meaning::Unknown));
    if !unknown.is_empty() {
        let text = format!(
            "This version of the service does not know these ids as Microsoft Graph permissions: {}. They may be new or mistyped.",
            list(&unknown)
        );
        findings.push(Finding::new(Severity::Warning, FindingCode::PermissionUnknown, text));
    }
    let too_much = excess(application);
    if !too_much.is_empty() {
        findings.push(excess_finding(&too_much));
    }
    findings
}

fn added_as_delegated(delegated: &[String], lacking: &[&str], place: &Place) -> Finding {
    let text = format!(
        "You added {} as Delegated. Delegated permissions work only for a signed-in user, so they have no effect on this \
         import. Add {} as {}.",
        list(delegated),
        list(lacking),
        if lacking.len() == 1 { "an Application permission" } else { "Application permissions" }
    );
    Finding::new(Severity::Error, FindingCode::AddedAsDelegated, text).with_remedies(place.grant(lacking))
}

fn azure_ad_graph(count: usize, place: &Place) -> Finding {
    let text = format!(
        "{count} permission{} belong{} to Azure AD Graph, which Microsoft has shut down. Remove what belongs to it, and add the \
         permissions that you need under Microsoft Graph.",
        if count == 1 { "" } else { "s" },
        if count == 1 { "s" } else { "" }
    );
    Finding::new(Severity::Warning, FindingCode::AzureAdGraph, text).with_remedies(vec![
        place.portal(Page::ApiPermissions, "In the portal: API permissions → … → Remove permission."),
    ])
}

/// The warning about permissions that an import does not need.
pub fn excess_finding(names: &[&str]) -> Finding {
    Finding::new(
        Severity::Warning,
        FindingCode::ExcessPrivileges,
        format!(
            "The application has more permissions than an import needs: {}. The import works, but anyone who obtains the \
             credential can use them too. Remove those that nothing else needs.",
            list(names)
        ),
    )
}

/// The least permissions of what does not work in full yet.
fn lacking(granted: &[&str], capabilities: &[Capability]) -> Vec<&'static str> {
    let mut lacking: Vec<&str> = Vec::new();
    let parts = capabilities.iter().flat_map(|capability| missing_parts(*capability, granted));
    for least in parts.filter_map(|part| part.first().copied()) {
        if !lacking.contains(&least) {
            lacking.push(least);
        }
    }
    lacking
}

fn verdict(capability: Capability, added: &[Added], place: &Place) -> CapabilityVerdict {
    let (application, delegated) =
        (graph_permissions(added, PermissionKind::Application), graph_permissions(added, PermissionKind::Delegated));
    let title = capability.row().title;
    let evidence = |names: &[String], kind: PermissionKind| {
        let entry =
            |name: &String| Evidence::new(EvidenceKind::Manifest, format!("{name} is added as {}", kind.title()));
        names.iter().map(entry).collect::<Vec<_>>()
    };
    let (verdict, permission, message, evidence, remedies) = match standing(capability, &application) {
        Standing::Granted(by) => {
            let text = format!(
                "{title} will work once an administrator has granted consent: the Application permissions include {}.",
                list(&by)
            );
            (Verdict::Granted, by.join(", "), text, evidence(&by, PermissionKind::Application), Vec::new())
        }
        Standing::Limited(by) => {
            let text = format!("{title} will work only with basic properties: that is all that {} allows.", list(&by));
            let least: Vec<&str> = capability.least().collect();
            (Verdict::Limited, by.join(", "), text, evidence(&by, PermissionKind::Application), place.grant(&least))
        }
        Standing::Missing(missing) => {
            let parts: Vec<_> = missing_parts(capability, &application).collect();
            let is_missing = |name: &&&str| parts.iter().any(|part| grants(name, part));
            let as_delegated: Vec<String> =
                delegated.iter().filter(is_missing).map(|name| (*name).to_owned()).collect();
            if as_delegated.is_empty() {
                let text = format!("{title} will not work until you add {}.", list(&missing));
                (Verdict::NotAdded, missing.join(", "), text, Vec::new(), place.grant(&missing))
            } else {
                let text = format!(
                    "{title} will not work: you added {} as Delegated. Add {} as {}.",
                    list(&as_delegated),
                    list(&missing),
                    if missing.len() == 1 { "an Application permission" } else { "Application permissions" }
                );
                let found = evidence(&as_delegated, PermissionKind::Delegated);
                (Verdict::AddedAsDelegated, missing.join(", "), text, found, place.grant(&missing))
            }
        }
    };
    CapabilityVerdict { capability, verdict, permission, message, evidence, remedies }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::AZURE_AD_GRAPH;
    use super::super::remedy::CLIENT_ID_PLACEHOLDER;
    use super::super::remedy::tests::place;
    use super::*;
    use serde_json::json;

    fn entry(name: &str, kind: PermissionKind) -> Value {
        let letter = if kind == PermissionKind::Application { "Role" } else { "Scope" };
        json!({"id": catalog::id(name, kind).unwrap(), "type": letter})
    }

    fn manifest(access: &[Value]) -> Value {
        json!({"appId": Uuid::from_u128(5), "displayName": "Assets import", "signInAudience": "AzureADMyOrg",
            "requiredResourceAccess": [{"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": access}]})
    }

    fn verdicts(report: &ManifestReport) -> Vec<Verdict> {
        report.capabilities.iter().map(|c| c.verdict).collect()
    }

    #[test]
    fn the_portals_default_mistake_is_named_exactly() {
        let manifest = manifest(&[
            entry("User.Read", PermissionKind::Delegated),
            entry("User.Read.All", PermissionKind::Delegated),
            entry("GroupMember.Read.All", PermissionKind::Application),
        ]);
        let report = check(&manifest, &Capability::DEFAULT, &place()).unwrap();
        let (wrong, right) = (Verdict::AddedAsDelegated, Verdict::Granted);
        assert_eq!(verdicts(&report), [wrong, wrong, right, right, right, right, Verdict::NotAdded]);
        assert_eq!(report.findings[0].code, FindingCode::AddedAsDelegated);
        assert!(report.findings[0].message.starts_with("You added User.Read.All as Delegated."));
        assert_eq!(report.permissions[0].note, None, "User.Read is the portal's own default and harmless");
        insta::assert_snapshot!(report.capabilities[0].message);
    }

    /// Cases M2: what is granted is not an error, and no permission that writes is advised.
    #[test]
    fn a_redundant_delegated_permission_is_a_note_and_no_error() {
        for delegated in ["GroupMember.ReadWrite.All", "User.Read.All", "Directory.ReadWrite.All"] {
            let manifest = manifest(&[
                entry("Directory.Read.All", PermissionKind::Application),
                entry(delegated, PermissionKind::Delegated),
            ]);
            let report = check(&manifest, &Capability::DEFAULT, &place()).unwrap();
            assert_eq!((verdicts(&report), &report.findings), (vec![Verdict::Granted; 7], &Vec::new()), "{delegated}");
            assert!(report.permissions[1].note.as_deref().unwrap().contains("nothing to add"));
        }
    }

    /// Every alternative of every capability, granted as Application, beside every alternative as Delegated.
    #[test]
    fn the_verdict_is_by_capability_for_every_alternative() {
        for capability in Capability::ALL {
            let parts = capability.row().parts;
            let least = |part: usize| entry(parts[part][0], PermissionKind::Application);
            for (n, part) in parts.iter().enumerate() {
                for granted in *part {
                    for name in
                        part.iter().flat_map(|name| [(*name).to_owned(), name.replacen(".Read.", ".ReadWrite.", 1)])
                    {
                        if catalog::id(&name, PermissionKind::Delegated).is_none() {
                            continue;
                        }
                        let delegated = entry(&name, PermissionKind::Delegated);
                        let mut access: Vec<Value> = (0..parts.len()).filter(|other| *other != n).map(least).collect();
                        access.push(delegated);
                        let alone = check(&manifest(&access), &[capability], &place()).unwrap();
                        assert_eq!(verdicts(&alone), [Verdict::AddedAsDelegated], "{capability} {name}");
                        assert_eq!(alone.findings[0].code, FindingCode::AddedAsDelegated);
                        let advised = &alone.findings[0].remedies[0].title;
                        assert!(advised.contains(part[0]) && !advised.contains("ReadWrite"), "{advised}");
                        access.push(entry(granted, PermissionKind::Application));
                        let both = check(&manifest(&access), &[capability], &place()).unwrap();
                        assert_eq!(verdicts(&both), [Verdict::Granted], "{capability} {granted}, {name} as Delegated");
                        assert!(both.findings.is_empty(), "{capability} {granted}, {name} as Delegated");
                    }
                }
            }
        }
    }

    #[test]
    fn full_permissions_added_as_delegated_beside_basic_ones_are_an_error() {
        let manifest = manifest(&[
            entry("User.ReadBasic.All", PermissionKind::Application),
            entry("User.ReadWrite.All", PermissionKind::Delegated),
        ]);
        let report = check(&manifest, &[Capability::Users], &place()).unwrap();
        assert_eq!((verdicts(&report), report.findings.len()), (vec![Verdict::Limited], 1));
        assert!(report.findings[0].message.ends_with("Add User.Read.All as an Application permission."));
    }

    /// Case M1: ids of a public manifest that an older catalogue did not have.
    #[test]
    fn every_permission_of_a_real_manifest_is_named() {
        for (id, name) in [
            ("14dad69e-099b-42c9-810b-d002981feec1", "profile"),
            ("7427e0e9-2fba-42fe-b0c0-848c9e6a8182", "offline_access"),
            ("37f7f235-527c-4136-accd-4a02d197296e", "openid"),
            ("64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", "email"),
            ("0f4595f7-64b1-4e13-81bc-11a249df07a9", "TeamsAppInstallation.ReadWriteSelfForTeam"),
        ] {
            let report = check(&manifest(&[json!({"id": id, "type": "Scope"})]), &[], &place()).unwrap();
            assert_eq!(report.permissions[0].name.as_deref(), Some(name));
            assert!(report.findings.is_empty(), "{name}");
        }
    }

    /// Cases M7: the same application as other tools write it.
    #[test]
    fn other_forms_of_a_manifest_are_read() {
        let role = entry("User.Read.All", PermissionKind::Application);
        let app = manifest(std::slice::from_ref(&role));
        let pascal = json!({"AppId": Uuid::from_u128(5), "DisplayName": "Assets import", "RequiredResourceAccess": [
            {"ResourceAppId": MICROSOFT_GRAPH, "ResourceAccess": [{"Id": role["id"], "Type": "Role"}], "AdditionalProperties": {}}]});
        let template = json!({"appId": Uuid::from_u128(5), "name": "Assets import", "requiredResourceAccess": [
            {"resourceAppId": "Microsoft Graph", "resourceAccess": [{"id": "User.Read.All", "type": "Role"}]}]});
        for form in [
            app.clone(),
            json!({"@odata.context": "…", "value": [app]}),
            json!([app]),
            json!({"application": app, "servicePrincipal": {"appId": Uuid::from_u128(5)}}),
            json!([pascal]),
            pascal,
            template,
        ] {
            let report = check(&form, &[Capability::Users], &place()).unwrap();
            assert_eq!(
                (verdicts(&report), report.app_id),
                (vec![Verdict::Granted], Some(Uuid::from_u128(5))),
                "{form}"
            );
            assert_eq!(report.display_name.as_deref(), Some("Assets import"));
        }
        let nothing = check(&json!({"appId": Uuid::from_u128(5), "requiredResourceAccess": null}), &[], &place());
        assert!(nothing.unwrap().permissions.is_empty());
    }

    #[test]
    fn what_is_not_a_manifest_is_named_with_what_to_paste() {
        let app = |name: &str| json!({"appId": Uuid::from_u128(5), "displayName": name, "requiredResourceAccess": []});
        for (given, what) in [
            (json!({"manifestVersion": "1.17", "webApplicationInfo": {"id": "x"}}), "manifest of a Teams app"),
            (json!({"appId": "x", "servicePrincipalType": "Application"}), "enterprise application"),
            (json!({"appId": "x", "displayName": "App"}), "copied without its permissions"),
            (json!({"value": []}), "has no application"),
            (json!([app("One"), app("Two")]), "list of 2 applications (One, Two, …)"),
            (json!({"value": [app("One"), app("Two")]}), "Paste only the application"),
            (json!({"a": 1}), "not an app manifest"),
        ] {
            let error = check(&given, &[], &place()).unwrap_err();
            assert_eq!(error.faults[0].code, "not_a_manifest", "{given}");
            assert!(error.faults[0].detail.contains(what), "{}", error.faults[0].detail);
        }
    }

    #[test]
    fn an_entry_of_another_api_with_graphs_id_says_so() {
        let sharepoint = json!([{"resourceAppId": "00000003-0000-0ff1-ce00-000000000000",
            "resourceAccess": [entry("User.Read.All", PermissionKind::Application)]}]);
        let report = check(&sharepoint, &[Capability::Users], &place()).unwrap();
        assert_eq!(verdicts(&report), [Verdict::NotAdded]);
        assert!(report.permissions[0].note.as_deref().unwrap().contains("belongs to another API"));
    }

    #[test]
    fn the_list_alone_is_enough() {
        let whole = manifest(&[entry("User.Read.All", PermissionKind::Application)]);
        let report = check(&whole["requiredResourceAccess"], &[Capability::Users], &place()).unwrap();
        assert_eq!((verdicts(&report), report.app_id), (vec![Verdict::Granted], None));
        let unknown = Place { client: None, ..place() };
        let report = check(&json!([]), &[Capability::Users], &unknown).unwrap();
        assert!(report.capabilities[0].remedies.iter().all(|remedy| remedy.value.contains(CLIENT_ID_PLACEHOLDER)));
    }

    #[test]
    fn old_unknown_and_contradictory_entries_are_flagged() {
        let manifest = json!([
            {"resourceAppId": AZURE_AD_GRAPH, "resourceAccess": [{"id": "5778995a-e1bf-45b8-affa-663a9f3f4d04", "type": "Role"}]},
            {"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": [
                {"id": Uuid::from_u128(1), "type": "Role"},
                {"id": catalog::id("User.Read.All", PermissionKind::Delegated), "type": "Role"},
                entry("Directory.ReadWrite.All", PermissionKind::Application),
            ]},
        ]);
        let report = check(&manifest, &[Capability::Users], &place()).unwrap();
        let codes: Vec<String> = report.findings.iter().map(|f| f.code.to_string()).collect();
        assert_eq!(codes, ["azure_ad_graph", "permission_kind_mismatch", "permission_unknown", "excess_privileges"]);
        assert_eq!(verdicts(&report), [Verdict::Granted], "by Directory.ReadWrite.All");
    }

    #[test]
    fn every_fault_of_form_is_named_with_its_place() {
        let manifest = json!({"requiredResourceAccess": [
            {"resourceAppId": "x", "resourceAccess": [{"id": "y", "type": "Role"}, {"id": Uuid::nil(), "type": "role?"}]},
            {"resourceAppId": MICROSOFT_GRAPH},
        ]});
        let error = check(&manifest, &Capability::DEFAULT, &place()).unwrap_err();
        let pointers: Vec<&str> = error.faults.iter().map(|f| f.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/requiredResourceAccess/0/resourceAppId",
                "/requiredResourceAccess/0/resourceAccess/0/id",
                "/requiredResourceAccess/0/resourceAccess/1/type",
                "/requiredResourceAccess/1/resourceAccess",
            ]
        );
        assert_eq!(check(&json!({"a": 1}), &[], &place()).unwrap_err().faults[0].code, "not_a_manifest");
    }
}
