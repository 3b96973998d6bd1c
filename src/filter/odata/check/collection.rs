//! Conditions on collections: `any` over their elements, and `$count`.

use super::{Check, Place};
use crate::filter::expression::{Expression, Literal, Operator};
use crate::filter::odata::grammar::{Name, Quantifier, Span, Syntax, Value, Written};
use crate::filter::property::{self, Found, Level, Shape};

/// Within an `or` Graph filters by it only in an advanced query (docs/graph.md, «Filters»).
const ADVANCED_WITHIN_OR: &str = "assignedLicenses";

impl Check {
    /// The documentation allows only `eq` and `ne` with 0 and, of some collections, with 1.
    pub(super) fn count(
        &mut self,
        name: &Name,
        operator: Operator,
        operator_span: &Span,
        value: &Value,
    ) -> Option<Expression> {
        let found = self.of_object(name, property::find_collection)?;
        if !found.property.is_collection() {
            let message = format!("`{}` is not a collection; `$count` works only with collections.", found.name);
            self.problem(&name.span, &format!("{}/$count", name.text), message);
            return None;
        }
        let countable: Vec<i64> =
            [0, 1].into_iter().filter(|number| level_of_count(&found, *number) != Level::No).collect();
        if countable.is_empty() {
            let message = format!("Graph does not support `$count` on `{}`.", found.name);
            self.problem(&name.span, &format!("{}/$count", name.text), message);
            return None;
        }
        let number = match &value.written {
            Written::Literal(Literal::Integer(number)) if countable.contains(number) => *number,
            _ => {
                let numbers: Vec<String> = countable.iter().map(i64::to_string).collect();
                let message = format!("Graph can compare `{}/$count` only with {}.", found.name, numbers.join(" and "));
                self.problem(&value.span, &value.source, message).expected = numbers;
                return None;
            }
        };
        if !matches!(operator, Operator::Eq | Operator::Ne) {
            let message = "Graph can compare `$count` only with `eq` and `ne`.".to_owned();
            let problem = self.problem(operator_span, operator.as_str(), message);
            problem.expected = vec!["eq".to_owned(), "ne".to_owned()];
            problem.suggestion = (operator == Operator::Gt && number == 0).then(|| "ne".to_owned());
            return None;
        }
        self.advanced = true;
        Some(Expression::Count { path: found.name, operator, value: number })
    }

    pub(super) fn lambda(
        &mut self,
        name: &Name,
        quantifier: Quantifier,
        variable: &Name,
        body: &Syntax,
        place: Place<'_>,
    ) -> Option<Expression> {
        if place.element.is_some() {
            let message = "Graph does not support nested `any` and `all`.".to_owned();
            self.problem(&name.span, &name.text, message);
            return None;
        }
        let found = self.of_object(name, property::find_collection)?;
        if !matches!(found.property.shape, Shape::Values(_) | Shape::Objects(_)) {
            let quantifier = quantifier.as_str();
            let message =
                format!("`{}` is not a collection; compare it directly instead of with `{quantifier}`.", found.name);
            let suggestion = match found.property.shape {
                Shape::Relation => Some(format!("{}/$count eq 0", found.name)),
                Shape::Single(_) | Shape::Values(_) | Shape::Objects(_) => Some(format!("{} eq …", found.name)),
            };
            self.problem(&name.span, &name.text, message).suggestion = suggestion;
            return None;
        }
        if quantifier == Quantifier::All {
            let message = format!(
                "Graph does not support `all`. Use `any`: «all are so» is `not {}/any(…)` with the opposite condition.",
                found.name
            );
            self.problem(&name.span, &name.text, message).expected = vec!["any".to_owned()];
            return None;
        }
        self.advanced |= place.is_within_or && found.name == ADVANCED_WITHIN_OR;
        let inside = Place { element: Some((&found, &variable.text)), can_split: false, is_within_or: false };
        let body = Box::new(self.expression(body, inside)?);
        Some(Expression::Lambda { path: found.name, variable: variable.text.clone(), body })
    }
}

fn level_of_count(found: &Found, number: i64) -> Level {
    match number {
        0 => found.property.count[0],
        1 => found.property.count[1],
        _ => Level::No,
    }
}
