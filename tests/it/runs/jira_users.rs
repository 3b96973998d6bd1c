//! People as Jira accounts: who is found by which address, what is written, and what happens when something is in the way.

use crate::support::others::{Person, make_employees};
use crate::support::test_app::TestApp;
use entra_assets::ids::RunId;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, Account, AssetsFault, AssetsObject, AssetsOptions};
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

mod due;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn app(users: u32) -> TestApp {
    TestApp::with(SeedOptions { users, groups: 3, ..SeedOptions::default() }, AssetsOptions::default()).await
}

/// The people with a mail address, by their ids.
fn people(app: &TestApp) -> Vec<Person> {
    // Groups have a mail address too, but no name to sign in with.
    let users: BTreeSet<Uuid> = app.world.graph.texts("userPrincipalName").into_iter().map(|(id, _)| id).collect();
    let found = app.world.graph.texts("mail").into_iter();
    let found = found.filter(|(id, mail)| users.contains(id) && !mail.is_empty());
    let mut people: Vec<Person> = found.map(|(id, mail)| Person { id, mail }).collect();
    people.sort_by_key(|person| person.id);
    people
}

async fn destination(app: &TestApp) -> String {
    let mut body = app.destination_body();
    body["missingObjects"] = json!("ignore");
    body["api"] = json!({"siteUrl": app.world.assets.origin(), "email": API_EMAIL, "apiToken": API_TOKEN});
    app.create("/v1/destinations", &body).await
}

fn only_users(users: Value) -> Value {
    json!({"users": users, "groups": {"enabled": false}, "licenses": {"enabled": false}})
}

async fn job(app: &TestApp, users: Value) -> String {
    let destination = destination(app).await;
    let destination = destination.rsplit_once('/').unwrap().1;
    app.create_job(&json!({"objects": only_users(users), "destinationId": destination, "deliver": "changes"})).await
}

async fn full(app: &TestApp, job: &str) -> Value {
    app.run(job, &json!({"mode": "full"})).await
}

/// The accounts in Assets by the ids of users.
fn accounts(app: &TestApp, of: &str, identity: &str, attribute: &str) -> BTreeMap<String, String> {
    let first = |object: &AssetsObject, name: &str| object.values.get(name).and_then(|values| values.first()).cloned();
    let objects = app.world.assets.objects(of);
    objects.iter().filter_map(|object| Some((first(object, identity)?, first(object, attribute)?))).collect()
}

fn built(app: &TestApp) -> BTreeMap<String, String> {
    accounts(app, "Entra User", "Object ID", "Jira User")
}

fn counts(run: &Value) -> [u64; 8] {
    ["set", "unchanged", "notFound", "ambiguous", "inactive", "cleared", "failed", "left"]
        .map(|name| run["counts"]["users"]["jiraUsers"][name].as_u64().unwrap_or_else(|| panic!("{name}: {run}")))
}

fn warning<'r>(run: &'r Value, code: &str) -> Option<&'r Value> {
    run["warnings"].as_array().unwrap().iter().find(|warning| warning["code"] == code)
}

fn searches(app: &TestApp) -> usize {
    app.world.assets.requests().iter().filter(|request| request.path.contains("/user/search")).count()
}

/// Every user of a kind, page by page: outcome, reason and account by id.
async fn listed(app: &TestApp, job: &str, condition: &str) -> BTreeMap<String, (String, Value, Value)> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/jobs/{job}/jira-users?limit=7{condition}{cursor}")).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            found.insert(text("objectId"), (text("outcome"), item["reason"].clone(), item["accountId"].clone()));
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn update(app: &TestApp, id: Uuid, properties: Value) {
    let properties = properties.as_object().unwrap().clone();
    let _ = app.world.graph.change(|directory| directory.update(id, properties));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_is_the_one_active_person_with_the_address() {
    let app = app(30).await;
    let people = people(&app);
    let mail = |n: usize| people[n].mail.as_str();
    let account = |id: &str, n: usize| Account::new(id, "Somebody", people[n].mail.as_str());
    let stranger = |id: &str, name: &str| Account::new(id, name, "evil@elsewhere.example").hidden();
    let longer = Account::new("longer", "Other", &format!("{}.au", mail(4)));
    let table = [
        (vec![account("shown", 0)], "set", Value::Null, json!("shown")),
        (vec![Account::new("case", "Somebody", &mail(1).to_uppercase())], "set", Value::Null, json!("case")),
        (vec![account("hidden", 2).hidden()], "set", Value::Null, json!("hidden")),
        (vec![account("hidden-", 3).hidden()], "set", Value::Null, json!("hidden-")),
        (vec![longer.clone()], "notFound", json!("noAccount"), Value::Null),
        (vec![account("app", 5).of_kind("app")], "notFound", json!("notAPerson"), Value::Null),
        (vec![account("portal", 6).of_kind("customer")], "notFound", json!("notAPerson"), Value::Null),
        (vec![account("off", 7).inactive()], "inactive", json!("deactivated"), Value::Null),
        (vec![account("one", 8), account("two", 8)], "ambiguous", json!("severalAccounts"), Value::Null),
        (
            vec![account("h1", 9).hidden(), account("h2", 9).hidden()],
            "ambiguous",
            json!("severalAccounts"),
            Value::Null,
        ),
        (vec![account("now", 10), account("before", 10).inactive()], "set", Value::Null, json!("now")),
        (vec![account("person", 11), account("bot", 11).of_kind("app")], "set", Value::Null, json!("person")),
        // A stranger whose name is the address, beside nobody and beside the one who has it.
        (vec![stranger("liar", mail(12))], "notFound", json!("onlyByName"), Value::Null),
        (vec![stranger("liar-2", &format!("{}.org", mail(13)))], "notFound", json!("onlyByName"), Value::Null),
        (vec![stranger("liar-3", mail(14)), account("truth", 14).hidden()], "set", Value::Null, json!("truth")),
    ];
    for account in table.iter().flat_map(|(accounts, ..)| accounts) {
        app.world.assets.add_account(account.clone());
    }
    let job = job(&app, json!({"jiraUser": true})).await;
    let run = full(&app, &job).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let found = listed(&app, &job, "").await;
    for (n, (_, outcome, reason, account)) in table.iter().enumerate() {
        let expected = ((*outcome).to_owned(), reason.clone(), account.clone());
        assert_eq!(found[&people[n].id.to_string()], expected, "{n}");
    }
    let with: BTreeMap<String, String> =
        found.iter().filter_map(|(id, (_, _, account))| Some((id.clone(), account.as_str()?.to_owned()))).collect();
    assert_eq!(built(&app), with, "Assets has what the list says");
    assert_eq!(app.world.assets.attribute_kinds("Entra User")["Jira User"], "user");
    let all = app.world.graph.truth().users;
    assert_eq!(found.len() as u64, all);
    assert_eq!(counts(&run), [7, 0, all - 10, 2, 1, 0, 0, 0], "{run}");
    let without = warning(&run, "jira_users_without_account").unwrap();
    assert_eq!(without["count"], all - 7, "{without}");
    assert_eq!(listed(&app, &job, "&outcome=ambiguous").await.len(), 2);
    let one = listed(&app, &job, &format!("&objectId={}", people[7].id)).await;
    assert_eq!(one.into_values().map(|(outcome, ..)| outcome).collect::<Vec<_>>(), ["inactive"]);

    // Nothing changed: nobody is looked for.
    let before = searches(&app);
    let again = full(&app, &job).await;
    assert_eq!(
        (again["state"].as_str(), counts(&again), searches(&app)),
        (Some("succeeded"), [0; 8], before),
        "{again}"
    );
}

/// The mail address is searched for before the user principal name, and attributes that the job leaves out too.
#[tokio::test(flavor = "multi_thread")]
async fn the_user_principal_name_is_searched_for_if_nobody_has_the_mail_address() {
    let app = app(20).await;
    let people = people(&app);
    update(&app, people[0].id, json!({"mail": "somebody@elsewhere.example"}));
    let names: BTreeMap<Uuid, String> = app.world.graph.texts("userPrincipalName").into_iter().collect();
    app.world.assets.add_account(Account::new("by-upn", "A", &names[&people[0].id]));
    app.world.assets.add_account(Account::new("by-mail", "B", &people[1].mail));
    let job = job(&app, json!({"jiraUser": true, "attributes": ["department"]})).await;
    let run = full(&app, &job).await;
    assert_eq!(run["counts"]["users"]["jiraUsers"]["set"], 2, "{run}");
    let found = built(&app);
    assert_eq!([0, 1].map(|n: usize| found[&people[n].id.to_string()].as_str()), ["by-upn", "by-mail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_new_or_has_another_address_is_looked_for_and_what_is_gone_is_cleared() {
    let app = app(20).await;
    let people = people(&app);
    let id = |n: usize| people[n].id.to_string();
    for (n, person) in people.iter().take(6).enumerate() {
        app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &person.mail));
    }
    let job = job(&app, json!({"jiraUser": true})).await;
    assert_eq!(full(&app, &job).await["counts"]["users"]["jiraUsers"]["set"], 6);

    // Another address: of another account, of none, and of several.
    let names = |n: usize, mail: &str| json!({"mail": mail, "userPrincipalName": format!("{n}@elsewhere.example")});
    app.world.assets.add_account(Account::new("new", "A", "new@elsewhere.example"));
    for id in ["twin-1", "twin-2"] {
        app.world.assets.add_account(Account::new(id, "A", "twin@elsewhere.example"));
    }
    update(&app, people[0].id, names(0, "new@elsewhere.example"));
    update(&app, people[1].id, names(1, "nobody@elsewhere.example"));
    update(&app, people[2].id, names(2, "twin@elsewhere.example"));
    update(&app, people[3].id, json!({"department": "Another"}));
    let before = searches(&app);
    let run = app.run(&job, &json!({"mode": "incremental"})).await;
    assert_eq!(counts(&run), [1, 0, 1, 1, 0, 2, 0, 0], "{run}");
    assert_eq!(searches(&app) - before, 1 + 2 + 1, "of who has another department nobody asks");
    let found = built(&app);
    assert_eq!(found.get(&id(0)).map(String::as_str), Some("new"));
    assert_eq!((found.get(&id(1)), found.get(&id(2))), (None, None), "the accounts are not theirs any more");

    // Deactivated meanwhile, and made meanwhile: a full run sees it after a while.
    app.world.assets.change_account("a3", |account| account.active = false);
    app.world.assets.add_account(Account::new("late", "A", "nobody@elsewhere.example"));
    let soon = full(&app, &job).await;
    assert_eq!(counts(&soon), [0; 8], "{soon}");
    app.world.clock.advance(DAY);
    let run = full(&app, &job).await;
    assert_eq!(
        (run["counts"]["users"]["jiraUsers"]["set"].as_u64(), run["counts"]["users"]["jiraUsers"]["inactive"].as_u64()),
        (Some(1), Some(0)),
        "{run}"
    );
    assert_eq!(built(&app).get(&id(1)).map(String::as_str), Some("late"));
    app.world.clock.advance(DAY * 7);
    let run = full(&app, &job).await;
    assert_eq!(
        ["inactive", "cleared", "unchanged", "set"]
            .map(|name| run["counts"]["users"]["jiraUsers"][name].as_u64().unwrap()),
        [1, 1, 4, 0],
        "{run}"
    );
    assert_eq!(built(&app).get(&id(3)), None);
}

/// An object type of others with an attribute that people filled: only what the service found is written or taken away.
#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_of_others_is_used_by_its_name() {
    let app = app(20).await;
    make_employees(&app.world.assets);
    let people = people(&app);
    for (n, person) in people.iter().take(4).enumerate() {
        let id = person.id.to_string();
        let mut values = vec![("Name", "Old"), ("Entra ID", id.as_str())];
        if n >= 2 {
            values.push(("Jira Account", "by-hand"));
        }
        app.world.assets.add_manual_object("Employee", &values).unwrap();
    }
    for n in [0, 2] {
        app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &people[n].mail));
    }
    let existing = json!({"objectType": "Employee", "identity": "objectId", "attributes":
        {"objectId": "Entra ID", "displayName": "Name", "userPrincipalName": "UPN"}});
    let users = json!({"existing": existing, "jiraUser": true, "jiraUserAttribute": "jira account"});
    let job = job(&app, users).await;
    let run = full(&app, &job).await;
    assert_eq!(
        (run["state"].as_str(), run["counts"]["users"]["jiraUsers"]["set"].as_u64()),
        (Some("succeeded"), Some(2)),
        "{run}"
    );
    let found = accounts(&app, "Employee", "Entra ID", "Jira Account");
    let of = |n: usize| found.get(&people[n].id.to_string()).map(String::as_str);
    assert_eq!([of(0), of(1), of(2), of(3)], [Some("a0"), None, Some("a2"), Some("by-hand")]);
}

/// What is in the way costs accounts, never the import; the next run does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_named_and_the_next_run_goes_on() {
    let fault = |method: &str, path: &str, status: u16| AssetsFault::answer(method, path, status, "{}").times(10_000);
    let attributes = |app: &TestApp, kind: &str| {
        app.world.assets.add_attribute("Entra User", "Jira User", kind).unwrap();
    };
    type Change<'c> = Box<dyn Fn(&TestApp) + 'c>;
    let table: [(&str, Change<'_>, &str); 7] = [
        (
            "nobody may be seen",
            Box::new(|app: &TestApp| app.world.assets.configure(|behaviour| behaviour.may_browse_users = false)),
            "jira_users_forbidden",
        ),
        (
            "attributes may not be added",
            Box::new(|app: &TestApp| app.world.assets.configure(|behaviour| behaviour.may_add_attributes = false)),
            "jira_user_attribute_unfit",
        ),
        ("the attribute is a text", Box::new(|app: &TestApp| attributes(app, "text")), "jira_user_attribute_unfit"),
        (
            "the search is refused",
            Box::new(|app: &TestApp| app.world.assets.inject(fault("GET", "/user/search", 403))),
            "jira_users_stopped",
        ),
        (
            "the search stays away",
            Box::new(|app: &TestApp| app.world.assets.inject(fault("GET", "/user/search", 503).after(3))),
            "jira_users_stopped",
        ),
        (
            "the token is not valid",
            Box::new(|app: &TestApp| app.world.assets.inject(fault("GET", "/rest/", 401))),
            "jira_users_stopped",
        ),
        (
            "an account is not taken",
            Box::new(|app: &TestApp| app.world.assets.inject(AssetsFault::answer("PUT", "/object/", 400, "{}"))),
            "jira_users_failed",
        ),
    ];
    for (why, change, code) in table {
        let app = app(12).await;
        let people = people(&app);
        for (n, person) in people.iter().enumerate() {
            app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &person.mail));
        }
        // The object type is there.
        let job = job(&app, json!({})).await;
        assert_eq!(full(&app, &job).await["state"], "succeeded");
        let path = format!("/v1/jobs/{job}");
        app.patch(&path, &json!({"objects": {"users": {"jiraUser": true}}})).await.expect(200);
        change(&app);
        let run = full(&app, &job).await;
        assert_eq!(run["state"], "degraded", "{why}: {run}");
        let said = warning(&run, code).unwrap_or_else(|| panic!("{why}: {run}"));
        assert!(said["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{said}");
        if code == "jira_users_failed" {
            let failed = listed(&app, &job, "&outcome=failed").await;
            assert_eq!(failed.values().map(|(_, reason, _)| reason.clone()).collect::<Vec<_>>(), ["writeRefused"]);
        } else {
            assert!(run["counts"]["users"]["jiraUsers"]["left"].as_u64() > Some(0), "{why}: {run}");
        }
        app.world.assets.clear_faults();
        app.world.assets.configure(|behaviour| {
            (behaviour.may_browse_users, behaviour.may_add_attributes) = (true, true);
        });
        if why == "the attribute is a text" {
            let other = json!({"objects": {"users": {"jiraUserAttribute": "Account"}}});
            app.patch(&path, &other).await.expect(200);
        }
        let next = full(&app, &job).await;
        assert_eq!(next["state"], "succeeded", "{why}: {next}");
        let attribute = if why == "the attribute is a text" { "Account" } else { "Jira User" };
        assert_eq!(accounts(&app, "Entra User", "Object ID", attribute).len(), people.len(), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_site_are_waited_out() {
    let app = app(40).await;
    let people = people(&app);
    for (n, person) in people.iter().enumerate() {
        app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &person.mail));
    }
    app.world.assets.configure(|behaviour| {
        (behaviour.jira_calls_per_minute, behaviour.object_calls_per_minute) = (Some(15), Some(20));
    });
    let job = job(&app, json!({"jiraUser": true})).await;
    let run = full(&app, &job).await;
    assert_eq!((run["state"].as_str(), built(&app).len()), (Some("succeeded"), people.len()), "{run}");
    assert!(app.world.assets.requests().iter().any(|request| request.status == 429));
}

/// The check of the destination says it before the first run.
#[tokio::test(flavor = "multi_thread")]
async fn the_check_of_a_destination_says_whether_accounts_can_be_found() {
    let app = app(12).await;
    let job = job(&app, json!({"jiraUser": true})).await;
    let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
    let path = format!("/v1/destinations/{}/check", destination.as_str().unwrap());
    for (may, code) in [(true, "jira_accounts_ok"), (false, "jira_accounts_forbidden")] {
        app.world.assets.configure(|behaviour| behaviour.may_browse_users = may);
        let report = app.call(Method::POST, &path).send().await.expect(200);
        assert!(report["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == code), "{report}");
    }
    let fit = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
    app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": {"users": {"jiraUser": false}}})).await.expect(200);
    let without = app.get(&format!("/v1/jobs/{job}/fit")).await.expect(200);
    let attributes = |fit: &Value| fit["types"][0]["attributes"].as_u64().unwrap();
    assert_eq!(attributes(&fit), attributes(&without) + 1, "the attribute counts");
}

/// The access is taken away after the job was made.
#[tokio::test(flavor = "multi_thread")]
async fn without_access_to_objects_nothing_is_looked_for() {
    let app = app(12).await;
    let job = job(&app, json!({"jiraUser": true})).await;
    let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
    let destination = format!("/v1/destinations/{}", destination.as_str().unwrap());
    app.patch(&destination, &json!({"api": null})).await.expect(200);
    let run = full(&app, &job).await;
    assert_eq!(run["state"], "degraded", "{run}");
    assert!(warning(&run, "jira_users_stopped").unwrap()["detail"].as_str().unwrap().contains("`api`"), "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let connection = app.create_connection(entra_assets::sim::graph::Scenario::Healthy).await;
    let without = app.create_destination().await;
    let body = |objects: Value| json!({"name": "Nightly", "connectionId": connection, "destinationId": without, "objects": objects});
    let table = [
        (json!({"users": {"jiraUser": true}}), "/objects/users/jiraUser", "api_required"),
        (json!({"groups": {"jiraUser": true}}), "/objects/groups/jiraUser", "only_users"),
        (
            json!({"users": {"jiraUser": true, "jiraUserAttribute": "A\"B"}}),
            "/objects/users/jiraUserAttribute",
            "invalid_name",
        ),
        (
            json!({"users": {"jiraUser": true, "jiraUserAttribute": "Key"}}),
            "/objects/users/jiraUserAttribute",
            "reserved_name",
        ),
        (
            json!({"users": {"jiraUser": true, "jiraUserAttribute": "department"}}),
            "/objects/users/jiraUserAttribute",
            "duplicate_name",
        ),
        (
            json!({"users": {"jiraUser": true, "jiraUserAttribute": "UPN", "existing": {"objectType": "Employee",
                "identity": "objectId", "attributes": {"objectId": "ID", "userPrincipalName": "UPN", "displayName": "Name"}}}}),
            "/objects/users/jiraUserAttribute",
            "duplicate_name",
        ),
    ];
    for (objects, pointer, code) in table {
        let problem = app.post("/v1/jobs", &body(objects)).await.problem(422, "validation_failed");
        let faults = problem["errors"].as_array().unwrap();
        assert!(faults.iter().any(|fault| fault["pointer"] == pointer && fault["code"] == code), "{problem}");
    }
    assert!(app.world.assets.requests().is_empty(), "nothing was sent");
    let unknown = "/v1/jobs/01900000-0000-7000-8000-00000000ffff/jira-users";
    app.get(unknown).await.problem(404, "not_found");
}

/// The process dies after each request to Assets in turn; the next one goes on, and the end is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_request_ends_the_same() {
    let mut ends = Vec::new();
    for dies_at in (0..).step_by(7) {
        let app = app(70).await;
        let people = people(&app);
        for (n, person) in people.iter().enumerate().filter(|(n, _)| n % 3 != 0) {
            app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &person.mail));
        }
        let job = job(&app, json!({"jiraUser": true})).await;
        let id = app.queue(&job, &json!({"mode": "full"})).await;
        app.world.assets.clear_log();
        let world = &app.world;
        if dies_at > 0 {
            world.step_and_die(|| world.assets.requests().len() >= dies_at).await;
        }
        world.bring_to_its_end(RunId(id.parse().unwrap())).await;
        let run = app.get(&format!("/v1/runs/{id}")).await.expect(200);
        assert_eq!(run["state"], "succeeded", "killed at {dies_at}: {run}");
        let said = warning(&run, "jira_users_without_account").cloned();
        ends.push((built(&app), counts(&run), said));
        if dies_at > world.assets.requests().len() {
            break;
        }
    }
    assert!(ends.len() > 10, "it was killed often enough: {}", ends.len());
    assert!(ends[0].0.len() > 30);
    for end in &ends[1..] {
        assert_eq!(*end, ends[0]);
    }
}
