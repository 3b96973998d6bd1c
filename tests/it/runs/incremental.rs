//! Incremental runs: what changed, and no more.

use crate::support::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::directory::ObjectType;
use entra_assets::ids::{JobId, RunId};
use entra_assets::run_state::{ChangeReason, RunMode};
use entra_assets::sim::assets::{AssetsFault, AssetsObject, EmptyValues, Missing};
use entra_assets::sim::graph::Scenario;
use entra_assets::sim::seed::{Directory, GroupKind, ObjectKind};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A world in which Assets does what the destination says it does, so that the store can equal the directory.
async fn world() -> World {
    let world = World::new(200, 30).await;
    world.assets.configure(|behaviour| {
        behaviour.empty_values = EmptyValues::Remove;
        behaviour.missing = Missing::remove();
    });
    world.set_destination("missing_objects = 'remove', empty_values = 'remove'").await;
    world
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn some_user(directory: &Directory, number: usize) -> Uuid {
    directory.live_users().nth(number).unwrap().1.id
}

fn some_group(directory: &Directory, number: usize) -> Uuid {
    directory.live_groups().nth(number).unwrap().1.id
}

fn id(object: &AssetsObject) -> Uuid {
    object.values["Object ID"][0].parse().unwrap()
}

fn change_a_bit_of_everything(directory: &mut Directory) {
    let users: Vec<Uuid> = (10..16).map(|number| some_user(directory, number)).collect();
    let groups: Vec<Uuid> = (3..6).map(|number| some_group(directory, number)).collect();
    directory.update(users[0], map(json!({"jobTitle": "Astronomer"}))).unwrap();
    directory.set_manager(users[1], Some(users[2])).unwrap();
    directory.set_manager(users[3], None).unwrap();
    directory.add_member(groups[0], users[4]).ok();
    directory.add_owner(groups[1], users[5]).ok();
    let arrived = directory.add_user(map(json!({
        "displayName": "Arrived Later", "userPrincipalName": "arrived.later@contoso.example",
    })));
    let team = directory.add_group("Arrived team", GroupKind::Security);
    directory.add_member(team, arrived).unwrap();
    directory.add_member(team, groups[2]).unwrap();
    directory.delete(users[2]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_run_delivers_what_changed() {
    let world = world().await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.graph.change(change_a_bit_of_everything);
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let requests = world.graph.counters().requests;
    // Two of them ask for the managers of the reports of the user who was deleted: no delta says that they have none.
    assert!(requests < 14, "{requests} requests: {:?}", world.graph.requests());
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_incremental_run_reads_everything_and_says_why() {
    let world = world().await;
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded");
    assert_eq!(run.warnings[0]["code"], "incremental_became_full");
    world.assert_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_selection_reads_everything() {
    let world = world().await;
    let job = world.add_job().await;
    world.run(job, RunMode::Full).await;
    world.set_job(r#"objects = '{"users": {"attributes": ["department"]}}'"#).await;
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.warnings[0]["code"], "incremental_became_full");
    assert_eq!(run.counts[ObjectType::Users.as_str()]["read"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_alone_need_no_permission_for_groups_to_be_read_by_their_changes() {
    let world = world().await;
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All"]);
    let job = world.add_job_with(json!({"groups": {"enabled": false}, "licenses": {"enabled": false}})).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    // A position that was kept for groups is of no use, whatever it is.
    world.execute("UPDATE mirrors SET groups_delta_sealed = users_delta_sealed".to_owned()).await;
    world.graph.change(change_a_bit_of_everything);
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    assert_eq!(run.warnings, json!([]));
    let requests = world.graph.requests();
    let sent = requests.iter().filter(|request| !request.in_batch).count();
    assert!(sent < 8 && requests.iter().any(|request| request.path.contains("delta")), "{requests:?}");
    assert_eq!(world.assets.counts().objects["Entra User"] as u64, world.graph.truth().users);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_or_leaves_the_filter_arrives_or_is_out_of_scope() {
    let world = world().await;
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"users": {"odata": "department eq 'Engineering'"}})).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    world.run(job, RunMode::Full).await;
    let before = world.assets.counts().objects["Entra User"];
    let arrived: Vec<Uuid> = world.assets.objects("Entra User").iter().map(id).collect();
    let (enters, leaves) = world.graph.change(|directory| {
        let leaves = arrived[0];
        let enters = directory.live_users().map(|(_, user)| user.id).find(|id| !arrived.contains(id)).unwrap();
        directory.update(enters, map(json!({"department": "Engineering"}))).unwrap();
        directory.update(leaves, map(json!({"department": "Sales"}))).unwrap();
        (enters, leaves)
    });
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let users = world.assets.objects("Entra User");
    let has = |wanted: Uuid| users.iter().any(|user| id(user) == wanted);
    assert!(has(enters) && !has(leaves));
    assert_eq!(users.len(), before);
}

/// A job of the members of a group, with the enabled ones among them. Returns the job, the group and one nested in it that
/// is not imported.
async fn scoped(world: &World) -> (JobId, Uuid, Uuid) {
    let (outer, inner) = world.graph.change(|directory| {
        let outer = directory.add_group("Outer", GroupKind::Security);
        let inner = directory.add_group("Inner", GroupKind::Microsoft365);
        directory.add_member(outer, inner).unwrap();
        for number in 0..20 {
            let user = some_user(directory, number);
            directory.add_member(if number.is_multiple_of(2) { outer } else { inner }, user).unwrap();
        }
        (outer, inner)
    });
    let job = world.add_job().await;
    let rule = json!({"users": {"odata": "department ne null"}, "groups": {"odata": "mailEnabled eq false"},
        "scope": {"users": "membersOf", "groupIds": [outer]}});
    let filter = world.add_filter(rule).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.graph.reset_counters();
    (job, outer, inner)
}

fn users(world: &World) -> Vec<Uuid> {
    world.assets.objects("Entra User").iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_into_a_group_of_the_scope_is_read_by_id_and_who_leaves_it_is_out_of_scope() {
    let world = world().await;
    let (job, outer, inner) = scoped(&world).await;
    let (came, deeper, left, unwanted) = world.graph.change(|directory| {
        let new = directory.add_group("Newly nested", GroupKind::Microsoft365);
        let [came, deeper, unwanted] = [50, 60, 70].map(|number| some_user(directory, number));
        let left = some_user(directory, 3);
        directory.update(unwanted, map(json!({"department": null}))).unwrap();
        directory.add_member(new, deeper).unwrap();
        directory.add_member(inner, new).unwrap();
        directory.add_member(inner, came).unwrap();
        directory.add_member(outer, unwanted).unwrap();
        directory.remove_member(inner, left).unwrap();
        (came, deeper, left, unwanted)
    });
    let before = users(&world);
    assert!(before.contains(&left));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{:?}", run.error);
    let mut expected: Vec<Uuid> = before.into_iter().filter(|user| *user != left).chain([came, deeper]).collect();
    let mut found = users(&world);
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{unwanted} has no department");
    let requests = world.graph.requests();
    let lists = requests.iter().filter(|request| request.path == "/v1.0/users");
    assert!(lists.clone().count() <= 2 && lists.clone().all(|list| list.query.contains("in")), "{requests:?}");
    assert!(requests.len() <= 10, "{} requests", requests.len());
    let reasons = world.changes(RunId(run.id)).await;
    let reason = reasons.iter().find(|change| change.object_id == left).and_then(|change| change.reason);
    assert_eq!(reason, Some(ChangeReason::OutOfScope));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_changes_do_not_tell_is_read_whole() {
    let world = world().await;
    let (job, outer, inner) = scoped(&world).await;
    let why = async |run: RunMode| {
        let run = world.run(job, run).await;
        (run.state.to_string(), run.warnings[0]["detail"].as_str().unwrap_or_default().to_owned())
    };
    world.graph.change(|directory| directory.set_hidden_membership(inner, true).unwrap());
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let before = users(&world).len();
    let (state, detail) = why(RunMode::Incremental).await;
    assert_eq!(state, "degraded", "{detail}");
    assert!(detail.contains("are hidden"), "{detail}");
    assert_eq!(users(&world).len(), before, "whoever was in scope stays so");
    world.graph.change(|directory| directory.delete(outer).unwrap());
    let (state, detail) = why(RunMode::Incremental).await;
    assert_eq!(state, "degraded", "{detail}");
    assert!(detail.contains("names was deleted"), "{detail}");
    assert!(users(&world).is_empty());
}

/// As in a mirror of a version that kept no members of groups that are not imported: they are read, and nobody leaves.
#[tokio::test(flavor = "multi_thread")]
async fn members_by_which_a_scope_decides_are_read_where_they_are_not_known() {
    let world = world().await;
    let (job, outer, inner) = scoped(&world).await;
    world.execute("DELETE FROM mirror_scope_members".to_owned()).await;
    let store = world.store();
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{:?}", run.error);
    assert!(world.store() == store, "nobody came and nobody left");
    let asked = |id: Uuid| world.graph.requests().iter().any(|request| request.path.contains(&id.to_string()));
    assert!(asked(inner) && !asked(outer), "only what is not known is read");
    // From now on they are known.
    world.graph.reset_counters();
    world.run(job, RunMode::Incremental).await;
    assert!(!asked(inner));
}

/// Only the run that reads the change learns why an object is gone, and it may not be the one that delivers it.
#[tokio::test(flavor = "multi_thread")]
async fn why_an_object_is_gone_outlives_a_run_that_does_not_deliver_it() {
    for deliver in ["changes", "full"] {
        let world = World::new(60, 12).await;
        match deliver {
            "full" => world.follow().await,
            _ => world.set_destination("missing_objects = 'ignore'").await,
        }
        world.give_object_api().await;
        let job = world.add_job().await;
        let settings = "brake_percent = 100, removal_policy = 'remove', removal_after_missing_runs = 1";
        world.set_job(&format!("deliver = '{deliver}', {settings}")).await;
        world.run(job, RunMode::Full).await;
        let user = world.graph.read(|directory| some_user(directory, 5));
        world.graph.change(|directory| directory.delete(user).unwrap());
        let reason = async |run: &RunRow| {
            let changes = world.changes(run.run_id()).await;
            changes.iter().find(|change| change.object_id == user).and_then(|change| change.reason)
        };
        let refused = AssetsFault::answer("POST", "/data", 400, r#"{"errorMessages":["no"]}"#);
        world.assets.inject(AssetsFault { times: 1_000, ..refused });
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "failed", "{deliver}");
        assert_eq!(reason(&run).await, Some(ChangeReason::SoftDeleted), "{deliver}");
        world.assets.clear_faults();
        // Delivered, and not removed.
        world.assets.inject(AssetsFault { times: 1_000, ..AssetsFault::answer("POST", "/object/aql", 401, "{}") });
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "degraded", "{deliver}: {:?} {}", run.error, run.warnings);
        assert_eq!(reason(&run).await, Some(ChangeReason::SoftDeleted), "{deliver}: not delivered before");
        world.assets.clear_faults();
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.counts["users"]["removed"], 1, "{deliver}: {:?} {}", run.error, run.warnings);
        assert_eq!(reason(&run).await, Some(ChangeReason::SoftDeleted), "{deliver}: not removed before");
        assert_eq!(world.text("SELECT count(*) FROM mirror_touched WHERE reason IS NOT NULL").await, "0", "{deliver}");
    }
}

/// What a dry run reads of groups that are not imported is not what the next changes are compared with.
#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_between_two_runs_hides_nobody_who_joined() {
    let world = world().await;
    let (job, _, inner) = scoped(&world).await;
    let came = world.graph.change(|directory| {
        let came = some_user(directory, 50);
        directory.update(came, map(json!({"department": "Sales"}))).unwrap();
        came
    });
    assert_eq!(world.run(job, RunMode::Incremental).await.state.as_str(), "succeeded");
    assert!(!users(&world).contains(&came));
    world.graph.change(|directory| directory.add_member(inner, came).unwrap());
    assert_eq!(world.run(job, RunMode::DryRun).await.state.as_str(), "succeeded");
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{:?}", run.error);
    assert!(users(&world).contains(&came));
}

/// A job of the first users and groups by their ids.
/// What a limit left out is imported when the limit is gone: who comes back later is as new as anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_gone_leaves_nobody_out() {
    let world = world().await;
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"limits": {"maxUsers": 20, "maxGroups": 1}})).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.set_job("filter_id = NULL").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("without the limit");
    let (group, user) = world.graph.read(|directory| {
        let mut groups: Vec<Uuid> = directory.live_groups().map(|(_, group)| group.id).collect();
        groups.sort();
        let edges = directory.member_edges(ObjectKind::User);
        let with_members = |group: &&Uuid| edges.iter().any(|(of, _)| of == *group);
        let mut users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
        users.sort();
        (*groups[1..].iter().find(with_members).unwrap(), users[30])
    });
    for (why, changes) in [("gone", false), ("back", true)] {
        world.graph.change(|directory| {
            for id in [group, user] {
                match changes {
                    true => directory.restore(id).unwrap(),
                    false => directory.delete(id).unwrap(),
                }
            }
        });
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{why}: {:?}", run.error);
        if changes {
            world.assert_exact(why);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_place_of_one_who_leaves_is_read_by_id() {
    let world = world().await;
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"limits": {"maxUsers": 20, "maxGroups": 5}})).await;
    world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let (mut all, mut groups) = world.graph.read(|directory| {
        let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
        let groups: Vec<Uuid> = directory.live_groups().map(|(_, group)| group.id).collect();
        (users, groups)
    });
    all.sort();
    groups.sort();
    let found = |name: &str| {
        let mut found: Vec<Uuid> = world.assets.objects(name).iter().map(id).collect();
        found.sort();
        found
    };
    assert_eq!((found("Entra User"), found("Entra Group")), (all[..20].to_vec(), groups[..5].to_vec()));
    world.graph.change(|directory| {
        directory.delete(all[7]).unwrap();
        directory.delete(groups[2]).unwrap();
        directory.update(all[100], map(json!({"jobTitle": "Astronomer"}))).unwrap();
    });
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{:?}", run.error);
    all.remove(7);
    groups.remove(2);
    assert_eq!((found("Entra User"), found("Entra Group")), (all[..20].to_vec(), groups[..5].to_vec()));
    assert_eq!((&run.counts["users"]["outOfScope"], &run.counts["groups"]["outOfScope"]), (&json!(179), &json!(24)));
    let requests = world.graph.requests();
    let lists = requests.iter().filter(|request| request.path == "/v1.0/users" || request.path == "/v1.0/groups");
    assert!(lists.clone().all(|list| list.query.contains("in")), "{requests:?}");
    assert!(requests.len() <= 16, "{} requests: {requests:?}", requests.len());
}
