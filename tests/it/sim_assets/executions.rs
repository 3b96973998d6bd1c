//! The life of an execution, and what is refused in each phase.

use super::*;
use entra_assets::sim::assets::{Processing, RepeatedChunks};
use std::time::Duration;

#[tokio::test]
async fn the_documented_sequence_of_an_import_works() {
    let bench = bench();
    let status = async || reply(bench.call(Method::GET, &bench.source("configstatus"))).await.1;
    assert_eq!(status().await, json!({"status": "MISSING_MAPPING"}));
    assert_eq!(bench.put_mapping(&document()).await, (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(status().await, json!({"status": "IDLE"}));
    let links = bench.start().await;
    let running = status().await;
    assert_eq!((running["status"].as_str(), &running["links"]), (Some("RUNNING"), &links));
    assert_eq!(bench.status(&links).await["status"], "INGESTING");
    assert!(bench.status(&links).await.get("progressResult").is_none());
    let progress = json!({"objects": {"total": 2, "processed": 1}});
    let answer = reply(bench.request(Method::PUT, links["submitProgress"].as_str().unwrap()).json(&progress)).await;
    assert_eq!(answer, (StatusCode::OK, Value::Null));
    let chunk =
        json!({"data": {"groups": [{"id": "g1", "name": "Team"}]}, "clientGeneratedId": "a", "completed": false});
    assert_eq!(bench.submit(&links, chunk).await, (StatusCode::OK, Value::Null));
    let chunk = json!({"data": {"users": [{"id": "u1", "name": "Ann", "groups": ["g1"]}]}, "completed": true});
    assert_eq!(bench.submit(&links, chunk).await.0, 200);
    assert_eq!(bench.status(&links).await["status"], "PROCESSING");
    let done = bench.status(&links).await;
    assert_eq!(done["status"], "DONE");
    let result = &done["progressResult"];
    assert_eq!((result["result"].as_str(), result["totalNumberEntriesInImport"].as_u64()), (Some("OK"), Some(2)));
    assert_eq!(result["jobId"], done["executionId"]);
    assert!(result["started"].as_str().unwrap().ends_with("+00:00"));
    let users =
        result["objectTypeResultMap"].as_object().unwrap().values().find(|r| r["objectTypeName"] == "User").unwrap();
    for (counter, value) in
        [("entriesInSource", 1), ("objectsCreated", 1), ("objectsWithUpdatedReferences", 1), ("duplicateEnries", 0)]
    {
        assert_eq!(users[counter], value, "{counter}");
    }
    assert_eq!(bench.values("User", "u1")["Groups"], ["g1"]);
    assert_eq!(status().await, json!({"status": "IDLE"}));
}

#[tokio::test]
async fn a_start_is_refused_with_each_documented_code() {
    let bench = bench();
    let start = async || reply(bench.call(Method::POST, &bench.source("executions"))).await;
    let refused = |code: &str| (StatusCode::CONFLICT, json!({"result": "error", "errorCode": code}));
    assert_eq!(start().await, refused("MISSING_MAPPING"));
    assert_eq!(bench.put_mapping(&document()).await.0, 204);
    bench.sim.set_disabled(assets::SOURCE_ID, true);
    assert_eq!(start().await, refused("DISABLED"));
    bench.sim.set_disabled(assets::SOURCE_ID, false);
    bench.start().await;
    assert_eq!(start().await, refused("IN_PROGRESS"));
}

#[tokio::test]
async fn cancelling_frees_the_source_but_not_after_completed() {
    let bench = mapped_bench().await;
    let cancel = async |links: &Value| reply(bench.request(Method::DELETE, links["cancel"].as_str().unwrap())).await;
    let links = bench.start().await;
    assert_eq!(cancel(&links).await, (StatusCode::OK, Value::Null));
    assert_eq!(bench.status(&links).await["status"], "CANCELLED");
    let refused = bench.submit(&links, json!({"data": {}})).await;
    assert_eq!(refused.0, 400);
    let links = bench.start().await;
    bench.submit(&links, json!({"completed": true})).await;
    assert_eq!(cancel(&links).await.0, 400);
    bench.sim.configure(|behaviour| behaviour.cancel_after_completed = true);
    assert_eq!(cancel(&links).await.0, 200);
}

#[tokio::test]
async fn data_and_failed_history_are_taken_only_while_ingesting() {
    let bench = mapped_bench().await;
    let links = bench.start().await;
    let history = links["cancel"].as_str().unwrap().to_owned() + "/history/failed";
    let failed = async |reason: &str| {
        reply(bench.request(Method::POST, &history).json(&json!({"failureReason": reason}))).await.0
    };
    assert_eq!(failed(&"x".repeat(1025)).await, 400);
    assert_eq!(failed("Graph did not answer").await, 204);
    bench.submit(&links, json!({"completed": true})).await;
    assert_eq!(failed("too late").await, 400);
    assert_eq!(bench.submit(&links, json!({"data": {"users": []}})).await.0, 400);
    assert_eq!(bench.sim.executions()[0].failure.as_deref(), Some("Graph did not answer"));
}

#[tokio::test]
async fn processing_can_last_by_the_clock() {
    let bench = mapped_bench().await;
    bench.sim.configure(|behaviour| behaviour.processing = Processing::Millis(5000));
    let links = bench.start().await;
    let chunk = json!({"data": {"groups": [{"id": "g1", "name": "Team"}]}, "completed": true});
    bench.submit(&links, chunk).await;
    bench.clock.advance(std::time::Duration::from_millis(4999));
    assert_eq!(bench.status(&links).await["status"], "PROCESSING");
    assert_eq!(bench.sim.counts().objects["Group"], 0);
    bench.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(bench.sim.counts().objects["Group"], 1);
    assert_eq!(bench.status(&links).await["status"], "DONE");
}

#[tokio::test]
async fn a_repeated_chunk_counts_once_or_as_duplicates() {
    for (repeated_chunks, entries, duplicates) in [(RepeatedChunks::Once, 1, 0), (RepeatedChunks::Again, 2, 1)] {
        let bench = mapped_bench().await;
        bench.sim.configure(|behaviour| behaviour.repeated_chunks = repeated_chunks);
        let links = bench.start().await;
        for _ in 0..2 {
            let chunk = json!({"data": {"groups": [{"id": "g1", "name": "Team"}]}, "clientGeneratedId": "same"});
            assert_eq!(bench.submit(&links, chunk).await.0, 200);
        }
        bench.submit(&links, json!({"completed": true})).await;
        bench.wait_done(&links).await;
        let view = bench.sim.executions()[0].types["Group"].clone();
        assert_eq!((view.entries, view.created, view.duplicates), (entries, 1, duplicates));
        assert_eq!(bench.sim.chunks().iter().filter(|chunk| chunk.repeated).count(), 1);
    }
}

#[tokio::test]
async fn a_chunk_in_the_wrong_case_or_shape_is_refused() {
    let bench = mapped_bench().await;
    let links = bench.start().await;
    let wrong = [
        json!({"Data": {"users": []}}),
        json!({"data": {"Users": []}}),
        json!({"data": [], "completed": true}),
        json!({"data": {}, "clientGeneratedId": 7}),
        json!({"clientGeneratedId": "x"}),
        json!([]),
    ];
    for chunk in wrong {
        let (status, body) = bench.submit(&links, chunk.clone()).await;
        assert_eq!(status, 400, "{chunk}");
        assert!(body["errorMessages"][0].is_string());
    }
    let url = links["submitResults"].as_str().unwrap();
    assert_eq!(reply(bench.request(Method::POST, url).body("{\"data\":")).await.0, 400);
    assert_eq!(bench.submit(&links, json!({"data": {"other": [1]}})).await.0, 200);
}

#[tokio::test]
async fn limits_of_a_chunk_are_answered_413() {
    let bench = mapped_bench().await;
    let links = bench.start().await;
    bench.sim.configure(|behaviour| behaviour.max_chunk_entries = Some(2));
    let groups = |n: usize| json!({"data": {"groups": (0..n).map(|i| json!({"id": i.to_string(), "name": "x"})).collect::<Vec<_>>()}});
    assert_eq!(bench.submit(&links, groups(3)).await.0, 413);
    assert_eq!(bench.submit(&links, groups(2)).await.0, 200);
    bench.sim.configure(|behaviour| behaviour.max_chunk_bytes = Some(20));
    assert_eq!(bench.submit(&links, groups(1)).await.0, 413);
}

#[tokio::test]
async fn tokens_reach_only_their_own_source_and_end_when_rotated() {
    let bench = mapped_bench().await;
    let unauthorized = (StatusCode::UNAUTHORIZED, json!({"code": 401, "message": "Unauthorized"}));
    let info = format!("{}/jsm/assets/v1/imports/info", bench.sim.origin());
    let other = bench.sim.add_source("Other");
    let elsewhere = bench.workspace(&bench.source("configstatus"));
    assert_eq!(reply(bench.client.get(&elsewhere).bearer_auth(&other.token)).await.0, 401);
    let links = reply(bench.client.get(&info).bearer_auth(&other.token)).await.1;
    assert!(links["links"]["start"].as_str().unwrap().contains(&other.id.to_string()));
    let old = bench.sim.token();
    assert!(bench.sim.rotate_token(assets::SOURCE_ID).unwrap().starts_with("ATCTT3"));
    assert_eq!(reply(bench.client.get(&info).bearer_auth(&old)).await, unauthorized);
    assert_eq!(reply(bench.client.get(&info)).await, unauthorized);
    assert_eq!(reply(bench.call(Method::GET, &bench.source("configstatus"))).await.0, 200);
    let generate = bench.source("token");
    assert_eq!(reply(bench.call(Method::POST, &generate)).await.0, 401);
    let (status, body) = bench.object_api(Method::POST, &generate, None).await;
    assert_eq!((status, body["token"].as_str()), (StatusCode::OK, Some(bench.sim.token().as_str())));
}

#[tokio::test]
async fn a_forge_app_comes_below_its_cloud_and_gets_links_without_it() {
    let bench = mapped_bench().await;
    let path = format!("jsm/assets/workspace/{}/v1/{}", assets::WORKSPACE_ID, bench.source("executions"));
    let below = |cloud: &str| format!("{}/ex/jira/{cloud}/{path}", bench.sim.origin());
    let post = async |url: &str, token: &str| reply(bench.client.post(url).bearer_auth(token)).await;
    assert_eq!(post(&format!("{}/{path}", bench.sim.origin()), assets::FORGE_TOKEN).await.0, 401);
    assert_eq!(post(&below("another"), assets::FORGE_TOKEN).await.0, 401);
    let (status, body) = post(&below(assets::CLOUD_ID), assets::FORGE_TOKEN).await;
    assert_eq!(status, 200);
    let cancel = body["links"]["cancel"].as_str().unwrap();
    assert!(!cancel.contains("/ex/jira/"));
    let joined = cancel.replace("/jsm/", &format!("/ex/jira/{}/jsm/", assets::CLOUD_ID));
    assert_eq!(reply(bench.client.delete(&joined).bearer_auth(assets::FORGE_TOKEN)).await.0, 200);
    bench.sim.configure(|behaviour| behaviour.forge_links_keep_prefix = true);
    let (_, body) = post(&below(assets::CLOUD_ID), assets::FORGE_TOKEN).await;
    assert!(body["links"]["cancel"].as_str().unwrap().contains("/ex/jira/"));
    bench.sim.set_forge_token("another");
    assert_eq!(post(&below(assets::CLOUD_ID), assets::FORGE_TOKEN).await.0, 401);
}

#[tokio::test]
async fn a_forge_app_s_token_ends_by_the_clock() {
    let bench = mapped_bench().await;
    let mint = format!("{}/_sim/forge-tokens", bench.sim.origin());
    let (status, minted) = reply(bench.client.post(mint).json(&json!({"lifeSeconds": 600}))).await;
    assert_eq!(status, 201);
    let token = minted["token"].as_str().unwrap();
    let path = format!("workspace/{}/v1/{}", assets::WORKSPACE_ID, bench.source("configstatus"));
    let url = format!("{}/ex/jira/{}/jsm/assets/{path}", bench.sim.origin(), assets::CLOUD_ID);
    let get = async || reply(bench.client.get(&url).bearer_auth(token)).await.0;
    assert_eq!(get().await, 200);
    bench.clock.advance(Duration::from_secs(599));
    assert_eq!(get().await, 200);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(get().await, 401);
}

#[tokio::test]
async fn unknown_executions_and_sources_are_404() {
    let bench = mapped_bench().await;
    let nobody = uuid::Uuid::from_u128(7);
    let unknown = bench.source(&format!("executions/{nobody}/status"));
    assert_eq!(reply(bench.call(Method::GET, &unknown)).await.0, 404);
    assert_eq!(reply(bench.call(Method::GET, &format!("importsource/{nobody}/configstatus"))).await.0, 404);
    assert_eq!(reply(bench.call(Method::GET, &bench.source("executions/status"))).await.0, 404);
    bench.start().await;
    assert_eq!(reply(bench.call(Method::GET, &bench.source("executions/status"))).await.1["status"], "INGESTING");
}
