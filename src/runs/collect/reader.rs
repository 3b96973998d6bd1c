//! What all readers of one run share, and what a way of reading read to its end.

use super::collected::DeltaLinks;
use super::dialect::Refused;
use super::narrowed::Narrowed;
use super::writer::Writer;
use crate::directory::ObjectType;
use crate::graph::Session;
use crate::run_state::RunError;
use crate::runs::progress::Work;
use crate::runs::run::Run;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// What all readers of one run share.
pub(super) struct Reader<'a> {
    pub run: &'a Run,
    pub session: Session,
    /// `roles` of the token: what the application may read.
    pub roles: Vec<String>,
    pub writer: Writer,
    pub refused: Refused,
    /// The types whose number Graph has told; of others it is known only as they come.
    pub counted: [AtomicBool; 4],
}

impl Reader<'_> {
    /// So many objects of a type are to be read. The first word counts.
    pub fn expect(&self, object_type: ObjectType, number: u64) {
        if !self.counted[object_type.index()].swap(true, Ordering::Relaxed) {
            self.run.progress.expect(Work::Objects, number);
        }
    }

    pub fn is_counted(&self, object_type: ObjectType) -> bool {
        self.counted[object_type.index()].load(Ordering::Relaxed)
    }
}

/// What a way of reading read to its end.
#[derive(Default)]
pub(super) struct Read {
    pub types: Vec<ObjectType>,
    /// Types that may no longer be read.
    pub frozen: Vec<Frozen>,
    pub memberships: bool,
    pub members_unknown: Vec<Uuid>,
    /// How many users fulfil the filter's condition, where only members of groups were read.
    pub matching_users: Option<u64>,
    /// What the filter's scope and limits leave of it.
    pub narrowed: Option<Box<Narrowed>>,
    /// Only what changed was read.
    pub is_patch: bool,
    /// Where the next incremental read begins.
    pub delta: Option<DeltaLinks>,
}

/// A type that may no longer be read, and Graph's refusal.
pub(super) struct Frozen {
    pub object_type: ObjectType,
    pub refusal: Box<RunError>,
}
