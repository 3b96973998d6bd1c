//! One object as Graph sends it: whether the filter admits it, and how it is staged.

use super::read_error::Result;
use super::read_plan::entity;
use super::reader::Reader;
use crate::db::mirror::{self, StagedObject, StoredAs};
use crate::directory::{Item, ObjectType, Properties as Map};
use crate::filter::eval;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, Properties, Removed, properties};
use crate::run_state::ChangeReason;
use uuid::Uuid;

/// Characters that the id of a manager adds to an object, and each id of an owner.
const MANAGER_FIELD: usize = 64;
const OWNER_ID: usize = 39;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    Yes,
    Excluded,
    /// The condition does not hold.
    NoMatch,
}

/// Whether the exclusions let an object through and, for one that was asked for without it, the condition holds.
pub(super) fn admitted(
    reader: &Reader<'_>,
    object_type: ObjectType,
    object: &Properties,
    decides: bool,
) -> Result<Admitted> {
    let filter = &reader.run.job.filter;
    let Some(kind) = entity(object_type) else { return Ok(Admitted::Yes) };
    let rule = filter.rule(kind).filter(|_| decides);
    if filter.exclude.is_empty() && rule.is_none() {
        return Ok(Admitted::Yes);
    }
    let map = serde_json::from_str(&object.json).map_err(|e| unreadable(&e))?;
    if rule.is_some_and(|rule| !eval::matches(&rule.parsed.expression, &map)) {
        return Ok(Admitted::NoMatch);
    }
    Ok(if filter.exclude.excludes(kind, &map) { Admitted::Excluded } else { Admitted::Yes })
}

/// Whether the filter takes an object that was asked for without its condition.
pub(super) fn is_admitted(reader: &Reader<'_>, object_type: ObjectType, object: &Properties) -> Result<bool> {
    Ok(admitted(reader, object_type, object, true)? == Admitted::Yes)
}

/// The same of an object as it is after a change.
pub(super) fn is_in_scope(reader: &Reader<'_>, object_type: ObjectType, map: &Map) -> bool {
    entity(object_type).is_none_or(|kind| reader.run.job.filter.admits(kind, map))
}

/// Whether the filter excludes an object by id or name.
pub(super) fn is_excluded(reader: &Reader<'_>, object_type: ObjectType, object: &Properties) -> Result<bool> {
    Ok(admitted(reader, object_type, object, false)? == Admitted::Excluded)
}

pub(super) fn parse(item: &str) -> Result<Properties> {
    properties(item).map_err(|e| unreadable(&e).into())
}

/// The ids of the objects on a page.
pub(super) fn ids_of(items: &Items, ids: &mut Vec<Uuid>) -> Result<()> {
    for item in items.iter() {
        ids.extend(parse(item)?.uuid());
    }
    Ok(())
}

pub(super) fn unreadable(error: &serde_json::Error) -> GraphError {
    // The response around it is JSON, so it is Graph's.
    let message = format!("an object cannot be read: {error}");
    GraphError { status: Some(200), ..GraphError::new(GraphErrorKind::Malformed, message) }
}

/// What an item of a list holds, as it is kept: the properties of an object and, beside them, the ids it refers to; or the
/// parts of it that are objects. Nothing for something without a GUID, which no directory object is.
pub(super) fn staged(object_type: ObjectType, object: &Properties) -> Result<Vec<StagedObject>> {
    let id = match object_type.spec().collection.item {
        Item::Object => object.uuid(),
        Item::Named(id) => id(&object.id),
        Item::Values => None,
        Item::Parts { of, .. } => {
            let whole: Map = serde_json::from_str(&object.json).map_err(|e| unreadable(&e))?;
            return Ok(of(&whole).into_iter().map(|(id, part)| StagedObject::new(object_type, id, part)).collect());
        }
    };
    let Some(id) = id else { return Ok(Vec::new()) };
    // With room for what is added: making it later would double it.
    let mut data = String::with_capacity(
        object.json.len() + MANAGER_FIELD + object.owners.as_ref().map_or(0, Vec::len) * OWNER_ID,
    );
    data.push_str(&object.json);
    if let Some(manager) = object.manager.member().filter(|manager| !manager.is_removed) {
        append(&mut data, "managerId", &format!("\"{}\"", manager.id));
    }
    if let Some(owners) = &object.owners {
        let mut ids: Vec<Uuid> = owners.iter().filter(|owner| !owner.is_removed).map(|owner| owner.id).collect();
        ids.sort_unstable();
        ids.dedup();
        append(&mut data, "ownerIds", &serde_json::to_string(&ids).unwrap_or_else(|_| "[]".to_owned()));
    }
    let hash = mirror::hash(&[data.as_bytes()]);
    Ok(vec![StagedObject { stored_as: StoredAs::Object(object_type), id, hash, data: Some(data) }])
}

/// Adds a field to the text of a JSON object.
fn append(data: &mut String, name: &str, value: &str) {
    data.pop();
    if data.len() > 1 {
        data.push(',');
    }
    data.push('"');
    data.push_str(name);
    data.push_str("\":");
    data.push_str(value);
    data.push('}');
}

pub(super) fn reason_of(removed: Removed) -> ChangeReason {
    match removed {
        Removed::Changed => ChangeReason::SoftDeleted,
        Removed::Deleted => ChangeReason::Deleted,
    }
}

/// A mark that an object is no longer there, with the reason as its text.
pub(super) fn gone(object_type: ObjectType, id: Uuid, reason: ChangeReason) -> StagedObject {
    let data = Some(reason.as_str().to_owned());
    StagedObject { stored_as: StoredAs::Gone(object_type), id, hash: Vec::new(), data }
}
