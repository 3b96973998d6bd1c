//! Memberships after a round of changes.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, StagedMembers};
use crate::directory::ObjectType;
use crate::graph::error::GraphErrorKind;
use crate::graph::wire::{MemberKind, Members};
use crate::run_state::RunWarning;
use crate::runs::collect::fetch::get_many;
use crate::runs::collect::groups;
use crate::runs::collect::mirror::MembersByType;
use crate::runs::collect::object::{self, reason_of};
use crate::runs::collect::pages::whole_of;
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Objects whose groups are asked for together, and whose answers are in memory at once.
const ASKED_AT_ONCE: usize = 320;

/// Adds the groups of new users and groups. One that is restored from the recycle bin has its former memberships, which
/// the changes of groups need not report. Where they may not be read, only the changes of groups count.
pub(super) async fn of_arrived(
    reader: &Reader<'_>,
    users: &[Uuid],
    groups_arrived: &[Uuid],
    changes: &mut BTreeMap<Uuid, Delta>,
) -> Result<()> {
    let mut found: BTreeMap<Uuid, Vec<(Uuid, &'static str)>> = BTreeMap::new();
    let mut refused = None;
    for (path, kind, ids) in [("users", MemberKind::User, users), ("groups", MemberKind::Group, groups_arrived)] {
        let url = |id: &Uuid| reader.session.url(&format!("{path}/{id}/memberOf?$top=999&$select=id"));
        for ids in ids.chunks(ASKED_AT_ONCE) {
            for (id, answer) in ids.iter().zip(get_many(reader, ids.iter().map(url).collect()).await?) {
                let item = match answer {
                    Ok(item) => item,
                    // Gone again.
                    Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => continue,
                    Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::Forbidden) => {
                        refused = refused.or(Some(error));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                for group in whole_of(reader, item.body, "groups", groups_of).await? {
                    found.entry(group).or_default().push((*id, kind.as_str()));
                }
            }
        }
    }
    if let Some(error) = refused {
        let detail = format!(
            "The groups of new users and groups cannot be read ({error}). Those restored from the recycle bin get their \
             former groups with the next full run."
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::GroupsOfArrivedUnknown, detail));
    }
    let followed = reader.mirror.followed(found.keys().copied().collect()).await?;
    for (group, members) in found {
        let is_there = changes.get(&group).is_none_or(|delta| delta.removed.is_none());
        if followed.has(&group) && is_there {
            let delta = changes.entry(group).or_default();
            for (member, kind) in members {
                // Read after the changes, so it is newer.
                delta.members.insert(member, (true, kind));
            }
        }
    }
    Ok(())
}

fn groups_of(page: &Members, groups: &mut Vec<Uuid>) -> Result<()> {
    groups.extend(page.0.iter().filter(|member| member.kind == MemberKind::Group).map(|member| member.id));
    Ok(())
}

/// Members held in memory at once, about; one group can have more.
const MEMBERS_AT_ONCE: i64 = 50_000;

/// Stages the members of the groups that changed, and reads those of the groups that arrived. Returns the groups whose
/// members are not known.
pub(super) async fn stage(reader: &Reader<'_>, changes: &BTreeMap<Uuid, Delta>, arrived: &[Uuid]) -> Result<Vec<Uuid>> {
    let followed = reader.mirror.followed(changes.keys().copied().collect()).await?;
    let gone = changes.iter().filter_map(|(id, delta)| Some((id, delta.removed?)));
    let gone = gone.filter(|(id, _)| followed.for_scope.contains(id));
    let objects = gone.map(|(id, removed)| object::gone(ObjectType::Groups, *id, reason_of(removed))).collect();
    reader.staging.write(Batch { objects, ..Batch::default() }).await?;
    let with_members = changes.iter().filter(|(_, delta)| delta.removed.is_none() && !delta.members.is_empty());
    let ids = with_members.map(|(id, _)| *id).filter(|id| followed.has(id) && !arrived.contains(id));
    let ids: Vec<Uuid> = ids.collect();
    for groups in parts(reader, &ids).await? {
        stage_members(reader, groups, changes).await?;
    }
    groups::read_arrived(reader, arrived).await
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
            by_type.entry((*kind).to_owned()).or_default().insert(*member);
        } else {
            // A removal does not always say of what type the member was.
            by_type.values_mut().for_each(|members| {
                members.remove(member);
            });
        }
    }
    // An empty row means «no members»; a missing row means «unknown».
    if by_type.values().all(BTreeSet::is_empty) {
        by_type.entry("user".to_owned()).or_default();
    }
    by_type
}
