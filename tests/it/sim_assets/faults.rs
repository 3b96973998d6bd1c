//! Faults on order, the log, and the control paths for those who are outside the process.

use super::*;
use entra_assets::sim::assets::AssetsFault;

#[tokio::test]
async fn a_lost_start_answer_leaves_an_execution_behind() {
    let bench = mapped_bench().await;
    bench.sim.inject(AssetsFault::cut("POST", "/executions").applied());
    assert!(bench.call(Method::POST, &bench.source("executions")).send().await.is_err());
    let (_, status) = reply(bench.call(Method::GET, &bench.source("configstatus"))).await;
    assert_eq!(status["status"], "RUNNING");
    let cancel = status["links"]["cancel"].as_str().unwrap();
    assert_eq!(reply(bench.request(Method::DELETE, cancel)).await.0, 200);
    bench.start().await;
}

#[tokio::test]
async fn a_cut_chunk_was_taken_or_not_as_ordered() {
    for (applied, taken) in [(false, 0), (true, 1)] {
        let bench = mapped_bench().await;
        let links = bench.start().await;
        let fault = AssetsFault::cut("POST", "/data");
        bench.sim.inject(if applied { fault.applied() } else { fault });
        let url = links["submitResults"].as_str().unwrap();
        let chunk = json!({"data": {"groups": [{"id": "g1", "name": "x"}]}});
        assert!(bench.request(Method::POST, url).json(&chunk).send().await.is_err());
        assert_eq!(bench.sim.chunks().len(), taken);
        assert_eq!(bench.sim.requests().last().unwrap().status, 0);
        assert_eq!(bench.submit(&links, chunk).await.0, 200);
    }
}

#[tokio::test]
async fn a_fault_comes_when_ordered_and_as_often() {
    let bench = mapped_bench().await;
    let fault =
        AssetsFault::answer("GET", "/configstatus", 503, "<html>busy</html>").after(1).times(2).retry_after("7");
    bench.sim.inject(fault);
    let path = bench.source("configstatus");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let response = bench.call(Method::GET, &path).send().await.unwrap();
        let wait = response.headers().get("Retry-After").map(|value| value.to_str().unwrap().to_owned());
        seen.push((response.status().as_u16(), wait));
    }
    let busy = (503, Some("7".to_owned()));
    assert_eq!(seen, [(200, None), busy.clone(), busy, (200, None)]);
}

#[tokio::test]
async fn everything_can_be_asked_and_changed_from_outside() {
    let bench = mapped_bench().await;
    let control = |path: &str| format!("{}/_sim/{path}", bench.sim.origin());
    let get = async |path: &str| reply(bench.client.get(control(path))).await.1;
    let post = async |path: &str, body: Value| reply(bench.client.post(control(path)).json(&body)).await;
    assert_eq!(get("").await["sources"][0]["token"], assets::CONTAINER_TOKEN);
    let patch = json!({"missing": {"action": "remove", "threshold": 1}, "emptyValues": "remove"});
    let (status, behaviour) = reply(bench.client.patch(control("behaviour")).json(&patch)).await;
    assert_eq!(
        (status, &behaviour["emptyValues"], &behaviour["missing"]["action"]),
        (StatusCode::OK, &json!("remove"), &json!("remove"))
    );
    assert_eq!(reply(bench.client.patch(control("behaviour")).json(&json!({"misssing": 1}))).await.0, 400);
    bench.import(json!({"users": [{"id": "u1", "name": "Ann", "manager": "u1"}]})).await;
    let by_hand = json!({"objectType": "Group", "values": {"Object ID": "g1", "Display Name": "By hand"}});
    assert_eq!(post("objects", by_hand).await.0, 201);
    assert_eq!(post("attributes", json!({"objectType": "Group", "name": "Room", "type": "text"})).await.0, 201);
    let truth = get("truth").await;
    assert_eq!(truth["types"]["User"]["objects"][0]["values"]["Manager"], json!(["u1"]));
    assert_eq!((&truth["types"]["Group"]["count"], &truth["references"]["User"]["Manager"]), (&json!(1), &json!(1)));
    assert_eq!(get("counts").await["objects"], json!({"Group": 1, "User": 1}));
    assert_eq!(get("chunks").await[0]["entries"], json!({"User": 1}));
    assert_eq!(get("executions").await[0]["status"], "DONE");
    assert_eq!(post("faults", json!({"path": "/imports/info", "action": {"answer": {"status": 500}}})).await.0, 204);
    assert_eq!(
        reply(bench.request(Method::GET, &format!("{}/jsm/assets/v1/imports/info", bench.sim.origin()))).await.0,
        500
    );
    let source = post("sources", json!({"name": "Second"})).await.1;
    let rotated = post(&format!("sources/{}/token", source["id"].as_str().unwrap()), Value::Null).await.1;
    assert_ne!(rotated["token"], source["token"]);
}

#[tokio::test]
async fn a_stopped_simulator_does_not_answer() {
    let bench = bench();
    let url = format!("{}/_sim/counts", bench.sim.origin());
    assert_eq!(bench.client.get(&url).send().await.unwrap().status(), 200);
    bench.sim.stop().await;
    let fresh = entra_assets::http::client(&HttpSettings::default()).unwrap();
    assert!(fresh.get(&url).send().await.is_err());
}
