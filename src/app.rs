//! The state that all parts of the running service share. Cheap to clone.

pub mod followers;

use crate::assets;
use crate::clock::Clock;
use crate::config::Settings;
use crate::connection_check::turns::Turns;
use crate::db::Db;
use crate::db::listen::Notice;
use crate::db::presence::Presence;
use crate::db::runs::Walk;
use crate::directory::LicenseNames;
use crate::error::{Code, Error, Result};
use crate::graph;
use crate::graph::token::{Federated, Tokens};
use crate::http;
use crate::http::public::PublicClient;
use crate::seal::KeyRing;
use followers::Followers;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// How many notices a slow receiver may lag behind before it loses some. A lost notice costs one poll.
const NOTICES: usize = 1024;

#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    pub keys: KeyRing,
    pub settings: Arc<Settings>,
    /// The one client for requests to Microsoft and Atlassian.
    pub http: reqwest::Client,
    /// For addresses that callers choose.
    pub public_http: PublicClient,
    pub graph: graph::Client,
    pub assets: assets::Client,
    /// Limits the checks of connections.
    pub check_turns: Turns,
    /// Whose turn it is in the run queue.
    pub walk: Walk,
    /// The names of licences by SKU id.
    pub license_names: Arc<LicenseNames>,
    /// The notices of other processes, see [`crate::db::listen`].
    pub notices: broadcast::Sender<Notice>,
    /// Who follows runs in this process.
    pub followers: Followers,
    /// How other processes see that this one is alive.
    pub presence: Presence,
    /// Cancelled when the process shuts down: a request that waits for news returns what there is.
    pub stopping: CancellationToken,
}

impl App {
    pub fn new(db: Db, clock: Clock, keys: KeyRing, settings: Settings, stopping: CancellationToken) -> Result<Self> {
        let http = http::client(&settings.http)?;
        let public_http = PublicClient::new(&settings.http, &settings.security.webhook_allow)?;
        let (notices, _) = broadcast::channel(NOTICES);
        let federated = Federated::from_settings(&settings.security)?;
        let tokens = Tokens::new(http.clone(), clock.clone(), settings.hosts.clone(), federated);
        let graph = graph::Client::new(http.clone(), clock.clone(), &settings.hosts, tokens, settings.graph_units);
        let assets = assets::Client::new(http.clone(), clock.clone(), &settings.hosts);
        let license_names = Arc::new(license_names(&settings)?);
        let check_turns = Turns::new(settings.rate_limit);
        Ok(Self {
            db,
            clock,
            keys,
            settings: Arc::new(settings),
            http,
            public_http,
            graph,
            assets,
            check_turns,
            walk: Walk::default(),
            license_names,
            notices,
            followers: Followers::default(),
            presence: Presence::random(),
            stopping,
        })
    }
}

/// The names of licences: the built-in ones, or with the names of the operator's file.
pub fn license_names(settings: &Settings) -> Result<LicenseNames> {
    let Some(path) = &settings.license_names else { return Ok(LicenseNames::builtin()) };
    let text = std::fs::read_to_string(path).map_err(|e| {
        let detail = format!("ENTRA_ASSETS_LICENSE_NAMES: cannot read {}: {e}.", path.display());
        Error::new(Code::ConfigurationInvalid, detail)
    })?;
    LicenseNames::with_override(&text)
}
