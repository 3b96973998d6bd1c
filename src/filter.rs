//! Which objects to import: Graph's `$filter` or a tree of conditions, and the scope around it.
//!
//! [`body`] reads a [`Filter`] from its JSON. [`odata`] parses and prints filter texts over the table of properties
//! ([`property`]); [`form`] has these properties for a form; [`where_tree`] is a condition as JSON; [`eval`] evaluates a condition without Graph, and [`judgement`] says why; [`scope`] decides
//! by membership and limits, which Graph cannot. [`kinds`] are the fields that bodies have of each kind of object.

use serde::Serialize;
use serde_json::{Map, Value, json};

pub mod body;
pub mod eval;
pub mod expression;
pub mod form;
pub mod judgement;
pub mod kinds;
pub mod odata;
mod parts;
pub mod pattern;
pub mod property;
pub mod scope;
pub mod validation;
pub mod where_tree;

use kinds::ByKind;
pub use odata::Parsed;
pub use parts::{Exclude, Limits, Outside, Scope, ScopeGroups, ScopeUsers};
pub use property::EntityKind;

/// A valid filter. The default imports the whole directory.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Filter {
    /// The condition on each kind of object that has one.
    rules: ByKind<Rule>,
    pub scope: Scope,
    pub outside: Outside,
    pub exclude: Exclude,
    pub limits: Limits,
}

/// The condition on one kind of object, as written and parsed.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub written: Written,
    pub parsed: Parsed,
}

/// A condition as it was written: `odata` or `where`.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Written {
    Odata(String),
    #[schema(value_type = where_tree::Where)]
    Where(Value),
}

impl Written {
    pub fn to_json(&self) -> Value {
        match self {
            Written::Odata(text) => json!({ "odata": text }),
            Written::Where(tree) => json!({ "where": tree }),
        }
    }
}

impl Filter {
    /// The body with every field, defaults included; what [`Filter::from_json`] reads back.
    pub fn to_json(&self) -> Value {
        let mut body = Map::new();
        for kind in EntityKind::ALL {
            let rule = self.rule(kind).map(|rule| rule.written.to_json());
            // The text of a filter is a part of what a mirror was read with, so kinds that came later are not in those
            // that do not name them.
            if rule.is_some() || EntityKind::USUAL.contains(&kind) {
                body.insert(kind.as_str().into(), rule.unwrap_or_default());
            }
        }
        body.insert("scope".into(), self.scope.to_json());
        body.insert("outside".into(), self.outside.as_str().into());
        body.insert("exclude".into(), self.exclude.to_json());
        body.insert("limits".into(), self.limits.to_json());
        Value::Object(body)
    }

    /// The condition on a kind of object, if there is one.
    pub fn rule(&self, kind: EntityKind) -> Option<&Rule> {
        self.rules.get(&kind)
    }

    /// Whether it excludes any user or group.
    pub fn narrows(&self) -> bool {
        self.rule(EntityKind::Users).is_some()
            || self.rule(EntityKind::Groups).is_some()
            || self.scope.users != ScopeUsers::All
            || self.scope.groups != ScopeGroups::All
            || !self.exclude.is_empty()
            || self.limits != Limits::default()
    }

    /// Whether stubs are made: they are wanted, and something is left out.
    pub fn wants_stubs(&self) -> bool {
        self.outside == Outside::Stub && self.narrows()
    }

    /// Whether an object, as JSON of Graph, fulfils its condition and is not excluded by id or name. [`scope`] decides by
    /// membership and limits.
    pub fn admits(&self, kind: EntityKind, object: &Map<String, Value>) -> bool {
        !self.exclude.excludes(kind, object)
            && self.rule(kind).is_none_or(|rule| eval::matches(&rule.parsed.expression, object))
    }

    /// What an incremental run cannot see of this filter, one sentence for each kind of object.
    pub fn local_only_problems(&self) -> Vec<String> {
        EntityKind::ALL
            .into_iter()
            .filter_map(|kind| self.rule(kind))
            .filter_map(|rule| rule.parsed.local_only_problem())
            .collect()
    }
}

#[cfg(test)]
mod tests;
