//! The state that every request of the simulator works on.

use super::answer::Problem;
use super::fault::Faults;
use super::log::Log;
use super::query::Query;
use super::quota::{Buckets, Quota, RetryAfterForm};
use super::tenant::Tenant;
use super::token::Token;
use crate::ids::random_id;
use crate::seed::Directory;
use chrono::{DateTime, Utc};
use entra_assets_kernel::clock::Clock;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use uuid::Uuid;

/// What the changes of a user say when the manager went and nobody took the place. It is not documented.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClearedManager {
    /// An entry that is removed.
    #[default]
    RemovedEntry,
    EmptyList,
    /// The user is reported, the manager not.
    Nothing,
}

/// Requests that a server may not support; see `GraphSim::refuse`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Feature {
    /// `$count=true` and `/$count`.
    Count,
    /// A `$filter` that names `createdDateTime`.
    CreatedDateTimeFilter,
    /// A `$filter` in a query that is not advanced, but for one by ids.
    DefaultFilter,
    Delta,
    Batch,
    /// Any `$expand`.
    Expand,
    /// `/directory/deletedItems`.
    DeletedItems,
}

pub(crate) struct Sim {
    pub(super) clock: Clock,
    pub(super) quota: Mutex<Option<Quota>>,
    pub(super) retry_after: Mutex<RetryAfterForm>,
    pub(super) latency: Mutex<Duration>,
    pub(super) tenants: RwLock<Vec<Tenant>>,
    pub(super) tokens: RwLock<HashMap<String, Arc<Token>>>,
    pub(super) buckets: Buckets,
    pub(super) faults: Faults,
    pub(super) refusals: Mutex<HashMap<Feature, u16>>,
    /// No page has more objects than this.
    pub(super) max_page_size: AtomicUsize,
    /// A larger `$top` is refused.
    pub(super) largest_top: AtomicUsize,
    /// The changes of groups leave out members that were deleted, those of users managers that were deleted or restored.
    pub(super) silent_deletions: AtomicBool,
    pub(super) cleared_manager: Mutex<ClearedManager>,
    /// Requests whose answer failed, when the tokens of repeated requests are to be bad.
    pub(super) failed: Mutex<Option<HashSet<String>>>,
    pub(super) log: Log,
    pub(super) signing_key: [u8; 32],
    /// Of the directory that the tenants share.
    pub(super) directory: Arc<RwLock<Directory>>,
}

impl Sim {
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn new_id(&self) -> Uuid {
        random_id()
    }

    pub(super) fn read_tenants(&self) -> RwLockReadGuard<'_, Vec<Tenant>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_tenants(&self) -> RwLockWriteGuard<'_, Vec<Tenant>> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remember(&self, text: String, token: Token) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(text, Arc::new(token));
    }

    pub(super) fn recall(&self, text: &str) -> Option<Arc<Token>> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    pub(super) fn max_page_size(&self) -> usize {
        self.max_page_size.load(Ordering::Relaxed)
    }

    /// Refuses a page that is larger than the server reads at a time.
    pub(super) fn check_top(&self, query: &Query, what: &str) -> Result<(), Problem> {
        let most = self.largest_top.load(Ordering::Relaxed);
        let top = query.get("$top").and_then(|text| text.parse::<usize>().ok());
        match top.is_some_and(|top| top > most) {
            true => Err(Problem::bad_request(format!("Cannot query data for more than {most} {what} at a time."))),
            false => Ok(()),
        }
    }

    pub(super) fn set_refusal(&self, feature: Feature, status: Option<u16>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match status {
            Some(status) => refusals.insert(feature, status),
            None => refusals.remove(&feature),
        };
    }

    /// The refusal of a feature, if it is refused.
    pub(super) fn refused(&self, feature: Feature) -> Result<(), Problem> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match refusals.get(&feature) {
            None => Ok(()),
            Some(404) => Err(Problem::new(404, "Request_ResourceNotFound", "Resource not found for the segment.")),
            Some(501) => Err(Problem::new(501, "NotImplemented", "This operation target is not yet supported.")),
            Some(status) => Err(Problem::new(*status, "Request_UnsupportedQuery", "Unsupported Query.")),
        }
    }
}
