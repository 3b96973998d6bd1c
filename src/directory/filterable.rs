//! The properties that Graph can filter the objects of a type by, and what Graph can do with each.
//!
//! Four letters a property: `eq`/`in`, `ge`/`le`, `startsWith`, `null`; `d` by default, `a` advanced, `-` no. An operator
//! that no source calls default counts as advanced. [`table`] has those of users, groups and devices, which
//! `tests/it/filters/table.rs` compares with Microsoft's table; the other types have theirs in their own files, from the
//! resource pages, because that table is not at hand for them.

pub mod table;

use crate::text_enum::explained;
use serde::Serialize;
use utoipa::ToSchema;

/// Whether Graph supports an operator on a property, and in which queries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Works in any query.
    Default,
    /// Needs `ConsistencyLevel: eventual` and `$count=true`.
    Advanced,
    /// Graph rejects it.
    No,
}

explained! {
    /// The type of a value in a condition.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    #[schema(as = ValueType)]
    pub enum Type {
        /// `true` or `false`, without quotes.
        Boolean,
        /// A text. Its case does not matter.
        String,
        /// A GUID, as a text.
        Guid,
        /// A time such as `2026-01-31T00:00:00Z`, or a date, as a text.
        DateTime,
        /// A whole number.
        Integer,
        /// The tenant chose the type.
        Any,
    }
}

impl Type {
    /// In words, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Type::Boolean => "the boolean `true` or `false`",
            Type::String => "a text in single quotes",
            Type::Guid => "a GUID",
            Type::DateTime => "a date such as 2026-01-31T00:00:00Z",
            Type::Integer => "a whole number",
            Type::Any => "a value",
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Single(Type),
    /// A collection of values: `proxyAddresses/any(p:startswith(p,'smtp:'))`.
    Values(Type),
    /// A collection of objects with these properties: `assignedLicenses/any(x:x/skuId eq …)`.
    Objects(&'static [Property]),
    /// A relationship: Graph can filter only by the number of its objects.
    Relation,
}

/// Where Graph returns the value, and so who can decide by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returned {
    /// In lists, and in delta queries when it changes.
    ByDelta,
    /// In lists only: a delta query does not report its changes.
    ByLists,
    /// Nowhere: only Graph can decide by it.
    Nowhere,
}

/// One property and what Graph can do with it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// As Graph spells it. A part of a complex property is a path: `signInActivity/lastSignInDateTime`.
    pub name: &'static str,
    pub shape: Shape,
    /// `eq` and `in`. `ne` and `not` work wherever `eq` does, always advanced.
    pub equal: Level,
    /// `ge` and `le`. `gt` and `lt` count as advanced, because the documentation does not list them as default.
    pub range: Level,
    pub starts_with: Level,
    pub null: Level,
    /// `endsWith`, always advanced.
    pub ends_with: bool,
    /// `$count` compared with 0, and with 1.
    pub count: [Level; 2],
    pub returned: Returned,
}

impl Property {
    pub fn is_collection(&self) -> bool {
        !matches!(self.shape, Shape::Single(_))
    }
}

/// What Graph can filter the objects of a type by.
#[derive(Debug)]
pub struct Filterable {
    pub properties: &'static [Property],
    /// Whether its list takes advanced queries, which also count it and search in it. Without them there is no `ne` and
    /// no `not`.
    pub advanced: bool,
    /// Properties that exist and that Graph cannot filter by.
    pub unfilterable: &'static [&'static str],
}

const fn level(letter: u8) -> Level {
    match letter {
        b'd' => Level::Default,
        b'a' => Level::Advanced,
        _ => Level::No,
    }
}

pub(super) const fn row(name: &'static str, shape: Shape, levels: &[u8; 4]) -> Property {
    let [equal, range, starts_with, null] = *levels;
    Property {
        name,
        shape,
        equal: level(equal),
        range: level(range),
        starts_with: level(starts_with),
        null: level(null),
        ends_with: false,
        count: [Level::No, Level::No],
        returned: Returned::ByDelta,
    }
}

pub(super) const fn one(name: &'static str, kind: Type, levels: &[u8; 4]) -> Property {
    row(name, Shape::Single(kind), levels)
}

pub(super) const fn texts(name: &'static str, levels: &[u8; 4]) -> Property {
    row(name, Shape::Values(Type::String), levels)
}

pub(super) const fn objects(name: &'static str, properties: &'static [Property]) -> Property {
    row(name, Shape::Objects(properties), b"----")
}

/// Related objects, by their ids. Graph does not return them in a list.
pub(super) const fn related(name: &'static str, ids: &'static [Property]) -> Property {
    objects(name, ids).nowhere()
}

impl Property {
    pub(super) const fn ending(mut self) -> Self {
        self.ends_with = true;
        self
    }

    /// `$count` can be compared with 0.
    pub(super) const fn counted(mut self) -> Self {
        self.count = [Level::Advanced, Level::No];
        self
    }

    /// `$count` can be compared with 0 and 1.
    pub(super) const fn counted_to_one(mut self) -> Self {
        self.count = [Level::Advanced, Level::Advanced];
        self
    }

    pub(super) const fn outside_delta(mut self) -> Self {
        self.returned = Returned::ByLists;
        self
    }

    pub(super) const fn nowhere(mut self) -> Self {
        self.returned = Returned::Nowhere;
        self
    }
}
