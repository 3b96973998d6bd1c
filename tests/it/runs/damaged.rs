//! Responses of Graph that are damaged, and sizes that it refuses: one bad place costs one object, and the right party is
//! named.

use crate::support::exact::warnings;
use crate::support::world::World;
use entra_assets::ids::JobId;
use entra_assets::run_state::RunMode;
use entra_assets::sim::graph::{Action, Fault};
use entra_assets::sim::seed::SeedOptions;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SEED: SeedOptions = SeedOptions { seed: 12, users: 60, groups: 12, memberships: Some(200), devices: Some(4) };
const ERROR: &str = r#"{"error":{"code":"InternalServerError","message":"The request failed inside.","innerError":{"request-id":"11111111-aaaa-4bbb-8ccc-222222222222"}}}"#;

async fn world() -> (World, JobId) {
    let world = World::following(SEED).await;
    let job = world.add_job().await;
    world.set_job("brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()));
    world.hasten(1_000);
    (world, job)
}

fn replace(find: &str, with: impl Into<String>) -> Action {
    Action::Replace { find: find.to_owned(), with: with.into() }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The forms in which Graph's error was seen in a response with status 200, and those that are near them.
fn forms() -> Vec<(&'static str, Action)> {
    vec![
        ("in the middle", replace("\"id\":", format!("\"x\":null{ERROR},\"id\":"))),
        ("behind the page", Action::Append { text: ERROR.to_owned() }),
        ("behind the page, on a line of its own", Action::Append { text: format!("\r\n{ERROR}") }),
        ("beside the value", replace("\"value\":[", format!("{},\"value\":[", &ERROR[1..ERROR.len() - 1]))),
        ("as an item", replace("\"value\":[", format!("\"value\":[{ERROR},"))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_good_response_is_repeated_like_any_failure() {
    let (world, job) = world().await;
    for (form, action) in forms() {
        for part in ["/users?", "/groups?", "/members?", "/subscribedSkus?", "/devices?"] {
            world.graph.add_fault(Fault::on("/v1.0/", action.clone()).containing(part).times(4));
        }
        let run = world.run(job, RunMode::Full).await;
        assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{form}: {:?}", run.error);
        world.assert_exact(form);
        world.graph.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_good_response_that_stays_ends_the_run_with_graphs_own_words() {
    for path in ["/v1.0/users", "/v1.0/groups/"] {
        for (form, action) in forms() {
            let (world, job) = world().await;
            let before = world.store();
            let member = if path.ends_with('/') { "/members?" } else { "?" };
            world.graph.add_fault(Fault::on(path, action).containing(member).times(0));
            let run = world.run(job, RunMode::Full).await;
            let error = run.error.unwrap_or_else(|| panic!("{path} {form}: {} {}", run.state, run.warnings));
            assert_eq!(error["code"], "graph_server_error", "{path} {form}: {error}");
            assert_eq!(error["graphCode"], "InternalServerError", "{path} {form}: {error}");
            assert_eq!(error["requestId"], "11111111-aaaa-4bbb-8ccc-222222222222", "{path} {form}: {error}");
            assert!(error["detail"].as_str().unwrap().contains("The request failed inside."), "{path} {form}: {error}");
            assert!(!error.to_string().contains("proxy"), "{path} {form}: {error}");
            assert!(world.store() == before, "{path} {form}: the store changed");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_behind_a_page_is_ignored() {
    let (world, job) = world().await;
    world
        .graph
        .change(|directory| {
            let id = directory.live_users().nth(3).unwrap().1.id;
            directory.delete(id)
        })
        .unwrap();
    let text = Action::Append { text: "\n<!-- served by a gateway -->".to_owned() };
    world.graph.add_fault(Fault::on("/v1.0/", text).times(0));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((run.state.as_str(), warnings(&run)), ("succeeded", BTreeMap::new()), "{:?}", run.error);
    world.assert_exact("text behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_response_of_graph_is_not_blamed_on_a_proxy() {
    let (world, job) = world().await;
    world.graph.add_fault(Fault::on("/v1.0/users", replace("\"id\":", "\"id\" ")).exactly().times(0));
    let error = world.run(job, RunMode::Full).await.error.unwrap();
    assert_eq!(error["code"], "graph_malformed_answer", "{error}");
    assert!(!error["advice"].as_str().unwrap().contains("proxy"), "{error}");
    world.graph.clear_faults();
    world.graph.add_fault(Fault::on("/v1.0/users", Action::Html { status: 200 }).exactly().times(0));
    let error = world.run(job, RunMode::Full).await.error.unwrap();
    assert!(error["advice"].as_str().unwrap().contains("proxy"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaired_surrogate_costs_one_character_of_one_object() {
    let (world, job) = world().await;
    let (user, group) = world.graph.change(|directory| {
        let user = directory.live_users().nth(4).unwrap().1.id;
        let group = directory.live_groups().nth(4).unwrap().1.id;
        directory.update(user, map(&json!({"displayName": "Bad MARK name"}))).unwrap();
        directory.update(group, map(&json!({"displayName": "Bad MARK group"}))).unwrap();
        (user, group)
    });
    for mode in [RunMode::Full, RunMode::Incremental] {
        world.graph.add_fault(Fault::on("/v1.0/", replace("Bad MARK", r"Bad \ud83d")).times(0));
        // In a property's name too, and beside the members of groups.
        world.graph.add_fault(
            Fault::on("/v1.0/groups/", replace("{\"@odata.type\"", "{\"\\udc00\":{\"n\":\"\\ud800\"},\"@odata.type\""))
                .times(0),
        );
        let run = world.run(job, mode).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
        let all = run.warnings.as_array().unwrap();
        let warning = all
            .iter()
            .find(|warning| warning["code"] == "characters_replaced")
            .unwrap_or_else(|| panic!("{}", run.warnings));
        assert!(warning["count"].as_u64().unwrap() >= 2, "{warning}");
        for (kind, id, name) in
            [("Entra User", user, "Bad \u{fffd} name"), ("Entra Group", group, "Bad \u{fffd} group")]
        {
            let found = world.store().remove(&(kind, id.to_string())).unwrap();
            assert_eq!(found["Display Name"], [name], "{kind}");
        }
        world.graph.clear_faults();
        world.graph.change(|directory| {
            directory.update(user, map(&json!({"displayName": "Bad MARK name", "city": "Oslo"}))).unwrap();
            directory.update(group, map(&json!({"displayName": "Bad MARK group", "description": "x"}))).unwrap();
        });
    }
    assert_eq!(world.assets.counts().objects["Entra User"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_size_that_graph_refuses_is_made_as_small_as_the_refusal_says() {
    let world = World::following(SEED).await;
    world.graph.refuse_pages_over(120);
    let job = world.add_job().await;
    for time in 0..2 {
        world.graph.reset_counters();
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
        let found = warnings(&run);
        assert!(found.keys().all(|code| code == "page_size_refused"), "{time}: {found:?}");
        assert!(found["page_size_refused"] >= 3, "users, groups, members: {found:?}");
        world.assert_exact("smaller pages");
        let tops = |top: &str| world.graph.requests().iter().filter(|request| request.query.contains(top)).count();
        assert!(tops("$top=120") >= 12, "{}", tops("$top=120"));
        assert!(tops("$top=999") <= 20, "asked again for what was refused: {}", tops("$top=999"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_size_that_is_refused_without_a_number_is_halved() {
    let (world, job) = world().await;
    for refused in ["$top=999", "$top=499", "$top=249"] {
        let message = Some("The page is too large.".to_owned());
        let action = Action::Status { status: 400, code: None, message, retry_after: None };
        world.graph.add_fault(Fault::on("/v1.0/users", action).exactly().containing(refused).times(0));
    }
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{:?}", run.error);
    assert_eq!(warnings(&run), BTreeMap::from([("page_size_refused".to_owned(), 1)]));
    assert!(world.graph.requests().iter().any(|request| request.query.contains("$top=124")));
    world.assert_exact("halved");
}
