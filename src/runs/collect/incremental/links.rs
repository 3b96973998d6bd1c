//! Memberships after a round of changes.

use super::changes::Delta;
use crate::db::mirror::{Batch, MEMBERS, StagedMembers};
use crate::directory::{MemberType, ObjectType};
use crate::error::Error;
use crate::runs::collect::groups;
use crate::runs::collect::mirror::MembersByType;
use crate::runs::collect::object::{self, reason_of};
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// Members held in memory at once, about; one group can have more.
const MEMBERS_AT_ONCE: i64 = 50_000;

/// Stages the members of the groups that changed, and reads those of the groups that arrived. Returns the groups whose
/// members are not known.
pub(super) async fn stage(reader: &Reader<'_>, changes: &BTreeMap<Uuid, Delta>, arrived: &[Uuid]) -> Result<Vec<Uuid>> {
    let followed = reader.mirror.followed(changes.keys().copied().collect()).await?;
    let gone = changes.iter().filter_map(|(id, delta)| Some((id, delta.removed?)));
    let gone = gone.filter(|(id, _)| followed.has(id));
    let objects = gone.map(|(id, removed)| object::gone(ObjectType::Groups, *id, reason_of(removed))).collect();
    reader.staging.write(Batch { objects, ..Batch::default() }).await?;
    let with_members = changes.iter().filter(|(_, delta)| delta.removed.is_none() && !delta.members.is_empty());
    let ids = with_members.map(|(id, _)| *id).filter(|id| followed.has(id) && !arrived.contains(id));
    // An earlier attempt may have read the members of one since.
    let read = read_since(reader, arrived).await?;
    let ids: Vec<Uuid> = ids.filter(|id| !read.contains(id)).collect();
    for groups in parts(reader, &ids).await? {
        stage_members(reader, groups, changes).await?;
    }
    if reader.plan.stubs_need_other_groups() {
        // No later change tells who is in a group that nobody follows yet.
        let others = changes.iter().filter(|(_, delta)| delta.removed.is_none()).map(|(id, _)| *id);
        let others: Vec<Uuid> = others.filter(|id| !followed.has(id) && !arrived.contains(id)).collect();
        groups::read_roots(reader, &others).await?;
    }
    groups::read_arrived(reader, arrived).await
}

/// The groups whose members an earlier attempt read to the end. What is staged of a group's members stands for all of them,
/// so where the attempt died between two pages they begin again; those of `arrived` are read on.
async fn read_since(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<HashSet<Uuid>> {
    let mut read = HashSet::new();
    for cursor in reader.staging.cursors(MEMBERS).await?.into_values() {
        let group: Uuid = cursor.part.parse().map_err(Error::internal)?;
        if cursor.done {
            read.insert(group);
        } else if !arrived.contains(&group) {
            reader.staging.restart_members(group).await?;
        }
    }
    Ok(read)
}

/// Groups in parts whose members fit into memory.
async fn parts<'a>(reader: &Reader<'_>, groups: &'a [Uuid]) -> Result<Vec<&'a [Uuid]>> {
    let counts = reader.mirror.member_counts(groups).await?;
    let mut held = 0;
    let parts = groups.chunk_by(|group, next| {
        // A group without members takes a row as well.
        held += counts.get(group).copied().unwrap_or(0).max(1);
        let fits = held + counts.get(next).copied().unwrap_or(0) <= MEMBERS_AT_ONCE;
        held = if fits { held } else { 0 };
        fits
    });
    Ok(parts.collect())
}

/// The members of groups as they are now: as the mirror has them, with what came and went.
async fn stage_members(reader: &Reader<'_>, groups: &[Uuid], changes: &BTreeMap<Uuid, Delta>) -> Result<()> {
    let mut known = reader.mirror.members_of(groups).await?;
    let mut batch = Batch::default();
    for (group, delta) in groups.iter().filter_map(|group| changes.get_key_value(group)) {
        let members = as_now(known.remove(group).unwrap_or_default(), delta).into_iter();
        batch.members.extend(
            members.map(|(member_type, members)| {
                StagedMembers::new(*group, member_type, 0, members.into_iter().collect())
            }),
        );
    }
    reader.staging.write(batch).await
}

/// The members of one group by their type, after a round of changes.
fn as_now(mut by_type: MembersByType, delta: &Delta) -> MembersByType {
    for (member, (came, kind)) in &delta.members {
        if *came {
            by_type.entry(*kind).or_default().insert(*member);
        } else {
            // A removal does not always say of what type the member was.
            by_type.values_mut().for_each(|members| {
                members.remove(member);
            });
        }
    }
    // An empty row means «no members»; a missing row means «unknown».
    if by_type.values().all(BTreeSet::is_empty) {
        by_type.entry(MemberType::User).or_default();
    }
    by_type
}
