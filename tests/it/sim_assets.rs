//! The simulated Assets does what docs/assets.md says, call by call, and refuses what it says.

use chrono::{DateTime, Utc};
use entra_assets::clock::Clock;
use entra_assets::config::HttpSettings;
use entra_assets::sim::assets::{self, AssetsOptions, AssetsSim, Behaviour};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

mod accounts;
mod executions;
mod faults;
mod mappings;
mod objects;
mod store;

/// A running simulator and a client that holds its container token.
struct Bench {
    sim: AssetsSim,
    client: reqwest::Client,
    clock: Clock,
}

/// Status and body; the body is null when there is none.
type Reply = (StatusCode, Value);

fn bench() -> Bench {
    bench_with(Behaviour::default())
}

fn bench_with(behaviour: Behaviour) -> Bench {
    let clock = Clock::manual(DateTime::<Utc>::from_timestamp(1_750_000_000, 0).unwrap());
    let sim = assets::start(AssetsOptions { clock: clock.clone(), behaviour, ..AssetsOptions::default() }).unwrap();
    let client = entra_assets::http::client(&HttpSettings::default()).unwrap();
    Bench { sim, client, clock }
}

async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

impl Bench {
    fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).bearer_auth(self.sim.token())
    }

    /// A request below the workspace, with the container token.
    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(method, &self.workspace(path))
    }

    fn workspace(&self, path: &str) -> String {
        format!("{}/jsm/assets/workspace/{}/v1/{path}", self.sim.origin(), assets::WORKSPACE_ID)
    }

    fn source(&self, path: &str) -> String {
        format!("importsource/{}/{path}", assets::SOURCE_ID)
    }

    /// An object API request with e-mail and API token.
    async fn object_api(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let request = self.client.request(method, self.workspace(path));
        let request = request.basic_auth(assets::API_EMAIL, Some(assets::API_TOKEN));
        reply(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    async fn links(&self) -> Value {
        let url = format!("{}/jsm/assets/v1/imports/info", self.sim.origin());
        let (status, body) = reply(self.request(Method::GET, &url)).await;
        assert_eq!(status, 200);
        body["links"].clone()
    }

    async fn put_mapping(&self, document: &Value) -> Reply {
        let mapping = self.links().await["mapping"].as_str().unwrap().to_owned();
        reply(self.request(Method::PUT, &mapping).json(document)).await
    }

    async fn patch_mapping(&self, document: &Value) -> Reply {
        reply(self.call(Method::PATCH, &self.source("mapping")).json(document)).await
    }

    /// The links of a new execution.
    async fn start(&self) -> Value {
        let (status, body) = reply(self.call(Method::POST, &self.source("executions"))).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["result"], "success");
        assert!(body.get("id").is_none());
        body["links"].clone()
    }

    async fn submit(&self, links: &Value, chunk: Value) -> Reply {
        reply(self.request(Method::POST, links["submitResults"].as_str().unwrap()).json(&chunk)).await
    }

    async fn status(&self, links: &Value) -> Value {
        let (status, body) = reply(self.request(Method::GET, links["getExecutionStatus"].as_str().unwrap())).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn wait_done(&self, links: &Value) -> Value {
        for _ in 0..10 {
            let body = self.status(links).await;
            if body["status"] == "DONE" {
                return body["progressResult"]["objectTypeResultMap"].clone();
            }
        }
        panic!("never DONE");
    }

    /// A whole execution with this data; gives the counters by the name of the type.
    async fn import(&self, data: Value) -> Value {
        let links = self.start().await;
        let (status, body) = self.submit(&links, json!({"data": data, "clientGeneratedId": "1"})).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(self.submit(&links, json!({"completed": true})).await.0, 200);
        let results = self.wait_done(&links).await;
        results
            .as_object()
            .unwrap()
            .values()
            .map(|r| (r["objectTypeName"].as_str().unwrap().to_owned(), r.clone()))
            .collect()
    }

    /// The values of the object of a type that has this identity.
    fn values(&self, type_name: &str, id: &str) -> std::collections::BTreeMap<String, Vec<String>> {
        let objects = self.sim.objects(type_name);
        objects.into_iter().find(|o| o.values["Object ID"] == [id]).unwrap().values
    }
}

fn attribute(owner: &str, name: &str, kind: &str) -> Value {
    let external_id = format!("attr/{owner}/{}", name.to_lowercase().replace(' ', "-"));
    json!({"externalId": external_id, "name": name, "description": name, "type": kind})
}

fn with(mut value: Value, fields: Value) -> Value {
    value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    value
}

fn mapped(owner: &str, name: &str, locator: &str) -> Value {
    let external_id = format!("attr/{owner}/{}", name.to_lowercase().replace(' ', "-"));
    json!({"attributeExternalId": external_id, "attributeName": name, "attributeLocators": [locator]})
}

const BY_ID: &str = r#""Object ID" IN (${groups${0}})"#;

/// People and groups: identity, label, plain values, a status, one reference and a list of them.
fn document() -> Value {
    let to = |target: &str| json!({"referenceObjectTypeExternalId": target});
    let user_attributes = json!([
        with(attribute("u", "Object ID", "text"), json!({"minimumCardinality": 1, "unique": true})),
        with(attribute("u", "Display Name", "text"), json!({"label": true})),
        attribute("u", "Department", "text"),
        attribute("u", "Notes", "textarea"),
        attribute("u", "Enabled", "boolean"),
        attribute("u", "Floor", "integer"),
        attribute("u", "Created At", "date_time"),
        with(attribute("u", "Phones", "text"), json!({"maximumCardinality": -1})),
        with(attribute("u", "Lifecycle", "status"), json!({"typeValues": ["Active", "Disabled"]})),
        with(attribute("u", "Manager", "referenced_object"), to("type/user")),
        with(with(attribute("u", "Groups", "referenced_object"), to("type/group")), json!({"maximumCardinality": -1})),
    ]);
    let group_attributes = json!([
        attribute("g", "Object ID", "text"),
        with(attribute("g", "Display Name", "text"), json!({"label": true})),
    ]);
    let id = |owner: &str| with(mapped(owner, "Object ID", "id"), json!({"externalIdPart": true}));
    let user_mapping = json!([
        id("u"),
        mapped("u", "Display Name", "name"),
        mapped("u", "Department", "department"),
        mapped("u", "Notes", "notes"),
        mapped("u", "Enabled", "enabled"),
        mapped("u", "Floor", "floor"),
        mapped("u", "Created At", "createdAt"),
        mapped("u", "Phones", "phones"),
        mapped("u", "Lifecycle", "lifecycle"),
        with(mapped("u", "Manager", "manager"), json!({"objectMappingIQL": r#""Object ID" = ${manager}"#})),
        with(mapped("u", "Groups", "groups"), json!({"objectMappingIQL": BY_ID})),
    ]);
    let statuses = json!([
        {"name": "Active", "description": "in use", "category": "active"},
        {"name": "Disabled", "description": "not in use", "category": "inactive"},
    ]);
    json!({
        "schema": {
            "objectSchema": {"name": "Entra ID", "description": "A directory", "objectTypes": [
                {"externalId": "type/user", "name": "User", "description": "A person", "attributes": user_attributes},
                {"externalId": "type/group", "name": "Group", "description": "A group", "attributes": group_attributes},
            ]},
            "statusSchema": {"statuses": statuses},
        },
        "mapping": {"objectTypeMappings": [
            {"objectTypeExternalId": "type/user", "objectTypeName": "User", "selector": "users", "description": "",
             "attributesMapping": user_mapping},
            {"objectTypeExternalId": "type/group", "objectTypeName": "Group", "selector": "groups", "description": "",
             "attributesMapping": [id("g"), mapped("g", "Display Name", "name")]},
        ]},
    })
}

/// A simulator that has the mapping of [`document`].
async fn mapped_bench() -> Bench {
    let bench = bench();
    assert_eq!(bench.put_mapping(&document()).await.0, 204);
    bench
}
