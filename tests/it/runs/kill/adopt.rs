//! 500 people whom others entered into Assets, 450 of them in the directory: a program that is killed at every step of
//! taking them over ends as one that nobody kills.

use super::{Outside, let_leases_run_out, moments, plan, settings};
use crate::support::others::{hire, into_employees, make_employees, people};
use crate::support::postgres::TestDatabase;
use crate::support::service::Service;
use entra_assets::sim::assets::{API_EMAIL, API_TOKEN};
use entra_assets::sim::seed::SeedOptions;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SEED: SeedOptions = SeedOptions { seed: 5, users: 480, groups: 2, memberships: Some(5), devices: Some(0) };
/// Of the 450, those who have an address in Assets and no id, which the run writes after an approval.
const WITHOUT_ID: usize = 30;

type Values = BTreeMap<String, Vec<String>>;

/// What is there in the end. Objects that a person made are known by their keys, those of the run by their ids: the order
/// in which it made them says nothing.
#[derive(PartialEq, Debug)]
struct End {
    of_people: BTreeMap<String, Values>,
    of_the_run: BTreeMap<String, Values>,
    state: Value,
    matched: Value,
    created: Value,
}

/// When the program dies next.
enum Death {
    /// After so many requests in all.
    After(usize),
    /// After so many requests of this kind to Assets, or to Graph if there is no method.
    At(Option<&'static str>, &'static str, usize),
}

impl Death {
    fn is_due(&self, outside: &Outside) -> bool {
        match self {
            Self::After(requests) => outside.requests() >= *requests,
            Self::At(None, path, number) => {
                let requests = outside.graph.requests();
                requests.iter().filter(|request| request.path.contains(path)).count() >= *number
            }
            Self::At(Some(method), path, number) => {
                let requests = outside.assets.requests();
                requests.iter().filter(|of| of.method == *method && of.path.contains(path)).count() >= *number
            }
        }
    }
}

/// Who is in Assets before.
fn enter_people(outside: &Outside) -> Vec<String> {
    make_employees(&outside.assets);
    let people = people(&outside.graph);
    let without = people[..WITHOUT_ID].iter().enumerate().map(|(n, person)| {
        let (name, desk) = (format!("Old name of {n}"), format!("E-{n}"));
        let values = [("Name", name.as_str()), ("UPN", person.mail.as_str()), ("Desk", desk.as_str())];
        outside.assets.add_manual_object("Employee", &values).unwrap()
    });
    let without: Vec<String> = without.collect();
    without.into_iter().chain(hire(&outside.assets, &people[WITHOUT_ID..450], 50)).collect()
}

async fn add_job(service: &Service<'_>, outside: &Outside) -> String {
    let entered = outside.graph.default_credentials();
    let connection = json!({
        "name": "Contoso", "tenantId": entered.tenant_id, "clientId": entered.client_id, "cloud": "global",
        "credential": {"kind": "clientSecret", "secret": entered.client_secret},
    });
    let connection = service.create("/v1/connections", connection).await;
    let api = json!({"siteUrl": outside.assets.origin(), "email": API_EMAIL, "apiToken": API_TOKEN});
    let destination = json!({"name": "Assets", "kind": "assetsImport", "token": outside.assets.token(),
        "missingObjects": "ignore", "api": api});
    let destination = service.create("/v1/destinations", destination).await;
    let mut objects = into_employees();
    objects["users"]["existing"]["matchBy"] = json!("userPrincipalName");
    let job = json!({"name": "Nightly", "connectionId": connection, "destinationId": destination, "objects": objects});
    service.create("/v1/jobs", job).await
}

/// A run that dies each of these deaths, and is approved when it asks. How it ends, with the number of requests.
async fn taken_over(deaths: &[Death]) -> (End, usize) {
    let (outside, database) = (Outside::of(SEED), TestDatabase::create().await);
    let ids = enter_people(&outside);
    let before: BTreeMap<String, Values> =
        outside.assets.objects("Employee").into_iter().map(|object| (object.key, object.values)).collect();
    assert_eq!((ids.len(), before.len()), (500, 500));
    let settings = settings(&database);
    let plan = plan(&outside, &settings);
    let mut service = plan.start().await;
    let job = add_job(&service, &outside).await;
    let run = service.start_run(&job).await;
    let path = format!("/v1/runs/{run}");
    let mut died = 0;
    for death in deaths.iter().map(Some).chain([None]) {
        let mut is_over = false;
        service
            .until("the run ends or dies", async |service: &mut Service<'_>| {
                let Some(found) = service.get(&path).await else { return false };
                if found["state"] == "awaitingApproval" {
                    service.approve(&run).await;
                }
                is_over = !found["finishedAt"].is_null();
                is_over || death.is_some_and(|death| death.is_due(&outside))
            })
            .await;
        if is_over {
            break;
        }
        service.kill();
        died += 1;
        let_leases_run_out(&database).await;
        service = plan.start().await;
    }
    let ended = service.ended(&run).await;
    let requests = outside.requests();
    let why = format!("killed {died} times: {ended}");
    let done = outside.assets.executions().iter().filter(|execution| execution.status == "DONE").count();
    assert_eq!(done, 1, "{why}: one import");
    let (mut of_people, mut of_the_run) = (BTreeMap::new(), BTreeMap::new());
    for object in outside.assets.objects("Employee") {
        match before.get(&object.key) {
            Some(was) => {
                let kept = ["Desk", "Jira Account"].map(|name| (was.get(name), object.values.get(name)));
                assert!(kept.iter().all(|(was, is)| was == is), "{}: {why}", object.key);
                if was["Name"][0].starts_with("Stranger") {
                    assert_eq!(*was, object.values, "{why}");
                }
                of_people.insert(object.key, object.values);
            }
            None => {
                let twin = of_the_run.insert(object.values["Entra ID"][0].clone(), object.values);
                assert_eq!(twin, None, "{why}");
            }
        }
    }
    assert_eq!(of_people.len(), 500, "nothing is deleted: {why}");
    let next = service.start_run(&job).await;
    let next = service.ended(&next).await;
    assert_eq!(
        (&next["state"], &next["counts"]["users"]["updated"], &next["counts"]["users"]["created"]),
        (&json!("succeeded"), &json!(0), &json!(0)),
        "{why}"
    );
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
    let users = &ended["counts"]["users"];
    let (matched, created) = (users["matched"].clone(), users["created"].clone());
    (End { of_people, of_the_run, state: ended["state"].clone(), matched, created }, requests)
}

async fn undisturbed() -> (End, usize) {
    let (end, requests) = taken_over(&[]).await;
    assert_eq!((&end.state, &end.matched), (&json!("succeeded"), &json!(450)));
    assert!(!end.of_the_run.is_empty() && end.created == end.of_the_run.len());
    (end, requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_taken_over_by_a_program_that_is_killed_at_every_step() {
    let (end, _) = undisturbed().await;
    let deaths = [
        Death::At(None, "/users", 3),
        Death::At(Some("POST"), "/object/aql", 4),
        Death::At(Some("PUT"), "/object/", 5),
        Death::At(Some("POST"), "/executions", 1),
        Death::At(Some("POST"), "/data", 4),
        Death::At(Some("GET"), "/status", 2),
    ];
    let (killed, _) = taken_over(&deaths).await;
    assert_eq!(killed, end);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn soak_people_are_taken_over_by_a_program_that_is_killed_a_hundred_times() {
    let (end, requests) = undisturbed().await;
    for seed in 0..20 {
        let deaths: Vec<Death> = moments(seed, 5, requests).into_iter().map(Death::After).collect();
        let (killed, _) = taken_over(&deaths).await;
        assert_eq!(killed, end, "seed {seed}");
    }
}
