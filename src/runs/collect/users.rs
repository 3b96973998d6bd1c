//! Users, where those in scope are the members of groups: read by their ids, or listed, whichever takes fewer requests.

use super::answers::Question;
use super::fetch::{REQUESTS_AT_ONCE, fetch, fetch_held};
use super::object::{Admitted, admitted, staged};
use super::read_error::Result;
use super::read_plan::Users;
use super::reader::Reader;
use super::{decided_by_graph, list, managers, ranges};
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::filter::{EntityKind, Parsed};
use crate::graph::IDS_IN_A_QUERY;
use crate::graph::wire::Properties;
use crate::runs::progress::Work;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is asked of the members of a scope.
const MEMBERS: &str = "members";

/// Reads users: all that fulfil the condition, or, of `members`, those that do. Returns how many fulfil it, where only
/// members were read and the server counts.
pub(super) async fn read(reader: &Reader<'_>, members: Option<Vec<Uuid>>) -> Result<Option<u64>> {
    let Some(members) = members else { return list::read(reader, ObjectType::Users).await.map(|()| None) };
    let rule = reader.run.job.filter.rule(EntityKind::Users).map(|rule| &rule.parsed);
    // The count is asked for only where it decides.
    let matching = if reader.plan.needs_a_list_of_users() { None } else { count_matching(reader, rule).await? };
    let reason = match reader.plan.users(members.len(), matching) {
        Users::ById => {
            reader.run.log(&format!("The {} members of the scope's groups are read by id.", members.len())).await?;
            read_by_id(reader, &members).await?;
            return Ok(matching);
        }
        Users::Listed(reason) => reason,
    };
    reader.run.log(&format!("All users are read: {reason}.")).await?;
    list::read(reader, ObjectType::Users).await.map(|()| None)
}

/// How many users fulfil the condition; `None` where the server does not count, or the parts of the condition may have
/// users in common.
async fn count_matching(reader: &Reader<'_>, rule: Option<&Parsed>) -> Result<Option<u64>> {
    let condition = match rule.map(Parsed::requests) {
        None => None,
        Some([one]) => Some(one.as_str()),
        Some(_) => return Ok(None),
    };
    ranges::count(reader, condition).await
}

/// Reads these users and keeps those that fulfil the condition.
async fn read_by_id(reader: &Reader<'_>, ids: &[Uuid]) -> Result<()> {
    reader.run.progress.expect(Work::Objects, ids.len() as u64);
    let told: BTreeMap<Uuid, ()> = reader.told(ObjectType::Users.as_str(), MEMBERS, ids).await?;
    reader.run.progress.was_done(Work::Objects, told.len() as u64);
    let open: Vec<Uuid> = ids.iter().filter(|id| !told.contains_key(id)).copied().collect();
    let parts: Vec<Vec<Uuid>> = open.chunks(IDS_IN_A_QUERY).map(<[Uuid]>::to_vec).collect();
    stream::iter(parts)
        .map(|ids| async move {
            let (users, request) = fetch_held(reader, ObjectType::Users, &ids).await?;
            let mut batch = decided(reader, users, true)?;
            let told = ids.iter().map(|id| (*id, ())).collect();
            batch.cursors.push(Question::told(ObjectType::Users.as_str(), MEMBERS, &told)?);
            reader.run.progress.advance(Work::Objects, ids.len() as u64);
            reader.staging.write_page(batch, request).await
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_for_each(|()| std::future::ready(Ok(())))
        .await?;
    managers::complete(reader).await
}

/// Reads the first of these users that the filter admits. Returns their ids. `decides`: whether the condition is still to
/// be decided; otherwise Graph listed the users by it.
pub(super) async fn read_first(reader: &Reader<'_>, ids: &[Uuid], limit: u32, decides: bool) -> Result<Vec<Uuid>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        if found.len() >= limit as usize {
            break;
        }
        let fulfilling = match decides {
            true => decided_by_graph::fulfilling(reader, ObjectType::Users, ids).await?,
            false => None,
        };
        let is_open = decides && fulfilling.is_none();
        let ids: Vec<Uuid> =
            ids.iter().filter(|id| fulfilling.as_ref().is_none_or(|all| all.contains(id))).copied().collect();
        if ids.is_empty() {
            continue;
        }
        let mut batch = decided(reader, fetch(reader, ObjectType::Users, &ids).await?, is_open)?;
        // A limit takes the smallest ids.
        batch.objects.sort_unstable_by_key(|object| object.id);
        batch.objects.truncate(limit as usize - found.len());
        found.extend(batch.objects.iter().map(|object| object.id));
        reader.run.progress.expect(Work::Objects, batch.objects.len() as u64);
        reader.run.progress.advance(Work::Objects, batch.objects.len() as u64);
        reader.staging.write(batch).await?;
    }
    Ok(found)
}

/// Users that were read by id, as far as the filter admits them.
fn decided(reader: &Reader<'_>, users: Vec<Properties>, decides: bool) -> Result<Batch> {
    let mut batch = Batch::default();
    for user in users {
        match admitted(reader, ObjectType::Users, &user, decides)? {
            Admitted::Yes => batch.objects.extend(staged(ObjectType::Users, &user)?),
            Admitted::Excluded => reader.run.progress.count("users", |count| count.out_of_scope += 1),
            Admitted::NoMatch => {}
        }
    }
    Ok(batch)
}
