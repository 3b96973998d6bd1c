//! A permission that is taken from the application between two runs, or in the middle of one: the types that may no
//! longer be read stay as they were delivered, the others go on, and the run says what to do.

use crate::support::exact::warnings;
use crate::support::world::{Store, World};
use entra_assets::db::runs::RunRow;
use entra_assets::directory::ObjectType;
use entra_assets::ids::JobId;
use entra_assets::run_state::{ChangeReason, RunMode, RunRequest};
use entra_assets::sim::graph::{Action, Fault, Scenario};
use entra_assets::sim::seed::{Directory, ObjectKind, SeedOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 5, users: 30, groups: 8, memberships: Some(90), devices: Some(4) };
const ALL: [&str; 4] = ["User.Read.All", "GroupMember.Read.All", "Member.Read.Hidden", "LicenseAssignment.Read.All"];

fn grant_all_but(world: &World, lost: &[&str]) {
    let left: Vec<&str> = ALL.into_iter().filter(|name| !lost.contains(name)).collect();
    world.graph.set_roles(Scenario::Healthy, &left);
}

/// A directory that was delivered whole.
async fn world() -> (World, JobId) {
    let world = World::following(SEED).await;
    grant_all_but(&world, &[]);
    let job = world.add_job().await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("before");
    (world, job)
}

/// Who and what the change of a directory is about.
struct Changed {
    updated: Uuid,
    arrived: Uuid,
    new_group: Uuid,
}

/// One user is updated and leaves a group, another arrives in one; one is deleted; a group is new.
fn change(directory: &mut Directory) -> Changed {
    let map = |value: Value| value.as_object().unwrap().clone();
    let (left, updated) = directory.member_edges(ObjectKind::User)[0];
    let owners = directory.owner_edges();
    let managers = directory.manager_edges();
    let is_alone = |id: &Uuid| owners.iter().chain(&managers).all(|(_, to)| to != id);
    let users = directory.live_users().map(|(_, user)| user.id);
    let gone = users.filter(|id| *id != updated && is_alone(id)).last().unwrap();
    directory.update(updated, map(json!({"jobTitle": "Astronomer"}))).unwrap();
    directory.remove_member(left, updated).unwrap();
    directory.delete(gone).unwrap();
    let arrived = directory.add_user(map(json!({"userPrincipalName": "arrived@contoso.example"})));
    directory.add_member(left, arrived).unwrap();
    let new_group = directory.add_group("Stargazers", entra_assets::sim::seed::GroupKind::Security);
    directory.add_owner(new_group, updated).unwrap();
    directory.add_member(new_group, updated).unwrap();
    Changed { updated, arrived, new_group }
}

fn only(store: &Store, name: &str) -> Store {
    store.iter().filter(|(key, _)| key.0 == name).map(|(key, values)| (key.clone(), values.clone())).collect()
}

fn groups_of_users(store: &Store) -> BTreeMap<String, Vec<String>> {
    let users = only(store, "Entra User").into_iter();
    users.map(|(key, mut values)| (key.1, values.remove("Groups").unwrap_or_default())).collect()
}

fn lost(run: &RunRow) -> &Value {
    assert_eq!(run.state.as_str(), "degraded", "{:?} {}", run.error, run.warnings);
    run.warnings.as_array().unwrap().iter().find(|warning| warning["code"] == "capability_lost").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_may_no_longer_be_read_stay_and_groups_go_on() {
    for mode in [RunMode::Full, RunMode::Incremental] {
        let (world, job) = world().await;
        let before = world.store();
        grant_all_but(&world, &["User.Read.All"]);
        let changed = world.graph.change(change);
        let run = world.run(job, mode).await;
        let said = lost(&run);
        assert!(said["detail"].as_str().unwrap().starts_with("No permission to read users"), "{said}");
        assert!(said["advice"].as_str().unwrap().contains("User.Read.All"), "{said}");
        let store = world.store();
        assert_eq!(only(&store, "Entra User"), only(&before, "Entra User"), "{mode}");
        let group = &store[&("Entra Group", changed.new_group.to_string())];
        assert_eq!(group["Owners"], [changed.updated.to_string()], "frozen users can be pointed at");

        grant_all_but(&world, &[]);
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        assert!(mode == RunMode::Full || warnings(&run).is_empty(), "goes on where it stopped: {}", run.warnings);
        world.assert_exact("when users may be read again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_may_no_longer_be_read_stay_and_users_keep_theirs() {
    for mode in [RunMode::Full, RunMode::Incremental] {
        let (world, job) = world().await;
        let before = world.store();
        grant_all_but(&world, &["GroupMember.Read.All"]);
        let changed = world.graph.change(change);
        let run = world.run(job, RunMode::DryRun).await;
        lost(&run);
        let listed = world.changes(run.run_id()).await;
        let kinds: Vec<_> = listed.iter().filter_map(|c| c.reason.map(|r| (c.object_type, r))).collect();
        assert!(!kinds.contains(&(ObjectType::Users, ChangeReason::References)), "nobody's groups change: {kinds:?}");

        let run = world.run(job, mode).await;
        let said = lost(&run);
        assert!(said["detail"].as_str().unwrap().contains("the groups of users"), "{said}");
        assert!(said["advice"].as_str().unwrap().contains("GroupMember.Read.All"), "{said}");
        let store = world.store();
        assert_eq!(only(&store, "Entra Group"), only(&before, "Entra Group"), "{mode}");
        let (kept, now) = (groups_of_users(&before), groups_of_users(&store));
        assert!(now.iter().all(|(id, groups)| kept.get(id).is_none_or(|kept| kept == groups)), "{mode}");
        assert!(now[&changed.arrived.to_string()].is_empty(), "not known");
        assert_eq!(store[&("Entra User", changed.updated.to_string())]["Job Title"], ["Astronomer"]);

        grant_all_but(&world, &[]);
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        world.assert_exact("when groups may be read again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_in_the_middle_of_a_type_freezes_all_of_it() {
    for (path, nth, frozen) in [("/v1.0/users", 4, "Entra User"), ("/members?", 3, "Entra Group")] {
        let (world, job) = world().await;
        world.graph.set_max_page_size(5);
        let before = world.store();
        world.graph.change(change);
        world.graph.add_fault(Fault::on("/v1.0/", Action::status(403)).containing(path).nth(nth).times(0));
        let run = world.run(job, RunMode::Full).await;
        lost(&run);
        let store = world.store();
        assert_eq!(only(&store, frozen), only(&before, frozen));
        assert_ne!(store, before, "the rest goes on");
        world.graph.clear_faults();
        assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
        world.assert_exact("again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_without_users_or_groups_fails_and_delivers_nothing() {
    for role in ["User.Read.All", "GroupMember.Read.All"] {
        let world = World::following(SEED).await;
        grant_all_but(&world, &[role]);
        let job = world.add_job().await;
        for mode in [RunMode::DryRun, RunMode::Full] {
            let run = world.run(job, mode).await;
            let error = run.error.unwrap_or_default();
            assert_eq!((run.state.as_str(), error["code"].as_str()), ("failed", Some("graph_forbidden")), "{role}");
            assert_eq!(error["graphCode"], "Authorization_RequestDenied");
        }
        assert_eq!(world.assets.executions().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_may_read_nothing_of_what_it_imports_fails() {
    let (world, job) = world().await;
    let (before, executions) = (world.store(), world.assets.executions().len());
    world.graph.set_roles(Scenario::Healthy, &["Device.Read.All"]);
    for mode in [RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        let error = run.error.unwrap_or_default();
        assert_eq!(
            (run.state.as_str(), error["code"].as_str()),
            ("failed", Some("graph_forbidden")),
            "{}",
            run.warnings
        );
        assert!(error["detail"].as_str().unwrap().starts_with("Nothing that the job imports"), "{error}");
    }
    assert_eq!((world.store(), world.assets.executions().len()), (before, executions));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_depends_on_what_may_not_be_read_ends_the_run() {
    let group = World::graph(SEED).read(|directory| directory.member_edges(ObjectKind::User)[0].0);
    for (rule, role) in [
        (json!({"scope": {"users": "membersOf", "groupIds": [group]}}), "GroupMember.Read.All"),
        (json!({"scope": {"users": "membersOfFilteredGroups"}}), "GroupMember.Read.All"),
        (json!({"scope": {"groups": "containingFilteredUsers"}}), "User.Read.All"),
        (json!({"groups": {"odata": "startswith(displayName,'A')"}, "outside": "stub"}), "GroupMember.Read.All"),
    ] {
        let world = World::following(SEED).await;
        grant_all_but(&world, &[]);
        let job = world.add_job().await;
        let filter = world.add_filter(rule.clone()).await;
        world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
        let before = world.store();
        grant_all_but(&world, &[role]);
        let run = world.run(job, RunMode::Full).await;
        let error = run.error.unwrap_or_default();
        assert_eq!((run.state.as_str(), error["code"].as_str()), ("failed", Some("graph_forbidden")), "{rule}");
        assert!(error["detail"].as_str().unwrap().contains("scope"), "{error}");
        assert_eq!(world.store(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_only_a_test_delivered_keep_their_groups_too() {
    let world = World::with(SEED, Default::default()).await;
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    world.assets.configure(|behaviour| behaviour.empty_values = entra_assets::sim::assets::EmptyValues::Remove);
    world.graph.set_roles(Scenario::Healthy, &["Directory.Read.All"]);
    let job = world.add_job().await;
    let request = RunRequest { limit: Some(10), ..RunRequest::default() };
    assert_eq!(world.run_with(job, RunMode::Test, request).await.state.as_str(), "succeeded");
    let before = groups_of_users(&world.store());
    assert!(before.values().any(|groups| !groups.is_empty()));
    grant_all_but(&world, &["GroupMember.Read.All"]);
    lost(&world.run(job, RunMode::Full).await);
    let after = groups_of_users(&world.store());
    assert!(after.len() > before.len());
    assert!(before.iter().all(|(id, groups)| after[id] == *groups), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_assets_removed_as_meant_is_not_brought_back_by_a_type_that_is_frozen() {
    let (world, job) = world().await;
    let user = world.graph.change(|directory| {
        let user = directory.live_users().nth(3).unwrap().1.id;
        directory.delete(user).unwrap();
        user
    });
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    assert!(!world.store().contains_key(&("Entra User", user.to_string())));
    let before = only(&world.store(), "Entra User");
    grant_all_but(&world, &["User.Read.All"]);
    let run = world.run(job, RunMode::Full).await;
    lost(&run);
    assert!(!warnings(&run).contains_key("missing_objects_observed"), "{}", run.warnings);
    assert_eq!(only(&world.store(), "Entra User"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_does_not_take_groups_without_their_names_for_groups() {
    let world = World::with(SEED, Default::default()).await;
    // Graph shows groups of a user by their ids, and nothing else of them.
    grant_all_but(&world, &["GroupMember.Read.All", "Member.Read.Hidden"]);
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(warnings(&run).get("test_without_groups"), Some(&1), "{:?} {}", run.error, run.warnings);
    assert!(world.assets.objects("Entra Group").is_empty());
    assert_eq!(world.assets.objects("Entra User").len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_only_keeps_the_mirror_keeps_it() {
    let (world, job) = world().await;
    world.set_job("destination_id = NULL").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let users = "SELECT string_agg(id || data, '' ORDER BY id) FROM mirror_objects WHERE object_type = 'users'";
    let before = world.text(users).await;
    world.graph.change(change);
    grant_all_but(&world, &["User.Read.All"]);
    lost(&world.run(job, RunMode::Full).await);
    assert_eq!(world.text(users).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_groups_lead_to_users_that_may_no_longer_be_read() {
    let world = World::following(SEED).await;
    grant_all_but(&world, &[]);
    let job = world.add_job().await;
    world.set_job("memberships = 'both'").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let before = world.store();
    let members =
        |store: &Store| -> usize { store.values().filter_map(|values| values.get("Members")).map(Vec::len).sum() };
    assert!(members(&before) > 50);
    grant_all_but(&world, &["User.Read.All"]);
    lost(&world.run(job, RunMode::Full).await);
    assert!(world.store() == before, "nothing changed in the directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn stubs_of_the_owners_of_devices_stay_when_devices_may_no_longer_be_read() {
    let world = World::following(SEED).await;
    let roles = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];
    world.graph.set_roles(Scenario::Healthy, &[&roles[..], &["Device.Read.All"]].concat());
    let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
    let filter = world.add_filter(json!({"limits": {"maxUsers": 1}, "outside": "stub"})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    let owners = |world: &World| -> Vec<Vec<String>> {
        let devices = world.assets.objects("Entra Device").into_iter();
        devices.map(|mut device| device.values.remove("Owners").unwrap_or_default()).collect()
    };
    let (before, owned) = (world.store(), owners(&world));
    assert!(owned.iter().any(|owners| !owners.is_empty()));
    world.graph.set_roles(Scenario::Healthy, &roles);
    lost(&world.run(job, RunMode::Full).await);
    assert_eq!((only(&world.store(), "Entra User"), owners(&world)), (only(&before, "Entra User"), owned));
}
