//! The checks over HTTP: capabilities, manifests, settings that are not stored, a stored connection.

use crate::support::test_app::{TestApp, connection_body, pointers};
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn capabilities_are_listed_with_the_ids_of_their_permissions() {
    let app = TestApp::start().await;
    let page = app.get("/v1/capabilities").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 18);
    let users = &page["items"][0];
    let least = json!({"name": "User.Read.All", "applicationId": "df021288-bdef-4463-88db-98f22de89214",
        "delegatedId": "a154be20-db9c-4678-8ab7-66f6cc099a59"});
    assert_eq!((&users["capability"], &users["allOf"][0]["anyOf"][0]), (&json!("users"), &least));
}

#[tokio::test]
async fn settings_are_checked_without_being_stored() {
    let app = TestApp::start().await;
    let report = app.post("/v1/connection-checks", &connection_body(Scenario::Delegated)).await.expect(200);
    assert_eq!((&report["overall"], &report["connectionId"]), (&json!("failed"), &Value::Null));
    assert_eq!(report["findings"][0]["code"], "no_application_permission");
    let summary = report["summary"].as_str().unwrap();
    assert!(summary.starts_with("Nothing can be imported with this connection."), "{summary}");
    let mut some = connection_body(Scenario::Healthy);
    some["capabilities"] = json!(["licenses", "devices"]);
    let report = app.post("/v1/connection-checks", &some).await.expect(200);
    assert_eq!((&report["overall"], &report["capabilities"][1]["capability"]), (&json!("ok"), &json!("devices")));
    assert_eq!(app.world.count("connection_checks").await, 0);
}

#[tokio::test]
async fn every_fault_of_settings_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"tenantId": "common", "clientId": "not a guid", "cloud": "mars", "secrets": 1,
        "capabilities": ["users", "usres"],
        "credential": {"kind": "certificate", "certificate": "x", "privateKey": "y", "secret": "z"}});
    let problem = app.post("/v1/connection-checks", &wrong).await.problem(422, "validation_failed");
    assert_eq!(
        pointers(&problem),
        [
            "/capabilities/1",
            "/clientId",
            "/cloud",
            "/credential/certificate",
            "/credential/privateKey",
            "/credential/secret",
            "/secrets",
            "/tenantId",
        ]
    );
    let secret_id = connection_body(Scenario::SecretId);
    let problem = app.post("/v1/connection-checks", &secret_id).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["code"], "secret_id_pasted");
    assert_eq!(pointers(&problem), ["/credential/secret"]);
    let mut federated = connection_body(Scenario::Healthy);
    federated["credential"] = json!({"kind": "federated"});
    app.post("/v1/connection-checks", &federated).await.problem(403, "federated_not_allowed");
}

#[tokio::test]
async fn a_stored_connection_is_checked_and_the_history_kept() {
    let app = TestApp::start().await;
    let path = format!("/v1/connections/{}", app.create_connection(Scenario::Healthy).await);
    let setup = app.get(&format!("{path}/setup")).await.expect(200);
    assert!(setup["azCli"].as_str().unwrap().contains("az rest --method POST"));
    assert_eq!(setup["permissions"][0]["granted"], Value::Null);
    let first = app.call(Method::POST, &format!("{path}/check")).send().await.expect(200);
    assert_eq!((&first["overall"], &first["partial"]), (&json!("ok"), &json!(false)));
    assert_eq!(first["capabilities"].as_array().unwrap().len(), 7);
    let second = app.post(&format!("{path}/check"), &json!({"capabilities": ["devices"]})).await.expect(200);
    let page = app.get(&format!("{path}/checks?limit=1")).await.expect(200);
    assert_eq!(page["items"][0]["id"], second["id"], "newest first");
    let cursor = page["nextCursor"].as_str().unwrap();
    let page = app.get(&format!("{path}/checks?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!((&page["items"][0]["id"], &page["nextCursor"]), (&first["id"], &Value::Null));
    assert_eq!((&page["items"][0]["stale"], &page["items"][0]["findings"]), (&json!(false), &json!([])));
    let setup = app.get(&format!("{path}/setup?capabilities=devices,users")).await.expect(200);
    assert_eq!(setup["permissions"][0]["granted"], json!(true));
    assert_eq!(app.world.count("audit_events").await, 3);
}

/// Short lists are whole unless a caller asks for pages.
#[tokio::test]
async fn what_can_be_chosen_from_is_listed_whole_or_in_pages() {
    let app = TestApp::start().await;
    for path in ["/v1/capabilities?", "/v1/attributes?", "/v1/attributes?objectType=groups&"] {
        let whole = app.get(path.trim_end_matches(['?', '&'])).await.expect(200);
        assert_eq!(whole["nextCursor"], Value::Null);
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{path}limit=7{cursor}")).await.expect(200);
            items.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&items, whole["items"].as_array().unwrap(), "{path}");
        app.get(&format!("{path}limit=0")).await.problem(422, "validation_failed");
        app.get(&format!("{path}cursor=x")).await.problem(400, "invalid_cursor");
    }
}

/// A check is valid only for what it covered: not for another secret, and not for other capabilities.
#[tokio::test]
async fn the_last_check_vouches_for_what_it_checked_only() {
    let app = TestApp::start().await;
    let path = format!("/v1/connections/{}", app.create_connection(Scenario::Healthy).await);
    let check = async |body: Value| app.post(&format!("{path}/check"), &body).await.expect(200);
    let last = async || app.get(&path).await.expect(200)["lastCheck"].clone();
    let devices = check(json!({"capabilities": ["devices"]})).await;
    assert_eq!(last().await["id"], devices["id"], "there is no wider one");
    let wide = check(json!({})).await;
    check(json!({"capabilities": ["users", "groups"]})).await;
    assert_eq!(last().await["id"], wide["id"]);
    app.world.graph.set_roles(Scenario::Healthy, &["GroupMember.Read.All"]);
    let failed = check(json!({"capabilities": ["users"]})).await;
    assert_eq!(last().await["id"], failed["id"], "what is wrong with a part is wrong with the whole");

    app.world.graph.set_roles(Scenario::Healthy, &["GroupMember.Read.All", "User.Read.All"]);
    check(json!({})).await;
    app.call(Method::PATCH, &path).json(&json!({"cloud": "china"})).send().await.expect(200);
    app.call(Method::PATCH, &path).json(&json!({"cloud": "global"})).send().await.expect(200);
    let part = check(json!({"capabilities": ["users"]})).await;
    assert_eq!(
        (&part["overall"], &last().await["id"]),
        (&json!("ok"), &part["id"]),
        "the wider one is of another cloud"
    );

    for change in [
        json!({"tenantId": "00000000-0000-4000-8000-00000000abcd"}),
        json!({"clientId": "00000000-0000-4000-8000-00000000abcd"}),
        json!({"cloud": "usGov"}),
        json!({"credential": {"secret": "another-secret-of-the-application"}}),
    ] {
        let fresh = check(json!({})).await;
        assert_eq!((&last().await["id"], &last().await["stale"]), (&fresh["id"], &json!(false)));
        app.call(Method::PATCH, &path).json(&json!({"name": "Another name"})).send().await.expect(200);
        assert_eq!(last().await["stale"], false, "a name is not what was checked");
        app.call(Method::PATCH, &path).json(&change).send().await.expect(200);
        assert_eq!((&last().await["id"], &last().await["stale"]), (&fresh["id"], &json!(true)), "{change}");
        assert_eq!(app.get(&format!("{path}/checks")).await.expect(200)["items"][0]["stale"], true);
        let setup = app.get(&format!("{path}/setup")).await.expect(200);
        assert_eq!(setup["permissions"][0]["granted"], Value::Null, "nothing is known of the new one");
    }
}

#[tokio::test]
async fn the_setup_of_an_application_begins_before_it_exists() {
    let app = TestApp::start().await;
    let setup = app.get("/v1/connections/setup").await.expect(200);
    assert_eq!(setup["steps"][0]["title"], "Register the application");
    assert_eq!(setup["steps"].as_array().unwrap().len(), 9);
    let text = setup.to_string();
    assert!(text.contains("APPLICATION-CLIENT-ID") && !text.contains(&Uuid::nil().to_string()), "{text}");
    assert!(setup["azCli"].as_str().unwrap().contains("df021288-bdef-4463-88db-98f22de89214"));
    let client = "11111111-2222-4333-8444-555555555555";
    let query = format!("tenantId=contoso.com&clientId={client}&cloud=usGov&capabilities=devices");
    let setup = app.get(&format!("/v1/connections/setup?{query}")).await.expect(200);
    assert!(setup["consentUrl"].as_str().unwrap().ends_with(&format!("/contoso.com/adminconsent?client_id={client}")));
    assert_eq!(setup["permissions"].as_array().unwrap().len(), 1);
    let wrong = app.get("/v1/connections/setup?tenantId=common").await.problem(422, "validation_failed");
    assert_eq!(wrong["errors"][0]["code"], "tenant_not_specific");
}

#[tokio::test]
async fn an_unknown_connection_has_no_checks() {
    let app = TestApp::start().await;
    let unknown = format!("/v1/connections/{}", Uuid::from_u128(99));
    for (method, path) in [(Method::POST, "check"), (Method::GET, "checks"), (Method::GET, "setup")] {
        app.call(method, &format!("{unknown}/{path}")).send().await.problem(404, "not_found");
    }
    let known = app.create_connection(Scenario::Healthy).await;
    let answer = app.get(&format!("/v1/connections/{known}/setup?capabilities=usres,grups")).await;
    assert_eq!(answer.problem(422, "validation_failed")["errors"].as_array().unwrap().len(), 2);
}

/// Cases M7: text that is not JSON for every parser.
#[tokio::test]
async fn a_manifest_with_a_byte_order_mark_or_comments_is_refused_with_what_to_remove() {
    let app = TestApp::start().await;
    let check = async |text: &str| {
        app.call(Method::POST, "/v1/manifest-checks").text("application/json", text.to_owned()).send().await
    };
    let manifest = r#"{"requiredResourceAccess": []}"#;
    assert_eq!(check(manifest).await.expect(200)["permissions"], json!([]));
    let problem = check(&format!("\u{feff}{manifest}")).await.problem(400, "malformed_json");
    assert!(problem["detail"].as_str().unwrap().ends_with("save it as UTF-8 without BOM."), "{problem}");
    for comment in ["// the permissions\n", "/* the permissions */"] {
        let text = format!("{{\n  {comment} \"requiredResourceAccess\": []}}");
        let problem = check(&text).await.problem(400, "malformed_json");
        assert!(problem["detail"].as_str().unwrap().ends_with("JSON has no comments: remove them."), "{problem}");
    }
}

#[tokio::test]
async fn a_manifest_without_a_tenant_gives_commands_without_one() {
    let app = TestApp::start().await;
    let scripts = async |query: &str| {
        let report = app.post(&format!("/v1/manifest-checks?capabilities=users{query}"), &json!([])).await.expect(200);
        let remedies = report["capabilities"][0]["remedies"].as_array().unwrap().clone();
        remedies.iter().map(|remedy| remedy["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let without = scripts("").await;
    assert!(without.iter().all(|script| !script.contains("--tenant") && !script.contains("-TenantId")), "{without:?}");
    assert!(scripts("&tenantId=contoso.com").await.iter().any(|script| script.contains("--tenant contoso.com")));
}

#[tokio::test]
async fn a_manifest_names_what_was_added_as_delegated() {
    let app = TestApp::start().await;
    let list = json!([{"resourceAppId": "00000003-0000-0000-c000-000000000000",
        "resourceAccess": [{"id": "a154be20-db9c-4678-8ab7-66f6cc099a59", "type": "Scope"}]}]);
    let whole = json!({"appId": "11111111-2222-4333-8444-555555555555", "displayName": "Import",
        "requiredResourceAccess": list, "signInAudience": "AzureADMyOrg"});
    for manifest in [&list, &whole] {
        let report = app.post("/v1/manifest-checks?capabilities=users", manifest).await.expect(200);
        assert_eq!(report["findings"][0]["code"], "added_as_delegated");
        assert_eq!(report["capabilities"][0]["verdict"], "addedAsDelegated");
        assert_eq!(report["permissions"][0]["name"], "User.Read.All");
    }
    for (body, status, code) in [
        ("{\"requiredResourceAccess\":".to_owned(), 400, "malformed_json"),
        (format!("{{\"a\":\"{}\"}}", "a".repeat(1 << 20)), 413, "body_too_large"),
        ("{\"a\":1}".to_owned(), 422, "validation_failed"),
        ("[{}]".to_owned(), 422, "validation_failed"),
    ] {
        let call = app.call(Method::POST, "/v1/manifest-checks").text("application/json", body);
        call.send().await.problem(status, code);
    }
}
