//! Jira's accounts: who is found by what, and who may look.

use super::*;
use entra_assets::sim::assets::Account;

async fn site(bench: &Bench, path: &str) -> Reply {
    let url = format!("{}{path}", bench.sim.origin());
    reply(bench.client.get(&url).basic_auth(assets::API_EMAIL, Some(assets::API_TOKEN))).await
}

async fn found(bench: &Bench, text: &str) -> Vec<String> {
    let (status, body) = site(bench, &format!("/rest/api/3/user/search?query={text}")).await;
    assert_eq!(status, 200, "{body}");
    body.as_array().unwrap().iter().map(|account| account["accountId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_hidden_address_is_found_as_a_whole_only() {
    let bench = bench();
    bench.sim.add_account(Account::new("1", "Ada Lovelace", "ada@contoso.example"));
    bench.sim.add_account(Account::new("2", "Bob", "ada.hidden@contoso.example").hidden());
    bench.sim.add_account(Account::new("3", "Off", "off@contoso.example").inactive());
    for (text, expected) in [
        ("ada", vec!["1"]),
        ("lovelace", vec!["1"]),
        ("ADA@contoso", vec!["1"]),
        ("ada.hidden@contoso.example", vec!["2"]),
        ("ada.hidden@contoso", vec![]),
        ("off@contoso.example", vec!["3"]),
    ] {
        assert_eq!(found(&bench, text).await, expected, "{text}");
    }
    let (_, body) = site(&bench, "/rest/api/3/user/search?query=ada@").await;
    assert_eq!(
        (&body[0]["emailAddress"], &body[0]["accountType"]),
        (&json!("ada@contoso.example"), &json!("atlassian"))
    );
    let (_, body) = site(&bench, "/rest/api/3/user/search?query=ada.hidden@contoso.example").await;
    assert!(body[0].get("emailAddress").is_none(), "{body}");
    bench.sim.configure(|behaviour| behaviour.finds_inactive_accounts = false);
    assert!(found(&bench, "off@contoso.example").await.is_empty());
}

#[tokio::test]
async fn who_may_not_browse_users_finds_nobody() {
    let bench = bench();
    bench.sim.add_account(Account::new("1", "Ada", "ada@contoso.example"));
    let may = async || {
        let (status, body) = site(&bench, "/rest/api/3/mypermissions?permissions=USER_PICKER").await;
        assert_eq!(status, 200, "{body}");
        body["permissions"]["USER_PICKER"]["havePermission"].clone()
    };
    assert_eq!((may().await, found(&bench, "ada").await.len()), (json!(true), 1));
    bench.sim.configure(|behaviour| behaviour.may_browse_users = false);
    assert_eq!((may().await, found(&bench, "ada").await.len()), (json!(false), 0));
    let url = format!("{}/rest/api/3/user/search?query=ada", bench.sim.origin());
    assert_eq!(reply(bench.client.get(&url).bearer_auth(bench.sim.token())).await.0, 401);
}

#[tokio::test]
async fn a_user_attribute_is_added_and_takes_accounts_only() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [{"id": "u1", "name": "Ann"}], "groups": []})).await;
    bench.sim.add_account(Account::new("1", "Ada", "ada@contoso.example"));
    let (_, page) = bench.object_api(Method::POST, "object/aql", Some(json!({"qlQuery": "objectType = User"}))).await;
    let (object, of) = (&page["values"][0]["id"], page["values"][0]["objectType"]["id"].as_str().unwrap());
    let path = format!("objecttypeattribute/{of}");
    let wanted = json!({"name": "Jira User", "type": 2});
    let (status, made) = bench.object_api(Method::POST, &path, Some(wanted.clone())).await;
    assert_eq!((status, &made["type"]), (StatusCode::CREATED, &json!(2)), "{made}");
    assert_eq!(bench.object_api(Method::POST, &path, Some(wanted)).await.0, 400, "the name is in use");
    let document = reply(bench.call(Method::GET, &bench.source("schema-and-mapping"))).await.1;
    assert!(!document.to_string().contains("Jira User"), "imports do not see it");
    for (account, status) in [("1", 200), ("nobody", 400)] {
        let attributes = json!([{"objectTypeAttributeId": made["id"], "objectAttributeValues": [{"value": account}]}]);
        let body = json!({"objectTypeId": of, "attributes": attributes});
        let path = format!("object/{}", object.as_str().unwrap());
        assert_eq!(bench.object_api(Method::PUT, &path, Some(body)).await.0, status, "{account}");
    }
}
