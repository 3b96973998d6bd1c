//! What Graph does now and then, and nobody expects. Assets is compared with the directory after each of it.

use crate::support::exact::{Truth, warnings};
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::graph::{Action, Fault, Scenario};
use entra_assets::sim::seed::{Directory, ObjectKind, SeedOptions};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 7, users: 40, groups: 14, memberships: Some(160), devices: Some(8) };

/// Pages of four, and one run behind it.
async fn world() -> (World, JobId) {
    let world = World::following(SEED).await;
    world.graph.set_max_page_size(4);
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("before");
    (world, job)
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Something of everything changes, another thing each time.
fn change(directory: &mut Directory, time: usize) {
    let user = |directory: &Directory, number: usize| directory.live_users().nth(number).unwrap().1.id;
    let group = |directory: &Directory, number: usize| directory.live_groups().nth(number).unwrap().1.id;
    let (some, other) = (user(directory, 3 + time % 17), user(directory, 21 + time % 11));
    let team = group(directory, time % 9);
    directory.update(some, map(&json!({"jobTitle": format!("Title {time}")}))).unwrap();
    directory.set_manager(some, Some(other)).ok();
    directory.add_member(team, some).or_else(|_| directory.remove_member(team, some)).unwrap();
    directory.add_owner(team, other).ok();
    let new = directory.add_user(map(&json!({"userPrincipalName": format!("arrived{time}@contoso.example")})));
    directory.add_member(team, new).unwrap();
    let goes = user(directory, 30);
    directory.delete(goes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_on_the_way_leaves_the_delivery_exact() {
    let (world, job) = world().await;
    // Tokens of repeated answers are bad here, as Graph documents.
    world.graph.poison_repeated_pages(true);
    let actions = [
        Action::ExpiredPageToken,
        Action::PageTokenNotFound,
        Action::DuplicateRow,
        Action::EmptyPage,
        Action::TokenRefused,
        Action::HalfPage,
        Action::HalfGzip,
        Action::Cut,
        Action::Html { status: 200 },
        Action::status(500),
        Action::status(502),
        Action::status(503),
        Action::status(504),
        Action::throttled(Some("3")),
        Action::throttled(Some("0.249")),
        Action::throttled(Some("date+5")),
        Action::throttled(Some("1")),
        Action::throttled(None),
    ];
    for (time, action) in actions.into_iter().enumerate() {
        world.graph.change(|directory| change(directory, time));
        for part in ["/users?", "/groups?", "/members?"] {
            let fault = Fault::on("/v1.0/", action.clone()).containing(part).nth(2).times(1);
            world.graph.add_fault(Fault { contains_too: Some("$skiptoken".to_owned()), ..fault });
        }
        let run = world.run(job, RunMode::Full).await;
        let why = format!("{action:?}");
        assert_eq!(run.state.as_str(), "succeeded", "{why}: {:?}", run.error);
        world.assert_exact(&why);
        let truth = world.graph.truth();
        let members = truth.user_memberships + truth.group_memberships + truth.device_memberships;
        let listed = run.counts["memberships"]["read"].as_u64().unwrap();
        assert!(listed >= members && listed <= members + truth.other_memberships, "{why}: {listed} for {members}");
        if matches!(action, Action::ExpiredPageToken | Action::PageTokenNotFound) {
            let warnings = warnings(&run);
            assert_eq!(warnings.get("page_token_expired"), Some(&2), "{why}: users and groups");
            assert_eq!(warnings.get("members_restarted"), Some(&1), "{why}");
        }
        world.graph.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_too_heavy_is_asked_for_in_halves() {
    let (world, job) = world().await;
    world.graph.change(|directory| change(directory, 1));
    for part in ["/users?", "/groups?", "/members?"] {
        let heavy = Fault::on("/v1.0/", Action::status(504)).containing(part).times(0);
        world.graph.add_fault(Fault { contains_too: Some("$top=999".to_owned()), ..heavy });
    }
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    world.assert_exact("in halves");
    assert!(world.graph.requests().iter().any(|request| request.query.contains("$top=499")));
    assert_eq!(warnings(&run)["page_halved"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_disappears_while_it_is_read_is_a_warning() {
    let (world, job) = world().await;
    let group = world.graph.read(|directory| directory.live_groups().nth(2).unwrap().1.id);
    let links = |truth: &mut Truth| (truth.groups_of_users.clone(), truth.parents_of_groups.clone());
    let mut known = None;
    world.assert_exact_but("as it is known", |truth| known = Some(links(truth)));
    let (users, parents) = known.unwrap();
    world.graph.change(|directory| change(directory, 5));
    let gone = Fault::on(format!("/v1.0/groups/{group}"), Action::status(404)).times(0);
    world.graph.add_fault(gone);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(warnings(&run)["group_gone"], 1);
    assert_eq!(warnings(&run).get("select_refused"), None);
    // Its members are those that were known, as far as they are still there.
    world.assert_exact_but("without its members", |truth| {
        let known = |pairs: BTreeSet<(Uuid, Uuid)>, there: &BTreeSet<Uuid>| -> BTreeSet<(Uuid, Uuid)> {
            pairs.into_iter().filter(|(member, of)| *of == group && there.contains(member)).collect()
        };
        truth.groups_of_users.retain(|(_, of)| *of != group);
        truth.groups_of_users.extend(known(users, &truth.users));
        truth.parents_of_groups.retain(|(_, of)| *of != group);
        truth.parents_of_groups.extend(known(parents, &truth.groups));
    });
    world.graph.clear_faults();
    world.run(job, RunMode::Full).await;
    world.assert_exact("after it came back");
}

/// A replica that is behind does not find a group for a moment. That is no refusal of `$select`.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_not_found_for_a_moment_are_asked_for_again() {
    for status in [404, 400] {
        let (world, job) = world().await;
        world.graph.change(|directory| change(directory, 5));
        let group = world
            .graph
            .read(|directory| directory.live_groups().max_by_key(|(_, group)| group.members.len()).unwrap().1.id);
        let members = Fault::on(format!("/v1.0/groups/{group}/members"), Action::status(status));
        let fault = if status == 404 { members } else { members.containing("$skiptoken") };
        world.graph.add_fault(fault);
        let run = world.run(job, RunMode::Full).await;
        let kinds = warnings(&run);
        assert_eq!(kinds.get("select_refused"), None, "{status}: {kinds:?}");
        if status == 404 {
            assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
            world.assert_exact_but("after a moment", |_| {});
        } else {
            assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("graph_bad_request")));
        }
    }
}

/// The pass that reads the managers of an advanced filter's users begins again when its page token expires.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_for_managers_whose_page_token_expires_begins_again() {
    let (world, job) = world().await;
    let filter = world.add_filter(json!({"users": {"odata": "displayName ne 'Nobody'"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    for (time, action) in [Action::ExpiredPageToken, Action::PageTokenNotFound].into_iter().enumerate() {
        world.graph.change(|directory| change(directory, time));
        let pass = Fault::on("/v1.0/users", action).exactly().containing("$expand=manager").nth(2).times(1);
        world.graph.add_fault(Fault { contains_too: Some("$skiptoken".to_owned()), ..pass });
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
        assert_eq!(warnings(&run).get("page_token_expired"), Some(&1), "{}", run.warnings);
        world.assert_exact("managers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_activity_without_permission_is_left_out_and_said() {
    let world = World::following(SEED).await;
    world.graph.set_max_page_size(7);
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let job = world.add_job_with(json!({"users": {"attributes": ["jobTitle", "lastSignInDateTime"]}})).await;
    for (time, mode) in [RunMode::Test, RunMode::Full, RunMode::Incremental].into_iter().enumerate() {
        world.graph.change(|directory| change(directory, time));
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "degraded", "{mode}: {:?}", run.error);
        assert_eq!(warnings(&run).get("sign_in_activity_refused"), Some(&1), "{mode}");
    }
    world.assert_exact("without sign-in activity");
}

#[tokio::test(flavor = "multi_thread")]
async fn hidden_memberships_stay_as_they_were_known() {
    let (world, job) = world().await;
    let (group, member) = world.graph.change(|directory| {
        let (group, member) = directory.member_edges(ObjectKind::User)[0];
        directory.set_hidden_membership(group, true).unwrap();
        (group, member)
    });
    world.run(job, RunMode::Full).await;
    world.assert_exact("with Member.Read.Hidden");
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    for mode in [RunMode::DryRun, RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{mode}: {:?}", run.error);
        for name in ["users", "groups"] {
            assert_eq!((mode, &run.counts[name]["updated"]), (mode, &json!(0)), "{name}");
        }
        world.assert_exact("without it");
    }
    // What is known grows old, and is not made up.
    world.graph.change(|directory| directory.remove_member(group, member).unwrap());
    world.run(job, RunMode::Full).await;
    world.assert_exact_but("a change that nobody may see", |truth| {
        truth.groups_of_users.insert((member, group));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_unknown_types_and_without_properties_do_no_harm() {
    let (world, job) = world().await;
    let robot = json!({"@odata.type": "#microsoft.graph.somethingNew", "id": Uuid::from_u128(77), "serial": 1});
    let known = world.graph.read(|directory| directory.member_edges(ObjectKind::User)[0]);
    world.graph.add_fault(Fault::on("/v1.0/groups/", Action::ExtraRow { row: robot }).containing("/members?").times(0));
    let again = json!({"@odata.type": "#microsoft.graph.user", "id": known.1, "displayName": null});
    let path = format!("/v1.0/groups/{}/members", known.0);
    world.graph.add_fault(Fault::on(path, Action::ExtraRow { row: again }).times(0));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    world.assert_exact("strange members");
    assert_eq!(run.counts["users"]["updated"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_that_may_no_longer_be_read_stay_as_they_were() {
    let world = World::following(SEED).await;
    let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let before = world.assets.objects("Entra Device");
    assert_eq!(before.len(), 8);
    world.graph.set_roles(Scenario::Healthy, &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"]);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded", "{:?}", run.error);
    assert_eq!(warnings(&run)["capability_lost"], 1);
    assert_eq!(world.assets.objects("Entra Device"), before);
    world.assert_exact("the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_beyond_the_twenty_that_are_shown_are_read_again() {
    let (world, job) = world().await;
    for number in [19, 20, 21, 30] {
        let group = world.graph.change(|directory| {
            let group = directory.live_groups().nth(number - 19).unwrap().1.id;
            let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).take(number).collect();
            for user in users {
                directory.add_owner(group, user).ok();
            }
            group
        });
        world.graph.reset_counters();
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
        world.assert_exact(&format!("{number} owners"));
        let asked = world.graph.requests().iter().any(|r| r.path == format!("/v1.0/groups/{group}/owners"));
        let owners = world.graph.read(|directory| directory.group(group).unwrap().1.owners.len());
        assert_eq!(asked, owners >= 20, "{owners}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_renewed_once_and_one_that_grows_old_in_time() {
    let (world, job) = world().await;
    let path = format!("/{}/oauth2/v2.0/token", world.graph.default_credentials().tenant_id);
    let tokens = |world: &World| world.graph.requests().iter().filter(|r| r.path == path).count();
    world.graph.reset_counters();
    let revoke = async {
        while world.graph.counters().requests < 12 {
            tokio::task::yield_now().await;
        }
        world.graph.revoke_tokens();
    };
    let (run, ()) = tokio::join!(world.run(job, RunMode::Full), revoke);
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(tokens(&world), 2, "one for the run, one after the refusal");
    world.graph.reset_counters();
    world.graph.change(|directory| change(directory, 9));
    world.graph.set_latency(Duration::from_secs(1_000));
    world.hasten(5_000);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert!(tokens(&world) >= 3, "a run of hours needs several tokens, not {}", tokens(&world));
    world.assert_exact("after hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_a_batch_are_throttled_one_by_one() {
    let world = World::following(SEED).await;
    world.graph.set_roles(Scenario::Healthy, &["Directory.Read.All"]);
    let throttled = Fault::on("/v1.0/users/", Action::throttled(Some("0.249"))).containing("/memberOf").nth(3);
    world.graph.add_fault(throttled.times(5));
    let job = world.add_job().await;
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
    let edges = world.graph.read(|directory| directory.member_edges(ObjectKind::User));
    assert_eq!(world.assets.counts().references["Entra User"]["Groups"], edges.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_group_while_it_is_read_hides_nobody() {
    let (world, job) = world().await;
    let (group, members) = world.graph.read(|directory| {
        let edges = directory.member_edges(ObjectKind::User);
        let members = |group: Uuid| edges.iter().filter(|(of, _)| *of == group).map(|(_, member)| *member).collect();
        let groups = directory.live_groups().map(|(_, group)| (group.id, members(group.id)));
        groups.max_by_key(|(_, members): &(Uuid, Vec<Uuid>)| members.len()).unwrap()
    });
    assert!(members.len() > 8, "three pages: {}", members.len());
    world.graph.reset_counters();
    world.graph.set_latency(Duration::from_millis(60));
    let path = format!("groups/{group}/members");
    let change = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        // The second page is being asked for: the first was answered.
        while world.graph.requests().iter().filter(|request| request.path.contains(&path)).count() < 2 {
            ticks.tick().await;
        }
        world.graph.change(|directory| {
            members[..2].iter().for_each(|member| directory.remove_member(group, *member).unwrap());
        });
    };
    let (run, ()) = tokio::join!(world.run(job, RunMode::Full), change);
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    world.assert_exact("who left moved the others to the page before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_read_that_dies_goes_on_with_what_it_found_unchanged() {
    let mut bare = [0, 0];
    for requests in [12, 20, 30] {
        let (world, job) = world().await;
        world.graph.change(|directory| change(directory, requests));
        world.graph.reset_counters();
        world.graph.set_latency(Duration::from_millis(40));
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let bare_members = "SELECT count(*) FROM staged_members WHERE member_ids IS NULL";
        let dies = async || world.graph.counters().requests >= requests as u64 && world.text(bare_members).await != "0";
        world.step_and_die_when(dies).await;
        for (number, table) in ["staged_objects WHERE data", "staged_members WHERE member_ids"].iter().enumerate() {
            let stored = world.text(&format!("SELECT count(*) FROM {table} IS NULL")).await;
            bare[number] += stored.parse::<u64>().unwrap();
        }
        let run = world.bring_to_its_end(id).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
        assert_ne!(run.counts["users"]["unchanged"], json!(0));
        world.assert_exact("after it died");
    }
    assert!(bare.iter().all(|rows| *rows > 0), "what is unchanged is stored by its hash alone: {bare:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_staged_by_its_hash_and_missing_from_the_mirror_is_not_taken_for_gone() {
    let objects = "staged_objects s WHERE s.data IS NULL AND s.object_type = 'users'";
    let members = "staged_members s WHERE s.member_ids IS NULL";
    let in_mirror = [
        (objects, "mirror_objects m", "m.object_type = s.object_type AND m.id = s.id"),
        (members, "mirror_members m", "m.group_id = s.group_id AND m.member_type = s.member_type AND m.part = s.part"),
    ];
    for (bare, mirror, same) in in_mirror {
        let (world, job) = world().await;
        let before = world.store();
        world.graph.set_latency(Duration::from_millis(40));
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let is_there = async || world.text(&format!("SELECT count(*) FROM {bare}")).await != "0";
        world.step_and_die_when(is_there).await;
        world.execute(format!("DELETE FROM {mirror} WHERE EXISTS (SELECT FROM {bare} AND {same})")).await;
        let run = world.bring_to_its_end(id).await;
        assert_eq!(run.state.as_str(), "failed", "{:?}", run.counts);
        assert_eq!(world.store(), before, "nothing was delivered or removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_leaves_out_is_asked_for_before_it_is_taken_for_gone() {
    let (world, job) = world().await;
    let truth = world.graph.truth();
    let (user, group, deleted) = world.graph.read(|directory| {
        let user = |number: usize| directory.live_users().nth(number).unwrap().1.id;
        (user(9), directory.live_groups().nth(5).unwrap().1.id, user(20))
    });
    for (path, id, number) in [("/v1.0/users", user, truth.users), ("/v1.0/groups", group, truth.groups)] {
        let pages = number.div_ceil(4) as u32;
        world.graph.add_fault(Fault::on(path, Action::MissingRow { id }).exactly().times(pages));
    }
    world.graph.change(|directory| directory.delete(deleted).unwrap());
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(warnings(&run)["list_incomplete"], 2, "{:?}", run.warnings);
    assert_eq!(run.counts["users"]["missing"], 1);
    world.assert_exact("nothing but what was deleted is gone");
}

/// Where no smaller page can be asked for, a gateway that times out is waited for like any failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_times_out_is_waited_for_where_no_page_can_be_halved() {
    let (world, job) = world().await;
    world.graph.change(|directory| {
        change(directory, 2);
        let gone = directory.live_users().nth(7).unwrap().1.id;
        directory.delete(gone).unwrap();
    });
    for path in ["/v1.0/subscribedSkus", "/v1.0/users/delta", "/v1.0/groups/delta", "/deletedItems"] {
        world.graph.add_fault(Fault::on(path, Action::status(504)).times(4));
    }
    for mode in [RunMode::Full, RunMode::Incremental] {
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{mode}: {:?}", run.error);
        assert!(!warnings(&run).contains_key("soft_deleted_unknown"), "{mode}: {}", run.warnings);
        world.assert_exact("after it was waited for");
    }
}

/// Graph answered 404 for the members of a group with a deleted member, at every run.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_not_found_of_a_group_that_exists_stay_and_degrade_the_run() {
    let (world, job) = world().await;
    let group = world.graph.read(|directory| directory.live_groups().nth(2).unwrap().1.id);
    let action = Action::Status {
        status: 404,
        code: Some("Request_ResourceNotFound".to_owned()),
        message: Some("Resource '99999999-0000-4000-8000-000000000000' does not exist.".to_owned()),
        retry_after: None,
    };
    world.graph.add_fault(Fault::on(format!("/v1.0/groups/{group}/members"), action).times(0));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "degraded", "{:?}", run.error);
    assert_eq!(warnings(&run), [("members_not_found".to_owned(), 1)].into());
    let text = run.warnings.to_string();
    assert!(
        text.contains("99999999-0000-4000-8000-000000000000") && text.contains("although the group exists"),
        "{text}"
    );
    assert!(!text.contains("Member.Read.Hidden"), "{text}");
    world.assert_exact("the members stay");
}
