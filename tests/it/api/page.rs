//! Pages of lists: their order, and their cursors while rows are added and deleted.

use crate::support::test_app::TestApp;
use serde_json::{Value, json};
use std::time::Duration;

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// The names of all pages of a list.
async fn walk(app: &TestApp, path: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("{path}{cursor}")).await.expect(200);
        all.extend(names(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_have_every_thing_once_in_the_order_of_creation() {
    let app = TestApp::start().await;
    let expected: Vec<String> = (0..7).map(|number| format!("Filter {number}")).collect();
    for name in &expected {
        app.create_filter(&json!({"name": name})).await;
        app.world.clock.advance(Duration::from_millis(1));
    }
    for limit in [1, 2, 3, 7, 200] {
        assert_eq!(walk(&app, &format!("/v1/filters?limit={limit}")).await, expected, "{limit} a page");
    }
    assert_eq!(names(&app.get("/v1/filters").await.expect(200)), expected, "50 by default");
}

/// Ids decide between equal names, and the case of letters decides nothing.
#[tokio::test]
async fn a_list_is_sorted_by_name_or_by_time_in_both_directions() {
    let app = TestApp::start().await;
    for name in ["beta", "Alpha", "gamma", "alpha", "Ünal", "Beta"] {
        app.create_filter(&json!({"name": name})).await;
        app.world.clock.advance(Duration::from_millis(1));
    }
    let by_name = ["Alpha", "alpha", "beta", "Beta", "gamma", "Ünal"];
    let by_time = ["beta", "Alpha", "gamma", "alpha", "Ünal", "Beta"];
    for limit in [1, 2, 200] {
        for (sort, expected) in [("name", by_name), ("createdAt", by_time)] {
            let path = format!("/v1/filters?limit={limit}&sort=");
            assert_eq!(walk(&app, &format!("{path}{sort}")).await, expected, "{sort}, {limit} a page");
            let mut backwards = expected;
            backwards.reverse();
            assert_eq!(walk(&app, &format!("{path}-{sort}")).await, backwards, "-{sort}, {limit} a page");
        }
    }
    let first = app.get("/v1/filters?limit=1&sort=name").await.expect(200);
    let cursor = first["nextCursor"].as_str().unwrap();
    for other in ["", "&sort=-name", "&sort=name&search=a"] {
        let path = format!("/v1/filters?limit=1{other}&cursor={cursor}");
        app.get(&path).await.problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn what_comes_or_goes_in_between_neither_shifts_nor_repeats_others() {
    let app = TestApp::start().await;
    let mut paths = Vec::new();
    for number in 0..5 {
        paths.push(app.create("/v1/filters", &json!({"name": format!("{number}")})).await);
    }
    let first = app.get("/v1/filters?limit=2").await.expect(200);
    assert_eq!(names(&first), ["0", "1"]);
    for gone in [&paths[0], &paths[1], &paths[2]] {
        app.delete(gone).await.expect(204);
    }
    app.patch(&paths[4], &json!({"name": "four"})).await.expect(200);
    app.create_filter(&json!({"name": "5"})).await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/filters?limit=200&cursor={cursor}")).await.expect(200);
    assert_eq!(
        (names(&second), &second["nextCursor"]),
        (vec!["3".to_owned(), "four".into(), "5".into()], &Value::Null)
    );
}

#[tokio::test]
async fn a_list_with_nothing_in_it_is_one_empty_page() {
    let app = TestApp::start().await;
    for collection in ["connections", "filters", "destinations", "jobs", "runs", "api-keys", "audit-events"] {
        let page = app.get(&format!("/v1/{collection}")).await.expect(200);
        assert_eq!(page, json!({"items": [], "nextCursor": null}), "{collection}");
    }
}
