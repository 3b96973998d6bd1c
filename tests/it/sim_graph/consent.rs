//! Looking at an app's own permissions, and mending them.

use super::*;
use serde_json::json;

const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
const USER_READ_ALL_ROLE: &str = "df021288-bdef-4463-88db-98f22de89214";
const USER_READ_ALL_SCOPE: &str = "a154be20-db9c-4678-8ab7-66f6cc099a59";

#[tokio::test]
async fn an_app_that_may_looks_at_its_own_registration() {
    let mut graph = Graph::start().await;
    graph.sign_in(Scenario::DelegatedDiagnosable).await;
    let client = Scenario::DelegatedDiagnosable.client_id();
    let app = graph.get(&format!("/v1.0/applications(appId='{client}')?$select=requiredResourceAccess")).await;
    let access = app["requiredResourceAccess"][0]["resourceAccess"].as_array().unwrap().clone();
    assert!(access.contains(&json!({"id": USER_READ_ALL_SCOPE, "type": "Scope"})));
    let principal = graph.get(&format!("/v1.0/servicePrincipals(appId='{client}')?$select=id,accountEnabled")).await;
    assert_eq!(principal["accountEnabled"], true);
    let id = principal["id"].as_str().unwrap();
    let assigned = graph.get(&format!("/v1.0/servicePrincipals/{id}/appRoleAssignments")).await;
    assert_eq!(assigned["value"].as_array().unwrap().len(), 1);
    let grants = format!("/v1.0/oauth2PermissionGrants?$filter=clientId eq '{id}'");
    assert_eq!(graph.fail(&grants).await, (403, "Authorization_RequestDenied".into()), "needs Directory.Read.All");
    graph.token = Scenario::DelegatedDiagnosable.admin_token();
    assert!(graph.get(&grants).await["value"][0]["scope"].as_str().unwrap().contains("User.Read.All"));
}

#[tokio::test]
async fn the_writes_of_a_remedy_give_the_token_its_roles() {
    let mut graph = Graph::start().await;
    let scenario = Scenario::Delegated;
    graph.token = scenario.admin_token();
    let client = scenario.client_id();
    let resource = graph.get(&format!("/v1.0/servicePrincipals(appId='{GRAPH}')?$select=id,appRoles")).await;
    let principal = graph.get(&format!("/v1.0/servicePrincipals?$filter=appId eq '{client}'&$select=id")).await;
    let principal = principal["value"][0]["id"].clone();
    let body = json!({"requiredResourceAccess": [
        {"resourceAppId": GRAPH, "resourceAccess": [{"id": USER_READ_ALL_ROLE, "type": "Role"}]},
    ]});
    let patch = graph.request(Method::PATCH, &format!("/v1.0/applications(appId='{client}')")).json(&body);
    assert_eq!(patch.send().await.unwrap().status(), 204);
    let body = json!({"principalId": principal, "resourceId": resource["id"], "appRoleId": USER_READ_ALL_ROLE});
    let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", principal.as_str().unwrap());
    let assign = || graph.request(Method::POST, &path).json(&body).send();
    assert_eq!(assign().await.unwrap().status(), 201);
    assert_eq!(assign().await.unwrap().status(), 400, "it is there already");
    graph.sign_in(scenario).await;
    graph.get("/v1.0/users?$top=1").await;
    assert_eq!(graph.fail("/v1.0/subscribedSkus").await.0, 403);
    let write = graph.request(Method::POST, &path).json(&body).send().await.unwrap();
    assert_eq!(write.status(), 403, "the app itself may not");
}

#[tokio::test]
async fn admin_consent_grants_what_was_added_and_a_missing_principal_can_be_made() {
    let mut graph = Graph::start().await;
    let scenario = Scenario::Pending;
    graph.sign_in(scenario).await;
    assert_eq!(graph.fail("/v1.0/users").await.0, 403);
    let old = graph.token.clone();
    let url = format!(
        "{}/{}/adminconsent?client_id={}&redirect_uri=https://app.example/done",
        graph.sim.login_origin(),
        scenario.tenant_id(),
        scenario.client_id()
    );
    let consent = graph.client.get(url).send().await.unwrap();
    assert!(consent.headers()["location"].to_str().unwrap().contains("admin_consent=True"));
    assert_eq!(graph.fail("/v1.0/users").await.0, 403, "the old token is as it was");
    graph.sign_in(scenario).await;
    assert_ne!(graph.token, old);
    graph.get("/v1.0/users?$top=1").await;

    let scenario = Scenario::MissingPrincipal;
    assert_eq!(graph.ask_token(&scenario.credentials()).await.0, 401);
    graph.token = scenario.admin_token();
    let make = graph.request(Method::POST, "/v1.0/servicePrincipals").json(&json!({"appId": scenario.client_id()}));
    assert_eq!(make.send().await.unwrap().status(), 201);
    assert_eq!(graph.ask_token(&scenario.credentials()).await.0, 200);
}

#[tokio::test]
async fn consent_takes_a_while_to_show() {
    let mut graph = Graph::start().await;
    graph.sign_in(Scenario::Propagating).await;
    assert_eq!(graph.fail("/v1.0/users").await.0, 403);
    graph.clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(graph.fail("/v1.0/users").await.0, 403, "roles are fixed when a token is issued");
    graph.sign_in(Scenario::Propagating).await;
    graph.get("/v1.0/users?$top=1").await;
}
