//! Two jobs over one directory, of which one compares only what was touched, and the other everything: after every round of
//! random changes both found the same, and the same is delivered.

use super::random_changes::{Random, change_some};
use super::types::PERMISSIONS;
use crate::support::world::World;
use entra_assets::db::runs::{ChangeRow, RunRow};
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsFault, AssetsOptions, EmptyValues};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::{ObjectKind, SeedOptions};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// What the twins import.
struct Case {
    name: &'static str,
    objects: fn() -> Value,
    /// By a group that stays.
    rule: fn(Uuid) -> Value,
    /// Columns of both jobs.
    job: &'static str,
    /// Rounds in which something is compared alone; in the others everything is.
    follows: bool,
}

fn nothing(_: Uuid) -> Value {
    json!({})
}

fn some_types() -> Value {
    json!({"devices": {"enabled": true}, "servicePlans": {"enabled": true}})
}

fn all_types() -> Value {
    let types = [
        "devices",
        "servicePlans",
        "applications",
        "servicePrincipals",
        "appCredentials",
        "administrativeUnits",
        "roles",
        "intuneDevices",
        "departments",
        "jobTitles",
        "cities",
    ];
    types.iter().map(|name| ((*name).to_owned(), json!({"enabled": true}))).collect::<serde_json::Map<_, _>>().into()
}

const CASES: [Case; 8] = [
    Case {
        name: "everything, memberships on users",
        objects: some_types,
        rule: nothing,
        job: "memberships = 'onUser'",
        follows: true,
    },
    Case {
        name: "memberships on groups, marked after two runs",
        objects: some_types,
        rule: nothing,
        job: "memberships = 'onGroup', removal_policy = 'mark', removal_after_missing_runs = 2",
        follows: true,
    },
    Case {
        name: "memberships on both sides, conditions on users and groups",
        objects: || json!({}),
        rule: |_| json!({"users": {"odata": "department ne null"}, "groups": {"odata": "mailEnabled eq false"}}),
        job: "memberships = 'both', removal_policy = 'mark', removal_after_missing_runs = 1",
        follows: true,
    },
    Case {
        name: "the members of a group",
        objects: || json!({}),
        rule: |group| json!({"scope": {"users": "membersOf", "groupIds": [group]}}),
        job: "memberships = 'both'",
        follows: true,
    },
    Case {
        name: "the members of the groups that a condition takes",
        objects: || json!({}),
        rule: |_| {
            let groups = json!({"odata": "mailEnabled eq false"});
            json!({"groups": groups, "scope": {"users": "membersOfFilteredGroups"}})
        },
        job: "memberships = 'onUser', removal_policy = 'remove'",
        follows: true,
    },
    Case { name: "all types", objects: all_types, rule: nothing, job: "memberships = 'onUser'", follows: true },
    Case {
        name: "groups at any depth",
        objects: || json!({"users": {"references": ["groups", "allGroups", "manager"]}}),
        rule: nothing,
        job: "memberships = 'onUser'",
        follows: false,
    },
    Case {
        name: "limits and stubs",
        objects: || json!({}),
        rule: |group| json!({"scope": {"users": "membersOf", "groupIds": [group]}, "outside": "stub", "limits": {"maxGroups": 9}}),
        job: "memberships = 'onUser'",
        follows: false,
    },
];

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
    /// Processes die. Between two transactions one takes with it why an object is gone; what it sent twice is counted so.
    kills: bool,
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
        Self { world, first, second, random: Random(seed), group, kills }
    }

    /// A run of each, of which the first may be killed on its way, or whose deliveries fail. What both found is the same.
    async fn run(&mut self, mode: RunMode, how: How, why: &str) -> RunRow {
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
        first
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
        let reason = if self.kills { "" } else { ", missing_reason" };
        let payload = "CASE WHEN marked THEN '' ELSE payload END";
        let delivered = format!("object_type, id, {payload}, label, missing_runs, marked{reason}");
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

    /// What is counted on the way is what there is.
    async fn assert_counted(&self, why: &str) {
        for (counter, table, rest) in [("read", "mirror_objects", ""), ("held", "mirror_delivered", "AND NOT marked")] {
            let job = self.first;
            let counted = format!("SELECT counters->'{counter}' FROM mirrors WHERE job_id = '{job}'");
            let counted: Value = serde_json::from_str(&self.world.text(&counted).await).unwrap_or_default();
            let there = format!(
                "SELECT coalesce(jsonb_object_agg(object_type, number), '{{}}') FROM (SELECT object_type, count(*) AS number
                 FROM {table} WHERE job_id = '{job}' {rest} GROUP BY object_type) t"
            );
            let there: Value = serde_json::from_str(&self.world.text(&there).await).unwrap();
            for (name, number) in counted.as_object().into_iter().flatten().filter(|(_, number)| **number != json!(0)) {
                assert_eq!(Some(number), there.get(name), "{why}: {counter} {name}");
            }
        }
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
            let reason = change.reason.filter(|_| !self.kills);
            format!(
                "{} {} {} {} {reason:?} {:?} {before:?} {after:?}",
                change.seq, change.object_type, change.object_id, change.action, change.label
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
        match self.random.below(8) {
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
            let run = self.run(RunMode::Incremental, how, &why).await;
            let has_ended = matches!(run.state.as_str(), "succeeded" | "degraded");
            assert!(has_ended, "{why}: {} {:?} {:?}", run.state, run.error, run.warnings);
            followed += usize::from(self.has_followed(&run).await);
        }
        assert_eq!(followed > rounds / 4, case.follows, "{}: {followed} of {rounds}", case.name);
    }
}

async fn twins(seed: u64, rounds: usize, kills: bool) {
    for (number, case) in CASES.iter().enumerate() {
        let mut twins = Twins::new(seed + number as u64, case, kills).await;
        twins.rounds(case, rounds).await;
    }
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
