//! The API, called as a script would.

use crate::config::HttpSettings;
use crate::http;
use anyhow::{Context, Result, bail};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

pub(in crate::cli) struct Calls {
    client: reqwest::Client,
    address: String,
    key: SecretString,
}

impl Calls {
    pub(in crate::cli) fn new(address: &str, key: &SecretString) -> Result<Self> {
        let client = http::client(&HttpSettings::default())?;
        Ok(Self { client, address: address.to_owned(), key: key.clone() })
    }

    pub(in crate::cli) async fn get(&self, path: &str) -> Result<Value> {
        Self::whole(path, self.send(self.client.get(self.url(path))).await?)
    }

    pub(in crate::cli) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Self::whole(path, self.try_post(path, body).await?)
    }

    /// Posts, and gives the id of what came to be.
    pub(in crate::cli) async fn create(&self, path: &str, body: &Value) -> Result<String> {
        let answer = self.post(path, body).await?;
        Ok(answer["id"].as_str().with_context(|| format!("an answer without an id: {answer}"))?.to_owned())
    }

    /// The status with the answer, whatever it is.
    pub(in crate::cli) async fn try_post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(u16, Value)> {
        // Not `bearer_auth`, which takes ASCII only.
        let bearer = HeaderValue::from_bytes(format!("Bearer {}", self.key.expose_secret()).as_bytes())?;
        let response = request.header(AUTHORIZATION, bearer).send().await.context("the service does not answer")?;
        let status = response.status().as_u16();
        let body = response.text().await?;
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::String(body))))
    }

    fn whole(path: &str, (status, body): (u16, Value)) -> Result<Value> {
        match status {
            200..=299 => Ok(body),
            _ => bail!("{path} answered {status}: {body}"),
        }
    }
}
