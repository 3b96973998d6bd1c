//! The forms in which people have a manifest: that of the portal (old and new), the list of permissions alone, an
//! application as Graph, the Azure CLI or PowerShell writes it, and the template of the Teams Toolkit. All have
//! `requiredResourceAccess` with the same items; the names of fields begin with a capital in PowerShell.

use crate::error::{Error, Fault, Faults, Result};
use crate::permission::catalog::{self, MICROSOFT_GRAPH, PermissionKind};
use serde_json::Value;
use uuid::Uuid;

/// More entries than any manifest has: Entra allows about 400.
const MAX_ENTRIES: usize = 2_000;

const WHAT_TO_PASTE: &str = "In the portal, open App registrations → your app → Manifest, and copy all of it or only the list under \
     `requiredResourceAccess`.";

/// One entry of the manifest, already checked for its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Added {
    pub resource: Uuid,
    pub id: Uuid,
    pub kind: PermissionKind,
}

/// What a manifest says of permissions.
#[derive(Debug)]
pub struct Manifest {
    pub app_id: Option<Uuid>,
    pub display_name: Option<String>,
    pub added: Vec<Added>,
}

/// Reads a manifest. Each malformed entry is a fault with its pointer.
///
/// # Errors
/// `validation_failed`: it is something else, and the fault says what; or entries are malformed.
pub fn read(given: &Value) -> Result<Manifest> {
    let (manifest, mut at) = unwrap(given)?;
    let list = match (manifest, field(manifest, "requiredResourceAccess")) {
        (Value::Array(list), _) => list.as_slice(),
        (_, Some(access)) => {
            at.push_str("/requiredResourceAccess");
            match access {
                Value::Array(list) => list.as_slice(),
                Value::Null => &[],
                _ => return Err(fault(&at, "wrong_type", "`requiredResourceAccess` must be a list.")),
            }
        }
        (_, None) => return Err(fault(&at, "not_a_manifest", &what_it_is(manifest))),
    };
    let (mut added, mut faults) = (Vec::new(), Faults::default());
    for (n, resource) in list.iter().enumerate() {
        read_resource(resource, &format!("{at}/{n}"), &mut added, &mut faults);
    }
    if added.len() > MAX_ENTRIES {
        let detail = format!("The manifest has {} permissions; at most {MAX_ENTRIES} are allowed.", added.len());
        faults.push(&at, "too_many", detail);
    }
    faults.into_result()?;
    Ok(Manifest {
        app_id: text(manifest, "appId").and_then(|id| Uuid::parse_str(id).ok()),
        display_name: text(manifest, "displayName").or_else(|| text(manifest, "name")).map(str::to_owned),
        added,
    })
}

/// The application or its list of permissions within a list of one application or an answer that wraps it, with its
/// pointer.
fn unwrap(given: &Value) -> Result<(&Value, String)> {
    if let Some(application) = field(given, "application").filter(|value| value.is_object()) {
        return Ok((application, "/application".to_owned()));
    }
    let (list, at) = match (given, given.get("value")) {
        (Value::Array(list), _) => (list, ""),
        (Value::Object(_), Some(Value::Array(list))) => (list, "/value"),
        _ => return Ok((given, String::new())),
    };
    let is_application = |item: &Value| field(item, "resourceAppId").is_none() && field(item, "appId").is_some();
    match list.as_slice() {
        [only] if is_application(only) => Ok((only, format!("{at}/0"))),
        [first, ..] if is_application(first) => {
            let names: Vec<&str> = list.iter().filter_map(|item| text(item, "displayName")).take(3).collect();
            let detail = format!(
                "This is a list of {} applications ({}, …). Paste only the application that the connection uses.",
                list.len(),
                names.join(", ")
            );
            Err(fault(at, "not_a_manifest", &detail))
        }
        [] if !at.is_empty() => {
            Err(fault(at, "not_a_manifest", &format!("This list has no application. {WHAT_TO_PASTE}")))
        }
        _ if at.is_empty() => Ok((given, String::new())),
        _ => Ok((&given["value"], at.to_owned())),
    }
}

/// What something without `requiredResourceAccess` is, and what to paste in its place.
fn what_it_is(given: &Value) -> String {
    let has = |name: &str| field(given, name).is_some();
    let what = if has("webApplicationInfo") || has("manifestVersion") {
        "This is the manifest of a Teams app, not of an app registration."
    } else if has("servicePrincipalType") || has("appOwnerOrganizationId") || has("appRoleAssignments") {
        "This is an enterprise application (service principal), not an app registration: it does not list the permissions \
         that were added."
    } else if has("appId") {
        "This application was copied without its permissions: it has no `requiredResourceAccess`."
    } else {
        "This is not an app manifest: it has no `requiredResourceAccess`."
    };
    format!("{what} {WHAT_TO_PASTE}")
}

fn read_resource(resource: &Value, at: &str, added: &mut Vec<Added>, faults: &mut Faults) {
    let resource_id = match text(resource, "resourceAppId") {
        // So the template of the Teams Toolkit names it.
        Some("Microsoft Graph") => Some(MICROSOFT_GRAPH),
        id => id.and_then(|id| Uuid::parse_str(id).ok()),
    };
    if resource_id.is_none() {
        faults.push(format!("{at}/resourceAppId"), "not_a_guid", "`resourceAppId` must be a GUID.");
    }
    let Some(access) = field(resource, "resourceAccess").and_then(Value::as_array) else {
        faults.push(
            format!("{at}/resourceAccess"),
            "required",
            "`resourceAccess` is required: the list of this resource's permissions.",
        );
        return;
    };
    for (n, entry) in access.iter().enumerate() {
        let at = format!("{at}/resourceAccess/{n}");
        let kind = read_kind(entry);
        let id = text(entry, "id").and_then(|id| read_id(id, resource_id, kind));
        if id.is_none() {
            let detail = "`id` must be a GUID, or the name of a Microsoft Graph permission of this type.";
            faults.push(format!("{at}/id"), "not_a_guid", detail);
        }
        if kind.is_none() {
            let detail = "`type` must be `Role` (Application) or `Scope` (Delegated).";
            faults.push(format!("{at}/type"), "wrong_value", detail);
        }
        if let (Some(resource), Some(id), Some(kind)) = (resource_id, id, kind) {
            added.push(Added { resource, id, kind });
        }
    }
}

fn read_kind(entry: &Value) -> Option<PermissionKind> {
    match text(entry, "type") {
        Some(role) if role.eq_ignore_ascii_case("Role") => Some(PermissionKind::Application),
        Some(scope) if scope.eq_ignore_ascii_case("Scope") => Some(PermissionKind::Delegated),
        _ => None,
    }
}

/// A GUID, or a name as the template of the Teams Toolkit has it.
fn read_id(id: &str, resource: Option<Uuid>, kind: Option<PermissionKind>) -> Option<Uuid> {
    let named = || catalog::id(id, kind?).filter(|_| resource == Some(MICROSOFT_GRAPH));
    Uuid::parse_str(id).ok().or_else(named)
}

/// A field by its name, which begins with a capital in PowerShell.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let (first, rest) = name.split_at(1);
    value.get(name).or_else(|| value.get(format!("{}{rest}", first.to_ascii_uppercase())))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    field(value, name).and_then(Value::as_str)
}

fn fault(pointer: &str, code: &'static str, detail: &str) -> Error {
    Error::validation(vec![Fault::new(pointer, code, detail)])
}
