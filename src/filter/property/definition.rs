//! One property that Graph can filter by, and what Graph can do with it.

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Boolean,
    String,
    Guid,
    DateTime,
    Integer,
    /// The tenant chose the type, so any literal may be valid.
    Any,
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

/// A property found by name, with the name as Graph spells it.
#[derive(Clone, Debug)]
pub struct Found {
    pub name: String,
    pub property: &'static Property,
}
