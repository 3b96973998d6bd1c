//! The object API: who may, AQL, changing and deleting objects, the rate limit.

use super::*;

async fn filled() -> Bench {
    let bench = mapped_bench().await;
    let users = json!([
        {"id": "u1", "name": "Ann", "floor": 3, "groups": ["g1"]},
        {"id": "u2", "name": "Bea", "floor": 12, "lifecycle": "Active"},
        {"id": "u3", "name": "Cem"},
    ]);
    bench.import(json!({"users": users, "groups": [{"id": "g1", "name": "Team"}]})).await;
    bench
}

async fn labels(bench: &Bench, query: &str) -> Vec<String> {
    let (status, body) =
        bench.object_api(Method::POST, "object/aql?maxResults=50", Some(json!({"qlQuery": query}))).await;
    assert_eq!(status, 200, "{body}");
    body["values"].as_array().unwrap().iter().map(|o| o["label"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_container_token_may_not_touch_objects() {
    let bench = filled().await;
    assert_eq!(reply(bench.call(Method::GET, "object/1")).await.0, 401);
    assert_eq!(reply(bench.call(Method::DELETE, "object/1")).await.0, 401);
    let wrong = bench.client.get(bench.workspace("object/1")).basic_auth(assets::API_EMAIL, Some("wrong"));
    assert_eq!(reply(wrong).await.0, 401);
    assert_eq!(bench.object_api(Method::GET, "object/1", None).await.0, 200);
}

#[tokio::test]
async fn the_workspace_is_found_with_basic_authentication() {
    let bench = bench();
    let url = format!("{}/rest/servicedeskapi/assets/workspace", bench.sim.origin());
    let (status, body) = reply(bench.client.get(&url).basic_auth(assets::API_EMAIL, Some(assets::API_TOKEN))).await;
    assert_eq!((status, body["values"][0]["workspaceId"].as_str()), (StatusCode::OK, Some(assets::WORKSPACE_ID)));
    assert_eq!(reply(bench.client.get(&url).bearer_auth(bench.sim.token())).await.0, 401);
}

#[tokio::test]
async fn aql_finds_what_it_says() {
    let bench = filled().await;
    for (query, found) in [
        (r#"objectType = "User" AND "Object ID" IN ("u1", "U3", "none")"#, vec!["Ann", "Cem"]),
        ("objectType = Group", vec!["Team"]),
        (r#"objectType = User AND Floor > 3"#, vec!["Bea"]),
        (r#"objectType = User AND Floor IS EMPTY"#, vec!["Cem"]),
        (r#"objectType = User AND "Display Name" LIKE "e" ORDER BY Key"#, vec!["Bea", "Cem"]),
        (r#"objectType = User AND Groups = Team"#, vec!["Ann"]),
        (r#"objectType = User AND (Lifecycle = active OR "Object ID" = u1)"#, vec!["Ann", "Bea"]),
        (r#"Key = ENT-2"#, vec!["Bea"]),
        (r#"objectType IN (User) AND NOT "Display Name" LIKE "a""#, vec!["Cem"]),
    ] {
        assert_eq!(labels(&bench, query).await, found, "{query}");
    }
    assert_eq!(bench.object_api(Method::POST, "object/aql", Some(json!({"qlQuery": "a ="}))).await.0, 400);
    let count =
        bench.object_api(Method::POST, "object/aql/totalcount", Some(json!({"qlQuery": "objectType = User"}))).await;
    assert_eq!(count.1, json!({"totalCount": 3}));
}

#[tokio::test]
async fn aql_answers_in_pages() {
    let bench = filled().await;
    let page = async |start: usize| {
        let path = format!("object/aql?startAt={start}&maxResults=2&includeAttributes=false");
        bench.object_api(Method::POST, &path, Some(json!({"qlQuery": "objectType = User"}))).await.1
    };
    let (first, second) = (page(0).await, page(2).await);
    assert_eq!(
        (first["values"].as_array().unwrap().len(), &first["isLast"], &first["last"]),
        (2, &json!(false), &json!(false))
    );
    assert_eq!((second["values"].as_array().unwrap().len(), &second["isLast"]), (1, &json!(true)));
    assert!(first["values"][0].get("attributes").is_none());
}

#[tokio::test]
async fn values_are_set_and_cleared_by_attribute_id() {
    let bench = filled().await;
    let (_, object) = bench.object_api(Method::GET, "object/1", None).await;
    let type_id = object["objectType"]["id"].as_str().unwrap();
    let (_, attributes) = bench.object_api(Method::GET, &format!("objecttype/{type_id}/attributes"), None).await;
    let id = |name: &str| attributes.as_array().unwrap().iter().find(|a| a["name"] == name).unwrap()["id"].clone();
    let part = |name: &str, values: &[&str]| {
        let values: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
        json!({"objectTypeAttributeId": id(name), "objectAttributeValues": values})
    };
    let put = async |parts: Value| bench.object_api(Method::PUT, "object/1", Some(json!({"attributes": parts}))).await;
    assert_eq!(put(json!([part("Groups", &[]), part("Manager", &["2"]), part("Department", &["Law"])])).await.0, 200);
    let values = bench.values("User", "u1");
    assert!(!values.contains_key("Groups"));
    assert_eq!((&values["Manager"], &values["Department"]), (&vec!["u2".to_owned()], &vec!["Law".to_owned()]));
    let (status, body) = put(json!([part("Floor", &["x"])])).await;
    assert_eq!((status, body["errors"].as_object().unwrap().len()), (StatusCode::BAD_REQUEST, 1));
}

#[tokio::test]
async fn a_deleted_object_is_gone_with_the_references_to_it() {
    let bench = filled().await;
    let found = bench.object_api(Method::POST, "object/aql", Some(json!({"qlQuery": "objectType = Group"}))).await.1;
    let path = format!("object/{}", found["values"][0]["id"].as_str().unwrap());
    assert_eq!(bench.object_api(Method::DELETE, &path, None).await.0, 200);
    assert_eq!(bench.object_api(Method::GET, &path, None).await.0, 404);
    assert_eq!(bench.object_api(Method::DELETE, &path, None).await.0, 404);
    assert!(!bench.values("User", "u1").contains_key("Groups"));
}

#[tokio::test]
async fn too_many_object_calls_in_a_minute_are_answered_429() {
    let bench = filled().await;
    bench.sim.configure(|b| b.object_calls_per_minute = Some(2));
    for _ in 0..2 {
        assert_eq!(bench.object_api(Method::GET, "object/1", None).await.0, 200);
    }
    let request = bench.client.get(bench.workspace("object/1")).basic_auth(assets::API_EMAIL, Some(assets::API_TOKEN));
    let response = request.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["Retry-After"].to_str().unwrap()), (429, "60"));
    bench.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(bench.object_api(Method::GET, "object/1", None).await.0, 200);
}

#[tokio::test]
async fn schemas_and_types_are_listed() {
    let bench = filled().await;
    let (_, schemas) = bench.object_api(Method::GET, "objectschema/list", None).await;
    let id = schemas["values"][0]["id"].as_str().unwrap();
    let (_, types) = bench.object_api(Method::GET, &format!("objectschema/{id}/objecttypes/flat"), None).await;
    let names: Vec<&str> = types.as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["User", "Group"]);
}
