//! Evaluates a filter without Graph: delta queries accept no `$filter`, so an incremental run evaluates the filter over
//! the stored values.
//!
//! Graph's rules: strings are compared ignoring case; a missing property is null; null equals only null, and no order
//! and no function holds for it; a missing collection is empty
//! (<https://learn.microsoft.com/en-us/graph/filter-query-parameter>).

use crate::filter::expression::{Expression, Function, Literal, Operator};
use crate::filter::odata::parse_date_time;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use uuid::Uuid;

/// Whether the object, as JSON of Graph, fulfils the condition.
pub fn matches(expression: &Expression, object: &Map<String, Value>) -> bool {
    holds(expression, Target::Object(object))
}

/// The value of a property, null if there is none.
pub fn value<'v>(object: &'v Map<String, Value>, path: &str) -> &'v Value {
    Target::Object(object).get(path)
}

/// What a path is relative to.
#[derive(Clone, Copy)]
enum Target<'v> {
    Object(&'v Map<String, Value>),
    Element(&'v Value),
}

impl<'v> Target<'v> {
    fn get(self, path: &str) -> &'v Value {
        const NULL: &Value = &Value::Null;
        let mut parts = path.split('/');
        let start = match self {
            Target::Element(value) if path.is_empty() => return value,
            Target::Element(value) => parts.next().and_then(|part| value.get(part)),
            Target::Object(object) => parts.next().and_then(|part| object.get(part)),
        };
        parts.fold(start.unwrap_or(NULL), |value, part| value.get(part).unwrap_or(NULL))
    }
}

fn holds(expression: &Expression, target: Target<'_>) -> bool {
    match expression {
        Expression::And(parts) => parts.iter().all(|part| holds(part, target)),
        Expression::Or(parts) => parts.iter().any(|part| holds(part, target)),
        Expression::Not(inner) => !holds(inner, target),
        Expression::Compare { path, operator, value } => compare(target.get(path), *operator, value),
        Expression::In { path, values } => {
            let actual = target.get(path);
            values.iter().any(|value| compare(actual, Operator::Eq, value))
        }
        Expression::Function { function, path, value } => match target.get(path) {
            Value::String(actual) => call(*function, actual, value),
            _ => false,
        },
        Expression::Lambda { path, variable: _, body } => {
            elements(target.get(path)).iter().any(|element| holds(body, Target::Element(element)))
        }
        Expression::Count { path, operator, value } => {
            let count = i64::try_from(elements(target.get(path)).len()).unwrap_or(i64::MAX);
            ordered(Some(count.cmp(value)), *operator)
        }
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn compare(actual: &Value, operator: Operator, wanted: &Literal) -> bool {
    match (actual, wanted) {
        (Value::Null, Literal::Null) => operator == Operator::Eq,
        (Value::Null, _) | (_, Literal::Null) => operator == Operator::Ne,
        (actual, wanted) => ordered(order(actual, wanted), operator),
    }
}

/// `None` if the two cannot be compared: then only `ne` holds.
fn order(actual: &Value, wanted: &Literal) -> Option<Ordering> {
    match (actual, wanted) {
        (Value::Bool(actual), Literal::Boolean(wanted)) => Some(actual.cmp(wanted)),
        (Value::Number(actual), Literal::Integer(wanted)) => match actual.as_i64() {
            Some(actual) => Some(actual.cmp(wanted)),
            None => actual.as_f64().and_then(|actual| actual.partial_cmp(&(*wanted as f64))),
        },
        (Value::String(actual), Literal::String(wanted)) => Some(folded(actual).cmp(folded(wanted))),
        (Value::String(actual), Literal::Guid(wanted)) => Uuid::parse_str(actual).ok().map(|actual| actual.cmp(wanted)),
        (Value::String(actual), Literal::DateTime(wanted)) => parse_date_time(actual).map(|actual| actual.cmp(wanted)),
        _ => None,
    }
}

fn ordered(order: Option<Ordering>, operator: Operator) -> bool {
    let Some(order) = order else { return operator == Operator::Ne };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
    }
}

fn call(function: Function, actual: &str, wanted: &str) -> bool {
    match function {
        Function::StartsWith => {
            let mut actual = folded(actual);
            folded(wanted).all(|letter| actual.next() == Some(letter))
        }
        Function::EndsWith => fold(actual).ends_with(&fold(wanted)),
        Function::Contains => fold(actual).contains(&fold(wanted)),
    }
}

/// Folds through the capital letter, since some letters have two small forms (σ and ς). The Turkish dotless ı is a
/// separate letter, as in Unicode's simple case folding.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    let capital = |letter: char| {
        if letter == 'ı' {
            return letter;
        }
        let mut capitals = letter.to_uppercase();
        match (capitals.next(), capitals.next()) {
            (Some(capital), None) => capital,
            _ => letter,
        }
    };
    text.chars().map(capital).flat_map(char::to_lowercase)
}

/// The text as comparisons see it.
pub(crate) fn fold(text: &str) -> String {
    folded(text).collect()
}

#[cfg(test)]
mod tests;
