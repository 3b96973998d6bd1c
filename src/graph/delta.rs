//! What changed since a saved position: delta queries.
//!
//! A round begins at a first URL or a saved delta link and ends with a new one. An object may come several
//! times, a group in several parts with other members each; parts are merged, never replaced.
//! Source: <https://learn.microsoft.com/en-us/graph/delta-query-overview>; docs/graph.md, «Delta queries».

use super::error::{GraphError, Kind, Result};
use super::wire::{Items, Properties, properties};
use super::{Page, Pager, RequestOptions, Session};
use url::Url;

/// A collection that has a delta query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Collection {
    Users,
    Groups,
    Devices,
}

impl Collection {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Devices => "devices",
        }
    }
}

impl Session {
    /// A delta link for «from now on», without reading anything. `select` names the properties whose changes
    /// will be told, relations included (`manager`; `members`, `owners`).
    pub async fn delta_from_now(&self, collection: Collection, select: &str) -> Result<Url> {
        let path = format!("{}/delta?$deltatoken=latest&$select={select}", collection.as_str());
        let mut pager = self.pages::<Items>(self.url(&path), RequestOptions::default());
        while let Some(page) = pager.next().await? {
            if let Some(link) = end_of_round(page.next)? {
                return Ok(link);
            }
        }
        Err(without_delta_link())
    }

    /// The pages of a delta round from a saved link.
    pub fn delta(&self, delta_link: &str) -> Result<Pager<Items>> {
        Ok(self.pages(self.link(delta_link)?, RequestOptions::default()))
    }
}

/// The delta link when the page was the last of its round, `None` when more follow. A last page without
/// one is an error: there would be nothing to go on from.
pub fn end_of_round(next: super::Next) -> Result<Option<Url>> {
    match next {
        super::Next::More(_) => Ok(None),
        super::Next::Complete(complete) => complete.into_delta_link().map(Some).ok_or_else(without_delta_link),
    }
}

/// The objects of a page. What is `removed` has only its id; `members` and `owners` hold additions and
/// removals; `nulls` were cleared.
pub fn changes(page: &Page<Items>) -> Result<Vec<Properties>> {
    let read = |item: &str| {
        properties(item)
            .map_err(|error| GraphError::new(Kind::Malformed, format!("a changed object cannot be read: {error}")))
    };
    page.content.iter().map(read).collect()
}

fn without_delta_link() -> GraphError {
    GraphError::new(Kind::Malformed, "the round of changes ended without a delta link")
}
