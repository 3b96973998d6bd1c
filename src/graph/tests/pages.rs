//! Collections: links, completeness, resuming.

use super::*;
use crate::graph::wire::{Items, Members};

async fn all(mut pager: Pager<Items>) -> Result<Vec<Page<Items>>> {
    let mut pages = Vec::new();
    while let Some(page) = pager.next().await? {
        pages.push(page);
    }
    Ok(pages)
}

fn texts(items: &Items) -> Vec<String> {
    items.iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_collection_is_read_to_its_end_over_empty_pages_with_its_links_verbatim() {
    let peer = Peer::start().await;
    let odd = [
        "/v1.0/users?$skiptoken=RFNwdAIA%2bAA+%2F==&x=a|b~c!d*e;f:g@h,i[j]k",
        "/v1.0/users?%24skiptoken=%E2%82%AC&%24filter=startswith(displayName%2C%27a%20b%27)&&y=",
    ];
    peer.script(
        "/v1.0/users",
        [
            ok(&json!({"@odata.count": 3, "value": [1, 2], "@odata.nextLink": peer.uri(odd[0])})),
            ok(&json!({"value": [], "@odata.nextLink": peer.uri(odd[1])})),
            ok(&json!({"value": [3]})),
        ],
    )
    .await;
    let first = "users?$top=999&$count=true&$filter=x%20ne%20'y'";
    let pages = all(peer.session().pages(peer.url(first), RequestOptions::advanced())).await.unwrap();
    assert_eq!(ids(&pages, texts), ["1", "2", "3"]);
    assert_eq!(pages.iter().map(|page| page.count).collect::<Vec<_>>(), [Some(3), None, None]);
    assert!(matches!(pages[2].next, Next::Complete(_)));
    let requests = peer.requests().await;
    let sent: Vec<&str> = requests.iter().map(|request| &request.url[url::Position::BeforePath..]).collect();
    // Neither `$top` nor a filter of ours is put back on top of a link.
    assert_eq!(sent[1..], odd);
    for request in &requests {
        assert_eq!(request.headers["consistencylevel"], "eventual", "on every page");
        assert_eq!(request.headers["x-ms-throttle-priority"], "Low");
        assert!(request.headers["authorization"].to_str().unwrap().starts_with("Bearer e30."));
        assert!(request.headers.contains_key("client-request-id"));
        assert!(request.headers["accept-encoding"].to_str().unwrap().contains("gzip"));
    }
    assert_eq!(peer.token_requests().await, 1);
}

#[tokio::test]
async fn a_failed_page_is_an_error_and_never_the_end() {
    for bad in
        [fails(403, "Authorization_RequestDenied"), fails(400, "Request_BadRequest"), fails(404, "x"), fails(500, "x")]
    {
        let peer = Peer::start().await;
        peer.script(
            "/v1.0/users",
            [ok(&json!({"value": [1], "@odata.nextLink": peer.uri("/v1.0/users?$skiptoken=2")})), bad],
        )
        .await;
        let mut pager = peer.session().pages::<Items>(peer.url("users"), RequestOptions::default());
        assert!(matches!(pager.next().await.unwrap().unwrap().next, Next::More(_)));
        assert!(pager.next().await.is_err());
        assert!(pager.next().await.is_err(), "asking again does not make it complete");
        assert!(pager.position().unwrap().as_str().ends_with("$skiptoken=2"));
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_refused_and_the_token_stays_here() {
    let (peer, other) = (Peer::start().await, Peer::start().await);
    other.script("/v1.0/users", [ok(&json!({"value": []}))]).await;
    peer.script("/v1.0/users", [ok(&json!({"value": [1], "@odata.nextLink": other.uri("/v1.0/users?$skiptoken=2")}))])
        .await;
    let error = all(peer.session().pages(peer.url("users"), RequestOptions::default())).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::ForeignLink));
    assert!(other.requests().await.is_empty());
    assert!(peer.session().link(&other.uri("/v1.0/users")).is_err(), "nor one that was stored");
}

#[tokio::test]
async fn an_endless_next_link_ends_with_an_error() {
    let peer = Peer::start().await;
    peer.script("/v1.0/users", [ok(&json!({"value": [1], "@odata.nextLink": peer.uri("/v1.0/users?$skiptoken=1")}))])
        .await;
    let error = all(peer.session().pages(peer.url("users"), RequestOptions::default())).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::LinkLoop), "{error}");
    assert!(peer.requests().await.len() <= 3);
}

#[tokio::test]
async fn a_stored_link_is_resumed() {
    let peer = Peer::start().await;
    peer.script("/v1.0/users", [ok(&json!({"value": [2]}))]).await;
    let stored = peer.uri("/v1.0/users?$skiptoken=2");
    let pager = Pager::<Items>::resume(peer.session(), &peer.url("users?$top=999"), &stored, RequestOptions::default());
    assert_eq!(ids(&all(pager.unwrap()).await.unwrap(), texts), ["2"]);
    assert_eq!(peer.requests().await[0].url.query(), Some("$skiptoken=2"));
}

#[tokio::test]
async fn an_expired_page_token_is_told_apart() {
    for code in ["Directory_ExpiredPageToken", "DirectoryPageTokenNotFoundException"] {
        let peer = Peer::start().await;
        peer.script("/v1.0/users", [fails(400, code)]).await;
        let error = all(peer.session().pages(peer.url("users"), RequestOptions::default())).await.unwrap_err();
        assert!(matches!(error.kind, GraphErrorKind::PageTokenExpired));
        assert_eq!(peer.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn a_link_from_a_repeated_answer_is_not_followed() {
    for status in [429, 503] {
        a_link_after(status).await;
    }
}

async fn a_link_after(status: u16) {
    let peer = Peer::start().await;
    let page = |token: &str| {
        ok(&json!({"value": [1], "@odata.nextLink": peer.uri(&format!("/v1.0/users?$skiptoken={token}"))}))
    };
    peer.script("/v1.0/users", [fails(status, "x"), page("poisoned"), page("fresh"), ok(&json!({"value": [2]}))]).await;
    let pages = all(peer.session().pages(peer.url("users?$top=1"), RequestOptions::default())).await.unwrap();
    assert_eq!(ids(&pages, texts), ["1", "2"]);
    let sent: Vec<String> = peer.requests().await.iter().map(|r| r.url.query().unwrap().to_owned()).collect();
    assert_eq!(sent, ["$top=1", "$top=1", "$top=1", "$skiptoken=fresh"]);
}

#[tokio::test]
async fn a_gateway_timeout_is_reported_soon_so_that_a_smaller_page_can_be_asked_for() {
    let peer = Peer::start().await;
    peer.script("/v1.0/users", [fails(504, "UnknownError")]).await;
    let first = peer.url("users?$top=999&$select=id");
    let error = all(peer.session().pages(first.clone(), RequestOptions::halving())).await.unwrap_err();
    assert!(matches!(error.kind, GraphErrorKind::GatewayTimeout));
    assert_eq!(peer.requests().await.len(), 2);
    assert!(crate::graph::page::halve_top(&first).unwrap().as_str().ends_with("users?$top=499&$select=id"));
}

#[tokio::test]
async fn a_page_of_members_is_read_in_place() {
    let peer = Peer::start().await;
    peer.script(
        "/v1.0/groups/.*/members",
        [ok(&json!({"value": [{"@odata.type": "#microsoft.graph.user", "id": ID}]}))],
    )
    .await;
    let url = peer.url(&format!("groups/{ID}/members?$select=id&$top=999"));
    let page = peer.session().page::<Members>(&url, &RequestOptions::default()).await.unwrap();
    assert_eq!(page.content.0[0].id.to_string(), ID);
    assert_eq!(page.request_id.as_deref(), Some("r-ok"));
}
