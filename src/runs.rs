//! The engine: what a run does from its claim to its end.
//!
//! [`worker`] claims runs from the queue and keeps their leases; [`pipeline`] leads one run through its
//! stages: [`collect`] reads the directory from Graph into the mirror, [`diff`] compares what was seen with
//! what was delivered, [`deliver`] sends it to Assets, [`settle`] writes down what was delivered.
//! [`scheduler`] queues what is due. Each stage ends with a checkpoint, so any process goes on from there.

pub mod collect;
pub mod context;
pub mod deliver;
pub mod diff;
pub mod journal;
pub mod pipeline;
pub mod scheduler;
pub mod settle;
pub mod stop;
pub mod worker;

use crate::assets;
use crate::clock::Clock;
use crate::config::Settings;
use crate::db::Db;
use crate::db::listen::Notice;
use crate::directory::LicenseNames;
use crate::graph;
use crate::seal::KeyRing;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What the stages work with. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub db: Db,
    pub clock: Clock,
    pub keys: KeyRing,
    pub graph: graph::Client,
    pub assets: assets::Client,
    pub settings: Arc<Settings>,
    pub license_names: Arc<LicenseNames>,
    /// What LISTEN heard, from this process and others.
    pub notices: broadcast::Sender<Notice>,
}
