//! Connections: credentials that are never shown, «Save & check», and deletion, which is refused while jobs use one.

use crate::support::test_app::{TestApp, connection_body, pointers};
use entra_assets::sim::graph::{SECRET, Scenario};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use std::time::Duration;

fn certificate(key: &KeyPair, last_year: i32) -> String {
    let mut params = CertificateParams::new(["import.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    params.self_signed(key).unwrap().pem()
}

fn rsa() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}

fn with_credential(credential: Value) -> Value {
    let mut body = connection_body(Scenario::Healthy);
    body["credential"] = credential;
    body
}

#[tokio::test]
async fn a_new_connection_shows_all_but_its_secret() {
    let app = TestApp::start().await;
    let mut body = connection_body(Scenario::Healthy);
    body["credential"]["expiresAt"] = json!("2027-01-01T00:00:00Z");
    let answer = app.post("/v1/connections", &body).await;
    assert_eq!(answer.header("etag"), "\"1\"");
    let location = answer.header("location").to_owned();
    let created = answer.expect(201);
    let credential = json!({"kind": "clientSecret", "expiresAt": "2027-01-01T00:00:00Z", "hint": &SECRET[..3]});
    assert_eq!((&created["credential"], &created["lastCheck"]), (&credential, &Value::Null));
    assert_eq!(location, format!("/v1/connections/{}", created["id"].as_str().unwrap()));
    assert_eq!(app.get(&location).await.expect(200), created);
    assert_eq!(app.get("/v1/connections").await.expect(200)["items"], json!([created]));
}

#[tokio::test]
async fn save_and_check_answers_with_the_result() {
    let app = TestApp::start().await;
    let created = app.post("/v1/connections?check=true", &connection_body(Scenario::Healthy)).await.expect(201);
    assert_eq!(created["lastCheck"]["overall"], "ok");
    assert_eq!(created["lastCheck"]["connectionId"], created["id"]);
    let failed = app.post("/v1/connections?check=true", &connection_body(Scenario::Delegated)).await.expect(201);
    assert_eq!(failed["lastCheck"]["overall"], "failed");
    assert_eq!(failed["lastCheck"]["findings"][0]["code"], "no_application_permission");
    let path = format!("/v1/connections/{}", failed["id"].as_str().unwrap());
    assert_eq!(app.get(&format!("{path}/checks")).await.expect(200)["items"].as_array().unwrap().len(), 1);
    let unchecked = app.post("/v1/connections?check=false", &connection_body(Scenario::Healthy)).await.expect(201);
    assert_eq!(unchecked["lastCheck"], Value::Null);
    let problem = app.post("/v1/connections?check=maybe", &connection_body(Scenario::Healthy)).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["?check"]);
}

#[tokio::test]
async fn a_stale_result_says_how_old_it_is() {
    let app = TestApp::start().await;
    let created = app.post("/v1/connections?check=true", &connection_body(Scenario::Healthy)).await.expect(201);
    let path = format!("/v1/connections/{}", created["id"].as_str().unwrap());
    let age = async || {
        let last = app.get(&path).await.expect(200)["lastCheck"].clone();
        (last["ageSeconds"].as_i64().unwrap(), last["stale"].as_bool().unwrap())
    };
    let (at_first, stale) = age().await;
    assert!(at_first < 20 && !stale, "{at_first}");
    app.world.clock.advance(Duration::from_secs(24 * 3600));
    assert!(!age().await.1 || at_first > 0);
    app.world.clock.advance(Duration::from_secs(3600));
    assert_eq!(age().await, (at_first + 25 * 3600, true));
    app.post(&format!("{path}/check"), &json!({})).await.expect(200);
    assert!(!age().await.1, "a new check is fresh");
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let app = TestApp::start().await;
    let path = app.create("/v1/connections", &connection_body(Scenario::Healthy)).await;
    let before = app.get(&path).await.expect(200);
    app.world.clock.advance(Duration::from_secs(1));
    let answer = app.patch(&path, &json!({"name": "Renamed"})).await;
    assert_eq!(answer.header("etag"), "\"2\"");
    let after = answer.expect(200);
    let mut expected = before.clone();
    expected["name"] = json!("Renamed");
    expected["version"] = json!(2);
    expected["updatedAt"] = after["updatedAt"].clone();
    assert_eq!(after, expected);
    assert_ne!(after["updatedAt"], before["updatedAt"]);
    let report = app.post(&format!("{path}/check"), &json!({})).await.expect(200);
    assert_eq!(report["overall"], "ok", "the credential is still there");
    let reset = app.patch(&path, &json!({"cloud": "usGov"})).await.expect(200);
    assert_eq!(reset["cloud"], "usGov");
    assert_eq!(app.patch(&path, &json!({"cloud": null})).await.expect(200)["cloud"], "global", "null is the default");
    for field in ["name", "tenantId", "clientId", "credential"] {
        let problem = app.patch(&path, &json!({field: null})).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), [format!("/{field}")], "it has no default");
    }
}

#[tokio::test]
async fn a_new_secret_takes_the_place_of_the_old_one() {
    let app = TestApp::start().await;
    let wrong = Scenario::WrongSecret.credentials();
    let mut body = connection_body(Scenario::WrongSecret);
    body["credential"]["expiresAt"] = json!("2027-01-01T00:00:00Z");
    let path = app.create("/v1/connections", &body).await;
    let report = app.post(&format!("{path}/check"), &json!({})).await.expect(200);
    assert_eq!(report["findings"][0]["code"], "client_secret_invalid");
    assert!(!report.to_string().contains(&wrong.client_secret));
    let changed = app.patch(&path, &json!({"credential": {"secret": SECRET}})).await.expect(200);
    assert_eq!(changed["credential"]["hint"], SECRET[..3]);
    assert_eq!(changed["credential"]["expiresAt"], Value::Null, "the old secret's end says nothing of the new one");
    assert_eq!(app.post(&format!("{path}/check"), &json!({})).await.expect(200)["overall"], "ok");
    let problem = app.patch(&path, &json!({"credential": {"kind": "certificate"}})).await;
    assert_eq!(
        pointers(&problem.problem(422, "validation_failed")),
        ["/credential/certificate", "/credential/privateKey"]
    );
}

#[tokio::test]
async fn a_stale_etag_changes_nothing() {
    let app = TestApp::start().await;
    let path = app.create("/v1/connections", &connection_body(Scenario::Healthy)).await;
    let change = |tag: &str| {
        app.call(reqwest::Method::PATCH, &path).header("if-match", tag).json(&json!({"name": "Renamed"})).send()
    };
    change("\"1\"").await.expect(200);
    for stale in ["\"1\"", "W/\"2\"", "2", "\"3\""] {
        change(stale).await.problem(412, "precondition_failed");
    }
    let delete = |tag: &str| app.call(reqwest::Method::DELETE, &path).header("if-match", tag).send();
    delete("\"1\"").await.problem(412, "precondition_failed");
    change("\"7\", \"2\"").await.expect(200);
    change("*").await.expect(200);
    delete("\"4\"").await.expect(204);
    app.get(&path).await.problem(404, "not_found");
    delete("\"4\"").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_connection_that_is_used_names_its_jobs() {
    let app = TestApp::start().await;
    let connection = app.create_connection(Scenario::Healthy).await;
    let path = format!("/v1/connections/{connection}");
    let job = app.create_job(&json!({"connectionId": connection, "name": "Nightly import"})).await;
    let problem = app.delete(&path).await.problem(409, "in_use");
    assert_eq!(problem["usedBy"], json!([{"kind": "jobs", "id": job, "name": "Nightly import"}]));
    app.delete(&format!("/v1/jobs/{job}")).await.expect(204);
}

#[tokio::test]
async fn the_secret_id_is_told_from_the_secret() {
    let app = TestApp::start().await;
    let problem = app.post("/v1/connections", &connection_body(Scenario::SecretId)).await;
    let fault = problem.problem(422, "validation_failed")["errors"][0].clone();
    assert_eq!((&fault["pointer"], &fault["code"]), (&json!("/credential/secret"), &json!("secret_id_pasted")));
    let detail = fault["detail"].as_str().unwrap();
    assert!(detail.contains("Secret ID") && detail.contains("Value"), "{detail}");
}

#[tokio::test]
async fn every_fault_of_a_connection_is_named_at_once() {
    let app = TestApp::start().await;
    for tenant in ["common", "organizations", "not a tenant", "localhost", "-.example", ""] {
        let mut body = connection_body(Scenario::Healthy);
        (body["tenantId"], body["clientId"], body["name"]) = (json!(tenant), json!("7"), json!(""));
        let problem = app.post("/v1/connections", &body).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/clientId", "/name", "/tenantId"], "{tenant}");
    }
    let problem = app.post("/v1/connections", &json!({})).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/clientId", "/credential", "/name", "/tenantId"]);
}

/// Case C2 and ids in forms that Entra does not take.
#[tokio::test]
async fn ids_are_normalized_or_refused_at_the_door() {
    let app = TestApp::start().await;
    let right = connection_body(Scenario::Healthy);
    let (tenant, client) = (right["tenantId"].as_str().unwrap(), right["clientId"].as_str().unwrap());
    let forms = |id: &str| [format!(" {id}\n"), format!("{{{id}}}"), format!("urn:uuid:{id}"), id.replace('-', "")];
    for (tenant_form, client_form) in forms(tenant).into_iter().zip(forms(client)) {
        let mut body = right.clone();
        (body["tenantId"], body["clientId"]) = (json!(tenant_form), json!(client_form));
        let created = app.post("/v1/connections?check=true", &body).await.expect(201);
        assert_eq!((&created["tenantId"], &created["clientId"]), (&right["tenantId"], &right["clientId"]));
        assert_eq!(created["lastCheck"]["overall"], "ok");
        let path = format!("/v1/connections/{}", created["id"].as_str().unwrap());
        let changed = app.patch(&path, &json!({"tenantId": tenant_form, "clientId": client_form})).await.expect(200);
        assert_eq!((&changed["tenantId"], &changed["clientId"]), (&right["tenantId"], &right["clientId"]));
    }
    let zeros = json!("00000000-0000-0000-0000-000000000000");
    let path = format!("/v1/connections/{}", app.create_connection(Scenario::Healthy).await);
    for (field, code, portal) in
        [("tenantId", "tenant_malformed", "Tenant ID"), ("clientId", "client_malformed", "Application (client) ID")]
    {
        let mut body = right.clone();
        body[field] = zeros.clone();
        for answer in [
            app.post("/v1/connections", &body).await,
            app.post("/v1/connection-checks", &body).await,
            app.patch(&path, &json!({field: zeros})).await,
        ] {
            let fault = answer.problem(422, "validation_failed")["errors"][0].clone();
            assert_eq!((&fault["code"], &fault["pointer"]), (&json!(code), &json!(format!("/{field}"))));
            assert!(fault["detail"].as_str().unwrap().contains(portal), "{fault}");
        }
    }
    let mut body = right.clone();
    body["clientId"] = json!("Entra to Assets");
    let problem = app.post("/v1/connections", &body).await.problem(422, "validation_failed");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("Application (client) ID"), "{problem}");
}

#[tokio::test]
async fn the_end_of_a_secret_may_be_a_date_as_the_portal_shows_it() {
    let app = TestApp::start().await;
    let mut body = connection_body(Scenario::Healthy);
    body["credential"]["expiresAt"] = json!("2027-01-01");
    let created = app.post("/v1/connections", &body).await.expect(201);
    assert_eq!(created["credential"]["expiresAt"], "2027-01-01T00:00:00Z");
    let path = format!("/v1/connections/{}", created["id"].as_str().unwrap());
    let changed = app.patch(&path, &json!({"credential": {"expiresAt": "2028-02-29"}})).await.expect(200);
    assert_eq!(changed["credential"]["expiresAt"], "2028-02-29T00:00:00Z");
    let wrong = app.patch(&path, &json!({"credential": {"expiresAt": "2027-02-29"}})).await;
    assert_eq!(pointers(&wrong.problem(422, "validation_failed")), ["/credential/expiresAt"]);
}

/// Case C5.
#[tokio::test]
async fn a_file_with_certificate_and_key_is_taken_and_the_key_is_not_stored_with_the_certificate() {
    let app = TestApp::start().await;
    let (key, other) = (rsa(), rsa());
    let (own, chain, private) = (certificate(&key, 2030), certificate(&other, 2031), key.serialize_pem());
    for file in [format!("{own}{private}"), format!("Bag Attributes\n{chain}{private}{own}")] {
        let body = with_credential(json!({"kind": "certificate", "certificate": file, "privateKey": file}));
        let created = app.post("/v1/connections", &body).await.expect(201);
        assert_eq!(created["credential"]["expiresAt"], "2030-01-01T00:00:00Z", "that of the key's own certificate");
        let body = with_credential(json!({"kind": "certificate", "certificate": own, "privateKey": file}));
        app.post("/v1/connections", &body).await.expect(201);
    }
    let stored = app.text_of_all("SELECT string_agg(certificate_pem, chr(10)) FROM connections").await;
    assert!(stored.contains("BEGIN CERTIFICATE") && !stored.contains("PRIVATE KEY"), "{stored}");
}

#[tokio::test]
async fn a_certificate_is_taken_with_its_key_alone() {
    let app = TestApp::start().await;
    let (key, other) = (rsa(), rsa());
    let (good, expired) = (certificate(&key, 2030), certificate(&key, 2021));
    let private = key.serialize_pem();
    let body = |certificate: &str, key: &str| {
        with_credential(json!({"kind": "certificate", "certificate": certificate, "privateKey": key}))
    };
    let created = app.post("/v1/connections", &body(&good, &private)).await.expect(201);
    assert_eq!(created["credential"]["expiresAt"], "2030-01-01T00:00:00Z");
    assert!(created["credential"]["hint"].as_str().is_some_and(|thumbprint| thumbprint.len() == 64), "{created}");
    for (body, code) in [
        (body(&good, &other.serialize_pem()), "key_does_not_match"),
        (body(&expired, &private), "certificate_expired"),
        (body(&private, &good), "certificate_unreadable"),
        (with_credential(json!({"kind": "certificate", "certificate": good})), "required"),
    ] {
        for path in ["/v1/connections", "/v1/connection-checks"] {
            let answer = app.post(path, &body).await;
            for line in private.lines().chain(good.lines()).filter(|line| line.len() == 64) {
                assert!(!answer.text.contains(line), "{}", answer.text);
            }
            let problem = answer.problem(422, "validation_failed");
            let codes: Vec<&str> =
                problem["errors"].as_array().unwrap().iter().map(|fault| fault["code"].as_str().unwrap()).collect();
            assert!(codes.contains(&code), "{code}: {problem}");
        }
    }
    let mut several = body(&expired, &private);
    several["tenantId"] = json!("common");
    several["cloud"] = json!("moon");
    for path in ["/v1/connections", "/v1/connection-checks"] {
        let problem = app.post(path, &several).await.problem(422, "validation_failed");
        let places = pointers(&problem);
        for place in ["/cloud", "/credential/certificate", "/tenantId"] {
            assert!(places.contains(&place), "{place}: {problem}");
        }
    }
}

#[tokio::test]
async fn a_second_organization_with_a_wrong_secret_gets_nothing_of_the_first_one_s_token() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let (_, key) = app.add_organization().await;
    let call = |path: &str, body: &Value| app.call_with(&key, reqwest::Method::POST, path).json(body).send();
    // The same tenant and application, for which the service holds a good token of the first organization.
    let body = with_credential(json!({"kind": "clientSecret", "secret": "not8Q~the-secret-of-this-application-1"}));
    let connection = call("/v1/connections", &body).await.expect(201)["id"].clone();
    let check = call(&format!("/v1/connections/{}/check", connection.as_str().unwrap()), &json!({})).await.expect(200);
    assert_eq!((&check["overall"], &check["findings"][0]["code"]), (&json!("failed"), &json!("client_secret_invalid")));
    let job = call("/v1/jobs", &json!({"name": "Theirs", "connectionId": connection})).await.expect(201)["id"].clone();
    let job = format!("/v1/jobs/{}", job.as_str().unwrap());
    let run = call(&format!("{job}/runs"), &json!({"mode": "full"})).await.expect(202);
    assert!(app.step().await);
    let get = |path: String| app.call_with(&key, reqwest::Method::GET, &path).send();
    let run = get(format!("/v1/runs/{}", run["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&run["state"], &run["counts"]["users"]["read"]), (&json!("failed"), &json!(0)), "{run}");
    assert_eq!(get(format!("{job}/objects?type=users")).await.expect(200)["items"], json!([]));
}
