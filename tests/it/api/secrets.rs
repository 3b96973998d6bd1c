//! Secrets are accepted and never shown: not in a response, an error, an event, the audit log or the log.

use crate::support::log::Log;
use crate::support::test_app::{SECRETS, TestApp, connection_body};
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN};
use entra_assets::sim::graph::{SECRET, Scenario};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use reqwest::Method;
use serde_json::{Value, json};

/// Entered by somebody who made a mistake elsewhere in the form.
const TYPED: &str = "typ8Q~a-secret-that-somebody-typed-in-01";

/// Each body has a secret in it, and a fault.
fn faulty_bodies() -> Vec<(&'static str, Value)> {
    let connection = |credential: Value| json!({"name": "", "tenantId": "x", "clientId": 1, "credential": credential});
    let destination = |token: &str| json!({"name": "", "kind": "assetsImport", "token": token, "surprise": TYPED});
    vec![
        ("/v1/connections", connection(json!({"kind": "clientSecret", "secret": TYPED}))),
        ("/v1/connections", connection(json!({"kind": "clientSecret", "secret": [TYPED]}))),
        ("/v1/connections", connection(json!({"kind": "clientSecret", "secret": format!(" {TYPED}\n")}))),
        ("/v1/connections", connection(json!({"kind": "clientSecret", "secret": TYPED.repeat(200)}))),
        ("/v1/connections", connection(json!({"kind": TYPED, "secret": TYPED}))),
        ("/v1/connections", connection(json!(TYPED))),
        ("/v1/connections", connection(json!({"kind": "certificate", "certificate": TYPED, "privateKey": TYPED}))),
        ("/v1/connection-checks", connection(json!({"kind": "clientSecret", "secret": TYPED}))),
        ("/v1/connection-checks", connection(json!({"kind": "clientSecret", "secret": TYPED, "expiresAt": TYPED}))),
        ("/v1/destinations", destination(TYPED)),
        ("/v1/destinations", destination(&format!("{TYPED} "))),
        ("/v1/destinations", destination(&TYPED.repeat(300))),
        ("/v1/destinations", json!({"name": "A", "kind": "assetsImport", "token": {"value": TYPED}})),
        ("/v1/destinations", json!({"name": "A", "kind": "assetsImport", "token": "t", "api": {"apiToken": TYPED}})),
        ("/v1/destinations", json!({"name": "A", "kind": "assetsImport", "token": "t", "api": TYPED})),
        ("/v1/manifest-checks", json!({"requiredResourceAccess": [], "passwordCredentials": [{"secretText": TYPED}]})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_anywhere() {
    let log = Log::listen();
    let app = TestApp::start().await;
    let mut said = String::new();
    for (path, body) in faulty_bodies() {
        said += &app.post(path, &body).await.text;
    }
    let broken = format!("{{\"credential\": {{\"secret\": \"{TYPED}\" \"oops\"}}}}");
    said += &app.call(Method::POST, "/v1/connections").text("application/json", broken).send().await.text;

    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(["import.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private_key = key.serialize_pem();
    let mut with_certificate = connection_body(Scenario::Healthy);
    with_certificate["credential"] =
        json!({"kind": "certificate", "certificate": certificate.pem(), "privateKey": private_key});
    let mut wrong = connection_body(Scenario::Healthy);
    wrong["credential"]["secret"] = json!(TYPED);
    for body in [&with_certificate, &wrong, &connection_body(Scenario::Delegated)] {
        said += &app.post("/v1/connections?check=true", body).await.text;
        said += &app.post("/v1/connection-checks", body).await.text;
    }

    let mut destination = app.destination_body();
    destination["api"] = json!({"siteUrl": "https://contoso.atlassian.net", "email": API_EMAIL, "apiToken": API_TOKEN});
    let destination = app.create("/v1/destinations", &destination).await;
    let job = app.create_job(&json!({"destinationId": destination.rsplit('/').next().unwrap()})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let run = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    // A token that Assets takes no more makes a run fail with what Assets said.
    app.world.assets.rotate_token(entra_assets::sim::assets::SOURCE_ID);
    said += &app.run(&job, &json!({"mode": "full"})).await.to_string();
    let lists = ["/v1/connections", "/v1/destinations", "/v1/jobs", "/v1/runs", "/v1/api-keys", "/v1/audit-events"];
    let of_run = [run.clone(), format!("{run}/events"), format!("{run}/changes")];
    for path in lists.into_iter().map(str::to_owned).chain(of_run) {
        said += &app.get(&path).await.text;
    }
    said += &app.call_without_key(Method::GET, "/metrics").send().await.text;

    assert!(said.len() > 10_000);
    let log = log.text();
    // The line of an answer, and that of a run: the service was heard.
    assert!(log.contains("answered") && log.contains("run claimed"), "the log is heard");
    let key_line = private_key.lines().nth(3).unwrap();
    for secret in SECRETS.into_iter().chain([SECRET, TYPED, key_line, crate::support::world::ADMIN_KEY]) {
        assert!(!said.contains(secret), "an answer has {secret}");
        let leak = log.lines().find(|line| line.contains(secret));
        assert!(leak.is_none(), "the log has {secret}: {leak:?}");
    }
    let stored = app.world.text("SELECT string_agg(detail::text, ' ') FROM audit_events").await;
    assert!(SECRETS.into_iter().chain([TYPED]).all(|secret| !stored.contains(secret)));
}
