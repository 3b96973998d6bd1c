//! What Assets holds after a run, for every setting of «Missing objects» there, every word of the administrator
//! about it, every mode, and everything that can go wrong or change on the way. The rules are those of a naive
//! reader, in `expected`; nothing of the product's own code is used to find out what is right.
//!
//! Each case begins with a complete delivery, an object that somebody made by hand in Assets, and a directory in
//! which one user was deleted, one changed and one arrived.

mod expected;

use crate::support::world::{Store, World};
use entra_assets::ids::JobId;
use entra_assets::job::Deliver;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsOptions, Behaviour, EmptyValues, Missing};
use entra_assets::sim::graph::{Action, Fault, Scenario};
use entra_assets::sim::seed::{Directory, SeedOptions};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// «Missing objects» of every object type, in the mapping that Assets shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Assets {
    Ignore,
    Update,
    Remove,
    /// Only what two executions in a row left out.
    RemoveAfterTwo,
}

/// `destination.missingObjects`: what the administrator says that Assets does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Unknown,
    Ignore,
    Update,
    Remove,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Full,
    FullOfChanges,
    Incremental,
    IncrementalOfChanges,
    DryRun,
    Test,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Situation {
    /// Nothing but the changes in the directory.
    Complete,
    /// Graph fails in the middle of the read.
    Partial,
    /// Two users are no longer in the filter.
    Narrowed,
    /// The job no longer imports licences.
    TypeOff,
    /// The application may no longer read licences.
    LicensesLost,
    /// The application may no longer read users.
    UsersLost,
    /// The application may no longer read groups, and thereby memberships.
    GroupsLost,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    assets: Assets,
    word: Word,
    mode: Mode,
    situation: Situation,
}

const WORDS: [Word; 4] = [Word::Unknown, Word::Ignore, Word::Update, Word::Remove];
const MODES: [Mode; 6] =
    [Mode::Full, Mode::FullOfChanges, Mode::Incremental, Mode::IncrementalOfChanges, Mode::DryRun, Mode::Test];
const SITUATIONS: [Situation; 7] = [
    Situation::Complete,
    Situation::Partial,
    Situation::Narrowed,
    Situation::TypeOff,
    Situation::LicensesLost,
    Situation::UsersLost,
    Situation::GroupsLost,
];

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ignore => "ignore",
            Self::Update => "update",
            Self::Remove => "remove",
        }
    }
}

impl Mode {
    fn of_run(self) -> RunMode {
        match self {
            Self::Full | Self::FullOfChanges => RunMode::Full,
            Self::Incremental | Self::IncrementalOfChanges => RunMode::Incremental,
            Self::DryRun => RunMode::DryRun,
            Self::Test => RunMode::Test,
        }
    }

    fn delivers_all(self) -> bool {
        !matches!(self, Self::FullOfChanges | Self::IncrementalOfChanges)
    }
}

/// The directory's changes, and who is affected by the situation.
struct Scene {
    changed: Uuid,
    excluded: Vec<Uuid>,
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn change(directory: &mut Directory) -> Scene {
    let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
    directory.delete(users[7]).unwrap();
    directory.update(users[3], map(json!({"jobTitle": "Astronomer"}))).unwrap();
    let arrived = directory.add_user(map(json!({
        "displayName": "Arrived Later", "userPrincipalName": "arrived.later@contoso.example",
    })));
    let group = directory.live_groups().find(|(_, group)| group.skus == 0).map(|(_, group)| group.id).unwrap();
    directory.add_member(group, arrived).unwrap();
    Scene { changed: users[3], excluded: vec![users[11], users[12]] }
}

async fn begin(assets: Assets) -> (World, JobId) {
    let seed = SeedOptions { users: 20, groups: 6, ..SeedOptions::default() };
    let behaviour = Behaviour { empty_values: EmptyValues::Remove, ..Behaviour::default() };
    let world = World::with(seed, AssetsOptions { behaviour, ..AssetsOptions::default() }).await;
    world.set_destination("empty_values = 'remove'").await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let by_hand = [("Object ID", expected::BY_HAND), ("Display Name", "Made by hand")];
    world.assets.add_manual_object("Entra User", &by_hand).unwrap();
    world.assets.configure(|behaviour| {
        behaviour.missing = match assets {
            Assets::Ignore => Missing::default(),
            Assets::Update => Missing::update("Lifecycle", "Removed"),
            Assets::Remove => Missing::remove(),
            Assets::RemoveAfterTwo => Missing::remove().after(2),
        }
    });
    (world, job)
}

async fn set_up(world: &World, case: Case) -> Scene {
    let scene = world.graph.change(change);
    world.set_destination(&format!("missing_objects = '{}'", case.word.as_str())).await;
    match case.situation {
        Situation::Complete => {}
        Situation::Partial => {
            let broken = Action::Status { status: 400, code: None, message: None, retry_after: None };
            world.graph.add_fault(Fault::on("/v1.0/groups", broken.clone()).times(0));
            world.graph.add_fault(Fault::on("/v1.0/subscribedSkus", broken).times(0));
        }
        Situation::Narrowed => {
            let filter = world.add_filter(json!({"exclude": {"userIds": scene.excluded}})).await;
            world.set_job(&format!("filter_id = '{filter}'")).await;
        }
        Situation::TypeOff => world.set_job(r#"objects = '{"licenses": {"enabled": false}}'"#).await,
        Situation::LicensesLost => {
            world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "Member.Read.Hidden"]);
        }
        Situation::UsersLost => {
            let roles = ["GroupMember.Read.All", "Member.Read.Hidden", "LicenseAssignment.Read.All"];
            world.graph.set_roles(Scenario::Healthy, &roles);
        }
        Situation::GroupsLost => {
            world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "LicenseAssignment.Read.All"]);
        }
    }
    scene
}

/// `Err` says how the world differs from what a naive reader of the rules expects.
async fn judge(case: Case) -> Result<(), String> {
    let (world, job) = begin(case.assets).await;
    let scene = set_up(&world, case).await;
    let before: Store = world.store();
    let deliver = if case.mode.delivers_all() { Deliver::Full } else { Deliver::Changes };
    let limit = (case.mode == Mode::Test).then_some(1000);
    let request = RunRequest { deliver: Some(deliver), limit, ..RunRequest::default() };
    let run = world.run_with(job, case.mode.of_run(), request).await;
    let told = format!("{} {:?} {}", run.state, run.error, run.warnings);

    let directory = expected::directory(&world, &before, &scene, case);
    let outcome = expected::outcome(case, &before, &directory);
    if run.state.as_str() != outcome.state {
        return Err(format!("expected {}, found {told}", outcome.state));
    }
    for code in outcome.codes {
        if !told.contains(code) {
            return Err(format!("expected {code}, found {told}"));
        }
    }
    let word = world.text("SELECT missing_objects FROM destinations").await;
    if word != outcome.word {
        return Err(format!("missingObjects is {word} instead of {}", outcome.word));
    }
    expected::compare(&world.store(), &outcome.store)
}

async fn judge_all(cases: impl Iterator<Item = Case>) {
    let faults: Vec<String> = stream::iter(cases)
        .map(async |case| judge(case).await.err().map(|fault| format!("{case:?}: {fault}")))
        .buffer_unordered(2)
        .filter_map(async |fault| fault)
        .collect()
        .await;
    assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
}

fn cases(assets: Assets, word: Word) -> impl Iterator<Item = Case> {
    let situations = move |mode| SITUATIONS.into_iter().map(move |situation| Case { assets, word, mode, situation });
    MODES.into_iter().flat_map(situations)
}

/// Those that differ most; `soak` has them all.
fn some_cases(assets: Assets, word: Word) -> impl Iterator<Item = Case> {
    cases(assets, word).filter(|case| match case.mode {
        Mode::Full | Mode::IncrementalOfChanges => true,
        Mode::DryRun | Mode::Test => matches!(case.situation, Situation::Complete | Situation::GroupsLost),
        Mode::FullOfChanges | Mode::Incremental => false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_removes_and_nobody_knows() {
    judge_all(some_cases(Assets::Remove, Word::Unknown)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_removes_although_it_is_said_to_ignore() {
    judge_all(some_cases(Assets::Remove, Word::Ignore)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_removes_as_it_is_said() {
    judge_all(some_cases(Assets::Remove, Word::Remove)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assets_ignores_as_it_is_said() {
    judge_all(some_cases(Assets::Ignore, Word::Ignore)).await;
}

mod soak {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "takes minutes"]
    async fn every_setting_with_every_word() {
        for assets in [Assets::Ignore, Assets::Update, Assets::Remove, Assets::RemoveAfterTwo] {
            judge_all(WORDS.into_iter().flat_map(|word| cases(assets, word))).await;
        }
    }
}
