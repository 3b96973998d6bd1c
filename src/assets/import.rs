//! Executions of an import source: start, send chunks, complete, read the status, cancel.

use super::chunk::Chunk;
use super::client::{Client, Target};
use super::error::{AssetsError, AssetsErrorKind, Result};
use super::request::{Repeat, Request, json_body};
use super::wire::{ConfigAnswer, ConfigStatus, ExecutionLinks, ExecutionStatus, ImportSourceInfo, Info, Started};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// The longest reason in the history, in characters (docs/assets.md, «Endpoints»).
const MAX_REASON_CHARACTERS: usize = 1024;

/// The links of an import source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Links {
    pub get_status: String,
    pub start: String,
    pub mapping: String,
}

impl Links {
    /// The id of the import source, from the path. External ids contain it.
    pub fn import_source_id(&self) -> Option<String> {
        segment_after(&self.mapping, "importsource")
    }

    /// The id of the Assets workspace, from the path.
    pub fn workspace_id(&self) -> Option<String> {
        segment_after(&self.mapping, "workspace")
    }

    /// A link next to `mapping`, for resources that `imports/info` does not list.
    fn next_to_mapping(&self, name: &str) -> Result<String> {
        let name = if name.is_empty() { String::new() } else { format!("/{name}") };
        with_path(&self.mapping, "/mapping", &name)
    }

    /// The link to an execution, or to something else below the executions.
    pub fn execution(&self, name: &str) -> Result<String> {
        with_path(&self.start, "", &format!("/{name}"))
    }

    /// The link to the schema and mapping that Assets has.
    pub(super) fn schema_and_mapping(&self) -> Result<String> {
        self.next_to_mapping("schema-and-mapping")
    }
}

/// An execution that was started.
#[derive(Clone, Debug)]
pub struct Execution {
    pub links: ExecutionLinks,
    /// The execution's id; Assets names it only in the path of its links.
    pub execution_id: String,
}

/// The outcome of a submitted chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// Earlier attempts to send the chunk whose outcome is unknown: Assets may have counted its objects each time.
    pub repeats: u64,
}

/// What users see in Assets while data arrives.
#[derive(Clone, Debug, Default)]
pub struct Progress<'a> {
    pub step: u32,
    pub steps: u32,
    pub description: &'a str,
    pub objects: u64,
    pub objects_total: u64,
}

impl Client {
    /// The links of the import source. Proves that the token is valid.
    pub async fn links(&self, target: &Target) -> Result<Links> {
        let links = match target {
            Target::ImportToken { .. } => {
                let mut url = self.origin.clone();
                url.set_path("/jsm/assets/v1/imports/info");
                let info: Info = self.get("GET imports/info", target.into(), url).await?;
                Links { get_status: info.links.get_status, start: info.links.start, mapping: info.links.mapping }
            }
            Target::Forge { api_base_url, workspace_id, import_id, .. } => {
                let base = format!("workspace/{workspace_id}/v1/importsource/{import_id}");
                let link = |name: &str| self.forge_url(api_base_url, &format!("{base}/{name}")).map(String::from);
                Links { get_status: link("configstatus")?, start: link("executions")?, mapping: link("mapping")? }
            }
        };
        for link in [&links.get_status, &links.start, &links.mapping] {
            self.resolve(target, link)?;
        }
        Ok(links)
    }

    /// The state of the import source.
    pub async fn config_status(&self, target: &Target, links: &Links) -> Result<ConfigStatus> {
        let url = self.resolve(target, &links.get_status)?;
        self.get::<ConfigAnswer>("GET configstatus", target.into(), url).await.map(ConfigStatus::from)
    }

    /// The import source as Assets describes it; `None` if the token may not read it.
    pub async fn import_source(&self, target: &Target, links: &Links) -> Result<Option<ImportSourceInfo>> {
        let url = self.resolve(target, &links.next_to_mapping("")?)?;
        match self.get("GET importsource", target.into(), url).await {
            Ok(info) => Ok(Some(info)),
            Err(error) => match error.kind {
                AssetsErrorKind::Unauthorized
                | AssetsErrorKind::Forbidden
                | AssetsErrorKind::NotFound
                | AssetsErrorKind::Validation { .. } => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Starts an execution. `scheduled` marks it as scheduled in the history of Assets.
    ///
    /// Without a response the error is [`AssetsErrorKind::OutcomeUnknown`]: an execution may be open. Read
    /// [`Client::config_status`] before starting again.
    pub async fn start(&self, target: &Target, links: &Links, scheduled: bool) -> Result<Execution> {
        let request = Request {
            action: "POST executions",
            method: Method::POST,
            url: self.resolve(target, &links.start)?,
            credential: target.into(),
            body: if scheduled { json_body(&json!({"scheduled": true})) } else { None },
            repeat: Repeat::OnlyIfNotDone,
        };
        let started: Started = self.send(&request).await?.json().map_err(|error| {
            // An execution was started, but there is no link to it.
            AssetsError { kind: AssetsErrorKind::OutcomeUnknown, ..error }.during("POST executions")
        })?;
        let links = started.links;
        for link in [&links.submit_progress, &links.submit_results, &links.get_execution_status, &links.cancel] {
            self.resolve(target, link)?;
        }
        let execution_id = segment_after(&links.submit_results, "executions").ok_or_else(|| {
            AssetsError::new(AssetsErrorKind::Malformed, "the link for data does not contain an execution")
                .during("POST executions")
        })?;
        Ok(Execution { links, execution_id })
    }

    /// Sends one chunk. A chunk that completes the execution is not retried when its outcome is unknown: read the status
    /// first ([`AssetsErrorKind::OutcomeUnknown`]). Other chunks are retried unchanged, with the same
    /// `clientGeneratedId`.
    pub async fn submit(&self, target: &Target, links: &ExecutionLinks, chunk: &Chunk) -> Result<Submitted> {
        let request = Request {
            action: "POST data",
            method: Method::POST,
            url: self.resolve(target, &links.submit_results)?,
            credential: target.into(),
            body: Some(chunk.body.clone()),
            repeat: if chunk.completed { Repeat::OnlyIfNotDone } else { Repeat::Safe },
        };
        let answer = self.send(&request).await?;
        Ok(Submitted { repeats: answer.repeats })
    }

    /// Reports the progress to Assets. It is only shown to users, so a failure is no reason to stop.
    pub async fn progress(&self, target: &Target, links: &ExecutionLinks, progress: &Progress<'_>) -> Result<()> {
        let body = json!({
            "steps": {"total": progress.steps, "current": progress.step, "description": progress.description},
            "objects": {"total": progress.objects_total, "processed": progress.objects},
        });
        let request = Request {
            action: "PUT progress",
            method: Method::PUT,
            url: self.resolve(target, &links.submit_progress)?,
            credential: target.into(),
            body: json_body(&body),
            repeat: Repeat::OnlyIfNotDone,
        };
        self.send(&request).await.map(|_| ())
    }

    /// The status of an execution, with all counters.
    pub async fn status(&self, target: &Target, links: &ExecutionLinks) -> Result<ExecutionStatus> {
        self.status_at(target, &links.get_execution_status).await
    }

    /// The same by a link from [`ConfigStatus`].
    pub async fn status_at(&self, target: &Target, link: &str) -> Result<ExecutionStatus> {
        let url = self.resolve(target, link)?;
        self.get("GET execution status", target.into(), url).await
    }

    /// The status of the newest execution, whoever started it; `None` if there was none.
    pub async fn latest_status(&self, target: &Target, links: &Links) -> Result<Option<ExecutionStatus>> {
        let url = self.resolve(target, &links.execution("status")?)?;
        match self.get("GET latest execution status", target.into(), url).await {
            Ok(status) => Ok(Some(status)),
            Err(error) if error.kind == AssetsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Cancels an execution by its `cancel` link. After `completed` Assets can reject this (400 or 409): then the caller can
    /// only wait for its end. An execution that no longer exists counts as cancelled.
    pub async fn cancel(&self, target: &Target, cancel_link: &str) -> Result<()> {
        let request = Request {
            action: "DELETE execution",
            method: Method::DELETE,
            url: self.resolve(target, cancel_link)?,
            credential: target.into(),
            body: None,
            repeat: Repeat::Safe,
        };
        match self.send(&request).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == AssetsErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes a reason into the history of Assets. This works only while Assets accepts data; afterwards it answers 400.
    pub async fn failed_history(&self, target: &Target, links: &ExecutionLinks, reason: &str) -> Result<()> {
        let history = with_path(&links.submit_results, "/data", "/history/failed")?;
        let reason: String = reason.chars().take(MAX_REASON_CHARACTERS).collect();
        let request = Request {
            action: "POST history/failed",
            method: Method::POST,
            url: self.resolve(target, &history)?,
            credential: target.into(),
            body: json_body(&json!({"failureReason": reason})),
            repeat: Repeat::OnlyIfNotDone,
        };
        self.send(&request).await.map(|_| ())
    }
}

/// The link with another end of its path: `old` must be its end and becomes `new`. A query stays.
fn with_path(link: &str, old: &str, new: &str) -> Result<String> {
    let (path, query) = link.split_once('?').map_or((link, None), |(path, query)| (path, Some(query)));
    let path = path.trim_end_matches('/').strip_suffix(old).ok_or_else(|| {
        AssetsError::new(AssetsErrorKind::Malformed, format!("a link of Assets does not end in {old}"))
    })?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{path}{new}{query}"))
}

/// The path segment after the named one.
fn segment_after(link: &str, name: &str) -> Option<String> {
    let url = Url::parse(link).ok()?;
    let mut segments = url.path_segments()?;
    segments.find(|segment| *segment == name)?;
    segments.next().filter(|segment| !segment.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_its_query_when_its_path_goes_on() {
        let start = "https://a/importsource/1/executions/?shard=7".to_owned();
        let links =
            Links { get_status: String::new(), start, mapping: "https://a/importsource/1/mapping?x=1".to_owned() };
        assert_eq!(links.execution("status").unwrap(), "https://a/importsource/1/executions/status?shard=7");
        assert_eq!(links.schema_and_mapping().unwrap(), "https://a/importsource/1/schema-and-mapping?x=1");
        let history = with_path("https://a/executions/2/data?x=1", "/data", "/history/failed").unwrap();
        assert_eq!(history, "https://a/executions/2/history/failed?x=1");
        assert!(with_path("https://a/other", "/data", "").is_err());
    }
}
