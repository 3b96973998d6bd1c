//! A condition as a JSON tree, for frontends with forms.
//!
//! ```json
//! {"all": [
//!   {"property": "department", "operator": "eq", "value": "Engineering"},
//!   {"not": {"property": "userType", "operator": "eq", "value": "Guest"}},
//!   {"any": [{"property": "country", "operator": "in", "value": ["DE", "FR"]},
//!            {"property": "mail", "operator": "endsWith", "value": "@contoso.com"}]},
//!   {"property": "assignedLicenses", "any": {"property": "skuId", "operator": "eq", "value": "05e9a617-…"}},
//!   {"property": "proxyAddresses", "any": {"operator": "startsWith", "value": "smtp:"}},
//!   {"property": "assignedLicenses/$count", "operator": "ne", "value": 0}]}
//! ```

use crate::error::{Faults, pointer_part};
use crate::filter::expression::{Expression, Function, Literal, Operator};
use crate::filter::odata::check::{Check, Problem};
use crate::filter::odata::grammar::{Name, Quantifier, Span, Syntax, Value as Written, Written as Content};
use crate::filter::odata::{MAX_LENGTH, MAX_NESTING, Parsed};
use crate::filter::property::{self, EntityKind};
use serde_json::{Map, Value};

mod nodes;

pub use nodes::{All, Any, Condition, ConditionOperator, ElementsAll, ElementsAny, Not, Where};

/// Parses a tree. Adds all faults to `faults`; their pointers start with `pointer`.
pub fn parse(kind: EntityKind, tree: &Value, pointer: &str, faults: &mut Faults) -> Option<Parsed> {
    let mut reader = Reader { faults, pointers: Vec::new(), is_valid: true };
    let syntax = reader.node(tree, pointer.to_owned(), 0, false)?;
    let Reader { pointers, is_valid, .. } = reader;
    let mut check = Check::new(kind);
    let expression = check.run(&syntax);
    for problem in check.problems {
        let at = pointers.get(problem.span.start).map_or(pointer, String::as_str);
        faults.push(at, "invalid_filter", with_suggestion(problem));
    }
    let parsed = Parsed::new(kind, expression.filter(|_| is_valid)?, check.advanced);
    match parsed {
        Ok(parsed) if parsed.text().len() <= MAX_LENGTH => Some(parsed),
        Ok(parsed) => {
            let length = parsed.text().len();
            let detail =
                format!("As a filter text, the conditions have {length} bytes; at most {MAX_LENGTH} are allowed.");
            faults.push(pointer, "invalid_filter", detail);
            None
        }
        Err(detail) => {
            faults.push(pointer, "invalid_filter", detail);
            None
        }
    }
}

fn with_suggestion(problem: Problem) -> String {
    match problem.suggestion {
        Some(suggestion) if !problem.message.contains(&suggestion) => {
            format!("{} Did you mean `{suggestion}`?", problem.message)
        }
        _ => problem.message,
    }
}

struct Reader<'f> {
    faults: &'f mut Faults,
    /// The pointer of each place; a span of the tree is an index of this list.
    pointers: Vec<String>,
    is_valid: bool,
}

/// The variable of each `any` and `all` that a tree turns into.
const VARIABLE: &str = "x";

impl Reader<'_> {
    fn fault(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.is_valid = false;
        self.faults.push(pointer, code, detail);
    }

    fn span(&mut self, pointer: String) -> Span {
        self.pointers.push(pointer);
        self.pointers.len() - 1..self.pointers.len()
    }

    fn node(&mut self, tree: &Value, pointer: String, depth: usize, is_element: bool) -> Option<Syntax> {
        if depth > MAX_NESTING {
            self.fault(
                pointer,
                "invalid_filter",
                format!("Conditions may be nested at most {MAX_NESTING} levels deep."),
            );
            return None;
        }
        let Value::Object(node) = tree else {
            self.fault(
                pointer,
                "invalid_type",
                "A condition must be an object with `property`, `operator` and `value`, or with `all`, `any` or `not`.",
            );
            return None;
        };
        let is_group = !node.contains_key("property") && !node.contains_key("operator");
        if is_group && let Some((written, meant)) = other_name_of_a_group(node) {
            let at = format!("{pointer}/{}", pointer_part(written));
            self.fault(at, "unknown_field", format!("`{written}` is not a field here; write `{meant}`."));
            return None;
        }
        let only = |key: &str| is_group && node.contains_key(key);
        if only("all") {
            self.allow(node, &["all"], &pointer);
            self.group(&node["all"], format!("{pointer}/all"), depth, is_element, Syntax::All)
        } else if only("any") {
            self.allow(node, &["any"], &pointer);
            self.group(&node["any"], format!("{pointer}/any"), depth, is_element, Syntax::Any)
        } else if only("not") {
            self.allow(node, &["not"], &pointer);
            let inner = self.node(&node["not"], format!("{pointer}/not"), depth + 1, is_element)?;
            Some(Syntax::Not(Box::new(inner)))
        } else if node.contains_key("any") || node.contains_key("all") {
            self.elements(node, &pointer, depth)
        } else {
            self.condition(node, &pointer, is_element)
        }
    }

    fn allow(&mut self, node: &Map<String, Value>, known: &[&str], pointer: &str) {
        for key in node.keys().filter(|key| !known.contains(&key.as_str())) {
            let at = format!("{pointer}/{}", pointer_part(key));
            self.fault(
                at,
                "unknown_field",
                format!("This field is not allowed here; allowed are {}.", known.join(", ")),
            );
        }
    }

    fn group(
        &mut self,
        list: &Value,
        pointer: String,
        depth: usize,
        is_element: bool,
        join: fn(Vec<Syntax>) -> Syntax,
    ) -> Option<Syntax> {
        let Value::Array(list) = list else {
            self.fault(pointer, "invalid_type", "must be a list of conditions");
            return None;
        };
        if list.is_empty() {
            self.fault(pointer, "required", "needs at least one condition; omit it to import everything");
            return None;
        }
        let mut parts = Vec::with_capacity(list.len());
        for (index, part) in list.iter().enumerate() {
            parts.push(self.node(part, format!("{pointer}/{index}"), depth + 1, is_element));
        }
        // Valid parts are checked further, so that one response lists all faults.
        let mut parts: Vec<Syntax> = parts.into_iter().flatten().collect();
        match parts.len() {
            0 => None,
            1 => Some(parts.remove(0)),
            _ => Some(join(parts)),
        }
    }

    fn elements(&mut self, node: &Map<String, Value>, pointer: &str, depth: usize) -> Option<Syntax> {
        self.allow(node, &["property", "any", "all"], pointer);
        let (key, quantifier, body) = match (node.get("any"), node.get("all")) {
            (Some(body), None) => ("any", Quantifier::Any, body),
            (None, Some(body)) => ("all", Quantifier::All, body),
            _ => {
                self.fault(pointer, "conflict", "Give `any` or `all`, not both.");
                return None;
            }
        };
        let name = self.property(node, pointer);
        let body = self.node(body, format!("{pointer}/{key}"), depth + 1, true);
        let variable = Name { text: VARIABLE.to_owned(), span: self.span(format!("{pointer}/{key}")) };
        Some(Syntax::Lambda { name: name?, quantifier, variable, body: Box::new(body?) })
    }

    fn property(&mut self, node: &Map<String, Value>, pointer: &str) -> Option<Name> {
        let at = format!("{pointer}/property");
        match node.get("property") {
            Some(Value::String(text)) => Some(Name { text: text.clone(), span: self.span(at) }),
            Some(_) => {
                self.fault(at, "invalid_type", "must be the name of a property");
                None
            }
            None => {
                self.fault(at, "required", "`property` is required: the name of a property");
                None
            }
        }
    }

    fn condition(&mut self, node: &Map<String, Value>, pointer: &str, is_element: bool) -> Option<Syntax> {
        self.allow(node, &["property", "operator", "value"], pointer);
        // Some clients write null for what they leave out.
        let name = match (node.get("property"), is_element) {
            (None | Some(Value::Null), true) => {
                Some(Name { text: VARIABLE.to_owned(), span: self.span(format!("{pointer}/property")) })
            }
            (_, true) => self
                .property(node, pointer)
                .map(|name| Name { text: format!("{VARIABLE}/{}", name.text), span: name.span }),
            (_, false) => self.property(node, pointer),
        };
        let operator = self.operator(node, pointer);
        let at = format!("{pointer}/value");
        let Some(value) = node.get("value") else {
            self.fault(at, "required", "`value` is required; for an empty value, use null");
            return None;
        };
        let operator_span = self.span(format!("{pointer}/operator"));
        let operator = operator?;
        if operator == ConditionOperator::In {
            let values = self.list(value, &at);
            let span = self.span(at);
            return Some(Syntax::In { name: name?, values: values?, span });
        }
        let value = self.value(value, at);
        let (name, value) = (name?, value?);
        let call = |function: Function| Name { text: function.as_str().to_owned(), span: operator_span.clone() };
        let compare = |operator| (operator, operator_span.clone());
        let (operator, operator_span) = match operator {
            ConditionOperator::StartsWith => {
                return Some(Syntax::Call { function: call(Function::StartsWith), name, value, negated: false });
            }
            ConditionOperator::EndsWith => {
                return Some(Syntax::Call { function: call(Function::EndsWith), name, value, negated: false });
            }
            ConditionOperator::Contains => {
                return Some(Syntax::Call { function: call(Function::Contains), name, value, negated: false });
            }
            ConditionOperator::In => return None,
            ConditionOperator::Eq => compare(Operator::Eq),
            ConditionOperator::Ne => compare(Operator::Ne),
            ConditionOperator::Gt => compare(Operator::Gt),
            ConditionOperator::Ge => compare(Operator::Ge),
            ConditionOperator::Lt => compare(Operator::Lt),
            ConditionOperator::Le => compare(Operator::Le),
        };
        Some(Syntax::Compare { name, operator, operator_span, value })
    }

    fn operator(&mut self, node: &Map<String, Value>, pointer: &str) -> Option<ConditionOperator> {
        let at = format!("{pointer}/operator");
        let names = || ConditionOperator::ALL.iter().map(|known| known.as_str());
        match node.get("operator") {
            Some(Value::String(text)) => {
                let found = ConditionOperator::ALL.into_iter().find(|known| known.as_str() == text);
                if found.is_none() {
                    let near = property::nearest(text, names());
                    let hint = near.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
                    let all = names().collect::<Vec<_>>().join(", ");
                    self.fault(
                        at,
                        "invalid_value",
                        format!("`{text}` is not an operator; the operators are {all}.{hint}"),
                    );
                }
                found
            }
            Some(_) => {
                self.fault(at, "invalid_type", "must be the name of an operator");
                None
            }
            None => {
                let all = names().collect::<Vec<_>>().join(", ");
                self.fault(at, "required", format!("`operator` is required: one of {all}"));
                None
            }
        }
    }

    fn list(&mut self, list: &Value, pointer: &str) -> Option<Vec<Written>> {
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            self.fault(pointer, "invalid_type", "`in` needs a list of at least one value");
            return None;
        };
        let values: Vec<_> =
            list.iter().enumerate().map(|(index, value)| self.value(value, format!("{pointer}/{index}"))).collect();
        values.into_iter().collect()
    }

    fn value(&mut self, value: &Value, pointer: String) -> Option<Written> {
        let literal = match value {
            Value::Null => Literal::Null,
            Value::Bool(value) => Literal::Boolean(*value),
            Value::String(text) => Literal::String(text.clone()),
            Value::Number(number) if number.as_i64().is_some() => Literal::Integer(number.as_i64()?),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.fault(pointer, "invalid_type", "must be a string, a whole number, true, false or null");
                return None;
            }
        };
        let source = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(Written { written: Content::Literal(literal), source, span: self.span(pointer) })
    }
}

/// A group under its name in another language, and its name here.
fn other_name_of_a_group(node: &Map<String, Value>) -> Option<(&str, &'static str)> {
    let meant = |name: &str| match name.trim_start_matches('$').to_ascii_lowercase().as_str() {
        "and" | "allof" => Some("all"),
        "or" | "anyof" => Some("any"),
        _ => None,
    };
    node.keys().find_map(|key| meant(key).map(|meant| (key.as_str(), meant)))
}

/// An expression as a tree. Names of variables are lost, and a date compared with a directory extension becomes a
/// string. [`parse`] reads everything else back unchanged.
pub fn from_expression(expression: &Expression) -> Where {
    let condition = |path: &str, operator, value| {
        let property = (!path.is_empty()).then(|| path.to_owned());
        Where::Condition(Condition { property, operator, value })
    };
    match expression {
        Expression::And(parts) => Where::All(All { all: parts.iter().map(from_expression).collect() }),
        Expression::Or(parts) => Where::Any(Any { any: parts.iter().map(from_expression).collect() }),
        Expression::Not(inner) => Where::Not(Not { not: Box::new(from_expression(inner)) }),
        Expression::Compare { path, operator, value } => condition(path, compared(*operator), literal_json(value)),
        Expression::In { path, values } => {
            condition(path, ConditionOperator::In, Value::Array(values.iter().map(literal_json).collect()))
        }
        Expression::Function { function, path, value } => {
            let operator = match function {
                Function::StartsWith => ConditionOperator::StartsWith,
                Function::EndsWith => ConditionOperator::EndsWith,
                Function::Contains => ConditionOperator::Contains,
            };
            condition(path, operator, Value::String(value.clone()))
        }
        Expression::Lambda { path, body, .. } => {
            Where::ElementsAny(ElementsAny { property: path.clone(), any: Box::new(from_expression(body)) })
        }
        Expression::Count { path, operator, value } => {
            condition(&format!("{path}/$count"), compared(*operator), Value::from(*value))
        }
    }
}

fn compared(operator: Operator) -> ConditionOperator {
    match operator {
        Operator::Eq => ConditionOperator::Eq,
        Operator::Ne => ConditionOperator::Ne,
        Operator::Gt => ConditionOperator::Gt,
        Operator::Ge => ConditionOperator::Ge,
        Operator::Lt => ConditionOperator::Lt,
        Operator::Le => ConditionOperator::Le,
    }
}

fn literal_json(literal: &Literal) -> Value {
    match literal {
        Literal::Null => Value::Null,
        Literal::Boolean(value) => Value::Bool(*value),
        Literal::Integer(value) => Value::from(*value),
        Literal::String(text) => Value::String(text.clone()),
        Literal::Guid(id) => Value::String(id.to_string()),
        Literal::DateTime(_) => Value::String(literal.to_string()),
    }
}

#[cfg(test)]
mod tests;
