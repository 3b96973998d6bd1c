//! The feed of what the runs of a job changed, and what the mirror says about the directory.

use crate::support::test_app::TestApp;
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::GroupKind;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Sets properties of an object, which may have them already.
fn update(app: &TestApp, id: Uuid, properties: Value) {
    let properties: Map<String, Value> = properties.as_object().unwrap().clone();
    let _ = app.world.graph.change(|directory| directory.update(id, properties));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_has_each_change_once_over_all_runs() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/changes");
    let empty = app.get(&path).await.expect(200);
    assert_eq!((&empty["items"], &empty["more"]), (&json!([]), &json!(false)));
    app.run(&job, &json!({"mode": "full"})).await;
    let (mut seen, mut after) = (Vec::new(), empty["nextAfter"].as_str().unwrap().to_owned());
    loop {
        let page = app.get(&format!("{path}?limit=20&after={after}")).await.expect(200);
        seen.extend(page["items"].as_array().unwrap().clone());
        after = page["nextAfter"].as_str().unwrap().to_owned();
        if page["more"] == false {
            break;
        }
    }
    let truth = app.world.graph.truth();
    assert_eq!(seen.len() as u64, truth.users + truth.groups + truth.licenses);
    let joined = seen.iter().filter(|change| change["event"] == "user.joined").count();
    assert_eq!(joined as u64, truth.users);
    let latest = app.get(&format!("{path}?after=latest")).await.expect(200);
    assert_eq!(latest["items"], json!([]));
    let users: Vec<Uuid> = app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    update(&app, users[3], json!({"department": "Moved"}));
    app.world.graph.change(|directory| {
        directory.purge(users[5]).unwrap();
        directory.add_group("New", GroupKind::Security)
    });
    app.run(&job, &json!({"mode": "dryRun"})).await;
    assert_eq!(app.get(&format!("{path}?after={after}")).await.expect(200)["items"], json!([]), "a dry run makes none");
    app.run(&job, &json!({"mode": "full"})).await;
    let page = app.get(&format!("{path}?after={}", latest["nextAfter"].as_str().unwrap())).await.expect(200);
    let event = |id: Uuid| {
        let items = page["items"].as_array().unwrap();
        items.iter().find(|change| change["objectId"] == json!(id)).map(|change| change["event"].clone())
    };
    assert_eq!((event(users[3]), event(users[5])), (Some(json!("user.moved")), Some(json!("user.left"))), "{page}");
    assert!(page["items"].as_array().unwrap().iter().any(|change| change["event"] == "group.created"));
    let moved = page["items"].as_array().unwrap().iter().find(|change| change["objectId"] == json!(users[3])).unwrap();
    assert_eq!(moved["changes"][0]["after"], "Moved");
    assert_eq!(app.get(&format!("{path}?after={after}")).await.expect(200)["items"], page["items"]);
    app.get(&format!("{path}?after=AAAA")).await.problem(400, "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn insights_count_what_the_mirror_shows_and_list_it() {
    let app = TestApp::start().await;
    let users: Vec<Uuid> = app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    let (empty, lonely) = app.world.graph.change(|directory| {
        // A circle of three, and somebody without a manager.
        let _ = directory.set_manager(users[0], Some(users[1]));
        let _ = directory.set_manager(users[1], Some(users[2]));
        let _ = directory.set_manager(users[2], Some(users[0]));
        // Nothing changes if it is so already.
        let _ = directory.set_manager(users[7], None);
        (directory.add_group("Nobody in it", GroupKind::Security), users[7])
    });
    update(&app, lonely, json!({"accountEnabled": true, "userType": "Member"}));
    update(&app, users[4], json!({"accountEnabled": false, "displayName": "=Disabled"}));
    let sku = app.world.graph.read(|directory| directory.user_license_edges()[0].1);
    let _ = app.world.graph.change(|directory| directory.set_user_licenses(users[4], &[sku]));
    let body =
        json!({"objects": {"users": {"enabled": true}, "groups": {"enabled": true}, "licenses": {"enabled": true}}});
    let job = app.create_job(&body).await;
    let path = format!("/v1/jobs/{job}/insights");
    let unread = app.get(&path).await.expect(200);
    assert_eq!((&unread["readAt"], &unread["items"][0]["count"]), (&Value::Null, &Value::Null));
    app.run(&job, &json!({"mode": "full"})).await;
    let answers = app.get(&path).await.expect(200)["items"].as_array().unwrap().clone();
    let answer = |name: &str| answers.iter().find(|answer| answer["insight"] == name).unwrap();
    assert_eq!(answer("managerLoops")["count"], 3);
    assert_eq!(answer("licensedInactiveUsers")["count"], Value::Null);
    assert!(answer("licensedInactiveUsers")["unknownBecause"].as_str().unwrap().contains("lastSignInDateTime"));
    for (insight, id) in [
        ("licensedDisabledUsers", users[4]),
        ("usersWithoutManager", lonely),
        ("groupsWithoutMembers", empty),
        ("managerLoops", users[1]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{path}/objects?insight={insight}&limit=2{cursor}")).await.expect(200);
            found.extend(page["items"].as_array().unwrap().clone());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(json!(found.len()), answer(insight)["count"], "{insight}");
        assert!(found.iter().any(|item| item["id"] == json!(id)), "{insight}: {found:?}");
        let file = app.call(Method::GET, &format!("{path}/objects?insight={insight}&format=csv")).send().await;
        assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(file.text.lines().count(), found.len() + 1, "{insight}: {}", file.text);
    }
    let file = app.call(Method::GET, &format!("{path}/objects?insight=licensedDisabledUsers&format=csv")).send().await;
    assert!(file.text.contains("'=Disabled"), "{}", file.text);
    let circle =
        app.get(&format!("{path}/objects?insight=managerLoops")).await.expect(200)["items"][0]["detail"].clone();
    assert_eq!(circle.as_str().unwrap().matches(" → ").count(), 3, "{circle}");
    let (status, workbook) =
        app.call(Method::GET, &format!("{path}/objects?insight=managerLoops&format=xlsx")).bytes().await;
    assert!(status == 200 && workbook.starts_with(b"PK"));
    app.get(&format!("{path}/objects?insight=nonsense")).await.problem(422, "validation_failed");
}

/// A tenant may name its attributes as Graph names properties.
#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_the_tenant_are_not_taken_for_properties() {
    let app = TestApp::start().await;
    let roles = [
        "User.Read.All",
        "GroupMember.Read.All",
        "LicenseAssignment.Read.All",
        "CustomSecAttributeAssignment.Read.All",
    ];
    app.world.graph.set_roles(Scenario::Healthy, &roles);
    let users: Vec<Uuid> = app.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    let sku = app.world.graph.read(|directory| directory.user_license_edges()[0].1);
    let _ = app.world.graph.change(|directory| directory.set_user_licenses(users[4], &[sku]));
    let _ = app.world.graph.change(|directory| directory.set_manager(users[7], None));
    update(&app, users[4], json!({"accountEnabled": true, "userType": "Member"}));
    update(&app, users[7], json!({"accountEnabled": true, "userType": "Member"}));
    let named = json!({"HR": {
        "accountEnabled": false, "managerId": "-".repeat(36), "userType": "Guest", "displayName": "Nobody {is} \"called\" so",
    }});
    for user in [users[4], users[7]] {
        update(&app, user, json!({"customSecurityAttributes": named}));
    }
    let attributes = ["accountEnabled", "userType", "customSecurityAttributes_HR_managerId"];
    let job = app.create_job(&json!({"objects": {"users": {"attributes": attributes}}})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    for (insight, user, has) in [
        ("licensedDisabledUsers", users[4], false),
        ("usersWithoutManager", users[7], true),
        ("managerLoops", users[7], false),
    ] {
        let page = app.get(&format!("/v1/jobs/{job}/insights/objects?insight={insight}&limit=200")).await.expect(200);
        let found = page["items"].as_array().unwrap().iter().any(|item| item["id"] == json!(user));
        assert_eq!(found, has, "{insight}: {page}");
    }
    let found = app.get(&format!("/v1/jobs/{job}/objects?type=users&search=Nobody")).await.expect(200);
    assert_eq!(found["items"], json!([]));
}
