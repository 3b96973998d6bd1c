//! Sends the schema and mapping document to Assets: PUT the first time, PATCH afterwards. Assets works on it at once or
//! in the background.

use super::client::{Client, Target};
use super::error::{AssetsError, AssetsErrorKind, Result};
use super::import::Links;
use super::request::{Answer, Repeat, Request, json_body};
use super::wire::MappingProgress;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;

/// How often the progress of a background job is polled.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// What Assets did with a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MappingOutcome {
    /// The import source had no mapping.
    Created,
    /// The import source had a mapping, which was patched.
    Updated,
}

impl Client {
    /// The object schema of the import source and its mapping, with defaults; `None` if it has none yet. An import source
    /// without a mapping can have a schema that others built.
    pub async fn schema_and_mapping(&self, target: &Target, links: &Links) -> Result<Option<Value>> {
        let url = self.resolve(target, &links.schema_and_mapping()?)?;
        match self.get::<Value>("GET schema-and-mapping", target.into(), url).await {
            Ok(document) if document.get("schema").is_some_and(Value::is_object) => Ok(Some(document)),
            Ok(_) => Ok(None),
            Err(error) if matches!(error.kind, AssetsErrorKind::NotFound | AssetsErrorKind::Validation { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Builds the schema: PUT of `document`, or if Assets already has a mapping (409), PATCH of the result of `patch`.
    /// `patch` gets the document that Assets has, so that it leaves out what Assets does not allow to change.
    pub async fn put_mapping(
        &self,
        target: &Target,
        links: &Links,
        document: &Value,
        patch: impl FnOnce(&Value) -> Value,
    ) -> Result<MappingOutcome> {
        match self.send_mapping(target, links, Method::PUT, document).await {
            Ok(()) => return Ok(MappingOutcome::Created),
            Err(error) if matches!(error.kind, AssetsErrorKind::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
        let current = self.schema_and_mapping(target, links).await?;
        let document = current.as_ref().map_or_else(|| document.clone(), patch);
        self.send_mapping(target, links, Method::PATCH, &document).await?;
        Ok(MappingOutcome::Updated)
    }

    async fn send_mapping(&self, target: &Target, links: &Links, method: Method, document: &Value) -> Result<()> {
        let action = if method == Method::PUT { "PUT mapping" } else { "PATCH mapping" };
        let request = Request {
            action,
            method,
            url: self.resolve(target, &links.mapping)?,
            credential: target.into(),
            body: json_body(&without_empty_icons(document)),
            repeat: Repeat::Safe,
        };
        let answer = self.send(&request).await?;
        self.follow_mapping(target, &request, &answer).await.map_err(|error| error.during(action))
    }

    /// Waits until Assets has processed a document in the background: 303 or 202, with a link to its progress.
    async fn follow_mapping(&self, target: &Target, request: &Request<'_>, answer: &Answer) -> Result<()> {
        let Some(location) = answer.location.as_deref().filter(|_| matches!(answer.status, 202 | 301..=308)) else {
            return match answer.status {
                200..=299 => Ok(()),
                status => Err(AssetsError::new(
                    AssetsErrorKind::Malformed,
                    format!("status {status} without a link to the progress"),
                )),
            };
        };
        let link = request
            .url
            .join(location)
            .map_err(|_| AssetsError::new(AssetsErrorKind::Malformed, "a link of Assets is not a URL"))?;
        let start = self.clock.instant();
        loop {
            let url = self.resolve(target, link.as_str())?;
            let progress: MappingProgress = self.get("GET mapping progress", target.into(), url).await?;
            let result = progress.result.as_deref().unwrap_or("");
            let message = progress.result_message.unwrap_or_default();
            let is_failed =
                ["FAIL", "ERROR"].iter().any(|word| result.contains(word) || progress.progress_status.contains(word));
            match (progress.progress_status.as_str(), result) {
                ("FINISHED", "OK" | "") => return Ok(()),
                ("FINISHED", _) => return Err(refused(result, message)),
                _ if is_failed => return Err(refused(result, message)),
                _ => {}
            }
            if self.clock.elapsed_since(start) + POLL_EVERY > self.patience {
                return Err(AssetsError::new(
                    AssetsErrorKind::OutcomeUnknown,
                    "Assets is still working on the mapping",
                ));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(AssetsError::new(AssetsErrorKind::Cancelled, "")),
                () = self.clock.sleep(POLL_EVERY) => {}
            }
        }
    }
}

fn refused(result: &str, message: String) -> AssetsError {
    let message = if message.is_empty() { format!("the result of the mapping is {result}") } else { message };
    AssetsError::new(AssetsErrorKind::Validation { details: vec![message.clone()] }, message)
}

/// Assets returns an empty list of icons, but rejects one in a request (docs/assets.md, «Mapping»).
fn without_empty_icons(document: &Value) -> Value {
    let mut document = document.clone();
    let has_icons =
        document.pointer("/schema/iconSchema/icons").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if !has_icons && let Some(schema) = document.get_mut("schema").and_then(Value::as_object_mut) {
        schema.remove("iconSchema");
    }
    document
}
