//! What filters deliver, from Graph to Assets: every documented example, compared with a predicate over Graph's own
//! JSON that is written here.

use crate::support::raw::{DEVICES, GROUPS, Raw, USERS, id};
use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::assets::{EmptyValues, Missing};
use entra_assets::sim::seed::words::SKUS;
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
