//! What Assets has received completely it carries out: whatever is cancelled, changed or lost after that, the run learns
//! the outcome and writes it down; and where it cannot, the next delivery sends everything.

use crate::support::world::World;
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, Processing, SOURCE_ID};
use entra_assets::sim::seed::SeedOptions;
use serde_json::json;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 5, users: 30, groups: 6, memberships: Some(60), devices: Some(0) };
/// A little longer than a lease is left alone: a run that is cancelled knows it before the answer.
const SLOW: u64 = 15_000;

async fn world() -> (World, JobId) {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    (world, job)
}

async fn completed(world: &World) -> bool {
    world.text("SELECT count(*) FROM executions WHERE state = 'completed'").await == "1"
}

/// The process of a run dies once Assets has everything and it is written down.
async fn die_when_completed(world: &World, id: RunId) {
    world.assets.configure(|behaviour| behaviour.processing = Processing::Polls(u32::MAX));
    world.step_and_die_when(async || completed(world).await).await;
    assert!(completed(world).await, "{:?}", world.find(id).await.error);
    world.assets.configure(|behaviour| behaviour.processing = Processing::Polls(1));
}

async fn begin(world: &World, job: JobId) -> RunId {
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    die_when_completed(world, id).await;
    id
}

/// As if the process had died before it wrote down that Assets took the last chunk.
async fn forget_the_answer(world: &World) {
    let lost = "UPDATE executions SET state = 'ingesting', acknowledged_seq = 0, chunks = 0 WHERE state = 'completed'";
    world.execute(lost.to_owned()).await;
}

async fn assert_settled(world: &World, id: RunId, what: &str) {
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{what}: {:?} {}", run.error, run.warnings);
    let ends: Vec<_> = world.assets.executions().iter().map(|execution| execution.status).collect();
    assert_eq!(ends, ["DONE"], "{what}");
    assert_eq!(world.store().len() as i64, world.count("mirror_delivered").await, "{what}");
    world.assert_exact(what);
}

async fn change_title(world: &World, title: &str) {
    world.graph.change(|directory| {
        let user = directory.live_users().next().unwrap().1.id;
        directory.update(user, json!({"jobTitle": title}).as_object().unwrap().clone()).unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_while_its_process_is_gone_is_settled() {
    let (world, job) = world().await;
    let id = begin(&world, job).await;
    world.cancel(id).await;
    // The lease is renewed, and the cancellation seen, before Assets answers anything.
    world.assets.configure(|behaviour| behaviour.latency_ms = SLOW);
    assert_settled(&world, id, "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_chunk_whose_answer_died_with_its_process_is_not_given_up() {
    for what in ["nothing", "cancelled", "renamed"] {
        let (world, job) = world().await;
        let id = begin(&world, job).await;
        forget_the_answer(&world).await;
        match what {
            "cancelled" => world.cancel(id).await,
            "renamed" => world.set_job("name = 'Renamed'").await,
            _ => {}
        }
        assert_settled(&world, id, what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_while_the_answer_to_its_last_chunk_is_lost_is_settled() {
    let (world, job) = world().await;
    world.assets.configure(|behaviour| behaviour.latency_ms = SLOW);
    world.assets.inject(AssetsFault::cut("POST", "/data").applied());
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    let cancel = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
        while !world.assets.requests().iter().any(|request| request.faulty) {
            ticks.tick().await;
        }
        world.cancel(id).await;
    };
    tokio::join!(world.step(), cancel);
    assert_settled(&world, id, "cancelled").await;
}

/// Longer than any single call to Assets is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out_while_assets_carries_an_import_out() {
    let (world, job) = world().await;
    world.hasten(300);
    world.assets.inject(AssetsFault::answer("GET", "/status", 503, "{}").times(20));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    assert!(world.step().await);
    assert_settled(&world, id, "the process lives").await;

    let (world, job) = self::world().await;
    let id = begin(&world, job).await;
    world.hasten(300);
    let away = AssetsFault { method: None, ..AssetsFault::answer("GET", "", 503, "{}").times(20) };
    world.assets.inject(away);
    assert_settled(&world, id, "the process died").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_run_is_settled_although_its_job_is_edited_meanwhile() {
    let (world, job) = world().await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.graph.change(|directory| {
        let gone: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(10).collect();
        gone.into_iter().for_each(|id| directory.delete(id).unwrap());
    });
    let stopped = world.run(job, RunMode::Full).await;
    assert_eq!(stopped.state.as_str(), "awaitingApproval", "{:?}", stopped.error);
    let id = stopped.run_id();
    world.approve(id).await;
    die_when_completed(&world, id).await;
    world.set_job("name = 'Renamed'").await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(world.processed(), 2);
    world.assert_exact("approved, and edited");
}

/// The repeated chunk is refused, because the first one has come after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_chunk_that_is_refused_because_it_came_before_is_taken() {
    for status in [400, 409] {
        let (world, job) = world().await;
        world.assets.inject(AssetsFault::cut("POST", "/data"));
        world.assets.inject(AssetsFault::answer("POST", "/data", status, "{}").applied());
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        assert!(world.step().await);
        assert_settled(&world, id, &status.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_chunk_that_is_refused_and_not_there_fails_the_run() {
    let (world, job) = world().await;
    world.assets.inject(AssetsFault::cut("POST", "/data"));
    world.assets.inject(AssetsFault::answer("POST", "/data", 400, r#"{"errorMessages":["no"]}"#));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("assets_refused")));
    assert_eq!(world.assets.executions().pop().unwrap().status, "CANCELLED");
    assert_eq!(world.text("SELECT cardinality(resend) FROM mirrors").await, "0", "Assets has nothing of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_chunk_that_never_arrives_fails_the_run_after_a_while() {
    let (world, job) = world().await;
    world.hasten(1_000);
    world.assets.inject(AssetsFault::answer("POST", "/data", 503, "{}").times(u32::MAX));
    let run = world.run(job, RunMode::Full).await;
    let code = &run.error.unwrap_or_default()["code"];
    assert_eq!((run.state.as_str(), code), ("failed", &json!("assets_outcome_unknown")));
    let tries = world.assets.requests().iter().filter(|request| request.path.ends_with("/data")).count();
    assert!((5..50).contains(&tries), "{tries}");
    assert_eq!(world.assets.executions().pop().unwrap().status, "CANCELLED");
}

/// The destination of the job leads to another import source while Assets carries out an import of the first.
#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_of_one_place_is_never_sent_into_another() {
    let (world, job) = world().await;
    let id = begin(&world, job).await;
    let (destination, source) = world.add_another_destination().await;
    world.set_job(&format!("destination_id = '{destination}'")).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("approval_outdated")));
    assert!(world.assets.executions().iter().all(|execution| execution.source_id == SOURCE_ID));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.counts["users"]["created"]), ("succeeded", &json!(30)), "{:?}", run.error);
    assert_eq!(world.assets.executions().pop().unwrap().source_id, source);

    // The import source was made anew in Assets, and its token stored with the same destination.
    let (world, job) = self::world().await;
    let id = begin(&world, job).await;
    let source = world.assets.replace_source(SOURCE_ID).unwrap();
    let token = world.seal_token(world.destination, &source.token);
    world.set_destination(&format!("token_sealed = '{token}', version = version + 1")).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("assets_not_found")));
    assert!(world.assets.executions().iter().all(|execution| execution.source_id == SOURCE_ID));
}

/// Nobody learns what became of an import. What it changed in Assets is changed back all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_assets_took_without_being_settled_is_sent_whole_next_time() {
    let (world, job) = world().await;
    world.set_destination("missing_objects = 'ignore'").await;
    world.assets.configure(|behaviour| behaviour.missing = entra_assets::sim::assets::Missing::default());
    world.set_job("deliver = 'changes'").await;
    change_title(&world, "Before").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    change_title(&world, "Between").await;
    world.assets.inject(AssetsFault::answer("GET", "/status", 403, "{}"));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("assets_forbidden")));
    assert_eq!(world.text("SELECT array_to_string(resend, ',') FROM mirrors").await, "users");
    change_title(&world, "Before").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    let last = world.assets.executions().pop().unwrap();
    assert_eq!((last.types["Entra User"].entries, last.types["Entra User"].updated), (30, 1));
    assert_eq!(world.text("SELECT cardinality(resend) FROM mirrors").await, "0");
    world.assert_exact("changed back");
}

/// Somebody cancels an import in Assets that was carried out in part.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cancelled_after_it_was_completed_is_sent_whole_next_time() {
    let (world, job) = world().await;
    let id = begin(&world, job).await;
    let cancelled = json!({"status": "CANCELLED"}).to_string();
    world.assets.inject(AssetsFault::answer("GET", "/status", 200, &cancelled));
    let run = world.bring_to_its_end(id).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("execution_cancelled")));
    let resend = world.text("SELECT array_to_string(resend, ',') FROM mirrors").await;
    assert!(resend.contains("users") && resend.contains("groups"), "{resend}");
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("sent again");
}

/// The process of a run dies while it sends: Assets has some chunks, and the answer to the next one is lost.
async fn die_while_sending(world: &World, job: JobId) -> RunId {
    world.assets.configure(|behaviour| behaviour.max_chunk_entries = Some(16));
    world.assets.inject(AssetsFault::cut("POST", "/data").after(3).times(u32::MAX));
    let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
    world.step_and_die(|| world.assets.requests().iter().any(|request| request.faulty)).await;
    world.assets.clear_faults();
    let sent = "SELECT state = 'ingesting' AND acknowledged_seq > 0 AND sending_seq > acknowledged_seq FROM executions";
    assert_eq!(world.text(sent).await, "true", "{:?}", world.find(id).await.error);
    id
}

fn ends(world: &World) -> Vec<(Uuid, &'static str)> {
    world.assets.executions().iter().map(|execution| (execution.source_id, execution.status)).collect()
}

/// What accepts data is closed where it was started, although the job no longer leads there.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_has_open_is_cancelled_where_it_is_after_its_job_got_another_destination() {
    let (world, job) = world().await;
    let id = die_while_sending(&world, job).await;
    let (destination, source) = world.add_another_destination().await;
    world.set_job(&format!("destination_id = '{destination}'")).await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(ends(&world), [(SOURCE_ID, "CANCELLED"), (source, "DONE")]);
    assert_eq!(world.text("SELECT count(*) FROM executions WHERE state = 'ingesting'").await, "0");
}

/// The job is edited, and gets another destination while Assets is asked what it has of the execution before: what that had
/// taken does not count as sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_an_edit_is_sent_again_although_the_destination_changes_meanwhile() {
    let (world, job) = world().await;
    let id = die_while_sending(&world, job).await;
    let (destination, _) = world.add_another_destination().await;
    world.set_job("name = 'Renamed'").await;
    world.assets.clear_log();
    world.assets.inject(AssetsFault::answer("GET", "/status", 503, "{}").times(3));
    // Assets is asked again after seconds: time enough to edit the job once more.
    world.hasten(1);
    let edit = async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
        while !world.assets.requests().iter().any(|request| request.faulty) {
            ticks.tick().await;
        }
        world.set_job(&format!("destination_id = '{destination}'")).await;
        assert_eq!(ends(&world).len(), 1, "the edit came too late to show anything");
        world.hasten(100);
    };
    tokio::join!(world.step(), edit);
    let run = world.find(id).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(ends(&world), [(SOURCE_ID, "CANCELLED"), (SOURCE_ID, "DONE")]);
    assert_eq!(
        world.store().len() as i64,
        world.count("mirror_delivered").await,
        "everything was sent into the new one"
    );
}

/// The first question is not answered, the next one is.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_turns_out_to_be_complete_while_its_edit_is_looked_at_is_settled() {
    let (world, job) = world().await;
    let id = begin(&world, job).await;
    forget_the_answer(&world).await;
    world.set_job("name = 'Renamed'").await;
    world.assets.inject(AssetsFault::answer("GET", "/status", 403, "{}"));
    assert_settled(&world, id, "renamed").await;
}
