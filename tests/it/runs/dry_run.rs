//! A dry run shows what a full run would do, and does nothing of it.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::RunId;
use entra_assets::run_state::{ChangeAction, RunMode};
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Value, json};

const SEED: SeedOptions = SeedOptions { seed: 8, users: 40, groups: 8, memberships: None, devices: Some(2) };

/// What changed, without what is not known before it is done.
async fn changes(world: &World, run: &RunRow) -> Vec<String> {
    let rows = world.changes(run.run_id()).await;
    let shown = rows.iter().filter(|row| row.action != ChangeAction::Unchanged);
    shown
        .map(|row| format!("{} {} {} {:?} {:?}", row.object_type, row.object_id, row.action, row.before, row.after))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_changes_of_the_full_run_and_writes_nothing() {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    world.run(job, RunMode::Full).await;
    world.graph.change(|directory| {
        let ids: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
        directory.update(ids[3], json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone()).unwrap();
        directory.delete(ids[4]).unwrap();
        let group = directory.live_groups().next().unwrap().1.id;
        let new = directory.add_user(json!({"userPrincipalName": "new@contoso.example"}).as_object().unwrap().clone());
        directory.add_member(group, new).unwrap();
    });
    let state = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM \
                 (SELECT m::text AS t FROM mirror_objects m UNION ALL SELECT m::text FROM mirror_members m UNION ALL \
                  SELECT m::text FROM mirror_delivered m UNION ALL SELECT m::text FROM mirrors m) t";
    let (before, store) = (world.text(state).await, world.store());
    let dry = world.run(job, RunMode::DryRun).await;
    assert_eq!(dry.state.as_str(), "succeeded", "{:?}", dry.error);
    assert_eq!(world.text(state).await, before, "the mirror changed");
    assert!(world.store() == store, "Assets changed");
    assert_eq!(world.count("staged_objects").await, 0);
    let shown = changes(&world, &dry).await;
    assert!(shown.iter().any(|line| line.contains("Astronomer") && line.contains("update")), "{shown:?}");
    assert!(dry.counts["users"]["missing"] == 1 && dry.counts["users"]["created"] == 1, "{}", dry.counts);
    let rows = world.changes(RunId(dry.id)).await;
    let missing = rows.iter().find(|change| change.action == ChangeAction::Missing).unwrap();
    assert!(missing.before.as_deref().is_some_and(|before| before.contains("userPrincipalName")), "{missing:?}");
    let full = world.run(job, RunMode::Full).await;
    assert_eq!(changes(&world, &full).await, shown, "the full run does what the dry run showed");
    world.assert_exact("after the full run");
}

/// What a dry run counts of a type, and the run that follows too.
fn counted(run: &RunRow, name: &str) -> [u64; 8] {
    ["read", "sent", "created", "missing", "removed", "marked", "cleared", "notCleared"]
        .map(|field| run.counts[name].get(field).and_then(Value::as_u64).unwrap_or(0))
}

/// What is removed, marked, cleared or kept, as the policy says, with and without access to objects.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_runs_counts_are_those_of_the_run_that_follows() {
    for (policy, has_api) in [("keep", false), ("mark", false), ("remove", true), ("remove", false), ("keep", true)] {
        for runs in [1, 2] {
            let world = World::following(SEED).await;
            let job = world.add_job().await;
            let settings = format!("removal_policy = '{policy}', removal_after_missing_runs = {runs}");
            world.set_job(&format!("brake_percent = 100, {settings}")).await;
            if has_api {
                world.give_object_api().await;
            }
            world.run(job, RunMode::Full).await;
            world.graph.change(|directory| {
                let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
                let groups: Vec<_> = directory.live_groups().map(|(_, group)| group.id).collect();
                directory.update(users[3], json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone()).unwrap();
                users[10..22].iter().for_each(|user| directory.delete(*user).unwrap());
                groups[..3].iter().for_each(|group| directory.delete(*group).unwrap());
                directory.add_user(json!({"displayName": "New"}).as_object().unwrap().clone());
            });
            for round in 1..=runs {
                let what = format!("{policy}, api {has_api}, run {round} of {runs}");
                let dry = world.run(job, RunMode::DryRun).await;
                let full = world.run(job, RunMode::Full).await;
                for name in ["users", "groups", "licenses"] {
                    assert_eq!(counted(&dry, name), counted(&full, name), "{what}: {name} {}", full.counts);
                }
                let due = round == runs;
                let removed = if due && policy == "remove" && has_api { (12, 3) } else { (0, 0) };
                assert_eq!(
                    (&full.counts["users"]["removed"], &full.counts["groups"]["removed"]),
                    (&json!(removed.0), &json!(removed.1)),
                    "{what}"
                );
                let marked = dry.counts["users"].get("marked").cloned().unwrap_or(json!(0));
                assert_eq!(marked, json!(if due && policy == "mark" { 12 } else { 0 }), "{what}");
            }
        }
    }
}

/// Where the job delivers to now, there is nothing of it yet: what was delivered elsewhere is neither missing nor unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_after_the_destination_changed_shows_what_the_full_run_does() {
    for (another, policy) in
        [("destination", "keep"), ("destination", "mark"), ("import source", "keep"), ("import source", "mark")]
    {
        let what = format!("another {another}, {policy}");
        let world = World::following(SEED).await;
        let job = world.add_job().await;
        let settings = format!("removal_policy = '{policy}', removal_after_missing_runs = 1");
        world.set_job(&format!("brake_percent = 20, deliver = 'changes', {settings}")).await;
        world.set_destination("missing_objects = 'ignore'").await;
        world.run(job, RunMode::Full).await;
        world.graph.change(|directory| {
            let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
            directory.update(users[3], json!({"jobTitle": "Astronomer"}).as_object().unwrap().clone()).unwrap();
            // More than the brake lets go.
            users[10..22].iter().for_each(|user| directory.delete(*user).unwrap());
        });
        if another == "destination" {
            let (id, _) = world.add_another_destination().await;
            world.set_job(&format!("destination_id = '{id}'")).await;
        } else {
            let source = world.assets.add_source("Made anew");
            let token = world.seal_token(world.destination, &source.token);
            world.set_destination(&format!("token_sealed = '{token}', version = version + 1")).await;
        }
        let before = world.count("mirror_delivered").await;
        let dry = world.run(job, RunMode::DryRun).await;
        assert_eq!(dry.state.as_str(), "succeeded", "{what}: {:?} {}", dry.error, dry.warnings);
        assert_eq!(warnings(&dry)["destination_changed"], 1, "{what}: {}", dry.warnings);
        assert!(!dry.warnings.to_string().contains("removal_brake"), "{what}: {}", dry.warnings);
        assert_eq!(world.count("mirror_delivered").await, before, "{what}: a dry run forgets nothing");
        let shown = changes(&world, &dry).await;
        let full = world.run(job, RunMode::Full).await;
        assert_eq!(full.state.as_str(), "succeeded", "{what}: {:?} {}", full.error, full.warnings);
        for name in ["users", "groups", "licenses"] {
            assert_eq!(counted(&dry, name), counted(&full, name), "{what}: {name} {}", full.counts);
        }
        assert_eq!(full.counts["users"]["created"], 28, "{what}: {}", full.counts);
        assert_eq!(changes(&world, &full).await, shown, "{what}");
    }
}
