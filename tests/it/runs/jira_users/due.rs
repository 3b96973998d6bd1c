//! For whom a run looks: whose object or attribute is another than the one that was written, and for how long.

use super::{DAY, accounts, app, built, counts, destination, full, job, listed, only_users, people, searches, warning};
use crate::support::others::{Person, make_employees};
use crate::support::test_app::TestApp;
use entra_assets::ids::RunId;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, Account, AssetsObject, Missing, SOURCE_ID, WORKSPACE_ID};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Everybody with a mail address has an account.
fn give_accounts(app: &TestApp, people: &[Person]) {
    for (n, person) in people.iter().enumerate() {
        app.world.assets.add_account(Account::new(&format!("a{n}"), "A", &person.mail));
    }
}

async fn incremental(app: &TestApp, job: &str) -> Value {
    app.run(job, &json!({"mode": "incremental"})).await
}

/// Executes a run, and lets time pass at once when so many searches were made.
async fn run_until(app: &TestApp, job: &str, made: usize, passes: Duration) -> Value {
    let id = app.queue(job, &json!({"mode": "full"})).await;
    let moved = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while searches(app) < made {
            ticks.tick().await;
        }
        app.world.clock.advance(passes);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = app.step() => assert!(done),
        () = moved => {}
    }
    app.get(&format!("/v1/runs/{id}")).await.expect(200)
}

/// The accounts are in the attribute that the job names now, and not where they were written before.
#[tokio::test(flavor = "multi_thread")]
async fn another_attribute_is_filled_for_everybody() {
    let employee = json!({"objectType": "Employee", "identity": "objectId", "attributes":
        {"objectId": "Entra ID", "displayName": "Name", "userPrincipalName": "UPN"}});
    let table = [
        (
            "another attribute",
            json!({"jiraUser": true, "jiraUserAttribute": "Account"}),
            "Entra User",
            "Object ID",
            "Account",
        ),
        (
            "another name of the type",
            json!({"jiraUser": true, "typeName": "Person"}),
            "Entra User",
            "Object ID",
            "Jira User",
        ),
        (
            "an object type of others",
            json!({"jiraUser": true, "jiraUserAttribute": "Jira Account", "existing": employee}),
            "Employee",
            "Entra ID",
            "Jira Account",
        ),
    ];
    for (why, users, object_type, identity, attribute) in table {
        let app = app(15).await;
        make_employees(&app.world.assets);
        let people = people(&app);
        give_accounts(&app, &people);
        let job = job(&app, json!({"jiraUser": true})).await;
        assert_eq!(counts(&full(&app, &job).await)[0], people.len() as u64, "{why}");
        // The type is filled by an import source that has not filled another.
        if object_type == "Employee" {
            let source = app.world.assets.add_source_beside(SOURCE_ID).unwrap();
            let destination = app.get(&format!("/v1/jobs/{job}")).await.expect(200)["destinationId"].clone();
            let path = format!("/v1/destinations/{}", destination.as_str().unwrap());
            app.patch(&path, &json!({"token": source.token})).await.expect(200);
        }
        app.patch(&format!("/v1/jobs/{job}"), &json!({"objects": only_users(users)})).await.expect(200);

        // What cannot be done now is left to the next run, and the list says nothing that is not so.
        app.world.assets.configure(|behaviour| behaviour.may_browse_users = false);
        let forbidden = full(&app, &job).await;
        assert!(warning(&forbidden, "jira_users_forbidden").is_some(), "{why}: {forbidden}");
        let all = app.world.graph.truth().users;
        assert_eq!(counts(&forbidden), [0, 0, 0, 0, 0, 0, 0, all], "{why}: {forbidden}");
        assert_eq!(listed(&app, &job, "&outcome=set").await.len(), 0, "{why}");
        let waiting = listed(&app, &job, "&outcome=waiting").await;
        assert_eq!(waiting.len() as u64, all, "{why}");
        assert!(waiting.values().all(|(_, _, account)| account.is_null()), "{why}: {waiting:?}");

        app.world.assets.configure(|behaviour| behaviour.may_browse_users = true);
        let run = incremental(&app, &job).await;
        assert_eq!((counts(&run)[0], counts(&run)[7]), (people.len() as u64, 0), "{why}: {run}");
        assert_eq!(accounts(&app, object_type, identity, attribute).len(), people.len(), "{why}");
        let before = searches(&app);
        assert_eq!(counts(&full(&app, &job).await), [0; 8], "{why}");
        assert_eq!(searches(&app), before, "{why}: nobody is looked for again");
    }
}

/// Somebody deletes the attribute in Assets, or gives it another name: it is added anew, and then nobody has an account.
#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_that_is_gone_is_filled_for_everybody_when_it_is_added_anew() {
    let app = app(15).await;
    let people = people(&app);
    give_accounts(&app, &people);
    let job = job(&app, json!({"jiraUser": true})).await;
    full(&app, &job).await;
    app.world.assets.rename_attribute("Entra User", "Jira User", "Old").unwrap();
    let mail = json!({"mail": "new@elsewhere.example"});
    super::update(&app, people[0].id, mail);
    app.world.assets.add_account(Account::new("new", "A", "new@elsewhere.example"));
    let run = incremental(&app, &job).await;
    assert_eq!((counts(&run)[0], built(&app).len()), (people.len() as u64, people.len()), "{run}");
}

/// What the rows say is forgotten before the attribute is added: the next attempt finds it there.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_when_the_attribute_is_added_anew_fills_it_for_everybody() {
    let app = app(15).await;
    let people = people(&app);
    give_accounts(&app, &people);
    let job = job(&app, json!({"jiraUser": true})).await;
    full(&app, &job).await;
    let world = &app.world;
    world.assets.rename_attribute("Entra User", "Jira User", "Old").unwrap();
    super::update(&app, people[0].id, json!({"mail": "new@elsewhere.example"}));
    world.assets.add_account(Account::new("new", "A", "new@elsewhere.example"));
    world.assets.clear_log();
    let id = app.queue(&job, &json!({"mode": "incremental"})).await;
    let is_added = || {
        let requests = world.assets.requests();
        requests.iter().any(|request| request.method == "POST" && request.path.contains("/objecttypeattribute/"))
    };
    world.step_and_die(is_added).await;
    world.bring_to_its_end(RunId(id.parse().unwrap())).await;
    let run = app.get(&format!("/v1/runs/{id}")).await.expect(200);
    assert_eq!(built(&app).len(), people.len(), "{run}");
}

/// Assets deletes what an import leaves out. Who comes back gets a new object, which has no account.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_to_a_new_object_gets_the_account_again() {
    for policy in ["keep", "mark"] {
        let app = app(20).await;
        app.world.assets.configure(|behaviour| behaviour.missing = Missing::remove());
        let people = people(&app);
        give_accounts(&app, &people);
        let destination = destination(&app).await;
        app.patch(&destination, &json!({"missingObjects": "remove"})).await.expect(200);
        let destination = destination.rsplit_once('/').unwrap().1;
        let job = app
            .create_job(&json!({"objects": only_users(json!({"jiraUser": true})), "destinationId": destination,
                "removal": {"policy": policy, "afterMissingRuns": 1}}))
            .await;
        full(&app, &job).await;
        let id = people[3].id.to_string();
        assert_eq!(built(&app).get(&id).map(String::as_str), Some("a3"));

        app.world.graph.change(|directory| directory.delete(people[3].id)).unwrap();
        let gone = full(&app, &job).await;
        assert_eq!(built(&app).contains_key(&id), policy == "mark", "{policy}: {gone}");
        app.world.graph.change(|directory| directory.restore(people[3].id)).unwrap();
        let back = full(&app, &job).await;
        assert_eq!(counts(&back)[0], 1, "{policy}: {back}");
        assert_eq!(built(&app).get(&id).map(String::as_str), Some("a3"), "{policy}: {back}");
    }
}

/// Nobody knows which objects were lost: everything that was sent is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_a_person_deleted_in_assets_get_their_accounts_with_the_next_whole_delivery() {
    let app = app(20).await;
    let people = people(&app);
    give_accounts(&app, &people);
    let job = job(&app, json!({"jiraUser": true})).await;
    full(&app, &job).await;
    let has_account = |of: &AssetsObject| of.values.get("Jira User").is_some_and(|accounts| !accounts.is_empty());
    let lost = app.world.assets.objects("Entra User").into_iter().find(has_account).unwrap();
    let url = format!("{}/jsm/assets/workspace/{WORKSPACE_ID}/v1/object/{}", app.world.assets.origin(), lost.id);
    let deleted = app.world.app.http.delete(url).basic_auth(API_EMAIL, Some(API_TOKEN));
    assert!(deleted.send().await.unwrap().status().is_success());
    assert_eq!(built(&app).len(), people.len() - 1);
    let run = app.run(&job, &json!({"mode": "full", "deliver": "full"})).await;
    assert_eq!(built(&app).len(), people.len(), "{run}");
    assert_eq!(counts(&run)[6..], [0, 0], "{run}");
}

/// A run looks for half an hour. Whoever is left is looked for by the next, full or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_looks_for_a_limited_time_and_leaves_the_rest_to_the_next() {
    let app = app(160).await;
    let people = people(&app);
    give_accounts(&app, &people);
    let all = app.world.graph.truth().users;
    let job = job(&app, json!({"jiraUser": true})).await;
    let run = run_until(&app, &job, 70, Duration::from_secs(30 * 60)).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let [set, _, not_found, .., left] = counts(&run);
    assert!(set > 0 && left > 0 && set + not_found + left == all, "{run}");
    assert_eq!(built(&app).len() as u64, set, "those that were found are written");
    let said = warning(&run, "jira_users_left").unwrap();
    assert_eq!(said["count"], left, "{said}");
    assert_eq!(listed(&app, &job, "&outcome=waiting").await.len() as u64, left);

    let next = incremental(&app, &job).await;
    let [more, _, not_found_then, .., left_then] = counts(&next);
    assert_eq!((more + not_found_then, left_then), (left, 0), "{next}");
    assert_eq!(warning(&next, "jira_users_left"), None);
    assert_eq!(built(&app).len(), people.len());

    // Those who are only looked for again are no work that is left.
    app.world.clock.advance(DAY * 8);
    app.world.assets.clear_log();
    let again = run_until(&app, &job, 70, Duration::from_secs(30 * 60)).await;
    let [set, unchanged, .., left] = counts(&again);
    assert!(unchanged > 0 && (unchanged as usize) < people.len(), "{again}");
    assert_eq!((set, left), (0, 0), "{again}");
}

/// A site whose search does not show accounts that are deactivated.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_deactivated_is_gone_where_the_search_does_not_find_it() {
    for finds in [true, false] {
        let app = app(12).await;
        app.world.assets.configure(|behaviour| behaviour.finds_inactive_accounts = finds);
        let people = people(&app);
        app.world.assets.add_account(Account::new("leaves", "A", &people[0].mail));
        app.world.assets.add_account(Account::new("left", "A", &people[1].mail).inactive());
        let job = job(&app, json!({"jiraUser": true})).await;
        full(&app, &job).await;
        app.world.assets.change_account("leaves", |account| account.active = false);
        app.world.clock.advance(DAY * 8);
        let run = full(&app, &job).await;
        assert_eq!(counts(&run)[5], 1, "{finds}: the account is taken out of the object: {run}");
        assert!(built(&app).is_empty(), "{finds}");
        let found = listed(&app, &job, "").await;
        let expected = match finds {
            true => ("inactive".to_owned(), json!("deactivated"), Value::Null),
            false => ("notFound".to_owned(), json!("noAccount"), Value::Null),
        };
        for person in &people[..2] {
            assert_eq!(found[&person.id.to_string()], expected, "{finds}");
        }
    }
}

/// What a run asks for follows what changed.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_who_is_as_before() {
    let app = app(60).await;
    let people = people(&app);
    give_accounts(&app, &people);
    let job = job(&app, json!({"jiraUser": true})).await;
    full(&app, &job).await;
    super::update(&app, people[0].id, json!({"department": "Another"}));
    app.world.assets.clear_log();
    let run = incremental(&app, &job).await;
    assert_eq!(counts(&run), [0; 8], "{run}");
    let asked = app.world.assets.requests();
    assert!(asked.iter().all(|request| !request.path.contains("/rest/api/3/")), "{asked:?}");
    let answer = app.call(Method::GET, &format!("/v1/jobs/{job}/jira-users?outcome=waiting")).send().await.expect(200);
    assert_eq!(answer["items"], json!([]));
}
