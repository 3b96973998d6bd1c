//! What was read, with the proof that it was read to its end.

use crate::directory::ObjectType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was read, and the proof that it was read to its end. Only `collect` constructs one, after the last page of every
/// collection; one read from a checkpoint was constructed there before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// The types read to their end.
    pub types: Vec<ObjectType>,
    /// Types that could not be read this time: what was delivered of them stays as it is.
    #[serde(rename = "frozen")]
    pub lost: Vec<ObjectType>,
    pub memberships: bool,
    /// The mirror's generation that this read made.
    pub generation: i64,
    /// What was selected, see [`JobContext::selection`](crate::runs::context::JobContext::selection).
    #[serde(default)]
    pub selection: String,
    /// Only changes were read.
    #[serde(default)]
    pub is_patch: bool,
    /// The tenant that was read.
    #[serde(default)]
    pub tenant: Option<Uuid>,
    _complete: Completeness,
}

impl Collected {
    /// Only after the last page of every collection.
    pub(super) fn complete(
        types: Vec<ObjectType>,
        lost: Vec<ObjectType>,
        memberships: bool,
        generation: i64,
        selection: String,
    ) -> Self {
        let (is_patch, tenant) = (false, None);
        Self { types, lost, memberships, generation, selection, is_patch, tenant, _complete: Completeness(()) }
    }

    pub fn is_lost(&self, object_type: ObjectType) -> bool {
        self.lost.contains(&object_type)
    }
}

/// See [`Collected`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Completeness(());

/// The delta links of the types that the job follows: where the next incremental read starts.
#[derive(Clone)]
pub(super) struct DeltaLinks {
    pub users: Option<String>,
    pub groups: Option<String>,
}
