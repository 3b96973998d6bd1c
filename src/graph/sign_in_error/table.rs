//! The AADSTS numbers that an administrator meets, each with an explanation. The numbers are written as Microsoft
//! writes them, so that a search finds the row.
//!
//! Source: docs/graph.md, «Sign-in errors».

/// Where to fix it. `connection_check` turns it into links and commands for the tenant's cloud.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fix {
    /// App registration → Certificates & secrets → Client secrets.
    ClientSecrets,
    /// App registration → Certificates & secrets → Certificates.
    Certificates,
    /// App registration → Certificates & secrets → Federated credentials.
    FederatedCredentials,
    /// App registration → Overview: the ids.
    AppOverview,
    /// App registration → Authentication.
    Authentication,
    /// Grant admin consent, which also creates the enterprise application.
    Consent,
    /// Enterprise application → Properties.
    EnterpriseApplication,
    /// Entra → Overview: the tenant id.
    TenantOverview,
    /// Entra → Security → Conditional Access.
    ConditionalAccess,
    /// Nothing in the portal: fix a setting or the network of this service, or wait.
    Nothing,
}

/// One row: the numbers that have the same meaning for an administrator.
#[derive(Debug)]
pub struct Explanation {
    pub numbers: &'static [u32],
    /// A stable code, also the code of the finding.
    pub code: &'static str,
    /// What happened and why. `{tenant}`, `{client}` and `{cloud}` stand for the connection's values.
    pub message: &'static str,
    /// What to do next.
    pub advice: &'static str,
    pub fix: Fix,
}

/// The row of a number.
pub fn find(aadsts: u32) -> Option<&'static Explanation> {
    ALL.iter().find(|row| row.numbers.contains(&aadsts))
}

const fn row(
    numbers: &'static [u32],
    code: &'static str,
    fix: Fix,
    message: &'static str,
    advice: &'static str,
) -> Explanation {
    Explanation { numbers, code, message, advice, fix }
}

pub static ALL: &[Explanation] = &[
    row(
        &[7000215],
        "client_secret_invalid",
        Fix::ClientSecrets,
        "Entra rejected the client secret.",
        "Create a new client secret under Certificates & secrets and enter its Value here, not its Secret ID. The portal shows the \
         Value only once, right after creation.",
    ),
    row(
        &[7000222],
        "client_secret_expired",
        Fix::ClientSecrets,
        "The client secret has expired.",
        "Create a new client secret under Certificates & secrets and enter its Value here. Note its end date, or use a certificate \
         instead.",
    ),
    row(
        &[7000216, 7000218],
        "client_credential_missing",
        Fix::ClientSecrets,
        "The request reached Entra without a client secret or certificate.",
        "Enter the Value of a client secret, or a certificate with its private key.",
    ),
    row(
        &[700016],
        "application_not_found",
        Fix::AppOverview,
        "The tenant {tenant} has no application with the client id {client}.",
        "Compare both ids with the Overview of the app registration. A common mistake is to copy the Object ID: the id needed \
         here is the Application (client) ID. If the app is registered in another tenant, an administrator of {tenant} must first consent to it.",
    ),
    row(
        &[7000229],
        "service_principal_missing",
        Fix::Consent,
        "The app registration exists, but the tenant {tenant} has no enterprise application (service principal) for it: it was deleted \
         or never created.",
        "Open the admin consent link and accept. That creates the enterprise application.",
    ),
    row(
        &[90002],
        "tenant_not_found",
        Fix::TenantOverview,
        "The tenant {tenant} does not exist in {cloud}.",
        "Compare the Tenant ID with the Overview of Microsoft Entra ID. If it is correct, the tenant is in another national cloud: \
         change the connection's cloud.",
    ),
    row(
        &[900023],
        "tenant_malformed",
        Fix::TenantOverview,
        "«{tenant}» is neither a tenant id nor a domain of a tenant.",
        "Enter the Tenant ID from the Overview of Microsoft Entra ID (a GUID), or a domain that is verified there.",
    ),
    row(
        &[9001023, 50194, 50059],
        "tenant_not_specific",
        Fix::TenantOverview,
        "«{tenant}» does not name one particular tenant.",
        "Enter the Tenant ID from the Overview of Microsoft Entra ID. `common`, `organizations` and `consumers` do not work here.",
    ),
    row(
        &[900144],
        "request_incomplete",
        Fix::Nothing,
        "A field is missing in the token request.",
        "Enter tenant id, client id and credential again. If the error persists, a proxy may be changing requests; \
         report the trace id.",
    ),
    row(
        &[700027],
        "certificate_not_registered",
        Fix::Certificates,
        "Entra does not know the certificate that signed the request: it was not uploaded to this application, it is a \
         different one, or it has expired.",
        "Upload the certificate (without its private key) under Certificates & secrets → Certificates, and compare the thumbprints.",
    ),
    row(
        &[700024],
        "assertion_out_of_time",
        Fix::Nothing,
        "Entra rejected the time range of the signed request: the clocks of this service and of Microsoft differ by minutes.",
        "Correct the clock of the machine that runs this service (NTP).",
    ),
    row(
        &[700021, 50027],
        "assertion_invalid",
        Fix::AppOverview,
        "Entra rejected the signed request: its issuer, subject or audience does not match the application {client}.",
        "Check the client id, the tenant id and the cloud of the connection.",
    ),
    row(
        &[50012, 700030],
        "certificate_not_accepted",
        Fix::Certificates,
        "Entra rejected the certificate: its thumbprint, subject or chain does not match what is registered for this application.",
        "Upload exactly this certificate under Certificates & secrets → Certificates, or enter the registered one.",
    ),
    row(
        &[700213, 70021],
        "federated_credential_not_found",
        Fix::FederatedCredentials,
        "The application has no federated credential that matches the identity of this service.",
        "Compare issuer, subject and audience in Microsoft's message with Certificates & secrets → Federated credentials. They must \
         match exactly.",
    ),
    row(
        &[700025],
        "application_is_public",
        Fix::Authentication,
        "The application is configured as a public client, which cannot use a secret or certificate.",
        "Under Authentication → Advanced settings set «Allow public client flows» to No.",
    ),
    row(
        &[1002012, 70011, 700022],
        "scope_invalid",
        Fix::Nothing,
        "Entra rejected the scope for {cloud}.",
        "Check the connection's cloud. If it is correct, report the trace id.",
    ),
    row(
        &[500011],
        "resource_not_found",
        Fix::TenantOverview,
        "The tenant {tenant} does not know Microsoft Graph of {cloud}.",
        "The tenant is most likely in another national cloud: change the connection's cloud.",
    ),
    row(
        &[7000112],
        "application_disabled",
        Fix::EnterpriseApplication,
        "The application is disabled in the tenant {tenant}.",
        "Open the enterprise application → Properties and set «Enabled for users to sign-in?» to Yes.",
    ),
    row(
        &[53003],
        "conditional_access_blocked",
        Fix::ConditionalAccess,
        "A Conditional Access policy for workload identities blocks the application, usually because of the IP address of this service.",
        "Ask a Conditional Access administrator to allow the IP addresses of this service in that policy, or to exclude the application.",
    ),
    row(
        &[90038, 900382, 900432],
        "wrong_cloud",
        Fix::TenantOverview,
        "The tenant {tenant} is not in {cloud} but in another national cloud.",
        "Change the connection's cloud.",
    ),
    row(
        &[500021, 500022],
        "tenant_restricted",
        Fix::Nothing,
        "An outbound proxy allows only certain tenants, and {tenant} is not one of them.",
        "Ask the network administrators to add the tenant to the tenant restrictions of the proxy.",
    ),
    row(
        &[50196, 90055, 90024, 90033, 90012, 90006],
        "sign_in_busy",
        Fix::Nothing,
        "Entra is busy, or it is throttling this application or tenant.",
        "Nothing is wrong with the connection. Try again in a few minutes.",
    ),
    row(
        &[65001, 90094, 65004, 500341],
        "consent_required",
        Fix::Consent,
        "An administrator has not consented to the application yet.",
        "Ask an administrator to open the admin consent link and accept.",
    ),
];

pub static UNKNOWN: Explanation = row(
    &[],
    "sign_in_refused",
    Fix::AppOverview,
    "Entra rejected the sign-in of the application {client} in the tenant {tenant}. Microsoft's message names the reason.",
    "Read Microsoft's message and look up its number at https://login.microsoftonline.com/error. Microsoft support can find the \
     attempt by its trace id and correlation id.",
);

pub static BUSY: Explanation = row(
    &[],
    "sign_in_busy",
    Fix::Nothing,
    "Entra's sign-in service is busy or failing.",
    "The connection itself shows no error. Try again in a few minutes.",
);

pub static UNREACHABLE: Explanation = row(
    &[],
    "sign_in_unreachable",
    Fix::Nothing,
    "Entra's sign-in service could not be reached.",
    "Check the network, DNS, proxy and certificate authorities of the machine that runs this service, then try again.",
);

pub static UNREADABLE: Explanation = row(
    &[],
    "sign_in_answer_unreadable",
    Fix::Nothing,
    "The response did not come from Entra's sign-in service, or it contains no token.",
    "A proxy or firewall may have answered instead: check the outbound path to the sign-in service.",
);

static NOT_SENT: &[Explanation] = &[
    row(
        &[],
        "secret_id_pasted",
        Fix::ClientSecrets,
        "The value entered as the client secret is the Secret ID, not the secret.",
        "In the portal, Certificates & secrets shows both. Copy the column Value, which is visible only right after the secret was \
         created. If it is already hidden, create a new secret.",
    ),
    row(
        &[],
        "tenant_malformed",
        Fix::TenantOverview,
        "«{tenant}» is neither a tenant id nor a domain of a tenant.",
        "Enter the Tenant ID from the Overview of Microsoft Entra ID (a GUID), or a domain that is verified there.",
    ),
    row(
        &[],
        "certificate_unusable",
        Fix::Certificates,
        "The certificate or its private key cannot be used.",
        "Enter the certificate and its private key again, both in PEM form.",
    ),
    row(
        &[],
        "federated_not_allowed",
        Fix::Nothing,
        "This connection is not allowed to use the service's own workload identity.",
        "Ask the operator to add organization, tenant and client to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or certificate.",
    ),
    row(
        &[],
        "federated_token_missing",
        Fix::Nothing,
        "The service has no workload identity token for Entra.",
        "Ask the operator to set AZURE_FEDERATED_TOKEN_FILE to a file that the service can read.",
    ),
];

/// The explanation for a request that was not sent, by its code.
pub fn not_sent(code: &str) -> &'static Explanation {
    NOT_SENT.iter().find(|row| row.code == code).unwrap_or(&UNREADABLE)
}
