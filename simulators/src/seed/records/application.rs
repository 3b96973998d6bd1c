//! App registrations: one with an expired secret, one whose secret expires soon, one without an owner, one with more owners
//! than `$expand` shows, one with very many secrets, one with a certificate and a federated credential.

use super::parts::{day, users};
use crate::seed::directory::Directory;
use crate::seed::random::Random;
use crate::seed::record::Record;
use serde_json::{Value, json};

const NAMES: [&str; 12] = [
    "Payroll export",
    "Badge printer",
    "Ticket bridge",
    "Build agent",
    "Backup runner",
    "Wiki sync",
    "Meeting room display",
    "Invoice scanner",
    "Status page",
    "Data lake loader",
    "Phone book",
    "Access review",
];
/// Places of the special ones.
const EXPIRED: usize = 0;
const EXPIRES_SOON: usize = 1;
const WITHOUT_OWNER: usize = 2;
const MANY_OWNERS: usize = 3;
const MANY_SECRETS: usize = 4;
const CERTIFICATE: usize = 5;
const NO_CREDENTIAL: usize = 6;

pub fn generate(directory: &Directory, random: &mut Random) -> Vec<Record> {
    let count = (directory.users.len() / 40).clamp(8, 2_000);
    (0..count).map(|n| application(directory, n, random)).collect()
}

fn application(directory: &Directory, n: usize, random: &mut Random) -> Record {
    let (id, app_id) = (random.uuid(), random.uuid());
    let secrets: Vec<i64> = match n {
        EXPIRED => vec![-20],
        EXPIRES_SOON => vec![12],
        MANY_SECRETS => (0..500).map(|secret| 60 + secret).collect(),
        CERTIFICATE | NO_CREDENTIAL => Vec::new(),
        n => vec![90 + 7 * (n as i64 % 60)],
    };
    let secrets: Vec<Value> = { secrets }
        .into_iter()
        .enumerate()
        .map(|(number, end)| {
            json!({
                "keyId": random.uuid(), "displayName": format!("secret {}", number + 1), "hint": "q7P",
                "startDateTime": day(end - 180), "endDateTime": day(end), "secretText": null,
                "customKeyIdentifier": null,
            })
        })
        .collect();
    let certificates = match n {
        CERTIFICATE => vec![json!({
            "keyId": random.uuid(), "displayName": "CN=build.contoso.example", "type": "AsymmetricX509Cert",
            "usage": "Verify", "startDateTime": day(-30), "endDateTime": day(335),
            "customKeyIdentifier": "5D2C9A4F0B1E", "key": null,
        })],
        _ => Vec::new(),
    };
    let federated = match n {
        CERTIFICATE => vec![json!({
            "id": random.uuid(), "name": "pipeline", "issuer": "https://pipelines.contoso.example",
            "subject": "repo:contoso/build:ref:refs/heads/main", "audiences": ["api://AzureADTokenExchange"],
            "description": "Deployments of the build agent",
        })],
        _ => Vec::new(),
    };
    let owners = match n {
        WITHOUT_OWNER => 0,
        MANY_OWNERS => 21,
        n => 1 + n % 2,
    };
    let name = match NAMES.get(n) {
        Some(name) => (*name).to_owned(),
        None => format!("{} {n}", NAMES[n % NAMES.len()]),
    };
    Record::new(
        id,
        json!({
            "id": id, "appId": app_id, "displayName": name, "deletedDateTime": null,
            "createdDateTime": day(-700 + n as i64 % 600), "signInAudience": if n % 5 == 4 { "AzureADMultipleOrgs" } else { "AzureADMyOrg" },
            "publisherDomain": crate::seed::DOMAIN, "description": n.is_multiple_of(3).then(|| format!("{name} of the IT department")),
            "notes": null, "identifierUris": [format!("api://{app_id}")], "tags": [],
            "disabledByMicrosoftStatus": null, "isFallbackPublicClient": n % 7 == 6,
            "serviceManagementReference": n.is_multiple_of(4).then(|| format!("SVC-{n:04}")),
            "web": {"homePageUrl": format!("https://app{n}.contoso.example"), "redirectUris": [], "logoutUrl": null},
            "passwordCredentials": secrets, "keyCredentials": certificates,
            "federatedIdentityCredentials": federated,
        }),
    )
    .related("owners", users(directory, n * 13, owners))
}
