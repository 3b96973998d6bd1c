//! The client of Atlassian Assets: the Imports REST API, and the object API where a job removes objects
//! or clears values. Source: docs/assets.md; developer.atlassian.com/cloud/assets/imports-rest-api-guide.
//!
//! Links are followed as they were given, and only on the Assets origin; for a Forge app they are cut to
//! their path below `/jsm/assets/` and joined to the installation's API base URL. Requests are repeated on
//! 429, 5xx and broken connections until [`Client::with_patience`] is used up, except where a repetition
//! could do something twice: then the outcome is reported as unknown ([`Kind::OutcomeUnknown`]).

pub mod chunk;
pub mod error;
pub mod import;
pub mod mapping;
pub mod objects;
mod request;
#[cfg(test)]
mod tests;
pub mod wire;

pub use chunk::{Chunk, ChunkBuilder, ChunkLimits};
pub use error::{AssetsError, Conflict, Kind};
pub use import::{Execution, Links};
pub use mapping::MappingOutcome;
pub use wire::{ConfigState, ConfigStatus, ExecutionLinks, ExecutionState, ExecutionStatus, ImportSourceInfo};

use crate::clock::Clock;
use crate::config::HostSettings;
use crate::http::same_origin;
use secrecy::SecretString;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

const ATLASSIAN: &str = "https://api.atlassian.com";
/// How long failures that pass are waited out, per call.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whom we talk to as what. The token of a Forge app changes within the hour: make a target for each call
/// from the newest one.
#[derive(Clone, Debug)]
pub enum Target {
    /// The token generated in the import source («External import»).
    ImportToken { token: SecretString },
    /// A Forge app's system token. `api_base_url` is that of the verified invocation token.
    Forge { token: SecretString, api_base_url: Url, workspace_id: String, import_id: String },
}

impl Target {
    fn token(&self) -> &SecretString {
        match self {
            Self::ImportToken { token } | Self::Forge { token, .. } => token,
        }
    }
}

/// Cheap to clone; holds no secret.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    clock: Clock,
    /// Where bytes go: Atlassian, or the operator's ENTRA_ASSETS_ASSETS_URL.
    origin: Url,
    /// The operator named the origin, so that site URLs lead there too.
    is_overridden: bool,
    patience: Duration,
    cancel: CancellationToken,
}

impl Client {
    pub fn new(http: reqwest::Client, clock: Clock, hosts: &HostSettings) -> Self {
        #[expect(clippy::expect_used, reason = "a constant that parses")]
        let atlassian = || Url::parse(ATLASSIAN).expect("Atlassian's origin is a URL");
        Self {
            http,
            clock,
            origin: hosts.assets_url.clone().unwrap_or_else(atlassian),
            is_overridden: hosts.assets_url.is_some(),
            patience: PATIENCE,
            cancel: CancellationToken::new(),
        }
    }

    /// The same, giving up on a call after this long: 20 s where a person waits.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same, ending calls with [`Kind::Cancelled`] when the token is cancelled. A request whose
    /// repetition could do harm is not broken off.
    #[must_use]
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Where a link that Assets gave leads, if it may be followed.
    pub(crate) fn resolve(&self, target: &Target, link: &str) -> Result<Url, AssetsError> {
        let foreign =
            || AssetsError::new(Kind::ForeignLink, format!("Assets gave a link that leads away from {}", self.origin));
        let parsed =
            Url::parse(link).map_err(|_| AssetsError::new(Kind::Malformed, "a link of Assets is not a URL"))?;
        match target {
            Target::ImportToken { .. } if same_origin(&parsed, &self.origin) => Ok(parsed),
            Target::ImportToken { .. } => Err(foreign()),
            Target::Forge { api_base_url, workspace_id, .. } => {
                let below = below_assets(parsed.path()).ok_or_else(foreign)?;
                if !below.starts_with(&format!("workspace/{workspace_id}/")) {
                    return Err(foreign());
                }
                let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
                self.forge_url(api_base_url, &format!("{below}{query}"))
            }
        }
    }

    /// Whether a Forge app's `apiBaseUrl` is that of a Jira site: `/ex/jira/{cloudId}` at Atlassian, or at the
    /// operator's origin.
    pub fn is_api_base_url(&self, url: &Url) -> bool {
        let is_atlassian = Url::parse(ATLASSIAN).is_ok_and(|atlassian| same_origin(url, &atlassian));
        let is_cloud_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let cloud_id = url.path().strip_prefix("/ex/jira/").map(|rest| rest.trim_end_matches('/'));
        (is_atlassian || same_origin(url, &self.origin))
            && cloud_id.is_some_and(is_cloud_id)
            && url.query().is_none()
            && url.fragment().is_none()
    }

    /// `{apiBaseUrl}/jsm/assets/{path}` on the origin that bytes go to. The base URL must be Atlassian's or
    /// the operator's.
    fn forge_url(&self, api_base_url: &Url, path: &str) -> Result<Url, AssetsError> {
        if !self.is_api_base_url(api_base_url) {
            let detail = format!("the API base URL {api_base_url} is no site of {ATLASSIAN} or {}", self.origin);
            return Err(AssetsError::new(Kind::ForeignLink, detail));
        }
        let base = api_base_url.path().trim_end_matches('/');
        let text = format!("{}{base}/jsm/assets/{path}", self.origin.as_str().trim_end_matches('/'));
        let url = Url::parse(&text).map_err(|_| AssetsError::new(Kind::Malformed, "a link of Assets is not a URL"))?;
        // Dots in a path could climb out of the workspace.
        if url.path().contains("/jsm/assets/workspace/") && same_origin(&url, &self.origin) {
            Ok(url)
        } else {
            Err(AssetsError::new(Kind::ForeignLink, "a link of Assets leads out of its workspace"))
        }
    }
}

/// What follows `/jsm/assets/`, or `/jsm/insight/` as older links say.
fn below_assets(path: &str) -> Option<&str> {
    ["/jsm/assets/", "/jsm/insight/"].into_iter().find_map(|prefix| path.split_once(prefix).map(|(_, below)| below))
}
