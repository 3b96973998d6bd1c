//! What every part of the running service shares. Cheap to clone.

use crate::clock::Clock;
use crate::config::Settings;
use crate::db::Db;
use crate::db::listen::Notice;
use crate::error::Result;
use crate::http;
use crate::seal::KeyRing;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Notices that a slow receiver may lag behind before it loses some; a lost notice costs one poll.
const NOTICES: usize = 1024;

#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    pub keys: KeyRing,
    pub settings: Arc<Settings>,
    /// The one client for requests to Microsoft and Atlassian.
    pub http: reqwest::Client,
    /// What other processes announce by NOTIFY, see [`crate::db::listen`].
    pub notices: broadcast::Sender<Notice>,
    /// Cancelled when the process is about to stop: whoever waits for news answers with what there is.
    pub stopping: CancellationToken,
}

impl App {
    pub fn new(db: Db, clock: Clock, keys: KeyRing, settings: Settings, stopping: CancellationToken) -> Result<Self> {
        let http = http::client(&settings.http)?;
        let (notices, _) = broadcast::channel(NOTICES);
        Ok(Self { db, clock, keys, settings: Arc::new(settings), http, notices, stopping })
    }
}
