//! Groups with their owners and members. Groups come as a list; then the members of many groups are read at
//! once, each to its last page. There is no limit on groups a user is in, or members of a group.

use super::query::TOP;
use super::refused::{Optional, links_url, links_without_select};
use super::{Reader, list};
use crate::db::mirror::{self, Batch, Cursor, CursorRow, MEMBERS, StagedMembers, StagedObject, cursors, read};
use crate::directory::{Link, ObjectType, Properties};
use crate::graph::error::{GraphError, Kind};
use crate::graph::page::halve_top;
use crate::graph::wire::{Member, Members};
use crate::graph::{Next, Page, Pager, RequestOptions};
use crate::run_state::{RunMode, RunStage, RunWarning};
use crate::runs::stop::Stop;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use url::Url;
use uuid::Uuid;

/// Groups whose members are asked for at once; the limiter decides how many requests are really under way.
const GROUPS_AT_ONCE: usize = 176;
/// `$expand` gives so many at most, and no link to the rest. Source: facts/graph.md §4.4.
const EXPANDED_MOST: usize = 20;
const RESTARTS_MOST: u32 = 8;
/// What reading the members of groups with `visibility: HiddenMembership` needs. Source: facts/graph.md §3.1.
const HIDDEN_ROLE: &str = "Member.Read.Hidden";

pub(super) struct ReadGroups {
    pub memberships: bool,
    /// Groups whose members we may not see or could not read: what was known stays.
    pub members_unknown: Vec<Uuid>,
}

/// A group as far as the reading of its members goes.
struct Group {
    id: Uuid,
    hidden: bool,
    owners_incomplete: bool,
    owners_unknown: bool,
}

/// Reads groups, owners and members to their end.
pub(super) async fn read(reader: &Reader<'_>) -> Result<ReadGroups, Stop> {
    list::read(reader, ObjectType::Groups).await?;
    let groups = staged_groups(reader).await?;
    // Each has counted as one object; its members are one more thing to do.
    reader.run.journal.expect(groups.len() as u64);
    let known = known_cursors(reader).await?;
    let members_unknown: Vec<Uuid> = stream::iter(groups)
        .map(|group| {
            let cursor = known.get(&group.id.to_string()).cloned();
            async move { read_group(reader, &group, cursor).await.map(|known| (!known).then_some(group.id)) }
        })
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_filter_map(async |unknown| Ok(unknown))
        .try_collect()
        .await?;
    warn_of_unknown(reader, members_unknown.len());
    Ok(ReadGroups { memberships: true, members_unknown })
}

fn warn_of_unknown(reader: &Reader<'_>, unknown: usize) {
    if unknown == 0 {
        return;
    }
    let detail = format!(
        "The members of {unknown} groups are hidden or could not be read; what was known of them stays as it was."
    );
    let advice = format!("Add the Application permission {HIDDEN_ROLE} if hidden memberships are to be imported.");
    let warning = RunWarning::new("memberships_unknown", detail).with_count(unknown as u64).with_advice(advice);
    reader.run.journal.warn(warning);
}

/// The groups that were just read, from where they were written, largest known first: a group of a million
/// members is a thousand pages one after another, so it has to begin early.
async fn staged_groups(reader: &Reader<'_>) -> Result<Vec<Group>, Stop> {
    // Everything handed to the writer before is stored when this answers.
    reader.writer.flushed().await?;
    let (organization, job, run) = (reader.run.job.organization, reader.run.job.id, reader.run.lease.run);
    let wants_owners = reader.run.job.mapping.carries(ObjectType::Groups, Link::Owners);
    let may_see_hidden = may_see_hidden(reader);
    let (mut groups, sizes) = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| {
            let sizes = read::group_sizes(tx, organization, job).await?;
            let source = read::Source::Staged(run);
            let mut rows = std::pin::pin!(read::data(tx, organization, source, "groups").await?);
            let mut groups = Vec::new();
            while let Some(row) = rows.next().await {
                let row = row?;
                let map: Properties = serde_json::from_str(&row.data).map_err(crate::error::Error::internal)?;
                let owners = map.get("ownerIds").and_then(Value::as_array).map(Vec::len);
                let hidden = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
                groups.push(Group {
                    id: row.id,
                    hidden: hidden && !may_see_hidden,
                    owners_unknown: owners.is_none(),
                    owners_incomplete: wants_owners && owners.is_none_or(|owners| owners >= EXPANDED_MOST),
                });
            }
            Ok((groups, sizes))
        })
        .await?;
    let ignored = wants_owners
        && reader.run.mode != RunMode::Incremental
        && !groups.is_empty()
        && groups.iter().all(|group| group.owners_unknown);
    if ignored {
        reader.refused.note(&reader.run.journal, Optional::Expand(ObjectType::Groups), None);
    }
    groups.sort_by_key(|group| std::cmp::Reverse(sizes.get(&group.id).copied().unwrap_or(0)));
    Ok(groups)
}

async fn known_cursors(reader: &Reader<'_>) -> Result<HashMap<String, CursorRow>, Stop> {
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let known = reader.run.app.db.scoped(organization, async move |tx| cursors(tx, organization, run, MEMBERS).await);
    Ok(known.await?)
}

/// Reads owners and members of groups that came into scope, and were staged as objects before.
pub(super) async fn read_arrived(reader: &Reader<'_>, arrived: &[Uuid]) -> Result<(), Stop> {
    if arrived.is_empty() {
        return Ok(());
    }
    let groups = staged_groups(reader).await?;
    let groups = groups.into_iter().filter(|group| arrived.contains(&group.id));
    let readings = groups.map(|group| async move { read_group(reader, &group, None).await });
    stream::iter(readings).buffer_unordered(GROUPS_AT_ONCE).try_for_each(|_| std::future::ready(Ok(()))).await
}

/// Reads one group; `false` when its members are unknown.
async fn read_group(reader: &Reader<'_>, group: &Group, cursor: Option<CursorRow>) -> Result<bool, Stop> {
    if cursor.as_ref().is_some_and(|cursor| cursor.done) {
        reader.run.journal.advance(1);
        return Ok(true);
    }
    if group.owners_incomplete {
        read_owners(reader, group.id).await?;
    }
    if group.hidden {
        reader.run.journal.advance(1);
        return Ok(false);
    }
    let known = read_members(reader, group.id, cursor).await?;
    reader.run.journal.advance(1);
    reader.run.journal.used(reader.session.usage());
    Ok(known)
}

/// Whether the members of a group can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Visible {
    Yes,
    /// `visibility: HiddenMembership`, and the permission for it is missing.
    Hidden,
    Gone,
}

/// Reads the members of groups by which a scope decides, unless they were read already. They need not be among the
/// groups that are imported.
pub(super) async fn read_roots(reader: &Reader<'_>, groups: &[Uuid]) -> Result<Vec<(Uuid, Visible)>, Stop> {
    reader.writer.flushed().await?;
    let known = known_cursors(reader).await?;
    stream::iter(groups.to_vec())
        .map(|group| {
            let cursor = known.get(&group.to_string()).cloned();
            async move { read_root(reader, group, cursor).await.map(|visible| (group, visible)) }
        })
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_collect()
        .await
}

async fn read_root(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<Visible, Stop> {
    if cursor.as_ref().is_some_and(|cursor| cursor.done) {
        return Ok(Visible::Yes);
    }
    // Hidden members look like no members.
    let visible = visible(reader, group).await?;
    if visible != Visible::Yes {
        return Ok(visible);
    }
    let is_known = read_members(reader, group, cursor).await?;
    reader.run.journal.used(reader.session.usage());
    Ok(if is_known { Visible::Yes } else { Visible::Gone })
}

async fn visible(reader: &Reader<'_>, group: Uuid) -> Result<Visible, Stop> {
    let url = |query: &str| reader.session.url(&format!("groups/{group}{query}"));
    let options = RequestOptions::default();
    let body = match reader.session.get(&url("?$select=id,visibility"), &options).await {
        Ok(body) => body,
        Err(error) if matches!(error.kind, Kind::NotFound) => return Ok(Visible::Gone),
        // A server that takes no $select.
        Err(error) if error.refuses_optional() => reader.session.get(&url(""), &options).await?,
        Err(error) => return Err(error.into()),
    };
    let map: Properties = body.json()?;
    let hides = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
    Ok(if hides && !may_see_hidden(reader) { Visible::Hidden } else { Visible::Yes })
}

fn may_see_hidden(reader: &Reader<'_>) -> bool {
    reader.roles.iter().any(|role| role == HIDDEN_ROLE)
}

/// Reads the members of the groups (id, whether its membership is hidden) that were not read yet.
pub(super) async fn read_others(reader: &Reader<'_>, groups: Vec<(Uuid, bool)>) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let known = known_cursors(reader).await?;
    let may_see_hidden = may_see_hidden(reader);
    stream::iter(groups)
        .map(|(id, hides)| {
            let cursor = known.get(&id.to_string()).cloned();
            let group = Group { id, hidden: hides && !may_see_hidden, owners_incomplete: false, owners_unknown: false };
            async move { read_group(reader, &group, cursor).await.map(|_| ()) }
        })
        .buffer_unordered(GROUPS_AT_ONCE)
        .try_collect()
        .await
}

/// Reads the members of one group to the last page; `false` when the group is gone.
async fn read_members(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<bool, Stop> {
    let path = format!("groups/{group}/members");
    let mut first = links_url(reader, &path, Some(TOP));
    let mut resume = cursor;
    for _ in 0..=RESTARTS_MOST {
        match follow_members(reader, group, &first, resume.take()).await? {
            None => return Ok(true),
            Some(error) if links_without_select(reader, &path, &first, &error).await? => {
                first = links_url(reader, &path, Some(TOP));
                restart(reader, group).await?;
            }
            Some(error) if matches!(error.kind, Kind::NotFound) => {
                let detail = format!("Group {group} disappeared while it was read; its members are left as known.");
                reader.run.journal.warn(RunWarning::new("group_gone", detail));
                return Ok(false);
            }
            Some(error) => {
                first = match (&error.kind, halve_top(&first)) {
                    (Kind::PageTokenExpired, _) => first,
                    (Kind::GatewayTimeout, Some(halved)) => halved,
                    _ => return Err(error.into()),
                };
                let detail = format!("The members of group {group} are read again from their first page: {error}");
                reader.run.journal.warn(RunWarning::new("members_restarted", detail));
                restart(reader, group).await?;
            }
        }
    }
    Err(Stop::failed(
        RunStage::Collect,
        "graph_page_token_expired",
        format!("The members of group {group} were begun {RESTARTS_MOST} times and never read to their last page."),
        "Graph is slow or overloaded just now: start the run again later.",
    ))
}

async fn restart(reader: &Reader<'_>, group: Uuid) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let lease = reader.run.lease;
    let db = &reader.run.app.db;
    db.scoped(lease.organization, async move |tx| mirror::restart_members(tx, &lease, group).await).await?;
    Ok(())
}

/// Follows the pages; an error of Graph that asking again may help is returned as a value.
async fn follow_members(
    reader: &Reader<'_>,
    group: Uuid,
    first: &Url,
    cursor: Option<CursorRow>,
) -> Result<Option<GraphError>, Stop> {
    let mut part = cursor.as_ref().map_or(0, |cursor| cursor.pages);
    let link = cursor.and_then(|cursor| cursor.next_link);
    let mut seen = if part > 0 { staged_members(reader, group).await? } else { HashSet::new() };
    let mut pager: Pager<Members> = match link {
        Some(link) => Pager::resume(reader.session.clone(), first, &link, RequestOptions::default())?,
        None => reader.session.pages(first.clone(), RequestOptions::default()),
    };
    loop {
        match pager.next().await {
            Ok(Some(mut page)) => {
                // While the directory changes, a member can come on two pages.
                if part > 0 || matches!(page.next, Next::More(_)) {
                    page.content.0.retain(|member| seen.insert(member.id));
                }
                reader.writer.write(batch_of(group, part, &page)).await?;
                part += 1;
            }
            Ok(None) => return Ok(None),
            Err(error) if error.is_cancelled() => return Err(Stop::Cancelled),
            Err(error) => return Ok(Some(error)),
        }
    }
}

/// The members that an earlier attempt of this run found.
async fn staged_members(reader: &Reader<'_>, group: Uuid) -> Result<HashSet<Uuid>, Stop> {
    reader.writer.flushed().await?;
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let source = read::Source::Staged(run);
    let db = &reader.run.app.db;
    let rows = db.scoped(organization, async move |tx| read::members_of(tx, organization, source, group).await).await?;
    Ok(rows.into_iter().flat_map(|row| row.member_ids).collect())
}

fn batch_of(group: Uuid, part: i32, page: &Page<Members>) -> Batch {
    let mut by_type: BTreeMap<&'static str, Vec<Uuid>> = BTreeMap::new();
    for member in &page.content.0 {
        by_type.entry(member.kind.as_str()).or_default().push(member.id);
    }
    let members = by_type.into_iter().map(|(member_type, mut members)| {
        members.sort_unstable();
        members.dedup();
        StagedMembers { group, member_type: member_type.to_owned(), part, members }
    });
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let cursor = Cursor { collection: MEMBERS, part: group.to_string(), next_link, done, pages: part + 1 };
    Batch { members: members.collect(), cursors: vec![cursor], ..Batch::default() }
}

/// Reads all owners of a group of which the list showed only the first twenty, or none.
pub(super) async fn read_owners(reader: &Reader<'_>, group: Uuid) -> Result<(), Stop> {
    let path = format!("groups/{group}/owners");
    let mut first = links_url(reader, &path, Some(TOP));
    for restarts in 0.. {
        match follow_owners(reader, &first).await {
            Ok(owners) => {
                let object = with_owners(reader, group, owners).await?;
                return reader.writer.write(Batch { objects: object.into_iter().collect(), ..Batch::default() }).await;
            }
            Err(error) if links_without_select(reader, &path, &first, &error).await? => {
                first = links_url(reader, &path, Some(TOP));
            }
            Err(error) if matches!(error.kind, Kind::NotFound) => return Ok(()),
            Err(error) if restarts == RESTARTS_MOST => return Err(error.into()),
            Err(error) => {
                first = match (&error.kind, halve_top(&first)) {
                    (Kind::PageTokenExpired, _) => first,
                    (Kind::GatewayTimeout, Some(halved)) => halved,
                    _ => return Err(error.into()),
                };
            }
        }
    }
    Ok(())
}

/// The owners from the first page to the last.
async fn follow_owners(reader: &Reader<'_>, first: &Url) -> crate::graph::error::Result<Vec<Uuid>> {
    let mut pager: Pager<Members> = reader.session.pages(first.clone(), RequestOptions::default());
    let mut owners: Vec<Uuid> = Vec::new();
    while let Some(page) = pager.next().await? {
        owners.extend(page.content.0.iter().map(|owner: &Member| owner.id));
    }
    owners.sort_unstable();
    owners.dedup();
    Ok(owners)
}

async fn with_owners(reader: &Reader<'_>, group: Uuid, owners: Vec<Uuid>) -> Result<Option<StagedObject>, Stop> {
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let source = read::Source::Staged(run);
    let data = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| read::one(tx, organization, source, "groups", group).await)
        .await?;
    let Some(data) = data else { return Ok(None) };
    let mut map: Properties = serde_json::from_str(&data).map_err(crate::error::Error::internal)?;
    map.insert("ownerIds".to_owned(), json!(owners));
    let data = Value::Object(map).to_string();
    let hash = mirror::hash(&[data.as_bytes()]);
    Ok(Some(StagedObject { object_type: ObjectType::Groups.as_str(), id: group, hash, data }))
}
