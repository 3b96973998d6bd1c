use super::*;
use crate::filter::EntityKind;
use crate::filter::odata::parse;
use crate::filter::odata::tests::expressions_with;
use proptest::prelude::*;
use serde_json::json;

fn holds_for(filter: &str, object: Value) -> bool {
    let parsed = parse(EntityKind::Users, filter).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
    matches(&parsed.expression, object.as_object().unwrap())
}

#[test]
fn texts_are_compared_without_regard_to_case() {
    let user = || json!({ "department": "ENGINEERING", "mail": "A.Müller@Contoso.COM" });
    for filter in [
        "department eq 'engineering'",
        "department in ('x','Engineering')",
        "startswith(department,'eng')",
        "endswith(mail,'@contoso.com')",
        "startswith(mail,'a.MÜLLER')",
        "department ge 'engineer' and department le 'F'",
    ] {
        assert!(holds_for(filter, user()), "{filter}");
    }
    assert!(!holds_for("department ne 'engineering'", user()));
    assert!(holds_for("surname eq 'ΠΑΠΑΔΆΚΗΣ'", json!({ "surname": "Παπαδάκης" })));
    assert!(!holds_for("surname eq 'Yilmaz'", json!({ "surname": "Yılmaz" })));
}

#[test]
fn null_equals_only_null_and_has_no_order() {
    for user in [json!({}), json!({ "city": null })] {
        for (filter, expected) in [
            ("city eq null", true),
            ("city ne null", false),
            ("city eq 'a'", false),
            ("city ne 'a'", true),
            ("not (city eq 'a')", true),
            ("city ge 'a'", false),
            ("city le 'a'", false),
            ("startswith(city,'')", false),
            ("city in ('a')", false),
            ("assignedLicenses/$count eq 0", true),
            ("city in (null,'a')", true),
            ("proxyAddresses/any(p:p eq 'x')", false),
        ] {
            assert_eq!(holds_for(filter, user.clone()), expected, "{filter}");
        }
    }
    assert!(!holds_for("city eq null", json!({ "city": "" })));
}

#[test]
fn parts_collections_and_dates() {
    let user = || {
        json!({
            "accountEnabled": true,
            "createdDateTime": "2026-01-31T08:00:00.5Z",
            "onPremisesExtensionAttributes": { "extensionAttribute1": "Blue" },
            "signInActivity": { "lastSignInDateTime": "2025-12-31T23:00:00Z" },
            "assignedLicenses": [{ "skuId": "C42B9CAE-EA4F-4AB7-9717-81576235CCAC", "disabledPlans": [] }],
            "proxyAddresses": ["SMTP:a@contoso.com", "smtp:b@contoso.com"],
            "extension_0123456789abcdef0123456789abcdef_cost": 42,
            "extension_0123456789abcdef0123456789abcdef_fruit": ["Apple"],
            "ext123abcd_custom": { "field": "a" },
        })
    };
    for (filter, expected) in [
        ("accountEnabled eq true", true),
        ("accountEnabled ne true", false),
        ("createdDateTime ge 2026-01-31 and createdDateTime lt 2026-02-01", true),
        ("createdDateTime eq 2026-01-31T09:00:00.5+01:00", true),
        ("onPremisesExtensionAttributes/extensionAttribute1 eq 'blue'", true),
        ("signInActivity/lastSignInDateTime le 2026-01-01", true),
        ("assignedLicenses/any(x:x/skuId eq c42b9cae-ea4f-4ab7-9717-81576235ccac)", true),
        ("assignedLicenses/$count ne 0", true),
        ("proxyAddresses/any(p:endswith(p,'B@CONTOSO.com'))", true),
        ("proxyAddresses/any(p:not startswith(p,'smtp:'))", false),
        ("ext123abcd_custom/field eq 'A'", true),
        ("extension_0123456789abcdef0123456789abcdef_fruit/any(p:p eq 'apple')", true),
        ("extension_0123456789abcdef0123456789abcdef_fruit/any(p:p eq 'pear')", false),
        ("extension_0123456789abcdef0123456789abcdef_cost ge 42", true),
        ("extension_0123456789abcdef0123456789abcdef_cost eq '42'", false),
    ] {
        assert_eq!(holds_for(filter, user()), expected, "{filter}");
    }
}

/// Few texts, so that filters and users meet.
fn few_texts() -> BoxedStrategy<String> {
    prop::sample::select(vec!["", "a", "A", "ab", "B", "ba", "ä", "Ä", "a'b"]).prop_map(str::to_owned).boxed()
}

fn users() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(few_texts());
    let names = (text(), text(), text(), text(), text(), text());
    let lists = (prop::collection::vec(few_texts(), 0..3), prop::collection::vec(any::<[u8; 16]>(), 0..2));
    (names, any::<Option<bool>>(), 0i64..4_000_000_000_000, lists).prop_map(
        |((city, department, company, mail, attribute, country), enabled, created, (addresses, licenses))| {
            let mut user = json!({
                "department": department, "companyName": company, "mail": mail, "country": country,
                "accountEnabled": enabled, "proxyAddresses": addresses,
                "onPremisesExtensionAttributes": { "extensionAttribute2": attribute },
                "createdDateTime": chrono::DateTime::from_timestamp_millis(created).unwrap().to_rfc3339(),
                "assignedLicenses": licenses.iter().map(|id| json!({ "skuId": Uuid::from_bytes(*id) })).collect::<Vec<_>>(),
            });
            if let Some(city) = city {
                user["city"] = json!(city);
            }
            user
        },
    )
}

/// The same rules written another way: everything becomes a text that sorts as its value does.
fn naive(expression: &Expression, value: &Value) -> bool {
    fn key(value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(match chrono::DateTime::parse_from_rfc3339(text) {
                Ok(instant) => format!("{:020}", instant.timestamp_millis()),
                Err(_) => text.to_lowercase(),
            }),
            other => Some(other.to_string()),
        }
    }
    fn wanted(literal: &Literal) -> Option<String> {
        match literal {
            Literal::Null => None,
            Literal::String(text) => Some(text.to_lowercase()),
            Literal::DateTime(instant) => Some(format!("{:020}", instant.timestamp_millis())),
            other => Some(other.to_string()),
        }
    }
    let at = |path: &str| {
        let pointer = if path.is_empty() { String::new() } else { format!("/{path}") };
        value.pointer(&pointer).cloned().unwrap_or(Value::Null)
    };
    let list = |path: &str| at(path).as_array().cloned().unwrap_or_default();
    match expression {
        Expression::And(parts) => !parts.iter().any(|part| !naive(part, value)),
        Expression::Or(parts) => !parts.iter().all(|part| !naive(part, value)),
        Expression::Not(inner) => !naive(inner, value),
        Expression::Compare { path, operator, value } => {
            let (left, right) = (key(&at(path)), wanted(value));
            let both = left.is_some() && right.is_some();
            match operator {
                Operator::Eq => left == right,
                Operator::Ne => left != right,
                Operator::Gt => both && left > right,
                Operator::Ge => both && left >= right,
                Operator::Lt => both && left < right,
                Operator::Le => both && left <= right,
            }
        }
        Expression::In { path, values } => values.iter().any(|value| key(&at(path)) == wanted(value)),
        Expression::Function { function, path, value } => {
            let Some(text) = key(&at(path)) else { return false };
            let value = value.to_lowercase();
            match function {
                Function::StartsWith => text.find(&value) == Some(0),
                Function::EndsWith => text.rfind(&value).is_some_and(|found| found + value.len() == text.len()),
                Function::Contains => text.contains(&value),
            }
        }
        Expression::Lambda { path, body, .. } => list(path).iter().filter(|element| naive(body, element)).count() > 0,
        Expression::Count { path, operator, value } => {
            (list(path).len() as i64 == *value) == (*operator == Operator::Eq)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_evaluation_agrees_with_a_naive_one(expression in expressions_with(few_texts), user in users()) {
        let holds = matches(&expression, user.as_object().unwrap());
        prop_assert_eq!(holds, naive(&expression, &user), "{} over {}", expression, user);
    }
}
