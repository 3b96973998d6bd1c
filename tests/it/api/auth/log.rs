//! Tokens are never logged.

use super::refused;
use crate::support::issuer::{app_with_forge, changed, installation, invocation};
use crate::support::log::Log;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn neither_an_invocation_token_nor_a_system_token_is_logged() {
    let heard = Log::listen();
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let system_token = "system-token-of-the-tests-0123456789";
    let good = issuer.invocation_token(&app, &installation(1));
    let call = app.call_with(&good, Method::POST, "/v1/forge/refresh").header("x-forge-oauth-system", system_token);
    call.send().await.expect(200);
    let expired = issuer.key.sign(&changed(invocation(&app, &installation(1)), &json!({"exp": 1})));
    refused(&app, &expired).await;
    let log = heard.text();
    assert!(log.contains("signing keys fetched"), "the log is heard");
    // The client's own log in this process shows what it sends; the service's does not.
    let of_service: Vec<&str> =
        log.lines().filter(|line| line.contains("entra_assets") || line.contains("actix")).collect();
    assert!(of_service.len() > 3);
    for secret in [good.as_str(), expired.as_str(), system_token] {
        let signature = secret.rsplit('.').next().unwrap();
        for line in &of_service {
            assert!(!line.contains(signature), "{line}");
        }
    }
}
