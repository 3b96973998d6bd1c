//! The rules for every operation. The operations come from the document, so that a new one is tested too.

use crate::support::recorder::{Operation, fill, find, operations, resolve};
use crate::support::test_app::{TestApp, pointers};
use crate::support::world::ORGANIZATION;
use entra_assets::api::auth::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const UNKNOWN_ID: &str = "01900000-0000-7000-8000-00000000ffff";
const MIB: usize = 1 << 20;

fn protected() -> Vec<Operation> {
    operations().into_iter().filter(|operation| operation.scope().is_some()).collect()
}

/// Operations with a required JSON body.
fn with_body() -> Vec<Operation> {
    let has_body = |operation: &Operation| operation.value["requestBody"]["required"] == true;
    operations().into_iter().filter(has_body).collect()
}

/// A call without a fault of form.
fn call(app: &TestApp, operation: &Operation, key: &str, id: &str) -> crate::support::test_app::Call {
    let call = app.call_with(key, operation.method.clone(), &operation.path(id));
    match operation.example() {
        Some(example) => call.json(example),
        None => call,
    }
}

#[tokio::test]
async fn only_health_and_the_document_are_open() {
    let open: Vec<&str> =
        operations().iter().filter(|operation| operation.scope().is_none()).map(Operation::id).collect();
    assert_eq!(open, ["get_health", "get_metrics", "get_openapi", "get_readiness"]);
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        app.call_without_key(Method::GET, path).send().await.expect(200);
    }
    for path in ["/docs", "/docs/"] {
        let status = app.call_without_key(Method::GET, path).send_unrecorded().await.status;
        assert!([200, 307].contains(&status), "{path}: {status}");
    }
}

/// The router decodes a path before it looks for its handler; what the document does not have is refused before.
#[tokio::test]
async fn a_path_written_in_another_way_does_not_pass_the_authentication() {
    let app = TestApp::start().await;
    for path in [
        "/v1/capabilitie%73",
        "/%76%31/capabilities",
        "/v1%2Fcapabilities",
        "/v1/capabilities/",
        "//v1/capabilities",
        "/v1/./capabilities",
    ] {
        let answer = app.call_without_key(Method::GET, path).send_unrecorded().await;
        assert!([401, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
    }
}

/// Every label of a metric has a bounded set of values, whatever callers send.
#[tokio::test]
async fn a_caller_cannot_add_series_to_the_metrics() {
    let app = TestApp::start().await;
    // The first call begins to record.
    app.call_without_key(Method::GET, "/metrics").send_unrecorded().await;
    for index in 0..20 {
        let method = Method::from_bytes(format!("METHOD{index}").as_bytes()).unwrap();
        app.call_without_key(method, &format!("/path{index}")).send_unrecorded().await;
        app.call_without_key(Method::GET, &format!("/v1/jobs/{index}")).send_unrecorded().await;
    }
    let metrics = app.call_without_key(Method::GET, "/metrics").send_unrecorded().await.text;
    assert!(metrics.contains("method=\"OTHER\",path=\"other\""), "{metrics}");
    assert!(!metrics.contains("METHOD") && !metrics.contains("path1") && !metrics.contains("/v1/jobs/1"), "{metrics}");
}

#[tokio::test]
async fn what_is_open_answers_head_like_get_without_a_body() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        let get = app.call_without_key(Method::GET, path).send_unrecorded().await;
        let head = app.call_without_key(Method::HEAD, path).send_unrecorded().await;
        assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
    let protected = app.call_without_key(Method::HEAD, "/v1/jobs").send_unrecorded().await;
    assert_eq!((protected.status, protected.header("allow")), (405, "GET, POST"));
    let posted = app.call_without_key(Method::POST, "/healthz").send_unrecorded().await;
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn a_name_has_something_to_be_seen() {
    let app = TestApp::start().await;
    let examples = with_body().into_iter().filter(|operation| operation.method == Method::POST);
    let named = examples.filter_map(|operation| {
        let mut example = operation.example()?.clone();
        let is_new = operation.value["requestBody"].to_string().contains("schemas/Create");
        *example.get_mut("name").filter(|_| is_new)? = json!(" \t");
        Some((operation.template.clone(), example))
    });
    let named: Vec<(String, Value)> = named.collect();
    assert!(named.len() >= 7, "{named:?}");
    for (path, example) in named {
        let problem = app.post(&path, &example).await.problem(422, "validation_failed");
        assert_eq!(pointers(&problem), ["/name"], "{path}");
    }
}

#[tokio::test]
async fn every_operation_refuses_who_has_no_key() {
    let app = TestApp::start().await;
    for operation in protected() {
        let path = operation.path(UNKNOWN_ID);
        let unknown_key = format!("eak_{}_{}", "0".repeat(32), "A".repeat(43));
        for call in [
            app.call_without_key(operation.method.clone(), &path),
            app.call_with(&unknown_key, operation.method.clone(), &path),
            app.call_with("not-a-key", operation.method.clone(), &path),
            app.call_without_key(operation.method.clone(), &path).header("authorization", "Basic YTpi"),
        ] {
            let answer = call.send().await;
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            answer.problem(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn every_operation_refuses_a_key_without_its_scope() {
    let app = TestApp::start().await;
    let mut keys = BTreeMap::new();
    for scope in Scope::ALL {
        let others: Vec<Scope> =
            Scope::ALL.into_iter().filter(|other| *other != scope && *other != Scope::Admin).collect();
        keys.insert(scope.as_str(), app.add_key(ORGANIZATION, &others).await);
    }
    // No key has it, whatever else the key may do.
    keys.insert("handover", app.add_key(ORGANIZATION, &Scope::ALL).await);
    for operation in protected() {
        let scope = operation.scope().unwrap();
        let answer = call(&app, &operation, &keys[scope], UNKNOWN_ID).send().await;
        let problem = answer.problem(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("`{scope}`")), "{problem}");
    }
}

/// One id of each collection that takes ids, in the organization of the admin key.
async fn one_of_each(app: &TestApp) -> BTreeMap<&'static str, String> {
    let filter = app.create_filter(&json!({"name": "All"})).await;
    let job = app.create_job(&json!({"filterId": filter})).await;
    let jobs = app.get(&format!("/v1/jobs/{job}")).await.expect(200);
    let run = app.run(&job, &json!({"mode": "full"})).await;
    let key = app.create("/v1/api-keys", &json!({"name": "Script", "scopes": ["read"]})).await;
    let webhook = json!({"name": "Alerts", "url": "https://example.com/hooks", "events": ["failed"]});
    let webhook = app.create("/v1/webhooks", &webhook).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let handovers = format!("/v1/connections/{}/handovers", text(&jobs["connectionId"]));
    let handover = app.call(Method::POST, &handovers).send().await.expect(201);
    BTreeMap::from([
        ("api-keys", key.rsplit('/').next().unwrap().to_owned()),
        ("connections", text(&jobs["connectionId"])),
        ("destinations", text(&jobs["destinationId"])),
        ("filters", filter),
        ("handovers", text(&handover["id"])),
        ("jobs", job),
        ("runs", text(&run["id"])),
        ("webhooks", webhook.rsplit('/').next().unwrap().to_owned()),
    ])
}

#[tokio::test]
async fn what_another_organization_has_is_not_there() {
    let app = TestApp::start().await;
    let ids = one_of_each(&app).await;
    let (_, other_key) = app.add_organization().await;
    let rows = app.world.count("audit_events").await;
    for operation in operations().iter().filter(|operation| operation.template.contains("/{id}")) {
        let collection = operation.template.split('/').nth(2).unwrap();
        let own = ids.get(collection).map_or(UNKNOWN_ID, String::as_str);
        for id in [own, UNKNOWN_ID, "not-a-uuid"] {
            let answer = call(&app, operation, &other_key, id).send().await;
            if collection == "organizations" && answer.status == 403 {
                // Changing organizations is the operator's alone.
                answer.problem(403, "forbidden");
            } else {
                answer.problem(404, "not_found");
            }
        }
    }
    for (collection, id) in &ids {
        app.get(&format!("/v1/{collection}/{id}")).await.expect(200);
        let theirs = app.call_with(&other_key, Method::GET, &format!("/v1/{collection}")).send().await.expect(200);
        let is_own_key = |item: &Value| *collection == "api-keys" && item["name"] == "Key";
        let items = theirs["items"].as_array().unwrap();
        assert!(items.iter().all(is_own_key), "{collection}: {theirs}");
    }
    assert_eq!(app.world.count("audit_events").await, rows, "no trace is left in the organization that owns them");
}

#[tokio::test]
async fn a_reference_to_another_organization_s_thing_is_unknown() {
    let app = TestApp::start().await;
    let ids = one_of_each(&app).await;
    let (_, other_key) = app.add_organization().await;
    let job = json!({"name": "Theirs", "connectionId": ids["connections"], "filterId": ids["filters"],
        "destinationId": ids["destinations"]});
    let answer = app.call_with(&other_key, Method::POST, "/v1/jobs").json(&job).send().await;
    let problem = answer.problem(422, "validation_failed");
    assert_eq!(pointers(&problem), ["/connectionId", "/destinationId", "/filterId"]);
}

#[tokio::test]
async fn a_path_names_the_methods_that_it_has() {
    let app = TestApp::start().await;
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation in operations() {
        methods.entry(fill(&operation.template, UNKNOWN_ID)).or_default().push(operation.method.to_string());
    }
    for (path, allowed) in methods {
        for wrong in [Method::PUT, Method::PATCH, Method::DELETE] {
            // `/v1/filters/validate` has the form of `/v1/filters/{id}` too.
            if find(&wrong, &path).0.is_some() {
                continue;
            }
            let answer = app.call(wrong, &path).send().await;
            let allow: Vec<String> = answer.header("allow").split(", ").map(str::to_owned).collect();
            assert!(allowed.iter().all(|method| allow.contains(method)), "{path}: {allow:?}");
            answer.problem(405, "method_not_allowed");
        }
    }
    app.get("/v1/nothing").await.problem(404, "not_found");
}

#[tokio::test]
async fn an_answer_is_given_in_a_form_that_the_caller_takes() {
    let app = TestApp::start().await;
    let link = app.hand_over().await;
    for operation in operations() {
        let responses = operation.value["responses"].as_object().unwrap();
        // What answers without a body has nothing to refuse.
        if responses.iter().any(|(status, response)| status.starts_with('2') && response.get("content").is_some()) {
            let refused = call(&app, &operation, operation.key(&link), UNKNOWN_ID).accept("image/png");
            refused.send().await.problem(406, "not_acceptable");
        }
    }
    for accept in ["application/json", "application/*", "*/*", "text/html, application/json;q=0.5"] {
        app.call(Method::GET, "/v1/filters").accept(accept).send().await.expect(200);
    }
    app.call(Method::GET, "/v1/filters").accept("application/json;q=0").send().await.problem(406, "not_acceptable");
}

#[tokio::test]
async fn every_body_is_bounded_and_json() {
    let app = TestApp::start().await;
    let link = app.hand_over().await;
    for operation in with_body() {
        let path = operation.path(UNKNOWN_ID);
        let call = || app.call_with(operation.key(&link), operation.method.clone(), &path);
        let large = format!("{{\"name\":\"{}\"}}", "a".repeat(MIB));
        call().text("application/json", large).send().await.problem(413, "body_too_large");
        for media_type in ["text/plain", "application/xml", "application/*"] {
            call().text(media_type, "{}").send().await.problem(415, "unsupported_media_type");
        }
        call().send().await.problem(415, "unsupported_media_type");
        for broken in ["", "{", "{\"name\":}", "{\"name\":\"a\"", "\u{feff}{}"] {
            call().text("application/json", broken).send().await.problem(400, "malformed_json");
        }
        let not_utf8 = call().text("application/json", b"{\"name\":\"\xff\"}".to_vec());
        not_utf8.send().await.problem(400, "malformed_json");
    }
}

#[tokio::test]
async fn every_unknown_field_and_parameter_is_named() {
    let app = TestApp::start().await;
    let link = app.hand_over().await;
    // A validation answers with the faults that it finds, whatever it is given; a manifest has fields that are
    // nothing to us.
    let judges = |operation: &&Operation| {
        matches!(operation.id(), "validate_filter" | "check_manifest" | "check_handed_over_manifest")
    };
    for operation in with_body().iter().filter(|operation| !judges(operation)) {
        let is_one_object = resolve(operation.body().unwrap()).get("properties").is_some();
        let body = json!({"surprise": 1, "a/b~c": null, "name": 7});
        let answer = app
            .call_with(operation.key(&link), operation.method.clone(), &operation.path(UNKNOWN_ID))
            .json(&body)
            .send()
            .await;
        let problem = answer.problem(422, "validation_failed");
        if is_one_object {
            let found = pointers(&problem);
            assert!(found.contains(&"/surprise") && found.contains(&"/a~1b~0c"), "{} {found:?}", operation.id());
        }
        for body in [json!([]), json!("text"), json!(7), json!(null)] {
            let answer = app
                .call_with(operation.key(&link), operation.method.clone(), &operation.path(UNKNOWN_ID))
                .json(&body)
                .send()
                .await;
            assert!(!answer.problem(422, "validation_failed")["errors"].as_array().unwrap().is_empty());
        }
    }
    for operation in operations() {
        let path = operation.path(UNKNOWN_ID);
        let sign = if path.contains('?') { '&' } else { '?' };
        let call = app.call_with(
            operation.key(&link),
            operation.method.clone(),
            &format!("{path}{sign}surprise=1&surprise=2"),
        );
        let call = if let Some(example) = operation.example() { call.json(example) } else { call };
        let problem = call.send().await.problem(422, "validation_failed");
        assert!(pointers(&problem).contains(&"?surprise"), "{}: {problem}", operation.id());
    }
}

/// Generated clients write a list without anything in it as `state=`.
#[tokio::test]
async fn an_empty_list_in_a_query_is_no_fault_and_the_document_says_so() {
    let app = TestApp::start().await;
    let link = app.hand_over().await;
    let mut lists = 0;
    for operation in operations() {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" || parameter["schema"]["type"] != "array" {
                continue;
            }
            assert_eq!(parameter["allowEmptyValue"], true, "{}: {parameter}", operation.id());
            let (path, name) = (operation.path(UNKNOWN_ID), parameter["name"].as_str().unwrap());
            let sign = if path.contains('?') { '&' } else { '?' };
            let call = app.call_with(operation.key(&link), operation.method.clone(), &format!("{path}{sign}{name}="));
            let call = if let Some(example) = operation.example() { call.json(example) } else { call };
            let answer = call.send().await;
            assert!(answer.status != 422, "{}: {}", operation.id(), answer.body);
            lists += 1;
        }
    }
    assert!(lists >= 11, "{lists}");
}

#[tokio::test]
async fn every_list_has_limits_and_cursors_of_its_own() {
    let app = TestApp::start().await;
    let ids = one_of_each(&app).await;
    let foreign = {
        app.create_filter(&json!({"name": "Another"})).await;
        app.get("/v1/filters?limit=1").await.expect(200)["nextCursor"].as_str().unwrap().to_owned()
    };
    for operation in operations().iter().filter(|operation| operation.has_parameter("query", "cursor")) {
        let collection = operation.template.split('/').nth(2).unwrap();
        let id = ids.get(collection).map_or(UNKNOWN_ID, String::as_str);
        let path = operation.path(id);
        let with = |query: &str| format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' });
        for limit in [1, 200] {
            let page = app.get(&with(&format!("limit={limit}"))).await.expect(200);
            assert!(page["items"].as_array().unwrap().len() <= limit, "{}", operation.id());
        }
        for limit in ["0", "201", "-1", "1.5", "many", "", "99999999999999999999"] {
            let problem = app.get(&with(&format!("limit={limit}"))).await.problem(422, "validation_failed");
            assert_eq!(pointers(&problem), ["?limit"], "{limit}");
        }
        for cursor in ["not%20ours", "%F0%9F%90%88"] {
            app.get(&with(&format!("cursor={cursor}"))).await.problem(422, "validation_failed");
        }
        for cursor in ["AAAA", "bm90IG91cnM"] {
            app.get(&with(&format!("cursor={cursor}"))).await.problem(400, "invalid_cursor");
        }
        if operation.template != "/v1/filters" {
            app.get(&with(&format!("cursor={foreign}"))).await.problem(400, "invalid_cursor");
        }
    }
}

#[tokio::test]
async fn the_caller_s_request_id_is_kept_if_it_is_harmless() {
    let app = TestApp::start().await;
    let call = |id: &str| app.call(Method::GET, "/v1/nothing").header("x-request-id", id);
    let answer = call("build-42:7").send().await;
    assert_eq!(answer.header("x-request-id"), "build-42:7");
    answer.problem(404, "not_found");
    for harmful in ["a b", "<script>", &"a".repeat(129)] {
        let answer = call(harmful).send().await;
        assert_ne!(answer.header("x-request-id"), harmful);
        answer.problem(404, "not_found");
    }
}
