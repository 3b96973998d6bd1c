//! What Graph is asked for: path, `$select`, `$expand`, `$filter`, page size.

use crate::directory::ObjectType;
use crate::graph::{RequestOptions, Session};
use url::Url;

/// Objects asked for per page: the most that Graph gives.
pub(super) const TOP: u32 = 999;
/// A page is not made smaller than this.
pub(super) const LEAST_TOP: u32 = 10;

/// Which collection is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    Objects(ObjectType),
    /// The members or owners of a group, by their path.
    Links(String),
    /// Another list of objects, by its path.
    Path(&'static str),
}

/// How a collection is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub target: Target,
    /// Names the cursor: several requests for one collection have different parts.
    pub part: String,
    /// Empty: no `$select`, for a server that takes none.
    pub select: Vec<String>,
    pub expand: Option<&'static str>,
    pub filter: Option<String>,
    pub advanced: bool,
    pub top: Option<u32>,
    /// Nothing of it may be left out: whoever asks handles a refusal.
    pub is_fixed: bool,
}

impl Request {
    /// A request for full pages with these properties, of which nothing may be left out.
    pub fn fixed(target: Target, select: &[&str]) -> Self {
        Self {
            target,
            part: "0".to_owned(),
            select: select.iter().map(|name| (*name).to_owned()).collect(),
            expand: None,
            filter: None,
            advanced: false,
            top: Some(TOP),
            is_fixed: true,
        }
    }

    pub fn path(&self) -> String {
        match &self.target {
            Target::Objects(object_type) => self.path_at(object_type.spec().collection.path),
            Target::Links(path) => self.path_at(path),
            Target::Path(path) => self.path_at(path),
        }
    }

    /// The same options on another path.
    pub fn path_at(&self, path: &str) -> String {
        let mut options = Vec::new();
        if let Some(top) = self.top {
            options.push(format!("$top={top}"));
        }
        if !self.select.is_empty() {
            options.push(format!("$select={}", self.select.join(",")));
        }
        if let Some(expand) = self.expand {
            options.push(format!("$expand={expand}"));
        }
        if let Some(filter) = &self.filter {
            options.push(format!("$filter={}", urlencoding::encode(filter)));
        }
        if self.advanced {
            options.push("$count=true".to_owned());
        }
        if options.is_empty() { path.to_owned() } else { format!("{path}?{}", options.join("&")) }
    }

    pub fn url(&self, session: &Session) -> Url {
        session.url(&self.path())
    }

    pub fn options(&self) -> RequestOptions {
        RequestOptions { advanced: self.advanced, ..RequestOptions::halving() }
    }

    /// The same with half as many objects per page; `None` when a page is as small as it may be.
    pub fn halved(&self) -> Option<Self> {
        let top = self.top.map(|top| top / 2).filter(|top| *top >= LEAST_TOP)?;
        Some(Self { top: Some(top), ..self.clone() })
    }
}
