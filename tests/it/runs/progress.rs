//! What a run tells of its progress is true.

use crate::support::world::{ORGANIZATION, World};
use entra_assets::db::runs;
use entra_assets::ids::RunId;
use entra_assets::run_state::RunMode;
use serde_json::Value;

/// The last progress that a run told of a stage.
fn last<'a>(told: &'a [Value], stage: &str) -> &'a Value {
    told.iter().rfind(|progress| progress["stage"] == stage).unwrap_or_else(|| panic!("nothing was told of {stage}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stage_ends_with_its_total_done_and_the_units_are_those_that_graph_charged() {
    let world = World::new(300, 40).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state, "succeeded", "{:?} {:?}", run.error, run.warnings);
    let id = RunId(run.id);
    let events = world.app.db.scoped(ORGANIZATION, async move |tx| runs::events(tx, ORGANIZATION, id, 0, 500).await);
    let events = events.await.unwrap().into_iter().filter(|event| event.event == "progress");
    let told: Vec<Value> = events.map(|event| event.data["progress"].clone()).collect();
    for stage in ["collect", "diff", "deliver"] {
        let progress = last(&told, stage);
        assert!(progress["done"].as_u64() > Some(0), "{progress}");
        assert_eq!(progress["done"], progress["total"], "{progress}");
    }
    let collect = last(&told, "collect");
    assert_eq!(collect["resourceUnits"], world.graph.counters().units);
    assert!(collect["resourceUnitsLeft"].as_u64() < Some(8_000), "{collect}");
}
