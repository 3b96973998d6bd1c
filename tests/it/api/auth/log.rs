//! Tokens are never logged.

use super::refused;
use crate::support::issuer::{app_with_forge, changed, installation, invocation};
use reqwest::Method;
use serde_json::json;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_an_invocation_token_nor_a_system_token_is_logged() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("trace,tokio_postgres=info")
        .with_writer(captured.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (app, issuer) = app_with_forge(Default::default(), Default::default()).await;
    let system_token = "system-token-of-the-tests-0123456789";
    let good = issuer.invocation_token(&app, &installation(1));
    let call = app.call_with(&good, Method::POST, "/v1/forge/refresh").header("x-forge-oauth-system", system_token);
    call.send().await.expect(200);
    let expired = issuer.key.sign(&changed(invocation(&app, &installation(1)), &json!({"exp": 1})));
    refused(&app, &expired).await;
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
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
