//! What all readers of one run share, and what a way of reading brings.

use super::collected::DeltaLinks;
use super::dialect::Dialect;
use super::mirror::Mirror;
use super::narrowed::Narrowed;
use super::read_plan::ReadPlan;
use super::staging::Staging;
use crate::directory::ObjectType;
use crate::graph::{GraphError, Session};
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
    pub plan: ReadPlan<'a>,
    pub staging: Staging<'a>,
    pub mirror: Mirror<'a>,
    pub dialect: Dialect,
    /// The types whose total Graph has reported; the others are counted as they come.
    pub counted: [AtomicBool; ObjectType::ALL.len()],
}

impl Reader<'_> {
    /// So many objects of a type are to be read. The first reported total wins.
    pub fn expect(&self, object_type: ObjectType, number: u64) {
        if !self.counted[object_type.index()].swap(true, Ordering::Relaxed) {
            self.run.progress.expect(Work::Objects, number);
        }
    }

    pub fn is_counted(&self, object_type: ObjectType) -> bool {
        self.counted[object_type.index()].load(Ordering::Relaxed)
    }

    /// Counts objects that the filter excludes by id or name.
    pub fn count_excluded(&self, object_type: ObjectType, excluded: u64) {
        if excluded > 0 {
            self.run.progress.count(object_type.as_str(), |count| count.out_of_scope += excluded);
        }
    }

    /// Reports what the session has used of the quota.
    pub fn report_usage(&self) {
        self.run.progress.used(self.session.usage());
    }
}

/// What a way of reading read to its end.
#[derive(Default)]
pub(super) struct Read {
    pub types: Vec<ObjectType>,
    /// Types that may no longer be read.
    pub lost: Vec<LostPermission>,
    pub memberships: bool,
    pub members_unknown: Vec<Uuid>,
    /// How many users fulfil the filter's condition, where only members of groups were read.
    pub matching_users: Option<u64>,
    /// What the filter's scope and limits leave of it.
    pub narrowed: Option<Box<Narrowed>>,
    /// Lists that nearly all objects of a type lost, and that keep what was in them.
    pub emptied: Vec<(ObjectType, &'static str)>,
    /// Only what changed was read.
    pub is_patch: bool,
    /// Where the next incremental read starts.
    pub delta: Option<DeltaLinks>,
}

/// A type that may no longer be read, and Graph's refusal.
pub(super) struct LostPermission {
    pub object_type: ObjectType,
    pub refusal: GraphError,
}
