//! Managers that the list of users does not carry: an advanced filter allows no `$expand`, and some servers refuse or
//! ignore it.

use super::answers::Question;
use super::dialect::Feature;
use super::fetch::{REQUESTS_AT_ONCE, fetch, get_many_once};
use super::object;
use super::pages::whole;
use super::passes;
use super::read_error::{ReadError, Result};
use super::reader::Reader;
use super::request::{Request, Target};
use super::staging::Note;
use crate::db::mirror::{Batch, StagedObject};
use crate::directory::{Link, ObjectType, Properties};
use crate::error::Error;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, Member};
use crate::graph::{IDS_IN_A_QUERY, ids_filter};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

/// Users whose managers are read one by one when the list showed none at all, to tell «nobody has a manager» from «the
/// server ignores `$expand`».
const MAX_ASKED: usize = 200;
/// The manager of a user, in a list.
const EXPAND: &str = "manager($select=id)";
/// Users whose managers are asked for and stored together.
const TOGETHER: usize = 1_000;
/// The pass over the managers of all users.
const PASS: &str = "pass:managers";

fn are_wanted(reader: &Reader<'_>) -> bool {
    reader.run.job.mapping.carries(ObjectType::Users, Link::MANAGER)
}

/// With an advanced filter the managers come from one extra pass over all users.
/// Source: docs/graph.md, «Filters».
pub(super) async fn apart(reader: &Reader<'_>) -> Result<Option<HashMap<Uuid, Uuid>>> {
    if is_apart(reader) { all(reader).await } else { Ok(None) }
}

fn is_apart(reader: &Reader<'_>) -> bool {
    reader.dialect.is_advanced(&reader.run.job, ObjectType::Users) && are_wanted(reader)
}

/// The managers of all users, by one pass; `None`: the server does not expand them.
pub(super) async fn all(reader: &Reader<'_>) -> Result<Option<HashMap<Uuid, Uuid>>> {
    if reader.dialect.has(Feature::Expand(ObjectType::Users)) {
        return Ok(None);
    }
    let request = Request { expand: Some(EXPAND), ..Request::fixed(Target::Objects(ObjectType::Users), &["id"]) };
    match passes::through(reader, request, PASS, "managers", managers_of).await {
        Ok(rows) => {
            let managers = rows.into_iter().filter_map(|row| Some((row.id, Uuid::parse_str(&row.data).ok()?)));
            Ok(Some(managers.collect()))
        }
        Err(ReadError::Graph(error)) if error.refuses_optional() => {
            reader.dialect.note(&reader.run.progress, Feature::Expand(ObjectType::Users), Some(&error));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn managers_of(items: &Items, managers: &mut Vec<(Uuid, String)>) -> Result<()> {
    for item in items.iter() {
        let user = object::parse(item)?;
        if let (Some(id), Some(manager)) = (user.uuid(), user.manager.member()) {
            managers.push((id, manager.id.to_string()));
        }
    }
    Ok(())
}

/// After the users were read: reads their managers one by one if the list could not show them.
pub(super) async fn complete(reader: &Reader<'_>) -> Result<()> {
    if !are_wanted(reader) || reader.staging.noted(Note::ManagersComplete).await?.is_some() {
        return Ok(());
    }
    complete_one_by_one(reader).await?;
    reader.staging.note(Note::ManagersComplete, None).await
}

async fn complete_one_by_one(reader: &Reader<'_>) -> Result<()> {
    // Some managers may be there because an earlier attempt was stopped in the middle of asking for them.
    if reader.staging.noted(Note::ManagersOneByOne).await?.is_some() {
        reader.dialect.note(&reader.run.progress, Feature::Expand(ObjectType::Users), None);
    }
    if !reader.dialect.has(Feature::Expand(ObjectType::Users)) && reader.staging.has_managers().await? {
        return Ok(());
    }
    let ids = reader.staging.ids(ObjectType::Users).await?;
    if !reader.dialect.has(Feature::Expand(ObjectType::Users)) {
        let step = ids.len().div_ceil(MAX_ASKED).max(1);
        let some: Vec<Uuid> = ids.iter().copied().step_by(step).collect();
        let found = of(reader, &some).await?;
        if found.is_empty() || is_expanded(reader, &found).await? {
            return Ok(());
        }
        reader.dialect.note(&reader.run.progress, Feature::Expand(ObjectType::Users), None);
    }
    reader.staging.note(Note::ManagersOneByOne, None).await?;
    for ids in ids.chunks(TOGETHER) {
        let managers = of(reader, ids).await?;
        store(reader, &managers).await?;
    }
    Ok(())
}

/// Whether the server shows a manager of some of these users, which have one now, when they are asked for by id: then the
/// list was only read before they had one.
async fn is_expanded(reader: &Reader<'_>, found: &HashMap<Uuid, Uuid>) -> Result<bool> {
    let ids: Vec<Uuid> = found.keys().copied().take(IDS_IN_A_QUERY).collect();
    let users = fetch(reader, ObjectType::Users, &ids).await?;
    Ok(users.iter().any(|user| user.manager.member().is_some()))
}

/// The managers of the few users of a test, asked for one by one where an advanced filter lets the list not show them.
pub(super) async fn of_first(reader: &Reader<'_>, users: &[Uuid]) -> Result<()> {
    if !is_apart(reader) {
        return complete(reader).await;
    }
    store(reader, &of(reader, users).await?).await
}

/// The managers that users have now, by user; `None`: nobody. Who is not in it was not returned by Graph. `known`: the users
/// as the mirror has them.
pub(super) async fn now(
    reader: &Reader<'_>,
    users: &[Uuid],
    known: &HashMap<Uuid, String>,
) -> Result<HashMap<Uuid, Option<Uuid>>> {
    if users.is_empty() || !are_wanted(reader) {
        return Ok(HashMap::new());
    }
    let shown = expanded(reader, users).await?;
    // A server that ignores `$expand` shows nobody's manager: who had one is asked for it.
    let had_one = |id: &Uuid| known.get(id).is_some_and(|data| has_manager(data));
    let is_doubtful = |id: &&Uuid| match &shown {
        Some(shown) => shown.get(*id).is_some_and(|manager| manager.is_none() && had_one(id)),
        None => true,
    };
    let doubtful: Vec<Uuid> = users.iter().filter(is_doubtful).copied().collect();
    let found = of(reader, &doubtful).await?;
    let mut now = shown.unwrap_or_default();
    now.extend(doubtful.into_iter().map(|id| (id, found.get(&id).copied())));
    Ok(now)
}

fn has_manager(data: &str) -> bool {
    serde_json::from_str::<Properties>(data).is_ok_and(|user| user.contains_key("managerId"))
}

/// The managers of users by `$expand`; `None`: the server does not expand them.
async fn expanded(reader: &Reader<'_>, users: &[Uuid]) -> Result<Option<HashMap<Uuid, Option<Uuid>>>> {
    let feature = Feature::Expand(ObjectType::Users);
    if reader.dialect.has(feature) {
        return Ok(None);
    }
    let target = Target::Objects(ObjectType::Users);
    let requests = users.chunks(IDS_IN_A_QUERY).map(|ids| Request {
        expand: Some(EXPAND),
        filter: Some(ids_filter(ids)),
        ..Request::fixed(target.clone(), &["id"])
    });
    let requests: Vec<Request> = requests.collect();
    let each = |items: &Items, found: &mut Vec<(Uuid, Option<Uuid>)>| {
        for item in items.iter() {
            let user = object::parse(item)?;
            found.extend(user.uuid().map(|id| (id, user.manager.member().map(|manager| manager.id))));
        }
        Ok(())
    };
    let answers = stream::iter(requests)
        .map(|request| {
            let condition = request.filter.clone().unwrap_or_default();
            let question = Question::new(PASS, "expanded", [condition.as_bytes()]);
            async move { reader.once(question, whole(reader, request, "managers", each)).await }
        })
        .buffer_unordered(REQUESTS_AT_ONCE)
        .try_collect::<Vec<_>>();
    match answers.await {
        Ok(answers) => Ok(Some(answers.into_iter().flatten().collect())),
        Err(ReadError::Graph(error)) if error.refuses_optional() => {
            reader.dialect.note(&reader.run.progress, feature, Some(&error));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether the managers of users that are read by their ids are asked for one by one.
pub(super) fn are_one_by_one(reader: &Reader<'_>) -> bool {
    are_wanted(reader) && reader.dialect.has(Feature::Expand(ObjectType::Users))
}

/// Adds the managers of users that were read on a server that does not expand them.
pub(super) async fn add(reader: &Reader<'_>, users: &mut [crate::graph::wire::Properties]) -> Result<()> {
    if !are_one_by_one(reader) {
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
async fn of(reader: &Reader<'_>, users: &[Uuid]) -> Result<HashMap<Uuid, Uuid>> {
    // Without options: this is for servers that take few.
    let urls = users.iter().map(|user| reader.session.url(&format!("users/{user}/manager"))).collect();
    let answers = get_many_once(reader, urls).await?;
    let mut managers = HashMap::new();
    for (user, answer) in users.iter().zip(answers) {
        match answer {
            Ok(item) if item.body.trim().is_empty() || item.body.trim() == "null" => {}
            Ok(item) => {
                let manager: Member = serde_json::from_str(&item.body).map_err(|e| {
                    GraphError::new(GraphErrorKind::Malformed, format!("the manager of {user} cannot be read: {e}"))
                })?;
                managers.insert(*user, manager.id);
            }
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(managers)
}

async fn store(reader: &Reader<'_>, managers: &HashMap<Uuid, Uuid>) -> Result<()> {
    let ids: Vec<Uuid> = managers.keys().copied().collect();
    let rows = reader.staging.objects(ObjectType::Users, ids).await?;
    let mut batch = Batch::default();
    for row in rows {
        let mut map: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        if let Some(manager) = managers.get(&row.id) {
            map.insert("managerId".to_owned(), json!(manager));
        }
        batch.objects.push(StagedObject::new(ObjectType::Users, row.id, map));
    }
    reader.staging.write(batch).await
}
