//! Delta queries: the changes since a saved delta link.
//!
//! A round starts with a first URL or a saved delta link and ends with a new delta link. An object can come several
//! times, and a group in several parts with different members. Parts are merged; they never replace each other.
//! Source: <https://learn.microsoft.com/en-us/graph/delta-query-overview>; docs/graph.md, «Delta queries».

use super::error::{GraphError, GraphErrorKind, Result};
use super::options::RequestOptions;
use super::page::{Next, Pager};
use super::session::Session;
use super::wire::{Items, Properties, properties};
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
    /// A delta link for changes from now on, without reading any object. `select` names the properties whose changes the
    /// link will return, with relations (`manager`; `members`, `owners`).
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

/// The delta link if the page is the last of its round, `None` if more pages follow. A last page without a delta link is
/// an error, because the next round could not start.
pub fn end_of_round(next: Next) -> Result<Option<Url>> {
    match next {
        Next::More(_) => Ok(None),
        Next::Complete(complete) => complete.into_delta_link().map(Some).ok_or_else(without_delta_link),
    }
}

/// The objects of a page. A `removed` object has only its id. `members` and `owners` are additions and removals; `nulls`
/// are properties that were cleared.
pub fn changes<'a>(items: impl Iterator<Item = &'a str>) -> Result<Vec<Properties>> {
    let read = |item: &str| {
        properties(item).map_err(|error| {
            GraphError::new(GraphErrorKind::Malformed, format!("a changed object could not be parsed: {error}"))
        })
    };
    items.map(read).collect()
}

fn without_delta_link() -> GraphError {
    GraphError::new(GraphErrorKind::Malformed, "Graph returned no delta link at the end of the changes")
}
