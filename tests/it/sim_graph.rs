//! The Entra and Graph simulator, over HTTP.

mod consent;
mod delta;
mod faults;
mod reading;
mod sign_in;

use chrono::{DateTime, Utc};
use entra_assets::clock::Clock;
use entra_assets::config::HttpSettings;
use entra_assets::sim::graph::{Credentials, GraphOptions, GraphSim, Scenario, start};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// A simulator with a client that holds a token.
struct Graph {
    sim: GraphSim,
    clock: Clock,
    client: reqwest::Client,
    token: String,
}

fn epoch() -> DateTime<Utc> {
    "2026-11-01T08:00:00Z".parse().unwrap()
}

impl Graph {
    async fn start() -> Self {
        Self::start_with(GraphOptions::default()).await
    }

    async fn start_with(options: GraphOptions) -> Self {
        let clock = Clock::manual_sleepless(epoch());
        let sim = start(GraphOptions { clock: clock.clone(), ..options }).unwrap();
        let client = entra_assets::http::client(&HttpSettings::default()).unwrap();
        let mut graph = Self { sim, clock, client, token: String::new() };
        graph.sign_in(Scenario::Healthy).await;
        graph
    }

    async fn sign_in(&mut self, scenario: Scenario) {
        let (status, body) = self.ask_token(&scenario.credentials()).await;
        assert_eq!(status, 200, "{body}");
        self.token = body["access_token"].as_str().unwrap().to_owned();
    }

    async fn ask_token(&self, credentials: &Credentials) -> (u16, Value) {
        let form = [
            ("client_id", credentials.client_id.to_string()),
            ("client_secret", credentials.client_secret.clone()),
            ("grant_type", "client_credentials".into()),
            ("scope", "https://graph.microsoft.com/.default".into()),
        ];
        self.token_form(&credentials.tenant_id, &form).await
    }

    async fn token_form(&self, tenant: &str, form: &[(&str, String)]) -> (u16, Value) {
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.sim.login_origin());
        let response = self.client.post(url).form(form).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// `path` with the version, or a whole link.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.sim.graph_origin()) } else { path.to_owned() };
        self.client.request(method, url).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        let status = response.status();
        let body = response.json().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn fail(&self, path: &str) -> (u16, String) {
        let response = self.request(Method::GET, path).send().await.unwrap();
        code(response).await
    }

    async fn advanced(&self, path: &str) -> Response {
        self.request(Method::GET, path).header("ConsistencyLevel", "eventual").send().await.unwrap()
    }

    /// Every row, following the links.
    async fn all(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(link) = next {
            let page = self.get(&link).await;
            rows.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        rows
    }
}

/// Status and error code.
async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn ids(rows: &[Value]) -> std::collections::BTreeSet<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}
