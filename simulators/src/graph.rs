//! The Entra and Microsoft Graph simulator: two loopback origins, one for signing in, one for Graph.
//! It follows docs/graph.md; a comment says where it decides what is not documented.
//!
//! Control, on the Graph origin, without a token: `POST /_sim/faults`, `DELETE /_sim/faults`, `GET /_sim/truth`,
//! `GET /_sim/requests`; see `graph::control`.

pub mod answer;
mod apps;
mod batch;
mod call;
mod control;
mod delta;
mod entra;
mod fault;
mod filter;
mod handle;
mod issue;
mod links;
mod list;
mod log;
mod options;
mod permission;
mod property;
mod query;
mod quota;
mod records;
mod request;
mod route;
mod scenario;
mod server;
mod shape;
mod sim;
mod tenant;
mod tenants;
mod token;

use crate::seed::{Directory, Ref, Truth};
use entra_assets_kernel::clock::Clock;
use entra_assets_kernel::random::random_bytes;
use sim::Sim;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use uuid::Uuid;

pub use entra::statuses as token_error_statuses;
pub use fault::{Action, Fault};
pub use log::{Counters, RequestRecord};
pub use options::GraphOptions;
pub use quota::{Quota, RetryAfterForm};
pub use scenario::{Credentials, POLICY, PROPAGATION, RECOMMENDED, SECRET, Scenario, admin_token};
pub use sim::{ClearedManager, Feature};
pub use tenant::{Api, App, Assignment, Certificate, Federated, Principal, Required, Secret, Tail, Tenant, TokenError};

/// A running simulator; clones are the same one. Stops when [`GraphSim::stop`] is called.
#[derive(Clone)]
pub struct GraphSim {
    sim: Arc<Sim>,
    running: Arc<server::Running>,
}

/// Binds both ports and serves on threads of its own.
pub fn start(options: GraphOptions) -> std::io::Result<GraphSim> {
    let directory = options.directory.clone().unwrap_or_else(|| Directory::generate(options.seed.clone()));
    let directory = Arc::new(RwLock::new(directory));
    let now = options.clock.now();
    let tenants = Scenario::ALL.iter().filter(|scenario| **scenario != Scenario::UnknownTenant);
    let sim = Arc::new(Sim {
        clock: options.clock.clone(),
        quota: Mutex::new(options.quota),
        retry_after: Mutex::new(options.retry_after),
        latency: Mutex::new(options.latency),
        tenants: RwLock::new(tenants.map(|scenario| scenario.tenant(directory.clone(), now)).collect()),
        tokens: RwLock::default(),
        buckets: quota::Buckets::default(),
        faults: fault::Faults::default(),
        refusals: Mutex::default(),
        max_page_size: AtomicUsize::new(usize::MAX),
        largest_top: AtomicUsize::new(usize::MAX),
        silent_deletions: AtomicBool::new(false),
        cleared_manager: Mutex::default(),
        failed: Mutex::new(None),
        log: log::Log::default(),
        signing_key: random_bytes(),
        directory,
    });
    let running = server::run(&options, &sim)?;
    Ok(GraphSim { sim, running: Arc::new(running) })
}

impl GraphSim {
    /// The clock that it started with.
    pub fn clock(&self) -> Clock {
        self.sim.clock.clone()
    }

    /// `http://127.0.0.1:port` for `ENTRA_ASSETS_LOGIN_URL`.
    pub fn login_origin(&self) -> String {
        self.running.login_origin.clone()
    }

    /// `http://127.0.0.1:port` for `ENTRA_ASSETS_GRAPH_URL`.
    pub fn graph_origin(&self) -> String {
        self.running.graph_origin.clone()
    }

    /// Stops both servers, letting open requests end.
    pub async fn stop(&self) {
        self.running.stop().await;
    }

    /// Reads the directory, which the tenants of all scenarios share.
    pub fn read<T>(&self, look: impl FnOnce(&Directory) -> T) -> T {
        look(&self.sim.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the directory; every change appears in delta queries.
    pub fn change<T>(&self, change: impl FnOnce(&mut Directory) -> T) -> T {
        change(&mut self.sim.directory.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn truth(&self) -> Truth {
        self.read(Directory::truth)
    }

    /// The live users and groups that have a text in a property.
    pub fn texts(&self, name: &str) -> Vec<(Uuid, String)> {
        self.read(|directory| {
            let users = directory.live_users().map(|(slot, user)| (Ref::user(slot), user.id));
            let groups = directory.live_groups().map(|(slot, group)| (Ref::group(slot), group.id));
            let text = |object| match property::property(directory, object, name) {
                property::Val::Str(text) => Some(text.into_owned()),
                property::Val::Json(value) => value.as_str().map(str::to_owned),
                _ => None,
            };
            users.chain(groups).filter_map(|(object, id)| Some((id, text(object)?))).collect()
        })
    }

    /// The credentials of the healthy tenant.
    pub fn default_credentials(&self) -> Credentials {
        Scenario::Healthy.credentials()
    }

    /// Adds a tenant like the healthy one, with an application and a directory of its own. What to enter for it.
    pub fn add_tenant(&self, directory: Directory) -> Credentials {
        let (id, client_id) = (self.sim.new_id(), self.sim.new_id());
        let mut tenant = Scenario::Healthy.tenant(Arc::new(RwLock::new(directory)), self.sim.now());
        (tenant.id, tenant.domains) = (id, vec![format!("{}.contoso.example", id.simple())]);
        tenant.apps.iter_mut().for_each(|app| app.app_id = client_id);
        self.sim.write_tenants().push(tenant);
        Credentials { tenant_id: id.to_string(), client_id, client_secret: SECRET.to_owned() }
    }

    /// Changes the tenant of a scenario: its app registrations, consents, token errors.
    pub fn change_tenant<T>(&self, scenario: Scenario, change: impl FnOnce(&mut Tenant) -> T) -> Option<T> {
        let mut tenants = self.sim.write_tenants();
        tenants.iter_mut().find(|tenant| tenant.id == scenario.tenant_id()).map(change)
    }

    /// The app of a scenario.
    pub fn change_app<T>(&self, scenario: Scenario, change: impl FnOnce(&mut App) -> T) -> Option<T> {
        self.change_tenant(scenario, |tenant| tenant.apps.first_mut().map(change)).flatten()
    }

    /// Answers every token request of the tenant with this error; `None`: no longer.
    pub fn set_token_error(&self, scenario: Scenario, error: Option<TokenError>, tail: Tail) {
        self.change_tenant(scenario, |tenant| {
            tenant.token_error = error;
            tenant.tail = tail;
        });
    }

    /// Replaces the Application permissions of a scenario's app, consent included, at once.
    pub fn set_roles(&self, scenario: Scenario, names: &[&str]) {
        let now = self.sim.now();
        self.change_app(scenario, |app| app.grant(names, now));
    }

    pub fn add_fault(&self, fault: Fault) {
        self.sim.faults.add(fault);
    }

    pub fn clear_faults(&self) {
        self.sim.faults.clear();
    }

    /// Answers every use of a feature with 400, 404 or 501; `None`: no longer.
    pub fn refuse(&self, feature: Feature, status: Option<u16>) {
        self.sim.set_refusal(feature, status);
    }

    /// A page that is asked for again after its answer failed has a next link that Graph does not find
    /// (`DirectoryPageTokenNotFoundException`).
    pub fn poison_repeated_pages(&self, on: bool) {
        *self.sim.failed.lock().unwrap_or_else(PoisonError::into_inner) = on.then(HashSet::new);
    }

    /// Limits all pages to this number of objects, whatever `$top` says.
    pub fn set_max_page_size(&self, size: usize) {
        self.sim.max_page_size.store(size.max(1), Ordering::Relaxed);
    }

    /// Refuses every `$top` that is larger, as Graph did for users with their sign-ins
    /// (microsoftgraph/msgraph-sdk-powershell#1898).
    pub fn refuse_pages_over(&self, most: usize) {
        self.sim.largest_top.store(most, Ordering::Relaxed);
    }

    /// What the changes say of a manager who went.
    pub fn set_cleared_manager(&self, cleared: ClearedManager) {
        *self.sim.cleared_manager.lock().unwrap_or_else(PoisonError::into_inner) = cleared;
    }

    /// Whether the changes of groups leave out removals of members that were themselves deleted, and those of users that
    /// their manager was deleted or restored.
    pub fn set_silent_deletions(&self, on: bool) {
        self.sim.silent_deletions.store(on, Ordering::Relaxed);
    }

    pub fn set_quota(&self, quota: Option<Quota>, form: RetryAfterForm) {
        *self.sim.quota.lock().unwrap_or_else(PoisonError::into_inner) = quota;
        *self.sim.retry_after.lock().unwrap_or_else(PoisonError::into_inner) = form;
    }

    pub fn set_latency(&self, latency: Duration) {
        *self.sim.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// Revokes all access tokens issued so far.
    pub fn revoke_tokens(&self) {
        self.sim.tokens.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The last requests, oldest first (at most 100,000).
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.sim.log.last(usize::MAX)
    }

    pub fn counters(&self) -> Counters {
        self.sim.log.counters()
    }

    pub fn reset_counters(&self) {
        self.sim.log.reset();
    }
}
