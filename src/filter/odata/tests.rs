use super::*;
use crate::filter::expression::{Function, Literal, Operator};
use EntityKind::{Devices, Groups, Roles, Users};
use proptest::prelude::*;

fn text(kind: EntityKind, input: &str) -> String {
    match parse(kind, input) {
        Ok(parsed) => parsed.text().to_owned(),
        Err(error) => panic!("{input}: {error:?}"),
    }
}

fn error(kind: EntityKind, input: &str) -> ParseError {
    match parse(kind, input) {
        Ok(parsed) => panic!("{input} parses as {}", parsed.text()),
        Err(error) => error,
    }
}

/// Filters that administrators use: the text as written, what is sent, whether it is advanced.
const EXAMPLES: &[(EntityKind, &str, &str, bool)] = &[
    (Users, "accountEnabled eq true", "accountEnabled eq true", false),
    (Users, "city eq 'London'", "city eq 'London'", false),
    (Users, "country eq 'Ecuador'", "country eq 'Ecuador'", false),
    (Users, "country eq 'Ecuador' or country eq 'India'", "country eq 'Ecuador' or country eq 'India'", false),
    (Users, "country in ('Ecuador', 'India', 'Germany')", "country in ('Ecuador','India','Germany')", false),
    (Users, "userType eq 'Member'", "userType eq 'Member'", false),
    (
        Users,
        "accountEnabled eq true and userType eq 'Member'",
        "accountEnabled eq true and userType eq 'Member'",
        false,
    ),
    (Users, "department eq 'Engineering'", "department eq 'Engineering'", false),
    (
        Users,
        "userType eq 'Member' and department eq 'Engineering'",
        "userType eq 'Member' and department eq 'Engineering'",
        false,
    ),
    (Users, "usageLocation in ('JP','GB')", "usageLocation in ('JP','GB')", false),
    (
        Users,
        "assignedLicenses/any(s:s/skuId eq c42b9cae-ea4f-4ab7-9717-81576235ccac)",
        "assignedLicenses/any(s:s/skuId eq c42b9cae-ea4f-4ab7-9717-81576235ccac)",
        false,
    ),
    (Groups, "groupTypes/any(c:c+eq+'Unified')", "groupTypes/any(c:c eq 'Unified')", false),
    (Groups, "startswith(displayName, 'team')", "startswith(displayName,'team')", false),
    (Devices, "startswith(displayName,'a')", "startswith(displayName,'a')", false),
    (Devices, "operatingSystem eq 'Windows'", "operatingSystem eq 'Windows'", false),
    // The four that are said not to work elsewhere.
    (Users, "endsWith(mail,'@organization.com')", "endswith(mail,'@organization.com')", true),
    (Users, "NOT(mail eq null)", "not (mail eq null)", true),
    (Users, "mail ne null", "mail ne null", true),
    (
        Users,
        "companyName ne null and NOT(companyName eq 'Microsoft')",
        "companyName ne null and not (companyName eq 'Microsoft')",
        true,
    ),
];

#[test]
fn every_documented_example_parses() {
    for (kind, input, expected, advanced) in EXAMPLES {
        let parsed = parse(*kind, input).unwrap_or_else(|error| panic!("{input}: {error:?}"));
        assert_eq!(parsed.text(), *expected);
        assert_eq!(parsed.advanced, *advanced, "{input}");
        assert_eq!(parsed.requests(), [*expected]);
    }
}

#[test]
fn texts_come_out_in_one_form() {
    for (kind, input, expected) in [
        (Users, "DISPLAYNAME EQ 'x'", "displayName eq 'x'"),
        (Users, "((city eq 'a'))", "city eq 'a'"),
        (Users, "city eq 'a' and (country eq 'b' and state eq 'c')", "city eq 'a' and country eq 'b' and state eq 'c'"),
        (Users, "(city eq 'a' or city eq 'b') and state eq 'c'", "(city eq 'a' or city eq 'b') and state eq 'c'"),
        (Users, "city eq 'a' or city eq 'b' and state eq 'c'", "city eq 'a' or city eq 'b' and state eq 'c'"),
        (Users, "surname eq 'O''Brien'", "surname eq 'O''Brien'"),
        (Users, "surname eq 'a+b%27c'", "surname eq 'a+b%27c'"),
        (Users, "surname eq 'Müller 李'", "surname eq 'Müller 李'"),
        (Users, "createdDateTime ge 2026-01-31", "createdDateTime ge 2026-01-31T00:00:00Z"),
        (Users, "createdDateTime ge '2026-01-31T00:00:00+02:00'", "createdDateTime ge 2026-01-30T22:00:00Z"),
        (Users, "not+city+eq+'a'", "not (city eq 'a')"),
        (Users, "startswith(city,'a') eq false", "not (startswith(city,'a'))"),
        (Users, "startswith(city,'a') eq true", "startswith(city,'a')"),
        (
            Users,
            "assignedLicenses/Any(x:x/skuid eq 'C42B9CAE-EA4F-4AB7-9717-81576235CCAC')",
            "assignedLicenses/any(x:x/skuId eq c42b9cae-ea4f-4ab7-9717-81576235ccac)",
        ),
        (Users, "id eq c42b9cae-ea4f-4ab7-9717-81576235ccac", "id eq 'c42b9cae-ea4f-4ab7-9717-81576235ccac'"),
        (Users, "proxyAddresses/any (p:startsWith(p, 'smtp:'))", "proxyAddresses/any(p:startswith(p,'smtp:'))"),
        (Users, "assignedLicenses/$count eq 0", "assignedLicenses/$count eq 0"),
        (Groups, "owners/$count eq 0", "owners/$count eq 0"),
        (Groups, "resourceProvisioningOptions/Any(x:x eq 'Team')", "resourceProvisioningOptions/any(x:x eq 'Team')"),
        (
            Users,
            "onPremisesExtensionAttributes/extensionAttribute1 eq 'x'",
            "onPremisesExtensionAttributes/extensionAttribute1 eq 'x'",
        ),
        (
            Users,
            "extension_0123456789abcdef0123456789abcdef_cost eq 42",
            "extension_0123456789abcdef0123456789abcdef_cost eq 42",
        ),
        (Users, "country in ('a','a','b')", "country in ('a','b')"),
        (
            Users,
            "signInActivity/lastSignInDateTime le 2026-01-01T00:00:00Z",
            "signInActivity/lastSignInDateTime le 2026-01-01T00:00:00Z",
        ),
    ] {
        assert_eq!(text(kind, input), expected);
        assert_eq!(text(kind, expected), expected);
    }
}

#[test]
fn what_needs_an_advanced_query_is_known() {
    for (kind, input, advanced) in [
        (Users, "city ne 'a'", true),
        (Users, "city eq null", true),
        (Users, "officeLocation eq 'a'", true),
        (Users, "startswith(mobilePhone,'254')", true),
        (Users, "assignedLicenses/$count eq 0", true),
        (Users, "createdDateTime ge 2026-01-01 and createdDateTime le 2026-02-01", false),
        (Users, "onPremisesSyncEnabled eq true", false),
        (Users, "proxyAddresses/any(p:endswith(p,'contoso.com'))", true),
        (Users, "proxyAddresses/any(p:startswith(p,'smtp:'))", false),
        (Groups, "securityEnabled eq true and mailEnabled eq false", false),
        (Groups, "not groupTypes/any(c:c eq 'Unified')", true),
        (Devices, "approximateLastSignInDateTime ge 2026-01-01", false),
        (Devices, "extensionAttributes/extensionAttribute3 eq 'BYOD'", true),
        // Null in a list.
        (Users, "companyName in (null, 'Microsoft')", true),
        (Users, "city in (null, 'Berlin')", true),
        (Groups, "hasMembersWithLicenseErrors in (true, null)", false),
        // What Microsoft's table calls default is not made advanced.
        (Groups, "hasMembersWithLicenseErrors eq true", false),
        (Groups, "isAssignableToRole eq true", false),
        (Users, "identities/any(c:c/issuerAssignedId eq 'x' and c/issuer eq 'y')", false),
        (Users, "creationType eq 'Invitation'", false),
        (Users, "manager/id eq '5e7ad4a1-8a06-4b29-9a4f-2f0a5c5e9c11'", false),
        // Certificates, in both spellings.
        (Users, "certificateUserIds/any(x:x eq '9876543210@mil')", true),
        (Users, "authorizationInfo/certificateUserIds/any(x:x eq '9876543210@mil')", true),
        (Users, "authorizationInfo/certificateUserIds/any(x:startswith(x,'98765'))", true),
        // Licences in an `or`.
        (
            Users,
            "assignedLicenses/any(u:u/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965) or (userType eq 'Guest')",
            true,
        ),
        (
            Users,
            "accountEnabled eq true and (assignedLicenses/any(u:u/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965) or city eq 'a')",
            true,
        ),
        (
            Users,
            "accountEnabled eq true and assignedLicenses/any(u:u/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)",
            false,
        ),
        // Names that a tenant makes.
        (Groups, "ext123abcd_custom/field eq '123'", true),
        (Users, "ext123abcd_custom/field ne 5 and ext123abcd_custom/other eq null", true),
        (Users, "customSecurityAttributes/Engineering/Project eq 'Baker'", true),
        (Users, "extension_4750531c75d84e8698ecd21bbd5da9f5_fruitPreference/any(p:p eq 'apple')", false),
        (Users, "extension_4750531c75d84e8698ecd21bbd5da9f5_scores/any(p:p eq 42)", false),
        (Users, "ownedObjects/$count ne 1", true),
    ] {
        assert_eq!(parse(kind, input).unwrap().advanced, advanced, "{input}");
    }
    let long = format!("city eq '{}'", "x".repeat(121));
    assert!(parse(Users, &long).unwrap().advanced);
}

#[test]
fn errors_point_to_the_place() {
    let inputs = [
        (Users, ""),
        (Users, "  "),
        (Users, "departmnet eq 'Engineering'"),
        (Users, "department = 'Engineering'"),
        (Users, "department eq Engineering"),
        (Users, "department eq 'Engineering"),
        (Users, "department eq %27Engineering%27"),
        (Users, "department eq ‘Engineering’"),
        (Users, "accountEnabled"),
        (Users, "accountEnabled eq 'true'"),
        (Users, "accountEnabled eq true and"),
        (Users, "accountEnabled eq true city eq 'a'"),
        (Users, "(accountEnabled eq true"),
        (Users, "accountEnabled eq true)"),
        (Users, "city eq 'a' && state eq 'b'"),
        (Users, "contains(displayName,'x')"),
        (Users, "startwith(displayName,'x')"),
        (Users, "endswith(city,'x')"),
        (Users, "city/any(x:x eq 'a')"),
        (Users, "assignedLicenses eq null"),
        (Users, "assignedLicenses/any(x:skuId eq null)"),
        (Users, "assignedLicenses/any(x:x eq 'a')"),
        (Users, "assignedLicenses/any(x:x/sku eq 'a')"),
        (Users, "proxyAddresses/all(x:startswith(x,'smtp:'))"),
        (Users, "proxyAddresses/$count eq 1"),
        (Users, "businessPhones/$count eq 0"),
        (Users, "externalUserState eq null"),
        (Users, "signInActivity/lastSignInDateTime le 2023-01-01T00:00:00Z and accountEnabled eq true"),
        (Users, "userType in ('Guest',null) and userPrincipalName in ('a',null)"),
        (Users, "$filter=accountEnabled eq true"),
        (Users, "?$filter=accountEnabled eq true&$top=5"),
        (Users, "https://graph.microsoft.com/v1.0/users?$filter=city eq 'a'"),
        (Users, "accountEnabled eq true&$select=id"),
        (Users, "accountEnabled eq true&$count=true&$select=id"),
        (Users, "assignedLicenses/any()"),
        (Users, "assignedLicenses/$count gt 0"),
        (Users, "assignedLicenses/$count eq 2"),
        (Users, "city/$count eq 0"),
        (Users, "createdDateTime ge '01.02.2026'"),
        (Users, "id ge 'a'"),
        (Users, "city gt null"),
        (Users, "userPrincipalName eq null"),
        (Users, "country in ()"),
        (Users, "country in 'a'"),
        (Users, "memberOf/any(x:x/id eq 'a')"),
        (Users, "licenseAssignmentStates/any(x:x/state eq 'Active')"),
        (Users, "manager/displayName eq 'a'"),
        (Groups, "createdDateTime ge 2021-11-01"),
        (Groups, "visibility eq 'Private'"),
        (Groups, "owners/any(x:x/id eq 'a')"),
        (Users, "'Engineering' eq department"),
        (Users, "surname eq 'Müller' and ciyt eq 'x'"),
    ];
    let lines: Vec<String> = inputs
        .iter()
        .map(|(kind, input)| {
            let ParseError { offset, length, found, expected, suggestion, message } = error(*kind, input);
            format!("{input:?}\n  {offset}+{length} found {found:?} expected {expected:?} suggestion {suggestion:?}\n  {message}")
        })
        .collect();
    insta::assert_snapshot!("errors", lines.join("\n"));
}

#[test]
fn every_wrong_property_is_named_at_once() {
    let errors = parse_all(Users, "ciyt eq 'a' and accountEnabled eq 'yes' or shoe eq 1").unwrap_err();
    assert_eq!(errors.iter().map(|error| error.offset).collect::<Vec<_>>(), [0, 34, 43]);
}

#[test]
fn places_are_counted_in_characters() {
    let error = error(Users, "surname eq 'Müller李' and ciyt eq 'x'");
    assert_eq!((error.offset, error.length, error.suggestion.as_deref()), (25, 4, Some("city")));
}

#[test]
fn the_longest_text_parses_and_a_longer_one_is_refused() {
    let base = "city eq ''";
    let longest = format!("city eq '{}'", "x".repeat(MAX_LENGTH - base.len()));
    assert_eq!(longest.len(), MAX_LENGTH);
    assert!(parse(Users, &longest).is_ok());
    let error = error(Users, &format!("{longest} "));
    assert_eq!((error.offset, error.length), (MAX_LENGTH, 1));
}

#[test]
fn nesting_ends_at_64_without_a_deep_stack() {
    let nested = |depth: usize| format!("{}startswith(city,'a'){}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(Users, &nested(64)).is_ok());
    assert_eq!(error(Users, &nested(65)).offset, 64);
    let negated = |depth: usize| format!("{}city eq 'a'", "not ".repeat(depth));
    assert!(parse(Users, &negated(64)).is_ok());
    assert_eq!(error(Users, &negated(65)).offset, 64 * 4);
    let printed = text(Users, &negated(64));
    assert_eq!(text(Users, &printed), printed);
    for endless in
        ["(".repeat(8192), "not ".repeat(2048), "a/any(x:".repeat(1024), ")".repeat(8192), "not(".repeat(2048)]
    {
        assert!(parse(Users, &endless).is_err());
    }
    let wide = vec!["city eq 'a'"; 500].join(" and ");
    assert!(parse(Users, &wide).is_ok());
}

fn values(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("'{n}'")).collect::<Vec<_>>().join(",")
}

#[test]
fn a_long_list_becomes_several_requests() {
    let list = |range| format!("country in ({})", values(range));
    assert_eq!(parse(Users, &list(0..15)).unwrap().requests().len(), 1);
    let parsed = parse(Users, &list(0..16)).unwrap();
    assert_eq!(parsed.requests(), [list(0..15), list(15..16)]);
    let parsed = parse(Users, &format!("accountEnabled eq true and {}", list(0..31))).unwrap();
    let expected: Vec<String> =
        [0..15, 15..30, 30..31].map(|range| format!("accountEnabled eq true and {}", list(range))).into();
    assert_eq!(parsed.requests(), expected);
    let both = format!("{} and {}", list(0..16), list(0..31).replace("country", "city"));
    assert_eq!(parse(Users, &both).unwrap().requests().len(), 6);
}

#[test]
fn a_long_list_that_cannot_be_split_is_explained() {
    let list = format!("country in ({})", values(0..16));
    for input in [
        format!("city eq 'a' or {list}"),
        format!("not ({list})"),
        format!("businessPhones/any(x:x in ({}))", values(0..16)),
    ] {
        let error = error(Users, &input);
        assert!(error.message.contains("at most 15"), "{}", error.message);
        assert_eq!(error.offset, input.find("('").unwrap());
    }
    let many = |name: &str| format!("{name} in ({})", values(0..300));
    let error = error(Users, &format!("{} and {}", many("country"), many("city")));
    assert!(error.message.contains("400 requests"), "{}", error.message);
}

#[test]
fn a_long_disjunction_is_split_like_a_list() {
    let clauses: Vec<String> = (0..20).map(|n| format!("city eq '{n}'")).collect();
    let parsed = parse(Users, &clauses.join(" or ")).unwrap();
    assert_eq!(parsed.requests(), [clauses[..15].join(" or "), clauses[15..].join(" or ")]);
}

#[test]
fn what_delta_cannot_see_is_named() {
    let parsed = parse(Users, "signInActivity/lastSignInDateTime ge 2026-01-01").unwrap();
    assert_eq!(parsed.properties(), ["signInActivity/lastSignInDateTime"]);
    assert_eq!(parsed.select(), ["signInActivity"]);
    assert_eq!(parsed.not_in_delta(), ["signInActivity/lastSignInDateTime"]);
    assert!(parsed.local_only_problem().unwrap().contains("signInActivity"));
    // What Graph returns nowhere is not selected.
    let parsed = parse(Users, "accountEnabled eq true and manager/id eq 'a'").unwrap();
    assert_eq!((parsed.select(), parsed.select_in_delta()), (vec!["accountEnabled"], vec!["accountEnabled"]));
    assert_eq!(parsed.not_in_delta(), ["manager/id"]);
    let parsed = parse(Users, "customSecurityAttributes/Engineering/Project eq 'Baker' and city eq 'a'").unwrap();
    assert_eq!(parsed.select(), ["city", "customSecurityAttributes"]);
    assert_eq!(parsed.select_in_delta(), ["city"]);
    assert_eq!(parse(Users, "city eq 'a'").unwrap().local_only_problem(), None);
}

#[test]
fn what_graph_returns_nowhere_is_decided_by_graph_alone() {
    for (kind, input, only_graph) in [
        (Groups, "owners/$count eq 0", true),
        (Groups, "mailEnabled eq true and not (owners/$count eq 1)", true),
        (Groups, "hasMembersWithLicenseErrors eq true", true),
        (Groups, "createdByAppId eq 'a' or displayName eq 'b'", true),
        (Users, "ownedObjects/$count eq 0", true),
        (Users, "manager/id eq 'a'", true),
        (Users, "licenseDetails/any(x:x/id eq 'a')", true),
        // In lists, so what is read of an object decides.
        (Users, "signInActivity/lastSignInDateTime ge 2026-01-01", false),
        (Users, "assignedLicenses/$count eq 0", false),
        (Groups, "mailEnabled eq true", false),
    ] {
        assert_eq!(parse(kind, input).unwrap().only_graph_decides(), only_graph, "{input}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9 '+%/()]{0,12}", "\\PC{0,8}"]
}

fn condition(any_text: fn() -> BoxedStrategy<String>) -> impl Strategy<Value = Expression> {
    let operators = prop::sample::select(Operator::ALL.to_vec());
    let texts = prop::sample::select(vec![
        "city",
        "department",
        "companyName",
        "mail",
        "onPremisesExtensionAttributes/extensionAttribute2",
    ]);
    let compare = (texts.clone(), operators.clone(), any_text()).prop_map(|(path, operator, value)| {
        Expression::Compare { path: path.into(), operator, value: Literal::String(value) }
    });
    let null = (texts.clone(), any::<bool>()).prop_map(|(path, is_equal)| Expression::Compare {
        path: path.into(),
        operator: if is_equal { Operator::Eq } else { Operator::Ne },
        value: Literal::Null,
    });
    let boolean = any::<bool>().prop_map(|value| Expression::Compare {
        path: "accountEnabled".into(),
        operator: Operator::Eq,
        value: Literal::Boolean(value),
    });
    let date = (operators, 0i64..4_000_000_000_000).prop_map(|(operator, millis)| Expression::Compare {
        path: "createdDateTime".into(),
        operator,
        value: Literal::DateTime(chrono::DateTime::from_timestamp_millis(millis).unwrap()),
    });
    let list = (prop::collection::btree_set(any_text(), 1..6), any::<bool>()).prop_map(|(values, null)| {
        let null = null.then_some(Literal::Null);
        let values = values.into_iter().map(Literal::String).chain(null).collect();
        Expression::In { path: "country".into(), values }
    });
    let function = (any::<bool>(), any_text()).prop_map(|(starts, value)| Expression::Function {
        function: if starts { Function::StartsWith } else { Function::EndsWith },
        path: "mail".into(),
        value,
    });
    let license = any::<[u8; 16]>().prop_map(|bytes| Expression::Lambda {
        path: "assignedLicenses".into(),
        variable: "x".into(),
        body: Box::new(Expression::Compare {
            path: "skuId".into(),
            operator: Operator::Eq,
            value: Literal::Guid(uuid::Uuid::from_bytes(bytes)),
        }),
    });
    let address = any_text().prop_map(|value| Expression::Lambda {
        path: "proxyAddresses".into(),
        variable: "x".into(),
        body: Box::new(Expression::or(vec![
            Expression::Function { function: Function::StartsWith, path: String::new(), value: value.clone() },
            Expression::Not(Box::new(Expression::Compare {
                path: String::new(),
                operator: Operator::Eq,
                value: Literal::String(value),
            })),
        ])),
    });
    let count = (0i64..2, any::<bool>()).prop_map(|(value, is_equal)| Expression::Count {
        path: if value == 0 { "assignedLicenses" } else { "ownedObjects" }.into(),
        operator: if is_equal { Operator::Eq } else { Operator::Ne },
        value,
    });
    prop_oneof![compare, null, boolean, date, list, function, license, address, count]
}

/// Filters of users that Graph takes, with any text in their values.
pub(crate) fn expressions() -> impl Strategy<Value = Expression> {
    expressions_with(|| any_text().boxed())
}

/// Filters of users that Graph takes, with such texts.
pub(crate) fn expressions_with(texts: fn() -> BoxedStrategy<String>) -> impl Strategy<Value = Expression> {
    condition(texts).prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::or),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_what_was_printed_gives_the_same(expression in expressions()) {
        let text = expression.to_string();
        let parsed = parse(Users, &text).map_err(|error| TestCaseError::fail(format!("{text}: {error:?}")))?;
        prop_assert_eq!(&parsed.expression, &expression);
        prop_assert_eq!(parsed.text(), text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        if let Err(errors) = parse_all(Users, &text) {
            let length = text.chars().count();
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.iter().all(|error| error.offset + error.length <= length), "{errors:?}");
        }
    }

    #[test]
    fn no_sequence_of_tokens_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "city", "accountEnabled", "assignedLicenses", "/", "any", "(", ")", "x", ":", "skuId", "eq", "ne", "in", "and", "or",
            "not", "null", "true", "'a'", ",", "5", "$count", "2026-01-01", "startswith", "+", "'", "%27", "é",
        ]), 0..40)
    ) {
        let text = parts.join(" ");
        if let Ok(parsed) = parse(Users, &text) {
            prop_assert_eq!(parse(Users, parsed.text()).unwrap().expression, parsed.expression);
        }
    }

    /// The union of the requests is the filter.
    #[test]
    fn the_requests_together_are_the_filter(
        expression in expressions(), countries in prop::collection::btree_set("[a-c]{1,3}", 1..35), city in "[a-c]", country in "[a-c]{1,3}",
    ) {
        let list = Expression::In { path: "country".into(), values: countries.into_iter().map(Literal::String).collect() };
        let whole = Expression::and(vec![list, expression]);
        let parsed = parse(Users, &whole.to_string()).unwrap();
        let user = serde_json::json!({ "country": country, "city": city, "accountEnabled": true });
        let user = user.as_object().unwrap();
        let united = parsed.requests().iter().any(|request| {
            crate::filter::eval::matches(&parse(Users, request).unwrap().expression, user)
        });
        prop_assert_eq!(united, crate::filter::eval::matches(&parsed.expression, user));
    }
}

#[test]
fn roles_are_filtered_as_the_page_of_their_list_says() {
    assert_eq!(
        text(Roles, "isBuiltIn eq false or displayName in ('A','B')"),
        "isBuiltIn eq false or displayName in ('A','B')"
    );
    for refused in [
        "isBuiltIn ne true",
        "not (isBuiltIn eq true)",
        "startswith(displayName,'A')",
        "displayName eq null",
        "isEnabled eq true",
        "extension_00000000000000000000000000000000_x eq 'a'",
        &format!("displayName eq '{}'", "a".repeat(121)),
    ] {
        assert!(parse(Roles, refused).is_err(), "{refused}");
    }
    assert_eq!(error(Roles, "isBuiltIn ne true").expected, ["eq", "in"]);
}
