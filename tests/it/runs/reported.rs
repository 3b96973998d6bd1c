//! What Assets says it did is compared with what was sent: the counts of a run, and what is sent again.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, Behaviour, RepeatedChunks};
use entra_assets::sim::seed::{ObjectKind, SeedOptions};
use serde_json::{Value, json};

async fn world(users: u32, behaviour: Behaviour) -> World {
    let seed = SeedOptions { users, groups: 6, ..SeedOptions::default() };
    let world = World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await;
    world.set_destination("missing_objects = 'ignore'").await;
    world
}

/// `sent`, `created`, `updated`, `unchanged`, `ignored` of users.
fn users(counts: &Value) -> [u64; 5] {
    ["sent", "created", "updated", "unchanged", "ignored"].map(|name| counts["users"][name].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_assets_left_out_without_a_word_degrade_the_run_and_are_sent_again() {
    let world =
        world(60, Behaviour { max_objects: Some(10), max_objects_is_silent: true, ..Behaviour::default() }).await;
    let job = world.add_job().await;
    world.set_job("deliver = 'changes'").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded", "{}", run.warnings);
    assert_eq!(users(&run.counts), [60, 10, 0, 0, 50]);
    let said = run.warnings.as_array().unwrap().iter().find(|w| w["detail"].to_string().contains("60 users")).unwrap();
    assert_eq!((&said["code"], &said["count"]), (&json!("entries_ignored"), &json!(50)));
    assert!(said["detail"].as_str().unwrap().contains("says nothing about 50"), "{said}");
    world.assets.configure(|behaviour| behaviour.max_objects = None);
    let run = world.run(job, RunMode::Full).await;
    let [sent, created, updated, unchanged, ignored] = users(&run.counts);
    let expected = ("succeeded", 60, 50, 10, 0);
    assert_eq!((run.state.as_str(), sent, created, updated + unchanged, ignored), expected, "{}", run.warnings);
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counts_of_a_run_are_what_assets_reported_and_sent_is_what_was_planned() {
    let world = world(1_000, Behaviour { reject_every: Some(50), ..Behaviour::default() }).await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), users(&run.counts)), ("degraded", [1_000, 980, 0, 0, 20]), "{}", run.warnings);
    world.assets.configure(|behaviour| behaviour.reject_every = None);
    let user = world.graph.read(|directory| directory.live_users().next().unwrap().1.id);
    let title = json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone();
    world.graph.change(|directory| directory.update(user, title)).unwrap();
    let run = world.run(job, RunMode::Full).await;
    let last = world.assets.executions().pop().unwrap().types["Entra User"].clone();
    assert_eq!((run.state.as_str(), run.counts["users"]["created"].as_u64()), ("succeeded", Some(last.created as u64)));
    let [sent, created, updated, unchanged, ignored] = users(&run.counts);
    assert_eq!((sent, ignored, created + updated + unchanged), (1_000, 0, 1_000), "{}", run.counts);
    assert!(updated >= last.updated as u64, "{}", run.counts);
}

/// A user whose groups changed is identical in its values.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_which_only_references_changed_counts_as_updated() {
    let world = world(30, Behaviour::default()).await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.graph.change(|directory| {
        let group = directory.live_groups().next().unwrap().1.id;
        let members = directory.member_edges(ObjectKind::User);
        let mut users = directory.live_users().map(|(_, user)| user.id);
        let user = users.find(|user| !members.contains(&(group, *user))).unwrap();
        drop(users);
        directory.add_member(group, user).unwrap();
    });
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), users(&run.counts)), ("succeeded", [30, 0, 1, 29, 0]), "{}", run.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_while_it_delivers_has_created_nothing() {
    let world = world(30, Behaviour::default()).await;
    let job = world.add_job().await;
    world.assets.inject(AssetsFault::answer("POST", "/data", 400, r#"{"errorMessages":["no"]}"#));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), users(&run.counts)), ("failed", [30, 0, 0, 0, 0]));
}

/// Several chunks, and what is sent again is counted as duplicates.
fn counting_again() -> Behaviour {
    Behaviour { repeated_chunks: RepeatedChunks::Again, max_chunk_entries: Some(20), ..Behaviour::default() }
}

/// The request does its work each time, but its answer is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_whose_answer_was_lost_is_sent_again_and_that_is_no_fault() {
    for (after, times) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (2, 2), (3, 3)] {
        let world = world(60, counting_again()).await;
        let job = world.add_job().await;
        world.assets.inject(AssetsFault::cut("POST", "/data").applied().after(after).times(times));
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let run = world.bring_to_its_end(id).await;
        assert_eq!(run.state.as_str(), "succeeded", "{after} {times}: {:?} {}", run.error, run.warnings);
        assert_eq!(users(&run.counts), [60, 60, 0, 0, 0], "{after} {times}");
        let codes = warnings(&run);
        let repeated = world.assets.chunks().iter().filter(|chunk| chunk.repeated).count();
        assert_eq!(codes.contains_key("chunk_repeated"), repeated > 0, "{after} {times}: {}", run.warnings);
        world.assert_delivered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_between_sending_and_recording_repeats_the_chunk_and_that_is_no_fault() {
    let world = world(60, Behaviour { latency_ms: 200, ..counting_again() }).await;
    let job = world.add_job().await;
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let data = |world: &World| world.assets.requests().iter().filter(|r| r.path.ends_with("/data")).count();
    world.step_and_die(|| world.assets.chunks().len() > 1 && data(&world) > 0).await;
    world.assets.configure(|behaviour| behaviour.latency_ms = 0);
    world.step().await;
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(users(&run.counts), [60, 60, 0, 0, 0]);
    world.assert_delivered();
}

/// A report by hand, in place of the simulator's.
async fn with_report(report: Value) -> Value {
    let world = world(30, Behaviour::default()).await;
    let job = world.add_job_with(json!({"groups": {"enabled": false}, "licenses": {"enabled": false}})).await;
    let status = json!({"status": "DONE", "progressResult": report}).to_string();
    world.assets.inject(AssetsFault::answer("GET", "/status", 200, &status).applied());
    let run = world.run(job, RunMode::Full).await;
    let next = world.run(job, RunMode::Full).await;
    json!({"state": run.state.as_str(), "counts": users(&run.counts), "warnings": run.warnings,
        "sentAgain": next.counts["users"]["sent"], "next": next.state.as_str()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_missing_or_absurd_degrades_the_run_and_says_what_is_known() {
    let of = |users: Value| json!({"result": "OK", "objectTypeResultMap": {"1": users}});
    let cases = [
        (Value::Null, 0, "did not report"),
        (json!({"result": "OK", "totalNumberEntriesInImport": 30}), 0, "In all it read 30 entries"),
        (of(json!({"objectTypeName": "Entra User"})), 30, "reports nothing"),
        (of(json!({"objectTypeName": "Entra User", "objectsCreated": -30, "entriesInSource": 30})), 30, "about 30"),
        (of(json!({"objectTypeName": "Entra User", "objectsCreated": 300})), 0, "270 more than were sent"),
        (of(json!({"objectTypeName": "Somebody else's", "objectsCreated": 30})), 0, "did not report"),
    ];
    for (report, ignored, said) in cases {
        let run = with_report(report.clone()).await;
        assert_eq!((&run["state"], &run["next"]), (&json!("degraded"), &json!("succeeded")), "{report}: {run}");
        assert_eq!((&run["counts"][4], &run["sentAgain"]), (&json!(ignored), &json!(30)), "{report}: {run}");
        assert!(run["warnings"].to_string().contains(said), "{report}: {run}");
    }
}
