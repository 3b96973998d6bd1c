//! An incremental read: what changed since the last complete one, by delta queries. Delta covers the whole tenant and
//! knows no filter, so the scope is decided here. An object that comes into scope is read by its id, because delta carries
//! only what changed. Nothing reaches the mirror before the last page.

mod arrived;
pub(super) mod changes;
mod links;
mod scoped;

use super::by_id::{self, Staged, Unfit};
use super::collected::DeltaLinks;
use super::kept_values;
use super::lost_permission::{self, Reading};
use super::managers;
use super::missing;
use super::object::{self, gone, reason_of};
use super::read_error::Result;
use super::reader::{Read, Reader};
use super::small::{read_small, small_types};
use super::staging::Note;
use super::stubs::{self, Changed};
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, StagedObject};
use crate::directory::security_attributes::SECURITY_ATTRIBUTES;
use crate::directory::{Link, ObjectType, Properties};
use crate::filter::EntityKind;
use crate::graph::delta::Collection;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::run_state::{ChangeReason, RunWarning};
use changes::{Delta, Replayed, replay, staged_as};
use scoped::{Decided, GroupChanges};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// Where the next incremental read of the types of the job begins: taken before a full read, so that nothing that
/// changes while it reads is lost, and only once in a run. `None` where the server has no delta queries.
pub(super) async fn positions(reader: &Reader<'_>) -> Result<Option<DeltaLinks>> {
    let users = match reader.plan.follows(ObjectType::Users) {
        true => position(reader, Collection::Users, Note::UsersDelta).await?,
        false => Position::Unwanted,
    };
    let groups = match (&users, reader.plan.follows(ObjectType::Groups)) {
        (Position::Refused, _) | (_, false) => Position::Unwanted,
        (_, true) => position(reader, Collection::Groups, Note::GroupsDelta).await?,
    };
    Ok(match (users, groups) {
        (Position::Refused, _) | (_, Position::Refused) => None,
        (users, groups) => Some(DeltaLinks { users: users.link(), groups: groups.link() }),
    })
}

enum Position {
    At(String),
    /// The server has no delta queries.
    Refused,
    /// The job does not follow the type.
    Unwanted,
}

impl Position {
    fn link(self) -> Option<String> {
        match self {
            Self::At(link) => Some(link),
            Self::Refused | Self::Unwanted => None,
        }
    }
}

/// The position that an earlier attempt of this run took, else the one of now.
async fn position(reader: &Reader<'_>, collection: Collection, note: Note) -> Result<Position> {
    if let Some(link) = reader.staging.noted(note).await? {
        return Ok(if link.is_empty() { Position::Refused } else { Position::At(link) });
    }
    match reader.session.delta_from_now(collection, &select(reader, collection)).await {
        Ok(link) => {
            reader.staging.note(note, Some(link.as_str())).await?;
            Ok(Position::At(link.to_string()))
        }
        Err(error) if is_without_delta(&error) => {
            let detail = format!(
                "Graph returned no delta token for {}, so incremental runs read everything. ({error})",
                collection.as_str()
            );
            reader.run.progress.warn(RunWarning::new(WarningCode::DeltaRefused, detail));
            reader.staging.note(note, None).await?;
            Ok(Position::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an error means that the server does not know delta queries, or not as Graph does.
fn is_without_delta(error: &GraphError) -> bool {
    error.refuses_optional()
        || matches!(
            error.kind,
            GraphErrorKind::Forbidden
                | GraphErrorKind::Malformed
                | GraphErrorKind::LinkLoop
                | GraphErrorKind::DeltaExpired { .. }
        )
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
    names.extend(job.filter.rule(kind).map(|rule| rule.parsed.select_in_delta()).unwrap_or_default());
    // Delta does not carry these.
    names.remove("signInActivity");
    names.remove(SECURITY_ATTRIBUTES);
    match collection {
        Collection::Users if job.mapping.carries(ObjectType::Users, Link::MANAGER) => names.extend(["manager"]),
        Collection::Groups => names.extend(["members", "owners", "visibility"]),
        Collection::Users | Collection::Devices => {}
    }
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// What became of the attempt.
pub(super) enum Outcome {
    Read(Read),
    /// The changes do not suffice: everything has to be read.
    Expired(String),
}

/// Whether an earlier attempt of this run staged changes: what else it staged is of the same round.
pub(super) async fn has_begun(reader: &Reader<'_>) -> Result<bool> {
    for object_type in [ObjectType::Users, ObjectType::Groups] {
        if !reader.staging.cursors(staged_as(object_type)).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Replays the changes since `links`. A type that may no longer be read keeps its position, as the mirror keeps its
/// objects: when it can be read again, it goes on from there.
pub(super) async fn read(reader: &Reader<'_>, links: &DeltaLinks) -> Result<Outcome> {
    let mut read = Read { is_patch: true, ..Read::default() };
    let mut next = Some(links.clone());
    let mut arrived = Vec::new();
    let (known_users, known_groups) =
        (Outside::load(reader, ObjectType::Users).await?, Outside::load(reader, ObjectType::Groups).await?);
    let mut changed = Changed::default();
    if let Some(link) = &links.users {
        let reading = Box::pin(read_users(reader, link, &known_users, &mut changed.users));
        match lost_permission::unless_refused(reader, ObjectType::Users, reading).await? {
            Reading::Whole(Round::Expired(why)) => return Ok(Outcome::Expired(why)),
            Reading::Whole(Round::Read(link, users)) => {
                next = next.map(|next| DeltaLinks { users: Some(link), ..next });
                arrived = users;
                read.types.extend(reader.plan.imports(ObjectType::Users).then_some(ObjectType::Users));
            }
            Reading::Lost(lost) => read.lost.push(lost),
        }
    }
    let mut group_changes = GroupChanges::default();
    if let Some(link) = &links.groups {
        let reading = Box::pin(read_groups(reader, link, &arrived, &known_groups, &mut changed.groups));
        match lost_permission::unless_refused(reader, ObjectType::Groups, reading).await? {
            Reading::Whole(Round::Expired(why)) => return Ok(Outcome::Expired(why)),
            Reading::Whole(Round::Read(link, of_groups)) => {
                group_changes = of_groups;
                next = next.map(|next| DeltaLinks { groups: Some(link), ..next });
                if reader.plan.imports(ObjectType::Groups) {
                    read.types.push(ObjectType::Groups);
                    read.memberships = true;
                }
            }
            Reading::Lost(lost) => {
                read.lost.push(lost);
                // No later change carries the memberships of a user restored from the recycle bin.
                next = next.filter(|_| arrived.is_empty());
            }
        }
    }
    read.delta = next;
    if reader.plan.narrows() && !read.lost.is_empty() {
        return Ok(Outcome::Expired("the filter's scope depends on a type that may no longer be read".to_owned()));
    }
    let decided = Box::pin(scoped::decide(reader, &mut read, &group_changes)).await?;
    if let Decided::Unknown(why) = decided {
        return Ok(Outcome::Expired(why));
    }
    // No later change tells who is in the groups whose members were not read.
    scoped::report_unread(reader, &mut read, &group_changes.unread);
    read_small(reader, &mut read, None).await?;
    // Users and groups are reported by delta when they are gone.
    missing::find(reader, &mut read, &small_types().collect::<Vec<_>>()).await?;
    if let Decided::Narrowed(mut narrowed, referred) = decided {
        (narrowed.stubs, narrowed.dropped) =
            Box::pin(stubs::stage(reader, &read, &narrowed.kept, referred, &changed)).await?;
        read.narrowed = Some(narrowed);
    }
    Ok(Outcome::Read(read))
}

/// What became of a round of changes of one type.
enum Round<T> {
    /// Where the next one begins, and what is to be known of this one.
    Read(String, T),
    Expired(String),
}

/// Objects of a type that are known and not in the mirror as such. Sorted.
struct Outside {
    /// The filter's scope or limits left them out at the last read.
    left_out: Vec<Uuid>,
    stubs: Vec<Uuid>,
}

impl Outside {
    async fn load(reader: &Reader<'_>, object_type: ObjectType) -> Result<Self> {
        let left_out = reader.mirror.left_out(object_type).await?;
        Ok(Self { left_out, stubs: reader.mirror.stubs(object_type).await? })
    }

    fn is_left_out(&self, id: &Uuid) -> bool {
        self.left_out.binary_search(id).is_ok()
    }

    fn has(&self, id: &Uuid) -> bool {
        self.is_left_out(id) || self.stubs.binary_search(id).is_ok()
    }
}

/// Returns those who arrived.
async fn read_users(
    reader: &Reader<'_>,
    position: &str,
    known: &Outside,
    changed: &mut BTreeSet<Uuid>,
) -> Result<Round<Vec<Uuid>>> {
    let (changes, link) = match replay(reader, ObjectType::Users, position, Some(staged_as(ObjectType::Users))).await? {
        Replayed::Round(changes, link) => (changes, link),
        Replayed::Expired(why) => return Ok(Round::Expired(why)),
    };
    changed.extend(changes.keys());
    let Staged { in_scope: arrived, not_found } = apply(reader, ObjectType::Users, &changes, known).await?;
    let link = if not_found.is_empty() { link } else { position_kept(reader, ObjectType::Users, position, &not_found) };
    arrived::restage_reports(reader, &arrived, &changes).await?;
    Ok(Round::Read(link, arrived))
}

/// Changed objects are not readable yet, as when a replica is behind: the next round starts at the same delta link.
fn position_kept(reader: &Reader<'_>, object_type: ObjectType, position: &str, what: &[Uuid]) -> String {
    let (first, number) = (what.first().map(Uuid::to_string).unwrap_or_default(), what.len() as u64);
    let detail = format!(
        "Graph reports changes of {}, but does not return what changed yet (the first: {first}). The next run asks again.",
        object_type.counted(number)
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::ChangesNotReadable, detail).with_count(number));
    position.to_owned()
}

/// Groups with their memberships; `users`: those who arrived.
async fn read_groups(
    reader: &Reader<'_>,
    position: &str,
    users: &[Uuid],
    known: &Outside,
    changed: &mut BTreeSet<Uuid>,
) -> Result<Round<GroupChanges>> {
    let (mut changes, link) =
        match replay(reader, ObjectType::Groups, position, Some(staged_as(ObjectType::Groups))).await? {
            Replayed::Round(changes, link) => (changes, link),
            Replayed::Expired(why) => return Ok(Round::Expired(why)),
        };
    changed.extend(changes.keys());
    let mut group_changes = GroupChanges::of(&changes);
    arrived::add_owned_groups(reader, users, &mut changes).await?;
    let Staged { in_scope: arrived, not_found } = match reader.plan.reads(ObjectType::Groups) {
        true => apply(reader, ObjectType::Groups, &changes, known).await?,
        false => Staged::default(),
    };
    arrived::add_memberships(reader, users, &arrived, &mut changes).await?;
    group_changes.unread = links::stage(reader, &changes, &arrived).await?;
    // Those will not be shown later either.
    group_changes.unread.retain(|group| !group_changes.hidden.contains(group));
    group_changes.arrived = arrived;
    let link =
        if not_found.is_empty() { link } else { position_kept(reader, ObjectType::Groups, position, &not_found) };
    Ok(Round::Read(link, group_changes))
}

/// Changed objects whose texts are held in memory together.
const APPLIED_AT_ONCE: usize = 1_000;

/// Stages what the changes make of the objects of one type: new texts, and marks for what is gone. Returns those that
/// were neither in the mirror nor left out of it.
async fn apply(
    reader: &Reader<'_>,
    object_type: ObjectType,
    changes: &BTreeMap<Uuid, Delta>,
    outside: &Outside,
) -> Result<Staged> {
    let ids: Vec<Uuid> = changes.keys().copied().collect();
    let (mut newcomers, mut unread, mut kept) = (Vec::new(), Vec::new(), kept_values::Kept::new());
    let mut still_out = Vec::new();
    for ids in ids.chunks(APPLIED_AT_ONCE) {
        let known = reader.mirror.objects(object_type, ids.to_vec()).await?;
        let mut batch = Batch::default();
        let managers = Managers::ask(reader, object_type, ids, changes, &known).await?;
        unread.extend(managers.unread());
        for (id, delta) in ids.iter().filter_map(|id| changes.get_key_value(id)) {
            match (delta.removed, known.get(id)) {
                (Some(removed), Some(_)) => batch.objects.push(gone(object_type, *id, reason_of(removed))),
                (Some(removed), None) if outside.has(id) => {
                    batch.objects.push(gone(object_type, *id, reason_of(removed)));
                }
                (Some(_), None) => {}
                (None, None) if outside.is_left_out(id) => still_out.push(*id),
                // Not in the mirror: it is new, or was out of scope. Delta tells only what changed of it.
                (None, None) => newcomers.push(*id),
                (None, Some(data)) => {
                    let mut map = delta.merged(data)?;
                    managers.enter(*id, &mut map);
                    delta.kept.iter().for_each(|name| *kept.entry(name.clone()).or_insert(0) += 1);
                    if object::is_in_scope(reader, object_type, &map) {
                        batch.objects.push(StagedObject::new(object_type, *id, map));
                    } else {
                        batch.objects.push(gone(object_type, *id, ChangeReason::OutOfScope));
                    }
                }
            }
        }
        reader.staging.write(batch).await?;
    }
    kept_values::warn(reader.run, object_type, &kept);
    let mut staged = by_id::stage(reader, object_type, &newcomers, Unfit::Forget).await?;
    staged.not_found.extend(unread);
    // They are known, but not what the filter makes of them now.
    staged.not_found.extend(by_id::stage(reader, object_type, &still_out, Unfit::Mark).await?.not_found);
    Ok(staged)
}

/// The managers of changed users, where the changes do not say who they are in the form that is documented.
#[derive(Default)]
struct Managers {
    asked: Vec<Uuid>,
    now: HashMap<Uuid, Option<Uuid>>,
}

impl Managers {
    async fn ask(
        reader: &Reader<'_>,
        object_type: ObjectType,
        ids: &[Uuid],
        changes: &BTreeMap<Uuid, Delta>,
        known: &HashMap<Uuid, String>,
    ) -> Result<Self> {
        if object_type != ObjectType::Users || !reader.run.job.mapping.carries(object_type, Link::MANAGER) {
            return Ok(Self::default());
        }
        let is_unclear = |id: &&Uuid| {
            known.contains_key(*id)
                && changes.get(*id).is_some_and(|delta| delta.removed.is_none() && delta.manager.is_none())
        };
        let asked: Vec<Uuid> = ids.iter().filter(is_unclear).copied().collect();
        let now = managers::now(reader, &asked, known).await?;
        Ok(Self { asked, now })
    }

    /// Those that Graph does not return yet: they keep the manager that was known.
    fn unread(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.asked.iter().filter(|id| !self.now.contains_key(id)).copied()
    }

    fn enter(&self, user: Uuid, map: &mut Properties) {
        match self.now.get(&user) {
            Some(Some(manager)) => {
                map.insert("managerId".to_owned(), json!(manager));
            }
            Some(None) => {
                map.remove("managerId");
            }
            None => {}
        }
    }
}
