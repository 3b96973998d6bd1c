//! Runs in which nothing goes wrong.

use crate::support::world::World;
use entra_assets::run_state::RunMode;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_delivers_the_whole_directory() {
    let world = World::new(300, 40).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    world.assert_delivered();
    assert_eq!(run.counts["users"]["created"], 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_finds_everything_unchanged() {
    let world = World::new(120, 20).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!((&run.counts["users"]["created"], &run.counts["users"]["updated"]), (&0.into(), &0.into()));
    assert_eq!(run.counts["users"]["unchanged"], 120);
    world.assert_delivered();
}
