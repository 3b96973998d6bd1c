//! People whom others entered into Assets long ago: which of them are in the directory, what a run would do, and what it
//! does.

use crate::support::others::{Person, hire, into_employees, make_employees, people};
use crate::support::test_app::TestApp;
use entra_assets::ids::RunId;
use entra_assets::sim::assets::{
    API_EMAIL, API_TOKEN, AssetsFault, AssetsObject, AssetsOptions, AttributeByHand, Missing, MissingAction, SOURCE_ID,
};
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn app(users: u32) -> TestApp {
    let app = TestApp::with(SeedOptions { users, groups: 3, ..SeedOptions::default() }, AssetsOptions::default()).await;
    make_employees(&app.world.assets);
    app
}

/// A destination whose objects can be read, and a job into `Employee`.
async fn job(app: &TestApp, objects: Value, missing_objects: &str) -> String {
    let mut body = app.destination_body();
    body["missingObjects"] = json!(missing_objects);
    body["api"] = json!({"siteUrl": app.world.assets.origin(), "email": API_EMAIL, "apiToken": API_TOKEN});
    let path = app.create("/v1/destinations", &body).await;
    app.create_job(&json!({"objects": objects, "destinationId": path.rsplit_once('/').unwrap().1})).await
}

fn matched_by_upn() -> Value {
    let mut objects = into_employees();
    objects["users"]["existing"]["matchBy"] = json!("userPrincipalName");
    objects
}

fn store(app: &TestApp) -> BTreeMap<String, AssetsObject> {
    app.world.assets.objects("Employee").into_iter().map(|object| (object.key.clone(), object)).collect()
}

fn text<'o>(object: &'o AssetsObject, attribute: &str) -> &'o str {
    object.values.get(attribute).and_then(|values| values.first()).map_or("", String::as_str)
}

/// Every change of a kind, page by page.
async fn changes(app: &TestApp, run: &Value, action: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/runs/{}/changes?action={action}&limit=200{cursor}", run["id"].as_str().unwrap());
        let page = app.get(&path).await.expect(200);
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn count(run: &Value, name: &str) -> u64 {
    run["counts"]["users"][name].as_u64().unwrap_or(0)
}

fn warns(run: &Value, code: &str) -> bool {
    run["warnings"].as_array().unwrap().iter().any(|warning| warning["code"] == code)
}

/// 500 people, 450 of them in the directory: a dry run says so, and a run updates those and leaves the others alone.
#[tokio::test(flavor = "multi_thread")]
async fn people_of_another_structure_are_taken_over() {
    let app = app(480).await;
    let people = people(&app.world.graph);
    let new = people.len() as u64 - 450;
    hire(&app.world.assets, &people[..450], 50);
    let before = store(&app);
    let job = job(&app, into_employees(), "ignore").await;

    let looked = app.run(&job, &json!({"mode": "dryRun"})).await;
    assert_eq!(looked["state"], "succeeded", "{looked}");
    let counted = ["matched", "created", "updated", "onlyInAssets", "ambiguous"].map(|name| count(&looked, name));
    assert_eq!(counted, [450, new, 450, 50, 0], "{looked}");
    let matched = changes(&app, &looked, "matched").await;
    assert_eq!(matched.len(), 450);
    let one = &matched[7];
    let is = &before[one["assetsKeys"][0].as_str().unwrap()];
    assert_eq!(
        (one["before"]["displayName"].as_str(), &one["reason"]),
        (Some(text(is, "Name")), &json!("sameIdentity"))
    );
    assert_eq!(one["after"]["objectId"], text(is, "Entra ID"));
    assert_ne!(one["after"]["displayName"], one["before"]["displayName"]);
    let only = changes(&app, &looked, "onlyInAssets").await;
    assert_eq!(only.len(), 50);
    assert!(
        only.iter()
            .all(|change| change["label"].as_str().unwrap().starts_with("Stranger") && change["after"].is_null())
    );
    assert_eq!(changes(&app, &looked, "create").await.len() as u64, new);
    assert_eq!(store(&app).len(), 500, "a dry run writes nothing");

    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!((count(&run, "created"), count(&run, "updated"), count(&run, "matched")), (new, 450, 450), "{run}");
    let after = store(&app);
    assert_eq!(after.len() as u64, 500 + new);
    let names: BTreeMap<_, _> = app.world.graph.texts("displayName").into_iter().collect();
    for (key, was) in &before {
        let is = &after[key];
        assert_eq!(
            (text(was, "Desk"), text(was, "Jira Account")),
            (text(is, "Desk"), text(is, "Jira Account")),
            "{key}"
        );
        match text(was, "Name").starts_with("Stranger") {
            true => assert_eq!(was.values, is.values, "{key}"),
            false => assert_eq!(text(is, "Name"), names[&text(is, "Entra ID").parse().unwrap()], "{key}"),
        }
    }
    let again = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(
        (again["state"].as_str(), count(&again, "unchanged")),
        (Some("succeeded"), people.len() as u64),
        "{again}"
    );
}

/// Objects that know only a user principal name: of two people, two objects and another id nothing is guessed.
#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_written_once_after_an_approval_and_only_where_it_is_certain() {
    let app = app(40).await;
    let people = people(&app.world.graph);
    let add = |values: &[(&str, &str)]| app.world.assets.add_manual_object("Employee", values).unwrap();
    for (n, person) in people[..20].iter().enumerate() {
        add(&[("Name", "Old"), ("UPN", &person.mail.to_uppercase()), ("Desk", &n.to_string())]);
    }
    add(&[("Name", "Twin"), ("UPN", &people[3].mail)]);
    add(&[("Name", "Other"), ("UPN", &people[25].mail), ("Entra ID", "00000000-0000-0000-0000-0000000000ff")]);
    add(&[("Name", "Known"), ("Entra ID", &people[26].id.to_string())]);
    let before = store(&app);
    let job = job(&app, matched_by_upn(), "ignore").await;

    let waiting = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(
        (waiting["state"].as_str(), warns(&waiting, "adoption_needs_approval")),
        (Some("awaitingApproval"), true),
        "{waiting}"
    );
    assert_eq!(store(&app).len(), before.len(), "nothing is written before the approval");
    let matched = changes(&app, &waiting, "matched").await;
    let by_property = matched.iter().filter(|change| change["reason"] == "sameProperty").count();
    assert_eq!((matched.len(), by_property), (20, 19));
    let reasons: BTreeMap<String, Value> = changes(&app, &waiting, "ambiguous")
        .await
        .into_iter()
        .map(|change| (change["objectId"].as_str().unwrap().to_owned(), change))
        .collect();
    assert_eq!(reasons[&people[3].id.to_string()]["reason"], "severalInAssets");
    assert_eq!(reasons[&people[3].id.to_string()]["assetsKeys"].as_array().unwrap().len(), 2);
    assert_eq!(reasons[&people[25].id.to_string()]["reason"], "otherIdentity");

    let path = format!("/v1/runs/{}", waiting["id"].as_str().unwrap());
    app.call(Method::POST, &format!("{path}/approve")).send().await.expect(200);
    assert!(app.step().await);
    let run = app.get(&path).await.expect(200);
    assert_eq!((run["state"].as_str(), count(&run, "ambiguous")), (Some("degraded"), 2), "{run}");
    let after = store(&app);
    assert_eq!(after.len(), before.len() + people.len() - 22, "those that are certain are the same objects");
    for (n, person) in people[..20].iter().enumerate().filter(|(n, _)| *n != 3) {
        let found = after.values().find(|object| text(object, "Entra ID") == person.id.to_string()).unwrap();
        assert_eq!((text(found, "Desk"), text(found, "UPN")), (n.to_string().as_str(), person.mail.as_str()));
    }
    let others = ["Twin", "Other"].map(|name| after.values().filter(|object| text(object, "Name") == name).count());
    assert_eq!(others, [1, 1], "what is not certain is as it was");
    let writes = |app: &TestApp| {
        app.world
            .assets
            .requests()
            .iter()
            .filter(|request| request.method == "PUT" && request.path.contains("/object/"))
            .count()
    };
    assert_eq!(writes(&app), 19);
    let next = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!((next["state"].as_str(), writes(&app)), (Some("degraded"), 19), "the two are still open: {next}");
}

/// The key of an object and its values.
type End = (String, BTreeMap<String, Vec<String>>);

/// The process dies after each request to Assets in turn; the next one goes on, and the end is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_request_ends_the_same() {
    let mut ends: Vec<Vec<End>> = Vec::new();
    for dies_at in (0..).step_by(2) {
        let app = app(30).await;
        let people: Vec<Person> = people(&app.world.graph);
        for person in &people[..12] {
            app.world
                .assets
                .add_manual_object("Employee", &[("Name", "Old"), ("UPN", &person.mail), ("Desk", "7")])
                .unwrap();
        }
        hire(&app.world.assets, &people[12..20], 2);
        let job = job(&app, matched_by_upn(), "ignore").await;
        let id = app.queue(&job, &json!({"mode": "full"})).await;
        app.world.assets.clear_log();
        let world = &app.world;
        let died = std::sync::atomic::AtomicBool::new(false);
        world
            .step_and_die(|| {
                let dies = dies_at > 0 && world.assets.requests().len() >= dies_at;
                died.fetch_or(dies, std::sync::atomic::Ordering::Relaxed);
                dies
            })
            .await;
        let mut killed = died.load(std::sync::atomic::Ordering::Relaxed);
        for _ in 0..4 {
            let run = app.get(&format!("/v1/runs/{id}")).await.expect(200);
            match run["state"].as_str().unwrap() {
                "succeeded" => break,
                "awaitingApproval" => {
                    app.call(Method::POST, &format!("/v1/runs/{id}/approve")).send().await.expect(200);
                    let seen = world.assets.requests().len();
                    if killed {
                        app.step().await;
                    } else {
                        let dies = || dies_at > 0 && world.assets.requests().len() >= dies_at.max(seen + 1);
                        world.step_and_die(dies).await;
                        killed = true;
                    }
                }
                _ => {
                    world.bring_to_its_end(RunId(id.parse().unwrap())).await;
                }
            }
        }
        let run = app.get(&format!("/v1/runs/{id}")).await.expect(200);
        assert_eq!(
            (run["state"].as_str(), count(&run, "matched")),
            (Some("succeeded"), 20),
            "killed at {dies_at}: {run}"
        );
        ends.push(store(&app).into_iter().map(|(key, object)| (key, object.values)).collect());
        if dies_at > world.assets.requests().len() {
            break;
        }
    }
    assert!(ends.len() > 5, "it was killed often enough: {}", ends.len());
    assert!(ends.iter().all(|end| end.len() == ends[0].len()), "the same objects");
    for end in &ends {
        let mut values: Vec<_> = end.iter().map(|(_, values)| values).collect();
        let mut first: Vec<_> = ends[0].iter().map(|(_, values)| values).collect();
        values.sort();
        first.sort();
        assert_eq!(values, first);
    }
}

/// Assets would delete what the import leaves out: a person says so first.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_assets_would_act_on_wait_for_an_approval() {
    for (setting, api) in [("remove", true), ("unknown", true), ("unknown", false)] {
        let app = app(30).await;
        app.world
            .assets
            .configure(|behaviour| behaviour.missing = Missing { action: MissingAction::Remove, threshold: 1 });
        hire(&app.world.assets, &people(&app.world.graph)[..10], 5);
        let job = match api {
            true => job(&app, into_employees(), setting).await,
            false => app.create_job(&json!({"objects": into_employees()})).await,
        };
        let webhook = json!({"name": "Chat", "url": "https://example.com/hook", "events": ["awaitingApproval"]});
        let webhook = app.create("/v1/webhooks", &webhook).await;
        let run = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!((run["state"].as_str(), store(&app).len()), (Some("awaitingApproval"), 15), "{run}");
        let told = app.get(&format!("{webhook}/deliveries")).await.expect(200)["items"][0]["id"].clone();
        let told = app.get(&format!("{webhook}/deliveries/{}", told.as_str().unwrap())).await.expect(200);
        let text = "The full run of «Nightly» waits for approval. Approve or cancel it.";
        assert_eq!(told["body"]["text"], text, "no object is missing");
        let warning =
            run["warnings"].as_array().unwrap().iter().find(|w| w["code"] == "adoption_needs_approval").unwrap();
        let said = if api { "5 objects that the directory does not have" } else { "how many is not known" };
        assert!(warning["detail"].as_str().unwrap().contains(said), "{warning}");
        assert_eq!(warns(&run, "existing_not_compared"), !api);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_identity_is_not_sent_and_said() {
    let app = app(60).await;
    app.world.assets.add_attribute("Employee", "Number", "text").unwrap();
    let with = app.world.graph.texts("employeeId").into_iter().filter(|(_, number)| !number.is_empty()).count();
    let without = people(&app.world.graph).len() - with;
    assert!(without > 0, "guests have none");
    let mut objects = into_employees();
    objects["users"]["existing"]["identity"] = json!("employeeId");
    objects["users"]["existing"]["attributes"]["employeeId"] = json!("Number");
    let job = job(&app, objects, "ignore").await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!((run["state"].as_str(), count(&run, "unidentified")), (Some("degraded"), without as u64), "{run}");
    assert!(warns(&run, "objects_unidentified"));
    assert_eq!(store(&app).len(), with);
    assert_eq!(changes(&app, &run, "unidentified").await.len(), without);
}

/// What is looked at before a delivery never keeps it from delivering.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_that_is_not_valid_costs_only_the_comparison() {
    let app = app(30).await;
    hire(&app.world.assets, &people(&app.world.graph)[..10], 0);
    let job = job(&app, into_employees(), "ignore").await;
    app.world.assets.inject(AssetsFault::answer("GET", "/rest/servicedeskapi", 401, "{}"));
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert!(warns(&run, "existing_not_compared"), "{run}");
    assert_eq!(store(&app).len(), people(&app.world.graph).len(), "{run}");
}

/// Without `api` nothing can be looked at, and nothing can be written.
#[tokio::test(flavor = "multi_thread")]
async fn what_needs_access_to_objects_says_so() {
    let app = app(30).await;
    let destination = app.create_destination().await;
    let body = json!({"name": "Nightly", "connectionId": app.create_connection(entra_assets::sim::graph::Scenario::Healthy).await,
        "destinationId": destination, "objects": matched_by_upn()});
    let problem = app.post("/v1/jobs", &body).await.problem(422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/objects/users/existing/matchBy", "{problem}");
    let job = app.create_job(&json!({"objects": into_employees(), "destinationId": destination})).await;
    let looked = app.run(&job, &json!({"mode": "dryRun"})).await;
    assert_eq!(
        (looked["state"].as_str(), warns(&looked, "existing_not_compared")),
        (Some("succeeded"), true),
        "{looked}"
    );
}

/// What another importer, a file with texts only, or a person may have left. Each proposal is taken as it is.
#[tokio::test(flavor = "multi_thread")]
async fn structures_of_other_importers_are_taken_over_by_their_proposals() {
    let text = |name: &str| AttributeByHand::new(name, "text");
    let structures = [
        // Names as Graph has them, with references among the types.
        (
            "Users",
            vec![
                text("Display Name"),
                text("Object ID").unique(),
                text("User Principal Name"),
                AttributeByHand::new("Mail", "email"),
                AttributeByHand::new("Account Enabled", "boolean"),
                AttributeByHand { maximum: 1, ..AttributeByHand::references("Manager", "Users") },
            ],
            "objectId",
            ["Object ID", "User Principal Name"],
        ),
        // Recognised by the user principal name.
        (
            "Entra Users",
            vec![text("Name"), text("UPN").unique(), text("Email"), text("Dept")],
            "userPrincipalName",
            ["UPN", "UPN"],
        ),
        // All texts, from the columns of a file.
        (
            "Employees",
            vec![text("Full Name"), text("Username"), text("Title"), text("Manager"), text("Cost")],
            "userPrincipalName",
            ["Username", "Username"],
        ),
    ];
    for (name, attributes, identity, [column, upn]) in structures {
        let app = TestApp::start().await;
        app.world.assets.add_object_type(SOURCE_ID, name, None, &attributes).unwrap();
        let people = people(&app.world.graph);
        let label = attributes[0].name.as_str();
        let make = |values: &[(&str, &str)]| app.world.assets.add_manual_object(name, values).unwrap();
        for person in &people[..10] {
            let id = person.id.to_string();
            let value = if column == upn { person.mail.as_str() } else { id.as_str() };
            make(&[(label, "Old"), (column, value)]);
        }
        make(&[(label, "Stranger"), (column, "nobody@elsewhere.example")]);
        let keys: Vec<String> = app.world.assets.objects(name).into_iter().map(|object| object.key).collect();

        let mut body = app.destination_body();
        body["missingObjects"] = json!("ignore");
        body["api"] = json!({"siteUrl": app.world.assets.origin(), "email": API_EMAIL, "apiToken": API_TOKEN});
        let destination = app.create("/v1/destinations", &body).await;
        let types = app.get(&format!("{destination}/types")).await.expect(200);
        let [proposal] = &types["proposals"].as_array().unwrap()[..] else { panic!("{types}") };
        assert_eq!(
            (&proposal["objectType"], &proposal["existing"]["identity"]),
            (&json!("users"), &json!(identity)),
            "{types}"
        );
        assert!(proposal["problems"].as_array().unwrap().iter().all(|problem| problem["blocks"] == false), "{types}");
        let objects = json!({"users": {"existing": proposal["existing"]}, "groups": {"enabled": false}, "licenses": {"enabled": false}});
        let destination = destination.rsplit_once('/').unwrap().1;
        let job = app.create_job(&json!({"objects": objects, "destinationId": destination})).await;
        let looked = app.run(&job, &json!({"mode": "dryRun"})).await;
        assert_eq!((count(&looked, "matched"), count(&looked, "onlyInAssets")), (10, 1), "{name}: {looked}");
        let run = app.run(&job, &json!({"mode": "full"})).await;
        assert_eq!(run["state"], "succeeded", "{name}: {run}");
        let after = app.world.assets.objects(name);
        assert_eq!(after.len(), people.len() + 1, "{name}");
        let is_old = |object: &&AssetsObject| keys.contains(&object.key);
        let names: Vec<&str> = after.iter().filter(is_old).map(|object| object.label.as_str()).collect();
        assert_eq!((names.len(), names.iter().filter(|name| **name == "Old").count()), (11, 0), "{name}: {names:?}");
        assert_eq!(app.world.assets.counts().objects.len(), 1, "{name}: no other type was built");
    }
}
