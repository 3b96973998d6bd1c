//! A dry run shows what a full run would do, and does nothing of it.

use crate::support::world::World;
use entra_assets::ids::RunId;
use entra_assets::run_state::{ChangeAction, RunMode};
use entra_assets::sim::seed::SeedOptions;
use serde_json::json;

const SEED: SeedOptions = SeedOptions { seed: 8, users: 40, groups: 8, memberships: None, devices: Some(2) };

/// What changed, without what is not known before it is done.
async fn changes(world: &World, run: &entra_assets::db::runs::RunRow) -> Vec<String> {
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
