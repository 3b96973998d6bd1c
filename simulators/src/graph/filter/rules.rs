//! Which filters Graph accepts by default, which only as an advanced query, and which not at all.

mod properties;

use super::documented::{self, Column, Level};
use super::expression::{Expr, Function, Literal, Op, Path};
use crate::graph::answer::Problem;
use crate::seed::ObjectKind;
use properties::{Rule, Type, rule};

/// More values in `in` than this are refused by default (docs/graph.md, «Filters»).
const MAX_IN: usize = 15;
/// A longer value of `eq` is refused by default.
const MAX_EQ_LENGTH: usize = 120;

fn type_name(kind: ObjectKind) -> &'static str {
    kind.odata_type().trim_start_matches('#')
}

fn unknown(kind: ObjectKind, path: &[String]) -> Problem {
    let message = format!(
        "Invalid filter clause: Could not find a property named '{}' on type '{}'.",
        path.last().map_or("", String::as_str),
        type_name(kind)
    );
    Problem::new(400, "BadRequest", message)
}

fn unsupported() -> Problem {
    Problem::unsupported_query("Unsupported Query.")
}

struct Check {
    kind: ObjectKind,
    advanced: bool,
}

pub fn check(expr: &Expr, kind: ObjectKind, advanced: bool) -> Result<(), Problem> {
    check_sign_ins_are_alone(expr)?;
    Check { kind, advanced }.expr(expr, false)
}

/// Documented on the user's resource page: not with any other property.
fn check_sign_ins_are_alone(expr: &Expr) -> Result<(), Problem> {
    let mut heads = Vec::new();
    heads_of(expr, &mut heads);
    let sign_ins = heads.iter().filter(|head| **head == "signInActivity").count();
    if sign_ins == 0 || sign_ins == heads.len() {
        return Ok(());
    }
    Err(Problem::unsupported_query("Filter on signInActivity cannot be combined with other filters."))
}

/// The properties of the object that a filter names.
fn heads_of<'e>(expr: &'e Expr, heads: &mut Vec<&'e str>) {
    match expr {
        Expr::Or(parts) | Expr::And(parts) => parts.iter().for_each(|part| heads_of(part, heads)),
        Expr::Not(inner) => heads_of(inner, heads),
        Expr::Compare(path, ..)
        | Expr::In(path, _)
        | Expr::Call(_, path, _)
        | Expr::Any(path, _)
        | Expr::All(path, ..)
        | Expr::Count(path, ..) => heads.extend(path.first().map(String::as_str)),
    }
}

impl Check {
    fn expr(&self, expr: &Expr, is_within_or: bool) -> Result<(), Problem> {
        match expr {
            Expr::Or(parts) => parts.iter().try_for_each(|part| self.expr(part, true)),
            Expr::And(parts) => parts.iter().try_for_each(|part| self.expr(part, is_within_or)),
            Expr::Not(inner) => {
                self.needs_advanced()?;
                self.expr(inner, is_within_or)
            }
            Expr::Compare(path, op, literal) => {
                let rule = self.rule(path)?;
                if rule.kind == Type::Collection {
                    return Err(incompatible("Collection", literal));
                }
                self.comparison(path, &rule, *op, literal)
            }
            Expr::In(path, values) => self.list(path, values),
            Expr::Call(function, path, _) => self.call(*function, path),
            Expr::Any(path, body) => {
                if is_within_or && path == &["assignedLicenses"] && !self.advanced {
                    let message = "Complex query on property assignedLicenses is not supported.";
                    return Err(Problem::unsupported_query(message));
                }
                self.lambda(path, body.as_ref().map(|(variable, body)| (variable, &**body)))
            }
            Expr::All(..) => Err(unsupported()),
            Expr::Count(path, op, number) => {
                self.collection(path)?;
                let column = if *number == 0 { Column::Count0 } else { Column::Count1 };
                let name = format!("{}/$count", path.join("/"));
                match documented::level(self.kind, &name, column).filter(|_| matches!(number, 0 | 1)) {
                    Some(level) if matches!(op, Op::Eq | Op::Ne) => self.at(level),
                    Some(_) | None => Err(unsupported()),
                }
            }
        }
    }

    fn rule(&self, path: &Path) -> Result<Rule, Problem> {
        if self.kind == ObjectKind::Group && path == &["createdDateTime"] {
            let message = "Unsupported or invalid query filter clause specified for property 'createdDateTime' of \
                           resource 'Group'.";
            return Err(Problem::unsupported_query(message));
        }
        let rule = rule(self.kind, path).ok_or_else(|| unknown(self.kind, path))?;
        if path == &["hasMembersWithLicenseErrors"] && self.advanced {
            return Err(unsupported());
        }
        Ok(rule)
    }

    /// What Microsoft's table says of an operator; where it says nothing, what the letter of the rule says.
    fn needs(&self, path: &str, rule: &Rule, column: Column, letter: char) -> Result<(), Problem> {
        match documented::level(self.kind, path, column) {
            Some(level) => self.at(level),
            None if rule.default.contains(letter) => Ok(()),
            None => self.needs_advanced(),
        }
    }

    fn at(&self, level: Level) -> Result<(), Problem> {
        match level {
            Level::Default => Ok(()),
            Level::Advanced => self.needs_advanced(),
            Level::No => Err(unsupported()),
        }
    }

    fn needs_advanced(&self) -> Result<(), Problem> {
        if self.advanced { Ok(()) } else { Err(unsupported()) }
    }

    fn null(&self, path: &str) -> Result<(), Problem> {
        documented::level(self.kind, path, Column::Null).map_or_else(|| self.needs_advanced(), |level| self.at(level))
    }

    fn list(&self, path: &Path, values: &[Literal]) -> Result<(), Problem> {
        let rule = self.rule(path)?;
        if values.len() > MAX_IN && !self.advanced {
            return Err(Problem::unsupported_query(format!(
                "Too many child clauses specified in search filter expression containing 'OR' operators: {}. Max \
                 allowed: {MAX_IN}.",
                values.len()
            )));
        }
        values.iter().try_for_each(|value| fits(rule.kind, value))?;
        if values.contains(&Literal::Null) {
            self.null(&path.join("/"))?;
        }
        self.needs(&path.join("/"), &rule, Column::Equal, 'i')
    }

    fn comparison(&self, path: &Path, rule: &Rule, op: Op, literal: &Literal) -> Result<(), Problem> {
        fits(rule.kind, literal)?;
        if path == &["id"] && !matches!(op, Op::Eq | Op::Ne) {
            return Err(Problem::unsupported_query("The request uses a filter property that is not indexed"));
        }
        let name = path.join("/");
        if matches!(literal, Literal::Null) {
            if op == Op::Ne {
                self.needs_advanced()?;
            }
            return self.null(&name);
        }
        match op {
            Op::Eq => {
                if let Literal::Str(text) = literal
                    && text.chars().count() > MAX_EQ_LENGTH
                    && !self.advanced
                {
                    return Err(unsupported());
                }
                self.needs(&name, rule, Column::Equal, 'e')
            }
            Op::Ne => {
                self.needs_advanced()?;
                self.needs(&name, rule, Column::Equal, 'e')
            }
            Op::Ge | Op::Le => self.needs(&name, rule, Column::Range, 'g'),
            Op::Gt | Op::Lt => self.needs_advanced(),
        }
    }

    fn call(&self, function: Function, path: &Path) -> Result<(), Problem> {
        let rule = self.rule(path)?;
        if !matches!(rule.kind, Type::Text | Type::Open) {
            let message = "Invalid filter clause: No function signature for the function with name 'startswith' \
                           matches the specified arguments.";
            return Err(Problem::new(400, "BadRequest", message));
        }
        match function {
            Function::StartsWith => self.needs(&path.join("/"), &rule, Column::StartsWith, 's'),
            Function::EndsWith if matches!(path[0].as_str(), "mail" | "userPrincipalName") => self.needs_advanced(),
            Function::EndsWith | Function::Contains => Err(unsupported()),
        }
    }

    fn collection(&self, path: &Path) -> Result<Rule, Problem> {
        let rule = self.rule(path)?;
        if matches!(rule.kind, Type::Collection | Type::Open) {
            return Ok(rule);
        }
        let message = "Invalid filter clause: Any/All may only be used following a collection.";
        Err(Problem::new(400, "BadRequest", message))
    }

    fn lambda(&self, path: &Path, body: Option<(&String, &Expr)>) -> Result<(), Problem> {
        let rule = self.collection(path)?;
        let Some((variable, body)) = body else { return self.needs_advanced() };
        Elements { check: self, collection: path, rule: &rule, variable }.body(body)
    }
}

/// The elements of a collection, within a lambda.
struct Elements<'c> {
    check: &'c Check,
    collection: &'c Path,
    rule: &'c Rule,
    variable: &'c str,
}

impl Elements<'_> {
    /// The name of what is compared, as in Microsoft's table: `assignedLicenses/any(skuId)`.
    fn name(&self, inner: &Path) -> Result<String, Problem> {
        let collection = self.collection.join("/");
        match inner.as_slice() {
            [first] if first == self.variable && !documented::has_objects(self.check.kind, &collection) => {
                Ok(format!("{collection}/any()"))
            }
            [first, field] if first == self.variable && documented::has_objects(self.check.kind, &collection) => {
                Ok(format!("{collection}/any({field})"))
            }
            _ => Err(unknown(self.check.kind, inner)),
        }
    }

    fn body(&self, body: &Expr) -> Result<(), Problem> {
        let check = self.check;
        match body {
            Expr::Or(parts) | Expr::And(parts) => parts.iter().try_for_each(|part| self.body(part)),
            Expr::Not(inner) => {
                check.needs_advanced()?;
                self.body(inner)
            }
            Expr::Compare(inner, op, literal) => {
                let name = self.name(inner)?;
                match op {
                    _ if matches!(literal, Literal::Null) => check.null(&name),
                    Op::Eq => check.needs(&name, self.rule, Column::Equal, 'e'),
                    Op::Ge | Op::Le => check.needs(&name, self.rule, Column::Range, 'g'),
                    Op::Ne | Op::Gt | Op::Lt => check.needs_advanced(),
                }
            }
            Expr::In(inner, _) => check.needs(&self.name(inner)?, self.rule, Column::Equal, 'e'),
            Expr::Call(Function::StartsWith, inner, _) => {
                check.needs(&self.name(inner)?, self.rule, Column::StartsWith, 's')
            }
            Expr::Call(Function::EndsWith, inner, _) => {
                self.name(inner)?;
                check.needs_advanced()
            }
            Expr::Call(Function::Contains, ..) | Expr::Any(..) | Expr::All(..) | Expr::Count(..) => Err(unsupported()),
        }
    }
}

/// Whether a value can be compared with a property of the type.
fn fits(kind: Type, literal: &Literal) -> Result<(), Problem> {
    let (good, name) = match kind {
        Type::Text => (matches!(literal, Literal::Null | Literal::Str(_) | Literal::Guid(_)), "String"),
        Type::Bool => (matches!(literal, Literal::Null | Literal::Bool(_)), "Boolean"),
        Type::Time => (matches!(literal, Literal::Null | Literal::Time(_)), "DateTimeOffset"),
        Type::Int => (matches!(literal, Literal::Null | Literal::Int(_)), "Int32"),
        Type::Collection | Type::Open => (true, "Collection"),
    };
    if good { Ok(()) } else { Err(incompatible(name, literal)) }
}

fn incompatible(name: &str, literal: &Literal) -> Problem {
    let found = match literal {
        Literal::Null => "null",
        Literal::Bool(_) => "Boolean",
        Literal::Int(_) => "Int32",
        Literal::Str(_) => "String",
        Literal::Guid(_) => "Guid",
        Literal::Time(_) => "DateTimeOffset",
    };
    let message = format!(
        "Invalid filter clause: A binary operator with incompatible types was detected. Found operand types \
         'Edm.{name}' and 'Edm.{found}' for operator kind 'Equal'."
    );
    Problem::new(400, "BadRequest", message)
}

#[cfg(test)]
mod tests {
    use super::super::Filter;
    use crate::seed::{Directory, ObjectKind, SeedOptions};

    fn code(text: &str, kind: ObjectKind, advanced: bool) -> Option<String> {
        Filter::parse(text, kind, advanced).err().map(|problem| problem.code)
    }

    /// Every documented example.
    #[test]
    fn the_documented_examples_work_by_default() {
        let users = [
            "accountEnabled eq true",
            "city eq 'London'",
            "country eq 'Ecuador' or country eq 'India'",
            "country in ('Ecuador', 'India', 'Germany')",
            "accountEnabled eq true and userType eq 'Member'",
            "userType eq 'Member' and department eq 'Engineering'",
            "usageLocation in ('JP','GB')",
            "assignedLicenses/any(s:s/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)",
            "createdDateTime ge 2024-01-01T00:00:00Z and createdDateTime le 2025-01-01",
        ];
        let directory = Directory::generate(SeedOptions::default());
        for text in users {
            let filter = Filter::parse(text, ObjectKind::User, false).unwrap();
            let found = (0..2_000).filter(|slot| filter.matches(&directory, *slot)).count();
            assert!(found > 0 && found < 2_000, "{text}: {found}");
        }
        for text in ["groupTypes/any(c:c eq 'Unified')", "startswith(displayName, 'team')"] {
            let filter = Filter::parse(text, ObjectKind::Group, false).unwrap();
            let found = (0..150).filter(|slot| filter.matches(&directory, *slot)).count();
            assert!(found > 0 && found < 150, "{text}: {found}");
        }
        assert_eq!(code("startswith(displayName,'a')", ObjectKind::Device, false), None);
    }

    #[test]
    fn what_needs_an_advanced_query_is_refused_without_it() {
        let directory = Directory::generate(SeedOptions::default());
        for text in [
            "endsWith(mail,'@contoso.example')",
            "NOT(mail eq null)",
            "companyName ne null and NOT(companyName eq 'Contoso')",
            "createdDateTime eq null",
            "department in (null,'Sales')",
            "officeLocation eq 'LON-1'",
            "assignedLicenses/$count ne 0",
        ] {
            assert_eq!(code(text, ObjectKind::User, false).as_deref(), Some("Request_UnsupportedQuery"), "{text}");
            let filter = Filter::parse(text, ObjectKind::User, true).unwrap();
            assert!((0..2_000).any(|slot| filter.matches(&directory, slot)), "{text}");
        }
    }

    #[test]
    fn what_is_never_accepted_names_its_reason() {
        for (text, wanted) in [
            ("id ge 'x'", "Request_UnsupportedQuery"),
            ("contains(displayName,'x')", "Request_UnsupportedQuery"),
            ("nonsense eq 1", "BadRequest"),
            ("accountEnabled eq 'true'", "BadRequest"),
            ("displayName eq 'open", "BadRequest"),
            ("displayName eq", "BadRequest"),
            ("(displayName eq 'a'", "BadRequest"),
            ("displayName/any(x:x eq 'a')", "BadRequest"),
            ("proxyAddresses/all(x:x eq 'a')", "Request_UnsupportedQuery"),
            ("proxyAddresses/$count eq 1", "Request_UnsupportedQuery"),
            ("externalUserState eq null", "Request_UnsupportedQuery"),
            ("signInActivity/lastSignInDateTime le 2026-01-01 and accountEnabled eq true", "Request_UnsupportedQuery"),
        ] {
            assert_eq!(code(text, ObjectKind::User, true).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(
            code("createdDateTime ge 2021-11-01", ObjectKind::Group, true).as_deref(),
            Some("Request_UnsupportedQuery")
        );
        // Works by default, and not as an advanced query.
        assert_eq!(code("hasMembersWithLicenseErrors eq true", ObjectKind::Group, false), None);
        assert!(code("hasMembersWithLicenseErrors eq true", ObjectKind::Group, true).is_some());
        let sixteen = format!("city in ({})", vec!["'x'"; 16].join(","));
        assert_eq!(code(&sixteen, ObjectKind::User, false).as_deref(), Some("Request_UnsupportedQuery"));
        assert_eq!(code(&"(".repeat(100_000), ObjectKind::User, false).as_deref(), Some("BadRequest"));
    }

    #[test]
    fn text_compares_without_case_and_nothing_is_not_equal_to_anything() {
        let directory = Directory::generate(SeedOptions::default());
        let count = |text: &str| {
            let filter = Filter::parse(text, ObjectKind::User, true).unwrap();
            (0..2_000).filter(|slot| filter.matches(&directory, *slot)).count()
        };
        assert_eq!(count("department eq 'SALES'"), count("department eq 'Sales'"));
        assert_eq!(count("department eq 'Sales'") + count("department ne 'Sales'"), 2_000);
        assert_eq!(count("department eq null") + count("department ne null"), 2_000);
        assert!(count("department eq null") > 0);
    }
}
