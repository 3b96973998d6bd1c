//! How to set up the application in Entra, step by step, with the ids of the connection.

use crate::cloud::Cloud;
use crate::graph::token::Identity;
use crate::permission::catalog::{self, PermissionKind};
use crate::permission::remedy::{Page, Place};
use crate::permission::report::CapabilityVerdict;
use crate::permission::{Capability, list, report::Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The values of a connection that its remedies need.
pub fn place(identity: &Identity) -> Place {
    place_of(identity.cloud, Some(&identity.tenant_id), Some(identity.client_id))
}

/// The same from its parts.
pub fn place_of(cloud: Cloud, tenant_id: Option<&str>, client_id: Option<Uuid>) -> Place {
    Place {
        tenant: tenant_id.map(str::to_owned),
        client: client_id,
        service_principal: None,
        graph_service_principal: None,
        login_host: cloud.login_host(),
        graph_host: cloud.graph_host(),
        portal_host: cloud.portal_host(),
        az_cloud: cloud.az_name(),
        powershell_environment: cloud.powershell_name(),
    }
}

/// A step in the portal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub title: String,
    /// What to do. Names are as the portal shows them.
    pub text: String,
    pub url: Option<String>,
}

/// A permission that the connection needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NeededPermission {
    pub name: String,
    /// Always `Application`.
    pub kind: String,
    /// The id of the Application permission.
    pub id: Option<Uuid>,
    /// The capabilities that need it.
    pub capabilities: Vec<Capability>,
    /// Whether the last check found it granted; `null` before the first check.
    pub granted: Option<bool>,
}

/// Links to the portal of the connection's cloud.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortalLinks {
    /// The overview of the app registration.
    pub overview: String,
    /// Its permissions, with the button that grants admin consent.
    pub api_permissions: String,
    /// Its client secrets and certificates.
    pub certificates_and_secrets: String,
    /// Its manifest.
    pub manifest: String,
    /// The permissions that the tenant has granted to it.
    pub enterprise_application: String,
    /// The overview of the tenant, with its id.
    pub tenant_overview: String,
}

/// Everything an Azure administrator needs to set up or fix a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionSetup)]
pub struct Setup {
    /// What the application needs, and what of it is granted.
    pub permissions: Vec<NeededPermission>,
    /// An administrator opens this link and accepts the permissions of the app registration.
    pub consent_url: String,
    pub portal: PortalLinks,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Bash with the Azure CLI: grants the missing Application permissions. Empty if none is missing.
    pub az_cli: String,
    /// Microsoft Graph PowerShell: the same.
    pub powershell: String,
}

/// The setup of a connection for some capabilities. `last` are the verdicts of the last check, if there was one: the
/// scripts leave out permissions that it found granted.
pub fn setup(place: &Place, capabilities: &[Capability], last: Option<&[CapabilityVerdict]>) -> Setup {
    let mut permissions: Vec<NeededPermission> = Vec::new();
    for capability in capabilities {
        for name in capability.least() {
            let granted = last.and_then(|verdicts| granted(verdicts, *capability));
            match permissions.iter_mut().find(|permission| permission.name == name) {
                Some(permission) => {
                    permission.capabilities.push(*capability);
                    permission.granted = permission.granted.zip(granted).map(|(a, b)| a && b);
                }
                None => permissions.push(NeededPermission {
                    name: name.to_owned(),
                    kind: PermissionKind::Application.title().to_owned(),
                    id: catalog::id(name, PermissionKind::Application),
                    capabilities: vec![*capability],
                    granted,
                }),
            }
        }
    }
    let missing: Vec<&str> = permissions.iter().filter(|p| p.granted != Some(true)).map(|p| p.name.as_str()).collect();
    let script = |make: &dyn Fn(&[&str]) -> String| if missing.is_empty() { String::new() } else { make(&missing) };
    let (az_cli, powershell) =
        (script(&|names| place.az_script(names)), script(&|names| place.powershell_script(names)));
    let steps = steps(place, &permissions);
    Setup { consent_url: place.consent_url(), portal: portal_links(place), steps, az_cli, powershell, permissions }
}

/// The setup of an application that may not exist yet, from its registration on.
pub fn setup_of_new(place: &Place, capabilities: &[Capability]) -> Setup {
    let mut setup = setup(place, capabilities, None);
    setup.steps.splice(0..0, registration_steps(place));
    setup
}

fn registration_steps(place: &Place) -> Vec<Step> {
    let step = |title: &str, text: &str, page: Option<Page>| Step {
        title: title.to_owned(),
        text: text.to_owned(),
        url: page.map(|page| place.portal_url(page)),
    };
    vec![
        step(
            "Register the application",
            "In the portal open App registrations → New registration. Enter a name, choose «Accounts in this organizational \
             directory only», leave the redirect URI empty, and press «Register».",
            Some(Page::Registrations),
        ),
        step(
            "Copy the ids",
            "On the Overview copy Application (client) ID and Directory (tenant) ID. The connection needs both.",
            Some(Page::Registrations),
        ),
        step(
            "Create a client secret",
            "Open Certificates & secrets → Client secrets → New client secret. Copy the Value, not the Secret ID: the portal shows \
             it only once. Note the end date, which the connection needs too.",
            None,
        ),
    ]
}

fn granted(verdicts: &[CapabilityVerdict], capability: Capability) -> Option<bool> {
    let verdict = verdicts.iter().find(|verdict| verdict.capability == capability)?;
    match verdict.verdict {
        Verdict::Unknown => None,
        other => Some(other == Verdict::Granted),
    }
}

fn portal_links(place: &Place) -> PortalLinks {
    PortalLinks {
        overview: place.portal_url(Page::Overview),
        api_permissions: place.portal_url(Page::ApiPermissions),
        certificates_and_secrets: place.portal_url(Page::Credentials),
        manifest: place.portal_url(Page::Manifest),
        enterprise_application: place.portal_url(Page::EnterpriseProperties),
        tenant_overview: place.portal_url(Page::TenantOverview),
    }
}

fn steps(place: &Place, permissions: &[NeededPermission]) -> Vec<Step> {
    let names: Vec<&str> = permissions.iter().map(|permission| permission.name.as_str()).collect();
    let step = |title: &str, text: String, page: Option<Page>| Step {
        title: title.to_owned(),
        text,
        url: page.map(|page| place.portal_url(page)),
    };
    vec![
        step(
            "Open API permissions",
            format!("In the portal open App registrations → All applications → the application {} → API permissions.", place.client()),
            Some(Page::ApiPermissions),
        ),
        step("Add a permission", "Press «Add a permission», then choose «Microsoft Graph».".to_owned(), None),
        step(
            "Choose Application permissions",
            "The portal asks «What type of permissions does your application require?». Choose «Application permissions». Do not \
             choose «Delegated permissions», which comes first: it has no effect for an import."
                .to_owned(),
            None,
        ),
        step("Tick the permissions", format!("Search for and tick {}, then press «Add permissions».", list(&names)), None),
        step(
            "Grant admin consent",
            "Press «Grant admin consent for …» and confirm. Each row must now show the Type «Application» and the Status «Granted». An \
             administrator who cannot open the portal page can open the consent link instead."
                .to_owned(),
            Some(Page::ApiPermissions),
        ),
        step("Check the connection", "Wait a minute, then run the connection check. Entra can take up to five minutes.".to_owned(), None),
    ]
}
