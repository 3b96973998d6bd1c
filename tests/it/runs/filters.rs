//! What filters deliver, from Graph to Assets: every documented example, compared with a predicate over Graph's own
//! JSON that is written here.

use crate::support::exact::warnings;
use crate::support::raw::{DEVICES, GROUPS, Raw, USERS, id};
use crate::support::world::World;
use entra_assets::run_state::{RunMode, RunRequest};
use entra_assets::sim::assets::{EmptyValues, Missing};
use entra_assets::sim::graph::Feature;
use entra_assets::sim::seed::words::SKUS;
use entra_assets::sim::seed::{GroupKind, ObjectKind};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

type Object = Map<String, Value>;
type Predicate = Box<dyn Fn(&Object) -> bool>;

/// Assets removes what a delivery leaves out, so that the store is what the last filter takes.
async fn world(users: u32, groups: u32) -> World {
    let world = World::new(users, groups).await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
    world.set_destination("missing_objects = 'remove'").await;
    world
}

fn is(object: &Object, name: &str, value: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(value)
}

fn has(object: &Object, name: &str) -> bool {
    object.get(name).is_some_and(|value| !value.is_null())
}

fn equals(name: &'static str, value: &'static str) -> Predicate {
    Box::new(move |object| is(object, name, value))
}

fn any_of(name: &'static str, values: &'static [&'static str]) -> Predicate {
    Box::new(move |object| values.iter().any(|value| is(object, name, value)))
}

/// Filters that administrators use, each with what it means.
fn documented() -> Vec<(&'static str, String, Predicate)> {
    let enabled = |object: &Object| object["accountEnabled"] == true;
    let member = |object: &Object| is(object, "userType", "Member");
    let sku = SKUS[0].id.to_string();
    let text = |text: &str| text.to_owned();
    let begins =
        |object: &Object, start: &str| object["displayName"].as_str().unwrap().to_lowercase().starts_with(start);
    vec![
        ("users", text("accountEnabled eq true"), Box::new(enabled)),
        ("users", text("city eq 'London'"), equals("city", "London")),
        ("users", text("country eq 'Ecuador'"), equals("country", "Ecuador")),
        ("users", text("country eq 'Ecuador' or country eq 'India'"), any_of("country", &["Ecuador", "India"])),
        (
            "users",
            text("country in ('Ecuador', 'India', 'Germany')"),
            any_of("country", &["Ecuador", "India", "Germany"]),
        ),
        ("users", text("userType eq 'Member'"), Box::new(member)),
        ("users", text("accountEnabled eq true and userType eq 'Member'"), Box::new(move |u| enabled(u) && member(u))),
        ("users", text("department eq 'Engineering'"), equals("department", "Engineering")),
        (
            "users",
            text("userType eq 'Member' and department eq 'Engineering'"),
            Box::new(move |user| member(user) && is(user, "department", "Engineering")),
        ),
        ("users", text("usageLocation in ('JP','GB')"), any_of("usageLocation", &["JP", "GB"])),
        (
            "users",
            format!("assignedLicenses/any(s:s/skuId eq {sku})"),
            Box::new(move |user| user["assignedLicenses"].as_array().unwrap().iter().any(|l| l["skuId"] == sku)),
        ),
        (
            "users",
            text("endsWith(mail,'@organization.com')"),
            Box::new(|user| user["mail"].as_str().is_some_and(|mail| mail.ends_with("@organization.com"))),
        ),
        ("users", text("NOT(mail eq null)"), Box::new(|user| has(user, "mail"))),
        ("users", text("mail ne null"), Box::new(|user| has(user, "mail"))),
        (
            "users",
            text("companyName ne null and NOT(companyName eq 'Microsoft')"),
            Box::new(|user| has(user, "companyName") && !is(user, "companyName", "Microsoft")),
        ),
        (
            "groups",
            text("groupTypes/any(c:c+eq+'Unified')"),
            Box::new(|group| group["groupTypes"].as_array().unwrap().contains(&json!("Unified"))),
        ),
        ("groups", text("startswith(displayName, 'team')"), Box::new(move |group| begins(group, "team"))),
        ("devices", text("startswith(displayName,'a')"), Box::new(move |device| begins(device, "a"))),
        ("devices", text("operatingSystem eq 'Windows'"), equals("operatingSystem", "Windows")),
    ]
}

fn stored(world: &World, collection: &str) -> BTreeSet<String> {
    let name = match collection {
        "users" => "Entra User",
        "groups" => "Entra Group",
        _ => "Entra Device",
    };
    world.assets.objects(name).iter().map(|object| object.values["Object ID"][0].clone()).collect()
}

async fn naive(raw: &Raw, collection: &str, takes: &Predicate) -> (BTreeSet<String>, usize) {
    let select = match collection {
        "users" => USERS,
        "groups" => GROUPS,
        _ => DEVICES,
    };
    let all = raw.all(collection, select).await;
    (all.iter().filter(|object| takes(object)).map(id).collect(), all.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_example_delivers_what_it_says() {
    let world = world(80, 30).await;
    world.graph.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
        for (number, user) in users.into_iter().enumerate() {
            let changed = match number % 8 {
                0 => json!({"mail": format!("user{number}@organization.com")}),
                1 => json!({"mail": null}),
                2 => json!({"companyName": "Microsoft"}),
                _ => continue,
            };
            directory.update(user, changed.as_object().unwrap().clone()).unwrap();
        }
    });
    let raw = Raw::sign_in(&world.graph).await;
    let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
    world.set_job("brake_percent = 100").await;
    for (collection, text, takes) in documented() {
        let filter = world.add_filter(json!({ collection: {"odata": text} })).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{text}: {:?} {:?}", run.error, run.warnings);
        let (expected, all) = naive(&raw, collection, &takes).await;
        assert!(!expected.is_empty() && expected.len() < all, "{text} takes {} of {all}", expected.len());
        assert_eq!(stored(&world, collection), expected, "{text}");
    }
}

/// An advanced filter lets the list not show managers: a test asks for them too, so that it clears none.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_with_an_advanced_filter_keeps_the_managers() {
    let world = World::new(60, 10).await;
    world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"users": {"odata": "displayName ne 'Nobody'"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    let store = world.store();
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Test).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert!(world.store() == store, "a test changed what was delivered: {}", run.counts);
    assert!(world.graph.counters().requests <= 40, "{:?}", world.graph.counters());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_more_than_fifteen_values_is_read_in_parts() {
    let world = world(80, 6).await;
    let raw = Raw::sign_in(&world.graph).await;
    let job = world.add_job().await;
    // London is in the first part, Berlin in the last.
    let cities: Vec<String> = ["London".to_owned()]
        .into_iter()
        .chain((0..30).map(|n| format!("Nowhere {n}")))
        .chain(["Berlin".to_owned()])
        .map(|city| format!("'{city}'"))
        .collect();
    let text = format!("accountEnabled eq true and city in ({})", cities.join(","));
    let filter = world.add_filter(json!({"users": {"odata": text}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    let takes: Predicate =
        Box::new(|u| u["accountEnabled"] == true && (is(u, "city", "London") || is(u, "city", "Berlin")));
    assert_eq!(stored(&world, "users"), naive(&raw, "users", &takes).await.0);
    let lists = world.graph.requests();
    let lists = lists.iter().filter(|request| request.path == "/v1.0/users" && request.query.contains("filter"));
    assert_eq!(lists.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advanced_filter_is_eventual_on_every_page() {
    let world = world(1300, 4).await;
    let raw = Raw::sign_in(&world.graph).await;
    let job = world.add_job_with(json!({"groups": {"enabled": false}})).await;
    let filter = world.add_filter(json!({"users": {"odata": "companyName ne null"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    world.graph.reset_counters();
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    let requests = world.graph.requests();
    let pages: Vec<_> = requests
        .iter()
        .filter(|request| request.path == "/v1.0/users" && request.query.contains("companyName"))
        .filter(|request| request.query.contains("filter"))
        .collect();
    assert!(pages.len() >= 2, "{requests:?}");
    for page in pages {
        assert_eq!(page.consistency.as_deref(), Some("eventual"), "{}", page.query);
        assert!(page.query.contains("$count=true") && !page.query.contains("expand"), "{}", page.query);
    }
    let takes: Predicate = Box::new(|user| has(user, "companyName"));
    let (expected, _) = naive(&raw, "users", &takes).await;
    assert_eq!(stored(&world, "users"), expected);
    // Managers come from a pass of their own.
    let managers = world.graph.read(|directory| directory.manager_edges());
    let known = |id: &uuid::Uuid| expected.contains(&id.to_string());
    let managed = managers.iter().filter(|(user, manager)| known(user) && known(manager)).count();
    assert_eq!(world.assets.counts().references["Entra User"]["Manager"], managed);
}

/// A condition that Graph refuses in a default query, although Microsoft's table says that it works there, is tried as an
/// advanced query before the run fails. What that query does not show is read another way.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_graph_refuses_by_default_is_asked_as_an_advanced_query() {
    let filter = json!({"users": {"odata": "accountEnabled eq true"}, "groups": {"odata": "mailEnabled eq true"},
        "devices": {"odata": "operatingSystem eq 'Windows'"}});
    let mut stores = Vec::new();
    for refused in [false, true] {
        let world = World::new(60, 12).await;
        let job = world.add_job_with(json!({"devices": {"enabled": true}})).await;
        let filter = world.add_filter(filter.clone()).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        if refused {
            world.graph.refuse(Feature::DefaultFilter, Some(400));
            let test = world.run(job, RunMode::Test).await;
            assert_eq!(test.state.as_str(), "succeeded", "{:?} {:?}", test.error, test.warnings);
        }
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?} {:?}", run.error, run.warnings);
        let codes = warnings(&run);
        let expected = if refused { Some(&3) } else { None };
        assert_eq!(codes.get("filter_needs_advanced"), expected, "users, groups and devices: {codes:?}");
        assert_eq!(codes.get("expand_refused"), None, "{codes:?}");
        stores.push(world.assets.counts());
    }
    let [plain, advanced] = stores.as_slice() else { panic!("two stores") };
    assert_eq!(advanced.objects, plain.objects);
    assert_eq!(advanced.references["Entra User"]["Manager"], plain.references["Entra User"]["Manager"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_graph_refuses_in_every_query_fails_the_run() {
    let world = World::new(20, 4).await;
    world.graph.refuse(Feature::CreatedDateTimeFilter, Some(400));
    let job = world.add_job().await;
    let filter = world.add_filter(json!({"users": {"odata": "createdDateTime ge 2020-01-01"}})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), &run.error.unwrap()["code"]), ("failed", &json!("filter_invalid")));
}

/// Only Graph can decide by the id of a manager: users in scope are listed, not read by their ids.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_only_graph_can_decide_is_left_to_graph() {
    let world = world(60, 12).await;
    let (manager, reports, group) = world.graph.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
        for user in &users {
            // Some have none.
            directory.set_manager(*user, None).ok();
        }
        let reports = users[1..4].to_vec();
        for user in &reports {
            directory.set_manager(*user, Some(users[0])).unwrap();
        }
        let group = directory.add_group("Reports", GroupKind::Security);
        for user in &users[1..3] {
            directory.add_member(group, *user).unwrap();
        }
        (users[0], reports, group)
    });
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    let condition = json!({"odata": format!("manager/id eq '{manager}'")});
    let expected: BTreeSet<String> = reports.iter().map(ToString::to_string).collect();
    let members: BTreeSet<String> = reports[..2].iter().map(ToString::to_string).collect();
    for (filter, expected) in [
        (json!({"users": condition}), expected),
        (json!({"users": condition, "scope": {"users": "membersOf", "groupIds": [group]}}), members),
    ] {
        let id = world.add_filter(filter.clone()).await;
        world.set_job(&format!("filter_id = '{id}'")).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{filter}: {:?} {:?}", run.error, run.warnings);
        assert_eq!(stored(&world, "users"), expected, "{filter}");
    }
}

/// The groups of a test's users are read without the filter's condition. What Graph returns nowhere is asked of Graph.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_leaves_to_graph_what_only_graph_can_decide() {
    for (number, condition) in
        ["owners/$count eq 0", "owners/$count ne 0", "not (owners/$count eq 1) and securityEnabled eq true"]
            .into_iter()
            .enumerate()
    {
        let world = World::new(60, 20).await;
        world.graph.change(|directory| {
            let members = directory.member_edges(ObjectKind::User);
            let groups: BTreeSet<_> = members.into_iter().map(|(group, _)| group).collect();
            let without: BTreeSet<_> = groups.into_iter().step_by(3).collect();
            for (group, owner) in directory.owner_edges().into_iter().filter(|(group, _)| without.contains(group)) {
                directory.remove_owner(group, owner).unwrap();
            }
        });
        let raw = Raw::sign_in(&world.graph).await;
        let query = format!("/v1.0/groups?$select=id&$count=true&$filter={}", urlencoding::encode(condition));
        let fulfil: BTreeSet<String> = raw.rows(&query, true).await.unwrap().0.iter().map(id).collect();
        let of_users: BTreeSet<String> = world
            .graph
            .read(|directory| directory.member_edges(ObjectKind::User))
            .into_iter()
            .map(|(group, _)| group.to_string())
            .collect();
        let expected: BTreeSet<String> = fulfil.intersection(&of_users).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < of_users.len(), "{condition}: shows nothing");
        let job = world.add_job().await;
        let filter = world.add_filter(json!({"groups": {"odata": condition}})).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        if number == 0 {
            world.graph.refuse(Feature::Batch, Some(501));
        }
        world.graph.reset_counters();
        let request = RunRequest { limit: Some(60), ..RunRequest::default() };
        let run = world.run_with(job, RunMode::Test, request).await;
        assert_eq!(run.state.as_str(), "succeeded", "{condition}: {:?} {}", run.error, run.warnings);
        assert_eq!(stored(&world, "groups"), expected, "{condition}");
        assert!(number == 0 || world.graph.counters().requests <= 40, "{condition}: {:?}", world.graph.counters());
        let full = world.run(job, RunMode::Full).await;
        assert_eq!(full.state.as_str(), "succeeded", "{condition}: {:?} {}", full.error, full.warnings);
        assert_eq!(stored(&world, "groups"), fulfil, "{condition}: the full run");
    }
}

/// The members of a scope's groups are read by their ids in a test.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_the_members_of_groups_leaves_to_graph_what_only_graph_can_decide() {
    let world = World::new(60, 12).await;
    let (group, manager, reports) = world.graph.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
        let group = directory.add_group("Everybody", GroupKind::Security);
        for user in &users[1..] {
            directory.set_manager(*user, None).ok();
            directory.add_member(group, *user).unwrap();
        }
        let reports: BTreeSet<String> = [2, 20, 40].map(|slot| users[slot].to_string()).into();
        for slot in [2, 20, 40] {
            directory.set_manager(users[slot], Some(users[0])).unwrap();
        }
        (group, users[0], reports)
    });
    let job = world.add_job().await;
    let condition = format!("manager/id eq '{manager}'");
    let scope = json!({"users": "membersOf", "groupIds": [group]});
    let filter = world.add_filter(json!({"users": {"odata": condition}, "scope": scope})).await;
    world.set_job(&format!("filter_id = '{filter}'")).await;
    let request = RunRequest { limit: Some(50), ..RunRequest::default() };
    let run = world.run_with(job, RunMode::Test, request).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(stored(&world, "users"), reports);
}
