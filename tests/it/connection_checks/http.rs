//! The checks over HTTP: capabilities, manifests, settings that are not stored, a stored connection.

use crate::support::world::World;
use entra_assets::api::{self, Offer};
use entra_assets::app::App;
use entra_assets::sim::graph::{SECRET, Scenario};
use reqwest::Method;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use uuid::Uuid;

const ADMIN_KEY: &str = "an-admin-key-of-the-tests-0123456789";

/// The API over a world, and a client for it.
struct Api {
    world: World,
    client: reqwest::Client,
    origin: String,
    server: actix_web::dev::ServerHandle,
}

impl Api {
    async fn start() -> Self {
        let world = World::new(60, 12).await;
        let mut settings = (*world.app.settings).clone();
        settings.security.admin_key = Some(ADMIN_KEY.to_owned().into());
        let app = App { settings: Arc::new(settings), ..world.app.clone() };
        let client = world.app.http.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = api::server(app, listener, Offer::All).unwrap();
        let handle = server.handle();
        tokio::spawn(server);
        Self { world, client, origin, server: handle }
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.origin)).bearer_auth(ADMIN_KEY);
        let request = if let Some(body) = body { request.json(body) } else { request };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!(!text.contains(SECRET), "{text}");
        (status, serde_json::from_str(&text).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn stop(self) {
        self.server.stop(true).await;
    }
}

fn pointers(problem: &Value) -> Vec<&str> {
    let mut pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    pointers
}

fn settings(scenario: Scenario) -> Value {
    let entered = scenario.credentials();
    json!({"name": "Contoso", "tenantId": entered.tenant_id, "clientId": entered.client_id, "cloud": "global",
        "credential": {"kind": "clientSecret", "secret": entered.client_secret}})
}

#[tokio::test]
async fn capabilities_are_listed_with_the_ids_of_their_permissions() {
    let api = Api::start().await;
    let (status, page) = api.get("/v1/capabilities").await;
    assert_eq!(status, 200);
    assert_eq!(page["items"].as_array().unwrap().len(), 11);
    let users = &page["items"][0];
    let least = json!({"name": "User.Read.All", "applicationId": "df021288-bdef-4463-88db-98f22de89214",
        "delegatedId": "a154be20-db9c-4678-8ab7-66f6cc099a59"});
    assert_eq!((&users["capability"], &users["allOf"][0]["anyOf"][0]), (&json!("users"), &least));
    api.stop().await;
}

#[tokio::test]
async fn settings_are_checked_without_being_stored() {
    let api = Api::start().await;
    let (status, report) = api.post("/v1/connection-checks", &settings(Scenario::Delegated)).await;
    assert_eq!((status, &report["overall"], &report["connectionId"]), (200, &json!("failed"), &Value::Null));
    assert_eq!(report["findings"][0]["code"], "no_application_permission");
    let mut some = settings(Scenario::Healthy);
    some["capabilities"] = json!(["licenses", "devices"]);
    let (_, report) = api.post("/v1/connection-checks", &some).await;
    assert_eq!((&report["overall"], &report["capabilities"][1]["capability"]), (&json!("ok"), &json!("devices")));
    assert_eq!(api.world.count("connection_checks").await, 0);
    api.stop().await;
}

#[tokio::test]
async fn every_fault_of_settings_is_named_at_once() {
    let api = Api::start().await;
    let wrong = json!({"tenantId": "common", "clientId": "not a guid", "cloud": "mars", "secrets": 1,
        "capabilities": ["users", "usres"], "credential": {"kind": "certificate", "certificate": "x", "privateKey": "y", "secret": "z"}});
    let (status, problem) = api.post("/v1/connection-checks", &wrong).await;
    assert_eq!((status, &problem["code"]), (422, &json!("validation_failed")));
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
    let (status, problem) = api.post("/v1/connection-checks", &settings(Scenario::SecretId)).await;
    assert_eq!((status, &problem["errors"][0]["code"]), (422, &json!("secret_id_pasted")));
    assert_eq!(pointers(&problem), ["/credential/secret"]);
    let mut federated = settings(Scenario::Healthy);
    federated["credential"] = json!({"kind": "federated"});
    let (status, problem) = api.post("/v1/connection-checks", &federated).await;
    assert_eq!((status, &problem["code"]), (403, &json!("federated_not_allowed")));
    api.stop().await;
}

#[tokio::test]
async fn a_stored_connection_is_checked_and_the_history_kept() {
    let api = Api::start().await;
    let path = format!("/v1/connections/{}", api.world.connection);
    let (_, setup) = api.get(&format!("{path}/setup")).await;
    assert!(setup["azCli"].as_str().unwrap().contains("az rest --method POST"));
    assert_eq!(setup["permissions"][0]["granted"], Value::Null);
    let (status, first) = api.send(Method::POST, &format!("{path}/check"), None).await;
    assert_eq!((status, &first["overall"], &first["partial"]), (200, &json!("ok"), &json!(false)));
    assert_eq!(first["capabilities"].as_array().unwrap().len(), 5);
    let (_, second) = api.post(&format!("{path}/check"), &json!({"capabilities": ["devices"]})).await;
    let (_, page) = api.get(&format!("{path}/checks?limit=1")).await;
    assert_eq!(page["items"][0]["id"], second["id"], "newest first");
    let cursor = page["nextCursor"].as_str().unwrap();
    let (_, page) = api.get(&format!("{path}/checks?limit=1&cursor={cursor}")).await;
    assert_eq!((&page["items"][0]["id"], &page["nextCursor"]), (&first["id"], &Value::Null));
    assert_eq!((&page["items"][0]["stale"], &page["items"][0]["findings"]), (&json!(false), &json!([])));
    let (_, setup) = api.get(&format!("{path}/setup?capabilities=devices,users")).await;
    assert_eq!(setup["permissions"][0]["granted"], json!(true));
    assert_eq!(api.world.count("audit_events").await, 2);
    api.stop().await;
}

#[tokio::test]
async fn an_unknown_connection_has_no_checks() {
    let api = Api::start().await;
    let unknown = format!("/v1/connections/{}", Uuid::from_u128(99));
    for (method, path) in [(Method::POST, "check"), (Method::GET, "checks"), (Method::GET, "setup")] {
        let (status, problem) = api.send(method, &format!("{unknown}/{path}"), None).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{path}");
    }
    let known = format!("/v1/connections/{}", api.world.connection);
    let (status, problem) = api.get(&format!("{known}/setup?capabilities=usres,grups")).await;
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 2));
    api.stop().await;
}

#[tokio::test]
async fn a_manifest_names_what_was_added_as_delegated() {
    let api = Api::start().await;
    let list = json!([{"resourceAppId": "00000003-0000-0000-c000-000000000000",
        "resourceAccess": [{"id": "a154be20-db9c-4678-8ab7-66f6cc099a59", "type": "Scope"}]}]);
    let whole = json!({"appId": "11111111-2222-4333-8444-555555555555", "displayName": "Import", "requiredResourceAccess": list,
        "signInAudience": "AzureADMyOrg"});
    for manifest in [&list, &whole] {
        let (status, report) = api.post("/v1/manifest-checks?capabilities=users", manifest).await;
        assert_eq!((status, &report["findings"][0]["code"]), (200, &json!("added_as_delegated")));
        assert_eq!(report["capabilities"][0]["verdict"], "addedAsDelegated");
        assert_eq!(report["permissions"][0]["name"], "User.Read.All");
    }
    for (body, status, code) in [
        ("{\"requiredResourceAccess\":".to_owned(), 400, "malformed_json"),
        (format!("{{\"a\":\"{}\"}}", "a".repeat(1 << 20)), 413, "body_too_large"),
        ("{\"a\":1}".to_owned(), 422, "validation_failed"),
        ("[{}]".to_owned(), 422, "validation_failed"),
    ] {
        let request = api.client.post(format!("{}/v1/manifest-checks", api.origin)).bearer_auth(ADMIN_KEY);
        let response = request.header("Content-Type", "application/json").body(body).send().await.unwrap();
        let (found, problem) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        assert_eq!((found, problem["code"].as_str().unwrap()), (status, code));
    }
    api.stop().await;
}
