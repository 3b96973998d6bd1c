//! What a run tells of its progress is true.

use crate::support::world::{ORGANIZATION, World};
use entra_assets::db::runs;
use entra_assets::ids::RunId;
use entra_assets::run_state::{EventKind, RunMode, RunRequest};
use entra_assets::sim::graph::{Action, Fault, Scenario};
use entra_assets::sim::seed::GroupKind;
use serde_json::Value;
use std::time::Duration;

/// The last progress that a run told of a stage.
fn last<'a>(told: &'a [Value], stage: &str) -> &'a Value {
    told.iter().rfind(|progress| progress["stage"] == stage).unwrap_or_else(|| panic!("nothing was told of {stage}"))
}

/// All the progress that a run told.
async fn told(world: &World, id: RunId) -> Vec<Value> {
    let events = world.app.db.scoped(ORGANIZATION, async move |tx| runs::events(tx, ORGANIZATION, id, 0, 500).await);
    let events = events.await.unwrap().into_iter().filter(|event| event.event == EventKind::Progress);
    events.map(|event| event.data["progress"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stage_ends_with_its_total_done_and_the_units_are_those_that_graph_charged() {
    let world = World::new(300, 40).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let told = told(&world, RunId(run.id)).await;
    for stage in ["collect", "diff", "deliver"] {
        let progress = last(&told, stage);
        assert!(progress["done"].as_u64() > Some(0), "{progress}");
        assert_eq!(progress["done"], progress["total"], "{progress}");
    }
    let collect = last(&told, "collect");
    assert_eq!(collect["resourceUnits"], world.graph.counters().units);
    assert!(collect["resourceUnitsLeft"].as_u64() < Some(8_000), "{collect}");
}

/// Where only what was touched is compared, what is gone is a part of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_of_what_was_touched_ends_with_its_total_done() {
    let world = World::new(60, 12).await;
    world.set_destination("missing_objects = 'ignore'").await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes', brake_percent = 100").await;
    world.run(job, RunMode::Full).await;
    world.graph.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).take(5).collect();
        users[..3].iter().for_each(|user| directory.delete(*user).unwrap());
        let title = serde_json::json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone();
        users[3..].iter().for_each(|user| directory.update(*user, title.clone()).unwrap());
    });
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.counts["users"]["missing"], 3, "{:?} {}", run.error, run.counts);
    let progress = last(&told(&world, RunId(run.id)).await, "diff").clone();
    assert!(progress["done"].as_u64() >= Some(5), "{progress}");
    assert_eq!(progress["done"], progress["total"], "{progress}");
}

/// What is read twice counts once, and what an incremental run finds new is expected before it is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_again_or_arrives_counts_once() {
    let world = World::new(60, 12).await;
    world.graph.set_max_page_size(5);
    let job = world.add_job().await;
    let first = world.run(job, RunMode::Full).await;
    let whole = last(&told(&world, RunId(first.id)).await, "collect").clone();
    for part in ["/users?", "/groups?", "/members?"] {
        let fault = Fault::on("/v1.0/", Action::ExpiredPageToken).containing(part).nth(2);
        world.graph.add_fault(Fault { contains_too: Some("$skiptoken".to_owned()), ..fault });
    }
    let again = world.run(job, RunMode::Full).await;
    assert!(again.warnings.to_string().contains("page_token_expired"), "{}", again.warnings);
    let collect = last(&told(&world, RunId(again.id)).await, "collect").clone();
    assert_eq!((&collect["done"], &collect["total"]), (&whole["done"], &whole["total"]));
    world.graph.change(|directory| {
        let group = directory.add_group("New", GroupKind::Security);
        let user = directory.live_users().next().unwrap().1.id;
        directory.add_member(group, user).unwrap();
    });
    let changes = world.run(job, RunMode::Incremental).await;
    assert_eq!(changes.counts["groups"]["created"], 1, "{:?}", changes.error);
    let collect = last(&told(&world, RunId(changes.id)).await, "collect").clone();
    assert_eq!((collect["done"].as_u64(), collect["etaSeconds"].as_u64()), (collect["total"].as_u64(), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_a_crash_counts_as_done() {
    let world = World::new(300, 40).await;
    let job = world.add_job().await;
    world.graph.set_max_page_size(20);
    let full = world.run(job, RunMode::Full).await;
    let whole = last(&told(&world, RunId(full.id)).await, "collect")["total"].clone();
    world.graph.set_latency(Duration::from_millis(30));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    // Pages are stored, and others still to come: it dies at once, whatever the machine is busy with.
    let is_stored = async || world.text("SELECT count(*) FROM staged_objects").await != "0";
    world.step_and_die_when(is_stored).await;
    assert_ne!(world.text("SELECT count(*) FROM staged_objects").await, "0", "it died before the end");
    world.graph.set_latency(Duration::ZERO);
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    let told = told(&world, id).await;
    let collect = last(&told, "collect");
    assert_eq!((&collect["done"], &collect["total"]), (&whole, &whole), "{told:?}");
}

/// A warning may have advice and still be no sign that something went wrong: a crash does not make it one.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_makes_no_run_worse_than_it_was() {
    let world = World::new(60, 12).await;
    world.graph.set_max_page_size(10);
    let group = world.graph.change(|directory| {
        let group = directory.live_groups().next().unwrap().1.id;
        directory.set_hidden_membership(group, true).unwrap();
        group
    });
    let roles = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];
    world.graph.set_roles(Scenario::Healthy, &roles);
    let job = world.add_job().await;
    let slow = Fault::on("/v1.0/users", Action::Slow { millis: 400 }).exactly().times(0);
    world.graph.add_fault(slow);
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let is_told = async || world.text("SELECT warnings FROM runs").await.contains("memberships_unknown");
    world.step_and_die_when(is_told).await;
    assert!(world.find(id).await.finished_at.is_none(), "it died while it read; {group} is hidden");
    world.graph.clear_faults();
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert!(run.warnings.to_string().contains("Member.Read.Hidden"), "{}", run.warnings);
}
