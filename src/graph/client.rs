//! The client of the whole process: connections, tokens, and one limiter for each application in a tenant and
//! service.

use super::limiter::Limiter;
use super::service::Service;
use super::token::Tokens;
use crate::clock::Clock;
use crate::config::HostSettings;
use crate::quota::QuotaKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;
use url::Url;
use uuid::Uuid;

/// Access to Graph for the whole process. Cheap to clone; all clones share limiters and tokens.
#[derive(Clone)]
pub struct Client(pub(super) Arc<ClientInner>);

pub(super) struct ClientInner {
    pub http: reqwest::Client,
    pub clock: Clock,
    pub graph_url: Option<Url>,
    pub tokens: Tokens,
    /// Resource units that one application may spend in one tenant in ten seconds.
    units: u32,
    limiters: Mutex<HashMap<QuotaKey, Arc<Limiter>>>,
    /// Wakes whoever shares the quotas with other processes, if somebody does.
    sharing: OnceLock<Arc<Notify>>,
}

impl Client {
    /// `units`: resource units that one application may spend in one tenant in ten seconds.
    pub fn new(http: reqwest::Client, clock: Clock, hosts: &HostSettings, tokens: Tokens, units: u32) -> Self {
        let graph_url = hosts.graph_url.clone();
        Self(Arc::new(ClientInner {
            http,
            clock,
            graph_url,
            tokens,
            units,
            limiters: Mutex::default(),
            sharing: OnceLock::new(),
        }))
    }

    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// The limiter of an application in a tenant, for one service. The tenant is the token's, because a domain name in the
    /// settings and its GUID are the same tenant.
    pub(super) fn limiter(&self, client_id: Uuid, tenant: &str, service: Service) -> Arc<Limiter> {
        let mut limiters = self.0.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let key = QuotaKey { application: client_id, tenant: tenant.to_ascii_lowercase(), service: service.as_str() };
        let units = service.units(self.0.units);
        let new = || match self.0.sharing.get() {
            Some(sharing) => Limiter::shared(self.0.clock.clone(), units, sharing.clone()),
            None => Limiter::new(self.0.clock.clone(), units),
        };
        limiters.entry(key).or_insert_with(new).clone()
    }

    /// From now on, limiters get their units by [`Limiter::apply`]. The result tells when one should report soon.
    pub fn share_limiters(&self) -> Arc<Notify> {
        self.0.sharing.get_or_init(Arc::default).clone()
    }

    /// All limiters.
    pub fn limiters(&self) -> Vec<(QuotaKey, Arc<Limiter>)> {
        let limiters = self.0.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        limiters.iter().map(|(key, limiter)| (key.clone(), limiter.clone())).collect()
    }
}
