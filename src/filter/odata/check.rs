//! Checks the tree against what Graph supports and turns it into an expression: names, types, operators, and whether
//! Graph needs an advanced query. All problems are collected.

mod collection;
mod value;

use super::grammar::{Name, Span, Syntax, Value, Written};
use crate::filter::expression::{Expression, Function, Literal, Operator, Quoted};
use crate::filter::property::{self, EntityKind, Found, Level, NotFound, Property, SIGN_IN_ACTIVITY, Shape, Type};

/// The most values that Graph accepts in one `in` (docs/graph.md, «Filters»).
pub(crate) const MAX_IN: usize = 15;
/// The longest text that `eq` compares without an advanced query (docs/graph.md, «Filters»).
const MAX_DEFAULT_EQ: usize = 120;

/// One problem. `span` is a place in a text or a node of a tree.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Problem {
    pub span: Span,
    pub found: String,
    pub expected: Vec<String>,
    pub suggestion: Option<String>,
    pub message: String,
}

pub(crate) struct Check {
    kind: EntityKind,
    pub advanced: bool,
    pub problems: Vec<Problem>,
    /// The properties of the object that were found, and where.
    found: Vec<(String, Span)>,
}

/// What surrounds a condition.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The collection and the variable of the lambda around it.
    element: Option<(&'p Found, &'p str)>,
    /// Whether a long list can be split into several requests here: alone, or within an `and`.
    can_split: bool,
    is_within_or: bool,
}

impl Check {
    pub fn new(kind: EntityKind) -> Self {
        Self { kind, advanced: false, problems: Vec::new(), found: Vec::new() }
    }

    /// The expression, or `None` if there are problems.
    pub fn run(&mut self, syntax: &Syntax) -> Option<Expression> {
        let expression = self.expression(syntax, Place { element: None, can_split: true, is_within_or: false });
        self.check_sign_ins_are_alone();
        if self.problems.is_empty() { expression } else { None }
    }

    fn expression(&mut self, syntax: &Syntax, place: Place<'_>) -> Option<Expression> {
        match syntax {
            Syntax::All(parts) => self.parts(parts, place).map(Expression::and),
            Syntax::Any(parts) => {
                let inside = Place { can_split: false, is_within_or: true, ..place };
                self.parts(parts, inside).map(Expression::or)
            }
            Syntax::Not(inner) => {
                self.advanced = true;
                let inner = self.expression(inner, Place { can_split: false, ..place })?;
                Some(Expression::Not(Box::new(inner)))
            }
            Syntax::Compare { name, operator, operator_span, value } => {
                self.compare(name, *operator, operator_span, value, place)
            }
            Syntax::In { name, values, span } => self.list(name, values, span, place),
            Syntax::Call { function, name, value, negated } => self.call(function, name, value, *negated, place),
            Syntax::Lambda { name, quantifier, variable, body } => {
                self.lambda(name, *quantifier, variable, body, place)
            }
        }
    }

    /// Checks all parts, so that the problems of each are listed.
    fn parts(&mut self, parts: &[Syntax], place: Place<'_>) -> Option<Vec<Expression>> {
        let checked: Vec<_> = parts.iter().map(|part| self.expression(part, place)).collect();
        checked.into_iter().collect()
    }

    /// Graph refuses conditions on sign-ins together with conditions on other properties.
    fn check_sign_ins_are_alone(&mut self) {
        let is_sign_in = |(name, _): &&(String, Span)| name.split('/').next() == Some(SIGN_IN_ACTIVITY);
        let Some((other, span)) = self.found.iter().find(|found| !is_sign_in(found)).cloned() else { return };
        if self.found.iter().any(|found| is_sign_in(&found)) {
            let message = format!(
                "Graph does not combine conditions on `{SIGN_IN_ACTIVITY}` with conditions on other properties such as \
                 `{other}`. Keep one of them."
            );
            self.problem(&span, &other, message);
        }
    }

    fn problem(&mut self, span: &Span, found: &str, message: String) -> &mut Problem {
        let problem =
            Problem { span: span.clone(), found: found.to_owned(), expected: Vec::new(), suggestion: None, message };
        let index = self.problems.len();
        self.problems.push(problem);
        &mut self.problems[index]
    }

    /// The property that a name means here; its path is relative to the element inside a lambda.
    fn resolve(&mut self, name: &Name, place: Place<'_>) -> Option<Found> {
        let Some((collection, variable)) = place.element else {
            return self.of_object(name, property::find);
        };
        let (head, tail) = name.text.split_once('/').unwrap_or((&name.text, ""));
        if head != variable {
            let message = format!("Inside `any` and `all`, a condition must use the variable `{variable}`.");
            self.problem(&name.span, &name.text, message).expected = vec![variable.to_owned()];
            return None;
        }
        match (collection.property.shape, tail) {
            (Shape::Values(_), "") => Some(Found { name: String::new(), property: collection.property }),
            (Shape::Values(_), _) => {
                let message = format!("The elements of `{}` are plain values without properties.", collection.name);
                self.problem(&name.span, &name.text, message).suggestion = Some(variable.to_owned());
                None
            }
            (_, "") => {
                let names = element_names(collection.property);
                let message = format!("The elements of `{}` are objects; add the name of a property.", collection.name);
                let problem = self.problem(&name.span, &name.text, message);
                problem.suggestion = names.first().map(|first| format!("{variable}/{first}"));
                problem.expected = names.into_iter().map(|known| format!("{variable}/{known}")).collect();
                None
            }
            (_, tail) => {
                let found = property::find_in(collection.property, tail);
                let found = found.map_err(|error| match error {
                    NotFound::Unknown { suggestion } => {
                        NotFound::Unknown { suggestion: suggestion.map(|near| format!("{variable}/{near}")) }
                    }
                    other => other,
                });
                self.known(name, tail, found)
            }
        }
    }

    /// A property of the object itself.
    fn of_object(&mut self, name: &Name, find: fn(EntityKind, &str) -> Result<Found, NotFound>) -> Option<Found> {
        let found = self.known(name, &name.text, find(self.kind, &name.text))?;
        self.found.push((found.name.clone(), name.span.clone()));
        Some(found)
    }

    fn known(&mut self, name: &Name, wanted: &str, found: Result<Found, NotFound>) -> Option<Found> {
        let kind = self.kind.as_str();
        match found {
            Ok(found) => Some(found),
            Err(NotFound::Unfilterable(why)) => {
                self.problem(&name.span, &name.text, format!("Graph cannot filter {kind} by `{wanted}`: {why}."));
                None
            }
            Err(NotFound::Unknown { suggestion }) => {
                let hint = suggestion.as_ref().map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
                let message = format!("Graph cannot filter {kind} by `{wanted}`: it is not a known property.{hint}");
                let problem = self.problem(&name.span, &name.text, message);
                problem.expected = vec!["a property".to_owned()];
                problem.suggestion = suggestion;
                None
            }
        }
    }

    fn compare(
        &mut self,
        name: &Name,
        operator: Operator,
        operator_span: &Span,
        value: &Value,
        place: Place<'_>,
    ) -> Option<Expression> {
        if let (Some(collection), None) = (name.text.strip_suffix("/$count"), place.element) {
            let collection = Name { text: collection.to_owned(), span: name.span.clone() };
            return self.count(&collection, operator, operator_span, value);
        }
        let found = self.resolve(name, place)?;
        let kind = self.single(&found, name, place)?;
        let level = match operator {
            _ if value.written == Written::Literal(Literal::Null) => {
                return self.compare_null(found, operator, operator_span, place);
            }
            Operator::Eq => found.property.equal,
            Operator::Ne => found.property.equal.max(Level::Advanced),
            Operator::Ge | Operator::Le => found.property.range,
            Operator::Gt | Operator::Lt => found.property.range.max(Level::Advanced),
        };
        let literal = self.literal(value, kind, &found);
        self.allow(level, &found, operator.as_str(), operator_span)?;
        let literal = literal?;
        if matches!(&literal, Literal::String(text) if text.chars().count() > MAX_DEFAULT_EQ) {
            self.advanced = true;
        }
        Some(Expression::Compare { path: found.name, operator, value: literal })
    }

    fn compare_null(&mut self, found: Found, operator: Operator, span: &Span, place: Place<'_>) -> Option<Expression> {
        if !matches!(operator, Operator::Eq | Operator::Ne) {
            let message = "`null` can be compared only with `eq` and `ne`.".to_owned();
            let problem = self.problem(span, operator.as_str(), message);
            problem.expected = vec!["eq".to_owned(), "ne".to_owned()];
            return None;
        }
        let null =
            if operator == Operator::Ne { found.property.null.max(Level::Advanced) } else { found.property.null };
        if null == Level::No {
            let what = display_name(&found, place);
            self.problem(span, operator.as_str(), format!("Graph cannot compare `{what}` with null."));
            return None;
        }
        self.advanced |= null == Level::Advanced;
        Some(Expression::Compare { path: found.name, operator, value: Literal::Null })
    }

    /// Notes whether the query must be advanced; rejects what Graph rejects.
    fn allow(&mut self, level: Level, found: &Found, operator: &str, span: &Span) -> Option<()> {
        match level {
            Level::Default => Some(()),
            Level::Advanced if self.kind.has_advanced_queries() => {
                self.advanced = true;
                Some(())
            }
            Level::Advanced | Level::No => {
                let what = if found.name.is_empty() { found.property.name } else { &found.name };
                let expected = operators(self.kind, found.property);
                let message = format!("Graph does not support `{operator}` on `{what}`.");
                self.problem(span, operator, message).expected = expected;
                None
            }
        }
    }

    /// The type of a property that has one value; a collection needs `any`.
    fn single(&mut self, found: &Found, name: &Name, place: Place<'_>) -> Option<Type> {
        match found.property.shape {
            Shape::Single(kind) => Some(kind),
            Shape::Values(kind) if place.element.is_some() => Some(kind),
            Shape::Values(_) | Shape::Objects(_) => {
                let element =
                    element_names(found.property).first().map(|first| format!("/{first}")).unwrap_or_default();
                let suggestion = format!("{0}/any(x:x{element} eq …)", found.name);
                let message = format!("`{}` is a collection; use `any` to test its elements.", found.name);
                self.problem(&name.span, &name.text, message).suggestion = Some(suggestion);
                None
            }
            Shape::Relation => {
                let message =
                    format!("`{}` is a relationship; Graph can filter only by the number of its objects.", found.name);
                self.problem(&name.span, &name.text, message).suggestion = Some(format!("{}/$count eq 0", found.name));
                None
            }
        }
    }

    fn list(&mut self, name: &Name, values: &[Value], span: &Span, place: Place<'_>) -> Option<Expression> {
        let found = self.resolve(name, place)?;
        let kind = self.single(&found, name, place)?;
        self.allow(found.property.equal, &found, "in", span)?;
        let checked: Vec<_> = values.iter().map(|value| self.list_value(value, kind, &found)).collect();
        let mut literals: Vec<Literal> = Vec::with_capacity(checked.len());
        let mut seen = std::collections::HashSet::new();
        for literal in checked.into_iter().collect::<Option<Vec<_>>>()? {
            if seen.insert(literal.to_string()) {
                literals.push(literal);
            }
        }
        if literals.len() > MAX_IN && !place.can_split {
            let message = format!(
                "Graph accepts at most {MAX_IN} values in `in`; this list has {}. A longer list is split into several \
                 requests if it is alone or within an `and`, but not under `or`, `not`, `any` or `all`. Shorten the \
                 list, or rewrite the filter so that the list is within an `and`.",
                literals.len()
            );
            self.problem(span, "in", message);
            return None;
        }
        Some(Expression::In { path: found.name, values: literals })
    }

    /// Null in a list is `eq null` in a shorter form.
    fn list_value(&mut self, value: &Value, kind: Type, found: &Found) -> Option<Literal> {
        if value.written != Written::Literal(Literal::Null) {
            return self.literal(value, kind, found);
        }
        if found.property.null == Level::No {
            let what = if found.name.is_empty() { found.property.name } else { &found.name };
            let message = format!("Graph cannot compare `{what}` with null, so `null` is not allowed in this list.");
            self.problem(&value.span, &value.source, message).expected = vec![kind.describe().to_owned()];
            return None;
        }
        self.advanced |= found.property.null == Level::Advanced;
        Some(Literal::Null)
    }

    fn call(
        &mut self,
        function: &Name,
        name: &Name,
        value: &Value,
        negated: bool,
        place: Place<'_>,
    ) -> Option<Expression> {
        let Some(known) = Function::parse(&function.text) else {
            let names = Function::ALL.iter().map(|function| function.as_str());
            let suggestion = property::nearest(&function.text, names);
            let message = format!("`{}` is not a function that Graph supports in filters.", function.text);
            let problem = self.problem(&function.span, &function.text, message);
            problem.expected = vec!["startswith".to_owned(), "endswith".to_owned()];
            problem.suggestion = suggestion;
            return None;
        };
        let found = self.resolve(name, place)?;
        let kind = self.single(&found, name, place)?;
        let text = match self.literal(value, if kind == Type::Any { Type::String } else { kind }, &found)? {
            Literal::String(text) => Some(text),
            Literal::Null | Literal::Boolean(_) | Literal::Integer(_) | Literal::Guid(_) | Literal::DateTime(_) => None,
        };
        let level = match known {
            Function::StartsWith => found.property.starts_with,
            Function::EndsWith if found.property.ends_with => Level::Advanced,
            Function::EndsWith | Function::Contains => Level::No,
        };
        if known == Function::Contains {
            let what = display_name(&found, place);
            let can_start = found.property.starts_with != Level::No;
            let instead = if can_start { format!("; use startswith({what}, …) instead") } else { String::new() };
            let message = format!("Graph does not support `contains` on users, groups and devices{instead}.");
            let suggestion = text.map(|text| format!("startswith({what},{})", Quoted(&text)));
            self.problem(&function.span, &function.text, message).suggestion = suggestion.filter(|_| can_start);
            return None;
        }
        self.allow(level, &found, &function.text, &function.span)?;
        let call = Expression::Function { function: known, path: found.name, value: text? };
        self.advanced |= negated;
        Some(if negated { Expression::Not(Box::new(call)) } else { call })
    }
}

fn display_name(found: &Found, place: Place<'_>) -> String {
    match place.element {
        Some((_, variable)) if found.name.is_empty() => variable.to_owned(),
        Some((_, variable)) => format!("{variable}/{}", found.name),
        None => found.name.clone(),
    }
}

fn element_names(property: &Property) -> Vec<&'static str> {
    match property.shape {
        Shape::Objects(properties) => properties.iter().map(|property| property.name).collect(),
        Shape::Single(_) | Shape::Values(_) | Shape::Relation => Vec::new(),
    }
}

/// The operators that Graph supports on a property.
fn operators(kind: EntityKind, property: &Property) -> Vec<String> {
    let mut names = Vec::new();
    if property.equal != Level::No && kind.has_advanced_queries() {
        names.extend(["eq", "ne", "in"]);
    } else if property.equal != Level::No {
        names.extend(["eq", "in"]);
    }
    if property.range != Level::No {
        names.extend(["gt", "ge", "lt", "le"]);
    }
    if property.starts_with != Level::No {
        names.push("startswith");
    }
    if property.ends_with {
        names.push("endswith");
    }
    names.into_iter().map(str::to_owned).collect()
}
