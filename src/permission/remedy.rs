//! Links and scripts that fix a connection, with its ids and the hosts of its cloud.
//!
//! Source: <https://learn.microsoft.com/en-us/graph/api/serviceprincipal-post-approleassignments>,
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use super::catalog::{self, MICROSOFT_GRAPH, PermissionKind};
use super::report::{Remedy, RemedyKind};
use serde_json::json;
use uuid::Uuid;

/// Stands for the client id in links and scripts if it is not known.
pub const CLIENT_ID_PLACEHOLDER: &str = "APPLICATION-CLIENT-ID";

/// The application to fix, and the hosts of its cloud (origins without a slash at the end).
#[derive(Clone, Debug)]
pub struct Place {
    /// Tenant id or domain, if it is known.
    pub tenant: Option<String>,
    /// The application (client) id, if it is known.
    pub client: Option<Uuid>,
    /// Object id of the enterprise application, if it is known.
    pub service_principal: Option<Uuid>,
    /// Object id of Microsoft Graph's enterprise application in the tenant, if it is known.
    pub graph_service_principal: Option<Uuid>,
    pub login_host: &'static str,
    pub graph_host: &'static str,
    pub portal_host: &'static str,
    /// `az cloud set --name …`.
    pub az_cloud: &'static str,
    /// `Connect-MgGraph -Environment …`.
    pub powershell_environment: &'static str,
}

/// A page of the portal about the application or the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Page {
    Registrations,
    Overview,
    ApiPermissions,
    Credentials,
    Authentication,
    Manifest,
    EnterpriseProperties,
    TenantOverview,
    ConditionalAccess,
}

impl Place {
    /// The page on which an administrator consents to the permissions of the app registration.
    pub fn consent_url(&self) -> String {
        // Without a tenant it is the one that the administrator signs in to.
        let tenant = self.tenant.as_deref().unwrap_or("organizations");
        format!("{}/{tenant}/adminconsent?client_id={}", self.login_host, self.client())
    }

    /// The application (client) id as it stands in links, scripts and steps.
    pub fn client(&self) -> String {
        self.client.map_or_else(|| CLIENT_ID_PLACEHOLDER.to_owned(), |id| id.to_string())
    }

    pub fn portal_url(&self, page: Page) -> String {
        let (host, client) = (self.portal_host, self.client());
        let registration = |blade: &str| {
            format!("{host}/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/{blade}/appId/{client}")
        };
        match page {
            Page::Registrations => format!("{host}/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade"),
            Page::Overview => registration("Overview"),
            Page::ApiPermissions => registration("CallAnAPI"),
            Page::Credentials => registration("Credentials"),
            Page::Authentication => registration("Authentication"),
            Page::Manifest => registration("Manifest"),
            Page::EnterpriseProperties => match self.service_principal {
                Some(id) => format!(
                    "{host}/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Properties/objectId/{id}/appId/{client}"
                ),
                None => format!("{host}/#view/Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview"),
            },
            Page::TenantOverview => format!("{host}/#view/Microsoft_AAD_IAM/ActiveDirectoryMenuBlade/~/Overview"),
            Page::ConditionalAccess => {
                format!("{host}/#view/Microsoft_AAD_ConditionalAccess/ConditionalAccessBlade/~/Policies")
            }
        }
    }

    pub fn portal(&self, page: Page, title: impl Into<String>) -> Remedy {
        Remedy { kind: RemedyKind::Portal, title: title.into(), value: self.portal_url(page) }
    }

    pub fn consent(&self, title: impl Into<String>) -> Remedy {
        Remedy { kind: RemedyKind::ConsentUrl, title: title.into(), value: self.consent_url() }
    }

    /// The ways to grant Application permissions.
    pub fn grant(&self, permissions: &[&str]) -> Vec<Remedy> {
        let names = permissions.join(", ");
        vec![
            self.portal(
                Page::ApiPermissions,
                format!(
                    "In the portal: API permissions → Add a permission → Microsoft Graph → Application permissions (not \
                     Delegated permissions) → select {names} → Add permissions. Then select «Grant admin consent»."
                ),
            ),
            self.consent("Or, once they are added as Application permissions, ask an administrator to open this link and accept."),
            Remedy {
                kind: RemedyKind::AzCli,
                title: format!("Or with the Azure CLI in Bash, for example in Cloud Shell: grant {names}"),
                value: self.az_script(permissions),
            },
            Remedy {
                kind: RemedyKind::Powershell,
                title: format!("Or with Microsoft Graph PowerShell: grant {names}"),
                value: self.powershell_script(permissions),
            },
        ]
    }

    /// The ways to grant permissions that are added and lack only the consent.
    pub fn grant_added(&self, permissions: &[&str]) -> Vec<Remedy> {
        let mut remedies = self.grant(permissions);
        remedies[0] = self.consent("Ask an administrator to open this link and accept.");
        remedies[1] = self.portal(Page::ApiPermissions, "Or in the portal: API permissions → «Grant admin consent».");
        remedies
    }

    /// Commands of the Azure CLI that grant Application permissions. Every request is one `az rest`.
    pub fn az_script(&self, permissions: &[&str]) -> String {
        let ids = application_ids(permissions);
        let tenant = self.tenant.as_ref().map(|tenant| format!(" --tenant {tenant}")).unwrap_or_default();
        let mut lines = vec![format!(
            "# Sign in first as a Privileged Role Administrator: az cloud set --name {} && az login{tenant}",
            self.az_cloud
        )];
        let app = self.known_or_look_up(&mut lines, "app_principal", self.service_principal, &self.client());
        let graph_id = MICROSOFT_GRAPH.to_string();
        let graph = self.known_or_look_up(&mut lines, "graph_principal", self.graph_service_principal, &graph_id);
        for (name, id) in &ids {
            lines.push(format!("# {name} as an Application permission, with admin consent"));
            lines.push(format!(
                "az rest --method POST --url \"{}/v1.0/servicePrincipals/{app}/appRoleAssignments\" --headers \
                 \"Content-Type=application/json\" --body \"{{\\\"principalId\\\":\\\"{app}\\\",\\\"resourceId\\\":\\\"{graph}\\\",\
                 \\\"appRoleId\\\":\\\"{id}\\\"}}\"",
                self.graph_host
            ));
        }
        let roles: Vec<String> = ids.iter().map(|(_, id)| format!("{id}=Role")).collect();
        lines.push("# Optional: list them under API permissions of the app registration too:".to_owned());
        lines.push(format!(
            "# az ad app permission add --id {} --api {MICROSOFT_GRAPH} --api-permissions {}",
            self.client(),
            roles.join(" ")
        ));
        lines.join("\n")
    }

    /// The object id of an application's service principal if known, else a shell variable that the script sets first.
    fn known_or_look_up(&self, lines: &mut Vec<String>, variable: &str, known: Option<Uuid>, app_id: &str) -> String {
        if let Some(id) = known {
            return id.to_string();
        }
        lines.push(format!(
            "{variable}=$(az rest --method GET --url \"{}/v1.0/servicePrincipals(appId='{app_id}')?\\$select=id\" | grep -o \
             '\"id\": *\"[^\"]*\"' | head -n 1 | cut -d '\"' -f 4)",
            self.graph_host
        ));
        format!("${{{variable}}}")
    }

    /// A command that creates the enterprise application (service principal).
    pub fn az_make_service_principal(&self) -> Remedy {
        Remedy {
            kind: RemedyKind::AzCli,
            title: "Or with the Azure CLI: create the enterprise application".to_owned(),
            value: format!(
                "az rest --method POST --url \"{}/v1.0/servicePrincipals\" --headers \"Content-Type=application/json\" --body '{}'",
                self.graph_host,
                json!({"appId": self.client()})
            ),
        }
    }

    /// A command that enables a disabled enterprise application.
    pub fn az_enable(&self) -> Remedy {
        Remedy {
            kind: RemedyKind::AzCli,
            title: "Or with the Azure CLI: enable the enterprise application".to_owned(),
            value: format!(
                "az rest --method PATCH --url \"{}/v1.0/servicePrincipals(appId='{}')\" --headers \
                 \"Content-Type=application/json\" --body '{}'",
                self.graph_host,
                self.client(),
                json!({"accountEnabled": true})
            ),
        }
    }

    pub fn powershell_script(&self, permissions: &[&str]) -> String {
        let rows: Vec<String> =
            application_ids(permissions).iter().map(|(name, id)| format!("    \"{id}\" # {name}")).collect();
        let tenant = self.tenant.as_ref().map(|tenant| format!(" -TenantId \"{tenant}\"")).unwrap_or_default();
        format!(
            "Connect-MgGraph{tenant} -Environment {} -Scopes \"Application.Read.All\", \"AppRoleAssignment.ReadWrite.All\"\n\
             $app = Get-MgServicePrincipal -Filter \"appId eq '{}'\"\n\
             $graph = Get-MgServicePrincipal -Filter \"appId eq '{MICROSOFT_GRAPH}'\"\n\
             $permissions = @(\n{}\n)\n\
             foreach ($permission in $permissions) {{\n    \
             New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $app.Id -PrincipalId $app.Id -ResourceId $graph.Id -AppRoleId $permission\n\
             }}",
            self.powershell_environment,
            self.client(),
            rows.join("\n")
        )
    }
}

/// Names with their ids as Application permissions, without names that have no such id.
fn application_ids<'a>(permissions: &[&'a str]) -> Vec<(&'a str, Uuid)> {
    permissions.iter().filter_map(|name| Some((*name, catalog::id(name, PermissionKind::Application)?))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn place() -> Place {
        Place {
            tenant: Some("72f988bf-86f1-41af-91ab-2d7cd011db47".to_owned()),
            client: Some(Uuid::from_u128(0xc11e_0000_0000_4000_8000_0000_0000_0001)),
            service_principal: None,
            graph_service_principal: None,
            login_host: "https://login.microsoftonline.com",
            graph_host: "https://graph.microsoft.com",
            portal_host: "https://portal.azure.com",
            az_cloud: "AzureCloud",
            powershell_environment: "Global",
        }
    }

    #[test]
    fn the_scripts_read_well_and_name_application_ids() {
        insta::assert_snapshot!(place().az_script(&["User.Read.All"]));
        insta::assert_snapshot!(place().powershell_script(&["User.Read.All", "GroupMember.Read.All"]));
        let script = place().az_script(&["User.Read.All"]);
        assert!(script.contains("df021288-bdef-4463-88db-98f22de89214"));
        assert!(!script.contains("a154be20-db9c-4678-8ab7-66f6cc099a59"), "the Delegated id");
    }

    #[test]
    fn without_a_tenant_the_scripts_name_none() {
        let place = Place { tenant: None, ..place() };
        let names = ["User.Read.All"];
        assert!(place.az_script(&names).lines().next().unwrap().ends_with("&& az login"));
        assert!(place.powershell_script(&names).starts_with("Connect-MgGraph -Environment Global"));
        assert!(place.consent_url().contains("/organizations/adminconsent"));
    }

    #[test]
    fn known_ids_need_no_look_up() {
        let known =
            Place { service_principal: Some(Uuid::nil()), graph_service_principal: Some(Uuid::max()), ..place() };
        let script = known.az_script(&["User.Read.All"]);
        assert!(!script.contains("--method GET") && !script.contains("$("), "{script}");
    }
}
