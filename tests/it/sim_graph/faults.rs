//! Faults on demand, in-process and over HTTP.

use super::*;
use entra_assets::sim::graph::{Action, Fault, Feature};
use serde_json::json;

#[tokio::test]
async fn a_fault_hits_the_request_it_is_meant_for() {
    let graph = Graph::start().await;
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::status(503)).nth(2).times(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(graph.request(Method::GET, "/v1.0/users?$top=1").send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    graph.sim.add_fault(Fault::on("/v1.0/groups", Action::throttled(Some("0.249"))));
    let throttled = graph.request(Method::GET, "/v1.0/groups").send().await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"0.249".parse().unwrap()));
    graph.sim.add_fault(Fault::on("/v1.0/groups", Action::throttled(Some("date+5"))));
    let throttled = graph.request(Method::GET, "/v1.0/groups").send().await.unwrap();
    assert_eq!(throttled.headers()["retry-after"], "Sun, 01 Nov 2026 08:00:05 GMT");
}

#[tokio::test]
async fn broken_bodies_are_broken() {
    let graph = Graph::start().await;
    let get = || async { graph.request(Method::GET, "/v1.0/users?$top=999").send().await };
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::Html { status: 502 }));
    let html = get().await.unwrap();
    assert_eq!((html.status().as_u16(), &html.headers()["content-type"]), (502, &"text/html".parse().unwrap()));
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::HalfPage));
    let half = get().await.unwrap().text().await.unwrap();
    assert!(serde_json::from_str::<Value>(&half).is_err());
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::Cut));
    let cut = match get().await {
        Ok(response) => response.bytes().await.err(),
        Err(error) => Some(error),
    };
    assert!(cut.is_some());
}

#[tokio::test]
async fn pages_can_lead_astray() {
    let graph = Graph::start().await;
    let path = "/v1.0/users?$top=100&$select=id";
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::EndlessNextLink));
    let link = graph.get(path).await["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(link, format!("{}{path}", graph.sim.graph_origin()));
    let foreign = Action::ForeignNextLink { origin: "https://graph.example".into() };
    graph.sim.add_fault(Fault::on("/v1.0/users", foreign));
    assert!(graph.get(path).await["@odata.nextLink"].as_str().unwrap().starts_with("https://graph.example/"));
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::EmptyPage).nth(3));
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::DuplicateRow).nth(5));
    let rows = graph.all(path).await;
    assert_eq!((rows.len(), ids(&rows).len()), (2_001, 2_000));
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::PageTokenNotFound).containing("$skiptoken"));
    let link = graph.get(path).await["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(graph.fail(&link).await, (400, "DirectoryPageTokenNotFoundException".into()));
}

#[tokio::test]
async fn a_token_from_a_repeated_page_is_not_found() {
    let graph = Graph::start().await;
    graph.sim.poison_repeated_pages(true);
    let path = "/v1.0/users?$top=100&$select=id";
    graph.sim.add_fault(Fault::on("/v1.0/users", Action::status(503)));
    assert_eq!(graph.fail(path).await.0, 503);
    let link = graph.get(path).await["@odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(graph.fail(&link).await, (400, "DirectoryPageTokenNotFoundException".into()));
    assert_eq!(graph.all(path).await.len(), 2_000, "the start of the list is good again");
}

#[tokio::test]
async fn optional_features_can_be_refused() {
    let graph = Graph::start().await;
    for status in [400, 404, 501] {
        graph.sim.refuse(Feature::Count, Some(status));
        assert_eq!(graph.advanced("/v1.0/users/$count").await.status(), status);
        graph.sim.refuse(Feature::Delta, Some(status));
        assert_eq!(graph.fail("/v1.0/users/delta").await.0, status);
        graph.sim.refuse(Feature::CreatedDateTimeFilter, Some(status));
        assert_eq!(graph.fail("/v1.0/users?$filter=createdDateTime ge 2024-01-01").await.0, status);
        graph.sim.refuse(Feature::Batch, Some(status));
        let batch = graph.request(Method::POST, "/v1.0/$batch").json(&json!({"requests": []}));
        assert_eq!(batch.send().await.unwrap().status(), status);
    }
    graph.sim.refuse(Feature::Count, None);
    assert_eq!(graph.advanced("/v1.0/users/$count").await.status(), 200);
}

#[tokio::test]
async fn the_control_side_takes_orders_and_tells_the_truth() {
    let graph = Graph::start().await;
    let control =
        |method: Method, path: &str| graph.client.request(method, format!("{}{path}", graph.sim.graph_origin()));
    let order = json!([
        {"path": "/v1.0/users", "action": {"kind": "status", "status": 504}},
        {"path": "/v1.0/groups", "nth": 2, "times": 0, "action": {"kind": "tokenRefused"}},
    ]);
    let sent = control(Method::POST, "/_sim/faults").json(&order).send().await.unwrap();
    assert_eq!(sent.status(), 204);
    assert_eq!(graph.fail("/v1.0/users").await.0, 504);
    graph.get("/v1.0/groups").await;
    assert_eq!(graph.fail("/v1.0/groups").await.0, 401);
    assert_eq!(control(Method::DELETE, "/_sim/faults").send().await.unwrap().status(), 204);
    graph.get("/v1.0/groups").await;
    let wrong = control(Method::POST, "/_sim/faults").json(&json!({"path": "/", "action": {"kind": "explode"}}));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
    let truth: Value = control(Method::GET, "/_sim/truth").send().await.unwrap().json().await.unwrap();
    assert_eq!(truth["users"], 2_000);
    let gone = control(Method::POST, "/_sim/deletions").json(&json!({"share": 0.3})).send().await.unwrap();
    assert_eq!(gone.json::<Value>().await.unwrap(), json!({"usersDeleted": 600}));
    let truth: Value = control(Method::GET, "/_sim/truth").send().await.unwrap().json().await.unwrap();
    assert_eq!(truth["users"], 1_400);
    let rows = control(Method::GET, "/_sim/truth/memberships?skip=10&top=5").send().await.unwrap();
    let rows: Value = rows.json().await.unwrap();
    assert_eq!(
        (rows["total"].as_u64(), rows["items"].as_array().map(Vec::len)),
        (truth["userMemberships"].as_u64(), Some(5))
    );
    let requests: Value = control(Method::GET, "/_sim/requests").send().await.unwrap().json().await.unwrap();
    assert_eq!(requests["counters"]["requests"], 4);
    let order = json!({"tenant": "healthy", "granted": ["Device.Read.All"]});
    assert_eq!(control(Method::POST, "/_sim/permissions").json(&order).send().await.unwrap().status(), 204);
    let (_, token) = graph.ask_token(&Scenario::Healthy.credentials()).await;
    let ask = async |path: &str| {
        let request = control(Method::GET, path).bearer_auth(token["access_token"].as_str().unwrap());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((ask("/v1.0/devices").await, ask("/v1.0/users").await), (200, 403));
    let unknown = json!({"tenant": "healthy", "granted": ["Users.Read.All"]});
    assert_eq!(control(Method::POST, "/_sim/permissions").json(&unknown).send().await.unwrap().status(), 400);
    let order = json!({"tenant": "healthy", "aadsts": 7_000_222, "tail": "lines"});
    control(Method::POST, "/_sim/token-errors").json(&order).send().await.unwrap();
    assert_eq!(graph.ask_token(&Scenario::Healthy.credentials()).await.0, 401);
}
