//! What is wrong with a filter is said with its place; nothing panics.

use super::{post, post_text};
use crate::support::test_app::TestApp;
use crate::support::world::World;
use serde_json::{Value, json};

/// The text of a condition on users, and where it is wrong: offset, length, what was found, the suggestion.
const WRONG: &[(&str, usize, usize, &str, Option<&str>)] = &[
    ("departmnet eq 'Engineering'", 0, 10, "departmnet", Some("department")),
    ("department eq 'Engineering", 14, 12, "'Engineering", None),
    ("department eq %27Engineering%27", 14, 3, "%27", Some("'")),
    ("department eq ‘Engineering’", 14, 1, "‘", Some("'")),
    ("surname eq 'Müller李😀' and ciyt eq 'x'", 26, 4, "ciyt", Some("city")),
    ("city/any(x:x eq 'a')", 0, 4, "city", Some("city eq …")),
    ("accountEnabled eq 'true'", 18, 6, "'true'", Some("true")),
    ("createdDateTime ge 'yesterday'", 19, 11, "'yesterday'", None),
    ("accountEnabled eq true and", 26, 0, "the end of the text", None),
    ("country in ()", 12, 1, ")", None),
    ("memberOf/any(x:x/id eq 'a')", 0, 8, "memberOf", None),
    ("city eq 'a' && state eq 'b'", 12, 2, "&&", Some("and")),
];

async fn api() -> TestApp {
    TestApp::over(World::new(20, 4).await)
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_error_of_a_text_points_to_its_place() {
    let api = api().await;
    let mut wrong = Vec::new();
    for (text, offset, length, found, suggestion) in WRONG {
        let body = json!({"name": "Wrong", "users": {"odata": text}});
        let (status, verdict) = post(&api, "/v1/filters/validate", &body).await;
        assert_eq!((status, &verdict["valid"]), (200, &json!(false)), "{text}");
        let error = &verdict["errors"][0];
        let place = (&error["offset"], &error["length"], &error["found"], &error["suggestion"]);
        let expected = (&json!(offset), &json!(length), &json!(found), &json!(suggestion));
        if place != expected || error["pointer"] != "/users/odata" {
            wrong.push(format!("{text}: {error}"));
        }
        let (status, problem) = post(&api, "/v1/filters", &body).await;
        assert_eq!((status, pointers(&problem)), (422, vec!["/users/odata"]), "{text}");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("At character {}: ", offset + 1)), "{detail}");
        for name in ["pointer", "code", "detail", "offset", "length", "suggestion"] {
            assert_eq!(problem["errors"][0][name], error[name], "{text}: {name}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_is_too_long_or_too_deep_is_refused_and_the_service_goes_on() {
    let api = api().await;
    let long = format!("city eq '{}'", "x".repeat(8 * 1024));
    let deep = |open: &str, close: &str, levels: usize| {
        format!("{}startswith(city,'a'){}", open.repeat(levels), close.repeat(levels))
    };
    for (text, offset) in [
        (long, 8192),
        (deep("(", ")", 65), 64),
        (deep("(", ")", 4000), 64),
        (deep("not ", "", 2000), 256),
        ("assignedLicenses/any(x:".repeat(350), 64 * 23 + 20),
    ] {
        let body = json!({"name": "Deep", "users": {"odata": text}});
        let (status, verdict) = post(&api, "/v1/filters/validate", &body).await;
        assert_eq!(status, 200);
        assert_eq!(verdict["errors"][0]["offset"], offset, "{}", verdict["errors"]);
        let (status, problem) = post(&api, "/v1/filters", &body).await;
        assert_eq!((status, pointers(&problem)), (422, vec!["/users/odata"]));
    }
    let tree = |levels: usize| {
        let inner = r#"{"property":"city","operator":"eq","value":"a"}"#;
        format!(r#"{{"users":{{"where":{}{inner}{}}}}}"#, r#"{"not":"#.repeat(levels), "}".repeat(levels))
    };
    let (status, verdict) = post_text(&api, "/v1/filters/validate", tree(64)).await;
    assert_eq!((status, &verdict["valid"]), (200, &json!(true)), "{verdict}");
    let (status, verdict) = post_text(&api, "/v1/filters/validate", tree(70)).await;
    assert_eq!((status, &verdict["valid"]), (200, &json!(false)));
    assert!(verdict["errors"][0]["pointer"].as_str().unwrap().starts_with("/users/where/not/not"), "{verdict}");
    let (status, problem) = post_text(&api, "/v1/filters/validate", tree(10_000)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_json")));
}

/// What is wrong is said in the same words before it is saved and when it is saved.
#[tokio::test]
async fn validating_and_saving_agree_on_what_is_wrong() {
    let api = api().await;
    for filter in [
        json!({"users": {"odata": 7}, "limits": {"maxUsers": 0}, "extra": true}),
        json!({"scope": {"users": "some", "groupIds": ["x"], "transitive": "yes"}, "outside": "nowhere"}),
        json!({"exclude": {"userIds": "all", "userNames": [""]}}),
        json!({"users": {"where": {"property": "ciyt", "operator": "eq", "value": "x"}}}),
        json!({"scope": {"groupIds": ["00000000-0000-4000-8000-000000000001"]}}),
        json!({"scope": {"users": "all", "groupIds": ["00000000-0000-4000-8000-000000000001"]}}),
    ] {
        let (_, verdict) = post(&api, "/v1/filters/validate", &filter).await;
        let mut named = filter.clone();
        named["name"] = json!("Wrong");
        let (status, problem) = post(&api, "/v1/filters", &named).await;
        assert_eq!((status, &verdict["valid"]), (422, &json!(false)), "{filter}");
        assert_eq!(verdict["errors"], problem["errors"], "{filter}");
    }
    let (_, everybody) =
        post(&api, "/v1/filters/validate", &json!({"scope": {"groupIds": ["00000000-0000-4000-8000-000000000001"]}}))
            .await;
    assert_eq!(everybody["errors"][0]["pointer"], "/scope/groupIds");
    assert!(everybody["errors"][0]["detail"].as_str().unwrap().contains("membersOf"), "{everybody}");
}

#[tokio::test]
async fn a_condition_comes_back_as_text_and_as_tree() {
    let api = api().await;
    let text = "(department eq 'Engineering' or startswith(mail,'o''b')) and not (city eq null)";
    let (_, of_text) = post(&api, "/v1/filters/validate", &json!({"users": {"odata": text}})).await;
    assert_eq!((&of_text["users"]["text"], &of_text["users"]["advanced"]), (&json!(text), &json!(true)));
    let tree = &of_text["users"]["where"];
    let (_, of_tree) = post(&api, "/v1/filters/validate", &json!({"users": {"where": tree}})).await;
    assert_eq!(of_tree["users"], of_text["users"]);
}
