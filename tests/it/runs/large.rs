//! Directories large enough to be read in several chains at once.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::graph::Feature;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn many_users_are_read_in_ranges_and_nobody_is_lost() {
    let world = World::new(9_000, 20).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let ranges = world.graph.requests().iter().filter(|request| request.query.contains("createdDateTime%20ge")).count();
    assert!(ranges > 0, "no range was asked for");
    world.assert_delivered();
}

/// An advanced filter in ranges, its managers by one pass, and those without a date too.
#[tokio::test(flavor = "multi_thread")]
async fn an_advanced_filter_is_read_in_ranges_too() {
    let world = World::new(9_000, 20).await;
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"users": {"odata": "displayName ne 'Nobody'"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{:?}", run.error);
    let requests = world.graph.requests();
    let lists = requests.iter().filter(|request| request.path == "/v1.0/users");
    let ranges = lists.filter(|request| request.query.contains("createdDateTime%20ge"));
    assert!(ranges.clone().count() > 0 && ranges.clone().all(|range| range.query.contains("$count=true")));
    assert!(!requests.iter().any(|request| request.path.ends_with("/manager")), "never a request per user");
    world.assert_exact("in ranges");
}

/// The condition of a range is never put beside one on sign-ins, which Graph refuses together.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_on_sign_ins_is_read_in_one_chain() {
    let world = World::new(9_000, 20).await;
    let job = world.add_job_with(json!({"groups": {"enabled": false}})).await;
    let text = "signInActivity/lastSignInDateTime ge 2000-01-01";
    let filter = world.add_filter(json!({"users": {"odata": text}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{:?}", run.error);
    assert!(run.counts["users"]["read"].as_u64().unwrap() >= 8_000, "{}", run.counts);
    let requests = world.graph.requests();
    let of_filter = requests.iter().filter(|request| request.query.contains("lastSignInDateTime"));
    assert!(of_filter.clone().count() > 8);
    assert!(of_filter.clone().all(|request| !request.query.contains("createdDateTime%20")), "{requests:?}");
}

/// Ranges of a condition that Graph refuses by default are read as advanced queries, and that is all that is said.
#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_condition_that_is_refused_by_default_are_advanced() {
    let world = World::new(9_000, 20).await;
    world.graph.refuse(Feature::DefaultFilter, Some(400));
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"users": {"odata": "userType in ('Member','Guest')"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    let expected = BTreeMap::from([("filter_needs_advanced".to_owned(), 1)]);
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", expected), "{:?}", run.error);
    world.assert_exact("in advanced ranges");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_counts_or_ranges_is_read_in_one_chain() {
    for feature in [Feature::Count, Feature::CreatedDateTimeFilter, Feature::Delta] {
        let world = World::new(60, 10).await;
        world.graph.refuse(feature, Some(501));
        let job = world.add_job().await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{feature:?} {:?} {:?}", run.error, run.warnings);
        world.assert_delivered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_run_of_a_hundred_users_needs_few_requests() {
    let world = World::new(400, 60).await;
    world.graph.set_roles(entra_assets::sim::graph::Scenario::Healthy, &["Directory.Read.All"]);
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!(run.counts["users"]["created"], 100);
    let requests = world.graph.counters().requests;
    assert!(requests <= 40, "{requests} requests");
}
