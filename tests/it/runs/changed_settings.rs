//! Settings that change while a run is under way, and destinations that hold more than the job knows of.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::job::Deliver;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::Missing;
use entra_assets::sim::graph::Credentials;
use entra_assets::sim::seed::{Directory, SeedOptions};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 9, users: 60, groups: 12, memberships: Some(200), devices: Some(0) };

/// A job that has delivered was deleted, and a new one has its destination, in which Assets removes what is missing.
async fn taken_over() -> (World, JobId) {
    let world = World::following(SEED).await;
    let old = world.add_job().await;
    world.run(old, RunMode::Full).await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    world.execute(format!("UPDATE jobs SET destination_id = NULL, deleting_at = now() WHERE id = '{old}'")).await;
    let job = world.add_job().await;
    (world, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_for_another_selection_is_read_again() {
    let world = World::following(SEED).await;
    world.graph.set_max_page_size(10);
    let job = world.add_job().await;
    world.graph.change(|directory| {
        let first = directory.live_users().next().unwrap().1.id;
        directory.update(first, json!({"employeeId": "E-77"}).as_object().unwrap().clone()).unwrap();
    });
    world.graph.set_latency(Duration::from_millis(40));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let read = "SELECT count(*) FROM run_cursors WHERE collection = 'users' AND done";
    world.step_and_die_when(async || world.text(read).await != "0").await;
    assert_ne!(world.text(read).await, "0", "all users are read, and it died");
    world.graph.set_latency(Duration::ZERO);
    world.set_job(r#"objects = '{"users": {"attributes": ["jobTitle", "employeeId"]}}'"#).await;
    world.graph.reset_counters();
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(run.counts["users"]["created"], json!(60));
    let asked = world.graph.requests().into_iter().filter(|request| request.path == "/v1.0/users");
    assert!(asked.clone().count() > 0 && asked.clone().all(|request| request.query.contains("employeeId")));
    let found = world.assets.objects("Entra User");
    let is_there =
        found.iter().any(|user| user.values.values().any(|values| values.iter().any(|value| value == "E-77")));
    assert!(is_there, "{:?}", found[0].values);
}

/// The tenant of the connection is changed while a run is under way: what was read of the other one is of no use. With a
/// reset, what was staged refers to a mirror that is no longer there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_of_another_tenant_is_read_again() {
    for reset_mirror in [false, true] {
        let world = World::following(SEED).await;
        let job = world.add_job().await;
        world.set_job("brake_percent = 100").await;
        if reset_mirror {
            assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
        }
        let request = RunRequest { reset_mirror, ..RunRequest::default() };
        let id = world.queue(job, RunMode::Full, request).await;
        // It dies when everything is staged and about to become the mirror.
        let lock = world.lock("mirror_objects").await;
        world.step_and_die_when(async || world.somebody_waits().await).await;
        drop(lock);
        assert!(world.find(id).await.finished_at.is_none(), "it died before the end");
        let other = Directory::generate(SeedOptions { seed: 10, users: 40, groups: 8, ..SEED });
        let users: BTreeSet<Uuid> = other.live_users().map(|(_, user)| user.id).collect();
        let before = world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
        assert!(users.is_disjoint(&before));
        let Credentials { tenant_id, client_id, .. } = world.graph.add_tenant(other);
        world.execute(format!("UPDATE connections SET tenant_id = '{tenant_id}', client_id = '{client_id}'")).await;
        let run = world.bring_to_its_end(id).await;
        // Of what a mirror had that was reset, nobody expects that Assets removes it.
        let state = if reset_mirror { "degraded" } else { "succeeded" };
        assert_eq!(run.state.as_str(), state, "reset: {reset_mirror}, {:?} {}", run.error, run.warnings);
        let found = world.assets.objects("Entra User").into_iter();
        let found: BTreeSet<Uuid> = found.map(|user| user.values["Object ID"][0].parse().unwrap()).collect();
        assert!(found == users, "reset: {reset_mirror}, {} users instead of {}", found.len(), users.len());
    }
}

/// Dies while the first chunks are sent to one destination; then the job gets another.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_with_one_destination_is_not_sent_to_another() {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    world.set_destination("missing_objects = 'ignore'").await;
    world.run(job, RunMode::Full).await;
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(20).collect();
        for id in ids {
            directory.update(id, json!({"jobTitle": "Changed"}).as_object().unwrap().clone()).unwrap();
        }
    });
    world.assets.configure(|behaviour| (behaviour.max_chunk_entries, behaviour.latency_ms) = (Some(4), 300));
    world.assets.clear_log();
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| !world.assets.chunks().is_empty()).await;
    world.assets.configure(|behaviour| (behaviour.max_chunk_entries, behaviour.latency_ms) = (None, 0));
    let (destination, source) = world.add_another_destination().await;
    world.set_job(&format!("destination_id = '{destination}'")).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(run.counts["users"]["created"], json!(60), "{}", run.counts);
    let last = world.assets.executions().pop().unwrap();
    assert_eq!((last.source_id, last.types["Entra User"].created), (source, 60));
}

/// A job that is changed while it delivers is compared anew, and read anew only if something else is selected. Nothing is
/// counted twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_changed_while_it_delivers_ends_exact() {
    changed_while_it_delivers("name = 'Renamed'", false).await;
    changed_while_it_delivers(r#"objects = '{"users": {"names": {"city": "Town"}}}'"#, false).await;
    changed_while_it_delivers(r#"objects = '{"users": {"attributes": ["jobTitle", "employeeId"]}}'"#, true).await;
}

async fn changed_while_it_delivers(change: &str, reads_again: bool) {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.assets.configure(|behaviour| (behaviour.max_chunk_entries, behaviour.latency_ms) = (Some(4), 300));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| world.assets.chunks().len() > 2).await;
    world.assets.configure(|behaviour| behaviour.latency_ms = 0);
    world.graph.reset_counters();
    world.set_job(change).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!((&run.counts["users"]["read"], &run.counts["users"]["created"]), (&json!(60), &json!(60)));
    let has_read = world.graph.requests().iter().any(|request| request.path == "/v1.0/users");
    assert_eq!(has_read, reads_again, "{change}");
    let ends: Vec<_> = world.assets.executions().iter().map(|execution| execution.status).collect();
    assert_eq!(ends, ["CANCELLED", "DONE"]);
    assert_eq!(world.store().len() as i64, world.count("mirror_delivered").await, "{change}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_new_job_is_refused_where_another_job_has_delivered() {
    let (world, job) = taken_over().await;
    let store = world.store();
    let run = world.run(job, RunMode::Test).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("test_would_remove")));
    assert!(world.store() == store, "nothing was sent");
}

/// Assets would remove what the job before had delivered and this one leaves out.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_job_stops_at_the_brake_before_it_leaves_out_what_another_delivered() {
    let (world, job) = taken_over().await;
    let store = world.store();
    let filter = world.add_filter(json!({"limits": {"maxUsers": 10}})).await;
    world.set_job(&format!("filter_id = CASE WHEN id = '{job}' THEN '{filter}'::uuid END")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "awaitingApproval", "{:?} {}", run.error, run.warnings);
    assert!(run.warnings.to_string().contains("50 of 60 users"), "{}", run.warnings);
    assert!(world.store() == store, "nothing was sent");
    let id = run.run_id();
    world.approve(id).await;
    let run = world.bring_to_its_end(id).await;
    assert!(matches!(run.state.as_str(), "succeeded" | "degraded"), "{:?}", run.error);
    assert_eq!(world.assets.objects("Entra User").len(), 10);
}

/// The admin made the import source anew in Assets and stored its token with the same destination.
#[tokio::test(flavor = "multi_thread")]
async fn another_import_source_behind_the_same_destination_gets_everything() {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    world.set_destination("missing_objects = 'ignore'").await;
    world.run(job, RunMode::Full).await;
    let rotated = world.assets.rotate_token(entra_assets::sim::assets::SOURCE_ID).unwrap();
    let token = world.seal_token(world.destination, &rotated);
    world.set_destination(&format!("token_sealed = '{token}', version = version + 1")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.counts["users"]["unchanged"]), ("succeeded", &json!(60)), "{:?}", run.error);
    let source = world.assets.add_source("Made anew");
    let token = world.seal_token(world.destination, &source.token);
    world.set_destination(&format!("token_sealed = '{token}', version = version + 1")).await;
    let dry = world.run(job, RunMode::DryRun).await;
    assert_eq!(warnings(&dry)["destination_changed"], 1, "{}", dry.warnings);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.counts["users"]["created"]), ("succeeded", &json!(60)), "{:?}", run.error);
    let last = world.assets.executions().pop().unwrap();
    assert_eq!((last.source_id, last.types["Entra User"].created), (source.id, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_another_tenant_throws_nothing_away() {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.execute(format!("UPDATE mirrors SET tenant_id = '{}'", Uuid::from_u128(7))).await;
    let known = (world.count("mirror_objects").await, world.count("mirror_delivered").await);
    for mode in [RunMode::DryRun, RunMode::Test] {
        let request = RunRequest { reset_mirror: true, ..RunRequest::default() };
        let run = world.run_with(job, mode, request).await;
        assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("tenant_changed")), "{mode}");
        assert_eq!((world.count("mirror_objects").await, world.count("mirror_delivered").await), known, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_that_are_wanted_from_now_on_are_read_for_everybody() {
    let world = World::following(SEED).await;
    let job = world.add_job_with(json!({"users": {"references": []}})).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    world.set_job("objects = '{}'").await;
    let request = RunRequest { deliver: Some(Deliver::Full), ..RunRequest::default() };
    let run = world.run_with(job, RunMode::Incremental, request).await;
    assert_eq!(warnings(&run)["incremental_became_full"], 1, "{}", run.warnings);
    world.assert_exact("with managers");
}
