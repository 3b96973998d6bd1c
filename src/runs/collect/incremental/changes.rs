//! A round of changes, gathered by object.

use crate::db::mirror::{Batch, Cursor, StagedObject, StoredAs};
use crate::directory::{MemberType, ObjectType, Properties as Map};
use crate::error::Error;
use crate::graph::delta::{self, end_of_round};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::{Items, Properties, Removed};
use crate::graph::{Next, Page};
use crate::runs::collect::pages::{Pages, once};
use crate::runs::collect::read_error::{ReadError, Result};
use crate::runs::collect::reader::Reader;
use crate::runs::progress::Work;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use uuid::Uuid;

pub enum Replayed {
    /// What changed, and where the next round begins.
    Round(BTreeMap<Uuid, Delta>, String),
    /// Graph no longer accepts the delta link.
    Expired(String),
}

/// Everything that happened to one object since the last read; the latest change wins.
#[derive(Default)]
pub struct Delta {
    pub removed: Option<Removed>,
    /// Properties that have a value now.
    values: Map,
    /// Properties that were cleared.
    nulls: BTreeSet<String>,
    /// Properties that are never null, and that came so.
    pub kept: BTreeSet<String>,
    /// The manager, where the latest change says it in the one form that is documented: somebody came.
    pub manager: Option<Uuid>,
    /// Members and owners that came (`true`) or went.
    pub members: HashMap<Uuid, (bool, MemberType)>,
    pub owners: HashMap<Uuid, bool>,
}

impl Delta {
    /// The same object may come many times: a group in parts with other members each, a change again.
    fn merge(&mut self, object_type: ObjectType, change: Properties) -> Result<()> {
        let never_null = object_type.spec().never_null;
        self.removed = change.removed;
        for member in change.members.iter().flatten() {
            self.members.insert(member.id, (!member.is_removed, member.kind));
        }
        for owner in change.owners.iter().flatten() {
            self.owners.insert(owner.id, !owner.is_removed);
        }
        self.manager = change.manager.member().filter(|manager| !manager.is_removed).map(|manager| manager.id);
        if change.removed.is_none() {
            let mut values: Map = serde_json::from_str(&change.json).map_err(Error::internal)?;
            for name in never_null {
                if change.nulls.iter().any(|null| null == name) || values.get(*name).is_some_and(|value| value == "") {
                    values.remove(*name);
                    self.kept.insert((*name).to_owned());
                }
            }
            self.nulls.retain(|name| !values.contains_key(name));
            self.values.extend(values);
            for name in change.nulls.into_iter().filter(|name| !never_null.contains(&name.as_str())) {
                self.values.remove(&name);
                self.nulls.insert(name);
            }
        }
        Ok(())
    }

    /// Whether a group's members are shown only with a permission of its own.
    pub fn hides_members(&self) -> bool {
        self.values.get("visibility").and_then(Value::as_str) == Some("HiddenMembership")
    }

    /// The object as it is now: delta gives every selected property of a changed object, without those that
    /// were never set; those that were cleared come as null.
    pub fn merged(&self, data: &str) -> Result<Map> {
        let mut map: Map = serde_json::from_str(data).map_err(Error::internal)?;
        map.extend(self.values.clone());
        for name in &self.nulls {
            map.remove(name);
        }
        if let Some(manager) = self.manager {
            map.insert("managerId".to_owned(), json!(manager));
        }
        if !self.owners.is_empty() {
            let owners = map.get("ownerIds").and_then(Value::as_array).into_iter().flatten();
            let mut owners: BTreeSet<Uuid> =
                owners.filter_map(Value::as_str).filter_map(|text| Uuid::parse_str(text).ok()).collect();
            for (owner, came) in &self.owners {
                if *came {
                    owners.insert(*owner)
                } else {
                    owners.remove(owner)
                };
            }
            map.insert("ownerIds".to_owned(), json!(owners));
        }
        Ok(map)
    }
}

/// Changes are held in memory until the round ends, because a later page may say more about the same object. When they
/// take more than about this, everything is read instead, in bounded memory.
const MAX_HELD: usize = 32 << 20;
/// What an object takes besides the text of its properties, and what a member does, about.
const HELD_BY_OBJECT: usize = 256;
const HELD_BY_MEMBER: usize = 64;

/// What a change takes, about: parsed, a text takes three times its length.
fn held_by(change: &Properties) -> usize {
    let links = change.members.as_ref().map_or(0, Vec::len) + change.owners.as_ref().map_or(0, Vec::len);
    HELD_BY_OBJECT + 3 * change.json.len() + HELD_BY_MEMBER * links
}

/// The name under which the pages of changes of a type are staged, with the position in their round. Older
/// versions staged objects under `changes:`, which nobody reads any more.
pub const fn staged_as(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Users => "round:users",
        _ => "round:groups",
    }
}

/// The one part of a round.
const PART: &str = "0";

/// Follows a round to its end. With a name, each page is staged under it as it came: an attempt after a crash goes on where
/// the last one was, with the same changes.
pub async fn replay(
    reader: &Reader<'_>,
    object_type: ObjectType,
    link: &str,
    collection: Option<&'static str>,
) -> Result<Replayed> {
    let mut round = Round { reader, object_type, collection, changes: BTreeMap::new(), pages: 0, held: 0, end: None };
    let mut next = link.to_owned();
    if let Some(at) = round.load().await? {
        next = at;
    }
    if round.end.is_none() {
        let mut read = once(reader, reader.session.delta(&next)?, &mut round).await;
        if next != link && matches!(&read, Err(ReadError::Graph(error)) if needs_full_read(error)) {
            // Only the page is refused: the round begins again.
            round.forget().await?;
            read = once(reader, reader.session.delta(link)?, &mut round).await;
        }
        match read {
            Err(ReadError::Graph(error)) if needs_full_read(&error) => return Ok(Replayed::Expired(error.to_string())),
            outcome => outcome?,
        }
    }
    match round.end {
        Some(End::Link(link)) => Ok(Replayed::Round(round.changes, link)),
        Some(End::TooMany) => {
            let why = format!("more than {} objects changed since the last read", round.changes.len());
            Ok(Replayed::Expired(why))
        }
        None => Err(Error::internal("a round of changes without an end").into()),
    }
}

/// The pages of a round, merged by object.
struct Round<'a> {
    reader: &'a Reader<'a>,
    object_type: ObjectType,
    collection: Option<&'static str>,
    changes: BTreeMap<Uuid, Delta>,
    pages: i32,
    /// About how much memory they take.
    held: usize,
    end: Option<End>,
}

enum End {
    /// Where the next round starts.
    Link(String),
    TooMany,
}

impl Round<'_> {
    /// Takes what an earlier attempt staged. Returns where its next page is.
    async fn load(&mut self) -> Result<Option<String>> {
        let Some(name) = self.collection else { return Ok(None) };
        let Some(cursor) = self.reader.staging.cursors(name).await?.remove(PART) else { return Ok(None) };
        for page in self.reader.staging.rows(name).await? {
            let items: Vec<&RawValue> = serde_json::from_str(&page.data).map_err(Error::internal)?;
            self.merge(delta::changes(items.into_iter().map(RawValue::get))?)?;
        }
        self.pages = cursor.pages;
        let number = self.changes.len() as u64;
        self.reader.run.progress.expect(Work::Objects, number);
        self.reader.run.progress.was_done(Work::Objects, number);
        if cursor.done {
            self.end = cursor.next_link.clone().map(End::Link);
        }
        Ok(cursor.next_link)
    }

    async fn forget(&mut self) -> Result<()> {
        (self.changes, self.pages, self.held) = (BTreeMap::new(), 0, 0);
        match self.collection {
            Some(name) => self.reader.staging.restart_collection(name).await,
            None => Ok(()),
        }
    }

    /// Merges the changes of a page.
    fn merge(&mut self, changes: Vec<Properties>) -> Result<()> {
        for change in changes {
            self.held += held_by(&change);
            if let Some(id) = change.uuid() {
                self.changes.entry(id).or_default().merge(self.object_type, change)?;
            }
        }
        Ok(())
    }

    /// Stages a page, with the position behind it. Pages are read again in the order of their numbers.
    async fn store(&self, items: &Items, next_link: Option<String>, request: Option<Permit>) -> Result<()> {
        let Some(name) = self.collection else { return Ok(()) };
        let done = self.end.is_some();
        let cursor = Cursor { collection: name.into(), part: PART.to_owned(), next_link, done, pages: self.pages };
        let (number, data) = (self.pages.unsigned_abs().into(), items.iter().collect::<Vec<_>>().join(","));
        let page = StagedObject {
            stored_as: StoredAs::Apart(name),
            id: Uuid::from_u128(number),
            hash: Vec::new(),
            data: Some(format!("[{data}]")),
        };
        let batch = Batch { objects: vec![page], cursors: vec![cursor], ..Batch::default() };
        self.reader.staging.write_page(batch, request).await
    }
}

impl Pages<Items> for Round<'_> {
    async fn take(&mut self, mut page: Page<Items>) -> Result<ControlFlow<()>> {
        let changes = delta::changes(page.content.iter())?;
        if self.held + changes.iter().map(held_by).sum::<usize>() > MAX_HELD {
            self.end = Some(End::TooMany);
            return Ok(ControlFlow::Break(()));
        }
        self.merge(changes)?;
        // How many changes there are is known only as they come.
        let number = page.content.iter().len() as u64;
        self.reader.run.progress.expect(Work::Objects, number);
        self.reader.run.progress.advance(Work::Objects, number);
        let more = match &page.next {
            Next::More(next) => Some(next.to_string()),
            Next::Complete(_) => None,
        };
        let request = page.permit.take();
        let end = end_of_round(page.next)?.map(|link| link.to_string());
        let next_link = more.or_else(|| end.clone());
        self.end = end.map(End::Link);
        self.pages += 1;
        self.store(&page.content, next_link, request).await?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Whether the round itself cannot be read: Graph refuses its own link, or its pages never end or are malformed. It would
/// be the same the next time.
fn needs_full_read(error: &GraphError) -> bool {
    use GraphErrorKind::{DeltaExpired, LinkLoop, Malformed, PageTokenExpired};
    error.refuses_optional() || matches!(error.kind, DeltaExpired { .. } | PageTokenExpired | LinkLoop | Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::wire::properties;

    const ID: Uuid = Uuid::from_u128(7);
    const NEW: Uuid = Uuid::from_u128(2);

    fn after(changes: &[Value]) -> Delta {
        let mut delta = Delta::default();
        for change in changes {
            let mut object = json!({"id": ID});
            object.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            delta.merge(ObjectType::Users, properties(&object.to_string()).unwrap()).unwrap();
        }
        delta
    }

    #[test]
    fn a_manager_is_taken_from_a_change_only_if_somebody_came() {
        let came = json!({"manager@delta": [{"id": NEW}]});
        let went = json!({"manager@delta": [{"id": Uuid::from_u128(1), "@removed": {"reason": "deleted"}}]});
        let both =
            json!({"manager@delta": [{"id": Uuid::from_u128(1), "@removed": {"reason": "deleted"}}, {"id": NEW}]});
        let two = json!({"manager@delta": [{"id": NEW}, {"id": Uuid::from_u128(3)}]});
        for changes in [vec![came.clone()], vec![both], vec![went.clone(), came.clone()]] {
            assert_eq!(after(&changes).manager, Some(NEW), "{changes:?}");
        }
        for last in [went, two, json!({"manager@delta": []}), json!({"manager@delta": null}), json!({"city": "Oslo"})] {
            assert_eq!(after(&[came.clone(), last.clone()]).manager, None, "asked for: {last}");
        }
    }

    #[test]
    fn a_property_that_is_never_null_is_not_cleared() {
        let delta = after(&[json!({"accountEnabled": null, "displayName": "", "city": null})]);
        let known = json!({"accountEnabled": false, "city": "Oslo", "displayName": "Ada"});
        assert_eq!(
            Value::Object(delta.merged(&known.to_string()).unwrap()),
            json!({"accountEnabled": false, "displayName": "Ada", "id": ID})
        );
        assert_eq!(delta.kept, ["accountEnabled", "displayName"].map(str::to_owned).into());
    }
}
