//! A round of changes, gathered by object.

use super::super::Reader;
use crate::directory::Properties as Map;
use crate::error::Error;
use crate::graph::Pager;
use crate::graph::delta::{self, end_of_round};
use crate::graph::error::Kind;
use crate::graph::wire::{Items, Member, Properties, Removed};
use crate::runs::stop::Stop;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

pub(in crate::runs::collect) enum Replayed {
    /// What changed, and where the next round begins.
    Round(BTreeMap<Uuid, Delta>, String),
    /// The position is no longer good.
    Expired(String),
}

/// All that happened to one object since the last time, the last word counting.
#[derive(Default)]
pub(in crate::runs::collect) struct Delta {
    pub removed: Option<Removed>,
    /// Properties that have a value now.
    values: Map,
    /// Properties that were cleared.
    nulls: BTreeSet<String>,
    manager: Option<Member>,
    /// Members and owners that came (`true`) or went.
    pub members: HashMap<Uuid, (bool, &'static str)>,
    owners: HashMap<Uuid, bool>,
}

impl Delta {
    /// The same object may come many times: a group in parts with other members each, a change again.
    fn merge(&mut self, change: Properties) -> Result<(), Stop> {
        self.removed = change.removed;
        for member in change.members.iter().flatten() {
            self.members.insert(member.id, (!member.is_removed, member.kind.as_str()));
        }
        for owner in change.owners.iter().flatten() {
            self.owners.insert(owner.id, !owner.is_removed);
        }
        self.manager = change.manager.or(self.manager);
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

    /// The object as it is now: delta gives every selected property of a changed object, without those that
    /// were never set; those that were cleared come as null.
    pub(super) fn merged(&self, data: &str) -> Result<Map, Stop> {
        let mut map: Map = serde_json::from_str(data).map_err(Error::internal)?;
        map.extend(self.values.clone());
        for name in &self.nulls {
            map.remove(name);
        }
        match self.manager {
            Some(Member { is_removed: true, .. }) => {
                map.remove("managerId");
            }
            Some(manager) => {
                map.insert("managerId".to_owned(), json!(manager.id));
            }
            None => {}
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

/// Follows a round to its end.
pub(in crate::runs::collect) async fn replay(reader: &Reader<'_>, link: &str) -> Result<Replayed, Stop> {
    let mut pager: Pager<Items> = reader.session.delta(link)?;
    let mut changes: BTreeMap<Uuid, Delta> = BTreeMap::new();
    loop {
        let page = match pager.next().await {
            Ok(Some(page)) => page,
            Ok(None) => return Err(Stop::from(Error::internal("a round of changes without an end"))),
            // What a link of Graph's own is refused for, a full read mends.
            Err(error)
                if error.refuses_optional()
                    || matches!(error.kind, Kind::DeltaExpired { .. } | Kind::PageTokenExpired) =>
            {
                return Ok(Replayed::Expired(error.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        for change in delta::changes(&page)? {
            if let Some(id) = change.uuid() {
                changes.entry(id).or_default().merge(change)?;
            }
        }
        reader.run.journal.advance(page.content.iter().len() as u64);
        reader.run.journal.used(reader.session.usage());
        if let Some(link) = end_of_round(page.next)? {
            return Ok(Replayed::Round(changes, link.to_string()));
        }
    }
}
