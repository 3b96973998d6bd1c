//! The AADSTS numbers that an administrator meets, each with an explanation. The numbers are written as Microsoft
//! writes them, so that a search finds the row.
//!
//! Source: docs/graph.md, «Sign-in errors».

use crate::codes::FindingCode;

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
    /// The enterprise application of Microsoft Graph itself.
    GraphApplication,
    /// Entra → Overview: the tenant id.
    TenantOverview,
    /// Entra → Security → Conditional Access.
    ConditionalAccess,
    /// Nothing in the portal: fix a setting or the network of this service, or wait.
    Nothing,
}

/// One row: the numbers that have the same meaning for an administrator.
#[derive(Debug)]
pub struct Row {
    /// As Microsoft spells them. Empty: the error has no number.
    pub numbers: &'static [u32],
    pub code: FindingCode,
    pub fix: Fix,
}

/// The code of a number.
pub fn find(aadsts: u32) -> Option<FindingCode> {
    ALL.iter().find(|row| row.numbers.contains(&aadsts)).map(|row| row.code)
}

/// Where to fix an error with this code.
pub fn fix(code: FindingCode) -> Fix {
    ALL.iter().find(|row| row.code == code).map_or(Fix::Nothing, |row| row.fix)
}

const fn row(numbers: &'static [u32], code: FindingCode, fix: Fix) -> Row {
    Row { numbers, code, fix }
}

pub static ALL: &[Row] = &[
    row(&[7000215, 70002], FindingCode::ClientSecretInvalid, Fix::ClientSecrets),
    row(&[7000222], FindingCode::ClientSecretExpired, Fix::ClientSecrets),
    row(&[7000216, 7000218], FindingCode::ClientCredentialMissing, Fix::ClientSecrets),
    row(&[700016, 700011, 70001], FindingCode::ApplicationNotFound, Fix::AppOverview),
    row(&[7000229], FindingCode::ServicePrincipalMissing, Fix::Consent),
    row(&[90002], FindingCode::TenantNotFound, Fix::TenantOverview),
    row(&[900023, 900021, 50128], FindingCode::TenantMalformed, Fix::TenantOverview),
    row(&[9001023, 50194, 50059, 90124, 90130], FindingCode::TenantNotSpecific, Fix::TenantOverview),
    row(&[900144, 90014, 9002313], FindingCode::RequestIncomplete, Fix::Nothing),
    row(&[700027], FindingCode::CertificateNotRegistered, Fix::Certificates),
    row(&[700024], FindingCode::AssertionOutOfTime, Fix::Nothing),
    row(&[700021, 50027, 50048], FindingCode::AssertionInvalid, Fix::AppOverview),
    row(&[50012, 700030], FindingCode::CertificateNotAccepted, Fix::Certificates),
    row(
        &[700213, 70021, 700211, 700212, 7002137, 7002138],
        FindingCode::FederatedCredentialNotFound,
        Fix::FederatedCredentials,
    ),
    row(&[700025], FindingCode::ApplicationIsPublic, Fix::Authentication),
    row(&[7000114, 65002], FindingCode::ApplicationNotAllowed, Fix::AppOverview),
    row(&[1002012, 70011, 700022, 700023], FindingCode::ScopeInvalid, Fix::Nothing),
    row(&[500011, 650052, 650054], FindingCode::ResourceNotFound, Fix::TenantOverview),
    row(&[500014], FindingCode::ResourceDisabled, Fix::GraphApplication),
    row(&[7000112], FindingCode::ApplicationDisabled, Fix::EnterpriseApplication),
    row(&[53003, 53000, 53001, 53002, 50131, 530032], FindingCode::ConditionalAccessBlocked, Fix::ConditionalAccess),
    row(&[530035], FindingCode::SecurityDefaultsBlocked, Fix::TenantOverview),
    row(&[90038, 900382, 900432, 90051], FindingCode::WrongCloud, Fix::TenantOverview),
    row(&[500021, 500022], FindingCode::TenantRestricted, Fix::Nothing),
    row(&[50196, 90055, 90024, 90033, 90012, 90006, 90090, 50033], FindingCode::SignInBusy, Fix::Nothing),
    row(
        &[65001, 90094, 90095, 65004, 500341, 65005, 650056, 650057, 90099],
        FindingCode::ConsentRequired,
        Fix::Consent,
    ),
    row(&[], FindingCode::SignInRefused, Fix::Nothing),
    row(&[], FindingCode::SignInUnreachable, Fix::Nothing),
    row(&[], FindingCode::SignInAnswerUnreadable, Fix::Nothing),
    row(&[], FindingCode::SecretIdPasted, Fix::ClientSecrets),
    row(&[], FindingCode::CredentialAwaited, Fix::ClientSecrets),
    row(&[], FindingCode::CertificateUnusable, Fix::Certificates),
    row(&[], FindingCode::FederatedNotAllowed, Fix::Nothing),
    row(&[], FindingCode::FederatedTokenMissing, Fix::Nothing),
];
