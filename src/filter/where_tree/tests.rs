use super::*;
use crate::filter::odata;
use crate::filter::odata::tests::expressions;
use proptest::prelude::*;
use serde_json::json;

fn compile(kind: EntityKind, tree: &Value) -> Result<Parsed, Vec<(String, &'static str)>> {
    let mut faults = Faults::default();
    let parsed = parse(kind, tree, "/users/where", &mut faults);
    match faults.into_result() {
        Ok(()) => Ok(parsed.expect("no faults, so a filter")),
        Err(error) => Err(error.faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()),
    }
}

#[test]
fn a_tree_compiles_to_a_filter_text() {
    let tree = json!({"all": [
        {"property": "department", "operator": "eq", "value": "Engineering"},
        {"not": {"property": "userType", "operator": "eq", "value": "Guest"}},
        {"any": [{"property": "country", "operator": "in", "value": ["DE", "FR"]},
                 {"property": "mail", "operator": "endsWith", "value": "@contoso.com"}]},
        {"property": "assignedLicenses", "any": {"property": "skuId", "operator": "eq", "value": "05e9a617-0261-4cee-bb44-138d3ef5d965"}},
        {"property": "proxyAddresses", "any": {"operator": "startsWith", "value": "smtp:"}},
        {"property": "createdDateTime", "operator": "ge", "value": "2026-01-01"},
        {"property": "accountEnabled", "operator": "eq", "value": true},
        {"property": "city", "operator": "ne", "value": null},
        {"property": "assignedLicenses/$count", "operator": "ne", "value": 0}]});
    let parsed = compile(EntityKind::Users, &tree).unwrap();
    assert_eq!(
        parsed.text(),
        "department eq 'Engineering' and not (userType eq 'Guest') and (country in ('DE','FR') or \
         endswith(mail,'@contoso.com')) and assignedLicenses/any(x:x/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965) and \
         proxyAddresses/any(x:startswith(x,'smtp:')) and createdDateTime ge 2026-01-01T00:00:00Z and accountEnabled eq \
         true and city ne null and assignedLicenses/$count ne 0"
    );
    assert!(parsed.advanced);
}

#[test]
fn every_fault_has_a_pointer() {
    let tree = json!({"all": [
        {"property": "departmnet", "operator": "eq", "value": "x"},
        {"property": "city", "operator": "equals", "value": "x"},
        {"property": "city", "operator": "eq"},
        {"property": "accountEnabled", "operator": "eq", "value": "yes"},
        {"property": "city", "operator": "eq", "value": "x", "extra/field": 1},
        {"any": []},
        {"property": "city", "operator": "in", "value": "x"},
        {"property": "city", "any": {"operator": "eq", "value": "x"}},
        7,
        {"property": "city", "operator": "eq", "value": 1.5},
        {}]});
    let mut faults = compile(EntityKind::Users, &tree).unwrap_err();
    faults.sort();
    let at = |rest: &str| format!("/users/where/all/{rest}");
    let expected = [
        (at("0/property"), "invalid_filter"),
        (at("1/operator"), "invalid_value"),
        (at("10/operator"), "required"),
        (at("10/property"), "required"),
        (at("10/value"), "required"),
        (at("2/value"), "required"),
        (at("3/value"), "invalid_filter"),
        (at("4/extra~1field"), "unknown_field"),
        (at("5/any"), "required"),
        (at("6/value"), "invalid_type"),
        (at("7/property"), "invalid_filter"),
        (at("8"), "invalid_type"),
        (at("9/value"), "invalid_type"),
    ];
    assert_eq!(faults, expected);
    let tree = json!({"property": "id", "operator": "ge", "value": "yes"});
    assert_eq!(
        compile(EntityKind::Users, &tree).unwrap_err(),
        [("/users/where/operator".to_owned(), "invalid_filter")]
    );
}

#[test]
fn deep_and_long_trees_are_refused() {
    let leaf = json!({"property": "city", "operator": "eq", "value": "a"});
    let nested = |depth| (0..depth).fold(leaf.clone(), |inner, _| json!({ "not": inner }));
    let parsed = compile(EntityKind::Users, &nested(64)).unwrap();
    assert!(odata::parse(EntityKind::Users, parsed.text()).is_ok());
    assert_eq!(compile(EntityKind::Users, &nested(65)).unwrap_err()[0].1, "invalid_filter");
    let long = json!({"property": "city", "operator": "eq", "value": "a".repeat(MAX_LENGTH)});
    assert_eq!(compile(EntityKind::Users, &long).unwrap_err(), [("/users/where".to_owned(), "invalid_filter")]);
}

#[test]
fn a_group_under_its_name_elsewhere_says_its_name_here() {
    let leaf = json!({"property": "city", "operator": "eq", "value": "a"});
    for (written, meant) in [("and", "all"), ("or", "any"), ("AND", "all"), ("$or", "any"), ("allOf", "all")] {
        let mut faults = Faults::default();
        let tree = json!({"all": [{ written: [leaf] }]});
        assert!(parse(EntityKind::Users, &tree, "/users/where", &mut faults).is_none());
        let faults = faults.into_vec();
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!(
            (fault.pointer.as_str(), fault.code),
            (format!("/users/where/all/0/{written}").as_str(), "unknown_field")
        );
        assert!(fault.detail.contains(&format!("write `{meant}`")), "{}", fault.detail);
    }
}

#[test]
fn all_over_the_elements_is_refused_as_graph_refuses_it() {
    let tree = json!({"property": "proxyAddresses", "all": {"operator": "startsWith", "value": "smtp:"}});
    let mut faults = Faults::default();
    assert!(parse(EntityKind::Users, &tree, "/where", &mut faults).is_none());
    assert!(faults.into_vec()[0].detail.contains("Graph does not support `all`"));
}

proptest! {
    #[test]
    fn structured_text_parses_and_the_tree_comes_back(expression in expressions()) {
        let tree = serde_json::to_value(from_expression(&expression)).unwrap();
        let parsed = compile(EntityKind::Users, &tree)
            .map_err(|faults| TestCaseError::fail(format!("{tree}: {faults:?}")))?;
        prop_assert_eq!(&parsed.expression, &expression);
        prop_assert_eq!(odata::parse(EntityKind::Users, parsed.text()).unwrap(), parsed);
        let typed: Where = serde_json::from_value(tree).unwrap();
        prop_assert_eq!(typed, from_expression(&expression));
    }
}
