//! A value in the type of its property.

use super::Check;
use crate::filter::expression::{Literal, Quoted};
use crate::filter::odata::grammar::{Value, Written};
use crate::filter::odata::lexer::parse_date_time;
use crate::filter::property::{Found, Type};
use uuid::Uuid;

impl Check {
    /// The value in the type of the property.
    pub(super) fn literal(&mut self, value: &Value, kind: Type, found: &Found) -> Option<Literal> {
        let (literal, suggestion) = match (&value.written, kind) {
            (Written::Literal(Literal::Null), _) => (None, None),
            (Written::Literal(literal), Type::Any) => (Some(literal.clone()), None),
            (Written::Literal(literal @ Literal::String(_)), Type::String) => (Some(literal.clone()), None),
            (Written::Literal(Literal::Guid(_)), Type::String) => (Some(Literal::String(value.source.clone())), None),
            (Written::Bare(word), Type::String | Type::Any) => (None, Some(Quoted(word).to_string())),
            (Written::Literal(_), Type::String) => (None, Some(Quoted(&value.source).to_string())),
            (Written::Literal(literal @ Literal::Boolean(_)), Type::Boolean) => (Some(literal.clone()), None),
            (Written::Literal(Literal::String(text)), Type::Boolean) => {
                let word = text.to_ascii_lowercase();
                (None, ["true", "false"].contains(&word.as_str()).then_some(word))
            }
            (Written::Literal(Literal::Guid(id)), Type::Guid) => (Some(Literal::Guid(*id)), None),
            (Written::Literal(Literal::String(text)), Type::Guid) => {
                (Uuid::parse_str(text).ok().map(Literal::Guid), None)
            }
            (Written::Literal(literal @ Literal::DateTime(_)), Type::DateTime) => (Some(literal.clone()), None),
            (Written::Literal(Literal::String(text)), Type::DateTime) => {
                (parse_date_time(text).map(Literal::DateTime), None)
            }
            (Written::Literal(literal @ Literal::Integer(_)), Type::Integer) => (Some(literal.clone()), None),
            (Written::Bare(_) | Written::Literal(_), Type::Boolean | Type::Guid | Type::DateTime | Type::Integer) => {
                (None, None)
            }
        };
        if literal.is_none() {
            let what = if found.name.is_empty() { "The element".to_owned() } else { format!("`{}`", found.name) };
            let message = format!("{what} needs {}, not {}.", kind.describe(), written(value, kind));
            let problem = self.problem(&value.span, &value.source, message);
            problem.expected = vec![kind.describe().to_owned()];
            problem.suggestion = suggestion;
        }
        literal
    }
}

/// A value as it was written, with its type where the text alone would not show the difference.
fn written(value: &Value, wanted: Type) -> String {
    match (&value.written, wanted) {
        (Written::Literal(Literal::String(text)), Type::Boolean) => {
            let is_boolean = ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word));
            format!("the text \"{text}\"{}", if is_boolean { ": remove the quotes" } else { "" })
        }
        _ => format!("`{}`", value.source),
    }
}
