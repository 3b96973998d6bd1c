//! The options of a request: its headers, its price, and how long its failures are waited out.

use super::cost;
use std::time::Duration;

/// How long the failures of one request are waited out.
pub const BUDGET: Duration = Duration::from_secs(600);

/// The options of a request.
#[derive(Clone, Debug)]
pub struct RequestOptions {
    /// Sends `ConsistencyLevel: eventual`, on every page. Source: docs/graph.md, «Filters».
    pub advanced: bool,
    /// How long failures are waited out. Zero: every failure is final.
    pub budget: Duration,
    /// Graph throttles requests of low priority first. Right for imports, wrong while a person waits.
    pub low_priority: bool,
    /// The caller can request a smaller page. If `$top` can be halved, a [`Pager`](super::page::Pager) therefore reports 504 responses soon
    /// instead of waiting them out.
    pub may_halve: bool,
    /// After so many 504 in a row the next is reported. `None`: they are waited out like any failure. A [`Pager`](super::page::Pager) sets
    /// it.
    pub gateway_timeouts: Option<u32>,
    /// The price, if the URL does not show it. A [`Pager`](super::page::Pager) sets it for later pages.
    pub cost: Option<cost::Kind>,
    /// A further `Prefer` header, such as `return=minimal`.
    pub prefer: Option<&'static str>,
    /// The request is for a later page, and is sent before those for first pages. A [`Pager`](super::page::Pager) sets it.
    pub goes_on: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self {
            advanced: false,
            budget: BUDGET,
            low_priority: true,
            may_halve: false,
            gateway_timeouts: None,
            cost: None,
            prefer: None,
            goes_on: false,
        }
    }
}

impl RequestOptions {
    /// For queries that need `ConsistencyLevel: eventual`; the URL must have `$count=true`.
    pub fn advanced() -> Self {
        Self { advanced: true, ..Self::default() }
    }

    /// For a collection whose page size is halved when Graph takes too long for a page.
    pub fn halving() -> Self {
        Self { may_halve: true, ..Self::default() }
    }

    /// While a person waits.
    pub fn interactive() -> Self {
        Self { low_priority: false, ..Self::default() }
    }
}
