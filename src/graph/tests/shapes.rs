//! Counts, batches and delta.

use super::*;
use crate::directory::MemberType;
use crate::graph::delta::{Collection, changes, end_of_round};
use crate::graph::wire::{Members, Removed};

#[tokio::test]
async fn a_count_is_a_number_or_not_offered() {
    let peer = Peer::start().await;
    let text = ResponseTemplate::new(200).set_body_string("\u{feff}1234");
    peer.script("/v1.0/users/$count", [text]).await;
    assert_eq!(peer.session().count("users", Some("department eq 'R&D'")).await.unwrap(), Some(1234));
    let request = &peer.requests().await[0];
    assert_eq!(request.headers["consistencylevel"], "eventual");
    assert_eq!(request.url.query_pairs().next().unwrap().1, "department eq 'R&D'");
    for status in [400, 404, 501] {
        let peer = Peer::start().await;
        peer.script("/v1.0/users/$count", [fails(status, "x")]).await;
        assert_eq!(peer.session().count("users", None).await.unwrap(), None);
    }
    let peer = Peer::start().await;
    peer.script("/v1.0/users/$count", [fails(403, "x")]).await;
    assert!(peer.session().count("users", None).await.is_err(), "no permission is another thing");
}

fn item(id: &str, status: u16, body: &Value) -> Value {
    json!({"id": id, "status": status, "headers": {"x-ms-resource-unit": "2"}, "body": body})
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code, "message": "m"}})
}

fn member_of(peer: &Peer, count: usize) -> Vec<Url> {
    (0..count).map(|at| peer.url(&format!("users/{}/memberOf?$select=id", Uuid::from_u128(at as u128)))).collect()
}

#[tokio::test]
async fn items_of_a_batch_come_back_in_order_and_fail_each_for_itself() {
    let peer = Peer::start().await;
    let throttled =
        json!({"id": "1", "status": 429, "headers": {"Retry-After": "0.249"}, "body": error("TooManyRequests")});
    let page = json!({"value": [{"id": ID, "@odata.type": "#microsoft.graph.group"}], "@odata.nextLink": peer.uri("/v1.0/x?$skiptoken=1")});
    peer.script(
        "/v1.0/$batch",
        [
            ok(&json!({"responses": [item("2", 404, &error("Request_ResourceNotFound")), throttled, item("0", 200, &page)]})),
            ok(&json!({"responses": [item("1", 200, &json!({"value": []}))]})),
        ],
    )
    .await;
    let session = peer.session();
    let mut answers = session.batch(&member_of(&peer, 3), &RequestOptions::default()).await.unwrap();
    assert_eq!(answers[1].as_ref().unwrap().body, r#"{"value":[]}"#);
    assert!(matches!(answers[2].as_ref().unwrap_err().kind, GraphErrorKind::NotFound));
    let first = session.page_of::<Members>(answers.remove(0).unwrap()).unwrap();
    assert_eq!(first.content.0[0].kind, MemberType::Group);
    assert!(matches!(first.next, Next::More(_)));
    let requests = peer.requests().await;
    let sent: Vec<Value> = requests.iter().map(|request| request.body_json().unwrap()).collect();
    assert_eq!(sent[0]["requests"].as_array().unwrap().len(), 3);
    assert_eq!(sent[0]["requests"][0]["url"], format!("/users/{}/memberOf?$select=id", Uuid::nil()));
    assert_eq!(sent[1]["requests"].as_array().unwrap().len(), 1, "only what was throttled is sent again");
    assert!(peer.seconds() >= 0.249);
    assert_eq!(session.usage().resource_units, 6);
}

#[tokio::test]
async fn a_batch_has_twenty_items_at_most() {
    let peer = Peer::start().await;
    let all = |range: std::ops::Range<u32>| {
        let items: Vec<Value> = range.map(|id| item(&id.to_string(), 200, &json!({}))).collect();
        ok(&json!({"responses": items}))
    };
    peer.script("/v1.0/$batch", [all(0..20), all(0..5)]).await;
    let answers = peer.session().batch(&member_of(&peer, 25), &RequestOptions::default()).await.unwrap();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 25);
    assert_eq!(peer.requests().await.len(), 2);
}

#[tokio::test]
async fn an_item_that_keeps_failing_ends_with_the_budget_and_leaves_the_others() {
    let peer = Peer::start().await;
    let first = json!({"responses": [item("0", 200, &json!({})), item("1", 503, &error("x"))]});
    peer.script("/v1.0/$batch", [ok(&first), ok(&json!({"responses": [item("1", 503, &error("x"))]}))]).await;
    let answers = peer.session().batch(&member_of(&peer, 2), &RequestOptions::default()).await.unwrap();
    assert!(answers[0].is_ok());
    assert!(matches!(answers[1].as_ref().unwrap_err().kind, GraphErrorKind::Server));
    assert!(peer.seconds() <= 601.0);
}

#[tokio::test]
async fn a_token_refused_inside_a_batch_is_renewed_once() {
    let peer = Peer::start().await;
    let refused = json!({"responses": [item("0", 401, &error("InvalidAuthenticationToken"))]});
    peer.script("/v1.0/$batch", [ok(&refused)]).await;
    let answers = peer.session().batch(&member_of(&peer, 1), &RequestOptions::default()).await.unwrap();
    assert!(matches!(answers[0].as_ref().unwrap_err().kind, GraphErrorKind::Unauthorized));
    assert_eq!((peer.requests().await.len(), peer.token_requests().await), (2, 2));
}

#[tokio::test]
async fn a_server_without_batches_says_so() {
    for status in [400, 404, 501] {
        let peer = Peer::start().await;
        peer.script("/v1.0/$batch", [fails(status, "x")]).await;
        let error = peer.session().batch(&member_of(&peer, 1), &RequestOptions::default()).await.unwrap_err();
        assert!(error.refuses_optional());
    }
}

#[tokio::test]
async fn a_delta_link_for_now_is_taken_without_reading() {
    let peer = Peer::start().await;
    let link = peer.uri("/v1.0/groups/delta?$deltatoken=now");
    peer.script("/v1.0/groups/delta", [ok(&json!({"value": [], "@odata.deltaLink": link}))]).await;
    let taken = peer.session().delta_from_now(Collection::Groups, "id,displayName,members").await.unwrap();
    assert_eq!(taken.as_str(), link);
    assert_eq!(peer.requests().await[0].url.query(), Some("$deltatoken=latest&$select=id,displayName,members"));
}

#[tokio::test]
async fn a_round_tells_changes_removals_and_members_in_parts() {
    let peer = Peer::start().await;
    let user = |rest: Value| {
        let mut user = json!({"@odata.type": "#microsoft.graph.user", "id": ID});
        user.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        user
    };
    peer.script(
        "/v1.0/groups/delta",
        [
            ok(&json!({"value": [{"id": ID, "displayName": "x", "description": null, "members@delta": [user(json!({}))]}],
                "@odata.nextLink": peer.uri("/v1.0/groups/delta?$skiptoken=2")})),
            ok(&json!({"value": [
                    {"id": ID, "members@delta": [user(json!({"@removed": {"reason": "deleted"}}))]},
                    {"id": TENANT, "@removed": {"reason": "changed"}}],
                "@odata.deltaLink": peer.uri("/v1.0/groups/delta?$deltatoken=3")})),
        ],
    )
    .await;
    let mut pager = peer.session().delta(&peer.uri("/v1.0/groups/delta?$deltatoken=1")).unwrap();
    let first = pager.next().await.unwrap().unwrap();
    let found = changes(first.content.iter()).unwrap();
    assert_eq!(found[0].nulls, ["description"]);
    assert!(found[0].has_properties && !found[0].members.as_ref().unwrap()[0].is_removed);
    assert!(end_of_round(first.next).unwrap().is_none());
    let last = pager.next().await.unwrap().unwrap();
    let found = changes(last.content.iter()).unwrap();
    assert!(!found[0].has_properties && found[0].members.as_ref().unwrap()[0].is_removed);
    assert_eq!(found[1].removed, Some(Removed::Changed));
    assert!(end_of_round(last.next).unwrap().unwrap().as_str().ends_with("$deltatoken=3"));
    assert!(pager.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_position_that_is_too_old_is_told_apart() {
    let gone = fails(410, "resyncRequired")
        .insert_header("Location", "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=");
    for (answer, has_location) in [(gone, true), (fails(400, "syncStateNotFound"), false), (fails(410, "x"), false)] {
        let peer = Peer::start().await;
        peer.script("/v1.0/users/delta", [answer]).await;
        let mut pager = peer.session().delta(&peer.uri("/v1.0/users/delta?$deltatoken=old")).unwrap();
        let GraphErrorKind::DeltaExpired { location } = pager.next().await.unwrap_err().kind else {
            panic!("another kind")
        };
        assert_eq!(location.is_some(), has_location);
    }
}

#[tokio::test]
async fn a_round_without_a_delta_link_is_an_error() {
    let peer = Peer::start().await;
    peer.script("/v1.0/users/delta", [ok(&json!({"value": []}))]).await;
    assert!(peer.session().delta_from_now(Collection::Users, "id").await.is_err());
}
