//! Whether an object matches. Text compares without regard to case; null equals only null; `ne` and `not` are true
//! for what has no value.

use super::expression::{Expr, Function, Literal, Op, Path};
use super::parse::time;
use crate::graph::property::Val;
use serde_json::Value;
use std::cmp::Ordering;

type Lookup<'l, 'v> = dyn Fn(&str) -> Val<'v> + 'l;

pub fn matches(expr: &Expr, lookup: &Lookup<'_, '_>) -> bool {
    match expr {
        Expr::Or(parts) => parts.iter().any(|part| matches(part, lookup)),
        Expr::And(parts) => parts.iter().all(|part| matches(part, lookup)),
        Expr::Not(inner) => !matches(inner, lookup),
        Expr::Compare(path, op, literal) => compares(&value(path, lookup), *op, literal),
        Expr::In(path, values) => {
            let found = value(path, lookup);
            values.iter().any(|literal| compares(&found, Op::Eq, literal))
        }
        Expr::Call(function, path, wanted) => {
            let Some(found) = text(&value(path, lookup)) else { return false };
            let (found, wanted) = (found.to_lowercase(), wanted.to_lowercase());
            match function {
                Function::StartsWith => found.starts_with(&wanted),
                Function::EndsWith => found.ends_with(&wanted),
                Function::Contains => found.contains(&wanted),
            }
        }
        Expr::Any(path, body) => items(value(path, lookup)).into_iter().any(|item| match body {
            Some((variable, body)) => matches(body, &|name| within(variable, &item, name, lookup)),
            None => true,
        }),
        Expr::All(path, variable, body) => items(value(path, lookup))
            .into_iter()
            .all(|item| matches(body, &|name| within(variable, &item, name, lookup))),
        Expr::Count(path, op, number) => {
            let count = items(value(path, lookup)).len() as i64;
            holds(*op, count.cmp(number))
        }
    }
}

/// The variable of a lambda is looked up before the properties around it.
fn within<'v>(variable: &str, item: &Val<'v>, name: &str, outer: &Lookup<'_, 'v>) -> Val<'v> {
    if name == variable { item.clone() } else { outer(name) }
}

fn value<'v>(path: &Path, lookup: &Lookup<'_, 'v>) -> Val<'v> {
    let Some((first, rest)) = path.split_first() else { return Val::Missing };
    rest.iter().fold(lookup(first), |value, name| member(&value, name))
}

fn member<'v>(value: &Val<'v>, name: &str) -> Val<'v> {
    match value {
        Val::Object(members) => {
            let found = members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map_or(Val::Missing, |(_, value)| value.clone())
        }
        Val::Json(Value::Object(members)) => members.get(name).map_or(Val::Missing, Val::Json),
        _ => Val::Missing,
    }
}

fn items(value: Val<'_>) -> Vec<Val<'_>> {
    match value {
        Val::List(items) => items,
        Val::Json(Value::Array(items)) => items.iter().map(Val::Json).collect(),
        _ => Vec::new(),
    }
}

pub fn text(value: &Val<'_>) -> Option<String> {
    match value {
        Val::Str(text) => Some(text.to_string()),
        Val::Guid(id) => Some(id.to_string()),
        Val::Json(Value::String(text)) => Some(text.clone()),
        Val::Time(_) => millis(value).map(|at| format!("{at:020}")),
        Val::Bool(_) | Val::Int(_) | Val::Missing | Val::Null | Val::List(_) | Val::Object(_) | Val::Json(_) => None,
    }
}

fn is_null(value: &Val<'_>) -> bool {
    matches!(value, Val::Missing | Val::Null | Val::Json(Value::Null))
}

fn millis(value: &Val<'_>) -> Option<i64> {
    match value {
        Val::Time(seconds) => Some(seconds * 1000),
        Val::Json(Value::String(text)) => time(text),
        _ => None,
    }
}

fn compares(value: &Val<'_>, op: Op, literal: &Literal) -> bool {
    if matches!(literal, Literal::Null) {
        return match op {
            Op::Eq => is_null(value),
            Op::Ne => !is_null(value),
            Op::Gt | Op::Ge | Op::Lt | Op::Le => false,
        };
    }
    if is_null(value) {
        return op == Op::Ne;
    }
    match ordering(value, literal) {
        Some(ordering) => holds(op, ordering),
        None => op == Op::Ne,
    }
}

fn holds(op: Op, ordering: Ordering) -> bool {
    match op {
        Op::Eq => ordering == Ordering::Equal,
        Op::Ne => ordering != Ordering::Equal,
        Op::Gt => ordering == Ordering::Greater,
        Op::Ge => ordering != Ordering::Less,
        Op::Lt => ordering == Ordering::Less,
        Op::Le => ordering != Ordering::Greater,
    }
}

fn ordering(value: &Val<'_>, literal: &Literal) -> Option<Ordering> {
    match literal {
        Literal::Null => None,
        Literal::Bool(wanted) => match value {
            Val::Bool(found) | Val::Json(Value::Bool(found)) => Some(found.cmp(wanted)),
            _ => None,
        },
        Literal::Int(wanted) => match value {
            Val::Int(found) => Some(found.cmp(wanted)),
            Val::Json(Value::Number(found)) => found.as_i64().map(|found| found.cmp(wanted)),
            _ => None,
        },
        Literal::Str(wanted) => match value {
            // A time in quotes is a time still.
            Val::Time(_) => Some(millis(value)?.cmp(&time(wanted)?)),
            _ => Some(text(value)?.to_lowercase().cmp(&wanted.to_lowercase())),
        },
        Literal::Guid(wanted) => Some(text(value)?.to_lowercase().cmp(&wanted.to_string())),
        Literal::Time(wanted) => Some(millis(value)?.cmp(wanted)),
    }
}
