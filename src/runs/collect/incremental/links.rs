//! Memberships after a round of changes.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, StagedMembers, read, scope};
use crate::directory::ObjectType;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Content, MemberKind, Members};
use crate::graph::{Pager, RequestOptions};
use crate::run_state::RunWarning;
use crate::runs::collect::groups;
use crate::runs::collect::object::{self, known, reason_of};
use crate::runs::collect::reader::Reader;
use crate::runs::collect::request::get_many;
use crate::runs::stop::Stop;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use uuid::Uuid;

/// Objects whose groups are asked for together, and whose answers are in memory at once.
const ASKED_AT_ONCE: usize = 320;

/// Adds the groups that those who arrived are in. Who comes back from the recycle bin has memberships of before,
/// which the changes of the groups need not tell. Where it may not be read, they are left to what groups tell.
pub(super) async fn of_arrived(
    reader: &Reader<'_>,
    users: &[Uuid],
    groups_arrived: &[Uuid],
    changes: &mut BTreeMap<Uuid, Delta>,
) -> Result<(), Stop> {
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
                for group in to_the_last(reader, item.body).await? {
                    found.entry(group).or_default().push((*id, kind.as_str()));
                }
            }
        }
    }
    if let Some(error) = refused {
        let detail = format!(
            "The groups of those who arrived cannot be asked for ({error}). Who was restored from the recycle bin gets \
             the groups of before with the next full run."
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::GroupsOfArrivedUnknown, detail));
    }
    let followed = Followed::of(reader, found.keys().copied().collect()).await?;
    for (group, members) in found {
        let is_there = changes.get(&group).is_none_or(|delta| delta.removed.is_none());
        if followed.has(&group) && is_there {
            let delta = changes.entry(group).or_default();
            for (member, kind) in members {
                // Asked for after the changes, so it is the newer word.
                delta.members.insert(member, (true, kind));
            }
        }
    }
    Ok(())
}

/// The groups in an answer, and in the pages after it.
async fn to_the_last(reader: &Reader<'_>, body: String) -> Result<Vec<Uuid>, Stop> {
    let (links, mut found) = Members::read(body).map_err(|e| {
        Stop::graph(&GraphError::new(GraphErrorKind::Malformed, format!("a list of groups cannot be read: {e}")))
    })?;
    if let Some(next) = links.next {
        let mut pager: Pager<Members> = reader.session.pages(reader.session.link(&next)?, RequestOptions::default());
        while let Some(page) = pager.next().await? {
            found.0.extend(page.content.0);
        }
    }
    Ok(found.0.iter().filter(|member| member.kind == MemberKind::Group).map(|member| member.id).collect())
}

/// Members held in memory at once, about; one group can have more.
const MEMBERS_AT_ONCE: i64 = 50_000;

/// Which of some groups the job follows: those that are imported, and those by which the scope decides.
struct Followed {
    imported: HashSet<Uuid>,
    for_scope: HashSet<Uuid>,
}

impl Followed {
    async fn of(reader: &Reader<'_>, groups: Vec<Uuid>) -> Result<Self, Stop> {
        let (lease, job) = (reader.run.lease, reader.run.job.id);
        let db = &reader.run.app.db;
        let for_scope = db.scoped(lease.organization, async |tx| scope::kept(tx, &lease, job, &groups).await).await?;
        let imported = known(reader, ObjectType::Groups, groups).await?.into_keys().collect();
        Ok(Self { imported, for_scope: for_scope.into_iter().collect() })
    }

    fn has(&self, group: &Uuid) -> bool {
        self.imported.contains(group) || self.for_scope.contains(group)
    }
}

/// Stages the members of the groups that changed, and reads those of the groups that arrived. Returns the groups whose
/// members are not known.
pub(super) async fn stage(
    reader: &Reader<'_>,
    changes: &BTreeMap<Uuid, Delta>,
    arrived: &[Uuid],
) -> Result<Vec<Uuid>, Stop> {
    let followed = Followed::of(reader, changes.keys().copied().collect()).await?;
    let gone = changes.iter().filter_map(|(id, delta)| Some((id, delta.removed?)));
    let gone = gone.filter(|(id, _)| followed.for_scope.contains(id));
    let objects = gone.map(|(id, removed)| object::gone(ObjectType::Groups, *id, reason_of(removed))).collect();
    reader.writer.write(Batch { objects, ..Batch::default() }).await?;
    let with_members = changes.iter().filter(|(_, delta)| delta.removed.is_none() && !delta.members.is_empty());
    let ids = with_members.map(|(id, _)| *id).filter(|id| followed.has(id) && !arrived.contains(id));
    let ids: Vec<Uuid> = ids.collect();
    for groups in parts(reader, &ids).await? {
        stage_members(reader, groups, changes).await?;
    }
    groups::read_arrived(reader, arrived).await
}

/// Groups in parts whose members fit into memory.
async fn parts<'a>(reader: &Reader<'_>, groups: &'a [Uuid]) -> Result<Vec<&'a [Uuid]>, Stop> {
    let (organization, source) = (reader.run.job.organization, read::Source::Mirror(reader.run.job.id));
    let db = &reader.run.app.db;
    let counts =
        db.scoped(organization, async |tx| read::member_counts(tx, organization, source, groups).await).await?;
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
async fn stage_members(reader: &Reader<'_>, groups: &[Uuid], changes: &BTreeMap<Uuid, Delta>) -> Result<(), Stop> {
    let (lease, job) = (reader.run.lease, reader.run.job.id);
    let db = &reader.run.app.db;
    let rows = db.scoped(lease.organization, async |tx| {
        let for_scope = scope::kept(tx, &lease, job, groups).await?;
        let mut rows = read::members_of(tx, lease.organization, read::Source::Mirror(job), groups).await?;
        rows.extend(scope::members_of(tx, &lease, job, &for_scope).await?);
        Ok(rows)
    });
    let rows = rows.await?;
    let mut known: BTreeMap<Uuid, BTreeMap<String, BTreeSet<Uuid>>> = BTreeMap::new();
    for row in rows {
        known.entry(row.group_id).or_default().entry(row.member_type).or_default().extend(row.member_ids);
    }
    let mut batch = Batch::default();
    for (group, delta) in groups.iter().filter_map(|group| changes.get_key_value(group)) {
        let members = as_now(known.remove(group).unwrap_or_default(), delta).into_iter();
        batch.members.extend(
            members.map(|(member_type, members)| {
                StagedMembers::new(*group, member_type, 0, members.into_iter().collect())
            }),
        );
    }
    reader.writer.write(batch).await
}

/// The members of one group by their type, after a round of changes.
fn as_now(mut by_type: BTreeMap<String, BTreeSet<Uuid>>, delta: &Delta) -> BTreeMap<String, BTreeSet<Uuid>> {
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
    by_type
}
