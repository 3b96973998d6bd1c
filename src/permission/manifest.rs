//! The permissions in the manifest of an app registration. Reading them needs no call to Graph, and only they show why a
//! token has no permissions: added as Delegated, without consent, or never added.
//!
//! Source: <https://learn.microsoft.com/en-us/entra/identity-platform/reference-microsoft-graph-app-manifest>;
//! docs/graph.md, «Grants». Both formats of the manifest have `requiredResourceAccess` with the same items.

use super::catalog::{self, AZURE_AD_GRAPH, MICROSOFT_GRAPH, PermissionKind};
use super::remedy::{Page, Place};
use super::report::{CapabilityVerdict, Evidence, EvidenceKind, Finding, Severity, Verdict};
use super::{Capability, Standing, excess, standing};
use crate::codes::FindingCode;
use crate::error::{Fault, Faults, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// More entries than any manifest has: Entra allows about 400.
const MAX_ENTRIES: usize = 2_000;

/// Replaces the client id in links and scripts if the manifest does not have it.
const CLIENT_ID_PLACEHOLDER: &str = "APPLICATION-CLIENT-ID";

/// The API that a permission belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Resource {
    MicrosoftGraph,
    /// Microsoft has shut it down. Its permissions have the same names, and no effect on Microsoft Graph.
    AzureAdGraph,
    Other,
}

/// One permission that is added in the manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestPermission {
    pub id: Uuid,
    /// `null` if the id is not in the list of permissions of this version.
    pub name: Option<String>,
    /// `Application` or `Delegated`: the column Type in the portal.
    pub kind: String,
    pub resource: Resource,
    pub resource_app_id: Uuid,
    /// What is wrong with it, if anything.
    pub note: Option<String>,
}

/// What a manifest grants and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestReport {
    /// The application (client) id, if the manifest has it.
    pub app_id: Option<Uuid>,
    pub display_name: Option<String>,
    pub permissions: Vec<ManifestPermission>,
    pub findings: Vec<Finding>,
    /// Whether each capability works once an administrator has granted consent to these permissions.
    pub capabilities: Vec<CapabilityVerdict>,
}

/// One entry of the manifest, already checked for its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Added {
    pub resource: Uuid,
    pub id: Uuid,
    pub kind: PermissionKind,
}

/// Checks a whole manifest, or only its `requiredResourceAccess`. `place` has the hosts of the cloud, and tenant and
/// client unless the manifest names its client.
///
/// # Errors
/// `validation_failed` with a fault for each malformed entry.
pub fn check(manifest: &Value, capabilities: &[Capability], place: &Place) -> Result<ManifestReport> {
    let added = read(manifest)?;
    let app_id = text(manifest, &["appId"]).and_then(|id| Uuid::parse_str(&id).ok());
    let place = Place { client: app_id.unwrap_or(place.client), ..place.clone() };
    let permissions: Vec<ManifestPermission> = added.iter().map(|entry| describe(entry, capabilities)).collect();
    let mut findings = findings(&permissions, &added, capabilities, &place);
    let mut capabilities: Vec<_> = capabilities.iter().map(|capability| verdict(*capability, &added, &place)).collect();
    if place.client.is_nil() {
        let of_findings = findings.iter_mut().flat_map(|finding| &mut finding.remedies);
        let of_capabilities = capabilities.iter_mut().flat_map(|capability| &mut capability.remedies);
        for remedy in of_findings.chain(of_capabilities) {
            remedy.value = remedy.value.replace(&Uuid::nil().to_string(), CLIENT_ID_PLACEHOLDER);
        }
    }
    Ok(ManifestReport {
        app_id,
        display_name: text(manifest, &["displayName", "name"]),
        permissions,
        findings,
        capabilities,
    })
}

/// Names of the Microsoft Graph permissions of one kind.
pub fn graph_permissions(added: &[Added], kind: PermissionKind) -> Vec<&'static str> {
    let of_kind = added.iter().filter(|entry| entry.resource == MICROSOFT_GRAPH && entry.kind == kind);
    of_kind.filter_map(|entry| catalog::name(entry.id, kind)).collect()
}

/// Reads the entries. Each malformed entry is a fault with its pointer.
pub fn read(manifest: &Value) -> Result<Vec<Added>> {
    let mut faults = Faults::default();
    let (list, at) = match (manifest, manifest.get("requiredResourceAccess")) {
        (Value::Array(list), _) => (list, String::new()),
        (_, Some(Value::Array(list))) => (list, "/requiredResourceAccess".to_owned()),
        (_, Some(_)) => {
            return Err(fault("/requiredResourceAccess", "wrong_type", "`requiredResourceAccess` must be a list."));
        }
        _ => {
            return Err(fault(
                "",
                "not_a_manifest",
                "This is not an app manifest: it has no `requiredResourceAccess`. In the portal, open App registrations → your app → \
                 Manifest, and copy all of it or only the list under `requiredResourceAccess`.",
            ));
        }
    };
    let mut added = Vec::new();
    for (n, resource) in list.iter().enumerate() {
        read_resource(resource, &format!("{at}/{n}"), &mut added, &mut faults);
    }
    if added.len() > MAX_ENTRIES {
        faults.push(
            &at,
            "too_many",
            format!("The manifest has {} permissions; at most {MAX_ENTRIES} are allowed.", added.len()),
        );
    }
    faults.into_result()?;
    Ok(added)
}

fn read_resource(resource: &Value, at: &str, added: &mut Vec<Added>, faults: &mut Faults) {
    let resource_id = guid(resource, "resourceAppId", at, faults);
    let Some(access) = resource.get("resourceAccess").and_then(Value::as_array) else {
        faults.push(
            format!("{at}/resourceAccess"),
            "required",
            "`resourceAccess` is required: the list of this resource's permissions.",
        );
        return;
    };
    for (n, entry) in access.iter().enumerate() {
        let at = format!("{at}/resourceAccess/{n}");
        let id = guid(entry, "id", &at, faults);
        let kind = match entry.get("type").and_then(Value::as_str) {
            Some(role) if role.eq_ignore_ascii_case("Role") => Some(PermissionKind::Application),
            Some(scope) if scope.eq_ignore_ascii_case("Scope") => Some(PermissionKind::Delegated),
            _ => {
                faults.push(
                    format!("{at}/type"),
                    "wrong_value",
                    "`type` must be `Role` (Application) or `Scope` (Delegated).",
                );
                None
            }
        };
        if let (Some(resource), Some(id), Some(kind)) = (resource_id, id, kind) {
            added.push(Added { resource, id, kind });
        }
    }
}

fn guid(value: &Value, name: &str, at: &str, faults: &mut Faults) -> Option<Uuid> {
    let id = value.get(name).and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok());
    if id.is_none() {
        faults.push(format!("{at}/{name}"), "not_a_guid", format!("`{name}` must be a GUID."));
    }
    id
}

fn fault(pointer: &str, code: &'static str, detail: &str) -> crate::error::Error {
    crate::error::Error::validation(vec![Fault::new(pointer, code, detail)])
}

fn text(manifest: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| manifest.get(name).and_then(Value::as_str)).map(str::to_owned)
}

fn describe(entry: &Added, capabilities: &[Capability]) -> ManifestPermission {
    let resource = match entry.resource {
        MICROSOFT_GRAPH => Resource::MicrosoftGraph,
        AZURE_AD_GRAPH => Resource::AzureAdGraph,
        _ => Resource::Other,
    };
    let known = catalog::names(entry.id);
    let name = catalog::name(entry.id, entry.kind).or_else(|| known.first().map(|(name, _)| name.as_str()));
    let name = name.filter(|_| resource == Resource::MicrosoftGraph);
    let note = match (resource, name) {
        (Resource::AzureAdGraph, _) => {
            Some("Microsoft has shut down Azure AD Graph. This permission has no effect on Microsoft Graph.".to_owned())
        }
        (Resource::Other, _) => None,
        (Resource::MicrosoftGraph, None) => {
            Some("This version of the service does not know a Microsoft Graph permission with this id.".to_owned())
        }
        (Resource::MicrosoftGraph, Some(name)) if !known.iter().any(|(_, kind)| *kind == entry.kind) => Some(format!(
            "The id is that of the {} permission {name}, but the entry says {}. Entra ignores the entry.",
            known.first().map_or("other", |(_, kind)| kind.title()),
            entry.kind.title()
        )),
        (Resource::MicrosoftGraph, Some(name))
            if entry.kind == PermissionKind::Delegated && is_needed(name, capabilities) =>
        {
            Some(format!(
                "A Delegated permission has no effect for a service. Add {name} as an Application permission."
            ))
        }
        (Resource::MicrosoftGraph, Some(_)) => None,
    };
    ManifestPermission {
        id: entry.id,
        name: name.map(str::to_owned),
        kind: entry.kind.title().to_owned(),
        resource,
        resource_app_id: entry.resource,
        note,
    }
}

fn is_needed(name: &str, capabilities: &[Capability]) -> bool {
    capabilities.iter().any(|capability| super::related(*capability).any(|related| related == name))
}

fn findings(
    permissions: &[ManifestPermission],
    added: &[Added],
    capabilities: &[Capability],
    place: &Place,
) -> Vec<Finding> {
    let names = |keep: &dyn Fn(&ManifestPermission) -> bool| -> Vec<String> {
        permissions.iter().filter(|p| keep(p)).map(|p| p.name.clone().unwrap_or_else(|| p.id.to_string())).collect()
    };
    let mut findings = Vec::new();
    let granted = graph_permissions(added, PermissionKind::Application);
    let delegated = names(&|p| {
        p.resource == Resource::MicrosoftGraph && p.kind == "Delegated" && p.note.is_some() && p.name.is_some()
    });
    let mut useless: Vec<String> = Vec::new();
    for name in delegated {
        if !granted.iter().any(|granted| *granted == name) && !useless.contains(&name) {
            useless.push(name);
        }
    }
    if !useless.is_empty() {
        let lacking: Vec<&str> = lacking(&granted, capabilities);
        findings.push(
            Finding::new(
                Severity::Error,
                FindingCode::AddedAsDelegated,
                format!(
                    "You added {} as Delegated. Delegated permissions work only for a signed-in user, so they have no effect on \
                     this import. Add them again, this time as Application permissions.",
                    list(&useless)
                ),
            )
            .with_remedies(if lacking.is_empty() { Vec::new() } else { place.grant(&lacking) }),
        );
    }
    let old = names(&|p| p.resource == Resource::AzureAdGraph);
    if !old.is_empty() {
        findings.push(
            Finding::new(
                Severity::Warning,
                FindingCode::AzureAdGraph,
                format!(
                    "{} permission{} belong{} to Azure AD Graph, which Microsoft has shut down. Remove what belongs to it, and \
                     add the permissions that you need under Microsoft Graph.",
                    old.len(),
                    if old.len() == 1 { "" } else { "s" },
                    if old.len() == 1 { "s" } else { "" }
                ),
            )
            .with_remedies(vec![place.portal(Page::ApiPermissions, "In the portal: API permissions → … → Remove permission.")]),
        );
    }
    let wrong_kind = names(&|p| p.note.as_deref().is_some_and(|note| note.contains("but the entry says")));
    if !wrong_kind.is_empty() {
        let text = format!(
            "Id and type do not match for {}. Remove the entry, and add the permission in the portal.",
            list(&wrong_kind)
        );
        findings.push(Finding::new(Severity::Error, FindingCode::PermissionKindMismatch, text));
    }
    let unknown = names(&|p| p.resource == Resource::MicrosoftGraph && p.name.is_none());
    if !unknown.is_empty() {
        let text = format!(
            "This version of the service does not know these ids as Microsoft Graph permissions: {}. They may be new or mistyped.",
            list(&unknown)
        );
        findings.push(Finding::new(Severity::Warning, FindingCode::PermissionUnknown, text));
    }
    let too_much = excess(&granted);
    if !too_much.is_empty() {
        findings.push(excess_finding(&too_much));
    }
    findings
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

/// The least permissions that are still missing.
fn lacking(granted: &[&str], capabilities: &[Capability]) -> Vec<&'static str> {
    let mut lacking = Vec::new();
    for capability in capabilities {
        if let Standing::Missing(names) = standing(*capability, granted) {
            lacking.extend(names.into_iter().filter(|name| !lacking.contains(name)).collect::<Vec<_>>());
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
            let as_delegated: Vec<String> =
                super::related(capability).filter(|name| delegated.iter().any(|d| d == name)).collect();
            if as_delegated.is_empty() {
                let text = format!("{title} will not work until you add {}.", list(&missing));
                (Verdict::NotAdded, missing.join(", "), text, Vec::new(), place.grant(&missing))
            } else {
                let text = format!(
                    "{title} will not work: you added {} as Delegated. Add {} as an Application permission.",
                    list(&as_delegated),
                    list(&missing)
                );
                let found = evidence(&as_delegated, PermissionKind::Delegated);
                (Verdict::AddedAsDelegated, missing.join(", "), text, found, place.grant(&missing))
            }
        }
    };
    CapabilityVerdict { capability, verdict, permission, message, evidence, remedies }
}

/// «A», «A and B», «A, B and C».
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_list_alone_is_enough() {
        let whole = manifest(&[entry("User.Read.All", PermissionKind::Application)]);
        let report = check(&whole["requiredResourceAccess"], &[Capability::Users], &place()).unwrap();
        assert_eq!((verdicts(&report), report.app_id), (vec![Verdict::Granted], None));
        let unknown = Place { client: Uuid::nil(), ..place() };
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
