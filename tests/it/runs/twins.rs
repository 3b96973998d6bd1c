//! Two jobs over one directory, of which one compares only what was touched, and the other everything: after every round of
//! random changes both found the same, and the same is delivered.

mod cases;

use super::random_changes::{Random, change_some};
use super::types::PERMISSIONS;
use crate::support::world::World;
use cases::{CASES, Case};
use entra_assets::db::runs::{ChangeRow, RunRow};
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, EmptyValues};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::{ObjectKind, SeedOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// How runs end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Undisturbed,
    /// The process of the first one dies.
    Killed,
    /// Assets refuses what is sent.
    Failing,
}

struct Twins {
    world: World,
    /// It compares what was touched.
    first: JobId,
    /// It compares everything.
    second: JobId,
    random: Random,
    /// A group that stays.
    group: Uuid,
    /// Processes die. What one sent twice is counted so.
    kills: bool,
    /// How many runs the brake has stopped.
    stops: usize,
}

impl Twins {
    async fn new(seed: u64, case: &Case, kills: bool) -> Self {
        let size = SeedOptions { seed, users: 50, groups: 16, memberships: Some(160), devices: Some(6) };
        let world = World::with(size, AssetsOptions::default()).await;
        // While a type may not be read, everything is compared.
        world.graph.set_roles(Scenario::Healthy, &PERMISSIONS);
        world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
        let (other, _) = world.add_another_destination().await;
        world.execute("UPDATE destinations SET missing_objects = 'ignore', empty_values = 'remove'".to_owned()).await;
        let group = world.graph.read(|directory| directory.member_edges(ObjectKind::Group)[0].0);
        let filter = world.add_filter((case.rule)(group)).await;
        let first = world.add_job_with((case.objects)()).await;
        // A destination has one job.
        world.execute(format!("UPDATE jobs SET destination_id = '{other}' WHERE id = '{first}'")).await;
        let second = world.add_job_with((case.objects)()).await;
        let settings = format!("deliver = 'changes', brake_percent = 100, filter_id = '{filter}', {}", case.job);
        world.set_job(&settings).await;
        Self { world, first, second, random: Random(seed), group, kills, stops: 0 }
    }

    /// A run of each, of which the first may be killed on its way, or whose deliveries fail. What both found is the same.
    async fn run(&mut self, mode: RunMode, how: How, why: &str) -> [RunRow; 2] {
        let request = match mode {
            RunMode::Test => RunRequest { limit: Some(8), ..RunRequest::default() },
            _ => RunRequest::default(),
        };
        let id = self.world.queue(self.first, mode, request.clone()).await;
        self.fail(how);
        if how == How::Killed {
            for _ in 0..1 + self.random.below(3) {
                self.kill(id).await;
            }
        }
        let first = self.world.bring_to_its_end(id).await;
        self.fail(how);
        self.world.execute(format!("UPDATE mirrors SET compared_by = NULL WHERE job_id = '{}'", self.second)).await;
        let id = self.world.queue(self.second, mode, request).await;
        let second = self.world.bring_to_its_end(id).await;
        self.world.assets.clear_faults();
        self.assert_equal(&first, &second, why).await;
        [first, second]
    }

    /// A run of each that stops if anything is missing. Then both are approved, or the next ones take their places.
    async fn brake(&mut self, approves: bool, why: &str) {
        // The version of the jobs stays, as if it had been their brake all the time.
        self.world.execute("UPDATE jobs SET brake_percent = 0".to_owned()).await;
        let stopped = self.run(RunMode::Incremental, How::Undisturbed, why).await;
        self.world.execute("UPDATE jobs SET brake_percent = 100".to_owned()).await;
        self.stops += usize::from(is_stopped(&stopped[0]));
        if approves && is_stopped(&stopped[0]) {
            let mut approved = Vec::new();
            for run in &stopped {
                self.world.approve(run.run_id()).await;
                approved.push(self.world.bring_to_its_end(run.run_id()).await);
            }
            assert!(has_delivered(&approved[0]), "{why}: {} {:?}", approved[0].state, approved[0].error);
            self.assert_equal(&approved[0], &approved[1], &format!("{why}, approved")).await;
        }
    }

    /// A run of each while groups may not be read.
    async fn lose_groups(&mut self, why: &str) {
        let left: Vec<&str> = PERMISSIONS.into_iter().filter(|name| *name != "GroupMember.Read.All").collect();
        self.world.graph.set_roles(Scenario::Healthy, &left);
        drop(self.run(RunMode::Incremental, How::Undisturbed, why).await);
        self.world.graph.set_roles(Scenario::Healthy, &PERMISSIONS);
    }

    fn fail(&self, how: How) {
        self.world.assets.clear_faults();
        if how == How::Failing {
            self.world.assets.inject(AssetsFault::answer("POST", "/data", 400, r#"{"errorMessages":["no"]}"#));
        }
    }

    /// Ends the process of a run at any moment: after some requests, or so long after it began.
    async fn kill(&mut self, id: RunId) {
        if self.world.find(id).await.finished_at.is_some() {
            return;
        }
        let (stages, nth) = (["collect", "diff", "deliver", "settle"], self.random.below(4));
        let world = &self.world;
        let (patience, looks) = (self.random.below(60), std::cell::Cell::new(0));
        world
            .step_and_die_when(async || {
                looks.set(looks.get() + 1);
                let query = format!("SELECT coalesce(progress->>'stage', '') FROM runs WHERE id = '{id}'");
                looks.get() > 200 + patience || (world.text(&query).await == stages[nth] && looks.get() > patience)
            })
            .await;
    }

    async fn assert_equal(&self, first: &RunRow, second: &RunRow, why: &str) {
        let (world, [one, two]) = (&self.world, [first, second]);
        assert_eq!(first.state, second.state, "{why}: {:?} {:?}", first.error, second.error);
        let changes = [self.changes(one).await, self.changes(two).await];
        for (at, (one, two)) in changes[0].iter().zip(&changes[1]).enumerate() {
            assert_eq!(one, two, "{why}: change {at}");
        }
        assert_eq!(changes[0].len(), changes[1].len(), "{why}");
        assert_eq!(self.counts(first), self.counts(second), "{why}");
        if !self.kills {
            assert_eq!(first.warnings, second.warnings, "{why}");
        }
        // Times at which something was marked differ by the seconds between the runs.
        let payload = "CASE WHEN marked THEN '' ELSE payload END";
        let delivered = format!("object_type, id, {payload}, label, missing_runs, marked, missing_reason");
        for (table, columns) in [
            ("mirror_delivered", delivered.as_str()),
            ("mirror_objects", "object_type, id, hash, data"),
            ("mirror_members", "group_id, member_type, member_ids"),
            ("mirror_dropped", "object_type, id, number"),
        ] {
            let of = |job: JobId| format!("SELECT {columns} FROM {table} WHERE job_id = '{job}'");
            let (one, two) = (of(self.first), of(self.second));
            let query = format!(
                "SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM (
                    (SELECT 'first', a.* FROM ({one} EXCEPT {two}) a) UNION ALL
                    (SELECT 'second', b.* FROM ({two} EXCEPT {one}) b)) t"
            );
            assert_eq!(world.text(&query).await, "", "{why}: {table}");
        }
        self.assert_counted(why).await;
    }

    /// The counts of a run, as far as they do not tell how often something was sent.
    fn counts(&self, run: &RunRow) -> Value {
        let mut counts = run.counts.clone();
        if self.kills {
            for of_type in
                counts.as_object_mut().into_iter().flatten().filter_map(|(_, of_type)| of_type.as_object_mut())
            {
                of_type.retain(|name, _| matches!(name.as_str(), "read" | "missing" | "droppedReferences"));
            }
        }
        counts
    }

    /// What is counted on the way is what there is, and all members are those of groups that are there.
    async fn assert_counted(&self, why: &str) {
        for (counter, table, rest) in [("read", "mirror_objects", ""), ("held", "mirror_delivered", "AND NOT marked")] {
            let job = self.first;
            let counted = format!("SELECT counters->'{counter}' FROM mirrors WHERE job_id = '{job}'");
            let counted = numbers(&self.world.text(&counted).await);
            let there = format!(
                "SELECT coalesce(jsonb_object_agg(object_type, number), '{{}}') FROM (SELECT object_type, count(*) AS number
                 FROM {table} WHERE job_id = '{job}' {rest} GROUP BY object_type) t"
            );
            let mut there = numbers(&self.world.text(&there).await);
            if counter == "read" {
                // Of a type that was read no more, the mirror keeps what it had.
                there.retain(|name, _| counted.contains_key(name));
            }
            assert_eq!(counted, there, "{why}: {counter}");
        }
        let strays = format!(
            "SELECT count(*) FROM mirror_members m WHERE job_id = '{}' AND NOT EXISTS (SELECT FROM mirror_objects o
                WHERE o.job_id = m.job_id AND o.object_type IN ('groups', 'stub:groups') AND o.id = m.group_id)",
            self.first
        );
        assert_eq!(self.world.text(&strays).await, "0", "{why}: members of groups that are not there");
    }

    /// The changes of a run without times.
    async fn changes(&self, run: &RunRow) -> Vec<String> {
        let time = |text: Option<String>| -> Option<Value> {
            let mut payload: Value = serde_json::from_str(&text?).unwrap();
            payload.as_object_mut().unwrap().insert("removedOn".to_owned(), Value::Null);
            Some(payload)
        };
        let changes = self.world.changes(run.run_id()).await.into_iter();
        let text = |change: ChangeRow| {
            let (before, after) = (time(change.before), time(change.after));
            format!(
                "{} {} {} {} {:?} {:?} {before:?} {after:?}",
                change.seq, change.object_type, change.object_id, change.action, change.reason, change.label
            )
        };
        changes.map(text).collect()
    }

    /// Whether a run compared only what was touched.
    async fn has_followed(&self, run: &RunRow) -> bool {
        let query = format!(
            "SELECT count(*) FROM run_events WHERE run_id = '{}' AND data::text LIKE '%Comparing what changed%'",
            run.id
        );
        self.world.text(&query).await != "0"
    }

    /// Something that makes the next comparison look at everything, or the settings with which both go on.
    async fn disturb(&mut self, why: &str) {
        match self.random.below(11) {
            0 => drop(self.run(RunMode::Full, How::Undisturbed, why).await),
            1 => drop(self.run(RunMode::DryRun, How::Undisturbed, why).await),
            2 => drop(self.run(RunMode::Test, How::Undisturbed, why).await),
            3 => self.world.set_job("name = name").await,
            4 => {
                // Fewer attributes, or as before.
                let change = "objects = CASE WHEN objects ? 'licenses' THEN objects - 'licenses'
                    ELSE objects || '{\"licenses\": {\"enabled\": false}}' END";
                self.world.set_job(change).await;
            }
            5 => drop(self.run(RunMode::Incremental, How::Failing, why).await),
            6 => self.world.execute("UPDATE destinations SET version = version + 1".to_owned()).await,
            7 => self.lose_groups(why).await,
            8 => self.brake(false, why).await,
            9 => self.brake(true, why).await,
            _ => self.world.clock.advance(Duration::from_secs(86_400 * self.random.below(4) as u64)),
        }
    }

    async fn rounds(&mut self, case: &Case, rounds: usize) {
        self.run(RunMode::Full, How::Undisturbed, case.name).await;
        let mut followed = 0;
        for round in 0..rounds {
            let changes = change_some(&self.world, &mut self.random, self.group);
            let why = format!("{}, round {round}, {changes} changes", case.name);
            if self.random.below(4) == 0 {
                self.disturb(&format!("{why}, disturbed")).await;
            }
            let how = if self.kills && self.random.below(2) == 0 { How::Killed } else { How::Undisturbed };
            let [run, _] = self.run(RunMode::Incremental, how, &why).await;
            assert!(has_delivered(&run), "{why}: {} {:?} {:?}", run.state, run.error, run.warnings);
            followed += usize::from(self.has_followed(&run).await);
        }
        let is_so = if case.follows { followed > rounds / 4 } else { followed == 0 };
        assert!(is_so, "{}: {followed} of {rounds}", case.name);
    }
}

fn is_stopped(run: &RunRow) -> bool {
    run.state.as_str() == "awaitingApproval"
}

fn has_delivered(run: &RunRow) -> bool {
    matches!(run.state.as_str(), "succeeded" | "degraded")
}

/// Numbers by name, without zeroes.
fn numbers(text: &str) -> BTreeMap<String, u64> {
    let mut numbers: BTreeMap<String, u64> = serde_json::from_str(text).unwrap();
    numbers.retain(|_, number| *number > 0);
    numbers
}

async fn twins(seed: u64, rounds: usize, kills: bool) {
    let mut stops = 0;
    for (number, case) in CASES.iter().enumerate() {
        let mut twins = Twins::new(seed + number as u64, case, kills).await;
        twins.rounds(case, rounds).await;
        stops += twins.stops;
    }
    assert!(stops > 0, "the brake never stopped a run");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_touched_compares_as_everything_does() {
    twins(31, 8, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_touched_compares_as_everything_does_where_runs_are_killed() {
    twins(77, 5, true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_what_was_touched_compares_as_everything_does_for_long() {
    for seed in (1_000..1_080).step_by(10) {
        twins(seed, 40, seed % 20 == 0).await;
    }
}

/// What a test delivered between a comparison and its approval is not what the comparison knew.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_between_a_stop_and_its_approval_makes_the_next_run_compare_everything() {
    let twins = Twins::new(5, &CASES[0], false).await;
    let job = twins.first;
    twins.world.set_job("brake_percent = 5, deliver = 'changes'").await;
    let title = |world: &World, user: Uuid| world.store()[&("Entra User", user.to_string())]["Job Title"].join("");
    let set = |world: &World, user: Uuid, title: &str| {
        let title = json!({"jobTitle": title}).as_object().unwrap().clone();
        world.graph.change(|directory| directory.update(user, title)).unwrap();
    };
    let users: Vec<Uuid> =
        twins.world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
    set(&twins.world, users[0], "Before");
    assert_eq!(twins.world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    twins.world.graph.change(|directory| users[20..30].iter().for_each(|user| directory.delete(*user).unwrap()));
    let stopped = twins.world.run(job, RunMode::Incremental).await;
    assert_eq!(stopped.state.as_str(), "awaitingApproval");
    set(&twins.world, users[0], "Between");
    let request = RunRequest { limit: Some(60), ..RunRequest::default() };
    assert_eq!(twins.world.run_with(job, RunMode::Test, request).await.state.as_str(), "succeeded");
    assert_eq!(title(&twins.world, users[0]), "Between");
    set(&twins.world, users[0], "Before");
    twins.world.approve(stopped.run_id()).await;
    assert!(twins.world.step().await);
    let run = twins.world.run(job, RunMode::Incremental).await;
    assert!(!twins.has_followed(&run).await, "it compared everything");
    assert_eq!(title(&twins.world, users[0]), "Before");
    let run = twins.world.run(job, RunMode::Incremental).await;
    assert!(twins.has_followed(&run).await, "and the next one did not");
    assert_eq!(run.counts["users"]["unchanged"], run.counts["users"]["read"]);
}
