//! A filter as a value, and its text.

use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt::{self, Write};
use uuid::Uuid;

/// A condition over one object.
///
/// `path` is a property as Graph spells it. Inside a [`Expression::Lambda`] it is relative to the element;
/// empty means the element itself. `And` and `Or` have at least two parts, none of the same kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Compare {
        path: String,
        operator: Operator,
        value: Literal,
    },
    In {
        path: String,
        values: Vec<Literal>,
    },
    Function {
        function: Function,
        path: String,
        value: String,
    },
    /// `path/any(variable:body)`; Graph does not support `all`.
    Lambda {
        path: String,
        variable: String,
        body: Box<Expression>,
    },
    /// `path/$count eq 0`: how many a collection has.
    Count {
        path: String,
        operator: Operator,
        value: i64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    pub const ALL: [Operator; 6] = [Operator::Eq, Operator::Ne, Operator::Gt, Operator::Ge, Operator::Lt, Operator::Le];

    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Eq => "eq",
            Operator::Ne => "ne",
            Operator::Gt => "gt",
            Operator::Ge => "ge",
            Operator::Lt => "lt",
            Operator::Le => "le",
        }
    }

    /// Whatever its case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str().eq_ignore_ascii_case(text))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Function {
    StartsWith,
    EndsWith,
    Contains,
}

impl Function {
    pub const ALL: [Function; 3] = [Function::StartsWith, Function::EndsWith, Function::Contains];

    /// In lower case, as OData spells it; Graph takes any case.
    pub fn as_str(self) -> &'static str {
        match self {
            Function::StartsWith => "startswith",
            Function::EndsWith => "endswith",
            Function::Contains => "contains",
        }
    }

    /// Whatever its case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.as_str().eq_ignore_ascii_case(text))
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    Null,
    Boolean(bool),
    Integer(i64),
    String(String),
    Guid(Uuid),
    DateTime(DateTime<Utc>),
}

impl Expression {
    /// Every one of them; nested conjunctions become one. `parts` must not be empty.
    pub fn and(parts: Vec<Expression>) -> Expression {
        flatten(parts, Expression::And, |part| match part {
            Expression::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// At least one of them; nested disjunctions become one. `parts` must not be empty.
    pub fn or(parts: Vec<Expression>) -> Expression {
        flatten(parts, Expression::Or, |part| match part {
            Expression::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Calls `see` with every path on the level of the object: what the filter reads.
    pub fn visit_paths<'e>(&'e self, see: &mut impl FnMut(&'e str)) {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(|part| part.visit_paths(see)),
            Expression::Not(inner) => inner.visit_paths(see),
            Expression::Compare { path, .. }
            | Expression::In { path, .. }
            | Expression::Function { path, .. }
            | Expression::Lambda { path, .. }
            | Expression::Count { path, .. } => see(path),
        }
    }

    /// Calls `see` with every condition that compares a property with a text: the path and the text.
    pub fn visit_texts<'e>(&'e self, see: &mut impl FnMut(&'e str, &'e str)) {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().for_each(|part| part.visit_texts(see)),
            Expression::Not(inner) => inner.visit_texts(see),
            Expression::Lambda { body, .. } => body.visit_texts(see),
            Expression::Compare { path, value: Literal::String(text), .. }
            | Expression::Function { path, value: text, .. } => see(path, text),
            Expression::In { path, values } => {
                for value in values {
                    if let Literal::String(text) = value {
                        see(path, text);
                    }
                }
            }
            Expression::Compare { .. } | Expression::Count { .. } => {}
        }
    }

    /// How many conditions it has; a list counts each of its values.
    pub fn clauses(&self) -> usize {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().map(Expression::clauses).sum(),
            Expression::Not(inner) => inner.clauses(),
            Expression::In { values, .. } => values.len(),
            Expression::Lambda { body, .. } => body.clauses(),
            Expression::Compare { .. } | Expression::Function { .. } | Expression::Count { .. } => 1,
        }
    }

    fn print(&self, out: &mut impl Write, variable: Option<&str>) -> fmt::Result {
        match self {
            Expression::And(parts) => {
                print_joined(out, parts, " and ", variable, |part| matches!(part, Expression::Or(_)))
            }
            Expression::Or(parts) => print_joined(out, parts, " or ", variable, |_| false),
            Expression::Not(inner) => {
                out.write_str("not (")?;
                inner.print(out, variable)?;
                out.write_char(')')
            }
            Expression::Compare { path, operator, value } => {
                print_path(out, path, variable)?;
                write!(out, " {} {value}", operator.as_str())
            }
            Expression::In { path, values } => {
                print_path(out, path, variable)?;
                out.write_str(" in (")?;
                for (index, value) in values.iter().enumerate() {
                    write!(out, "{}{value}", if index == 0 { "" } else { "," })?;
                }
                out.write_char(')')
            }
            Expression::Function { function, path, value } => {
                write!(out, "{}(", function.as_str())?;
                print_path(out, path, variable)?;
                write!(out, ",{})", Quoted(value))
            }
            Expression::Lambda { path, variable, body } => {
                write!(out, "{path}/any({variable}:")?;
                body.print(out, Some(variable))?;
                out.write_char(')')
            }
            Expression::Count { path, operator, value } => write!(out, "{path}/$count {} {value}", operator.as_str()),
        }
    }
}

fn flatten(
    parts: Vec<Expression>,
    join: impl Fn(Vec<Expression>) -> Expression,
    open: impl Fn(Expression) -> Result<Vec<Expression>, Expression>,
) -> Expression {
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match open(part) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    match flat.len() {
        1 => flat.remove(0),
        _ => join(flat),
    }
}

fn print_joined(
    out: &mut impl Write,
    parts: &[Expression],
    joint: &str,
    variable: Option<&str>,
    needs_parentheses: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.write_str(joint)?;
        }
        if needs_parentheses(part) {
            out.write_char('(')?;
            part.print(out, variable)?;
            out.write_char(')')?;
        } else {
            part.print(out, variable)?;
        }
    }
    Ok(())
}

fn print_path(out: &mut impl Write, path: &str, variable: Option<&str>) -> fmt::Result {
    match variable {
        None => out.write_str(path),
        Some(variable) if path.is_empty() => out.write_str(variable),
        Some(variable) => write!(out, "{variable}/{path}"),
    }
}

/// The normalised OData text, not percent-encoded.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, None)
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Boolean(value) => value.fmt(f),
            Literal::Integer(value) => value.fmt(f),
            Literal::String(value) => Quoted(value).fmt(f),
            Literal::Guid(value) => value.fmt(f),
            Literal::DateTime(value) => f.write_str(&value.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

/// A text in single quotes; quotes within are doubled.
pub(crate) struct Quoted<'t>(pub &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for (index, part) in self.0.split('\'').enumerate() {
            if index > 0 {
                f.write_str("''")?;
            }
            f.write_str(part)?;
        }
        f.write_char('\'')
    }
}
