//! An incremental read: what changed since the last complete one, by delta queries. Delta tells of the whole
//! tenant and knows no filter, so what is in scope is decided here. What comes into scope is read whole by its
//! id, since delta tells only what changed. Nothing is written into the mirror before the last page.

use super::list::{self, parse, staged};
use super::{DeltaLinks, Read, Reader, groups, scope};
use crate::db::mirror::{Batch, GONE_PREFIX, MirrorRow, StagedMembers, StagedObject, read};
use crate::directory::{Link, ObjectType, Properties as Map};
use crate::error::Error;
use crate::filter::EntityKind;
use crate::graph::delta::{self, Collection, end_of_round};
use crate::graph::error::Kind;
use crate::graph::wire::{Items, Member, Properties, Removed};
use crate::graph::{Pager, RequestOptions};
use crate::run_state::ChangeReason;
use crate::runs::stop::Stop;
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Ids that one `$filter=id in (…)` may name. Source: facts/graph.md §4.3.
const IDS_IN_A_QUERY: usize = 15;

/// Why everything has to be read instead; `None`: the changes are enough.
pub(super) fn reason_for_full(reader: &Reader<'_>, mirror: &MirrorRow) -> Option<String> {
    let job = &reader.run.job;
    let app = &reader.run.app;
    if mirror.read_at.is_none() {
        return Some("nothing was read before".to_owned());
    }
    if mirror.selection_hash.as_deref() != Some(&job.selection_hash[..]) {
        return Some("the selected attributes, types or filter changed".to_owned());
    }
    if mirror.users_delta_sealed.is_none() || mirror.groups_delta_sealed.is_none() {
        return Some("there is no position to go on from: the server offers no delta queries".to_owned());
    }
    let every = TimeDelta::days(i64::from(app.settings.full_every_days));
    if mirror.full_read_at.is_none_or(|at| at + every <= app.clock.now()) {
        return Some(format!("the last full read is {} days old", app.settings.full_every_days));
    }
    if scope::narrows(reader) {
        return Some("the filter's scope or limits depend on everybody's memberships".to_owned());
    }
    job.filter.local_only_problems().into_iter().next()
}

/// Where the next incremental read begins: taken before a full read, so that nothing that changes while it
/// reads is lost. `None` where the server has no delta queries.
pub(super) async fn positions(reader: &Reader<'_>) -> Result<Option<DeltaLinks>, Stop> {
    let mut links = Vec::new();
    for collection in [Collection::Users, Collection::Groups] {
        match reader.session.delta_from_now(collection, &select(reader, collection)).await {
            Ok(link) => links.push(link.to_string()),
            Err(error) if error.refuses_optional() || matches!(error.kind, Kind::Forbidden | Kind::Malformed) => {
                tracing::info!(run.id = %reader.run.lease.run, %error, "the server offers no delta queries");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let groups = links.pop();
    Ok(links.pop().zip(groups).map(|(users, groups)| DeltaLinks { users, groups }))
}

/// The job's properties, those that its filter decides by, and the relations.
fn select(reader: &Reader<'_>, collection: Collection) -> String {
    let job = &reader.run.job;
    let (object_type, kind) = match collection {
        Collection::Users => (ObjectType::Users, EntityKind::Users),
        Collection::Groups => (ObjectType::Groups, EntityKind::Groups),
        Collection::Devices => (ObjectType::Devices, EntityKind::Devices),
    };
    let mut names: BTreeSet<&str> = job.mapping.select(object_type).into_iter().collect();
    names.extend(job.filter.rule(kind).map(|rule| rule.parsed.select()).unwrap_or_default());
    // Delta does not carry it.
    names.remove("signInActivity");
    match collection {
        Collection::Users if job.mapping.carries(ObjectType::Users, Link::Manager) => names.extend(["manager"]),
        Collection::Groups => names.extend(["members", "owners", "visibility"]),
        Collection::Users | Collection::Devices => {}
    }
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// What became of the attempt.
pub(super) enum Outcome {
    Read(Read),
    /// The positions are too old: everything has to be read.
    Expired(String),
}

/// Replays the changes since `links`.
pub(super) async fn read(reader: &Reader<'_>, links: &DeltaLinks) -> Result<Outcome, Stop> {
    let (users, users_link) = match replay(reader, &links.users).await? {
        Replayed::Round(changes, link) => (changes, link),
        Replayed::Expired(why) => return Ok(Outcome::Expired(why)),
    };
    let (groups, groups_link) = match replay(reader, &links.groups).await? {
        Replayed::Round(changes, link) => (changes, link),
        Replayed::Expired(why) => return Ok(Outcome::Expired(why)),
    };
    let job = &reader.run.job;
    let mut read = Read { is_patch: true, ..Read::default() };
    if job.mapping.is_enabled(ObjectType::Users) {
        apply(reader, ObjectType::Users, users).await?;
        read.types.push(ObjectType::Users);
    }
    if job.mapping.is_enabled(ObjectType::Groups) {
        apply(reader, ObjectType::Groups, groups).await?;
        read.types.push(ObjectType::Groups);
        read.memberships = true;
    }
    super::read_small(reader, &mut read).await?;
    read.delta = Some(DeltaLinks { users: users_link, groups: groups_link });
    Ok(Outcome::Read(read))
}

enum Replayed {
    Round(BTreeMap<Uuid, Delta>, String),
    Expired(String),
}

/// All that happened to one object since the last time.
#[derive(Default)]
struct Delta {
    removed: Option<Removed>,
    /// The properties as they are now, when any changed.
    properties: Option<Properties>,
    /// Members and owners that came (`true`) or went, the last word counting.
    members: HashMap<Uuid, (bool, &'static str)>,
    owners: HashMap<Uuid, bool>,
}

impl Delta {
    /// The same object may come many times, a group in parts with other members each.
    fn merge(&mut self, change: Properties) {
        self.removed = change.removed;
        for member in change.members.iter().flatten() {
            self.members.insert(member.id, (!member.is_removed, member.kind.as_str()));
        }
        for owner in change.owners.iter().flatten() {
            self.owners.insert(owner.id, !owner.is_removed);
        }
        if change.removed.is_none() && (change.has_properties || change.manager.is_some()) {
            self.properties = Some(change);
        }
    }
}

async fn replay(reader: &Reader<'_>, link: &str) -> Result<Replayed, Stop> {
    let mut pager: Pager<Items> = reader.session.delta(link)?;
    let mut changes: BTreeMap<Uuid, Delta> = BTreeMap::new();
    loop {
        let page = match pager.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Err(Stop::from(Error::internal("a round of changes without an end"))),
            Err(error) if matches!(error.kind, Kind::DeltaExpired { .. } | Kind::PageTokenExpired) => {
                return Ok(Replayed::Expired(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        for change in delta::changes(&page)? {
            if let Some(id) = change.uuid() {
                changes.entry(id).or_default().merge(change);
            }
        }
        reader.run.journal.advance(page.content.iter().len() as u64);
        reader.run.journal.used(reader.session.usage());
        if let Some(link) = end_of_round(page.next)? {
            return Ok(Replayed::Round(changes, link.to_string()));
        }
    }
}

/// Stages what the changes make of the objects of one type: new texts, and marks for what is gone.
async fn apply(reader: &Reader<'_>, object_type: ObjectType, changes: BTreeMap<Uuid, Delta>) -> Result<(), Stop> {
    let known = known(reader, object_type, changes.keys().copied().collect()).await?;
    let mut batch = Batch::default();
    let mut newcomers = Vec::new();
    for (id, delta) in &changes {
        match (delta.removed, known.get(id)) {
            (Some(removed), Some(_)) => batch.objects.push(gone(object_type, *id, reason_of(removed))),
            (Some(_), None) => {}
            // Not in the mirror: it is new, or was out of scope. Delta tells only what changed of it.
            (None, None) => newcomers.push(*id),
            (None, Some(data)) => {
                let map = merged(data, delta)?;
                if is_in_scope(reader, object_type, &map) {
                    batch.objects.push(list::staged_map(object_type, *id, map));
                } else {
                    batch.objects.push(gone(object_type, *id, ChangeReason::OutOfScope));
                }
            }
        }
    }
    reader.writer.write(batch).await?;
    let arrived = fetch(reader, object_type, &newcomers).await?;
    if object_type == ObjectType::Groups {
        for (id, delta) in &changes {
            if delta.removed.is_none() && known.contains_key(id) && !delta.members.is_empty() {
                stage_members(reader, *id, delta).await?;
            }
        }
        for group in arrived {
            groups::read_root(reader, group).await?;
        }
    }
    Ok(())
}

fn reason_of(removed: Removed) -> ChangeReason {
    match removed {
        Removed::Changed => ChangeReason::SoftDeleted,
        Removed::Deleted => ChangeReason::Deleted,
    }
}

/// A mark that an object is no longer there, with the reason as its text.
fn gone(object_type: ObjectType, id: Uuid, reason: ChangeReason) -> StagedObject {
    let marker = match object_type {
        ObjectType::Users => GONE_PREFIX[0],
        ObjectType::Groups => GONE_PREFIX[1],
        ObjectType::Licenses | ObjectType::Devices => GONE_PREFIX[2],
    };
    StagedObject { object_type: marker, id, hash: Vec::new(), data: reason.as_str().to_owned() }
}

/// What the mirror has of these objects.
async fn known(reader: &Reader<'_>, object_type: ObjectType, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>, Stop> {
    let (organization, job) = (reader.run.job.organization, reader.run.job.id);
    let found = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| {
            read::some(tx, organization, read::Source::Mirror(job), object_type.as_str(), &ids).await
        })
        .await?;
    Ok(found.into_iter().map(|row| (row.id, row.data)).collect())
}

/// The object as it is now: delta gives every selected property of a changed object, without those that
/// were never set; those that were cleared come as null.
fn merged(data: &str, delta: &Delta) -> Result<Map, Stop> {
    let mut map: Map = serde_json::from_str(data).map_err(Error::internal)?;
    if let Some(change) = &delta.properties {
        let now: Map = serde_json::from_str(&change.json).map_err(Error::internal)?;
        map.extend(now);
        for name in &change.nulls {
            map.remove(name);
        }
        match change.manager {
            Some(Member { is_removed: true, .. }) => {
                map.remove("managerId");
            }
            Some(manager) => {
                map.insert("managerId".to_owned(), json!(manager.id));
            }
            None => {}
        }
    }
    if !delta.owners.is_empty() {
        let owners = map.get("ownerIds").and_then(Value::as_array).into_iter().flatten();
        let mut owners: BTreeSet<Uuid> =
            owners.filter_map(Value::as_str).filter_map(|text| Uuid::parse_str(text).ok()).collect();
        for (owner, came) in &delta.owners {
            if *came {
                owners.insert(*owner)
            } else {
                owners.remove(owner)
            };
        }
        map.insert("ownerIds".to_owned(), json!(owners));
    }
    Ok(map)
}

fn is_in_scope(reader: &Reader<'_>, object_type: ObjectType, map: &Map) -> bool {
    let filter = &reader.run.job.filter;
    let kind = match object_type {
        ObjectType::Users => EntityKind::Users,
        ObjectType::Groups => EntityKind::Groups,
        ObjectType::Devices => EntityKind::Devices,
        ObjectType::Licenses => return true,
    };
    filter.admits(kind, map) && !filter.exclude.excludes(kind, map)
}

/// Reads objects that were not in the mirror, and stages those in scope. Returns their ids.
async fn fetch(reader: &Reader<'_>, object_type: ObjectType, ids: &[Uuid]) -> Result<Vec<Uuid>, Stop> {
    let mut arrived = Vec::new();
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        let mut pager: Pager<Items> =
            reader.session.pages(list::by_id(reader, object_type, ids), RequestOptions::default());
        let mut batch = Batch::default();
        while let Some(page) = pager.next().await? {
            for item in page.content.iter() {
                let object = parse(item)?;
                let map: Map = serde_json::from_str(&object.json).map_err(Error::internal)?;
                if is_in_scope(reader, object_type, &map) {
                    arrived.extend(object.uuid());
                    batch.objects.extend(staged(object_type, &object)?);
                }
            }
        }
        reader.run.journal.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
    Ok(arrived)
}

/// The members of a group as they are now: as the mirror has them, with what came and went.
async fn stage_members(reader: &Reader<'_>, group: Uuid, delta: &Delta) -> Result<(), Stop> {
    let (organization, job) = (reader.run.job.organization, reader.run.job.id);
    let rows = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| read::members_of(tx, organization, job, group).await)
        .await?;
    let mut by_type: BTreeMap<String, BTreeSet<Uuid>> = BTreeMap::new();
    for row in rows {
        by_type.entry(row.member_type).or_default().extend(row.member_ids);
    }
    for (member, (came, kind)) in &delta.members {
        if *came {
            by_type.entry((*kind).to_owned()).or_default().insert(*member);
        } else {
            // A removal does not always say of what type the member was.
            by_type.values_mut().for_each(|members| {
                members.remove(member);
            });
        }
    }
    // An empty row says that nothing is left, which no row would not.
    if by_type.values().all(BTreeSet::is_empty) {
        by_type.entry("user".to_owned()).or_default();
    }
    let members = by_type.into_iter().map(|(member_type, members)| StagedMembers {
        group,
        member_type,
        part: 0,
        members: members.into_iter().collect(),
    });
    reader.writer.write(Batch { members: members.collect(), ..Batch::default() }).await
}
