//! What only the receiver, and who may change a webhook, are to know: its secret and its whole URL.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_never_shown_and_stays_until_it_is_changed() {
    let (app, receiver) = start().await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    let shown = app.get(&webhook).await;
    assert!(!shown.text.contains(SECRET));
    assert_eq!(shown.expect(200)["signed"], true);
    let renamed = app.patch(&webhook, &json!({"name": "Other", "events": null})).await.expect(200);
    assert_eq!((&renamed["signed"], renamed["events"].as_array().unwrap().len()), (&json!(true), 5));
    assert_eq!(app.patch(&webhook, &json!({"secret": null})).await.expect(200)["signed"], false);
    let disabled = app.patch(&webhook, &json!({"enabled": false})).await.expect(200);
    assert_eq!(disabled["enabled"], false);
    app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
    step(&app.world.app).await.unwrap();
    assert_eq!(deliveries(&app, &webhook).await[0]["lastError"], "The webhook is switched off.");
    assert_eq!(app.delete(&webhook).await.status, 204);
    app.get(&webhook).await.problem(404, "not_found");
    assert_eq!(app.world.count("webhook_deliveries").await, 0);
}

/// Both secrets sign while one takes the place of the other, by the rules of Standard Webhooks and by ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_while_both_are_valid() {
    let (app, receiver) = start().await;
    answer(&receiver, ResponseTemplate::new(204)).await;
    let webhook = add(&app, &receiver, json!(["failed"])).await;
    let next = "the-next-secret-of-the-receiver";
    let rotated = app.post(&format!("{webhook}/rotate-secret"), &json!({"secret": next})).await.expect(200);
    assert!(rotated["previousSecretUntil"].is_string(), "{rotated}");
    // A call whose answer was lost is repeated: the first secret still counts, and no longer than it would have.
    app.world.clock.advance(Duration::from_secs(60));
    let repeated = app.post(&format!("{webhook}/rotate-secret"), &json!({"secret": next})).await.expect(200);
    assert_eq!(repeated["previousSecretUntil"], rotated["previousSecretUntil"]);
    let sent = async || {
        app.post(&format!("{webhook}/test"), &Value::Null).await.expect(202);
        assert_eq!(step(&app.world.app).await.unwrap(), 1);
        receiver.received_requests().await.unwrap().pop().unwrap()
    };
    let valid_for = |request: &Request, secret: &str| {
        let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
        let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &request.body].concat();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        header("webhook-signature").split(' ').any(|one| {
            let tag = one.strip_prefix("v1,").unwrap();
            let tag = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tag).unwrap();
            hmac::verify(&key, &signed, &tag).is_ok()
        })
    };
    let both = sent().await;
    assert!(valid_for(&both, SECRET) && valid_for(&both, next));
    app.world.clock.advance(Duration::from_secs(25 * 3600));
    let one = sent().await;
    assert!(!valid_for(&one, SECRET) && valid_for(&one, next));
    let body: Value = serde_json::from_slice(&one.body).unwrap();
    assert_eq!((&body["type"], &body["text"]), (&json!("test"), &json!("This is a test of the webhook.")));
    let at_once = json!({"secret": "a-third-secret-of-the-receiver", "previousValidHours": 0});
    let rotated = app.post(&format!("{webhook}/rotate-secret"), &at_once).await.expect(200);
    assert_eq!(rotated["previousSecretUntil"], Value::Null);
    assert!(!valid_for(&sent().await, next));
}

/// Whoever knows the URL of a chat's webhook may write there.
#[tokio::test]
async fn the_whole_url_is_for_who_may_change_it() {
    const WHOLE: &str = "https://hooks.slack.com/services/T000/B000/bearer-secret";
    const OTHER: &str = "https://hooks.slack.com/services/T000/B000/another-secret";
    let app = TestApp::start().await;
    let path = app.create("/v1/webhooks", &json!({"name": "Chat", "url": WHOLE})).await;
    let reader = app.add_key(ORGANIZATION, &[Scope::Read]).await;
    let writer = app.add_key(ORGANIZATION, &[Scope::Read, Scope::Write]).await;
    let get = async |key: &str, path: &str| app.call_with(key, Method::GET, path).send().await.expect(200);
    for key in [ADMIN_KEY, &writer] {
        assert_eq!(get(key, &path).await["url"], WHOLE);
        assert_eq!(get(key, "/v1/webhooks").await["items"][0]["url"], WHOLE);
    }
    let short = get(&reader, &path).await["url"].clone();
    assert_eq!(short, "https://hooks.slack.com/…");
    assert_eq!(get(&reader, "/v1/webhooks").await["items"][0]["url"], short);
    // What a reader sees cannot replace it by mistake.
    let problem = app.patch(&path, &json!({"url": short})).await.problem(422, "validation_failed");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!("/url"), &json!("url_refused"))
    );
    app.patch(&path, &json!({"url": OTHER})).await.expect(200);
    let events = app.get("/v1/audit-events?resourceKind=webhooks").await;
    assert!(!events.text.contains("-secret"), "{}", events.text);
    assert_eq!(events.expect(200)["items"][0]["detail"]["secrets"], json!(["url"]));
}
