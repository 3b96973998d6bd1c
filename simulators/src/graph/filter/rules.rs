//! Which filters Graph accepts by default, which only as an advanced query, and which not at all.

use super::expression::{Expr, Function, Literal, Op, Path};
use crate::graph::answer::Problem;
use crate::graph::property::is_known;
use crate::seed::ObjectKind;

/// More values in `in` than this are refused by default (docs/graph.md, «Filters»).
const MAX_IN: usize = 15;
/// A longer value of `eq` is refused by default.
const MAX_EQ_LENGTH: usize = 120;

/// What a property can be compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Text,
    Bool,
    Time,
    Int,
    Collection,
}

/// The operators that need no advanced query: a letter each. `e` eq, `i` in, `g` ge and le, `s` startsWith.
struct Rule {
    default: &'static str,
    kind: Type,
}

fn rule(kind: ObjectKind, path: &[String]) -> Option<Rule> {
    let [first, rest @ ..] = path else { return None };
    let name = first.as_str();
    let make = |default, kind| Some(Rule { default, kind });
    if let [part] = rest {
        return match (name, part.as_str()) {
            ("employeeOrgData", _) | ("onPremisesExtensionAttributes", _) => make("", Type::Text),
            ("signInActivity", _) => make("eg", Type::Time),
            _ => None,
        };
    }
    match kind {
        ObjectKind::User => match name {
            "id" => make("ei", Type::Text),
            "accountEnabled" => make("ei", Type::Bool),
            "onPremisesSyncEnabled" => make("e", Type::Bool),
            "isResourceAccount" | "showInAddressList" | "isManagementRestricted" => make("", Type::Bool),
            "createdDateTime" => make("eig", Type::Time),
            "displayName" | "department" | "city" | "state" | "country" | "surname" | "givenName" | "jobTitle"
            | "mailNickname" | "mail" | "userPrincipalName" | "employeeId" | "usageLocation" => {
                make("eigs", Type::Text)
            }
            "userType" | "creationType" | "externalUserState" => make("ei", Type::Text),
            "onPremisesImmutableId" => make("ei", Type::Text),
            "employeeHireDate"
            | "employeeLeaveDateTime"
            | "lastPasswordChangeDateTime"
            | "externalUserStateChangeDateTime"
            | "onPremisesLastSyncDateTime" => make("", Type::Time),
            "assignedLicenses" | "assignedPlans" | "proxyAddresses" | "otherMails" | "identities" | "imAddresses"
            | "businessPhones" => make("e", Type::Collection),
            "provisionedPlans" | "onPremisesProvisioningErrors" | "licenseAssignmentStates" => {
                make("", Type::Collection)
            }
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::Group => match name {
            "id" => make("ei", Type::Text),
            "mailEnabled"
            | "securityEnabled"
            | "onPremisesSyncEnabled"
            | "isAssignableToRole"
            | "hasMembersWithLicenseErrors" => make("e", Type::Bool),
            "createdDateTime" | "expirationDateTime" | "renewedDateTime" => make("eig", Type::Time),
            "onPremisesLastSyncDateTime" => make("", Type::Time),
            "displayName"
            | "mail"
            | "mailNickname"
            | "description"
            | "classification"
            | "membershipRule"
            | "preferredDataLocation"
            | "uniqueName"
            | "securityIdentifier" => make("eigs", Type::Text),
            "membershipRuleProcessingState" | "preferredLanguage" => make("ei", Type::Text),
            "groupTypes" | "proxyAddresses" | "assignedLicenses" | "resourceProvisioningOptions" => {
                make("e", Type::Collection)
            }
            "assignedLabels" | "resourceBehaviorOptions" | "infoCatalogs" => make("", Type::Collection),
            "isArchived" | "isManagementRestricted" => make("", Type::Bool),
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::Device => match name {
            "id" | "deviceId" => make("ei", Type::Text),
            "accountEnabled" | "isCompliant" | "isManaged" | "isRooted" | "onPremisesSyncEnabled" => {
                make("e", Type::Bool)
            }
            "approximateLastSignInDateTime" | "registrationDateTime" | "createdDateTime" => make("eig", Type::Time),
            "displayName" | "operatingSystem" | "operatingSystemVersion" | "mdmAppId" => make("eigs", Type::Text),
            "trustType" | "profileType" | "deviceOwnership" | "managementType" => make("ei", Type::Text),
            "deviceVersion" => make("", Type::Int),
            "physicalIds" | "systemLabels" => make("e", Type::Collection),
            _ if is_known(kind, name) => make("", Type::Text),
            _ => None,
        },
        ObjectKind::ServicePrincipal | ObjectKind::OrgContact => {
            is_known(kind, name).then_some(Rule { default: "eis", kind: Type::Text })
        }
    }
}

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
    Check { kind, advanced }.expr(expr)
}

impl Check {
    fn expr(&self, expr: &Expr) -> Result<(), Problem> {
        match expr {
            Expr::Or(parts) | Expr::And(parts) => parts.iter().try_for_each(|part| self.expr(part)),
            Expr::Not(inner) => {
                self.needs_advanced()?;
                self.expr(inner)
            }
            Expr::Compare(path, op, literal) => {
                let rule = self.rule(path)?;
                if rule.kind == Type::Collection {
                    return Err(incompatible("Collection", literal));
                }
                self.comparison(path, &rule, *op, literal)
            }
            Expr::In(path, values) => {
                let rule = self.rule(path)?;
                if values.len() > MAX_IN && !self.advanced {
                    return Err(Problem::unsupported_query(format!(
                        "Too many child clauses specified in search filter expression containing 'OR' operators: {}. \
                         Max allowed: {MAX_IN}.",
                        values.len()
                    )));
                }
                values.iter().try_for_each(|value| fits(rule.kind, value))?;
                self.needs(&rule, 'i')
            }
            Expr::Call(function, path, _) => self.call(*function, path),
            Expr::Any(path, body) => self.lambda(path, body.as_ref().map(|(variable, body)| (variable, &**body))),
            Expr::All(path, variable, body) => {
                self.needs_advanced()?;
                self.lambda(path, Some((variable, body)))
            }
            Expr::Count(path, op, _) => {
                self.collection(path)?;
                self.needs_advanced()?;
                if matches!(op, Op::Eq | Op::Ne) { Ok(()) } else { Err(unsupported()) }
            }
        }
    }

    fn rule(&self, path: &Path) -> Result<Rule, Problem> {
        rule(self.kind, path).ok_or_else(|| unknown(self.kind, path))
    }

    fn needs(&self, rule: &Rule, operator: char) -> Result<(), Problem> {
        if rule.default.contains(operator) { Ok(()) } else { self.needs_advanced() }
    }

    fn needs_advanced(&self) -> Result<(), Problem> {
        if self.advanced { Ok(()) } else { Err(unsupported()) }
    }

    fn comparison(&self, path: &Path, rule: &Rule, op: Op, literal: &Literal) -> Result<(), Problem> {
        fits(rule.kind, literal)?;
        if path == &["id"] && !matches!(op, Op::Eq | Op::Ne) {
            return Err(Problem::unsupported_query("The request uses a filter property that is not indexed"));
        }
        if matches!(literal, Literal::Null) {
            return self.needs_advanced();
        }
        match op {
            Op::Eq => {
                if let Literal::Str(text) = literal
                    && text.chars().count() > MAX_EQ_LENGTH
                    && !self.advanced
                {
                    return Err(unsupported());
                }
                self.needs(rule, 'e')
            }
            Op::Ne => self.needs_advanced(),
            Op::Ge | Op::Le => self.needs(rule, 'g'),
            Op::Gt | Op::Lt => self.needs_advanced(),
        }
    }

    fn call(&self, function: Function, path: &Path) -> Result<(), Problem> {
        let rule = self.rule(path)?;
        if rule.kind != Type::Text {
            let message = "Invalid filter clause: No function signature for the function with name 'startswith' \
                           matches the specified arguments.";
            return Err(Problem::new(400, "BadRequest", message));
        }
        match function {
            Function::StartsWith => self.needs(&rule, 's'),
            Function::EndsWith if matches!(path[0].as_str(), "mail" | "userPrincipalName") => self.needs_advanced(),
            Function::EndsWith | Function::Contains => Err(unsupported()),
        }
    }

    fn collection(&self, path: &Path) -> Result<Rule, Problem> {
        let rule = self.rule(path)?;
        if rule.kind == Type::Collection {
            return Ok(rule);
        }
        let message = "Invalid filter clause: Any/All may only be used following a collection.";
        Err(Problem::new(400, "BadRequest", message))
    }

    fn lambda(&self, path: &Path, body: Option<(&String, &Expr)>) -> Result<(), Problem> {
        let rule = self.collection(path)?;
        let Some((variable, body)) = body else { return self.needs_advanced() };
        self.needs(&rule, 'e')?;
        self.lambda_body(path, variable, body)
    }

    fn lambda_body(&self, path: &Path, variable: &str, body: &Expr) -> Result<(), Problem> {
        let known = |inner: &Path| -> Result<(), Problem> {
            let [first, rest @ ..] = inner.as_slice() else { return Err(unsupported()) };
            let complex = matches!(
                path[0].as_str(),
                "assignedLicenses"
                    | "assignedPlans"
                    | "identities"
                    | "provisionedPlans"
                    | "licenseAssignmentStates"
                    | "assignedLabels"
                    | "onPremisesProvisioningErrors"
            );
            if first == variable && rest.len() == usize::from(complex) {
                Ok(())
            } else {
                Err(unknown(self.kind, inner))
            }
        };
        match body {
            Expr::Or(parts) | Expr::And(parts) => {
                parts.iter().try_for_each(|part| self.lambda_body(path, variable, part))
            }
            Expr::Not(inner) => {
                self.needs_advanced()?;
                self.lambda_body(path, variable, inner)
            }
            Expr::Compare(inner, op, literal) => {
                known(inner)?;
                if *op == Op::Eq && !matches!(literal, Literal::Null) { Ok(()) } else { self.needs_advanced() }
            }
            Expr::In(inner, _) => known(inner),
            Expr::Call(Function::StartsWith, inner, _) => known(inner),
            Expr::Call(Function::EndsWith, inner, _) => {
                known(inner)?;
                self.needs_advanced()
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
        Type::Collection => (true, "Collection"),
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
        ] {
            assert_eq!(code(text, ObjectKind::User, true).as_deref(), Some(wanted), "{text}");
        }
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
