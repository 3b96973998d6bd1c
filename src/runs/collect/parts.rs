//! Items whose parts are the objects of a type, where a list within the item came without them: the server refused to
//! expand it, or left it out. Then a list for each item is read. Where that is refused too, what the mirror knows of it
//! stays: a list that nobody could read is not an empty one.

use super::fetch::get_many_once;
use super::object::{staged, unreadable};
use super::pages::whole_of;
use super::read_error::Result;
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::db::mirror::StagedObject;
use crate::db::mirror::read::ObjectRow;
use crate::directory::{ById, Expanded, Item, ObjectType, Properties as Map, text};
use crate::error::Error;
use crate::graph::error::GraphErrorKind;
use crate::graph::wire::{Items, Properties};
use crate::run_state::RunWarning;
use serde_json::Value;
use std::collections::HashSet;

/// Items that are asked for together, and whose answers are in memory at once.
const ASKED_AT_ONCE: usize = 320;

const fn expanded(object_type: ObjectType) -> Option<Expanded> {
    match object_type.spec().collection.item {
        Item::Parts { expand, .. } => expand,
        _ => None,
    }
}

/// Whether an item lacks a list that belongs to it.
pub(super) fn is_partial(object_type: ObjectType, item: &Properties) -> bool {
    // Within a text the quotes would be escaped, so this is a property.
    expanded(object_type).is_some_and(|expanded| !item.json.contains(&format!("\"{}\":[", expanded.property)))
}

/// What items are staged as that lack a list.
pub(super) async fn rows(
    reader: &Reader<'_>,
    object_type: ObjectType,
    mut items: Vec<Properties>,
) -> Result<Vec<StagedObject>> {
    let mut rows = complete(reader, object_type, &mut items).await?;
    for item in &items {
        rows.extend(staged(object_type, item)?);
    }
    Ok(rows)
}

/// Gives items the list that they lack. Returns the objects that stay as the mirror knows them.
pub(super) async fn complete(
    reader: &Reader<'_>,
    object_type: ObjectType,
    items: &mut [Properties],
) -> Result<Vec<StagedObject>> {
    let Some(expanded) = expanded(object_type) else { return Ok(Vec::new()) };
    let mut unknown = HashSet::new();
    let mut partial: Vec<&mut Properties> = items.iter_mut().filter(|item| is_partial(object_type, item)).collect();
    for some in partial.chunks_mut(ASKED_AT_ONCE) {
        let url = |item: &&mut Properties| reader.session.url(&expanded.path.replace("{id}", &item.id));
        let answers = get_many_once(reader, some.iter().map(url).collect()).await?;
        for (item, answer) in some.iter_mut().zip(answers) {
            match answer {
                Ok(answer) => enter(reader, item, expanded, answer.body).await?,
                Err(error) if error.refuses_optional() || matches!(error.kind, GraphErrorKind::NotFound) => {
                    unknown.insert(item.id.to_ascii_lowercase());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    match unknown.is_empty() {
        true => Ok(Vec::new()),
        false => kept(reader, object_type, expanded, &unknown).await,
    }
}

async fn enter(reader: &Reader<'_>, item: &mut Properties, expanded: Expanded, body: String) -> Result<()> {
    let each = |page: &Items, found: &mut Vec<Value>| {
        for part in page.iter() {
            found.push(serde_json::from_str(part).map_err(|e| unreadable(&e))?);
        }
        Ok(())
    };
    let list = whole_of(reader, body, expanded.property, each).await?;
    let mut map: Map = serde_json::from_str(&item.json).map_err(|e| unreadable(&e))?;
    map.insert(expanded.property.to_owned(), list.into());
    item.json = Value::Object(map).to_string();
    Ok(())
}

/// What the mirror has of the lists of these items.
async fn kept(
    reader: &Reader<'_>,
    object_type: ObjectType,
    expanded: Expanded,
    items: &HashSet<String>,
) -> Result<Vec<StagedObject>> {
    let ById::OneByOne(item) = object_type.spec().collection.by_id else { return Ok(Vec::new()) };
    let is_of_them = |part: &Map| text(part, item).is_some_and(|id| items.contains(&id.to_ascii_lowercase()));
    let each = |row: ObjectRow| {
        let part: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
        Ok(((expanded.holds)(&part) && is_of_them(&part)).then(|| StagedObject::new(object_type, row.id, part)))
    };
    let kept = reader.mirror.each_object(object_type, each).await?;
    let detail = format!(
        "The server neither expands nor lists the `{}` of {} {}; those that are known stay.",
        expanded.property,
        items.len(),
        object_type.spec().collection.path
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::ExpandRefused, detail).with_count(items.len() as u64));
    Ok(kept)
}
