//! Managers where the list of users cannot carry them: with an advanced filter, which allows no `$expand`, and
//! on a server that refuses or ignores it.

use super::dialect::Optional;
use super::reader::Reader;
use super::request::{TOP, fetch, get_many, whole};
use super::{object, plan};
use crate::db::mirror::{Batch, read};
use crate::directory::{Link, ObjectType, Properties};
use crate::error::Error;
use crate::filter::EntityKind;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, Member, properties};
use crate::graph::{IDS_IN_A_QUERY, Pager, RequestOptions};
use crate::runs::stop::Stop;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// Users asked one by one when the list showed not a single manager, to tell «nobody has one» from «the
/// server ignores `$expand`».
const ASKED_MOST: usize = 200;
/// Users whose managers are asked for and stored together.
const TOGETHER: usize = 1_000;

/// What is written down when managers are asked for one by one.
const ONE_BY_ONE: &str = "managersOneByOne";

fn are_wanted(reader: &Reader<'_>) -> bool {
    reader.run.job.mapping.carries(ObjectType::Users, Link::Manager)
}

/// With an advanced filter the managers come from one extra pass over all users.
/// Source: docs/graph.md, «Filters».
pub(super) async fn apart(reader: &Reader<'_>) -> Result<Option<HashMap<Uuid, Uuid>>, Stop> {
    if is_apart(reader) { all(reader).await } else { Ok(None) }
}

fn is_apart(reader: &Reader<'_>) -> bool {
    let advanced = reader.run.job.filter.rule(EntityKind::Users).is_some_and(|rule| rule.parsed.advanced);
    advanced && are_wanted(reader)
}

/// The managers of all users, by one pass; `None`: the server does not expand them.
pub(super) async fn all(reader: &Reader<'_>) -> Result<Option<HashMap<Uuid, Uuid>>, Stop> {
    if reader.refused.has(Optional::Expand(ObjectType::Users)) {
        return Ok(None);
    }
    match whole(reader, "managers", || by_one_pass(reader)).await {
        Ok(managers) => Ok(Some(managers)),
        Err(error) if error.refuses_optional() => {
            reader.refused.note(&reader.run.progress, Optional::Expand(ObjectType::Users), Some(&error));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn by_one_pass(reader: &Reader<'_>) -> crate::graph::error::Result<HashMap<Uuid, Uuid>> {
    let first = reader.session.url(&format!("users?$top={TOP}&$select=id&$expand=manager($select=id)"));
    let mut managers = HashMap::new();
    let mut pager: Pager<Items> = reader.session.pages(first, RequestOptions::default());
    while let Some(page) = pager.next().await? {
        for item in page.content.iter() {
            let user = properties(item).map_err(|e| object::unreadable(&e))?;
            if let (Some(id), Some(manager)) = (user.uuid(), user.manager.member()) {
                managers.insert(id, manager.id);
            }
        }
    }
    Ok(managers)
}

/// After the users were read: reads their managers one by one if the list could not show them.
pub(super) async fn complete(reader: &Reader<'_>) -> Result<(), Stop> {
    if !are_wanted(reader) {
        return Ok(());
    }
    reader.writer.flushed().await?;
    let (organization, source) = (reader.run.job.organization, read::Source::Staged(reader.run.lease.run));
    let db = &reader.run.app.db;
    // Some managers may be there because an earlier attempt was stopped in the middle of asking for them.
    if plan::noted(reader, ONE_BY_ONE).await?.is_some() {
        reader.refused.note(&reader.run.progress, Optional::Expand(ObjectType::Users), None);
    }
    if !reader.refused.has(Optional::Expand(ObjectType::Users)) {
        let known = db.scoped(organization, async move |tx| read::has_managers(tx, organization, source).await).await?;
        if known {
            return Ok(());
        }
    }
    let ids = db.scoped(organization, async move |tx| read::ids(tx, organization, source, "users").await).await?;
    if !reader.refused.has(Optional::Expand(ObjectType::Users)) {
        let step = ids.len().div_ceil(ASKED_MOST).max(1);
        let some: Vec<Uuid> = ids.iter().copied().step_by(step).collect();
        let found = of(reader, &some).await?;
        if found.is_empty() || is_expanded(reader, &found).await? {
            return Ok(());
        }
        reader.refused.note(&reader.run.progress, Optional::Expand(ObjectType::Users), None);
    }
    plan::note(reader, ONE_BY_ONE, None).await?;
    for ids in ids.chunks(TOGETHER) {
        let managers = of(reader, ids).await?;
        store(reader, &managers).await?;
    }
    Ok(())
}

/// Whether the server shows a manager of some of these users, which have one now, when they are asked for by id: then the
/// list was only read before they had one.
async fn is_expanded(reader: &Reader<'_>, found: &HashMap<Uuid, Uuid>) -> Result<bool, Stop> {
    let ids: Vec<Uuid> = found.keys().copied().take(IDS_IN_A_QUERY).collect();
    let users = fetch(reader, ObjectType::Users, &ids).await?;
    Ok(users.iter().any(|user| user.manager.member().is_some()))
}

/// The managers of the few users of a test, asked for one by one where an advanced filter lets the list not show them.
pub(super) async fn of_first(reader: &Reader<'_>, users: &[Uuid]) -> Result<(), Stop> {
    if !is_apart(reader) {
        return complete(reader).await;
    }
    reader.writer.flushed().await?;
    store(reader, &of(reader, users).await?).await
}

/// Adds the managers of users that were read on a server that does not expand them.
pub(super) async fn add(reader: &Reader<'_>, users: &mut [crate::graph::wire::Properties]) -> Result<(), Stop> {
    if !are_wanted(reader) || !reader.refused.has(Optional::Expand(ObjectType::Users)) {
        return Ok(());
    }
    let ids: Vec<Uuid> = users.iter().filter_map(|user| user.uuid()).collect();
    let managers = of(reader, &ids).await?;
    for user in users {
        user.manager = user.uuid().and_then(|id| managers.get(&id)).map(|id| Member::user(*id)).into();
    }
    Ok(())
}

/// The managers of these users, asked for one by one.
async fn of(reader: &Reader<'_>, users: &[Uuid]) -> Result<HashMap<Uuid, Uuid>, Stop> {
    // Without options: this is for servers that take few.
    let urls = users.iter().map(|user| reader.session.url(&format!("users/{user}/manager"))).collect();
    let answers = get_many(reader, urls).await?;
    let mut managers = HashMap::new();
    for (user, answer) in users.iter().zip(answers) {
        match answer {
            Ok(item) if item.body.trim().is_empty() || item.body.trim() == "null" => {}
            Ok(item) => {
                let manager: Member = serde_json::from_str(&item.body).map_err(|e| {
                    Stop::graph(&GraphError::new(
                        GraphErrorKind::Malformed,
                        format!("the manager of {user} cannot be read: {e}"),
                    ))
                })?;
                managers.insert(*user, manager.id);
            }
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(managers)
}

async fn store(reader: &Reader<'_>, managers: &HashMap<Uuid, Uuid>) -> Result<(), Stop> {
    let ids: Vec<Uuid> = managers.keys().copied().collect();
    let (organization, source) = (reader.run.job.organization, read::Source::Staged(reader.run.lease.run));
    let rows = reader
        .run
        .app
        .db
        .scoped(organization, async move |tx| read::some(tx, organization, source, "users", &ids).await)
        .await?;
    let mut batch = Batch::default();
    for row in rows {
        let mut map: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        if let Some(manager) = managers.get(&row.id) {
            map.insert("managerId".to_owned(), json!(manager));
        }
        batch.objects.push(object::staged_map(ObjectType::Users, row.id, map));
    }
    reader.writer.write(batch).await
}
