//! What earlier runs of the job read and delivered. Only read here; the mirror changes when a read is complete.

use super::read_error::Result;
use crate::db::mirror::read::{self, ObjectRow, Source};
use crate::db::mirror::scope::{self, State};
use crate::db::mirror::{self, Hash, StoredAs, delivered, left_out};
use crate::directory::{MemberType, ObjectType};
use crate::ids::{JobId, OrganizationId};
use crate::runs::run::Run;
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Delivered objects in one query.
const PAGE: i64 = 1000;

/// The members of groups by their type.
pub(super) type MembersByType = BTreeMap<MemberType, BTreeSet<Uuid>>;

#[derive(Clone, Copy)]
pub(super) struct Mirror<'a> {
    run: &'a Run,
}

/// Groups among others that the job follows.
pub(super) struct Followed {
    /// Whole or as stubs.
    imported: HashSet<Uuid>,
    /// Not imported, but the scope decides by their members.
    pub for_scope: HashSet<Uuid>,
}

impl Followed {
    pub fn has(&self, group: &Uuid) -> bool {
        self.imported.contains(group) || self.for_scope.contains(group)
    }
}

/// Delivered objects that this run did not read.
#[derive(Default)]
pub(super) struct Absent {
    pub ids: HashSet<Uuid>,
    /// At least one was there the last time; the others were reported before.
    pub has_new: bool,
    /// There the last time, and this run does not know yet why they are gone.
    pub unexplained: Vec<Uuid>,
}

impl<'a> Mirror<'a> {
    pub fn of(run: &'a Run) -> Self {
        Self { run }
    }

    fn place(&self) -> (OrganizationId, JobId, Source) {
        (self.run.job.organization, self.run.job.id, Source::Mirror(self.run.job.id))
    }

    /// The hashes of everything in the mirror.
    pub async fn hashes(&self) -> Result<Vec<Hash>> {
        let (organization, job, _) = self.place();
        Ok(self.run.tx("mirror hashes", async move |tx| read::hashes(tx, organization, job).await).await?)
    }

    /// The ids of a type, ascending.
    pub async fn ids(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        let (organization, _, source) = self.place();
        let stored_as = StoredAs::Object(object_type);
        Ok(self.run.tx("mirror ids", async move |tx| read::ids(tx, organization, source, stored_as).await).await?)
    }

    /// The ids of a type that the filter's scope or limits left out, ascending.
    pub async fn left_out(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        self.left_out_as(StoredAs::Object(object_type)).await
    }

    /// The ids of a type that are referred to and of which there is no stub, ascending.
    pub async fn without_stubs(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        match StoredAs::stub(object_type) {
            Some(stubs) => self.left_out_as(stubs).await,
            None => Ok(Vec::new()),
        }
    }

    async fn left_out_as(&self, stored_as: StoredAs) -> Result<Vec<Uuid>> {
        let (organization, job, _) = self.place();
        let ids = self.run.tx("left out", async move |tx| left_out::ids(tx, organization, job, stored_as).await);
        Ok(ids.await?)
    }

    /// The ids of the stubs of a type, ascending.
    pub async fn stubs(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        let (organization, _, source) = self.place();
        let Some(stubs) = StoredAs::stub(object_type) else { return Ok(Vec::new()) };
        Ok(self.run.tx("stubs", async move |tx| read::ids(tx, organization, source, stubs).await).await?)
    }

    /// The groups that show their members only with a permission of its own, after the changes that this run staged.
    pub async fn hidden_groups(&self) -> Result<Vec<Uuid>> {
        let (_, job, _) = self.place();
        let lease = self.run.lease;
        Ok(self.run.tx("hidden groups", async |tx| scope::hidden(tx, &lease, job).await).await?)
    }

    /// Some objects, as text by id.
    pub async fn objects(&self, object_type: ObjectType, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>> {
        let (organization, _, source) = self.place();
        let rows = self.run.tx("mirror objects", async move |tx| {
            read::some(tx, organization, source, StoredAs::Object(object_type), &ids).await
        });
        Ok(rows.await?.into_iter().map(|row| (row.id, row.data)).collect())
    }

    /// Streams every object of a type through `each`.
    pub async fn each_object<T: Send>(
        &self,
        object_type: ObjectType,
        mut each: impl FnMut(ObjectRow) -> crate::error::Result<Option<T>> + Send,
    ) -> Result<Vec<T>> {
        let (organization, _, source) = self.place();
        let found = self.run.tx("stream mirror objects", async |tx| {
            let mut rows = std::pin::pin!(read::data(tx, organization, source, StoredAs::Object(object_type)).await?);
            let mut found = Vec::new();
            while let Some(row) = rows.next().await {
                found.extend(each(row?)?);
            }
            Ok(found)
        });
        Ok(found.await?)
    }

    /// By group, how many pages of members it has, where there is more than one.
    pub async fn group_sizes(&self) -> Result<HashMap<Uuid, i32>> {
        let (organization, _, source) = self.place();
        let sizes =
            self.run.tx("mirror group sizes", async move |tx| read::group_sizes(tx, organization, source).await);
        Ok(sizes.await?)
    }

    /// How many members the groups have.
    pub async fn member_counts(&self, groups: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
        let (organization, _, source) = self.place();
        let counts =
            self.run.tx("member counts", async |tx| read::member_counts(tx, organization, source, groups).await);
        Ok(counts.await?)
    }

    /// The members of groups, imported or kept for the scope.
    pub async fn members_of(&self, groups: &[Uuid]) -> Result<BTreeMap<Uuid, MembersByType>> {
        let (organization, job, source) = self.place();
        let lease = self.run.lease;
        let rows = self.run.tx("members of groups", async |tx| {
            let for_scope = scope::kept(tx, &lease, job, groups).await?;
            let mut rows = read::members_of(tx, organization, source, groups).await?;
            rows.extend(scope::members_of(tx, &lease, job, &for_scope).await?);
            Ok(rows)
        });
        let mut members: BTreeMap<Uuid, MembersByType> = BTreeMap::new();
        for row in rows.await? {
            members.entry(row.group_id).or_default().entry(row.member_type).or_default().extend(row.member_ids);
        }
        Ok(members)
    }

    /// Which of these groups the job follows.
    pub async fn followed(&self, groups: Vec<Uuid>) -> Result<Followed> {
        let (organization, job, _) = self.place();
        let lease = self.run.lease;
        let for_scope =
            self.run.tx("groups of the scope", async |tx| scope::kept(tx, &lease, job, &groups).await).await?;
        let names: Vec<StoredAs> = StoredAs::all_of(ObjectType::Groups).collect();
        let imported =
            self.run.tx("imported groups", async |tx| read::existing(tx, organization, job, &names, &groups).await);
        let imported = imported.await?.into_iter().collect();
        Ok(Followed { imported, for_scope: for_scope.into_iter().collect() })
    }

    /// The direct members of groups, of one type, before or after the changes that this run staged.
    pub async fn scope_members(&self, state: State, member_type: MemberType, groups: &[Uuid]) -> Result<Vec<Uuid>> {
        let (_, job, _) = self.place();
        let lease = self.run.lease;
        let members = self
            .run
            .tx("members in the scope", async |tx| scope::members(tx, &lease, job, state, member_type, groups).await);
        Ok(members.await?)
    }

    /// Those of the groups whose members are unknown after the changes that this run staged.
    pub async fn scope_unknown(&self, groups: &[Uuid]) -> Result<Vec<Uuid>> {
        let (_, job, _) = self.place();
        let lease = self.run.lease;
        Ok(self.run.tx("unknown groups", async |tx| scope::unknown(tx, &lease, job, groups).await).await?)
    }

    /// Whether the destination has objects of a type; of a job without one, whether the mirror has.
    pub async fn was_delivered(&self, object_type: ObjectType) -> Result<bool> {
        let (organization, job, source) = self.place();
        let destination = self.run.job.destination.as_ref().map(|destination| destination.id);
        let number = self.run.tx("was delivered", async move |tx| {
            if destination.is_none() {
                return read::count(tx, organization, source, StoredAs::Object(object_type)).await;
            }
            if mirror::find(tx, organization, job).await?.delivered_to != destination {
                return Ok(0);
            }
            Ok(delivered::counts(tx, organization, job).await?.get(&object_type).copied().unwrap_or(0))
        });
        Ok(number.await? > 0)
    }

    /// Delivered objects that were not staged. Everything read is in the database.
    pub async fn absent(&self, object_type: ObjectType) -> Result<Absent> {
        let (organization, job, _) = self.place();
        let run = self.run.lease.run;
        let mut absent = Absent::default();
        let mut after = None;
        loop {
            let rows = self.run.tx("absent objects", async move |tx| {
                let source = Source::Staged(run);
                delivered::absent(tx, organization, (job, run), source, object_type.as_str(), after, PAGE).await
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else { return Ok(absent) };
            after = Some(last.id);
            for row in rows {
                absent.ids.insert(row.id);
                let is_new = row.missing_runs == 0 && !row.marked;
                absent.has_new |= is_new;
                absent.unexplained.extend((is_new && row.missing_reason.is_none()).then_some(row.id));
            }
        }
    }
}
