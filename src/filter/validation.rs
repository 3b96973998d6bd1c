//! Checks a filter before it is saved: its normalised texts, the requests that Graph needs, and all errors with their
//! places.

use crate::error::{Fault, Faults};
use crate::filter::expression::Quoted;
use crate::filter::kinds::{self, ByKind};
use crate::filter::property::{self, Level, SECURITY_ATTRIBUTES};
use crate::filter::where_tree::{self, Where};
use crate::filter::{EntityKind, Filter, Rule, ScopeUsers};
use serde::Serialize;
use serde_json::Value;

/// Whether a filter is valid, and how Graph is queried with it. A kind of object without a valid condition is null; one
/// that is off by default is absent then.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Whether a job can use the filter.
    pub valid: bool,
    /// Whether any of its texts needs an advanced query.
    pub advanced: bool,
    #[serde(flatten)]
    #[schema(schema_with = kinds::nullable::<ValidRule>)]
    pub rules: ByKind<Option<ValidRule>>,
    /// All errors; empty if the filter is valid.
    pub errors: Vec<FilterError>,
    /// What may be unexpected about a valid filter.
    pub warnings: Vec<String>,
}

/// A condition that Graph supports.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidRule {
    /// The normalised `$filter` text, plain, not percent-encoded.
    #[schema(example = "accountEnabled eq true")]
    pub text: String,
    /// The properties it reads.
    pub properties: Vec<String>,
    /// Whether Graph needs `ConsistencyLevel: eventual` and `$count=true`.
    pub advanced: bool,
    /// The `$filter` of each request; the result is their union by id.
    pub requests: Vec<String>,
    /// The same condition as a tree.
    pub r#where: Where,
    /// The properties whose changes a delta query does not report.
    pub not_in_delta: Vec<String>,
}

/// An error and its place. `offset` and `length` count characters of the `odata` text. Only errors within such a text
/// have `offset`, `length`, `found`, `expected` and `suggestion`.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterError {
    /// The place in the body (RFC 6901).
    #[schema(example = "/users/odata")]
    pub pointer: String,
    pub code: String,
    pub detail: String,
    /// The position of the first wrong character, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub offset: Option<usize>,
    /// How many characters are wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub length: Option<usize>,
    /// What is written there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub found: Option<String>,
    /// What would be valid there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected: Option<Vec<String>>,
    /// What to write instead, if a correction was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "department")]
    pub suggestion: Option<String>,
}

/// Checks a filter's body, without its name. `of_form` are the faults of its form that were found before; where both
/// find a fault at one place, that of the form is listed.
pub fn validate(body: &Value, of_form: Vec<Fault>) -> Validation {
    let mut faults = Faults::default();
    let filter = Filter::collect(body, "", &mut faults);
    let (in_text, others): (Vec<Fault>, Vec<Fault>) =
        faults.into_vec().into_iter().partition(|fault| fault.place.is_some());
    let mut all = Faults::from(of_form);
    all.add_new(Faults::from(others));
    let is_in_text = |fault: &Fault| in_text.iter().any(|other| other.pointer == fault.pointer);
    let others: Vec<Fault> = all.into_vec().into_iter().filter(|fault| !is_in_text(fault)).collect();
    let errors: Vec<FilterError> = in_text.into_iter().chain(others).map(FilterError::from).collect();
    Validation {
        valid: errors.is_empty(),
        advanced: EntityKind::ALL.into_iter().any(|kind| filter.rule(kind).is_some_and(|rule| rule.parsed.advanced)),
        rules: kinds::shown(|kind| filter.rule(kind).map(valid_rule)),
        errors,
        warnings: warnings(&filter),
    }
}

impl From<Fault> for FilterError {
    fn from(fault: Fault) -> Self {
        let Fault { pointer, code, detail, place } = fault;
        let error = Self {
            pointer,
            code: code.to_owned(),
            detail,
            offset: None,
            length: None,
            found: None,
            expected: None,
            suggestion: None,
        };
        match place {
            None => error,
            Some(place) => Self {
                offset: Some(place.offset),
                length: Some(place.length),
                found: Some(place.found),
                expected: Some(place.expected),
                suggestion: place.suggestion,
                ..error
            },
        }
    }
}

fn valid_rule(rule: &Rule) -> ValidRule {
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    ValidRule {
        text: rule.parsed.text().to_owned(),
        properties: owned(rule.parsed.properties()),
        advanced: rule.parsed.advanced,
        requests: rule.parsed.requests().to_vec(),
        r#where: where_tree::from_expression(&rule.parsed.expression),
        not_in_delta: owned(rule.parsed.not_in_delta()),
    }
}

/// What may be unexpected about a valid filter, one sentence each.
fn warnings(filter: &Filter) -> Vec<String> {
    let mut warnings = filter.local_only_problems();
    warnings.extend(hints(filter));
    warnings
}

/// What may be unexpected, without the limits of incremental runs.
pub fn hints(filter: &Filter) -> Vec<String> {
    let mut warnings = Vec::new();
    for rule in EntityKind::ALL.into_iter().filter_map(|kind| filter.rule(kind)) {
        warnings.extend(hints_of(rule));
    }
    if filter.scope.users == ScopeUsers::MembersOfFilteredGroups && filter.rule(EntityKind::Groups).is_none() {
        warnings.push(
            "`membersOfFilteredGroups` without a condition on groups includes the members of all groups.".to_owned(),
        );
    }
    if filter.scope.users == ScopeUsers::MembersOfFilteredGroups && !filter.scope.group_ids.is_empty() {
        warnings.push("`groupIds` has no effect unless `users` is `membersOf`.".to_owned());
    }
    warnings
}

/// What may be unexpected about a condition.
fn hints_of(rule: &Rule) -> Vec<String> {
    let mut warnings = Vec::new();
    if rule.parsed.is_about_sign_ins() {
        warnings.push(
            "`signInActivity` needs the Application permission AuditLog.Read.All and a Microsoft Entra ID P1 licence; \
             without them, Graph rejects the whole filter."
                .to_owned(),
        );
    }
    if rule.parsed.select().contains(&SECURITY_ATTRIBUTES) {
        warnings.push(
            "Custom security attributes need the Application permission CustomSecAttributeAssignment.Read.All; Graph \
             compares their values with regard to case."
                .to_owned(),
        );
    }
    let mut texts = Vec::new();
    rule.parsed.expression.visit_texts(&mut |path, text| texts.push((path, text)));
    if let Some((_, text)) = texts.iter().find(|(_, text)| is_percent_encoded(text)) {
        warnings.push(format!(
            "The text {} looks percent-encoded. It is compared as it stands here; write it without percent-encoding.",
            Quoted(text)
        ));
    }
    if let Some((path, text)) = texts.iter().find(|(_, text)| text.contains('*')) {
        let start = text.trim_end_matches('*');
        let instead = match !path.is_empty() && !start.is_empty() && !start.contains('*') && can_start(rule, path) {
            true => format!(" Use startswith({path},{}) instead.", Quoted(start)),
            false => String::new(),
        };
        warnings.push(format!("Graph has no wildcards: in {}, `*` is compared as a character.{instead}", Quoted(text)));
    }
    let requests = rule.parsed.requests().len();
    if requests > 1 {
        let kind = rule.parsed.kind.as_str();
        warnings.push(format!(
            "Graph accepts at most 15 values in a list, so a run sends {requests} requests for the filter of {kind}."
        ));
    }
    warnings
}

fn can_start(rule: &Rule, path: &str) -> bool {
    property::find(rule.parsed.kind, path).is_ok_and(|found| found.property.starts_with != Level::No)
}

/// Whether it has `%` and two hexadecimal digits: `%23EXT%23`.
fn is_percent_encoded(text: &str) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte);
    text.as_bytes().windows(3).any(|three| three[0] == b'%' && digit(&three[1]) && digit(&three[2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_valid_filter_is_shown_as_graph_is_queried() {
        let body =
            json!({"users": {"odata": "NOT(mail eq null)"}, "groups": {"odata": "groupTypes/any(c:c+eq+'Unified')"}});
        let answer = serde_json::to_value(validate(&body, Vec::new())).unwrap();
        assert_eq!(
            answer,
            json!({
                "valid": true, "advanced": true, "devices": null, "errors": [], "warnings": [],
                "users": {"text": "not (mail eq null)", "properties": ["mail"], "advanced": true,
                          "requests": ["not (mail eq null)"], "notInDelta": [],
                          "where": {"not": {"property": "mail", "operator": "eq", "value": null}}},
                "groups": {"text": "groupTypes/any(c:c eq 'Unified')", "properties": ["groupTypes"], "advanced": false,
                           "requests": ["groupTypes/any(c:c eq 'Unified')"], "notInDelta": [],
                           "where": {"property": "groupTypes", "any": {"operator": "eq", "value": "Unified"}}},
            })
        );
    }

    #[test]
    fn every_error_has_its_place() {
        let body = json!({"users": {"odata": "departmnet eq 'x' and id ge 'a'"}, "limits": {"maxUsers": 0}});
        let of_form = vec![Fault::new("/limits/maxUsers", "too_small", "must be at least 1, is 0")];
        let validation = validate(&body, of_form);
        assert!(!validation.valid);
        let places: Vec<_> = validation.errors.iter().map(|e| (e.pointer.as_str(), e.offset, e.length)).collect();
        let text = "/users/odata";
        assert_eq!(places, [(text, Some(0), Some(10)), (text, Some(25), Some(2)), ("/limits/maxUsers", None, None)]);
        assert_eq!(validation.errors[0].suggestion.as_deref(), Some("department"));
    }

    #[test]
    fn what_may_be_unexpected_is_a_warning() {
        let countries = (0..16).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(",");
        let body = json!({
            "users": {"odata": "signInActivity/lastSignInDateTime ge 2026-01-01"},
            "devices": {"odata": format!("operatingSystem in ({countries})")},
            "scope": {"users": "membersOfFilteredGroups", "groupIds": ["00000000-0000-4000-8000-000000000001"]},
        });
        let validation = validate(&body, Vec::new());
        assert!(validation.valid);
        assert_eq!(validation.warnings.len(), 5);
    }

    fn warnings_of(text: &str) -> Vec<String> {
        let validation = validate(&json!({"users": {"odata": text}}), Vec::new());
        assert!(validation.valid, "{text}: {:?}", validation.errors);
        validation.warnings
    }

    #[test]
    fn a_text_with_percent_signs_looks_percent_encoded() {
        for text in ["startswith(userPrincipalName,'a_b.com%23EXT%23')", "city in ('a','New%20York')"] {
            assert!(warnings_of(text)[0].contains("looks percent-encoded"), "{text}");
        }
        assert!(warnings_of("companyName eq '100%'").is_empty());
        assert!(warnings_of("companyName eq '5% off'").is_empty());
    }

    #[test]
    fn a_wildcard_is_warned_of() {
        let warning = &warnings_of("displayName eq 'App-*'")[0];
        assert!(warning.contains("no wildcards") && warning.contains("startswith(displayName,'App-')"), "{warning}");
        for text in ["city in ('*x')", "proxyAddresses/any(p:p eq 'smtp:*')", "not startswith(displayName,'App*')"] {
            assert!(warnings_of(text)[0].contains("no wildcards"), "{text}");
        }
        assert!(warnings_of("displayName eq 'App'").is_empty());
    }

    #[test]
    fn custom_security_attributes_name_their_permission() {
        let warnings = warnings_of("customSecurityAttributes/Engineering/Project eq 'Baker'");
        assert!(warnings.iter().any(|text| text.contains("CustomSecAttributeAssignment.Read.All")), "{warnings:?}");
    }
}
