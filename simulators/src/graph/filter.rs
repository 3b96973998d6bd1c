//! The simulator's own `$filter`: a small parser, the default and advanced rule of Graph with its errors, and an
//! evaluator. It shares nothing with the product's filter, so that the two can be compared.
//! Source: docs/graph.md, «Filters»; aad-advanced-queries of the Graph documentation.

mod documented;
mod eval;
mod expression;
mod parse;
pub mod record;
mod rules;

use super::answer::Problem;
use super::property::{Val, property};
use crate::seed::{Directory, ObjectKind, Ref};
use expression::{Expr, Literal, Op, Path};

/// A filter that was parsed and may be asked.
#[derive(Clone, Debug)]
pub struct Filter {
    expr: Expr,
    kind: ObjectKind,
}

impl Filter {
    /// `advanced`: the request has `ConsistencyLevel: eventual` and `$count=true`.
    pub fn parse(text: &str, kind: ObjectKind, advanced: bool) -> Result<Self, Problem> {
        let expr = parse::parse(text)
            .map_err(|message| Problem::new(400, "BadRequest", format!("Invalid filter clause: {message}")))?;
        rules::check(&expr, kind, advanced)?;
        Ok(Self { expr, kind })
    }

    pub fn matches(&self, directory: &Directory, slot: u32) -> bool {
        let object = Ref::new(self.kind, slot);
        eval::matches(&self.expr, &|name| match (self.kind, name) {
            (ObjectKind::User, "manager") => manager(directory, slot),
            (ObjectKind::Group, "owners") => owners(directory, slot),
            _ => property(directory, object, name),
        })
    }

    /// Whether it names a property, at any depth.
    pub fn names(&self, property: &str) -> bool {
        names(&self.expr, property)
    }

    /// The ids of `id eq 'a' or id eq 'b'`, the only filter that delta takes.
    pub fn ids_only(&self) -> Option<Vec<uuid::Uuid>> {
        match &self.expr {
            Expr::Or(parts) => parts.iter().map(one_id).collect(),
            Expr::And(_)
            | Expr::Not(_)
            | Expr::Compare(..)
            | Expr::In(..)
            | Expr::Call(..)
            | Expr::Any(..)
            | Expr::All(..)
            | Expr::Count(..) => one_id(&self.expr).map(|id| vec![id]),
        }
    }
}

/// The manager of a user, as far as a filter can ask for it.
fn manager(directory: &Directory, slot: u32) -> Val<'_> {
    let manager = directory.users.get(slot as usize).and_then(|user| directory.manager_of(user));
    manager.map_or(Val::Null, |manager| Val::Object(vec![("id", Val::Guid(manager.id))]))
}

/// The owners of a group, as far as a filter can ask for them.
fn owners(directory: &Directory, slot: u32) -> Val<'_> {
    let group = directory.groups.get(slot as usize);
    let owners = group.into_iter().flat_map(|group| &group.owners).filter(|owner| directory.is_live(**owner));
    Val::List(owners.map(|owner| Val::Guid(directory.id_of(*owner))).collect())
}

fn one_id(expr: &Expr) -> Option<uuid::Uuid> {
    match expr {
        Expr::Compare(path, Op::Eq, Literal::Str(text)) if path == &["id"] => uuid::Uuid::parse_str(text).ok(),
        Expr::Compare(path, Op::Eq, Literal::Guid(id)) if path == &["id"] => Some(*id),
        _ => None,
    }
}

fn names(expr: &Expr, property: &str) -> bool {
    let is = |path: &Path| path.first().is_some_and(|name| name.eq_ignore_ascii_case(property));
    match expr {
        Expr::Or(parts) | Expr::And(parts) => parts.iter().any(|part| names(part, property)),
        Expr::Not(inner) => names(inner, property),
        Expr::Compare(path, ..) | Expr::In(path, _) | Expr::Call(_, path, _) => is(path),
        Expr::Any(path, _) | Expr::All(path, ..) | Expr::Count(path, ..) => is(path),
    }
}

/// Whether a property's value, as text, contains the term: `$search`.
pub fn text_contains(value: &Val<'_>, term: &str) -> bool {
    eval::text(value).is_some_and(|text| text.to_lowercase().contains(&term.to_lowercase()))
}

/// The order of two values for `$orderby`: text without regard to case, nothing first.
pub fn order(a: &Val<'_>, b: &Val<'_>) -> std::cmp::Ordering {
    let key = |value: &Val<'_>| eval::text(value).map(|text| text.to_lowercase());
    key(a).cmp(&key(b))
}
