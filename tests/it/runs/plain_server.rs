//! Servers that offer less than Graph: the import is exact all the same, and says what it did without.

use crate::support::exact::warnings;
use crate::support::gateway::{self, Unknown};
use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::graph::Feature;
use entra_assets::sim::seed::SeedOptions;
use std::collections::BTreeMap;

const SEED: SeedOptions = SeedOptions { seed: 5, users: 60, groups: 12, memberships: None, devices: Some(6) };

async fn reference() -> World {
    let world = World::with(SEED, AssetsOptions::default()).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()));
    world.assert_exact("Graph as it is");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_lists_and_pages_alone_is_read_whole() {
    let reference = reference().await.store();
    for status in [400, 404, 501] {
        let graph = World::graph(SEED);
        let server = gateway::start(&graph, Unknown::Refused(status));
        let world = World::reaching(graph, &server.origin, AssetsOptions::default()).await;
        let job = world.add_job().await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{status}: {:?} {:?}", run.error, run.warnings);
        world.assert_exact(&status.to_string());
        assert!(world.store() == reference, "{status}: some attribute differs");
        let warnings = warnings(&run);
        let kinds: Vec<&str> = warnings.keys().map(String::as_str).collect();
        let expected = ["batch_refused", "delta_refused", "expand_refused", "partition_refused", "select_refused"];
        assert_eq!(kinds, expected, "{status}");
        assert!(warnings["batch_refused"] == 1 && warnings["delta_refused"] == 1 && warnings["partition_refused"] == 1);
        assert_eq!(warnings["expand_refused"], 2, "managers and owners");
        let refused = server.refused.lock().unwrap().clone();
        assert!(refused.len() < 40, "{status}: asked again for what was refused: {refused:?}");
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "succeeded", "{status}: {:?}", run.error);
        world.assert_exact("incremental");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_what_it_does_not_know_is_read_whole() {
    let reference = reference().await.store();
    let graph = World::graph(SEED);
    let server = gateway::start(&graph, Unknown::Ignored);
    let world = World::reaching(graph, &server.origin, AssetsOptions::default()).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    world.assert_exact("ignored");
    assert!(world.store() == reference, "some attribute differs");
    assert_eq!(warnings(&run)["expand_refused"], 2, "managers and owners");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_alone_is_done_the_plain_way_and_said_once() {
    let features =
        [(Feature::Count, "partition_refused"), (Feature::Delta, "delta_refused"), (Feature::Expand, "expand_refused")];
    for (feature, code) in features {
        for status in [400, 404, 501] {
            let world = World::with(SEED, AssetsOptions::default()).await;
            world.graph.refuse(feature, Some(status));
            let job = world.add_job().await;
            let run = world.run(job, RunMode::Full).await;
            assert_eq!(run.state.as_str(), "succeeded", "{feature:?} {status}: {:?}", run.error);
            let times = if feature == Feature::Expand { 2 } else { 1 };
            assert_eq!(warnings(&run), BTreeMap::from([(code.to_owned(), times)]), "{status}");
            world.assert_exact(code);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_without_batches_asks_user_by_user() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    world.graph.set_roles(entra_assets::sim::graph::Scenario::Healthy, &["Directory.Read.All"]);
    world.graph.refuse(Feature::Batch, Some(501));
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!(warnings(&run), BTreeMap::from([("batch_refused".to_owned(), 1)]));
    assert!(!world.assets.objects("Entra Group").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_users_groups_is_tested_without_groups() {
    let graph = World::graph(SEED);
    let server = gateway::start(&graph, Unknown::Refused(404));
    let world = World::reaching(graph, &server.origin, AssetsOptions::default()).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert!(warnings(&run).contains_key("test_without_groups"));
    assert_eq!(world.assets.objects("Entra User").len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_refused_is_reported_as_it_is() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    let job = world.add_job().await;
    let filter = world.add_filter(serde_json::json!({"users": {"odata": "accountEnabled eq true"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let fault = entra_assets::sim::graph::Fault::on("/v1.0/users", entra_assets::sim::graph::Action::status(400));
    world.graph.add_fault(fault.containing("accountEnabled eq true").times(0));
    let run = world.run(job, RunMode::Full).await;
    let error = run.error.unwrap();
    assert_eq!((run.state.as_str(), error["code"].as_str()), ("failed", Some("filter_invalid")));
    assert_eq!(error["graphCode"], "Request_BadRequest");
    assert!(world.store().is_empty());
}
