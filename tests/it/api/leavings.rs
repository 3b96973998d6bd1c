//! Whoever leaves is told of once, in the feed of the job and to webhooks, however many runs miss them.

use crate::support::test_app::TestApp;
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::run_state::RunMode;
use entra_assets::sim::assets::AssetsFault;
use serde_json::{Value, json};
use uuid::Uuid;

/// A job that has delivered, somebody who is told, and somebody who may leave.
struct Told {
    app: TestApp,
    job: JobId,
    webhook: String,
    user: Uuid,
    group: Uuid,
    /// Where the feed ended before anybody left.
    after: String,
}

impl Told {
    async fn start(setting: &str) -> Self {
        let world = World::new(30, 6).await;
        let job = world.add_job().await;
        world.set_job(&format!("brake_percent = 100, {setting}")).await;
        let app = TestApp::over(world);
        let hook = json!({"name": "Chat", "url": "https://example.com/hook",
            "events": ["user.joined", "user.left", "group.created", "group.deleted"]});
        let webhook = app.create("/v1/webhooks", &hook).await;
        app.world.run(job, RunMode::Full).await;
        let end = app.get(&format!("/v1/jobs/{job}/changes?after=latest")).await.expect(200);
        let after = end["nextAfter"].as_str().unwrap().to_owned();
        let (user, group) = app.world.graph.read(|directory| {
            (directory.live_users().nth(9).unwrap().1.id, directory.live_groups().nth(2).unwrap().1.id)
        });
        Self { app, job, webhook, user, group, after }
    }

    async fn run(&self, mode: RunMode) {
        let run = self.app.world.run(self.job, mode).await;
        assert!(["succeeded", "degraded"].contains(&run.state.as_str()), "{:?} {}", run.error, run.warnings);
    }

    /// How many deliveries there are of an event, whatever their number.
    async fn deliveries(&self, event: &str) -> usize {
        let all = self.app.get(&format!("{}/deliveries?limit=200&event={event}", self.webhook)).await.expect(200);
        let found = all["items"].as_array().unwrap();
        for delivery in found {
            let path = format!("{}/deliveries/{}", self.webhook, delivery["id"].as_str().unwrap());
            let whole = self.app.get(&path).await.expect(200);
            assert_eq!(whole["body"]["changes"]["count"], 1, "{whole}");
        }
        found.len()
    }

    /// What the feed says of an object: actions and events.
    async fn feed(&self, id: Uuid) -> Vec<(String, Value)> {
        let path = format!("/v1/jobs/{}/changes?limit=200&after={}", self.job, self.after);
        let page = self.app.get(&path).await.expect(200);
        assert_eq!(page["more"], false);
        let of_object = |change: &&Value| change["objectId"] == json!(id);
        let found = page["items"].as_array().unwrap().iter().filter(of_object);
        found.map(|change| (change["action"].as_str().unwrap().to_owned(), change["event"].clone())).collect()
    }
}

fn so(action: &str, event: &str) -> (String, Value) {
    (action.to_owned(), json!(event))
}

fn without_event(action: &str) -> (String, Value) {
    (action.to_owned(), Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_is_told_once_and_again_after_coming_back() {
    let told = Told::start("removal_policy = 'keep'").await;
    told.app.world.graph.change(|directory| {
        directory.delete(told.user).unwrap();
        directory.purge(told.group).unwrap();
    });
    for mode in [RunMode::Full, RunMode::Full, RunMode::Incremental, RunMode::Full] {
        told.run(mode).await;
        assert_eq!((told.deliveries("user.left").await, told.deliveries("group.deleted").await), (1, 1), "{mode}");
    }
    assert_eq!(told.feed(told.user).await, [so("missing", "user.left")]);
    assert_eq!(told.feed(told.group).await, [so("missing", "group.deleted")]);
    told.app.world.graph.change(|directory| directory.restore(told.user)).unwrap();
    told.run(RunMode::Full).await;
    told.app.world.graph.change(|directory| directory.delete(told.user)).unwrap();
    for _ in 0..2 {
        told.run(RunMode::Full).await;
    }
    assert_eq!((told.deliveries("user.left").await, told.deliveries("group.deleted").await), (2, 1));
    let expected = [so("missing", "user.left"), so("restore", "user.joined"), so("missing", "user.left")];
    assert_eq!(told.feed(told.user).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_marked_has_left_when_they_were_missing_first() {
    for (runs, expected) in [
        (1, vec![so("mark", "user.left")]),
        (2, vec![so("missing", "user.left"), without_event("mark")]),
        (3, vec![so("missing", "user.left"), without_event("mark")]),
    ] {
        let told = Told::start(&format!("removal_policy = 'mark', removal_after_missing_runs = {runs}")).await;
        told.app.world.graph.change(|directory| directory.delete(told.user)).unwrap();
        for _ in 0..4 {
            told.run(RunMode::Full).await;
            assert_eq!(told.deliveries("user.left").await, 1, "after {runs}");
        }
        assert_eq!(told.feed(told.user).await, expected, "after {runs}");
    }
}

/// A removal that fails is tried again by every run.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_has_left_when_the_removal_was_tried_first() {
    for (runs, expected) in [
        (1, vec![so("remove", "user.left"), without_event("remove"), without_event("remove")]),
        (2, vec![so("missing", "user.left"), without_event("remove"), without_event("remove")]),
    ] {
        let told = Told::start(&format!("removal_policy = 'remove', removal_after_missing_runs = {runs}")).await;
        told.app.world.give_object_api().await;
        told.app.world.graph.change(|directory| directory.delete(told.user)).unwrap();
        let refused = AssetsFault::answer("POST", "/object/aql", 401, "{}");
        told.app.world.assets.inject(AssetsFault { times: 1_000, ..refused });
        for _ in 0..2 {
            told.run(RunMode::Full).await;
            assert_eq!(told.deliveries("user.left").await, 1, "after {runs}");
        }
        told.app.world.assets.clear_faults();
        for _ in 0..2 {
            told.run(RunMode::Full).await;
            assert_eq!(told.deliveries("user.left").await, 1, "after {runs}");
        }
        assert_eq!(told.feed(told.user).await, expected, "after {runs}");
        assert!(!told.app.world.store().contains_key(&("Entra User", told.user.to_string())));
    }
}
