//! What all readers of one run share, and what a way of reading brings.

use super::answers::Question;
use super::collected::DeltaLinks;
use super::dialect::Dialect;
use super::mirror::Mirror;
use super::narrowed::Narrowed;
use super::read_error::Result;
use super::read_plan::ReadPlan;
use super::staging::Staging;
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::graph::limiter::Permit;
use crate::graph::{GraphError, Session};
use crate::runs::progress::Work;
use crate::runs::run::Run;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// What all readers of one run share.
pub(super) struct Reader<'a> {
    pub run: &'a Run,
    pub session: Session,
    /// What is read, and of which tenant: an attempt goes on only with what was selected so.
    pub selection: String,
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

    /// What an earlier attempt of this run was answered; `None`: it did not come to ask.
    pub async fn answer<T: DeserializeOwned>(&self, question: &Question) -> Result<Option<T>> {
        self.staging.answers.find(self.run, question).await
    }

    /// What earlier attempts were told of these objects; of several answers the greatest. What an attempt finds may change
    /// which objects are asked for together, so an object is known whatever it was asked for together with.
    pub async fn told<T: DeserializeOwned + Ord>(
        &self,
        collection: &str,
        what: &str,
        ids: &[Uuid],
    ) -> Result<BTreeMap<Uuid, T>> {
        let mut told = BTreeMap::new();
        let answers: Vec<BTreeMap<Uuid, T>> = self.staging.answers.all(self.run, collection, what).await?;
        if answers.is_empty() {
            return Ok(told);
        }
        let ids: HashSet<&Uuid> = ids.iter().collect();
        for (id, answer) in answers.into_iter().flatten().filter(|(id, _)| ids.contains(id)) {
            if told.get(&id).is_none_or(|before| *before < answer) {
                told.insert(id, answer);
            }
        }
        Ok(told)
    }

    /// The answer of an earlier attempt, else what is answered now, which is stored. `ask` brings its place among the
    /// requests in flight along.
    pub async fn once<T: Serialize + DeserializeOwned>(
        &self,
        question: Question,
        ask: impl Future<Output = Result<(T, Option<Permit>)>>,
    ) -> Result<T> {
        if let Some(known) = self.answer(&question).await? {
            return Ok(known);
        }
        let (answer, request) = ask.await?;
        let cursors = vec![question.answered(&answer)?];
        self.staging.write_page(Batch { cursors, ..Batch::default() }, request).await?;
        Ok(answer)
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
