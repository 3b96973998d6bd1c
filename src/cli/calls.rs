//! The API, called as a script would.

use crate::http;
use anyhow::{Context, Result};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The most items that are read of one list.
const MAX_ITEMS: usize = 10_000;
/// More than any answer has that is read here.
const MAX_ANSWER_BYTES: usize = 64 << 20;

pub(in crate::cli) struct Calls {
    client: reqwest::Client,
    address: String,
    key: SecretString,
}

/// An answer with a status from 400 on.
#[derive(Debug)]
pub(in crate::cli) struct Refused {
    pub(in crate::cli) status: u16,
    /// A problem document, or the text of something in between.
    pub(in crate::cli) problem: Value,
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let detail = self.problem["detail"].as_str().or(self.problem.as_str()).unwrap_or_default();
        write!(f, "the service answered {}: {}", self.status, detail.trim())
    }
}

impl Calls {
    #[cfg(feature = "simulators")]
    pub(in crate::cli) fn new(address: &str, key: &SecretString) -> Result<Self> {
        Ok(Self::with_client(http::client(&crate::config::HttpSettings::default())?, address, key))
    }

    pub(in crate::cli) fn with_client(client: reqwest::Client, address: &str, key: &SecretString) -> Self {
        Self { client, address: address.trim_end_matches('/').to_owned(), key: key.clone() }
    }

    pub(in crate::cli) async fn get(&self, path: &str) -> Result<Value> {
        whole(self.send(self.client.get(self.url(path))).await?).with_context(|| path.to_owned())
    }

    pub(in crate::cli) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        whole(self.try_post(path, body).await?).with_context(|| path.to_owned())
    }

    pub(in crate::cli) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        whole(self.send(self.client.patch(self.url(path)).json(body)).await?).with_context(|| path.to_owned())
    }

    pub(in crate::cli) async fn delete(&self, path: &str) -> Result<Value> {
        whole(self.send(self.client.delete(self.url(path))).await?).with_context(|| path.to_owned())
    }

    /// Posts, and gives the id of what came to be.
    pub(in crate::cli) async fn create(&self, path: &str, body: &Value) -> Result<String> {
        let answer = self.post(path, body).await?;
        Ok(answer["id"].as_str().with_context(|| format!("an answer without an id: {answer}"))?.to_owned())
    }

    /// Every item of a list, page by page. `query`: conditions, or nothing.
    pub(in crate::cli) async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let place = cursor.as_deref().map(|cursor| ("cursor", cursor));
            let request = self.client.get(self.url(path)).query(query).query(&place.as_slice());
            let page = whole(self.send(request).await?).with_context(|| path.to_owned())?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["nextCursor"].as_str() {
                Some(next) if items.len() < MAX_ITEMS => cursor = Some(next.to_owned()),
                Some(_) => anyhow::bail!("{path} has more than {MAX_ITEMS} items, which are too many to compare"),
                None => return Ok(items),
            }
        }
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
        let bearer = HeaderValue::from_bytes(format!("Bearer {}", self.key.expose_secret()).as_bytes())
            .context("the key has characters that a header cannot have")?;
        let response = request.header(AUTHORIZATION, bearer).send().await;
        let response = response.with_context(|| format!("the service at {} does not answer", self.address))?;
        let status = response.status().as_u16();
        let body = http::bounded_body(response, MAX_ANSWER_BYTES).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

fn whole((status, body): (u16, Value)) -> Result<Value> {
    match status {
        200..=299 => Ok(body),
        _ => Err(Refused { status, problem: body }.into()),
    }
}
