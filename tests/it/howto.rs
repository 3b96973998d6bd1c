//! The requests of «Coming from another importer», as they stand in the document.

use crate::support::others::{make_employees, people};
use crate::support::test_app::TestApp;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN};
use entra_assets::sim::graph::Scenario;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;

const HOWTO: &str = include_str!("../../docs/from-another-importer.md");

/// Method, path and body of each request.
fn requests() -> Vec<(Method, String, String)> {
    let blocks = HOWTO.split("```http\n").skip(1).map(|block| block.split("```").next().unwrap());
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

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_way_from_another_importer_works() {
    let app = TestApp::start().await;
    make_employees(&app.world.assets);
    let people = people(&app.world.graph);
    for person in &people[..20] {
        app.world.assets.add_manual_object("Employee", &[("Name", "Old"), ("UPN", &person.mail)]).unwrap();
    }
    app.world.assets.add_manual_object("Employee", &[("Name", "Stranger")]).unwrap();
    let mut known = BTreeMap::from([
        ("token", app.world.assets.token()),
        ("site", app.world.assets.origin().to_owned()),
        ("email", API_EMAIL.to_owned()),
        ("apiToken", API_TOKEN.to_owned()),
        ("connection", app.create_connection(Scenario::Healthy).await),
    ]);
    let mut listed: BTreeMap<String, usize> = BTreeMap::new();
    let requests = requests();
    assert_eq!(requests.len(), 11, "{requests:?}");
    for (method, path, body) in requests {
        let (path, body) = (filled(&path, &known), filled(&body, &known));
        let mut call = app.call(method.clone(), &path);
        if !body.is_empty() {
            call = call.json(&serde_json::from_str::<Value>(&body).unwrap());
        }
        let answer = call.send().await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
        let id = answer.body["id"].as_str().unwrap_or_default().to_owned();
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
                listed.insert(action, answer.body["items"].as_array().unwrap().len());
            }
            "types" => assert_eq!(answer.body["proposals"][0]["existing"]["objectType"], "Employee"),
            "fit" => assert_eq!(answer.body["objects"]["planned"], people.len()),
            other => panic!("{other}"),
        }
    }
    let listed = ["matched", "create", "onlyInAssets", "ambiguous"].map(|action| listed[action]);
    assert_eq!(listed, [20, people.len() - 20, 1, 0]);
    let run = app.get(&format!("/v1/runs/{}", known["run"])).await.expect(200);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(app.world.assets.objects("Employee").len(), people.len() + 1);
}
