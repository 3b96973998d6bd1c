//! The alarm: Assets acted on objects that an import left out, although nobody said so.

use crate::support::world::World;
use entra_assets::job::Deliver;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::Missing;
use serde_json::json;

fn changes_only() -> RunRequest {
    RunRequest { deliver: Some(Deliver::Changes), ..RunRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_that_removes_after_all_pauses_the_schedule_and_everything_comes_back() {
    let world = World::new(30, 6).await;
    let job = world.add_job().await;
    world.set_job("schedule_cron = '0 5 * * *', schedule_timezone = 'UTC', schedule_enabled = true").await;
    world.set_destination("missing_objects = 'ignore'").await;
    world.run(job, RunMode::Full).await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    let user = world.graph.read(|directory| directory.live_users().next().unwrap().1.id);
    let title = json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone();
    world.graph.change(|directory| directory.update(user, title)).unwrap();

    let run = world.run_with(job, RunMode::Full, changes_only()).await;
    assert_eq!(run.state.as_str(), "degraded");
    assert_eq!(run.warnings[0]["code"], "missing_objects_observed", "{}", run.warnings);
    assert_eq!(world.store().len(), 1);
    assert_eq!(world.text("SELECT missing_objects FROM destinations").await, "remove");
    let job_row = "SELECT schedule_enabled || ' ' || schedule_paused_reason FROM jobs";
    assert_eq!(world.text(job_row).await, "false missing_objects_observed");
    let audit = "SELECT action || ' ' || resource_kind || ' ' || (detail->>'missingObjects') FROM audit_events";
    assert_eq!(world.text(audit).await, "observe destinations remove");

    // Even when somebody fixes the setting and asks for changes only: what Assets lost is sent again.
    world.assets.configure(|behaviour| behaviour.missing = Missing::default());
    world.set_destination("missing_objects = 'ignore'").await;
    let run = world.run_with(job, RunMode::Full, changes_only()).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}", run.warnings);
    world.assert_delivered();
    let chunks = world.assets.chunks().len();
    world.run_with(job, RunMode::Full, changes_only()).await;
    assert_eq!(world.assets.chunks().len(), chunks, "now there is nothing left to send");
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_that_does_as_it_is_said_is_no_alarm() {
    let world = World::new(30, 6).await;
    let job = world.add_job().await;
    world.set_destination("missing_objects = 'remove'").await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    world.run(job, RunMode::Full).await;
    let user = world.graph.read(|directory| directory.live_users().nth(9).unwrap().1.id);
    world.graph.change(|directory| directory.delete(user)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    assert!(!run.warnings.to_string().contains("missing_objects_observed"), "{}", run.warnings);
    assert!(!world.store().contains_key(&("Entra User", user.to_string())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_of_assets_is_noticed_when_it_is_reached() {
    let world = World::new(30, 6).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove().after(2));
    let by_hand = [("Object ID", "made-by-hand"), ("Display Name", "Made by hand")];
    world.assets.add_manual_object("Entra User", &by_hand).unwrap();
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.warnings[0]["code"]), ("degraded", &json!("missing_objects_observed")));
    assert_eq!(world.text("SELECT missing_objects FROM destinations").await, "remove");
}
