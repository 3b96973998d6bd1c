//! Previews: their numbers are those of a run, and unknown numbers are marked.

use super::post;
use crate::support::raw::{GROUPS, Raw, USERS, id};
use crate::support::test_app::TestApp;
use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::graph::{Action, Fault, Feature, Scenario};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

fn previewed(world: &World, filter: &Value) -> Value {
    let mut body = filter.clone();
    body["connectionId"] = json!(world.connection);
    body
}

async fn preview(api: &TestApp, filter: &Value) -> Value {
    let (status, answer) = post(api, "/v1/filters/preview", &previewed(&api.world, filter)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn codes(answer: &Value) -> BTreeSet<&str> {
    answer["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

fn shown(answer: &Value, kind: &str) -> Vec<String> {
    answer["sample"][kind].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn counts_are_exact_and_ten_of_each_are_shown() {
    let api = TestApp::over(World::new(150, 30).await);
    let raw = Raw::sign_in(&api.world.graph).await;
    let filter = json!({"users": {"odata": "department eq 'Engineering'"}, "groups": {"odata": "mailEnabled eq true"}});
    let answer = preview(&api, &filter).await;
    let users: BTreeSet<String> = raw
        .all("users", USERS)
        .await
        .iter()
        .filter(|user| user.get("department") == Some(&json!("Engineering")))
        .map(id)
        .collect();
    let groups: BTreeSet<String> =
        raw.all("groups", GROUPS).await.iter().filter(|group| group["mailEnabled"] == true).map(id).collect();
    let count = |number: usize, total: u64| json!({"count": number, "exact": true, "outOfScope": 0, "total": total});
    assert_eq!(answer["counts"]["users"], count(users.len(), 150));
    assert_eq!(answer["counts"]["groups"], count(groups.len(), 30));
    let devices = api.world.graph.truth().devices;
    assert_eq!(answer["counts"]["devices"], count(devices as usize, devices));
    assert_eq!(shown(&answer, "users").len(), users.len().min(10));
    assert!(shown(&answer, "users").iter().all(|id| users.contains(id)));
    assert!(shown(&answer, "groups").iter().all(|id| groups.contains(id)));
    assert_eq!((&answer["partial"], &answer["warnings"]), (&json!(false), &json!([])));

    let (_, stored) = post(&api, "/v1/filters", &json!({"name": "F", "users": filter["users"]})).await;
    let path = format!("/v1/filters/{}/preview", stored["id"].as_str().unwrap());
    let (status, of_stored) = post(&api, &path, &json!({"connectionId": api.world.connection})).await;
    assert_eq!((status, &of_stored["counts"]["users"]), (200, &answer["counts"]["users"]));
    let (status, problem) = post(&api, &path, &json!({"connectionId": Uuid::from_u128(99)})).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/connectionId")));
    let path = format!("/v1/filters/{}/preview", Uuid::from_u128(99));
    assert_eq!(post(&api, &path, &json!({"connectionId": api.world.connection})).await.0, 404);
}

/// Filters with scopes, exclusions, limits and long lists.
fn difficult(world: &World) -> Vec<Value> {
    use entra_assets::sim::seed::ObjectKind;
    let (nesting, excluded) = world.graph.read(|directory| {
        (directory.member_edges(ObjectKind::Group)[0].0, directory.live_users().nth(3).unwrap().1.id)
    });
    let cities: Vec<String> = (0..20).map(|n| format!("'Nowhere {n}'")).chain(["'London'".to_owned()]).collect();
    vec![
        json!({"scope": {"users": "membersOf", "groupIds": [nesting]}}),
        json!({"scope": {"users": "membersOf", "groupIds": [nesting], "transitive": false},
            "users": {"odata": "accountEnabled eq true"}}),
        json!({"scope": {"users": "membersOfFilteredGroups"}, "groups": {"odata": "securityEnabled eq false"}}),
        json!({"scope": {"groups": "containingFilteredUsers"}, "users": {"odata": "department eq 'Legal'"}}),
        json!({"exclude": {"userIds": [excluded], "userNames": ["a*"], "groupNames": ["*e*"]}}),
        json!({"limits": {"maxUsers": 7, "maxGroups": 3}}),
        json!({"users": {"odata": format!("city in ({})", cities.join(","))}}),
        json!({"users": {"odata": "companyName ne null and NOT(companyName eq 'Contoso')"}}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_those_of_a_run() {
    let api = TestApp::over(World::new(150, 30).await);
    let job = api.world.add_job().await;
    for filter in difficult(&api.world) {
        let answer = preview(&api, &filter).await;
        let stored = api.world.add_filter(filter.clone()).await;
        api.world.set_job(&format!("filter_id = '{stored}'")).await;
        api.world.graph.reset_counters();
        let run = api.world.run(job, RunMode::DryRun).await;
        assert_eq!(run.state.as_str(), "succeeded", "{filter}: {:?}", run.error);
        for kind in ["users", "groups"] {
            let count = &answer["counts"][kind];
            assert_eq!(
                (&count["count"], &count["exact"]),
                (&run.counts[kind]["read"], &json!(true)),
                "{filter} {kind}"
            );
        }
        // A dry run takes no positions for later; groups of several pages of members cannot be foreseen.
        let counters = api.world.graph.counters();
        let expected = answer["cost"]["requests"].as_u64().unwrap() - 2;
        let difference = expected.abs_diff(counters.requests);
        assert!(difference <= 3, "{filter}: {expected} expected, {} made, {}", counters.requests, answer["cost"]);
    }
}

#[tokio::test]
async fn a_preview_warns_of_what_it_sees() {
    let api = TestApp::over(World::new(60, 12).await);
    let hidden = api.world.graph.change(|directory| {
        let group = directory.live_groups().next().unwrap().1.id;
        directory.set_hidden_membership(group, true).ok();
        group
    });
    for (filter, code) in [
        (json!({"users": {"odata": "city eq 'Atlantis'"}}), "no_match"),
        (json!({"users": {"odata": "createdDateTime ge 1999-01-01 or createdDateTime eq null"}}), "everything_matches"),
        (json!({"users": {"odata": "signInActivity/lastSignInDateTime ge 2020-01-01"}}), "not_in_delta"),
        (json!({"scope": {"users": "membersOf", "groupIds": [Uuid::from_u128(5)]}}), "scope_group_not_found"),
        (json!({"scope": {"users": "membersOfFilteredGroups"}}), "filter_hint"),
    ] {
        let answer = preview(&api, &filter).await;
        assert!(codes(&answer).contains(code), "{filter}: {}", answer["warnings"]);
    }
    let scope = json!({"scope": {"users": "membersOf", "groupIds": [hidden]}});
    api.world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All"]);
    let answer = preview(&api, &scope).await;
    assert!(codes(&answer).contains("hidden_membership"), "{}", answer["warnings"]);
    assert_eq!(answer["counts"]["devices"]["count"], Value::Null);
    let answer = preview(&api, &json!({"devices": {"odata": "isManaged eq true"}})).await;
    let warning = answer["warnings"].as_array().unwrap().iter().find(|w| w["code"] == "permission_missing").unwrap();
    assert_eq!((&warning["kind"], &answer["partial"]), (&json!("devices"), &json!(true)));
    let all = answer["warnings"].as_array().unwrap();
    let twice = all.iter().enumerate().find(|(index, warning)| all[..*index].contains(warning));
    assert_eq!(twice, None, "a warning is said twice");
    assert!(warning["advice"].as_str().unwrap().contains("Device.Read.All"), "{warning}");
    assert_eq!(answer["counts"]["users"]["count"], 60);
}

#[tokio::test]
async fn a_server_that_does_not_count_is_read_instead() {
    let api = TestApp::over(World::new(60, 12).await);
    api.world.graph.refuse(Feature::Count, Some(400));
    let answer = preview(&api, &json!({"users": {"odata": "accountEnabled eq true"}})).await;
    let enabled = api.world.graph.read(|directory| directory.live_users().filter(|(_, user)| user.enabled).count());
    assert_eq!(
        (&answer["counts"]["users"]["count"], &answer["counts"]["users"]["exact"]),
        (&json!(enabled), &json!(true))
    );
}

#[tokio::test]
async fn a_condition_that_graph_refuses_is_pointed_to() {
    let api = TestApp::over(World::new(20, 4).await);
    api.world.graph.refuse(Feature::CreatedDateTimeFilter, Some(400));
    let filter = json!({"users": {"odata": "createdDateTime ge 2020-01-01"}});
    let (status, problem) = post(&api, "/v1/filters/preview", &previewed(&api.world, &filter)).await;
    assert_eq!((status, &problem["code"]), (422, &json!("filter_invalid")), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/users");
    let job = api.world.add_job().await;
    let stored = api.world.add_filter(filter).await;
    api.world.set_job(&format!("filter_id = '{stored}'")).await;
    let run = api.world.run(job, RunMode::Full).await;
    let error = run.error.unwrap();
    assert_eq!((run.state.as_str(), &error["code"]), ("failed", &json!("filter_invalid")), "{error}");
    assert!(error["detail"].as_str().unwrap().contains("createdDateTime ge 2020-01-01T00:00:00Z"), "{error}");
    assert!(error["requestId"].is_string());
}

/// As a run does: what Graph refuses in a default query may work in an advanced one.
#[tokio::test]
async fn a_condition_that_graph_refuses_by_default_is_previewed_as_an_advanced_query() {
    let api = TestApp::over(World::new(60, 12).await);
    let filter = json!({"users": {"odata": "accountEnabled eq true"}});
    let plain = preview(&api, &filter).await;
    api.world.graph.refuse(Feature::DefaultFilter, Some(400));
    let answer = preview(&api, &filter).await;
    assert_eq!((&answer["counts"], &answer["sample"]), (&plain["counts"], &plain["sample"]));
    let parts = |answer: &Value| {
        let parts = answer["cost"]["parts"].as_array().unwrap().clone();
        parts.iter().any(|part| part["part"] == "managers")
    };
    assert_eq!((parts(&plain), parts(&answer)), (false, true), "an advanced query shows no managers");
}

/// Graph that does not answer at all is no error: there is nothing to be shown, and it is said.
#[tokio::test]
async fn a_graph_that_answers_nothing_in_time_gives_a_partial_preview() {
    let api = TestApp::over(World::new(20, 4).await);
    let busy = Action::Status { status: 503, code: None, message: None, retry_after: Some("60".to_owned()) };
    api.world.graph.add_fault(Fault::on("/v1.0/", busy).times(0));
    let filter = json!({});
    let asked = api.world.while_time_passes(preview(&api, &filter));
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    assert_eq!((&answer["partial"], &answer["counts"]["users"]["count"]), (&json!(true), &Value::Null));
    assert!(codes(&answer).contains("graph_failed"), "{}", answer["warnings"]);
    assert!(answer["sample"]["users"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_graph_does_not_answer_in_time_is_left_out() {
    let api = TestApp::over(World::new(60, 12).await);
    api.world.graph.add_fault(Fault {
        method: None,
        path: "/v1.0/users".to_owned(),
        exact: false,
        contains: None,
        contains_too: None,
        nth: 1,
        times: 0,
        action: Action::Status { status: 429, code: None, message: None, retry_after: Some("60".to_owned()) },
    });
    let filter = json!({});
    let asked = api.world.while_time_passes(preview(&api, &filter));
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    assert_eq!((&answer["partial"], &answer["counts"]["users"]["count"]), (&json!(true), &Value::Null));
    assert!(codes(&answer).contains("graph_failed"), "{}", answer["warnings"]);
}

/// A kind that is off by default is looked at if the filter has a condition on it, and only then.
#[tokio::test]
async fn conditions_on_other_types_are_previewed_too() {
    let api = TestApp::over(World::new(60, 10).await);
    api.world.graph.set_roles(
        Scenario::Healthy,
        &[
            "User.Read.All",
            "GroupMember.Read.All",
            "Device.Read.All",
            "Application.Read.All",
            "AdministrativeUnit.Read.All",
            "RoleManagement.Read.Directory",
        ],
    );
    let raw = Raw::sign_in(&api.world.graph).await;
    let conditions = [
        ("applications", "applications", "displayName eq 'Badge printer'", false),
        ("servicePrincipals", "servicePrincipals", "accountEnabled eq false", true),
        ("roles", "roleManagement/directory/roleDefinitions", "isBuiltIn eq false", false),
        ("administrativeUnits", "directory/administrativeUnits", "startswith(displayName,'b')", false),
    ];
    let filter = conditions.iter().map(|(kind, _, odata, _)| ((*kind).to_owned(), json!({"odata": odata})));
    let answer = preview(&api, &Value::Object(filter.collect())).await;
    assert_eq!((&answer["partial"], &answer["warnings"]), (&json!(false), &json!([])), "{answer}");
    let parts = answer["cost"]["parts"].as_array().unwrap();
    for (kind, path, odata, advanced) in conditions {
        let total = raw.all(path, "id").await.len();
        let filter = urlencoding::encode(odata);
        let count = if advanced { "&$count=true" } else { "" };
        let found = raw.rows(&format!("/v1.0/{path}?$top=999&$select=id&$filter={filter}{count}"), advanced).await;
        let found: BTreeSet<String> = found.unwrap().0.iter().map(id).collect();
        assert!(!found.is_empty() && found.len() < total, "{kind}");
        let count = json!({"count": found.len(), "exact": true, "outOfScope": 0, "total": total});
        assert_eq!(answer["counts"][kind], count, "{kind}");
        let shown = shown(&answer, kind);
        assert_eq!(shown.len(), found.len().min(10), "{kind}");
        assert!(shown.iter().all(|id| found.contains(id)), "{kind}");
        assert!(parts.iter().any(|part| part["part"] == kind), "{kind}: {parts:?}");
    }
    let answer = preview(&api, &json!({})).await;
    for (kind, ..) in conditions {
        assert_eq!((answer["counts"].get(kind), answer["sample"].get(kind)), (None, None), "{kind}");
    }
}
