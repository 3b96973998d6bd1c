//! What can be said of a filter before it is saved: its texts in one form, how Graph has to be asked, every error
//! with its place.

use crate::error::{Fault, Faults};
use crate::filter::odata::ParseError;
use crate::filter::where_tree::{self, Where};
use crate::filter::{EntityKind, Filter, Rule, ScopeUsers, odata};
use serde::Serialize;
use serde_json::Value;

/// The verdict on a filter.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    pub valid: bool,
    /// Whether any of its texts needs an advanced query.
    pub advanced: bool,
    /// Null without a valid condition; likewise `groups` and `devices`.
    #[schema(required = true)]
    pub users: Option<ValidRule>,
    #[schema(required = true)]
    pub groups: Option<ValidRule>,
    #[schema(required = true)]
    pub devices: Option<ValidRule>,
    /// Everything that is wrong; empty if the filter is valid.
    pub errors: Vec<FilterError>,
    /// What is worth knowing about a filter that works.
    pub warnings: Vec<String>,
}

/// A condition that Graph can be asked.
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

/// An error and its place. `offset` and `length` count the characters of the `odata` text; they, `found`, `expected`
/// and `suggestion` are given only for errors within such a text.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterError {
    /// Where in the body (RFC 6901).
    #[schema(example = "/users/odata")]
    pub pointer: String,
    pub code: String,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub found: Option<String>,
    /// What would fit there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected: Option<Vec<String>>,
    /// What to write instead, if that can be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "department")]
    pub suggestion: Option<String>,
}

/// Judges a filter's body without its name. `of_form`: what is wrong with its form, found beforehand; where that and
/// the reading here find the same, it is said once, in the words of the former.
pub fn validate(body: &Value, of_form: Vec<Fault>) -> Validation {
    let mut faults = Faults::default();
    let filter = Filter::collect(body, "", &mut faults);
    let faults = faults.into_result().err().map(|error| error.faults).unwrap_or_default();
    let mut errors: Vec<FilterError> = Vec::with_capacity(faults.len());
    for kind in EntityKind::ALL {
        let text = body.pointer(&odata_pointer(kind)).and_then(Value::as_str);
        let found = text.and_then(|text| odata::parse_all(kind, text).err()).unwrap_or_default();
        errors.extend(found.into_iter().map(|error| in_text(kind, error)));
    }
    let is_in_text = |pointer: &str| errors.iter().any(|error| error.pointer == pointer);
    let mut all = Faults::from(of_form);
    all.add_new(Faults::from(faults));
    let others = all.into_vec().into_iter().filter(|fault| !is_in_text(&fault.pointer)).map(|fault| FilterError {
        pointer: fault.pointer,
        code: fault.code.to_owned(),
        detail: fault.detail,
        offset: None,
        length: None,
        found: None,
        expected: None,
        suggestion: None,
    });
    let others: Vec<FilterError> = others.collect();
    errors.extend(others);
    let rule = |kind| filter.rule(kind).map(valid_rule);
    Validation {
        valid: errors.is_empty(),
        advanced: EntityKind::ALL.into_iter().any(|kind| filter.rule(kind).is_some_and(|rule| rule.parsed.advanced)),
        users: rule(EntityKind::Users),
        groups: rule(EntityKind::Groups),
        devices: rule(EntityKind::Devices),
        errors,
        warnings: warnings(&filter),
    }
}

fn odata_pointer(kind: EntityKind) -> String {
    format!("/{}/odata", kind.as_str())
}

fn in_text(kind: EntityKind, error: ParseError) -> FilterError {
    FilterError {
        pointer: odata_pointer(kind),
        code: "invalid_filter".to_owned(),
        detail: error.to_string(),
        offset: Some(error.offset),
        length: Some(error.length),
        found: Some(error.found),
        expected: Some(error.expected),
        suggestion: error.suggestion,
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

/// What works and may still surprise: each a sentence.
fn warnings(filter: &Filter) -> Vec<String> {
    let mut warnings = filter.local_only_problems();
    warnings.extend(hints(filter));
    warnings
}

/// What may surprise, apart from what an incremental run cannot see.
pub fn hints(filter: &Filter) -> Vec<String> {
    let mut warnings = Vec::new();
    if filter.users.as_ref().is_some_and(|rule| rule.parsed.select().contains(&"signInActivity")) {
        warnings.push(
            "`signInActivity` needs the Application permission AuditLog.Read.All and a Microsoft Entra ID P1 licence; \
             Graph refuses the whole filter without them."
                .to_owned(),
        );
    }
    for rule in EntityKind::ALL.into_iter().filter_map(|kind| filter.rule(kind)) {
        let requests = rule.parsed.requests().len();
        if requests > 1 {
            let kind = rule.parsed.kind.as_str();
            warnings.push(format!(
                "Graph takes at most 15 values in a list, so the filter of {kind} is read in {requests} parts."
            ));
        }
    }
    if filter.scope.users == ScopeUsers::MembersOfFilteredGroups && filter.groups.is_none() {
        warnings.push(
            "`membersOfFilteredGroups` without a condition on groups takes the members of every group.".to_owned(),
        );
    }
    if filter.scope.users == ScopeUsers::MembersOfFilteredGroups && !filter.scope.group_ids.is_empty() {
        warnings.push("`groupIds` has an effect only with `users: membersOf`.".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_valid_filter_is_shown_as_graph_will_be_asked() {
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
    fn what_may_surprise_is_said() {
        let countries = (0..16).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(",");
        let body = json!({
            "users": {"odata": format!("signInActivity/lastSignInDateTime ge 2026-01-01 and country in ({countries})")},
            "scope": {"users": "membersOfFilteredGroups", "groupIds": ["00000000-0000-4000-8000-000000000001"]},
        });
        let validation = validate(&body, Vec::new());
        assert!(validation.valid);
        assert_eq!(validation.warnings.len(), 5);
    }
}
