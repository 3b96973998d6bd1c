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
}

impl App {
    pub fn new(db: Db, clock: Clock, keys: KeyRing, settings: Settings) -> Result<Self> {
        let http = http::client(&settings.http)?;
        let (notices, _) = broadcast::channel(NOTICES);
        Ok(Self { db, clock, keys, settings: Arc::new(settings), http, notices })
    }
}
