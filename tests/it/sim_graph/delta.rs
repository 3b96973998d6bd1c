//! Delta queries and batches.

use super::*;
use entra_assets::sim::seed::{GroupKind, SeedOptions};
use serde_json::json;

impl Graph {
    /// Every row of a round, and the link for the next.
    async fn round(&self, path: &str) -> (Vec<Value>, String) {
        let mut rows = Vec::new();
        let mut link = path.to_owned();
        loop {
            let page = self.get(&link).await;
            rows.extend(page["value"].as_array().unwrap().iter().cloned());
            match (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str()) {
                (Some(next), None) => link = next.to_owned(),
                (None, Some(delta)) => return (rows, delta.to_owned()),
                other => panic!("a page has one of the links: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_first_round_has_everything_and_the_next_what_changed() {
    let graph = Graph::start().await;
    let (users, link) = graph.round("/v1.0/users/delta?$select=displayName,department,manager").await;
    assert_eq!(users.len(), 2_000);
    assert_eq!(users.iter().filter(|user| user["manager@delta"].is_array()).count() as u64, graph.sim.truth().managers);
    assert_eq!(graph.round(&link).await.0.len(), 0);
    let (changed, other, gone, binned, added) = graph.sim.change(|directory| {
        let ids: Vec<_> = directory.users.iter().skip(1_900).take(4).map(|user| user.id).collect();
        directory.update(ids[0], json!({"department": "Harbour"}).as_object().unwrap().clone()).unwrap();
        directory.update(ids[1], json!({"city": "Elsewhere"}).as_object().unwrap().clone()).unwrap();
        directory.purge(ids[2]).unwrap();
        directory.delete(ids[3]).unwrap();
        (ids[0], ids[1], ids[2], ids[3], directory.add_user(serde_json::Map::new()))
    });
    let (rows, next) = graph.round(&link).await;
    let find = |id: uuid::Uuid| rows.iter().find(|row| row["id"] == id.to_string());
    assert_eq!(find(changed).unwrap()["department"], "Harbour");
    assert!(find(changed).unwrap()["displayName"].is_string());
    assert!(find(other).is_none(), "a property that is not selected");
    assert_eq!(find(gone).unwrap()["@removed"]["reason"], "deleted");
    assert_eq!(find(binned).unwrap()["@removed"]["reason"], "changed");
    assert!(find(added).is_some());
    graph.sim.change(|directory| directory.restore(binned)).unwrap();
    let (rows, _) = graph.round(&next).await;
    assert!(rows.iter().any(|row| row["id"] == binned.to_string() && row.get("@removed").is_none()));
    assert!(graph.round(&link).await.0.len() > rows.len(), "an old link replays");
}

#[tokio::test]
async fn members_come_in_pieces_and_a_group_may_come_again() {
    let graph = Graph::start().await;
    let (rows, link) = graph.round("/v1.0/groups/delta?$select=displayName,members").await;
    assert!(rows.len() > 150 && ids(&rows).len() == 150);
    let members =
        |rows: &[Value]| rows.iter().filter_map(|r| r["members@delta"].as_array()).map(Vec::len).sum::<usize>();
    let truth = graph.sim.truth();
    let expected = truth.user_memberships + truth.group_memberships + truth.device_memberships + 3;
    assert_eq!(members(&rows) as u64, expected);
    let (group, user) = graph.sim.change(|directory| {
        let group = directory.add_group("new", GroupKind::Security);
        let user = directory.users[0].id;
        directory.add_member(group, user).unwrap();
        (group, user)
    });
    let (rows, link) = graph.round(&link).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["members@delta"], json!([{"@odata.type": "#microsoft.graph.user", "id": user}]));
    graph.sim.change(|directory| directory.remove_member(group, user)).unwrap();
    let (rows, _) = graph.round(&link).await;
    assert_eq!(rows[0]["members@delta"][0]["@removed"]["reason"], "deleted");
}

#[tokio::test]
async fn latest_starts_now_and_keeps_the_selection() {
    let graph = Graph::start().await;
    let (rows, link) = graph.round("/v1.0/groups/delta?$deltatoken=latest&$select=displayName,members").await;
    assert_eq!(rows.len(), 0);
    let (group, user) = graph.sim.read(|directory| (directory.groups[0].id, directory.groups[0].members[0]));
    let user = graph.sim.read(|directory| directory.id_of(user));
    graph.sim.change(|directory| directory.remove_member(group, user)).unwrap();
    let (rows, _) = graph.round(&link).await;
    assert_eq!(ids(&rows), [group.to_string()].into());
    assert_eq!(rows[0]["members@delta"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_delta_link_lives_seven_days_and_refuses_what_delta_does_not_know() {
    let mut graph = Graph::start().await;
    let (_, link) = graph.round("/v1.0/users/delta?$deltatoken=latest").await;
    graph.clock.advance(std::time::Duration::from_secs(8 * 86_400));
    graph.sign_in(Scenario::Healthy).await;
    assert_eq!(graph.fail(&link).await, (400, "syncStateNotFound".into()));
    for path in ["users/delta?$top=5", "users/delta?$expand=manager", "users/delta?$filter=city eq 'London'"] {
        assert_eq!(graph.fail(&format!("/v1.0/{path}")).await, (400, "Request_UnsupportedQuery".into()), "{path}");
    }
    let id = graph.sim.read(|directory| directory.users[5].id);
    let (rows, _) = graph.round(&format!("/v1.0/users/delta?$filter=id eq '{id}'")).await;
    assert_eq!(ids(&rows), [id.to_string()].into());
}

#[tokio::test]
async fn a_manager_that_goes_is_told_as_removed() {
    let graph = Graph::start().await;
    let (_, link) = graph.round("/v1.0/users/delta?$deltatoken=latest&$select=id,manager").await;
    let user = graph.sim.change(|directory| {
        let user = directory.users[9].id;
        directory.set_manager(user, None).unwrap();
        user
    });
    let (rows, _) = graph.round(&link).await;
    assert_eq!(rows[0]["id"], user.to_string());
    assert_eq!(rows[0]["manager@delta"][0]["@removed"]["reason"], "deleted");
}

#[tokio::test]
async fn a_batch_answers_each_item_in_any_order() {
    let seed = SeedOptions { users: 50, groups: 30, ..SeedOptions::default() };
    let graph = Graph::start_with(GraphOptions { seed, ..GraphOptions::default() }).await;
    let user = graph.sim.read(|directory| directory.users[0].id);
    let post = async |requests: Value| {
        let body = json!({"requests": requests});
        graph.request(Method::POST, "/v1.0/$batch").json(&body).send().await.unwrap()
    };
    let answer = post(json!([
        {"id": "a", "method": "GET", "url": format!("/users/{user}/memberOf?$select=id")},
        {"id": "b", "method": "GET", "url": "/users/nobody"},
        {"id": "c", "method": "GET", "url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}},
        {"id": "d", "method": "GET", "url": "/groups", "dependsOn": ["b"]},
    ]))
    .await;
    let answer: Value = answer.json().await.unwrap();
    let status = |id: &str| {
        let responses = answer["responses"].as_array().unwrap();
        responses.iter().find(|response| response["id"] == id).unwrap()["status"].as_u64().unwrap()
    };
    assert_eq!([status("a"), status("b"), status("c"), status("d")], [200, 404, 200, 424]);
    let many: Vec<Value> = (0..21).map(|n| json!({"id": n.to_string(), "method": "GET", "url": "/users"})).collect();
    assert_eq!(post(json!(many)).await.status(), 400);
    let twice = json!([{"id": "a", "method": "GET", "url": "/users"}, {"id": "a", "method": "GET", "url": "/users"}]);
    assert_eq!(post(twice).await.status(), 400);
    let found = graph.request(Method::POST, "/v1.0/directoryObjects/getByIds").json(&json!({"ids": [user]}));
    assert_eq!(found.send().await.unwrap().status(), 403, "needs Directory.Read.All");
    assert_eq!(graph.sim.counters().batch_items, 3);
}
