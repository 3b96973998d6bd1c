//! A round of changes, gathered by object.

use crate::directory::Properties as Map;
use crate::error::Error;
use crate::graph::Page;
use crate::graph::delta::{self, end_of_round};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::wire::{Items, Member, Properties, Removed};
use crate::runs::collect::pages::{Pages, once};
use crate::runs::collect::read_error::{ReadError, Result};
use crate::runs::collect::reader::Reader;
use crate::runs::progress::Work;
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
    /// Managers that came or went, one after another.
    managers: Vec<Member>,
    /// Members and owners that came (`true`) or went.
    pub members: HashMap<Uuid, (bool, &'static str)>,
    owners: HashMap<Uuid, bool>,
}

impl Delta {
    /// The same object may come many times: a group in parts with other members each, a change again.
    fn merge(&mut self, change: Properties) -> Result<()> {
        self.removed = change.removed;
        for member in change.members.iter().flatten() {
            self.members.insert(member.id, (!member.is_removed, member.kind.as_str()));
        }
        for owner in change.owners.iter().flatten() {
            self.owners.insert(owner.id, !owner.is_removed);
        }
        self.managers.extend(change.manager.member());
        if change.removed.is_none() {
            let values: Map = serde_json::from_str(&change.json).map_err(Error::internal)?;
            self.nulls.retain(|name| !values.contains_key(name));
            self.values.extend(values);
            for name in change.nulls {
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
        for manager in &self.managers {
            let id = json!(manager.id);
            if !manager.is_removed {
                map.insert("managerId".to_owned(), id);
            } else if map.get("managerId") == Some(&id) {
                // Otherwise another one came before this one went, or it is a change of long ago that comes again.
                map.remove("managerId");
            }
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

/// Follows a round to its end.
pub async fn replay(reader: &Reader<'_>, link: &str) -> Result<Replayed> {
    let mut round = Round { reader, changes: BTreeMap::new(), held: 0, end: None };
    match once(reader, reader.session.delta(link)?, &mut round).await {
        Err(ReadError::Graph(error)) if needs_full_read(&error) => return Ok(Replayed::Expired(error.to_string())),
        outcome => outcome?,
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
    changes: BTreeMap<Uuid, Delta>,
    /// About how much memory they take.
    held: usize,
    end: Option<End>,
}

enum End {
    /// Where the next round starts.
    Link(String),
    TooMany,
}

impl Pages<Items> for Round<'_> {
    async fn take(&mut self, page: Page<Items>) -> Result<ControlFlow<()>> {
        let changes = delta::changes(&page)?;
        self.held += changes.iter().map(held_by).sum::<usize>();
        if self.held > MAX_HELD {
            self.end = Some(End::TooMany);
            return Ok(ControlFlow::Break(()));
        }
        for change in changes {
            if let Some(id) = change.uuid() {
                self.changes.entry(id).or_default().merge(change)?;
            }
        }
        // How many changes there are is known only as they come.
        let number = page.content.iter().len() as u64;
        self.reader.run.progress.expect(Work::Objects, number);
        self.reader.run.progress.advance(Work::Objects, number);
        self.end = end_of_round(page.next)?.map(|link| End::Link(link.to_string()));
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

    fn manager(number: u128, is_removed: bool) -> Member {
        Member { is_removed, ..Member::user(Uuid::from_u128(number)) }
    }

    /// What managers reported one after another make of a user whose manager is number 1.
    fn after(changes: &[Member]) -> Option<Uuid> {
        let delta = Delta { managers: changes.to_vec(), ..Delta::default() };
        let data = json!({"managerId": Uuid::from_u128(1)}).to_string();
        let map = delta.merged(&data).unwrap();
        map.get("managerId").and_then(Value::as_str).map(|id| id.parse().unwrap())
    }

    #[test]
    fn the_end_of_the_old_manager_does_not_end_the_new_one() {
        let (old, new) = (manager(1, true), manager(2, false));
        assert_eq!(after(&[old]), None);
        for changes in [&[old, new][..], &[new, old], &[new, old, old], &[new]] {
            assert_eq!(after(changes), Some(new.id), "{changes:?}");
        }
        assert_eq!(after(&[manager(3, true)]), Some(Uuid::from_u128(1)), "one of long ago");
        assert_eq!(after(&[new, manager(2, true)]), None);
    }
}
