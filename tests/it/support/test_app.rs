//! The service as its callers see it: the real HTTP server over a [`World`], and a client for it.
//!
//! Paths are given whole (`/v1/jobs`). Unless a call says otherwise it carries the admin key.

use super::postgres::connect;
use super::recorder;
use super::world::{ADMIN_KEY, World};
use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use entra_assets::api::auth::{self, Scope};
use entra_assets::api::{self, Offer};
use entra_assets::app::App;
use entra_assets::ids::{self, ApiKeyId, OrganizationId};
use entra_assets::runs::followers;
use entra_assets::sim::assets::{API_TOKEN, AssetsOptions, CONTAINER_TOKEN, FORGE_TOKEN};
use entra_assets::sim::graph::{SECRET, Scenario};
use entra_assets::sim::seed::SeedOptions;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};

/// What the simulators take as secrets.
pub const SECRETS: [&str; 4] = [SECRET, CONTAINER_TOKEN, API_TOKEN, FORGE_TOKEN];

pub struct TestApp {
    /// The database, the simulators, the clock, the worker.
    pub world: World,
    client: reqwest::Client,
    origin: String,
    server: ServerHandle,
}

/// A request that is not sent yet.
pub struct Call {
    method: Method,
    path: String,
    request: RequestBuilder,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null if the text is no JSON.
    pub body: Value,
}

impl TestApp {
    /// Over a small directory and an empty Assets.
    pub async fn start() -> Self {
        Self::with(SeedOptions { users: 60, groups: 12, ..SeedOptions::default() }, AssetsOptions::default()).await
    }

    pub async fn with(seed: SeedOptions, assets: AssetsOptions) -> Self {
        Self::over(World::bare(seed, assets).await)
    }

    /// Over a world that was changed before.
    pub fn over(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = serve(world.app.clone(), listener);
        Self { client: world.app.http.clone(), world, origin, server }
    }

    /// Where the API is served.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A call with the admin key; add to it, then [`Call::send`].
    pub fn call(&self, method: Method, path: &str) -> Call {
        self.call_with(ADMIN_KEY, method, path)
    }

    pub fn call_with(&self, key: &str, method: Method, path: &str) -> Call {
        let call = self.call_without_key(method, path);
        Call { request: call.request.bearer_auth(key), ..call }
    }

    pub fn call_without_key(&self, method: Method, path: &str) -> Call {
        let request = self.client.request(method.clone(), format!("{}{path}", self.origin));
        Call { method, path: path.to_owned(), request }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// The path of a new thing of a collection (`/v1/filters`), which must be taken.
    pub async fn create(&self, collection: &str, body: &Value) -> String {
        let created = self.post(collection, body).await.expect(201);
        format!("{collection}/{}", created["id"].as_str().unwrap())
    }

    /// The id of a new connection to a simulated tenant.
    pub async fn create_connection(&self, scenario: Scenario) -> String {
        id_of(&self.create("/v1/connections", &connection_body(scenario)).await)
    }

    pub async fn create_filter(&self, body: &Value) -> String {
        id_of(&self.create("/v1/filters", body).await)
    }

    /// The id of a new destination to the simulator's first import source.
    pub async fn create_destination(&self) -> String {
        id_of(&self.create("/v1/destinations", &self.destination_body()).await)
    }

    pub fn destination_body(&self) -> Value {
        json!({"name": "Assets", "kind": "assetsImport", "token": self.world.assets.token()})
    }

    /// The id of a job that imports everything, with a connection and a destination of its own. `changes` are
    /// fields beside or instead of the usual ones.
    pub async fn create_job(&self, changes: &Value) -> String {
        let mut body = json!({"name": "Nightly"});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        if body.get("connectionId").is_none() {
            body["connectionId"] = json!(self.create_connection(Scenario::Healthy).await);
        }
        if body.get("destinationId").is_none() {
            body["destinationId"] = json!(self.create_destination().await);
        }
        id_of(&self.create("/v1/jobs", &body).await)
    }

    /// The id of a job of another organization, of which this is a key.
    pub async fn create_job_of(&self, key: &str) -> String {
        let create = async |collection: &str, body: &Value| {
            let created = self.call_with(key, Method::POST, collection).json(body).send().await.expect(201);
            created["id"].as_str().unwrap().to_owned()
        };
        let connection = create("/v1/connections", &connection_body(Scenario::Healthy)).await;
        let destination = create("/v1/destinations", &self.destination_body()).await;
        create("/v1/jobs", &json!({"name": "Nightly", "connectionId": connection, "destinationId": destination})).await
    }

    /// Queues a run: its id.
    pub async fn queue(&self, job: &str, body: &Value) -> String {
        let run = self.post(&format!("/v1/jobs/{job}/runs"), body).await.expect(202);
        run["id"].as_str().unwrap().to_owned()
    }

    /// Queues a run and lets the worker execute it to its end: the run as it is then.
    pub async fn run(&self, job: &str, body: &Value) -> Value {
        let id = self.queue(job, body).await;
        assert!(self.step().await, "there was nothing to do");
        self.get(&format!("/v1/runs/{id}")).await.expect(200)
    }

    /// Lets the worker execute one run, if there is one.
    pub async fn step(&self) -> bool {
        self.world.step().await
    }

    /// Another organization: its id, and a key of it with every scope.
    pub async fn add_organization(&self) -> (OrganizationId, String) {
        let organization = OrganizationId(ids::new_v7(&self.world.clock));
        let statement = format!(
            "INSERT INTO organizations (organization_id, name, created_at, updated_at)
             VALUES ('{}', 'Fabrikam', now(), now())",
            organization.0
        );
        connect(&self.world.database.urls.superuser).await.batch_execute(&statement).await.unwrap();
        (organization, self.add_key(organization, &Scope::ALL).await)
    }

    /// The text of one value, whoever owns the rows.
    pub async fn text_of_all(&self, query: &str) -> String {
        let database = connect(&self.world.database.urls.superuser).await;
        database.query_one(&format!("SELECT ({query})::text"), &[]).await.unwrap().get(0)
    }

    /// The secret of the link of a new handover.
    pub async fn hand_over(&self) -> String {
        let connection = self.create_connection(Scenario::Healthy).await;
        let handover =
            self.call(Method::POST, &format!("/v1/connections/{connection}/handovers")).send().await.expect(201);
        handover["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    /// A key of an organization with certain scopes.
    pub async fn add_key(&self, organization: OrganizationId, scopes: &[Scope]) -> String {
        let id = ApiKeyId::new(&self.world.clock);
        let (key, hash) = auth::new_key(id);
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let statement = format!(
            "INSERT INTO api_keys (organization_id, id, name, scopes, secret_hash, created_at, updated_at)
             VALUES ('{}', '{}', 'Key', $1, $2, now(), now())",
            organization.0, id.0
        );
        let database = connect(&self.world.database.urls.superuser).await;
        database.execute(&statement, &[&scopes, &hash]).await.unwrap();
        key
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // The command is sent at once; what is returned only waits for its end.
        drop(self.server.stop(false));
    }
}

impl Call {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// A header with any bytes.
    pub fn header_value(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    pub fn accept(self, media_type: &str) -> Self {
        self.header(ACCEPT.as_str(), media_type)
    }

    pub fn json(self, body: &Value) -> Self {
        Self { request: self.request.json(body), ..self }
    }

    /// A body as it stands, sent as `media_type`.
    pub fn text(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let request = self.request.header(CONTENT_TYPE, media_type).body(body.into());
        Self { request, ..self }
    }

    /// Status and body of an answer that is no text.
    pub async fn bytes(self) -> (u16, Vec<u8>) {
        let response = self.request.send().await.unwrap();
        let status = response.status().as_u16();
        recorder::check(&self.method, &self.path, status, response.headers(), "");
        (status, response.bytes().await.unwrap().to_vec())
    }

    /// The answer, which is as the document says, and in which there is no secret of the simulators.
    pub async fn send(self) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let answer = self.send_unrecorded().await;
        recorder::check(&method, &path, answer.status, &answer.headers, &answer.text);
        for secret in SECRETS {
            assert!(!answer.text.contains(secret), "{method} {path}: {}", answer.text);
        }
        answer
    }

    /// An answer that goes on, with its head only.
    pub async fn open(self) -> reqwest::Response {
        self.try_open().await.unwrap()
    }

    /// The same, of a response that may break off before its head is sent.
    pub async fn try_open(self) -> reqwest::Result<reqwest::Response> {
        self.request.send().await
    }

    /// For what is not in the document, such as the pages of `/docs`.
    pub async fn send_unrecorded(self) -> Answer {
        let response = self.request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status, headers, text, body }
    }
}

impl Answer {
    /// The body of an answer that must have this status.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The problem document of an answer that must have this status and code.
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("urn:entra-assets:problem:{code}"));
        assert_eq!(self.body["requestId"], self.header("x-request-id"));
        assert!(self.body["detail"].as_str().is_some_and(|detail| detail.ends_with(['.', '`'])), "{}", self.text);
        self.body
    }

    /// Empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The pointers of the faults of a problem document, sorted.
pub fn pointers(problem: &Value) -> Vec<&str> {
    let faults = problem["errors"].as_array().unwrap();
    let mut pointers: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    pointers
}

/// A connection to a simulated tenant as its admin would enter it.
pub fn connection_body(scenario: Scenario) -> Value {
    let entered = scenario.credentials();
    json!({"name": "Contoso", "tenantId": entered.tenant_id, "clientId": entered.client_id, "cloud": "global",
        "credential": {"kind": "clientSecret", "secret": entered.client_secret}})
}

fn id_of(path: &str) -> String {
    path.rsplit_once('/').unwrap().1.to_owned()
}

/// Serves on a thread of its own, which outlives no test: it ends when the server is stopped.
fn serve(app: App, listener: TcpListener) -> ServerHandle {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async {
            actix_web::rt::spawn(followers::keep(app.clone(), app.stopping.clone()));
            let server = api::server(app, listener, Offer::All, Arc::default()).unwrap();
            sender.send(server.handle()).unwrap();
            server.await
        })
    });
    receiver.recv().unwrap()
}
