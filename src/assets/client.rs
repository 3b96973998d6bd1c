//! The client: its target, and the links that it follows.

use super::error::{AssetsError, AssetsErrorKind};
use crate::clock::Clock;
use crate::config::HostSettings;
use crate::http::same_origin;
use secrecy::SecretString;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

const ATLASSIAN: &str = "https://api.atlassian.com";
/// How long temporary failures are waited out, per call.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where requests go, and with which token. The token of a Forge app changes within an hour: create a target for each
/// call from the newest one.
#[derive(Clone, Debug)]
pub enum Target {
    /// The token generated in the import source («External import»).
    ImportToken { token: SecretString },
    /// A Forge app's system token. `api_base_url` is that of the verified invocation token.
    Forge { token: SecretString, api_base_url: Url, workspace_id: String, import_id: String },
}

impl Target {
    pub(super) fn token(&self) -> &SecretString {
        match self {
            Self::ImportToken { token } | Self::Forge { token, .. } => token,
        }
    }
}

/// Cheap to clone; holds no secret.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) clock: Clock,
    /// Where requests are sent: Atlassian, or the operator's ENTRA_ASSETS_ASSETS_URL.
    pub(super) origin: Url,
    /// The operator set the origin, so requests to site URLs are sent there too.
    pub(super) is_overridden: bool,
    pub(super) patience: Duration,
    pub(super) cancel: CancellationToken,
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

    /// The same client with another retry time per call: 20 s while a person waits.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same client, whose calls end with [`AssetsErrorKind::Cancelled`] when the token is cancelled. A request that
    /// must not be executed twice is not interrupted.
    #[must_use]
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The URL of a link from Assets, if it may be followed.
    pub(crate) fn resolve(&self, target: &Target, link: &str) -> Result<Url, AssetsError> {
        let foreign = || {
            AssetsError::new(
                AssetsErrorKind::ForeignLink,
                format!("Assets returned a link that points outside {}", self.origin),
            )
        };
        let parsed = Url::parse(link)
            .map_err(|_| AssetsError::new(AssetsErrorKind::Malformed, "a link from Assets is not a URL"))?;
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

    /// `{apiBaseUrl}/jsm/assets/{path}` on the client's origin. The base URL must be Atlassian's or
    /// the operator's.
    pub(super) fn forge_url(&self, api_base_url: &Url, path: &str) -> Result<Url, AssetsError> {
        if !self.is_api_base_url(api_base_url) {
            let detail = format!("the API base URL {api_base_url} is not a site of {ATLASSIAN} or {}", self.origin);
            return Err(AssetsError::new(AssetsErrorKind::ForeignLink, detail));
        }
        let base = api_base_url.path().trim_end_matches('/');
        let text = format!("{}{base}/jsm/assets/{path}", self.origin.as_str().trim_end_matches('/'));
        let url = Url::parse(&text)
            .map_err(|_| AssetsError::new(AssetsErrorKind::Malformed, "a link from Assets is not a URL"))?;
        // Dots, a question mark or a number sign in an id could lead elsewhere.
        let is_meant = url.path() == format!("{base}/jsm/assets/{}", path.split('?').next().unwrap_or_default());
        if is_meant && url.path().contains("/jsm/assets/workspace/") && same_origin(&url, &self.origin) {
            Ok(url)
        } else {
            Err(AssetsError::new(AssetsErrorKind::ForeignLink, "a link from Assets points outside its workspace"))
        }
    }
}

/// The part after `/jsm/assets/`, or after `/jsm/insight/` in older links.
fn below_assets(path: &str) -> Option<&str> {
    ["/jsm/assets/", "/jsm/insight/"].into_iter().find_map(|prefix| path.split_once(prefix).map(|(_, below)| below))
}
