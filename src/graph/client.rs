//! The client of the whole process: connections, tokens, and one limiter for each application in a tenant and
//! service.

use super::limiter::Limiter;
use super::service::Service;
use super::token::Tokens;
use crate::clock::Clock;
use crate::config::HostSettings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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
    limiters: Mutex<HashMap<(Uuid, String, Service), Arc<Limiter>>>,
}

impl Client {
    /// `units`: resource units that one application may spend in one tenant in ten seconds.
    pub fn new(http: reqwest::Client, clock: Clock, hosts: &HostSettings, tokens: Tokens, units: u32) -> Self {
        let graph_url = hosts.graph_url.clone();
        Self(Arc::new(ClientInner { http, clock, graph_url, tokens, units, limiters: Mutex::default() }))
    }

    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// The limiter of an application in a tenant, for one service. The tenant is the token's, because a domain name in the
    /// settings and its GUID are the same tenant.
    pub(super) fn limiter(&self, client_id: Uuid, tenant: &str, service: Service) -> Arc<Limiter> {
        let mut limiters = self.0.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client_id, tenant.to_ascii_lowercase(), service);
        let units = service.units(self.0.units);
        limiters.entry(key).or_insert_with(|| Limiter::new(self.0.clock.clone(), units)).clone()
    }
}
