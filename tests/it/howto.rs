//! The requests of how-to documents, as they stand there.

use crate::support::others::{make_employees, people};
use crate::support::test_app::TestApp;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN, Account};
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;

const FROM_ANOTHER_IMPORTER: &str = include_str!("../../docs/from-another-importer.md");
const JIRA_USERS: &str = include_str!("../../docs/jira-users.md");

/// Method, path and body of each request.
fn requests(document: &str) -> Vec<(Method, String, String)> {
    let blocks = document.split("```http\n").skip(1).map(|block| block.split("```").next().unwrap());
    let request = |block: &str| {
        let (line, body) = block.split_once('\n').unwrap();
        let (method, path) = line.split_once(' ').unwrap();
        (method.parse().unwrap(), path.to_owned(), body.trim().to_owned())
    };
    blocks.map(request).collect()
}

fn filled(text: &str, known: &BTreeMap<&str, String>) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// What a person knows before the first request.
async fn known(app: &TestApp) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("token", app.world.assets.token()),
        ("site", app.world.assets.origin().to_owned()),
        ("email", API_EMAIL.to_owned()),
        ("apiToken", API_TOKEN.to_owned()),
        ("connection", app.create_connection(Scenario::Healthy).await),
    ])
}

/// Sends a request, which must be taken.
async fn send(app: &TestApp, (method, path, body): (Method, &str, &str)) -> Value {
    let mut call = app.call(method.clone(), path);
    if !body.is_empty() {
        call = call.json(&serde_json::from_str::<Value>(body).unwrap());
    }
    let answer = call.send().await;
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_way_from_another_importer_works() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let people = people(&app.world.graph);
    for person in &people[..20] {
        app.world.assets.add_manual_object("Employee", &[("Name", "Old"), ("UPN", &person.mail)]).unwrap();
    }
    app.world.assets.add_manual_object("Employee", &[("Name", "Stranger")]).unwrap();
    let mut known = known(&app).await;
    let mut listed: BTreeMap<String, usize> = BTreeMap::new();
    let requests = requests(FROM_ANOTHER_IMPORTER);
    assert_eq!(requests.len(), 11, "{requests:?}");
    for (method, path, body) in requests {
        let (path, body) = (filled(&path, &known), filled(&body, &known));
        let answer = send(&app, (method, &path, &body)).await;
        let id = answer["id"].as_str().unwrap_or_default().to_owned();
        match path.split_once('?').map_or(path.as_str(), |(path, _)| path).rsplit('/').next().unwrap() {
            "destinations" => drop(known.insert("destination", id)),
            "jobs" => drop(known.insert("job", id)),
            "runs" => {
                known.insert("run", id);
                assert!(app.step().await);
            }
            "approve" => assert!(app.step().await),
            "changes" => {
                let action = path.rsplit('=').next().unwrap().to_owned();
                listed.insert(action, answer["items"].as_array().unwrap().len());
            }
            "types" => assert_eq!(answer["proposals"][0]["existing"]["objectType"], "Employee"),
            "fit" => assert_eq!(answer["objects"]["planned"], people.len()),
            other => panic!("{other}"),
        }
    }
    let listed = ["matched", "create", "onlyInAssets", "ambiguous"].map(|action| listed[action]);
    assert_eq!(listed, [20, people.len() - 20, 1, 0]);
    let run = app.get(&format!("/v1/runs/{}", known["run"])).await.expect(200);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(app.world.assets.objects("Employee").len(), people.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_people_as_jira_users_works() {
    let app = TestApp::start().await;
    let people = people(&app.world.graph);
    for (n, person) in people[..20].iter().enumerate() {
        app.world.assets.add_account(Account::new(&format!("a{n}"), "Somebody", &person.mail));
    }
    app.world.assets.add_account(Account::new("twin", "Somebody", &people[0].mail));
    let mut known = known(&app).await;
    let mut listed = Vec::new();
    for (method, path, body) in requests(JIRA_USERS) {
        let (path, body) = (filled(&path, &known), filled(&body, &known));
        let answer = send(&app, (method, &path, &body)).await;
        let id = answer["id"].as_str().unwrap_or_default().to_owned();
        match path.split_once('?').map_or(path.as_str(), |(path, _)| path).rsplit('/').next().unwrap() {
            "destinations" => drop(known.insert("destination", id)),
            "jobs" => drop(known.insert("job", id)),
            "runs" => {
                known.insert("run", id);
                assert!(app.step().await);
            }
            "jira-users" => listed.push(answer["items"].as_array().unwrap().len()),
            run => {
                assert_eq!((run, &answer["state"]), (known["run"].as_str(), &Value::from("succeeded")), "{answer}");
                let counts = &answer["counts"]["users"]["jiraUsers"];
                assert_eq!((&counts["set"], &counts["ambiguous"]), (&19.into(), &1.into()));
            }
        }
    }
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0] > 0, listed[1]), (true, 1));
}
