//! What Atlassian includes and recommends of Assets. Source: docs/assets.md, «Limits».

/// Objects that Jira Service Management Premium and Enterprise include, for the whole site.
pub const INCLUDED_OBJECTS: u64 = 50_000;
/// Attributes of one object type.
pub const RECOMMENDED_ATTRIBUTES: u64 = 35;
/// Attributes of one object type that refer to other objects.
pub const RECOMMENDED_REFERENCES: u64 = 3;
/// Values of one attribute that refers to other objects.
pub const RECOMMENDED_VALUES: u64 = 10;
