//! The token endpoint.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_assets::sim::graph::{Certificate, Federated, Tail, TokenError, token_error_statuses};
use serde_json::json;
use sha2::Digest;

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn aadsts(body: &Value) -> u64 {
    body["error_codes"][0].as_u64().unwrap()
}

#[tokio::test]
async fn a_token_has_the_claims_of_a_version_one_token() {
    let graph = Graph::start().await;
    let claims = claims(&graph.token);
    assert_eq!(claims["aud"], "https://graph.microsoft.com");
    assert_eq!((&claims["idtyp"], &claims["ver"]), (&json!("app"), &json!("1.0")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_900);
    assert!(claims["roles"].as_array().unwrap().contains(&json!("User.Read.All")));
    let mut graph = graph;
    graph.sign_in(Scenario::Delegated).await;
    let claims = self::claims(&graph.token);
    assert!(claims.get("roles").is_none() && claims.get("scp").is_none(), "absent, not empty");
    graph.sign_in(Scenario::IdentityUnknown).await;
    assert!(self::claims(&graph.token).get("oid").is_none());
    assert_eq!(graph.fail("/v1.0/users").await, (401, "Authorization_IdentityNotFound".into()));
}

#[tokio::test]
async fn each_scenario_fails_in_its_own_way() {
    let graph = Graph::start().await;
    for (scenario, number, error) in [
        (Scenario::ExpiredSecret, 7_000_222, "invalid_client"),
        (Scenario::SecretId, 7_000_215, "invalid_client"),
        (Scenario::WrongSecret, 7_000_215, "invalid_client"),
        (Scenario::WrongTenant, 700_016, "unauthorized_client"),
        (Scenario::UnknownTenant, 90_002, "invalid_request"),
        (Scenario::ObjectId, 700_016, "unauthorized_client"),
        (Scenario::Disabled, 7_000_112, "unauthorized_client"),
        (Scenario::MissingPrincipal, 7_000_229, "invalid_client"),
        (Scenario::ConditionalAccess, 53_003, "invalid_grant"),
    ] {
        let (status, body) = graph.ask_token(&scenario.credentials()).await;
        assert!((400..=401).contains(&status), "{body}");
        assert_eq!((aadsts(&body), body["error"].as_str()), (number, Some(error)), "{scenario:?}");
        assert!(body["error_description"].as_str().unwrap().contains(" Trace ID: "));
    }
    let (_, body) = graph.ask_token(&Scenario::ConditionalAccess.credentials()).await;
    assert!(body["claims"].as_str().unwrap().contains("capolids"));
}

#[tokio::test]
async fn every_number_of_the_table_can_be_asked_for_with_both_tails() {
    let graph = Graph::start().await;
    for (number, status) in token_error_statuses() {
        graph.sim.set_token_error(Scenario::Healthy, Some(TokenError { aadsts: *number }), Tail::Lines);
        let (found, body) = graph.ask_token(&Scenario::Healthy.credentials()).await;
        assert_eq!((found, aadsts(&body)), (*status, u64::from(*number)));
        assert!(body["error_description"].as_str().unwrap().contains("\r\nTrace ID: "));
    }
    graph.sim.set_token_error(Scenario::Healthy, None, Tail::Spaces);
    assert_eq!(graph.ask_token(&Scenario::Healthy.credentials()).await.0, 200);
}

#[tokio::test]
async fn malformed_requests_are_told_apart() {
    let graph = Graph::start().await;
    let good = Scenario::Healthy.credentials();
    let form = |name: &str, value: Option<&str>| -> Vec<(&'static str, String)> {
        [
            ("client_id", good.client_id.to_string()),
            ("client_secret", good.client_secret.clone()),
            ("grant_type", "client_credentials".to_owned()),
            ("scope", "https://graph.microsoft.com/.default".to_owned()),
        ]
        .into_iter()
        .filter_map(|(key, old)| if key == name { value.map(|new| (key, new.to_owned())) } else { Some((key, old)) })
        .collect()
    };
    let tenant = good.tenant_id.as_str();
    for (tenant, name, value, number) in [
        (tenant, "scope", None, 900_144),
        (tenant, "scope", Some("https%3A%2F%2Fgraph.microsoft.com%2F.default"), 1_002_012),
        (tenant, "scope", Some("User.Read.All"), 1_002_012),
        (tenant, "scope", Some("https://vault.azure.net/.default"), 500_011),
        (tenant, "client_secret", None, 7_000_218),
        (tenant, "client_secret", Some(""), 7_000_216),
        (tenant, "grant_type", Some("password"), 70_003),
        ("common", "none", None, 9_001_023),
        ("organizations", "none", None, 50_059),
        ("not a tenant", "none", None, 900_023),
        ("unknown.example", "none", None, 90_002),
    ] {
        let (_, body) = graph.token_form(tenant, &form(name, value)).await;
        assert_eq!(aadsts(&body), number, "{tenant} {name} {value:?}");
    }
    let (status, _) = graph.token_form(&Scenario::Healthy.domain(), &form("none", None)).await;
    assert_eq!(status, 200, "a verified domain names the tenant too");
}

/// An assertion signed with the key of a certificate.
fn assertion(key: &rcgen::KeyPair, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::PS256).unwrap();
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_certificate_is_verified_and_a_federated_assertion_matched() {
    let graph = Graph::start().await;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(["import.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let der = certificate.der().to_vec();
    let thumbprint = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&der));
    let client = Scenario::Healthy.client_id().to_string();
    let tenant = Scenario::Healthy.tenant_id().to_string();
    let now = epoch().timestamp();
    let claims = json!({
        "aud": format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"),
        "iss": client, "sub": client, "jti": "1", "nbf": now, "iat": now, "exp": now + 300,
    });
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let ask = async |assertion: String| {
        let form = [
            ("client_id", client.clone()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into()),
            ("client_assertion", assertion),
            ("grant_type", "client_credentials".into()),
            ("scope", "https://graph.microsoft.com/.default".into()),
        ];
        graph.token_form(&tenant, &form).await
    };
    let good = assertion(&key, &header, &claims);
    assert_eq!(aadsts(&ask(good.clone()).await.1), 700_027, "not registered yet");
    graph.sim.change_app(Scenario::Healthy, |app| app.certificates.push(Certificate { der }));
    let (status, body) = ask(good.clone()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(self::claims(body["access_token"].as_str().unwrap())["appidacr"], "2");
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    assert_eq!(aadsts(&ask(assertion(&other, &header, &claims)).await.1), 700_027, "another key");
    let edit = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        assertion(&key, &header, &claims)
    };
    assert_eq!(aadsts(&ask(edit("exp", json!((now + 300).to_string()))).await.1), 50_027, "numbers are numbers");
    assert_eq!(aadsts(&ask(edit("exp", json!(now - 3_000))).await.1), 700_024);
    assert_eq!(aadsts(&ask(edit("sub", json!("someone"))).await.1), 700_021);
    assert_eq!(aadsts(&ask(edit("aud", json!("https://example.com/"))).await.1), 50_027);

    graph.sim.change_app(Scenario::Healthy, |app| {
        app.federated.push(Federated {
            issuer: "https://issuer.example".into(),
            subject: "importer".into(),
            audience: "api://AzureADTokenExchange".into(),
        });
    });
    let foreign = |subject: &str| {
        let claims = json!({"iss": "https://issuer.example", "sub": subject, "aud": "api://AzureADTokenExchange", "exp": now + 300});
        assertion(&other, &json!({"alg": "RS256"}), &claims)
    };
    assert_eq!(ask(foreign("importer")).await.0, 200);
    assert_eq!(aadsts(&ask(foreign("another")).await.1), 700_213);
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let graph = Graph::start().await;
    graph.get("/v1.0/users?$top=1").await;
    graph.clock.advance(std::time::Duration::from_secs(3_601));
    assert_eq!(graph.fail("/v1.0/users").await, (401, "InvalidAuthenticationToken".into()));
    let anonymous = graph.client.get(format!("{}/v1.0/users", graph.sim.graph_origin())).send().await.unwrap();
    assert_eq!(code(anonymous).await, (401, "InvalidAuthenticationToken".into()));
}
