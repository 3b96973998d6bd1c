//! Everything the simulated Assets knows, behind one lock.

use super::account::Account;
use super::execution::{Execution, Phase};
use super::mapping::TypeMapping;
use super::options::{Behaviour, Processing};
use super::process;
use super::store::{Schema, Store};
use super::traffic::Traffic;
use crate::ids::random_id;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use entra_assets_kernel::clock::Clock;
use entra_assets_kernel::random::random_bytes;
use serde_json::json;
use uuid::Uuid;

/// An import source of the kind «External import».
pub(super) struct Source {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) schema: usize,
    pub(super) token: String,
    pub(super) created: DateTime<Utc>,
    pub(super) disabled: bool,
    /// It stays in its place, because executions point there.
    pub(super) deleted: bool,
    /// `None` before the first mapping: the source reports MISSING_MAPPING.
    pub(super) mappings: Option<Vec<TypeMapping>>,
    /// Asynchronous mapping tasks and how often each still says that it is not finished.
    pub(super) tasks: Vec<(Uuid, u32)>,
}

/// An app system token of the Forge app. `None`: it does not expire.
pub(super) struct ForgeToken {
    pub(super) token: String,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

pub(super) struct State {
    pub(super) clock: Clock,
    /// `http://127.0.0.1:port`.
    pub(super) origin: String,
    pub(super) workspace: String,
    pub(super) cloud: String,
    pub(super) email: String,
    pub(super) api_token: String,
    pub(super) forge_tokens: Vec<ForgeToken>,
    pub(super) behaviour: Behaviour,
    pub(super) store: Store,
    /// Jira's accounts of the site.
    pub(super) accounts: Vec<Account>,
    pub(super) sources: Vec<Source>,
    pub(super) executions: Vec<Execution>,
    pub(super) traffic: Traffic,
}

impl State {
    /// Adds an object schema with one import source in it; gives the source's place.
    pub(super) fn add_source(&mut self, name: &str, id: Option<Uuid>, token: Option<String>) -> usize {
        let number = self.store.schemas.len() as u32;
        self.store.schemas.push(Schema {
            id: number + 1,
            name: name.to_owned(),
            description: String::new(),
            key: if number == 0 { "ENT".to_owned() } else { format!("ENT{number}") },
            statuses: Vec::new(),
            icons: Vec::new(),
        });
        self.add_source_in(number as usize, name, id, token)
    }

    /// Adds an import source to an object schema.
    pub(super) fn add_source_in(
        &mut self,
        schema: usize,
        name: &str,
        id: Option<Uuid>,
        token: Option<String>,
    ) -> usize {
        self.sources.push(Source {
            id: id.unwrap_or_else(random_id),
            name: name.to_owned(),
            schema,
            token: token.unwrap_or_else(new_token),
            created: self.clock.now(),
            disabled: false,
            deleted: false,
            mappings: None,
            tasks: Vec::new(),
        });
        self.sources.len() - 1
    }

    pub(super) fn source(&self, id: &str) -> Option<usize> {
        let id = Uuid::parse_str(id).ok()?;
        self.sources.iter().position(|source| source.id == id && !source.deleted)
    }

    /// Deletes a source, and makes another in the same object schema, which keeps its types and objects.
    pub(super) fn replace_source(&mut self, source: usize) -> usize {
        let old = &mut self.sources[source];
        (old.deleted, old.mappings) = (true, None);
        let (schema, name) = (old.schema, old.name.clone());
        self.add_source_in(schema, &name, None, None)
    }

    /// Gives the source a new container token; the old one stops working.
    pub(super) fn rotate_token(&mut self, source: usize) -> String {
        let token = new_token();
        self.sources[source].token.clone_from(&token);
        token
    }

    /// A new app system token that is valid for this long, as Forge would send it. Earlier tokens stay valid until their
    /// own end. It is a JWT; `exp` is its end. Source:
    /// <https://developer.atlassian.com/platform/forge/remote/calling-product-apis/>.
    pub(super) fn mint_forge_token(&mut self, life: TimeDelta) -> (String, DateTime<Utc>) {
        let expires_at = self.clock.now() + life;
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (header, claims) = (json!({"alg": "RS256", "typ": "JWT"}), json!({"exp": expires_at.timestamp()}));
        let token = format!("{}.{}.{}", part(header), part(claims), secret());
        self.forge_tokens.push(ForgeToken { token: token.clone(), expires_at: Some(expires_at) });
        (token, expires_at)
    }

    pub(super) fn is_forge_token(&self, token: &str) -> bool {
        let now = self.clock.now();
        let is_alive = |known: &ForgeToken| known.expires_at.is_none_or(|at| now < at);
        self.forge_tokens.iter().any(|known| known.token == token && is_alive(known))
    }

    /// The newest execution of a source.
    pub(super) fn latest(&self, source: usize) -> Option<usize> {
        self.executions.iter().rposition(|execution| execution.source == source)
    }

    /// Time passes for an execution: someone asked, or the clock moved on.
    pub(super) fn poll(&mut self, at: usize) {
        let now = self.clock.now();
        let Phase::Processing { since, polls } = self.executions[at].phase else { return };
        let due = match self.behaviour.processing {
            Processing::Polls(wanted) => polls >= wanted,
            Processing::Millis(wanted) => now - since >= TimeDelta::milliseconds(wanted as i64),
        };
        if due {
            self.finish(at);
        } else {
            self.executions[at].phase = Phase::Processing { since, polls: polls + 1 };
        }
    }

    /// Finishes what is due by the clock alone.
    pub(super) fn settle(&mut self) {
        if matches!(self.behaviour.processing, Processing::Millis(_)) {
            (0..self.executions.len()).for_each(|at| self.poll(at));
        }
    }

    fn finish(&mut self, at: usize) {
        let now = self.clock.now();
        let execution = &mut self.executions[at];
        let entries = std::mem::take(&mut execution.entries);
        execution.chunk_ids.clear();
        execution.results = process::run(&mut self.store, &self.behaviour, &execution.plan, &entries, now);
        execution.ended = Some(now);
        execution.phase = Phase::Done;
    }
}

fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<24>())
}

fn new_token() -> String {
    format!("ATCTT3xFfGN0{}", secret())
}
