//! Compares only what may differ since the last comparison that was delivered: what the reads since then touched, and what
//! depends on the day. What such an object refers to is looked up for it alone.

use super::absent::{self, Absent};
use super::batch::{Compares, compare_batch, payloads};
use super::memberships::Groups;
use super::outbox::Outbox;
use super::payload::Referring;
use super::portions::Portions;
use super::same::SameValues;
use super::targets::Targets;
use crate::db::mirror::read::{self, Seen, SeenRow, Source};
use crate::db::mirror::{StoredAs, delivered, touched};
use crate::directory::{Link, ObjectType, Properties};
use crate::error::{Error, Result};
use crate::filter::Outside;
use crate::runs::collect::collected::Collected;
use crate::runs::progress::Work;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// What may differ, by type.
pub(super) struct Touched<'a> {
    run: &'a Run,
    collected: &'a Collected,
    objects: BTreeMap<ObjectType, BTreeMap<Uuid, Memberships>>,
}

/// What is known of the groups that an object is in.
#[derive(Clone, Default)]
struct Memberships {
    /// All of them are in `came`.
    arrived: bool,
    came: Vec<Uuid>,
    went: Vec<Uuid>,
}

impl<'a> Touched<'a> {
    pub(super) async fn load(run: &'a Run, collected: &'a Collected) -> Result<Self> {
        let (organization, job) = (run.job.organization, run.job.id);
        let rows = run.tx("touched objects", async move |tx| touched::all(tx, organization, job).await).await?;
        let mut objects: BTreeMap<ObjectType, BTreeMap<Uuid, Memberships>> = BTreeMap::new();
        for row in rows {
            let touched::Touched { object_type, id, arrived, came, went } = row;
            objects.entry(object_type).or_default().insert(id, Memberships { arrived, came, went });
        }
        let mut touched = Self { run, collected, objects };
        for object_type in collected.types.iter().copied() {
            let has_all = touched.objects.get_mut(&object_type).and_then(|ids| ids.remove(&Uuid::nil())).is_some();
            if has_all || run.job.mapping.depends_on_time(object_type) {
                touched.add_all(object_type).await?;
            }
        }
        Ok(touched)
    }

    /// Everything that was read or delivered of a type.
    async fn add_all(&mut self, object_type: ObjectType) -> Result<()> {
        let (organization, job, name) = (self.run.job.organization, self.run.job.id, object_type.as_str());
        let ids = self.run.tx("all ids", async move |tx| {
            let mut ids = read::ids(tx, organization, Source::Mirror(job), StoredAs::Object(object_type)).await?;
            ids.extend(delivered::ids(tx, organization, job, name).await?);
            Ok(ids)
        });
        let objects = self.objects.entry(object_type).or_default();
        for id in ids.await? {
            objects.entry(id).or_default();
        }
        Ok(())
    }

    pub(super) fn len(&self) -> u64 {
        self.objects.values().map(|ids| ids.len() as u64).sum()
    }

    /// All of them.
    pub(super) fn ids(&self) -> Vec<(ObjectType, Uuid)> {
        self.objects.iter().flat_map(|(object_type, ids)| ids.keys().map(|id| (*object_type, *id))).collect()
    }

    /// Compares those of a type, and judges those of them that are gone.
    pub(super) async fn compare(&self, object_type: ObjectType, outbox: &mut Outbox<'_>) -> Result<Absent, Stop> {
        let none = BTreeMap::new();
        let objects = self.objects.get(&object_type).unwrap_or(&none);
        let ids: Vec<Uuid> = objects.keys().copied().collect();
        let mut compared = 0;
        if !ids.is_empty() {
            compared += self.compare_seen(object_type, objects, &ids, outbox).await?;
            compared += self.compare_stubs(object_type, &ids, outbox).await?;
        }
        // Those that are gone are judged below.
        self.run.progress.advance(Work::Objects, (ids.len() as u64).saturating_sub(compared));
        // What was not touched is as it was.
        self.run.progress.count(object_type.as_str(), |count| {
            count.unchanged += (count.read + count.stubs).saturating_sub(compared);
        });
        absent::judge_some(self.run, object_type, &ids, outbox).await
    }

    /// Compares those that the mirror has. Returns how many.
    async fn compare_seen(
        &self,
        object_type: ObjectType,
        objects: &BTreeMap<Uuid, Memberships>,
        ids: &[Uuid],
        outbox: &mut Outbox<'_>,
    ) -> Result<u64> {
        let run = self.run;
        let with_members = object_type == ObjectType::Groups && run.job.mapping.carries(object_type, Link::Members);
        let link = self.memberships(object_type);
        let looked_up = match link {
            Some(_) => self.look_up(object_type, objects, ids).await?,
            None => HashMap::new(),
        };
        let mut same = SameValues::load(run, self.collected, object_type).await?;
        let mut compared = 0;
        let stored_as = StoredAs::Object(object_type);
        let seen = Seen { source: Source::Mirror(run.job.id), object_type, stored_as, with_members };
        let mut portions = Portions::among(run, seen, ids);
        loop {
            let batch = portions.next().await?;
            if batch.is_empty() {
                return Ok(compared);
            }
            let number = batch.len() as u64;
            let groups = match link {
                Some(link) => Some(self.groups(object_type, link, objects, &looked_up, &batch).await?),
                None => None,
            };
            let targets = self.targets(object_type, groups.as_ref(), &same, &batch).await?;
            let groups_of = groups.map(|groups| known_groups(groups, &targets));
            let referring = Referring { targets: &targets, groups_of, parents: None, same };
            let with = Compares { object_type, is_stub: false, referring: &referring, everything: false };
            compare_batch(run, with, batch, outbox).await?;
            same = referring.same;
            compared += number;
            run.progress.advance(Work::Objects, number);
        }
    }

    /// Compares those of which the mirror has stubs, which refer to nothing. Returns how many.
    async fn compare_stubs(&self, object_type: ObjectType, ids: &[Uuid], outbox: &mut Outbox<'_>) -> Result<u64> {
        let run = self.run;
        let Some(stored_as) = StoredAs::stub(object_type).filter(|_| run.job.filter.outside == Outside::Stub) else {
            return Ok(0);
        };
        let targets = Targets::among(run, self.collected, BTreeMap::new()).await?;
        let referring = Referring { targets: &targets, groups_of: None, parents: None, same: SameValues::default() };
        let seen = Seen { source: Source::Mirror(run.job.id), object_type, stored_as, with_members: false };
        let with = Compares { object_type, is_stub: true, referring: &referring, everything: false };
        let (mut portions, mut compared) = (Portions::among(run, seen, ids), 0);
        loop {
            let batch = portions.next().await?;
            if batch.is_empty() {
                return Ok(compared);
            }
            let number = batch.len() as u64;
            compare_batch(run, with, batch, outbox).await?;
            compared += number;
            run.progress.advance(Work::Objects, number);
        }
    }

    /// The link by which objects of a type carry the groups that they are in.
    fn memberships(&self, object_type: ObjectType) -> Option<Link> {
        let link = match object_type {
            ObjectType::Users => Link::Groups,
            ObjectType::Groups => Link::ParentGroups,
            _ => return None,
        };
        self.run.job.mapping.carries(object_type, link).then_some(link)
    }

    /// The groups of those of which neither a delivered payload nor what was noted since says them. Memberships are stored by
    /// group, so one look goes through all of them.
    async fn look_up(
        &self,
        object_type: ObjectType,
        objects: &BTreeMap<Uuid, Memberships>,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<Uuid>>> {
        let (organization, job) = (self.run.job.organization, self.run.job.id);
        let delivered = self
            .run
            .tx("delivered objects", async |tx| delivered::existing(tx, organization, job, object_type, ids).await);
        let delivered = delivered.await?;
        let is_known = |id: &Uuid, of: &Memberships| of.arrived || delivered.binary_search(id).is_ok();
        let unknown: Vec<Uuid> = objects.iter().filter(|(id, of)| !is_known(id, of)).map(|(id, _)| *id).collect();
        let found = self.run.tx("groups of members", async |tx| {
            let there = match unknown.is_empty() {
                true => Vec::new(),
                false => read::existing(tx, organization, job, &[StoredAs::Object(object_type)], &unknown).await?,
            };
            let mut found: HashMap<Uuid, Vec<Uuid>> = there.iter().map(|id| (*id, Vec::new())).collect();
            if !there.is_empty() {
                for pair in read::membership_pairs(tx, organization, job, &there).await? {
                    found.entry(pair.member).or_default().push(pair.group_id);
                }
            }
            Ok(found)
        });
        found.await
    }

    /// The groups of objects: looked up, or those of the delivered payload with what changed since. Of one that arrived, the
    /// payload is of another time.
    async fn groups(
        &self,
        object_type: ObjectType,
        link: Link,
        objects: &BTreeMap<Uuid, Memberships>,
        looked_up: &HashMap<Uuid, Vec<Uuid>>,
        batch: &[SeenRow],
    ) -> Result<HashMap<Uuid, BTreeSet<Uuid>>> {
        let has_arrived = |id: &Uuid| objects.get(id).is_some_and(|of| of.arrived);
        let known = batch.iter().map(|row| row.id).filter(|id| !looked_up.contains_key(id) && !has_arrived(id));
        let known = known.collect();
        let delivered = payloads(self.run, object_type, known).await?;
        let mut found = HashMap::new();
        for row in batch {
            let groups = match looked_up.get(&row.id) {
                Some(groups) => groups.iter().copied().collect(),
                None => {
                    let payload = delivered.get(&row.id).map_or("{}", String::as_str);
                    let before = self.run.job.mapping.linked(object_type, link, payload).unwrap_or_default();
                    let mut groups: BTreeSet<Uuid> = before.into_iter().collect();
                    if let Some(of) = objects.get(&row.id) {
                        groups.extend(&of.came);
                        of.went.iter().for_each(|group| {
                            groups.remove(group);
                        });
                    }
                    groups
                }
            };
            found.insert(row.id, groups);
        }
        Ok(found)
    }

    /// What the objects of a batch may refer to, as far as it is delivered.
    async fn targets(
        &self,
        object_type: ObjectType,
        groups: Option<&HashMap<Uuid, BTreeSet<Uuid>>>,
        same: &SameValues,
        batch: &[SeenRow],
    ) -> Result<Targets> {
        let mut wanted: BTreeMap<ObjectType, BTreeSet<Uuid>> = BTreeMap::new();
        for row in batch {
            let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
            for link in self.run.job.mapping.links(object_type) {
                let ids = wanted.entry(link.target()).or_default();
                match link {
                    Link::Groups | Link::ParentGroups => {
                        ids.extend(groups.and_then(|groups| groups.get(&row.id)).into_iter().flatten());
                    }
                    Link::Members => ids.extend(row.members.iter().flatten()),
                    Link::Ids { .. } | Link::Value { .. } => ids.extend(link.ids(&properties)),
                    Link::Same { .. } => ids.extend(same.find(link, &properties)),
                    Link::AllGroups => {}
                }
            }
        }
        Targets::among(self.run, self.collected, wanted).await
    }
}

/// Only delivered groups count.
fn known_groups<'a>(groups: HashMap<Uuid, BTreeSet<Uuid>>, targets: &Targets) -> Groups<'a> {
    let delivered = |groups: BTreeSet<Uuid>| targets.only(ObjectType::Groups, groups.into_iter().collect());
    Groups::Some(groups.into_iter().map(|(member, groups)| (member, delivered(groups))).collect())
}
