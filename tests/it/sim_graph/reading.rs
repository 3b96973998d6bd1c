//! Pages, properties, filters, permissions.

use super::*;
use entra_assets::sim::graph::{Quota, RetryAfterForm};
use entra_assets::sim::seed::{ObjectKind, SeedOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn every_user_comes_once_with_manager_and_selected_properties() {
    let graph = Graph::start().await;
    let users =
        graph.all("/v1.0/users?$top=999&$select=id,displayName,assignedLicenses&$expand=manager($select=id)").await;
    assert_eq!(users.len(), 2_000);
    assert_eq!(ids(&users).len(), 2_000);
    let truth = graph.sim.truth();
    assert_eq!(users.iter().filter(|user| user["manager"]["id"].is_string()).count() as u64, truth.managers);
    let licenses: usize = users.iter().map(|user| user["assignedLicenses"].as_array().unwrap().len()).sum();
    assert_eq!(licenses as u64, truth.user_licenses);
    assert!(users.iter().all(|user| user.get("mail").is_none()));
}

#[tokio::test]
async fn pages_have_a_default_size_a_limit_and_their_own_link() {
    let graph = Graph::start().await;
    let page = graph.get("/v1.0/users").await;
    assert_eq!(page["value"].as_array().unwrap().len(), 100);
    let first = &page["value"][0];
    assert!(first["userPrincipalName"].is_string() && first.get("department").is_none());
    let link = page["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with(&graph.sim.graph_origin()) && link.contains("$skiptoken="));
    let token = link.split("$skiptoken=").nth(1).unwrap();
    assert_eq!(graph.fail(&format!("/v1.0/groups?$skiptoken={token}")).await, (400, "Request_BadRequest".into()));
    assert_eq!(graph.fail("/v1.0/users?$top=1000").await, (400, "Request_BadRequest".into()));
    let signed = graph.get("/v1.0/users?$top=999&$select=id,signInActivity").await;
    assert_eq!(signed["value"].as_array().unwrap().len(), 500);
}

#[tokio::test]
async fn memberships_owners_and_nested_groups_equal_the_truth() {
    let graph = Graph::start().await;
    let groups = graph.all("/v1.0/groups?$top=999&$select=id&$expand=owners($select=id)").await;
    assert_eq!(groups.len(), 150);
    let capped = groups.iter().map(|group| group["owners"].as_array().unwrap().len()).max().unwrap();
    assert_eq!(capped, 20, "$expand is cut without a word");
    let (mut users, mut nested, mut owners) = (0, 0, 0);
    for group in &groups {
        let id = group["id"].as_str().unwrap();
        for member in graph.all(&format!("/v1.0/groups/{id}/members?$select=id&$top=999")).await {
            match member["@odata.type"].as_str().unwrap() {
                "#microsoft.graph.user" => users += 1,
                "#microsoft.graph.group" => nested += 1,
                "#microsoft.graph.servicePrincipal" => panic!("v1.0 does not list service principals"),
                _ => {}
            }
        }
        owners += graph.all(&format!("/v1.0/groups/{id}/owners?$select=id")).await.len() as u64;
    }
    let truth = graph.sim.truth();
    assert_eq!((users, nested, owners), (truth.user_memberships, truth.group_memberships, truth.owners));
}

#[tokio::test]
async fn transitive_members_end_in_a_cycle_and_casts_choose_a_type() {
    let graph = Graph::start().await;
    let (id, below) = graph.sim.read(|directory| {
        let (_, group) =
            directory.live_groups().find(|(_, g)| g.members.iter().any(|m| m.kind() == ObjectKind::Group)).unwrap();
        (group.id, group.members.iter().filter(|m| m.kind() == ObjectKind::User).count())
    });
    let all = graph.all(&format!("/v1.0/groups/{id}/transitiveMembers?$select=id")).await;
    assert!(all.len() > below);
    assert_eq!(ids(&all).len(), all.len());
    let users = graph.all(&format!("/v1.0/groups/{id}/members/microsoft.graph.user?$select=id")).await;
    assert_eq!(users.len(), below);
    let count = graph.advanced(&format!("/v1.0/groups/{id}/members/microsoft.graph.user/$count")).await;
    assert_eq!(count.text().await.unwrap(), below.to_string());
}

#[tokio::test]
async fn advanced_queries_need_both_halves() {
    let graph = Graph::start().await;
    let path = "/v1.0/users?$filter=endsWith(mail,'contoso.example')&$select=id&$top=999";
    assert_eq!(graph.fail(path).await, (400, "Request_UnsupportedQuery".into()));
    let page: Value = graph.advanced(&format!("{path}&$count=true")).await.json().await.unwrap();
    let count = page["@odata.count"].as_u64().unwrap();
    assert!(count > 1_000);
    let next = graph.advanced(page["@odata.nextLink"].as_str().unwrap()).await;
    let next: Value = next.json().await.unwrap();
    assert!(next.get("@odata.count").is_none());
    assert_eq!(graph.fail("/v1.0/users/$count").await, (400, "Request_BadRequest".into()));
    let number = graph.advanced("/v1.0/users/$count").await;
    assert_eq!(number.headers()["content-type"], "text/plain");
    assert_eq!(number.text().await.unwrap(), "2000");
    let ignored = graph.get("/v1.0/users?$count=true&$top=1").await;
    assert!(ignored.get("@odata.count").is_none(), "without the header it is ignored");
    let expanded = graph.advanced("/v1.0/users?$count=true&$expand=manager").await;
    assert_eq!(code(expanded).await, (400, "Request_UnsupportedQuery".into()));
}

#[tokio::test]
async fn partitions_by_creation_and_the_null_partition_cover_everybody() {
    let graph = Graph::start().await;
    let middle = "2022-06-01T00:00:00Z";
    let before = graph.all(&format!("/v1.0/users?$top=999&$select=id&$filter=createdDateTime le {middle}")).await;
    let after = graph.all(&format!("/v1.0/users?$top=999&$select=id&$filter=createdDateTime ge {middle}")).await;
    let path = "/v1.0/users?$top=999&$select=id&$count=true&$filter=createdDateTime eq null";
    let none: Value = graph.advanced(path).await.json().await.unwrap();
    assert!(none["@odata.count"].as_u64().unwrap() > 0);
    let together: std::collections::BTreeSet<_> =
        ids(&before).into_iter().chain(ids(&after)).chain(ids(none["value"].as_array().unwrap())).collect();
    assert_eq!(together.len(), 2_000);
}

#[tokio::test]
async fn a_token_without_the_role_gets_403_and_unreadable_members_are_null() {
    let mut graph = Graph::start().await;
    graph.sign_in(Scenario::NoLicences).await;
    assert_eq!(graph.fail("/v1.0/subscribedSkus").await, (403, "Authorization_RequestDenied".into()));
    let (group, device) = graph.sim.read(|directory| {
        let device = &directory.devices[0];
        (directory.groups[device.member_of[0] as usize].id, device.id)
    });
    let members = graph.all(&format!("/v1.0/groups/{group}/members?$top=999")).await;
    let found = members.iter().find(|member| member["id"] == device.to_string()).unwrap();
    assert_eq!(found["displayName"], Value::Null);
    assert!(found.as_object().unwrap().contains_key("displayName"));
    graph.sign_in(Scenario::Delegated).await;
    assert_eq!(graph.fail("/v1.0/users").await, (403, "Authorization_RequestDenied".into()));
    graph.sign_in(Scenario::DirectoryRole).await;
    graph.get("/v1.0/users?$top=1").await;
    graph.sign_in(Scenario::Basic).await;
    let user = &graph.get("/v1.0/users?$top=1&$select=id,displayName,department").await["value"][0];
    assert!(user["displayName"].is_string() && user["department"].is_null());
}

#[tokio::test]
async fn hidden_memberships_are_empty_without_their_permission() {
    let mut graph = Graph::start().await;
    let (group, count) = graph.sim.read(|directory| {
        let (_, group) = directory.live_groups().find(|(_, group)| group.hidden_membership).unwrap();
        (group.id, group.members.len())
    });
    let path = format!("/v1.0/groups/{group}/members?$select=id&$top=999");
    assert_eq!(graph.all(&path).await.len(), count);
    graph.sign_in(Scenario::NoHidden).await;
    assert_eq!(graph.all(&path).await.len(), 0);
    assert_eq!(graph.get(&format!("/v1.0/groups/{group}")).await["visibility"], "HiddenMembership");
}

#[tokio::test]
async fn sign_in_activity_fails_the_whole_page_without_permission_or_licence() {
    let mut graph = Graph::start().await;
    let path = "/v1.0/users?$select=id,signInActivity";
    graph.get(path).await;
    graph.sign_in(Scenario::NoHidden).await;
    assert_eq!(graph.fail(path).await, (403, "Authentication_MSGraphPermissionMissing".into()));
    graph.sign_in(Scenario::NotPremium).await;
    assert_eq!(graph.fail(path).await, (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant".into()));
    assert_eq!(graph.fail("/v1.0/users?$select=aboutMe").await, (501, "NotImplemented".into()));
    assert_eq!(graph.fail("/v1.0/users?$select=nonsense").await, (400, "BadRequest".into()));
}

#[tokio::test]
async fn units_are_counted_and_spent_units_are_refused_with_a_wait() {
    let options = GraphOptions { quota: Some(Quota::Units(10)), ..GraphOptions::default() };
    let graph = Graph::start_with(options).await;
    let get = || async { graph.request(Method::GET, "/v1.0/users").send().await.unwrap() };
    for _ in 0..5 {
        let response = get().await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-ms-resource-unit"]),
            (200, &"2".parse().unwrap())
        );
    }
    let throttled = get().await;
    assert_eq!(throttled.status(), 429);
    let wait: u64 = throttled.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(throttled.headers().contains_key("x-ms-throttle-scope"));
    assert_eq!(code(throttled).await.1, "TooManyRequests");
    graph.clock.advance(std::time::Duration::from_secs(wait));
    assert_eq!(get().await.status(), 200);
    graph.sim.set_quota(Some(Quota::Units(1)), RetryAfterForm::Absent);
    assert!(!get().await.headers().contains_key("retry-after"));
    graph.sim.set_quota(None, RetryAfterForm::Seconds);
    assert_eq!(get().await.status(), 200);
    let counters = graph.sim.counters();
    assert_eq!((counters.requests, counters.throttled, counters.token_requests), (9, 2, 1));
}

#[tokio::test]
async fn answers_carry_the_headers_of_graph_and_are_compressed() {
    let graph = Graph::start().await;
    let path = "/v1.0/users?$top=999";
    let response = graph.request(Method::GET, path).header("client-request-id", "mine").send().await.unwrap();
    for name in ["request-id", "x-ms-ags-diagnostic", "date", "x-ms-resource-unit"] {
        assert!(response.headers().contains_key(name), "{name}");
    }
    assert_eq!(response.headers()["client-request-id"], "mine");
    // The client unpacks and drops the header, so this looks at the bytes.
    let address = graph.sim.graph_origin().replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
        graph.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("content-encoding: gzip"));
}

#[tokio::test]
async fn skus_the_organization_and_devices_are_there() {
    let graph = Graph::start().await;
    let skus = graph.get("/v1.0/subscribedSkus").await;
    let skus = skus["value"].as_array().unwrap();
    assert_eq!(skus.len(), 5);
    assert!(skus.iter().any(|sku| sku["skuPartNumber"] == "SPE_E3" && sku["consumedUnits"].as_u64().unwrap() > 0));
    let organization = graph.get("/v1.0/organization").await;
    assert_eq!(organization["value"][0]["id"], Scenario::Healthy.tenant_id().to_string());
    assert_eq!(graph.all("/v1.0/devices?$top=999").await.len() as u64, graph.sim.truth().devices);
    let user = graph.sim.read(|directory| directory.users[9].id);
    let manager = graph.get(&format!("/v1.0/users/{user}/manager?$select=id")).await;
    assert_eq!(manager["id"], graph.sim.read(|directory| directory.users[1].id.to_string()));
    assert_eq!(graph.fail("/v1.0/users/nobody@contoso.example").await, (404, "Request_ResourceNotFound".into()));
}

#[tokio::test]
async fn a_large_directory_is_served_in_little_memory() {
    let seed = SeedOptions { users: 20_000, groups: 2_000, ..SeedOptions::default() };
    let graph = Graph::start_with(GraphOptions { seed, ..GraphOptions::default() }).await;
    let everybody = graph.sim.read(|directory| directory.groups[0].id);
    let members = graph.all(&format!("/v1.0/groups/{everybody}/members?$select=id&$top=999")).await;
    assert!(members.len() > 999);
}
