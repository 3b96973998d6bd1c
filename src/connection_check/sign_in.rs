//! Findings about the token: why sign-in failed, or why the token does not match the connection.

use super::setup::{place, place_of};
use crate::cloud::Cloud;
use crate::codes::FindingCode;
use crate::graph::sign_in_error::{Fix, SignInError};
use crate::graph::token::{Claims, Identity};
use crate::permission::catalog::{AZURE_AD_GRAPH, MICROSOFT_GRAPH};
use crate::permission::remedy::{Page, Place};
use crate::permission::report::{Finding, Remedy, Severity};
use url::Url;
use uuid::Uuid;

/// The finding for a failed sign-in, with Entra's number and ids, and its remedies.
pub fn sign_in_finding(error: &SignInError, identity: &Identity) -> Finding {
    let message = match error.code {
        FindingCode::CertificateUnusable => format!("{} {}", error.code.meaning(), error.description),
        FindingCode::SignInUnreachable => format!("{} Reason: {}.", error.sentences(), error.description),
        _ => error.sentences(),
    };
    Finding {
        aadsts: error.aadsts,
        microsoft_message: error.microsoft_message().map(str::to_owned),
        trace_id: error.trace_id.clone(),
        correlation_id: error.correlation_id.clone(),
        ..Finding::new(Severity::Error, error.code, message)
    }
    .with_remedies(remedies(error.fix(), error.code, &place(identity)))
}

/// The remedies for a failed sign-in, with the values of the connection that asked.
pub fn sign_in_remedies(error: &SignInError) -> Vec<Remedy> {
    let Some((tenant_id, client_id, cloud)) = error.connection() else { return Vec::new() };
    remedies(error.fix(), error.code, &place_of(cloud, Some(tenant_id), Some(client_id)))
}

fn remedies(fix: Fix, code: FindingCode, place: &Place) -> Vec<Remedy> {
    match fix {
        Fix::ClientSecrets => vec![place.portal(
            Page::Credentials,
            "In the portal: Certificates & secrets → Client secrets → New client secret → copy the Value.",
        )],
        Fix::Certificates => {
            vec![place.portal(Page::Credentials, "In the portal: Certificates & secrets → Certificates → Upload certificate.")]
        }
        Fix::FederatedCredentials => {
            vec![place.portal(Page::Credentials, "In the portal: Certificates & secrets → Federated credentials.")]
        }
        Fix::AppOverview => vec![place.portal(
            Page::Overview,
            "In the portal: the app registration's Overview shows Application (client) ID and Directory (tenant) ID.",
        )],
        Fix::Authentication => vec![place.portal(Page::Authentication, "In the portal: Authentication → Advanced settings.")],
        Fix::Consent => {
            let mut remedies = vec![place.consent("Ask an administrator to open this link and accept.")];
            if code == FindingCode::ServicePrincipalMissing {
                remedies.push(place.az_make_service_principal());
            }
            remedies
        }
        Fix::EnterpriseApplication => vec![
            place.portal(
                Page::EnterpriseProperties,
                "In the portal: Enterprise applications → the application → Properties → Enabled for users to sign-in? → Yes.",
            ),
            place.az_enable(),
        ],
        Fix::GraphApplication => {
            let graph = Place { client: Some(MICROSOFT_GRAPH), service_principal: place.graph_service_principal, ..place.clone() };
            vec![
                graph.portal(
                    Page::EnterpriseProperties,
                    "In the portal: Enterprise applications → Microsoft Graph → Properties → Enabled for users to sign-in? → Yes.",
                ),
                graph.az_enable(),
            ]
        }
        Fix::TenantOverview => {
            vec![place.portal(Page::TenantOverview, "In the portal: Microsoft Entra ID → Overview shows the Tenant ID.")]
        }
        Fix::ConditionalAccess => {
            vec![place.portal(Page::ConditionalAccess, "In the portal: Microsoft Entra ID → Security → Conditional Access → Policies.")]
        }
        Fix::Nothing => Vec::new(),
    }
}

/// Findings about the token itself. `graph_url` is the operator's setting.
pub fn token_findings(claims: &Claims, identity: &Identity, graph_url: Option<&Url>) -> Vec<Finding> {
    if !claims.readable {
        let text =
            "The token cannot be decoded, so its permissions are unknown. The verdicts rest on live requests only.";
        return vec![Finding::new(Severity::Info, FindingCode::TokenUnreadable, text)];
    }
    let place = place(identity);
    let overview =
        || vec![place.portal(Page::Overview, "In the portal: the app registration's Overview shows both ids.")];
    let (mut findings, mut domain) = (Vec::new(), None);
    let mut error = |code: FindingCode, text: String, remedies: Vec<Remedy>| {
        findings.push(Finding::new(Severity::Error, code, text).with_remedies(remedies));
    };
    if let Some(audience) = claims.aud.as_deref().filter(|aud| !is_graph(aud, identity.cloud, graph_url)) {
        error(FindingCode::TokenWrongAudience, wrong_audience(audience, identity.cloud), Vec::new());
    }
    if let (Some(tid), Ok(_)) = (&claims.tid, Uuid::parse_str(&identity.tenant_id))
        && !tid.eq_ignore_ascii_case(&identity.tenant_id)
    {
        let text = format!(
            "The token is from the tenant {tid}, but the tenant of the connection is {}. Correct the tenant id.",
            identity.tenant_id
        );
        error(FindingCode::TokenWrongTenant, text, overview());
    }
    if let (Some(tid), Err(_)) = (&claims.tid, Uuid::parse_str(&identity.tenant_id)) {
        let text = format!(
            "The connection names the tenant by its domain {}; its tenant id is {tid}. A domain can move to another tenant; the id never changes.",
            identity.tenant_id
        );
        domain = Some(Finding::new(Severity::Info, FindingCode::TenantNamedByDomain, text));
    }
    if let Some(appid) = claims.appid.as_deref().filter(|id| !id.eq_ignore_ascii_case(&identity.client_id.to_string()))
    {
        let text = format!(
            "The token is for the application {appid}, but the application of the connection is {}. Correct the client id.",
            identity.client_id
        );
        error(FindingCode::TokenWrongApplication, text, overview());
    }
    if let Some(scopes) = &claims.scp {
        let text = format!(
            "The token belongs to a signed-in user (scopes: {scopes}), not to the application. Something between this service and \
             Entra replaces the token."
        );
        error(FindingCode::TokenIsDelegated, text, Vec::new());
    }
    findings.extend(domain);
    findings
}

fn is_graph(audience: &str, cloud: Cloud, graph_url: Option<&Url>) -> bool {
    let audience = audience.trim_end_matches('/');
    audience.eq_ignore_ascii_case(cloud.graph_host())
        || Uuid::parse_str(audience).is_ok_and(|id| id == MICROSOFT_GRAPH)
        || graph_url.is_some_and(|url| url.as_str().trim_end_matches('/').eq_ignore_ascii_case(audience))
}

fn wrong_audience(audience: &str, cloud: Cloud) -> String {
    let plain = audience.trim_end_matches('/');
    let other = Cloud::ALL.into_iter().find(|other| plain.eq_ignore_ascii_case(other.graph_host()));
    if plain.eq_ignore_ascii_case("https://graph.windows.net")
        || Uuid::parse_str(plain).is_ok_and(|id| id == AZURE_AD_GRAPH)
    {
        "The token is for Azure AD Graph, which Microsoft has shut down, not for Microsoft Graph. Remove the permissions of Azure AD \
         Graph and add those of Microsoft Graph."
            .to_owned()
    } else if let Some(other) = other {
        format!(
            "The token is for Microsoft Graph of {}, but the connection is for {}. Change the connection's cloud.",
            other.title(),
            cloud.title()
        )
    } else {
        format!(
            "The token is for {audience}, not for Microsoft Graph of {}. Check the connection's cloud.",
            cloud.title()
        )
    }
}
