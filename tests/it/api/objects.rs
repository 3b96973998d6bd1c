//! The mirror of a job, by pages and as a stream.

use crate::support::postgres::connect;
use crate::support::test_app::{TestApp, pointers};
use crate::support::world::World;
use entra_assets::api::places::{Place, SEARCHES};
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn everything_that_was_read_can_be_browsed_and_taken_away() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let truth = app.world.graph.truth();
    let memberships = truth.user_memberships + truth.group_memberships;
    for (kind, count) in
        [("users", truth.users), ("groups", truth.groups), ("licenses", truth.licenses), ("memberships", memberships)]
    {
        let path = format!("/v1/jobs/{job}/objects?type={kind}");
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{path}&limit=7{cursor}")).await.expect(200);
            paged.extend(page["items"].as_array().unwrap().iter().map(Value::to_string));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let stream = app.call(Method::GET, &path).accept("application/x-ndjson").send().await;
        assert_eq!((stream.status, stream.header("content-type")), (200, "application/x-ndjson"));
        let lines: Vec<Value> = stream.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len() as u64, count, "{kind}");
        let streamed: BTreeSet<String> = lines.iter().map(Value::to_string).collect();
        assert_eq!(streamed.len(), lines.len(), "{kind}: nothing twice");
        assert_eq!(paged.len(), lines.len(), "{kind}");
        assert_eq!(paged.into_iter().collect::<BTreeSet<_>>(), streamed, "{kind}");
    }
}

#[tokio::test]
async fn a_membership_names_both_ends() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let page = app.get(&format!("/v1/jobs/{job}/objects?type=memberships&limit=1")).await.expect(200);
    let fields: Vec<&String> = page["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["groupId", "memberId", "memberType"]);
}

#[tokio::test]
async fn a_mirror_that_was_never_filled_is_empty() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/objects");
    assert_eq!(app.get(&format!("{path}?type=users")).await.expect(200)["items"], json!([]));
    let stream = app.call(Method::GET, &format!("{path}?type=users")).accept("application/x-ndjson").send().await;
    assert_eq!((stream.status, stream.text.as_str()), (200, ""));
    assert_eq!(pointers(&app.get(&path).await.problem(422, "validation_failed")), ["?type"]);
    let problem = app.get(&format!("{path}?type=printers")).await.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["?type"]);
}

#[tokio::test]
async fn objects_are_found_by_name_and_memberships_by_either_end() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.run(&job, &json!({"mode": "full"})).await;
    let path = format!("/v1/jobs/{job}/objects");
    let items = async |query: &str| app.get(&format!("{path}?{query}")).await.expect(200)["items"].clone();
    let user = items("type=users&limit=1").await[0].clone();
    let text = |name: &str| urlencoding::encode(user[name].as_str().unwrap()).into_owned();
    assert_eq!(items(&format!("type=users&id={}", text("id"))).await, json!([user]));
    for query in [
        format!("label={}", text("displayName")),
        format!("search={}", text("displayName").to_uppercase().replace("%2C", "%2c")),
        format!("search={}", text("userPrincipalName")),
    ] {
        let found = items(&format!("type=users&{query}")).await;
        assert!(found.as_array().unwrap().contains(&user), "{query}: {found}");
    }
    for nothing in ["search=.*", "search=%25", "search=no%20such%20name", "label=%5C", "search=%22"] {
        assert_eq!(items(&format!("type=users&{nothing}")).await, json!([]), "{nothing}");
    }
    let all = items("type=memberships&limit=200").await;
    let first = &all[0];
    let (group, member) = (first["groupId"].as_str().unwrap(), first["memberId"].as_str().unwrap());
    for (query, field, id) in [("groupId", "groupId", group), ("memberId", "memberId", member)] {
        let path = format!("{path}?type=memberships&{query}={id}");
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&format!("{path}&limit=1{cursor}")).await.expect(200);
            paged.extend(page["items"].as_array().unwrap().clone());
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(!paged.is_empty() && paged.iter().all(|item| item[field] == id), "{paged:?}");
        let stream = app.call(Method::GET, &path).accept("application/x-ndjson").send().await;
        assert_eq!(stream.text.lines().count(), paged.len(), "{query}");
    }
    let both = items(&format!("type=memberships&groupId={group}&memberId={member}")).await;
    assert_eq!(both, json!([first]));
    let problem = app.get(&format!("{path}?type=memberships&search=a&id={group}")).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["?id", "?search"]);
    let problem = app.get(&format!("{path}?type=users&groupId={group}")).await;
    assert_eq!(pointers(&problem.problem(422, "validation_failed")), ["?groupId"]);
}

/// Each search takes a connection of the database for as long as it looks.
#[tokio::test]
async fn an_organization_has_so_many_searches_at_once() {
    let app = TestApp::start().await;
    let (organization, key) = app.add_organization().await;
    let job = app.create_job_of(&key).await;
    let get = async |path: &str| app.call_with(&key, Method::GET, path).send().await;
    let held: Vec<Place> = std::iter::from_fn(|| SEARCHES.take(organization).ok()).collect();
    assert_eq!(held.len(), 4);
    let objects = format!("/v1/jobs/{job}/objects?type=users");
    let searches = [
        format!("{objects}&search=a"),
        format!("{objects}&label=a"),
        format!("/v1/jobs/{job}/insights"),
        format!("/v1/jobs/{job}/insights/objects?insight=groupsWithoutMembers"),
    ];
    for path in &searches {
        let refused = get(path).await;
        assert_eq!(refused.header("retry-after"), "10", "{path}");
        refused.problem(429, "rate_limited");
    }
    get(&objects).await.expect(200);
    drop(held);
    for path in &searches {
        get(path).await.expect(200);
    }
}

/// Nobody holds a connection for as long as a statement likes to take.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_takes_too_long_is_stopped() {
    let mut world =
        World::bare(SeedOptions { users: 5, groups: 2, ..SeedOptions::default() }, AssetsOptions::default()).await;
    world.app.db = world.app.db.clone().reading_at_most(Duration::from_secs(1));
    let app = TestApp::over(world);
    let job = app.create_job(&json!({})).await;
    let path = format!("/v1/jobs/{job}/objects?type=users&search=a");
    let mut superuser = connect(&app.world.database.urls.superuser).await;
    let lock = superuser.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE mirror_objects IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let problem = app.get(&path).await.problem(503, "database_unavailable");
    assert!(problem["detail"].as_str().unwrap().contains("took longer"), "{problem}");
    lock.rollback().await.unwrap();
    app.get(&path).await.expect(200);
}
