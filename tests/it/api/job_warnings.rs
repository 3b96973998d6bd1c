//! What a job will lack is said with the job, before its first run.

use crate::support::test_app::TestApp;
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};

const LEAST: [&str; 4] = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "Device.Read.All"];

/// Checks the connection of the job for these capabilities.
async fn check(app: &TestApp, job: &str, capabilities: &[&str]) {
    let connection = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["connectionId"].clone();
    let path = format!("/v1/connections/{}/check", connection.as_str().unwrap());
    app.call(Method::POST, &path).json(&json!({"capabilities": capabilities})).send().await.expect(200);
}

/// Type, attribute, permissions and place of each warning.
fn lacking(job: &Value) -> Vec<(String, Option<String>, Vec<String>, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let Some(warnings) = job["warnings"].as_array() else { return Vec::new() };
    let one = |warning: &Value| {
        assert_eq!(warning["code"], "permissionMissing", "{warning}");
        assert!(!warning["remedies"].as_array().unwrap().is_empty(), "{warning}");
        assert!(text(&warning["detail"]).contains("needs «"), "{warning}");
        let permissions = warning["permissions"].as_array().unwrap().iter().map(text).collect();
        let attribute = warning["attribute"].as_str().map(str::to_owned);
        (text(&warning["objectType"]), attribute, permissions, text(&warning["pointer"]))
    };
    warnings.iter().map(one).collect()
}

#[tokio::test]
async fn a_type_or_attribute_whose_permission_the_check_lacked_is_named_with_the_remedy() {
    let app = TestApp::start().await;
    app.world.graph.set_roles(Scenario::Healthy, &LEAST);
    let objects = json!({"applications": {}, "appCredentials": {}, "devices": {"attributes": ["isCompliant"]},
        "users": {"attributes": ["lastSignInDateTime"]}});
    let id = app.create_job(&json!({"objects": objects})).await;
    let path = format!("/v1/jobs/{id}");
    assert_eq!(lacking(&app.get(&path).await.expect(200)), [], "nothing is known before a check");
    check(&app, &id, &["users", "groups", "memberships", "applications", "intuneDevices", "signInActivity", "roles"])
        .await;
    let job = app.get(&path).await.expect(200);
    let of = |object_type: &str, attribute: Option<&str>, permissions: &[&str], pointer: &str| {
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        (object_type.to_owned(), attribute.map(str::to_owned), permissions, pointer.to_owned())
    };
    let wanted = [
        of("users", Some("lastSignInDateTime"), &["AuditLog.Read.All", "User.Read.All"], "/objects/users/attributes"),
        of("devices", Some("isCompliant"), &["DeviceManagementManagedDevices.Read.All"], "/objects/devices/attributes"),
        of("applications", None, &["Application.Read.All"], "/objects/applications"),
        of("appCredentials", None, &["Application.Read.All"], "/objects/appCredentials"),
    ];
    assert_eq!(lacking(&job), wanted);
    // The fit of the job has it too, with a change that does without it.
    let fit = app.get(&format!("{path}/fit")).await.expect(200);
    let findings = fit["findings"].as_array().unwrap();
    let missing: Vec<&Value> = findings.iter().filter(|finding| finding["code"] == "permissionMissing").collect();
    assert_eq!(missing.len(), wanted.len(), "{fit}");
    assert!(missing[2]["detail"].as_str().unwrap().contains("Application.Read.All"), "{fit}");
    assert_eq!(missing[2]["proposals"][0]["body"], json!({"objects": {"applications": {"enabled": false}}}), "{fit}");
    // Whoever changes the job is told at once.
    let change = json!({"objects": {"roles": {"enabled": true}, "applications": {"enabled": false}, "appCredentials": {"enabled": false}}});
    let job = app.call(Method::PATCH, &path).json(&change).send().await.expect(200);
    let types: Vec<String> = lacking(&job).into_iter().map(|(object_type, ..)| object_type).collect();
    assert_eq!(types, ["users", "devices", "roles"]);
    // A list has no warnings.
    assert_eq!(app.get("/v1/jobs").await.expect(200)["items"][0].get("warnings"), None);
}

#[tokio::test]
async fn the_newest_check_that_covers_a_capability_counts() {
    let app = TestApp::start().await;
    app.world.graph.set_roles(Scenario::Healthy, &LEAST);
    let id = app.create_job(&json!({"objects": {"roles": {}}})).await;
    let path = format!("/v1/jobs/{id}");
    check(&app, &id, &["roles"]).await;
    check(&app, &id, &["users"]).await;
    assert_eq!(lacking(&app.get(&path).await.expect(200)).len(), 1, "a check of something else says nothing about it");
    app.world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "RoleManagement.Read.Directory"]);
    check(&app, &id, &["roles"]).await;
    assert_eq!(lacking(&app.get(&path).await.expect(200)), []);
}
