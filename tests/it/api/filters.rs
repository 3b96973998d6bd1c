//! Filters: stored, changed in parts, and protected while jobs use them.

use crate::support::test_app::{TestApp, pointers};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_filter_is_created_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let body = json!({"name": "Active members", "users": {"odata": "accountEnabled eq true"},
        "groups": {"odata": "startswith(displayName,'team')"}});
    let path = app.create("/v1/filters", &body).await;
    let created = app.get(&path).await.expect(200);
    assert_eq!(created["users"], json!({"odata": "accountEnabled eq true"}));
    assert_eq!((&created["devices"], &created["outside"]), (&Value::Null, &json!("drop")));
    assert_eq!(created["scope"]["users"], "all");
    let changed = app.patch(&path, &json!({"groups": null, "outside": "stub"})).await.expect(200);
    assert_eq!((&changed["groups"], &changed["outside"]), (&Value::Null, &json!("stub")));
    assert_eq!((&changed["users"], &changed["version"]), (&created["users"], &json!(2)));
    let back = app.patch(&path, &json!({"outside": null, "users": {"odata": "userType eq 'Guest'"}})).await.expect(200);
    assert_eq!((&back["outside"], &back["users"]["odata"]), (&json!("drop"), &json!("userType eq 'Guest'")));
    app.delete(&path).await.expect(204);
    app.get(&path).await.problem(404, "not_found");
    app.patch(&path, &json!({})).await.problem(404, "not_found");
    app.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn null_sets_a_part_of_a_filter_back_to_its_default() {
    let app = TestApp::start().await;
    let defaults = app.get(&app.create("/v1/filters", &json!({"name": "Everybody"})).await).await.expect(200);
    let id = "00000000-0000-4000-8000-00000000abcd";
    let body = json!({"name": "Some", "users": {"odata": "accountEnabled eq true"},
        "scope": {"users": "membersOf", "groupIds": [id], "transitive": false, "groups": "containingFilteredUsers"},
        "exclude": {"userIds": [id], "groupIds": [id], "userNames": ["svc-*"], "groupNames": ["old-*"]},
        "limits": {"maxUsers": 5, "maxGroups": 5}});
    let path = app.create("/v1/filters", &body).await;
    // The groups first: without `users` they would restrict nothing.
    app.patch(&path, &json!({"scope": {"users": null, "groupIds": null}})).await.expect(200);
    for (part, fields) in [
        ("scope", ["users", "groupIds", "transitive", "groups"].as_slice()),
        ("exclude", &["userIds", "groupIds", "userNames", "groupNames"]),
        ("limits", &["maxUsers", "maxGroups"]),
    ] {
        for field in fields {
            let changed = app.patch(&path, &json!({part: {*field: null}})).await.expect(200);
            assert_eq!(changed[part][field], defaults[part][field], "{part} {field}");
        }
    }
    let tree = json!({"property": "city", "operator": "eq", "value": null});
    let changed = app.patch(&path, &json!({"users": {"odata": null, "where": tree}})).await.expect(200);
    assert_eq!(changed["users"], json!({"where": tree}));
}

#[tokio::test]
async fn a_patch_with_both_media_types_is_a_merge_patch() {
    let app = TestApp::start().await;
    let path = app.create("/v1/filters", &json!({"name": "One"})).await;
    for media_type in ["application/json", "application/merge-patch+json", "application/json; charset=utf-8"] {
        let call = app.call(Method::PATCH, &path).text(media_type, "{\"name\":\"Two\"}");
        assert_eq!(call.send().await.expect(200)["name"], "Two");
    }
    let unchanged = app.patch(&path, &json!({})).await.expect(200);
    assert_eq!(unchanged["name"], "Two");
}

#[tokio::test]
async fn every_fault_of_a_filter_is_named_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "", "users": {"odata": "accountEnabled eq true", "where": {"property": "city", "operator": "eq", "value": "x"}},
        "outside": "away", "limits": {"maxUsers": -1}, "exclude": {"userIds": ["x"]}, "extra": true});
    let problem = app.post("/v1/filters", &wrong).await.problem(422, "validation_failed");
    let found = pointers(&problem);
    for pointer in ["/exclude/userIds/0", "/extra", "/limits/maxUsers", "/name", "/outside"] {
        assert!(found.contains(&pointer), "{pointer}: {problem}");
    }
    assert!(found.iter().any(|pointer| pointer.starts_with("/users")), "odata or where, not both: {problem}");
    assert_eq!(app.world.count("filters").await, 0);
}

#[tokio::test]
async fn a_filter_that_is_used_names_its_jobs() {
    let app = TestApp::start().await;
    let filter = app.create_filter(&json!({"name": "All"})).await;
    let job = app.create_job(&json!({"filterId": filter, "name": "Nightly import"})).await;
    let path = format!("/v1/filters/{filter}");
    let problem = app.delete(&path).await.problem(409, "in_use");
    assert_eq!(problem["usedBy"], json!([{"kind": "jobs", "id": job, "name": "Nightly import"}]));
    app.patch(&format!("/v1/jobs/{job}"), &json!({"filterId": null})).await.expect(200);
    app.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_filter_is_parsed_without_being_stored() {
    let app = TestApp::start().await;
    let good = app.post("/v1/filters/validate", &json!({"users": {"odata": "accountEnabled eq true"}})).await;
    assert_eq!(good.expect(200)["valid"], true);
    let bad = app.post("/v1/filters/validate", &json!({"users": {"odata": "accountEnabled eq"}})).await;
    assert!(matches!(bad.status, 200 | 422), "{}", bad.text);
    assert_eq!(app.world.count("filters").await, 0);
}

#[tokio::test]
async fn a_change_with_a_malformed_tree_is_refused_before_its_version_is_compared() {
    let app = TestApp::start().await;
    let path = app.create("/v1/filters", &json!({"name": "Everyone"})).await;
    let change = json!({"users": {"where": {"operator": "eq", "property": null}}});
    let stale = app.call(Method::PATCH, &path).header("If-Match", "\"7\"").json(&change).send().await;
    let problem = stale.problem(422, "validation_failed");
    assert!(pointers(&problem).iter().all(|pointer| pointer.starts_with("/users/where")), "{problem}");
}

#[tokio::test]
async fn the_first_three_faults_are_in_the_detail() {
    let app = TestApp::start().await;
    let wrong = json!({"name": "", "outside": "away", "limits": {"max_users": -1}, "exclude": {"userIds": ["x"]}});
    let problem = app.post("/v1/filters", &wrong).await.problem(422, "validation_failed");
    let (detail, faults) = (problem["detail"].as_str().unwrap(), problem["errors"].as_array().unwrap());
    assert_eq!(faults.len(), 4, "{problem}");
    for (number, fault) in faults.iter().enumerate() {
        assert_eq!(detail.contains(fault["pointer"].as_str().unwrap()), number < 3, "{detail}");
    }
    assert!(
        detail.starts_with("4 values of the request are not valid.") && detail.ends_with("lists 1 more."),
        "{detail}"
    );
    let connection = json!({"name": "x", "tenant_id": "contoso.example"});
    let problem = app.post("/v1/connections", &connection).await.problem(422, "validation_failed");
    let fault = problem["errors"].as_array().unwrap().iter().find(|fault| fault["pointer"] == "/tenant_id").unwrap();
    assert!(fault["detail"].as_str().unwrap().contains("Did you mean `tenantId`?"), "{fault}");
}

#[tokio::test]
async fn what_a_text_may_not_mean_is_a_warning() {
    let app = TestApp::start().await;
    for (text, said) in [
        ("startswith(userPrincipalName,'a_b.com%23EXT%23')", "looks percent-encoded"),
        ("displayName eq 'App-*'", "startswith(displayName,'App-')"),
        ("customSecurityAttributes/Engineering/Project eq 'Baker'", "CustomSecAttributeAssignment.Read.All"),
    ] {
        let verdict = app.post("/v1/filters/validate", &json!({"users": {"odata": text}})).await.expect(200);
        assert_eq!(verdict["valid"], true, "{text}: {verdict}");
        let warnings = verdict["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains(said)), "{text}: {verdict}");
    }
}
