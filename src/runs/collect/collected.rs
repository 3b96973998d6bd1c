//! What was read, with the proof that it was read to its end.

use crate::directory::ObjectType;
use serde::{Deserialize, Serialize};

/// What was read, and the proof that it was read to its end. Only this module makes one, after the last
/// page of every collection; a stored one is a checkpoint that this module wrote.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// The types read to their end.
    pub types: Vec<ObjectType>,
    /// Types that could not be read now: what was delivered of them stays as it is.
    pub frozen: Vec<ObjectType>,
    pub memberships: bool,
    /// The mirror's generation that this read made.
    pub generation: i64,
    /// What was selected, see [`JobContext::selection`](crate::runs::context::JobContext::selection).
    #[serde(default)]
    pub selection: String,
    _complete: Completeness,
}

impl Collected {
    /// Only after the last page of every collection.
    pub(super) fn complete(
        types: Vec<ObjectType>,
        frozen: Vec<ObjectType>,
        memberships: bool,
        generation: i64,
        selection: String,
    ) -> Self {
        Self { types, frozen, memberships, generation, selection, _complete: Completeness(()) }
    }

    pub fn is_frozen(&self, object_type: ObjectType) -> bool {
        self.frozen.contains(&object_type)
    }
}

/// See [`Collected`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Completeness(());

/// Positions in the changes of the types that the job imports.
#[derive(Clone)]
pub(super) struct DeltaLinks {
    pub users: Option<String>,
    pub groups: Option<String>,
}
