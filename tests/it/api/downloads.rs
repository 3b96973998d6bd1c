//! Responses that are written a page at a time: exports, reports, insights.

use crate::support::postgres::connect;
use crate::support::test_app::TestApp;
use crate::support::world::ORGANIZATION;
use entra_assets::ids::ApiKeyId;
use reqwest::Method;
use serde_json::{Value, json};

/// A key that may read: its id and its text.
async fn reader(app: &TestApp) -> (ApiKeyId, String) {
    let made = app.post("/v1/api-keys", &json!({"name": "Browser", "scopes": ["read"]})).await.expect(201);
    let id = made["id"].as_str().unwrap().parse().unwrap();
    (ApiKeyId(id), made["key"].as_str().unwrap().to_owned())
}

/// A job that was read and delivered, and its run.
async fn delivered(app: &TestApp) -> (String, String) {
    let job = app.create_job(&json!({})).await;
    let run = app.run(&job, &json!({"mode": "full"})).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    (job, run["id"].as_str().unwrap().to_owned())
}

/// Begins a download whose pages nobody can read yet, revokes its key, and lets the pages be read: whether all came.
async fn is_whole_without_its_key(app: &TestApp, path: &str, table: &str, by_ticket: bool) -> bool {
    let (id, key) = reader(app).await;
    let call = if by_ticket {
        let ticket = app.call_with(&key, Method::POST, "/v1/tickets").json(&json!({"path": path})).send().await;
        app.call_without_key(Method::GET, ticket.expect(201)["url"].as_str().unwrap())
    } else {
        let accept = if path.contains("/objects?type=") { "application/x-ndjson" } else { "*/*" };
        app.call_with(&key, Method::GET, path).accept(accept)
    };
    let mut superuser = connect(&app.world.database.urls.superuser).await;
    let lock = superuser.transaction().await.unwrap();
    lock.batch_execute(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    // Some begin before their first page, others with it.
    let (response, ()) = tokio::join!(call.try_open(), async {
        app.world.until_somebody_waits().await;
        let mut end = app.world.app.followers.follow_key(id);
        app.delete(&format!("/v1/api-keys/{}", id.0)).await.expect(204);
        app.world.while_time_passes(end.news()).await;
        lock.rollback().await.unwrap();
    });
    let mut response = match response {
        Ok(response) => response,
        // It broke off before its head was sent.
        Err(error) => {
            assert!(!error.is_connect() && !error.is_timeout(), "{path}: {error}");
            return false;
        }
    };
    assert_eq!(response.status(), 200, "{path}");
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_ends_soon_after_its_key_is_revoked() {
    let app = TestApp::start().await;
    let (job, run) = delivered(&app).await;
    for (path, table) in [
        (format!("/v1/jobs/{job}/objects?type=users"), "mirror_objects"),
        (format!("/v1/jobs/{job}/objects?type=memberships"), "mirror_members"),
        (format!("/v1/runs/{run}/report?format=json"), "run_changes"),
        (format!("/v1/runs/{run}/report?format=csv"), "run_changes"),
    ] {
        for by_ticket in [false, true] {
            let is_whole = is_whole_without_its_key(&app, &path, table, by_ticket).await;
            assert!(!is_whole, "{path} goes on without its key; by ticket: {by_ticket}");
        }
    }
    app.world.execute("DELETE FROM mirror_members".to_owned()).await;
    let insight = format!("/v1/jobs/{job}/insights/objects?insight=groupsWithoutMembers&format=csv");
    for by_ticket in [false, true] {
        let is_whole = is_whole_without_its_key(&app, &insight, "mirror_members", by_ticket).await;
        assert!(!is_whole, "{insight} goes on without its key; by ticket: {by_ticket}");
    }
}

/// More objects than are read at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_objects_behind_an_insight_are_written_page_by_page() {
    const MANY: usize = 2_500;
    let app = TestApp::start().await;
    let (job, _) = delivered(&app).await;
    app.world
        .execute(format!(
            "DELETE FROM mirror_members; DELETE FROM mirror_objects WHERE object_type = 'groups';
             INSERT INTO mirror_objects (organization_id, job_id, object_type, id, hash, data)
             SELECT '{ORGANIZATION}', '{job}', 'groups', md5(n::text)::uuid, '\\x00', '{{\"displayName\":\"=Group\"}}'
             FROM generate_series(1, {MANY}) n"
        ))
        .await;
    let path = format!("/v1/jobs/{job}/insights/objects?insight=groupsWithoutMembers");
    let file = app.get(&format!("{path}&format=csv")).await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
    let mut reader = csv::Reader::from_reader(file.text.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), MANY);
    assert!(rows.windows(2).all(|pair| pair[0][0] < pair[1][0]), "each once, by id");
    assert_eq!(&rows[0][1], "'=Group");
    let (status, workbook) = app.call(Method::GET, &format!("{path}&format=xlsx")).bytes().await;
    assert_eq!(status, 200);
    let mut workbook = zip::ZipArchive::new(std::io::Cursor::new(workbook)).unwrap();
    let mut sheet = String::new();
    std::io::Read::read_to_string(&mut workbook.by_name("xl/worksheets/sheet1.xml").unwrap(), &mut sheet).unwrap();
    assert_eq!(sheet.matches("<row ").count(), MANY + 1, "a row each, and the names of the columns");
}

/// With memberships on the group, one change can have megabytes.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_changes_are_bounded_in_bytes() {
    const LARGE: usize = 3_000_000;
    let app = TestApp::start().await;
    let (job, run) = delivered(&app).await;
    app.world
        .execute(format!(
            "DELETE FROM run_changes;
             INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, action, send, after)
             SELECT '{ORGANIZATION}', '{run}', n, 'groups', md5(n::text)::uuid, 'create', false,
                '{{\"groups\":\"' || repeat('x', {LARGE}) || '\"}}' FROM generate_series(1, 3) n"
        ))
        .await;
    let path = format!("/v1/runs/{run}/changes?limit=200");
    let first = app.get(&path).await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let rest = app.get(&format!("{path}&cursor={}", first["nextCursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["nextCursor"]), (1, &Value::Null));

    let path = format!("/v1/jobs/{job}/changes?limit=200");
    let first = app.get(&path).await.expect(200);
    assert_eq!((first["items"].as_array().unwrap().len(), &first["more"]), (2, &json!(true)));
    let rest = app.get(&format!("{path}&after={}", first["nextAfter"].as_str().unwrap())).await.expect(200);
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["more"]), (1, &json!(false)));

    let report = app.get(&format!("/v1/runs/{run}/report?format=json")).await.expect(200);
    assert_eq!(report["changes"].as_array().unwrap().len(), 3);
}
