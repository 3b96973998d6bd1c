//! Which users, groups and devices to import: Graph's `$filter` or a tree of conditions, and the scope around it.
//!
//! [`Filter`] is the rule, parsed from the body that the API takes. [`odata`] parses and prints filter texts over the
//! [`property`] table; [`where_tree`] is the same as JSON; [`eval`] decides over our own values; [`scope`] adds what
//! Graph cannot: membership, exclusions, limits.

use crate::error::{Faults, Result};
use body::Body;
use serde_json::{Map, Value};

pub mod body;
pub mod eval;
pub mod expression;
pub mod odata;
pub mod pattern;
pub mod property;
pub mod scope;
pub mod validation;
pub mod where_tree;

pub use body::{Exclude, Limits, Outside, Scope, ScopeGroups, ScopeUsers, Written};
pub use odata::Parsed;
pub use property::EntityKind;

/// A valid filter. Everything is optional: the default takes the whole directory.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filter {
    pub users: Option<Rule>,
    pub groups: Option<Rule>,
    pub devices: Option<Rule>,
    pub scope: Scope,
    pub outside: Outside,
    pub exclude: Exclude,
    pub limits: Limits,
}

/// The condition on one kind of object: as it was written, and parsed.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub written: Written,
    pub parsed: Parsed,
}

impl Filter {
    /// Parses the body without `name`. The error has every fault, with pointers into the body.
    pub fn from_json(body: &Value) -> Result<Filter> {
        let mut faults = Faults::default();
        let filter = Body::whole(body)?.parse("", &mut faults);
        faults.into_result()?;
        Ok(filter)
    }

    /// Like [`Filter::from_json`], for a caller that checks the form of the body and gathers faults: `pointer` is where
    /// the body stands. The result is complete only if there is no fault. Stricter than the reading of a stored filter.
    pub fn collect(body: &Value, pointer: &str, faults: &mut Faults) -> Filter {
        let body = Body::parts(body);
        body.check_groups(pointer, faults);
        body.parse(pointer, faults)
    }

    /// The body with every field, defaults included; what [`Filter::from_json`] reads back.
    pub fn to_json(&self) -> Value {
        let rule = |rule: &Option<Rule>| rule.as_ref().map_or(Value::Null, |rule| rule.written.to_json());
        let mut body = Map::new();
        body.insert("users".into(), rule(&self.users));
        body.insert("groups".into(), rule(&self.groups));
        body.insert("devices".into(), rule(&self.devices));
        body.insert("scope".into(), self.scope.to_json());
        body.insert("outside".into(), self.outside.as_str().into());
        body.insert("exclude".into(), self.exclude.to_json());
        body.insert("limits".into(), self.limits.to_json());
        Value::Object(body)
    }

    /// The condition on a kind of object, if there is one.
    pub fn rule(&self, kind: EntityKind) -> Option<&Rule> {
        match kind {
            EntityKind::Users => self.users.as_ref(),
            EntityKind::Groups => self.groups.as_ref(),
            EntityKind::Devices => self.devices.as_ref(),
        }
    }

    /// Whether it leaves out any user or group.
    pub fn narrows(&self) -> bool {
        self.users.is_some()
            || self.groups.is_some()
            || self.scope.users != ScopeUsers::All
            || self.scope.groups != ScopeGroups::All
            || !self.exclude.is_empty()
            || self.limits != Limits::default()
    }

    /// Whether an object, in Graph's own JSON, fulfils its condition and is not excluded by id or name. Membership
    /// and limits are [`scope`]'s business.
    pub fn admits(&self, kind: EntityKind, object: &Map<String, Value>) -> bool {
        !self.exclude.excludes(kind, object)
            && self.rule(kind).is_none_or(|rule| eval::matches(&rule.parsed.expression, object))
    }

    /// What an incremental run cannot see of this filter, a sentence for each kind of object.
    pub fn local_only_problems(&self) -> Vec<String> {
        EntityKind::ALL
            .into_iter()
            .filter_map(|kind| self.rule(kind))
            .filter_map(|rule| rule.parsed.local_only_problem())
            .collect()
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
