//! The odd sides of delta queries, and of what happens between a full read and the changes after it.

mod managers;

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{AssetsOptions, EmptyValues};
use entra_assets::sim::graph::{Action, ClearedManager, Fault, Feature, RequestRecord, Scenario};
use entra_assets::sim::seed::{GroupKind, ObjectKind, SeedOptions};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 9, users: 60, groups: 12, memberships: Some(200), devices: Some(4) };

async fn world() -> (World, JobId) {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()));
    world.graph.reset_counters();
    (world, job)
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn user(world: &World, number: usize) -> Uuid {
    world.graph.read(|directory| directory.live_users().nth(number).unwrap().1.id)
}

async fn assert_followed(world: &World, job: JobId, why: &str) {
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{why}: {:?}", run.error);
    assert_eq!(run.warnings, json!([]), "{why}");
    world.assert_exact(why);
}

/// Runs incrementally, expecting a full read and why.
async fn assert_full(world: &World, job: JobId, why: &str) {
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{why}: {:?}", run.error);
    let warning = &run.warnings[0];
    assert_eq!(warning["code"], "incremental_became_full", "{why}: {:?}", run.warnings);
    assert!(warning["detail"].as_str().unwrap().contains(why), "{why}: {warning}");
    world.assert_exact(why);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_without_changes_asks_little_and_changes_nothing() {
    let (world, job) = world().await;
    assert_followed(&world, job, "nothing").await;
    let paths: Vec<String> = world.graph.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths.len(), 4, "a token, two rounds, licences: {paths:?}");
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((&run.counts["users"]["updated"], &run.counts["users"]["unchanged"]), (&json!(0), &json!(60)));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_again_in_parts_or_for_unknown_objects_do_no_harm() {
    let (world, job) = world().await;
    let (somebody, manager) = (user(&world, 4), user(&world, 5));
    let group = world.graph.read(|directory| directory.live_groups().next().unwrap().1.id);
    world.graph.change(|directory| {
        directory.set_manager(somebody, Some(manager)).unwrap();
        directory.update(somebody, map(&json!({"jobTitle": "Astronomer"}))).unwrap();
        directory.update(group, map(&json!({"description": "Changed"}))).unwrap();
        let newest = directory.add_user(map(&json!({"userPrincipalName": "new@contoso.example"})));
        directory.add_member(group, newest).unwrap();
    });
    let member = world.graph.read(|directory| {
        let edges = directory.member_edges(ObjectKind::User);
        edges.iter().find(|(of, _)| *of == group).unwrap().1
    });
    let extra = [
        // The same user again, only with what was not told before, and once more without anything.
        ("/v1.0/users/delta", json!({"id": somebody, "city": "Oslo"})),
        ("/v1.0/users/delta", json!({"id": somebody})),
        ("/v1.0/users/delta", json!({"id": Uuid::from_u128(4), "@removed": {"reason": "changed"}})),
        ("/v1.0/users/delta", json!({"id": Uuid::from_u128(5), "@removed": {"reason": "deleted"}})),
        // A part of the group with one more member, which it has already.
        ("/v1.0/groups/delta", {
            let members = json!([{"@odata.type": "#microsoft.graph.user", "id": member}]);
            json!({"id": group, "members@delta": members})
        }),
        ("/v1.0/groups/delta", json!({"id": group, "members@delta": []})),
    ];
    for (path, row) in extra {
        world.graph.add_fault(Fault::on(path, Action::ExtraRow { row }));
    }
    assert_followed(&world, job, "repeated").await;
    let found =
        world.assets.objects("Entra User").into_iter().find(|o| o.values["Object ID"][0] == somebody.to_string());
    let values = found.unwrap().values;
    assert_eq!((values["Job Title"][0].as_str(), values["City"][0].as_str()), ("Astronomer", "Oslo"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_told_in_many_pages_is_put_together() {
    let (world, job) = world().await;
    world.graph.change(|directory| {
        let group = directory.live_groups().nth(3).unwrap().1.id;
        // More than the 500 links of one page.
        for number in 0..620 {
            let name = json!({"userPrincipalName": format!("many{number}@contoso.example")});
            let id = directory.add_user(map(&name));
            directory.add_member(group, id).unwrap();
        }
    });
    assert_followed(&world, job, "620 members").await;
    let by_id = world.graph.requests().iter().filter(|request| request.query.contains("id%20in")).count();
    assert!((40..=45).contains(&by_id), "fifteen ids to a request: {by_id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_leaves_all_groups_even_when_no_group_says_so_and_comes_back() {
    let (world, job) = world().await;
    world.graph.set_silent_deletions(true);
    let (somebody, group) = world.graph.change(|directory| {
        let (group, somebody) = directory.member_edges(ObjectKind::User)[7];
        directory.delete(somebody).unwrap();
        (somebody, group)
    });
    assert_followed(&world, job, "soft-deleted").await;
    let left = format!("SELECT count(*) FROM mirror_members WHERE '{somebody}' = ANY(member_ids)");
    assert_eq!(world.text(&left).await, "0");
    world.graph.change(|directory| directory.restore(somebody).unwrap());
    assert_followed(&world, job, "restored").await;
    world.graph.change(|directory| {
        directory.purge(somebody).unwrap();
        directory.delete(group).unwrap();
    });
    assert_followed(&world, job, "gone for good").await;
    world.graph.change(|directory| directory.restore(group).unwrap());
    assert_followed(&world, job, "a group restored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_no_longer_good_makes_the_run_a_full_one_that_says_why() {
    let (world, job) = world().await;
    let change = |directory: &mut entra_assets::sim::seed::Directory| {
        let id = directory.live_users().nth(8).unwrap().1.id;
        directory.delete(id).unwrap();
    };
    for (action, why) in [
        (Action::Resync, "410"),
        (Action::SyncStateNotFound, "syncStateNotFound"),
        (Action::status(400), "400"),
        (Action::status(501), "501"),
    ] {
        for path in ["/v1.0/users/delta", "/v1.0/groups/delta"] {
            world.graph.change(change);
            world.graph.add_fault(Fault::on(path, action.clone()).containing("$deltatoken"));
            assert_full(&world, job, why).await;
            assert_followed(&world, job, "the next one").await;
        }
    }
    world.graph.change(change);
    world.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_full(&world, job, "7 days old").await;
    let filter =
        world.add_filter(json!({"users": {"odata": "startsWith(userPrincipalName, 'a') or userType eq 'Member'"}}));
    let filter = filter.await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(warnings(&run)["incremental_became_full"], 1);
    assert!(run.warnings[0]["detail"].as_str().unwrap().contains("filter changed"), "{:?}", run.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_everything_is_read_is_told_by_the_next_round() {
    let (world, job) = world().await;
    world.graph.set_max_page_size(5);
    let change = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while world.graph.counters().requests < 10 {
            ticks.tick().await;
        }
        world.graph.change(|directory| {
            let ids: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
            directory.update(ids[0], map(&json!({"jobTitle": "Changed in between"}))).unwrap();
            directory.delete(ids[1]).unwrap();
            let group = directory.live_groups().next().unwrap().1.id;
            directory.add_member(group, ids[2]).ok();
            let team = directory.live_groups().nth(4).unwrap().1.id;
            directory.delete(team).unwrap();
        });
    };
    let (run, ()) = tokio::join!(world.run(job, RunMode::Full), change);
    assert!(matches!(run.state.as_str(), "succeeded" | "degraded"), "{:?}", run.error);
    assert_followed(&world, job, "after a change in between").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_a_crash_and_its_mending_is_told_by_the_next_round() {
    let (world, job) = world().await;
    world.graph.set_max_page_size(5);
    world.graph.set_latency(Duration::from_millis(300));
    for at in [6, 12, 20, 30] {
        world.graph.reset_counters();
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        world.step_and_die(|| world.graph.counters().requests >= at).await;
        world.graph.change(|directory| {
            let ids: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
            directory.update(ids[0], map(&json!({"jobTitle": format!("Changed at {at}")}))).unwrap();
            directory.delete(ids[1]).unwrap();
            directory.set_manager(ids[3], Some(ids[4])).ok();
        });
        assert_eq!(world.bring_to_its_end(id).await.state.as_str(), "succeeded");
        assert_followed(&world, job, &format!("died at {at}")).await;
        let title =
            world.assets.objects("Entra User").into_iter().filter_map(|user| user.values.get("Job Title").cloned());
        assert!(title.flatten().any(|title| title == format!("Changed at {at}")), "the change at {at} got lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_changes_mixes_nothing() {
    let (world, job) = world().await;
    world.graph.set_latency(Duration::from_millis(300));
    for at in 2..9 {
        let (team, new) = world.graph.change(|directory| {
            let team = directory.add_group(&format!("Team {at}"), entra_assets::sim::seed::GroupKind::Security);
            let name = json!({"userPrincipalName": format!("first{at}@contoso.example")});
            let new = directory.add_user(map(&name));
            directory.add_member(team, new).unwrap();
            (team, new)
        });
        world.graph.reset_counters();
        let id = world.queue(job, RunMode::Incremental, RunRequest::default()).await;
        world.step_and_die(|| world.graph.counters().requests >= at).await;
        world.graph.change(|directory| {
            directory.delete(new).unwrap();
            let name = json!({"userPrincipalName": format!("second{at}@contoso.example")});
            let second = directory.add_user(map(&name));
            directory.add_member(team, second).unwrap();
        });
        assert_eq!(world.bring_to_its_end(id).await.state.as_str(), "succeeded");
        assert_followed(&world, job, &format!("died at {at}")).await;
    }
}

/// A run that a version before began, which staged changes in another form: it is followed from the same position.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_another_version_staged_are_read_again() {
    let (world, job) = world().await;
    world.graph.set_latency(Duration::from_millis(300));
    world.hasten(10);
    world.graph.change(|directory| {
        let id = directory.live_users().next().unwrap().1.id;
        directory.update(id, map(&json!({"jobTitle": "Astronomer"}))).unwrap();
    });
    let id = world.queue(job, RunMode::Incremental, RunRequest::default()).await;
    let rounds = "('round:users', 'round:groups', 'changes:users', 'changes:groups')";
    let staged = format!("SELECT count(*) FROM run_cursors WHERE collection IN {rounds}");
    world.step_and_die_when(async || world.text(&staged).await != "0").await;
    assert_ne!(world.text(&staged).await, "0", "it died before the end");
    world.hasten(100);
    let before = |name: &str| format!("'changes:' || split_part({name}, ':', 2)");
    world
        .execute(format!(
            "UPDATE staged_objects SET object_type = {}, data = '{{\"values\": {{}}}}' WHERE object_type IN {rounds};
             UPDATE run_cursors SET collection = {} WHERE collection IN {rounds}",
            before("object_type"),
            before("collection"),
        ))
        .await;
    let run = world.bring_to_its_end(id).await;
    assert_eq!((run.state.as_str(), &run.warnings), ("succeeded", &json!([])), "{:?}", run.error);
    world.assert_exact("after another version");
    assert_eq!(world.text("SELECT count(*) FROM run_cursors").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_are_read_one_by_one_where_their_ids_cannot_be_named_together() {
    let (world, job) = world().await;
    world.graph.change(|directory| {
        let boss = directory.live_users().next().unwrap().1.id;
        for number in 0..4 {
            let name = json!({"userPrincipalName": format!("new{number}@contoso.example")});
            let new = directory.add_user(map(&name));
            directory.set_manager(new, Some(boss)).unwrap();
        }
    });
    world.graph.add_fault(Fault::on("/v1.0/users", Action::status(400)).exactly().containing("id in").times(0));
    assert_followed(&world, job, "without `in`").await;
    world.graph.clear_faults();
    world.graph.refuse(Feature::Delta, Some(404));
    assert_full(&world, job, "404").await;
}

/// The changes tell of somebody whom the server does not show yet: the next round tells of it again.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_of_and_not_shown_yet_comes_with_the_next_round() {
    let (world, job) = world().await;
    let (user, group) = world.graph.change(|directory| {
        let user = directory.add_user(map(&json!({"userPrincipalName": "late@contoso.example"})));
        let group = directory.add_group("Latecomers", GroupKind::Security);
        let other = directory.live_users().next().unwrap().1.id;
        directory.add_member(group, user).unwrap();
        directory.add_member(group, other).unwrap();
        (user, group)
    });
    let hidden = |path: &str, id: Uuid| Fault::on(path, Action::MissingRow { id }).exactly().containing("id in");
    world.graph.add_fault(hidden("/v1.0/users", user));
    world.graph.add_fault(hidden("/v1.0/groups", group));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(warnings(&run), [("changes_not_readable".to_owned(), 2)].into(), "users and groups");
    assert_followed(&world, job, "shown by now").await;
    // The members of a group that arrived.
    let group = world.graph.change(|directory| {
        let group = directory.add_group("More latecomers", GroupKind::Security);
        directory.add_member(group, user).unwrap();
        group
    });
    world.graph.add_fault(Fault::on(format!("/v1.0/groups/{group}/members"), Action::status(404)).times(0));
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(warnings(&run)["changes_not_readable"], 1);
    world.graph.clear_faults();
    assert_full(&world, job, "left no delta token").await;
}

/// Graph shows some of the members of a group that comes into scope by its name, and not all. No later change tells of the
/// others, so none counts until everything is read.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_read_in_part_are_not_taken_for_all() {
    for is_gone in [false, true] {
        let world = World::following(SEED).await;
        let group = world.graph.change(|directory| {
            let group = directory.add_group("Former team", GroupKind::Security);
            let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(12).collect();
            users.into_iter().for_each(|user| directory.add_member(group, user).unwrap());
            group
        });
        let job = world.add_job().await;
        let filter = world.add_filter(json!({"exclude": {"groupNames": ["former *"]}})).await;
        world.set_job(&format!("filter_id = '{filter}', brake_percent = 100")).await;
        assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
        world.graph.change(|directory| directory.update(group, map(&json!({"displayName": "Team"}))).unwrap());
        world.graph.set_max_page_size(5);
        let path = format!("/v1.0/groups/{group}");
        let later = Fault::on(format!("{path}/members"), Action::status(404)).containing("$skiptoken");
        world.graph.add_fault(later.times(0));
        if is_gone {
            world.graph.add_fault(Fault::on(&path, Action::status(404)).exactly().times(0));
        }
        world.graph.reset_counters();
        let run = world.run(job, RunMode::Incremental).await;
        let warned = warnings(&run);
        let why = if is_gone { "group_gone" } else { "members_not_found" };
        assert_eq!((warned.get(why), warned.get("changes_not_readable")), (Some(&1), Some(&1)), "{}", run.warnings);
        let asked = |request: &RequestRecord| request.path == format!("{path}/members") && request.status == 200;
        assert!(world.graph.requests().iter().any(asked), "its first members are shown");
        assert_eq!(run.counts["groups"]["created"], 1, "{}", run.counts);
        let known = format!("SELECT count(*) FROM mirror_members WHERE group_id = '{group}'");
        assert_eq!(world.text(&known).await, "0");
        world.graph.clear_faults();
        assert_full(&world, job, "left no delta token").await;
    }
}

/// A job that delivers what changed, and compares nothing else.
async fn job_of_changes(rule: Value) -> (World, JobId) {
    let world = World::with(SEED, AssetsOptions::default()).await;
    world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    let job = world.add_job().await;
    let filter = world.add_filter(rule).await;
    let settings = "deliver = 'changes', memberships = 'both', brake_percent = 100";
    world.set_job(&format!("{settings}, filter_id = '{filter}'")).await;
    for mode in [RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{mode}: {:?}", run.error);
    }
    (world, job)
}

/// The members of a group whose condition no longer admits it are those of a group that is not there, whoever else came or
/// went in the same round.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_leaves_the_filter_as_a_member_leaves_it_is_left_by_all() {
    let (world, job) = job_of_changes(json!({"exclude": {"groupNames": ["former *"]}})).await;
    let (group, members) = world.graph.read(|directory| {
        let mut members: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        directory
            .member_edges(ObjectKind::User)
            .into_iter()
            .for_each(|(of, user)| members.entry(of).or_default().push(user));
        members.into_iter().max_by_key(|(_, members)| members.len()).unwrap()
    });
    assert!(members.len() > 2, "{} members", members.len());
    let with_the_group = || {
        let users = world.assets.objects("Entra User").into_iter();
        let has = |values: &Vec<String>| values.contains(&group.to_string());
        users.filter(|user| user.values.get("Groups").is_some_and(has)).count()
    };
    assert_eq!(with_the_group(), members.len());
    world.graph.change(|directory| {
        directory.update(group, map(&json!({"displayName": "Former team"}))).unwrap();
        directory.remove_member(group, members[0]).unwrap();
    });
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    let logged = "data::text LIKE '%Comparing what changed%'";
    let followed = format!("SELECT count(*) FROM run_events WHERE run_id = '{}' AND {logged}", run.id);
    assert_ne!(world.text(&followed).await, "0", "it compares what was touched");
    assert_eq!(with_the_group(), 0, "of {} members", members.len());
    let left = format!("SELECT count(*) FROM mirror_members WHERE group_id = '{group}'");
    assert_eq!(world.text(&left).await, "0");
    let known = world.text("SELECT sum(cardinality(member_ids)) FROM mirror_members").await;
    assert_eq!(run.counts["memberships"]["read"].to_string(), known);
}

/// The members of a group that hides them are not shown later either: nothing is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_arrives_with_hidden_members_is_not_waited_for() {
    let (world, job) = world().await;
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    world.graph.change(|directory| {
        let group = directory.add_group("Secret", GroupKind::Security);
        let user = directory.live_users().next().unwrap().1.id;
        directory.add_member(group, user).unwrap();
        directory.set_hidden_membership(group, true).unwrap();
    });
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!((run.state.as_str(), &run.counts["groups"]["created"]), ("succeeded", &json!(1)), "{:?}", run.error);
    assert_eq!(warnings(&run).get("changes_not_readable"), None, "{}", run.warnings);
}

/// A position from which the pages never end, or cannot be read, would fail every run from now on.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_cannot_be_read_is_mended_by_a_full_read() {
    for action in [Action::EndlessNextLink, Action::LinkCircle { pages: 40 }, Action::HalfPage] {
        let (world, job) = world().await;
        world.graph.change(|directory| {
            let id = directory.live_users().next().unwrap().1.id;
            directory.update(id, map(&json!({"jobTitle": "Astronomer"}))).unwrap();
        });
        // The links of the position itself; the one that a full read takes anew is asked for by `latest`.
        world.graph.add_fault(Fault::on("/v1.0/users/delta", action.clone()).containing("$deltatoken=").times(0));
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(run.state.as_str(), "succeeded", "{action:?}: {:?}", run.error);
        assert_eq!(warnings(&run)["incremental_became_full"], 1, "{action:?}: {}", run.warnings);
        world.graph.clear_faults();
        world.assert_exact(&format!("{action:?}"));
    }
}

/// After everything was read, what cannot be told of the changes meanwhile fails nothing: the next run reads everything.
#[tokio::test(flavor = "multi_thread")]
async fn changes_meanwhile_that_cannot_be_read_cost_the_next_run_a_full_read() {
    let (world, job) = world().await;
    world.graph.set_max_page_size(5);
    let broken = Fault::on("/v1.0/groups/delta", Action::status(500)).times(0);
    world.graph.add_fault(Fault { contains_too: None, ..broken.containing("$deltatoken=") }.nth(2));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(warnings(&run)["members_not_compared"], 1, "{}", run.warnings);
    world.graph.clear_faults();
    assert_full(&world, job, "left no delta token").await;
}

/// What changes is held in memory until the round ends; beyond some megabytes everything is read instead.
#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_fit_into_memory_are_read_as_a_whole() {
    let (world, job) = world().await;
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).collect();
        for id in ids {
            directory.update(id, map(&json!({"companyName": "long ".repeat(60_000)}))).unwrap();
        }
    });
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(run.warnings[0]["code"], "incremental_became_full", "{:?} {}", run.error, run.warnings);
    assert!(run.warnings[0]["detail"].as_str().unwrap().contains("changed since the last read"), "{}", run.warnings);
}
