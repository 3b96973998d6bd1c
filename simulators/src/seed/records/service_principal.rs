//! Enterprise applications: those of the tenant's own app registrations, some of a gallery (with SAML certificates), and
//! the automations that are members of groups.

use super::parts::{day, users};
use crate::seed::directory::Directory;
use crate::seed::random::Random;
use crate::seed::record::Record;
use serde_json::{Value, json};

const GALLERY: [&str; 4] = ["Expense portal", "Travel desk", "Learning hub", "Signature service"];
/// The tenant of another publisher.
const PUBLISHER: &str = "b7c5d1f0-3a9e-4f0e-9b53-2f6c8d4e1a70";

pub fn generate(directory: &Directory, applications: &[Record], random: &mut Random) -> Vec<Record> {
    let mut principals = Vec::new();
    for (n, application) in applications.iter().enumerate() {
        let id = random.uuid();
        let properties = principal(&id.to_string(), application.text("appId"), application.text("displayName"), n);
        principals.push(Record::new(id, properties).related("owners", users(directory, n * 17, n % 3)));
    }
    for (n, name) in GALLERY.into_iter().enumerate() {
        let id = random.uuid();
        let mut properties = principal(&id.to_string(), &random.uuid().to_string(), name, n);
        properties["preferredSingleSignOnMode"] = json!("saml");
        properties["appOwnerOrganizationId"] = json!(PUBLISHER);
        properties["verifiedPublisher"] = json!({"displayName": "Litware", "verifiedPublisherId": "4711"});
        properties["appRoleAssignmentRequired"] = json!(true);
        // The certificate that signs has an older one beside it.
        let certificate = |usage: &str, end: i64, key: uuid::Uuid| {
            json!({"keyId": key, "usage": usage, "type": "AsymmetricX509Cert", "displayName": "CN=Microsoft Azure Federated SSO Certificate",
                   "startDateTime": day(end - 1095), "endDateTime": day(end), "key": null})
        };
        let ends = [30 + 400 * n as i64, -200];
        let certificates: Vec<Value> = ends
            .iter()
            .flat_map(|end| ["Sign", "Verify"].map(|usage| certificate(usage, *end, random.uuid())))
            .collect();
        properties["keyCredentials"] = json!(certificates);
        principals.push(Record::new(id, properties).related("owners", Vec::new()));
    }
    for (n, other) in directory.service_principals.iter().enumerate() {
        let properties = principal(&other.id.to_string(), &random.uuid().to_string(), &other.name, n);
        principals.push(Record::new(other.id, properties).related("owners", Vec::new()));
    }
    principals
}

fn principal(id: &str, app_id: &str, name: &str, n: usize) -> Value {
    json!({
        "id": id, "appId": app_id, "displayName": name, "appDisplayName": name, "deletedDateTime": null,
        "servicePrincipalType": if n % 9 == 8 { "ManagedIdentity" } else { "Application" },
        "accountEnabled": n % 6 != 5, "appRoleAssignmentRequired": n % 4 == 3, "appOwnerOrganizationId": null,
        "alternativeNames": [], "createdDateTime": day(-600 + n as i64 % 500), "description": null, "notes": null, "homepage": null, "loginUrl": null,
        "preferredSingleSignOnMode": null, "signInAudience": "AzureADMyOrg", "tags": ["WindowsAzureActiveDirectoryIntegratedApp"],
        "verifiedPublisher": null, "keyCredentials": [], "passwordCredentials": [], "notificationEmailAddresses": [],
        "servicePrincipalNames": [app_id], "appRoles": [], "oauth2PermissionScopes": [], "disabledByMicrosoftStatus": null,
    })
}
