//! A simulated Jira Service Management Assets: the Imports API, the object API and an object store that
//! does with an import what Assets does, as far as it is documented (docs/assets.md). It speaks real HTTP on a
//! loopback port, writes its own JSON and knows nothing of the client.
//!
//! ```text
//! server   who calls, prefixes, faults, log      control  /_sim/*
//! imports  importsource/…                        objects  object/…, objecttype/…, objectschema/…
//! accounts  Jira's user/search
//! document → mapping (store) ← describe          plan → ingest → process → references
//! ```

mod account;
mod accounts;
mod answer;
mod aql;
mod by_hand;
mod control;
mod describe;
mod document;
mod execution;
mod imports;
mod ingest;
mod json;
mod mapping;
mod objects;
mod options;
mod plan;
mod process;
mod references;
mod select;
mod server;
mod state;
mod store;
mod strings;
mod traffic;
mod truth;
mod value;

pub use account::Account;
pub use by_hand::AttributeByHand;
pub use execution::{ExecutionView, TypeView};
pub use options::{
    AssetsOptions, Behaviour, EmptyValues, ExtraValues, LinkForm, Missing, MissingAction, Processing,
    ReferenceBehaviour, RepeatedChunks, UnknownValues,
};
pub use traffic::{AssetsChunk, AssetsFault, AssetsRequest, FaultAction};
pub use truth::{AssetsObject, Counts};

use chrono::TimeDelta;
use server::{Shared, lock};
use state::{ForgeToken, State};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use store::Store;
use traffic::Traffic;
use uuid::Uuid;

pub const WORKSPACE_ID: &str = "6f1bd5a4-3c3e-4b4e-9d0a-0b8b7a5d1c01";
pub const CLOUD_ID: &str = "2d3f0a7e-8f5c-4c1d-8a53-5e6f7a8b9c02";
/// The import source that is there from the start.
pub const SOURCE_ID: Uuid = Uuid::from_u128(0x3e9f_17a6_5b2c_4d1e_8f90_a1b2_c3d4_e503);
/// The container token of [`SOURCE_ID`], until it is rotated.
pub const CONTAINER_TOKEN: &str = "ATCTT3xFfGN0simulatedContainerTokenOfTheFirstImportSource";
/// The account of the object API (basic authentication).
pub const API_EMAIL: &str = "assets-admin@contoso.example";
pub const API_TOKEN: &str = "ATATT3simulatedApiToken";
/// The app system token of the Forge app that does not expire, until it is replaced.
pub const FORGE_TOKEN: &str = "simulated-forge-app-system-token";

/// A running simulator; it stops when this is dropped.
pub struct AssetsSim {
    shared: Shared,
    origin: String,
    handle: actix_web::dev::ServerHandle,
}

/// An import source and the token that reaches it.
#[derive(Clone, Debug)]
pub struct SourceAccess {
    pub id: Uuid,
    pub token: String,
}

/// Starts the simulator on a loopback port, with one object schema and one import source in it.
/// Needs a tokio runtime. Errors: the port cannot be bound.
pub fn start(options: AssetsOptions) -> std::io::Result<AssetsSim> {
    let listener = TcpListener::bind((options.address, options.port))?;
    let address = listener.local_addr()?;
    let origin = match &options.host {
        Some(host) => format!("http://{host}:{}", address.port()),
        None => format!("http://{address}"),
    };
    let mut state = State {
        clock: options.clock,
        origin: origin.clone(),
        workspace: WORKSPACE_ID.to_owned(),
        cloud: CLOUD_ID.to_owned(),
        email: API_EMAIL.to_owned(),
        api_token: API_TOKEN.to_owned(),
        forge_tokens: vec![ForgeToken { token: FORGE_TOKEN.to_owned(), expires_at: None }],
        behaviour: options.behaviour,
        store: Store::default(),
        accounts: Vec::new(),
        sources: Vec::new(),
        executions: Vec::new(),
        traffic: Traffic::default(),
    };
    state.add_source("Entra ID", Some(SOURCE_ID), Some(CONTAINER_TOKEN.to_owned()));
    let shared = Arc::new(Mutex::new(state));
    let handle = server::serve(listener, shared.clone(), options.workers)?;
    Ok(AssetsSim { shared, origin, handle })
}

impl AssetsSim {
    /// `http://127.0.0.1:port`, for `ENTRA_ASSETS_ASSETS_URL`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }

    /// The container token that [`SOURCE_ID`] accepts now.
    pub fn token(&self) -> String {
        lock(&self.shared).sources[0].token.clone()
    }

    /// Adds an import source in an object schema of its own.
    pub fn add_source(&self, name: &str) -> SourceAccess {
        let mut state = lock(&self.shared);
        let at = state.add_source(name, None, None);
        SourceAccess { id: state.sources[at].id, token: state.sources[at].token.clone() }
    }

    /// Adds an import source to the object schema of another. `None`: unknown source.
    pub fn add_source_beside(&self, source: Uuid) -> Option<SourceAccess> {
        let mut state = lock(&self.shared);
        let beside = state.source(&source.to_string())?;
        let (schema, name) = (state.sources[beside].schema, state.sources[beside].name.clone());
        let at = state.add_source_in(schema, &name, None, None);
        Some(SourceAccess { id: state.sources[at].id, token: state.sources[at].token.clone() })
    }

    /// Deletes an import source, and makes another in the same object schema. `None`: unknown source.
    pub fn replace_source(&self, source: Uuid) -> Option<SourceAccess> {
        let mut state = lock(&self.shared);
        let old = state.source(&source.to_string())?;
        let at = state.replace_source(old);
        Some(SourceAccess { id: state.sources[at].id, token: state.sources[at].token.clone() })
    }

    /// Generates a new container token for a source; the old one is answered 401. `None`: unknown source.
    pub fn rotate_token(&self, source: Uuid) -> Option<String> {
        let mut state = lock(&self.shared);
        let at = state.source(&source.to_string())?;
        Some(state.rotate_token(at))
    }

    /// Replaces every app system token of the Forge app by one that does not expire; the old ones are answered 401.
    pub fn set_forge_token(&self, token: &str) {
        lock(&self.shared).forge_tokens = vec![ForgeToken { token: token.to_owned(), expires_at: None }];
    }

    /// Accepts a token as an app system token of the Forge app for this duration. Earlier tokens stay valid.
    pub fn accept_forge_token(&self, token: &str, life: TimeDelta) {
        let mut state = lock(&self.shared);
        let expires_at = Some(state.clock.now() + life);
        state.forge_tokens.push(ForgeToken { token: token.to_owned(), expires_at });
    }

    /// Issues an app system token of the Forge app that is valid for this duration.
    pub fn mint_forge_token(&self, life: TimeDelta) -> String {
        lock(&self.shared).mint_forge_token(life).0
    }

    pub fn set_disabled(&self, source: Uuid, disabled: bool) {
        let mut state = lock(&self.shared);
        if let Some(at) = state.source(&source.to_string()) {
            state.sources[at].disabled = disabled;
        }
    }

    /// Changes what Assets does from now on.
    pub fn configure(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.shared).behaviour);
    }

    /// Adds a fault, see [`AssetsFault`].
    pub fn inject(&self, fault: AssetsFault) {
        lock(&self.shared).traffic.faults.push(fault);
    }

    pub fn clear_faults(&self) {
        lock(&self.shared).traffic.faults.clear();
    }

    /// Every request so far, control requests apart.
    pub fn requests(&self) -> Vec<AssetsRequest> {
        lock(&self.shared).traffic.requests.iter().cloned().collect()
    }

    /// Every data chunk that was taken so far.
    pub fn chunks(&self) -> Vec<AssetsChunk> {
        lock(&self.shared).traffic.chunks.iter().cloned().collect()
    }

    /// Forgets requests and chunks.
    pub fn clear_log(&self) {
        let mut state = lock(&self.shared);
        state.traffic.requests.clear();
        state.traffic.chunks.clear();
    }

    /// Every execution in the order of their start.
    pub fn executions(&self) -> Vec<ExecutionView> {
        let mut state = lock(&self.shared);
        state.settle();
        control::views(&state)
    }

    pub fn counts(&self) -> Counts {
        let mut state = lock(&self.shared);
        state.settle();
        truth::counts(&state.store)
    }

    /// The objects of a type, in the order of their ids.
    pub fn objects(&self, type_name: &str) -> Vec<AssetsObject> {
        let mut state = lock(&self.shared);
        state.settle();
        control::objects_of(&state, type_name)
    }

    /// The types of the attributes of an object type, by their names.
    pub fn attribute_kinds(&self, type_name: &str) -> BTreeMap<String, String> {
        truth::attribute_kinds(&lock(&self.shared).store, type_name)
    }

    /// Adds an object as a person would by hand; gives its id. The error names what is unknown.
    pub fn add_manual_object(&self, type_name: &str, values: &[(&str, &str)]) -> Result<String, String> {
        let values: Vec<(String, Vec<String>)> =
            values.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
        control::add_object(&mut lock(&self.shared), type_name, &values)
    }

    /// Makes an object type in the object schema of an import source, as a person would by hand: Assets gives it and its
    /// attributes external ids. The first attribute is the label.
    pub fn add_object_type(
        &self,
        source: Uuid,
        name: &str,
        parent: Option<&str>,
        attributes: &[AttributeByHand],
    ) -> Result<(), String> {
        by_hand::add_type(&mut lock(&self.shared), &source.to_string(), name, parent, attributes)
    }

    /// Adds an attribute to a type as an administrator would by hand; `kind` as in the schema document.
    pub fn add_attribute(&self, type_name: &str, name: &str, kind: &str) -> Result<(), String> {
        control::add_attribute(&mut lock(&self.shared), type_name, name, kind).map(|_| ())
    }

    /// Gives an attribute another name, as a person may.
    pub fn rename_attribute(&self, type_name: &str, name: &str, new: &str) -> Result<(), String> {
        by_hand::rename_attribute(&mut lock(&self.shared), type_name, name, new)
    }

    /// Adds an account to the site.
    pub fn add_account(&self, account: Account) {
        lock(&self.shared).accounts.push(account);
    }

    /// Changes the account with this id. An account that is not there is left alone.
    pub fn change_account(&self, id: &str, change: impl FnOnce(&mut Account)) {
        if let Some(account) = lock(&self.shared).accounts.iter_mut().find(|account| account.id == id) {
            change(account);
        }
    }

    /// Sets a value as a person would by hand, on the object with this id.
    pub fn set_value(&self, object_id: &str, attribute: &str, value: &str) -> Result<(), String> {
        control::set_value(&mut lock(&self.shared), object_id, attribute, value)
    }
}

impl Drop for AssetsSim {
    fn drop(&mut self) {
        // Sends the command to stop; nobody waits for the end.
        drop(self.handle.stop(false));
    }
}
