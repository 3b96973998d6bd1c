//! The relations of objects of a type that `$expand` of the list does not return, or not completely. They are read by one list
//! for each object. Which relations a type has is in its file ([`crate::directory::TypeSpec`]).

use super::answers::Question;
use super::fetch::get_many_once;
use super::pages::whole_of;
use super::read_error::Result;
use super::reader::Reader;
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{Batch, StagedObject};
use crate::directory::{Each, Link, MAX_EXPANDED, ObjectType, Properties as Map, Relation};
use crate::error::Error;
use crate::graph::error::GraphErrorKind;
use crate::graph::wire::Items;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// Objects that are asked for together, and whose answers are in memory at once.
const ASKED_AT_ONCE: usize = 320;

/// Reads what the staged objects of a type lack.
pub(super) async fn complete(reader: &Reader<'_>, object_type: ObjectType) -> Result<()> {
    for relation in reader.run.job.mapping.relations(object_type) {
        let Some(each) = relation.each() else { continue };
        let incomplete = not_asked(reader, object_type, relation).await?;
        for ids in incomplete.chunks(ASKED_AT_ONCE) {
            let found = read(reader, object_type, relation, each, ids).await?;
            store(reader, object_type, relation, ids, found).await?;
        }
    }
    Ok(())
}

/// The same without those that an earlier attempt asked for.
async fn not_asked(reader: &Reader<'_>, object_type: ObjectType, relation: &Relation) -> Result<Vec<Uuid>> {
    let mut open = incomplete(reader, object_type, relation).await?;
    let told: BTreeMap<Uuid, ()> = reader.told(object_type.as_str(), relation.name, &open).await?;
    open.retain(|id| !told.contains_key(id));
    Ok(open)
}

/// The staged objects that show nothing of a relation, or as much as `$expand` gives at most.
async fn incomplete(reader: &Reader<'_>, object_type: ObjectType, relation: &Relation) -> Result<Vec<Uuid>> {
    let each = |row: ObjectRow| {
        let map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let is_whole = match map.get(relation.property).and_then(Value::as_array) {
            Some(ids) => relation.expand().is_none() || ids.len() < MAX_EXPANDED,
            None => false,
        };
        Ok((!is_whole).then_some(row.id))
    };
    reader.staging.each_object(object_type, each).await
}

/// The related objects of each of these objects. One that is not found keeps what the mirror knows of it.
async fn read(
    reader: &Reader<'_>,
    object_type: ObjectType,
    relation: &Relation,
    each: Each,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Uuid>>> {
    let url = |id: &Uuid| reader.session.url(&each.path.replace("{id}", &id.to_string()));
    let related = |items: &Items, found: &mut Vec<Uuid>| {
        for item in items.iter() {
            let map: Map = serde_json::from_str(item).map_err(|e| super::object::unreadable(&e))?;
            found.extend(map.get(each.id).and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok()));
        }
        Ok(())
    };
    let (mut found, mut missing) = (HashMap::new(), Vec::new());
    for (id, answer) in ids.iter().zip(get_many_once(reader, ids.iter().map(url).collect()).await?) {
        match answer {
            Ok(item) => {
                found.insert(*id, whole_of(reader, item.body, relation.name, related).await?);
            }
            Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => missing.push(*id),
            Err(error) => return Err(error.into()),
        }
    }
    for (id, data) in reader.mirror.objects(object_type, missing).await? {
        let map: Map = serde_json::from_str(&data).map_err(Error::internal)?;
        found.insert(id, Link::many(relation.property, object_type).ids(&map));
    }
    Ok(found)
}

async fn store(
    reader: &Reader<'_>,
    object_type: ObjectType,
    relation: &Relation,
    asked: &[Uuid],
    mut found: HashMap<Uuid, Vec<Uuid>>,
) -> Result<()> {
    let mut batch = Batch::default();
    let told = asked.iter().map(|id| (*id, ())).collect();
    batch.cursors.push(Question::told(object_type.as_str(), relation.name, &told)?);
    for row in reader.staging.objects(object_type, found.keys().copied().collect()).await? {
        let mut map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let mut ids = found.remove(&row.id).unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        map.insert(relation.property.to_owned(), json!(ids));
        batch.objects.push(StagedObject::new(object_type, row.id, map));
    }
    reader.staging.write(batch).await
}
