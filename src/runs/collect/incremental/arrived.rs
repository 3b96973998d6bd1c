//! What belongs to users and groups that arrived. An object that is restored from the recycle bin has its former
//! memberships, reports and groups again, which changes need not report. So the run asks for them. A new object has few of
//! them.

use super::changes::Delta;
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, StagedObject};
use crate::directory::{Link, MemberType, ObjectType, Properties};
use crate::error::Error;
use crate::graph::error::GraphErrorKind;
use crate::graph::wire::Members;
use crate::run_state::RunWarning;
use crate::runs::collect::fetch::get_many_once;
use crate::runs::collect::pages::whole_of;
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Objects that are asked for together, and whose answers are in memory at once.
const ASKED_AT_ONCE: usize = 320;
/// Users whose texts are held in memory together.
const STAGED_AT_ONCE: usize = 1_000;

/// Gives the users in the mirror whose manager arrived this manager.
pub(super) async fn restage_reports(
    reader: &Reader<'_>,
    users: &[Uuid],
    changes: &BTreeMap<Uuid, Delta>,
) -> Result<()> {
    if !reader.run.job.mapping.carries(ObjectType::Users, Link::MANAGER) {
        return Ok(());
    }
    let found = linked(reader, "users", users, "directReports", MemberType::User).await?;
    // What the changes say of a user, or Graph was asked for because of them, is as new.
    let reports = found.into_iter().flat_map(|(manager, reports)| reports.into_iter().map(move |id| (id, manager)));
    let managers: HashMap<Uuid, Uuid> = reports.filter(|(report, _)| !changes.contains_key(report)).collect();
    let ids: Vec<Uuid> = managers.keys().copied().collect();
    for ids in ids.chunks(STAGED_AT_ONCE) {
        let mut batch = Batch::default();
        for (id, data) in reader.mirror.objects(ObjectType::Users, ids.to_vec()).await? {
            let mut map: Properties = serde_json::from_str(&data).map_err(Error::internal)?;
            map.insert("managerId".to_owned(), json!(managers.get(&id)));
            batch.objects.push(StagedObject::new(ObjectType::Users, id, map));
        }
        reader.staging.write(batch).await?;
    }
    Ok(())
}

/// Adds the groups of the mirror that arrived users own.
pub(super) async fn add_owned_groups(
    reader: &Reader<'_>,
    users: &[Uuid],
    changes: &mut BTreeMap<Uuid, Delta>,
) -> Result<()> {
    if !reader.run.job.mapping.carries(ObjectType::Groups, Link::OWNERS) {
        return Ok(());
    }
    let found = linked(reader, "users", users, "ownedObjects", MemberType::Group).await?;
    let mut owners: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for (user, groups) in found {
        groups.into_iter().for_each(|group| owners.entry(group).or_default().push(user));
    }
    // Groups that are not in the mirror are read whole when they come into it.
    for (group, _) in reader.mirror.objects(ObjectType::Groups, owners.keys().copied().collect()).await? {
        if changes.get(&group).is_none_or(|delta| delta.removed.is_none()) {
            let delta = changes.entry(group).or_default();
            delta.owners.extend(owners.remove(&group).into_iter().flatten().map(|owner| (owner, true)));
        }
    }
    Ok(())
}

/// Adds the groups of new users and groups. Where they may not be read, only the changes of groups count.
pub(super) async fn add_memberships(
    reader: &Reader<'_>,
    users: &[Uuid],
    groups_arrived: &[Uuid],
    changes: &mut BTreeMap<Uuid, Delta>,
) -> Result<()> {
    let mut members: BTreeMap<Uuid, Vec<(Uuid, MemberType)>> = BTreeMap::new();
    for (path, kind, ids) in [("users", MemberType::User, users), ("groups", MemberType::Group, groups_arrived)] {
        for (id, groups) in linked(reader, path, ids, "memberOf", MemberType::Group).await? {
            groups.into_iter().for_each(|group| members.entry(group).or_default().push((id, kind)));
        }
    }
    let followed = reader.mirror.followed(members.keys().copied().collect()).await?;
    for (group, members) in members {
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

/// What objects are linked with by a relation, by object; only what is of one kind.
async fn linked(
    reader: &Reader<'_>,
    path: &str,
    ids: &[Uuid],
    relation: &str,
    kind: MemberType,
) -> Result<Vec<(Uuid, Vec<Uuid>)>> {
    let url = |id: &Uuid| reader.session.url(&format!("{path}/{id}/{relation}?$select=id"));
    let each = |page: &Members, found: &mut Vec<Uuid>| {
        found.extend(page.0.iter().filter(|member| member.kind == kind).map(|member| member.id));
        Ok(())
    };
    let (mut found, mut refused) = (Vec::new(), None);
    for ids in ids.chunks(ASKED_AT_ONCE) {
        for (id, answer) in ids.iter().zip(get_many_once(reader, ids.iter().map(url).collect()).await?) {
            match answer {
                Ok(item) => found.push((*id, whole_of(reader, item.body, relation, each).await?)),
                // Gone again.
                Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
                Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::Forbidden) => {
                    refused = refused.or(Some(error));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if let Some(error) = refused {
        let detail = format!(
            "`{relation}` of new {path} cannot be read ({error}). Those restored from the recycle bin get what they had \
             with the next full run."
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::GroupsOfArrivedUnknown, detail));
    }
    Ok(found)
}
