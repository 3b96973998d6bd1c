//! What the service has already, by name.

use super::kind::{KINDS, Kind};
use crate::cli::calls::Calls;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};

/// The ids of each name, by kind. The service does not ask for unique names.
#[derive(Default)]
pub(super) struct Existing(HashMap<&'static str, BTreeMap<String, Vec<String>>>);

impl Existing {
    pub(super) async fn read(calls: &Calls) -> Result<Self> {
        let mut existing = Self::default();
        for kind in &KINDS {
            for item in calls.list(&kind.path(), &[]).await? {
                if let (Some(name), Some(id)) = (item["name"].as_str(), item["id"].as_str()) {
                    existing.add(kind.name, name, id);
                }
            }
        }
        Ok(existing)
    }

    pub(super) fn add(&mut self, kind: &'static str, name: &str, id: &str) {
        self.0.entry(kind).or_default().entry(name.to_owned()).or_default().push(id.to_owned());
    }

    /// The id of what has the name, if anything has.
    ///
    /// # Errors
    /// Several have it.
    pub(super) fn find(&self, kind: &str, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(kind).and_then(|names| names.get(name)).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([id]) => Ok(Some(id)),
            Some(_) => Err(several(kind, name)),
        }
    }

    /// The names of a kind, each with the ids of what has it.
    pub(super) fn names(&self, kind: &Kind) -> impl Iterator<Item = (&str, &[String])> {
        let names = self.0.get(kind.name).into_iter().flatten();
        names.map(|(name, ids)| (name.as_str(), ids.as_slice()))
    }
}

/// Why a name finds nothing in the service: it is not the name of one thing.
pub(super) fn several(kind: &str, name: &str) -> String {
    format!("several {kind} have the name «{name}»; rename one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_several_finds_none_of_them() {
        let mut existing = Existing::default();
        for (kind, name, id) in
            [("filters", "A", "1"), ("filters", "B", "2"), ("filters", "A", "3"), ("jobs", "B", "4")]
        {
            existing.add(kind, name, id);
        }
        assert_eq!(existing.find("filters", "B"), Ok(Some("2")));
        assert_eq!(existing.find("jobs", "A"), Ok(None));
        assert_eq!(existing.find("filters", "A"), Err("several filters have the name «A»; rename one".to_owned()));
    }
}
