//! What a round of a delta query carries in its token, and what it selects.

use crate::graph::answer::Problem;
use crate::graph::property::default_properties;
use crate::graph::request::Request;
use crate::graph::sim::ClearedManager;
use crate::seed::{Directory, ObjectKind, Ref};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a token carries: the options of the first request, and how far the reader is.
#[derive(Clone, Serialize, Deserialize)]
pub struct State {
    pub tenant: Uuid,
    pub kind: u8,
    pub select: Option<Vec<String>>,
    pub ids: Option<Vec<Uuid>>,
    /// The first change of the log that counts; `None`: a first round.
    pub from: Option<usize>,
    /// The first change that belongs to the next round.
    pub to: usize,
    /// The entry to go on with, and the first link of it.
    pub position: (usize, usize),
    /// Seconds since 1970 when the delta link was given.
    pub at: i64,
}

impl State {
    pub fn print(&self) -> String {
        // A state of numbers and names can always be written.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub fn parse(text: &str, request: &Request<'_>, kind: ObjectKind) -> Result<Self, Problem> {
        let invalid = || Problem::bad_request("Badly formed token.");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let state: Self = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        if state.tenant == request.token.tenant && state.kind == kind as u8 { Ok(state) } else { Err(invalid()) }
    }
}

/// What the round selects.
pub struct Wanted {
    /// Properties, without the relations.
    pub names: Vec<String>,
    pub manager: bool,
    pub members: bool,
    pub owners: bool,
    /// `Prefer: return=minimal`.
    pub minimal: bool,
    /// Members that were deleted are not reported as removed, nor managers that were deleted or restored.
    pub silent: bool,
    pub cleared_manager: ClearedManager,
}

impl Wanted {
    pub fn of(state: &State, kind: ObjectKind, request: &Request<'_>) -> Self {
        let selected = |name: &str| state.select.as_ref().is_some_and(|names| names.iter().any(|known| known == name));
        let names = match &state.select {
            Some(names) => names.clone(),
            None => default_properties(kind).iter().map(|name| (*name).to_owned()).collect(),
        };
        let relations = ["manager", "members", "owners", "id"];
        Self {
            names: names.into_iter().filter(|name| !relations.contains(&name.as_str())).collect(),
            manager: kind == ObjectKind::User && selected("manager"),
            members: kind == ObjectKind::Group && (state.select.is_none() || selected("members")),
            owners: kind == ObjectKind::Group && selected("owners"),
            minimal: request.prefer.contains("return=minimal"),
            silent: false,
            cleared_manager: ClearedManager::default(),
        }
    }
}

/// Whether the filter of the round, if any, has the object.
pub fn is_asked_for(state: &State, directory: &Directory, object: Ref) -> bool {
    state.ids.as_ref().is_none_or(|ids| ids.contains(&directory.id_of(object)))
}
