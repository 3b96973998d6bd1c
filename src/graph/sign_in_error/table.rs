//! The AADSTS numbers that an administrator meets, each in plain words.
//!
//! Source: docs/graph.md, «Sign-in errors».

/// Where the thing is mended. `connection_check` turns it into links and commands for the tenant's cloud.
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
    /// Grant admin consent, which also makes the enterprise application.
    Consent,
    /// Enterprise application → Properties.
    EnterpriseApplication,
    /// Entra → Overview: the tenant id.
    TenantOverview,
    /// Entra → Security → Conditional Access.
    ConditionalAccess,
    /// Nothing in the portal: a setting or the network here, or patience.
    Nothing,
}

/// One row: numbers that mean the same to an administrator.
#[derive(Debug)]
pub struct Explanation {
    pub numbers: &'static [u32],
    /// Our stable word, also the code of the finding.
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
        &[7_000_215],
        "client_secret_invalid",
        Fix::ClientSecrets,
        "Entra does not accept the client secret.",
        "Make a new client secret under Certificates & secrets and enter its Value here: the column Value, not the Secret ID. The Value \
         is shown only right after it was made.",
    ),
    row(
        &[7_000_222],
        "client_secret_expired",
        Fix::ClientSecrets,
        "The client secret has expired.",
        "Make a new client secret under Certificates & secrets and enter its Value here. Note its end date, or use a certificate.",
    ),
    row(
        &[7_000_216, 7_000_218],
        "client_credential_missing",
        Fix::ClientSecrets,
        "The request reached Entra without a client secret or certificate.",
        "Enter the Value of a client secret, or a certificate with its private key.",
    ),
    row(
        &[700_016],
        "application_not_found",
        Fix::AppOverview,
        "There is no application with the client id {client} in the tenant {tenant}.",
        "Compare both ids with the Overview of the app registration. A common slip is to copy the Object ID: the one needed is called \
         Application (client) ID. If the app is registered in another tenant, an administrator of {tenant} must first consent to it.",
    ),
    row(
        &[7_000_229],
        "service_principal_missing",
        Fix::Consent,
        "The app registration exists, but the tenant {tenant} has no enterprise application (service principal) for it: it was deleted, \
         or never made.",
        "Open the admin consent link and accept: that makes the enterprise application.",
    ),
    row(
        &[90_002],
        "tenant_not_found",
        Fix::TenantOverview,
        "There is no tenant {tenant} in {cloud}.",
        "Compare the Tenant ID with the Overview of Microsoft Entra ID. If it is right, the tenant lives in another national cloud: \
         change the connection's cloud.",
    ),
    row(
        &[900_023],
        "tenant_malformed",
        Fix::TenantOverview,
        "«{tenant}» is neither a tenant id nor a domain of a tenant.",
        "Enter the Tenant ID from the Overview of Microsoft Entra ID (a GUID), or a domain that is verified there.",
    ),
    row(
        &[9_001_023, 50_194, 50_059],
        "tenant_not_specific",
        Fix::TenantOverview,
        "The connection names no particular tenant: «{tenant}» stands for any.",
        "Enter the Tenant ID from the Overview of Microsoft Entra ID. `common`, `organizations` and `consumers` do not work here.",
    ),
    row(
        &[900_144],
        "request_incomplete",
        Fix::Nothing,
        "Entra misses a field in the request for a token.",
        "Enter tenant id, client id and credential again. If it lasts, a proxy may change requests; report the trace id.",
    ),
    row(
        &[700_027],
        "certificate_not_registered",
        Fix::Certificates,
        "Entra does not know the certificate that signed the request: it is not uploaded to this application, it is another one, or \
         it has expired.",
        "Upload the certificate (without its private key) under Certificates & secrets → Certificates, and compare the thumbprint.",
    ),
    row(
        &[700_024],
        "assertion_out_of_time",
        Fix::Nothing,
        "Entra finds the signed request outside its time: this service's clock and Microsoft's differ by minutes.",
        "Correct the clock of the machine that runs this service (NTP).",
    ),
    row(
        &[700_021, 50_027],
        "assertion_invalid",
        Fix::AppOverview,
        "Entra does not accept the signed request: its issuer, subject or audience is not what the application {client} must send.",
        "Check the client id, the tenant id and the cloud of the connection.",
    ),
    row(
        &[50_012, 700_030],
        "certificate_not_accepted",
        Fix::Certificates,
        "The certificate is not allowed for this application: thumbprint, subject or chain does not fit what is registered.",
        "Upload this very certificate under Certificates & secrets → Certificates, or enter the one that is registered.",
    ),
    row(
        &[700_213, 70_021],
        "federated_credential_not_found",
        Fix::FederatedCredentials,
        "The application has no federated credential that fits the identity of this service.",
        "Compare issuer, subject and audience in Microsoft's message with Certificates & secrets → Federated credentials. They must be \
         equal to the letter.",
    ),
    row(
        &[700_025],
        "application_is_public",
        Fix::Authentication,
        "The application is set up as a public client, which may not use a secret or certificate.",
        "Under Authentication → Advanced settings set «Allow public client flows» to No.",
    ),
    row(
        &[1_002_012, 70_011, 700_022],
        "scope_invalid",
        Fix::Nothing,
        "Entra does not accept the scope for {cloud}.",
        "Check the cloud of the connection. If it is right, report the trace id.",
    ),
    row(
        &[500_011],
        "resource_not_found",
        Fix::TenantOverview,
        "Microsoft Graph of {cloud} is unknown in the tenant {tenant}.",
        "The tenant most likely lives in another national cloud: change the connection's cloud.",
    ),
    row(
        &[7_000_112],
        "application_disabled",
        Fix::EnterpriseApplication,
        "The application is disabled in the tenant {tenant}.",
        "Open the enterprise application → Properties and set «Enabled for users to sign-in?» to Yes.",
    ),
    row(
        &[53_003],
        "conditional_access_blocked",
        Fix::ConditionalAccess,
        "A Conditional Access policy for workload identities blocks the application, usually because of the address it calls from.",
        "Ask a Conditional Access administrator to allow this service's addresses in that policy, or to exclude the application.",
    ),
    row(
        &[90_038, 900_382, 900_432],
        "wrong_cloud",
        Fix::TenantOverview,
        "The tenant {tenant} lives in another national cloud than {cloud}.",
        "Change the connection's cloud.",
    ),
    row(
        &[500_021, 500_022],
        "tenant_restricted",
        Fix::Nothing,
        "A proxy on the way out allows only certain tenants, and {tenant} is not one of them.",
        "Ask the network administrators to add the tenant to the tenant restrictions of the proxy.",
    ),
    row(
        &[50_196, 90_055, 90_024, 90_033, 90_012, 90_006],
        "sign_in_busy",
        Fix::Nothing,
        "Entra is busy or throttles this application or tenant.",
        "Nothing is wrong with the connection. Try again in a few minutes.",
    ),
    row(
        &[65_001, 90_094, 65_004, 500_341],
        "consent_required",
        Fix::Consent,
        "Entra wants consent for the application first.",
        "Have an administrator open the admin consent link and accept.",
    ),
];

pub static UNKNOWN: Explanation = row(
    &[],
    "sign_in_refused",
    Fix::AppOverview,
    "Entra refused the application {client} in the tenant {tenant}, for a reason that has no explanation here.",
    "Read Microsoft's message below; look its number up at https://login.microsoftonline.com/error. Microsoft support can find the \
     attempt by the trace id and correlation id.",
);

pub static BUSY: Explanation = row(
    &[],
    "sign_in_busy",
    Fix::Nothing,
    "Entra's sign-in service is busy or in trouble.",
    "Nothing is wrong with the connection as far as can be seen. Try again in a few minutes.",
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
    "The answer did not come from Entra's sign-in service, or is no token.",
    "A proxy or firewall may have answered in its place: check the way out to the sign-in service.",
);

static NOT_SENT: &[Explanation] = &[
    row(
        &[],
        "secret_id_pasted",
        Fix::ClientSecrets,
        "The client secret that was entered is the Secret ID, not the secret.",
        "In the portal, Certificates & secrets shows both: copy the column Value, which can be read only right after the secret was \
         made. If it is hidden already, make a new secret.",
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
        "This connection may not use the service's own workload identity.",
        "Ask the operator to add organization, tenant and client to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or certificate.",
    ),
    row(
        &[],
        "federated_token_missing",
        Fix::Nothing,
        "The service has no workload identity token to show to Entra.",
        "Ask the operator to set AZURE_FEDERATED_TOKEN_FILE to a file that the service can read.",
    ),
];

/// The explanation of an error of ours by its code.
pub fn not_sent(code: &str) -> &'static Explanation {
    NOT_SENT.iter().find(|row| row.code == code).unwrap_or(&UNREADABLE)
}
