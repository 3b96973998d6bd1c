//! Scopes that Graph cannot apply: groups' members, groups of users, exclusions, limits.

use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::seed::Kind;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Delivers with a filter; the ids of users and groups that arrived.
async fn delivered(world: &World, rule: Value) -> (BTreeSet<Uuid>, BTreeSet<Uuid>) {
    let job = world.add_job().await;
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state, "succeeded", "{:?} {:?}", run.error, run.warnings);
    let ids = |name: &str| {
        let objects = world.assets.objects(name);
        objects.iter().map(|object| object.values["Object ID"][0].parse().unwrap()).collect()
    };
    (ids("Entra User"), ids("Entra Group"))
}

/// The members of a group, and of the groups in it, by walking.
fn members(world: &World, group: Uuid, transitive: bool) -> BTreeSet<Uuid> {
    let (users, groups) =
        world.graph.read(|directory| (directory.member_edges(Kind::User), directory.member_edges(Kind::Group)));
    let mut seen = BTreeSet::from([group]);
    let mut open = vec![group];
    while let Some(group) = open.pop().filter(|_| transitive) {
        let nested = groups.iter().filter(|(parent, _)| *parent == group).map(|(_, child)| *child);
        open.extend(nested.filter(|child| seen.insert(*child)).collect::<Vec<_>>());
    }
    users.iter().filter(|(group, _)| seen.contains(group)).map(|(_, user)| *user).collect()
}

fn nesting_group(world: &World) -> Uuid {
    world.graph.read(|directory| directory.member_edges(Kind::Group)[0].0)
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_group_with_and_without_nested_groups() {
    for transitive in [true, false] {
        let world = World::new(150, 30).await;
        let group = nesting_group(&world);
        let rule = json!({"scope": {"users": "membersOf", "groupIds": [group], "transitive": transitive}});
        let (users, _) = delivered(&world, rule).await;
        assert_eq!(users, members(&world, group, transitive), "transitive: {transitive}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn excluded_users_do_not_arrive_and_limits_cut() {
    let world = World::new(60, 10).await;
    let excluded = world.graph.read(|directory| directory.live_users().next().unwrap().1.id);
    let rule = json!({"exclude": {"userIds": [excluded]}, "limits": {"maxUsers": 40, "maxGroups": 5}});
    let (users, groups) = delivered(&world, rule).await;
    assert!(!users.contains(&excluded));
    assert_eq!((users.len(), groups.len()), (40, 5));
}
