//! Signing in with a JWT of an OpenID Connect issuer, over HTTP.

mod forge;
mod issuers;
mod log;

use crate::support::issuer::{Issuer, SigningKey, app_with_issuer, changed};
use crate::support::test_app::TestApp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

/// The problem that a token gets; it must not show the token.
async fn refused(app: &TestApp, token: &str) -> Value {
    let answer = app.call_with(token, Method::GET, "/v1/filters").send().await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    assert!(token.len() < 20 || !answer.text.contains(token), "{}", answer.text);
    answer.problem(401, "unauthenticated")
}

async fn is_accepted(app: &TestApp, token: &str) -> bool {
    app.call_with(token, Method::GET, "/v1/filters").send().await.status == 200
}

#[tokio::test]
async fn a_missing_bare_wrong_and_basic_key_get_sentences_of_their_own() {
    let app = TestApp::start().await;
    let path = "/v1/filters";
    let with = async |header: Option<&str>| {
        let call = app.call_without_key(Method::GET, path);
        let call = header.into_iter().fold(call, |call, header| call.header("authorization", header));
        call.send().await.problem(401, "unauthenticated")["detail"].as_str().unwrap().to_owned()
    };
    let key = "eak_0190000000007000800000000000000a_c2VjcmV0";
    let headers = [None, Some(key), Some("Bearer"), Some("Basic dTpw"), Some("Token abc")];
    let mut sentences = Vec::new();
    for header in headers {
        sentences.push(with(header).await);
    }
    let wrong = format!("Bearer {key}");
    sentences.push(with(Some(&wrong)).await);
    for (n, sentence) in sentences.iter().enumerate() {
        assert!(!sentences[..n].contains(sentence) && !sentence.contains("eak_"), "{sentence}");
    }
    assert_eq!(with(Some("Bearer nonsense")).await, *sentences.last().unwrap(), "what is wrong with a key is not told");
}

#[tokio::test]
async fn a_token_signs_in_with_the_scopes_that_it_names() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    let token = issuer.token(&app, &json!({"scope": "openid read"}));
    app.call_with(&token, Method::GET, "/v1/filters").send().await.expect(200);
    let create = app.call_with(&token, Method::POST, "/v1/filters").json(&json!({"name": "All"})).send().await;
    let problem = create.problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("`write`"), "{problem}");

    let writer = issuer.token(&app, &json!({"scope": ["write", "admin"]}));
    let filter = app.call_with(&writer, Method::POST, "/v1/filters").json(&json!({"name": "All"})).send().await;
    let filter = filter.expect(201);
    let events = app.call_with(&writer, Method::GET, "/v1/audit-events").send().await.expect(200);
    let actor = format!("jwt:{}:somebody", issuer.name());
    assert_eq!((&events["items"][0]["actor"], &events["items"][0]["resourceId"]), (&json!(actor), &filter["id"]));

    let nothing = issuer.token(&app, &json!({"scope": null}));
    app.call_with(&nothing, Method::GET, "/v1/filters").send().await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_token_that_fails_a_check_is_refused_and_the_check_is_named() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    let now = app.world.clock.now().timestamp();
    for (changes, part) in [
        (json!({"exp": now - 11}), "`exp`"),
        (json!({"exp": null}), "`exp`"),
        (json!({"exp": "tomorrow"}), "`exp`"),
        (json!({"nbf": now + 11}), "`nbf`"),
        (json!({"iat": now + 60}), "`iat`"),
        (json!({"aud": "another service"}), "`aud`"),
        (json!({"aud": null}), "`aud`"),
        (json!({"iss": "https://another.example"}), "`iss`"),
        (json!({"iss": null}), "`iss`"),
    ] {
        let problem = refused(&app, &issuer.token(&app, &changes)).await;
        assert!(problem["detail"].as_str().unwrap().contains(part), "{changes}: {problem}");
    }
    assert!(is_accepted(&app, &issuer.token(&app, &json!({"exp": now - 9, "nbf": now + 9}))).await, "leeway");
}

#[tokio::test]
async fn only_a_signature_by_a_published_private_key_is_accepted() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    let claims = issuer.claims(&app);
    let good = issuer.key.sign(&claims);
    let [head, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned =
        |alg: &str, signature: &str| format!("{}.{body}.{signature}", part(&json!({"alg": alg, "kid": "first"})));
    let shared = Header { kid: Some("first".to_owned()), ..Header::new(Algorithm::HS256) };
    let with_public_key = EncodingKey::from_secret(issuer.key.public.as_bytes());
    let with_public_key = jsonwebtoken::encode(&shared, &claims, &with_public_key).unwrap();
    let impostor = SigningKey::elliptic("first");
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..issuer.key.header() };
    let other_kind = SigningKey::rsa("first");
    let admin = part(&changed(claims.clone(), &json!({"scope": "admin"})));
    for (token, part) in [
        (unsigned("none", ""), "`alg`"),
        (unsigned("None", signature), "`alg`"),
        (unsigned("HS256", signature), "`alg`"),
        (unsigned("ES512", signature), "`alg`"),
        (with_public_key, "`alg`"),
        (impostor.sign(&claims), "signature"),
        (other_kind.sign(&claims), "`kid`"),
        (format!("{head}.{admin}.{signature}"), "signature"),
        (format!("{head}.{body}."), "signature"),
        (issuer.key.sign_as(&critical, &claims), "`crit`"),
        (SigningKey::elliptic("another").sign(&claims), "`kid`"),
        (format!("{head}.{body}"), "API key"),
        ("a.b.c".to_owned(), "API key"),
    ] {
        let problem = refused(&app, &token).await;
        assert!(problem["detail"].as_str().unwrap().contains(part), "{token}: {problem}");
    }
    assert!(is_accepted(&app, &good).await);
}

#[tokio::test]
async fn without_a_configured_issuer_no_jwt_is_accepted() {
    let app = TestApp::start().await;
    let issuer = Issuer::start(SigningKey::elliptic("first")).await;
    refused(&app, &issuer.token(&app, &json!({}))).await;
    assert_eq!(issuer.fetches().await, 0);
}

#[tokio::test]
async fn a_token_reaches_the_organization_that_it_names_and_no_other() {
    let (app, issuer) = app_with_issuer(&json!({"organizationClaim": "tenant.id", "scopesClaim": "roles"})).await;
    let (other, _) = app.add_organization().await;
    let token =
        |organization: &str| issuer.token(&app, &json!({"tenant": {"id": organization}, "roles": ["read", "write"]}));
    let create =
        |token: String| app.call_with(&token, Method::POST, "/v1/filters").json(&json!({"name": "All"})).send();
    let own = create(token("default")).await.expect(201);
    let foreign = create(token(&other.to_string())).await.expect(201);
    for (organization, id, status) in [
        ("default".to_owned(), &own["id"], 200),
        ("default".to_owned(), &foreign["id"], 404),
        (other.to_string(), &foreign["id"], 200),
        (other.to_string(), &own["id"], 404),
    ] {
        let path = format!("/v1/filters/{}", id.as_str().unwrap());
        let answer = app.call_with(&token(&organization), Method::GET, &path).send().await;
        assert_eq!(answer.status, status, "{organization} {path}");
    }
    for unknown in ["nobody", "0190a000-0000-7000-8000-000000000009", ""] {
        let problem = create(token(unknown)).await.problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains("`tenant.id`"), "{problem}");
    }
    let nameless = issuer.token(&app, &json!({"roles": ["read"]}));
    app.call_with(&nameless, Method::GET, "/v1/filters").send().await.problem(403, "forbidden");
}

#[tokio::test]
async fn an_issuer_is_bound_to_organizations_and_scopes() {
    let entry = json!({
        "organizationClaim": "tenant", "organizations": ["contoso"], "scopesClaim": "roles", "scopes": ["read"]
    });
    let (app, issuer) = app_with_issuer(&entry).await;
    app.post("/v1/organizations", &json!({"name": "Contoso", "externalId": "contoso"})).await.expect(201);
    let call = |organization: &str, method: Method| {
        let token = issuer.token(&app, &json!({"tenant": organization, "roles": ["read", "write", "admin"]}));
        app.call_with(&token, method, "/v1/filters").json(&json!({"name": "All"})).send()
    };
    call("contoso", Method::GET).await.expect(200);
    call("contoso", Method::POST).await.problem(403, "forbidden");
    let problem = call("default", Method::GET).await.problem(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("may not name"), "{problem}");
}

#[tokio::test]
async fn nobody_uses_the_service_s_own_identity_unless_the_operator_says_so() {
    let (app, issuer) = app_with_issuer(&json!({})).await;
    let token = issuer.token(&app, &json!({}));
    let body = json!({"name": "Contoso", "tenantId": "contoso.onmicrosoft.com", "cloud": "global",
        "clientId": "5a2c8b1e-6f3d-4e7a-9b0c-1d2e3f4a5b6c", "credential": {"kind": "federated"}});
    for (path, body) in [("/v1/connections", body.clone()), ("/v1/connection-checks", body)] {
        let answer = app.call_with(&token, Method::POST, path).json(&body).send().await;
        let problem = answer.problem(403, "federated_not_allowed");
        assert!(problem["detail"].as_str().unwrap().contains("ENTRA_ASSETS_FEDERATED_ALLOW"), "{problem}");
    }
}
