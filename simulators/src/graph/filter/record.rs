//! The `$filter` of collections whose objects are kept as JSON.

use super::expression::{Expr, Function, Literal, Op, Path};
use super::{eval, names, parse};
use crate::graph::answer::Problem;
use crate::graph::property::Val;
use crate::seed::Record;

/// A property and what it can be compared by: `e` by `eq` and `in`, `g` by `ge` and `le`, `s` by `startsWith`, `n` with
/// null. A small letter by default, a capital in an advanced query only.
pub type Comparable = (&'static str, &'static str);

/// A condition on records.
pub struct Condition(Expr);

struct Check<'c> {
    comparable: &'c [Comparable],
    advanced: bool,
}

impl Condition {
    /// `advanced`: the request is an advanced query.
    pub fn parse(text: &str, comparable: &[Comparable], advanced: bool) -> Result<Self, Problem> {
        let expr = parse::parse(text)
            .map_err(|message| Problem::new(400, "BadRequest", format!("Invalid filter clause: {message}")))?;
        Check { comparable, advanced }.expr(&expr)?;
        Ok(Self(expr))
    }

    pub fn holds(&self, record: &Record) -> bool {
        eval::matches(&self.0, &|name| record.properties.get(name).map_or(Val::Missing, Val::Json))
    }

    pub fn names(&self, property: &str) -> bool {
        names(&self.0, property)
    }
}

impl Check<'_> {
    fn expr(&self, expr: &Expr) -> Result<(), Problem> {
        match expr {
            Expr::Or(parts) | Expr::And(parts) => parts.iter().try_for_each(|part| self.expr(part)),
            Expr::Not(inner) => self.needs_advanced().and_then(|()| self.expr(inner)),
            Expr::Compare(path, op, literal) => self.comparison(path, *op, literal),
            Expr::In(path, values) => values.iter().try_for_each(|value| self.comparison(path, Op::Eq, value)),
            Expr::Call(Function::StartsWith, path, _) => self.can(path, 's'),
            Expr::Any(path, Some((variable, body))) => self.elements(path, variable, body),
            Expr::Call(..) | Expr::Any(_, None) | Expr::All(..) | Expr::Count(..) => Err(unsupported()),
        }
    }

    /// The elements of a list are texts.
    fn elements(&self, path: &Path, variable: &str, body: &Expr) -> Result<(), Problem> {
        let of_element = |inner: &Path| match inner.as_slice() {
            [name] if name == variable => Ok(()),
            _ => Err(unsupported()),
        };
        match body {
            Expr::Or(parts) | Expr::And(parts) => parts.iter().try_for_each(|part| self.elements(path, variable, part)),
            Expr::Compare(inner, op, literal) => of_element(inner).and_then(|()| self.comparison(path, *op, literal)),
            Expr::Call(Function::StartsWith, inner, _) => of_element(inner).and_then(|()| self.can(path, 's')),
            Expr::In(inner, values) => {
                of_element(inner)?;
                values.iter().try_for_each(|value| self.comparison(path, Op::Eq, value))
            }
            _ => Err(unsupported()),
        }
    }

    fn comparison(&self, path: &Path, op: Op, literal: &Literal) -> Result<(), Problem> {
        if *literal == Literal::Null {
            return self.can(path, 'n');
        }
        match op {
            Op::Eq => self.can(path, 'e'),
            Op::Ne => self.needs_advanced().and_then(|()| self.can(path, 'e')),
            Op::Ge | Op::Le => self.can(path, 'g'),
            Op::Gt | Op::Lt => self.needs_advanced().and_then(|()| self.can(path, 'g')),
        }
    }

    fn can(&self, path: &Path, letter: char) -> Result<(), Problem> {
        let name = path.join("/");
        let found = self.comparable.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let Some((_, letters)) = found else {
            let message = format!("Unsupported or invalid query filter clause specified for property '{name}'.");
            return Err(Problem::unsupported_query(message));
        };
        match (letters.contains(letter), letters.contains(letter.to_ascii_uppercase())) {
            (true, _) => Ok(()),
            (false, true) => self.needs_advanced(),
            (false, false) => Err(unsupported()),
        }
    }

    fn needs_advanced(&self) -> Result<(), Problem> {
        if self.advanced { Ok(()) } else { Err(unsupported()) }
    }
}

fn unsupported() -> Problem {
    Problem::unsupported_query("Unsupported Query.")
}
