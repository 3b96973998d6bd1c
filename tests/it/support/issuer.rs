//! An issuer of JWTs with a JWKS server of its own, and the invocation tokens of a Forge app.

use super::test_app::TestApp;
use super::world::World;
use entra_assets::config::SecuritySettings;
use entra_assets::sim::assets::{AssetsOptions, CLOUD_ID};
use entra_assets::sim::seed::SeedOptions;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub const AUDIENCE: &str = "entra-assets-of-the-tests";
pub const FORGE_APP: &str = "ari:cloud:ecosystem::app/7d9f1f0e-1b1c-4b53-9c1c-0d2f6b8f7a10";
pub const FORGE_ISSUER: &str = "forge/invocation-token";

/// A private key with the name of its public one.
pub struct SigningKey {
    pub id: String,
    algorithm: Algorithm,
    private: EncodingKey,
    /// The public key in PEM.
    pub public: String,
}

impl SigningKey {
    pub fn elliptic(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self::new(id, Algorithm::ES256, &pair, EncodingKey::from_ec_pem)
    }

    pub fn rsa(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        Self::new(id, Algorithm::RS256, &pair, EncodingKey::from_rsa_pem)
    }

    fn new(
        id: &str,
        algorithm: Algorithm,
        pair: &KeyPair,
        read: impl FnOnce(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
    ) -> Self {
        let private = read(pair.serialize_pem().as_bytes()).unwrap();
        Self { id: id.to_owned(), algorithm, private, public: pair.public_key_pem() }
    }

    pub fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.header(), claims)
    }

    pub fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.private).unwrap()
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        let mut jwk = json!(jwk);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// What an issuer publishes: at `/jwks.json`, and at `/.well-known/openid-configuration`.
pub struct Issuer {
    server: MockServer,
    published: Arc<Mutex<ResponseTemplate>>,
    pub key: SigningKey,
}

impl Issuer {
    pub async fn start(key: SigningKey) -> Self {
        let server = MockServer::start().await;
        let published = Arc::new(Mutex::new(keys(&[&key])));
        let answer = published.clone();
        let respond = move |_: &Request| answer.lock().unwrap().clone();
        Mock::given(path("/jwks.json")).respond_with(respond).mount(&server).await;
        let metadata = json!({"issuer": server.uri(), "jwks_uri": format!("{}/jwks.json", server.uri())});
        let metadata = ResponseTemplate::new(200).set_body_json(metadata);
        Mock::given(path("/.well-known/openid-configuration")).respond_with(metadata).mount(&server).await;
        Self { server, published, key }
    }

    /// `iss` of its tokens: where its metadata are.
    pub fn name(&self) -> String {
        self.server.uri()
    }

    pub fn jwks_url(&self) -> String {
        format!("{}/jwks.json", self.server.uri())
    }

    /// Answers so from now on.
    pub fn publish(&self, answer: ResponseTemplate) {
        *self.published.lock().unwrap() = answer;
    }

    /// How often somebody asked for the keys.
    pub async fn fetches(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|request| request.url.path() == "/jwks.json").count()
    }

    /// Claims that this service accepts, of a token that was made now.
    pub fn claims(&self, app: &TestApp) -> Value {
        let now = app.world.clock.now().timestamp();
        json!({"iss": self.name(), "aud": AUDIENCE, "sub": "somebody", "iat": now, "nbf": now, "exp": now + 300,
            "scope": "read write run"})
    }

    /// A token with some of its claims changed; null takes one away.
    pub fn token(&self, app: &TestApp, changes: &Value) -> String {
        self.key.sign(&changed(self.claims(app), changes))
    }
}

pub fn keys(keys: &[&SigningKey]) -> ResponseTemplate {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))
}

pub fn changed(mut value: Value, changes: &Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        let object = value.as_object_mut().unwrap();
        match change {
            Value::Null => drop(object.remove(name)),
            change => drop(object.insert(name.clone(), change.clone())),
        }
    }
    value
}

/// The service with other security settings.
pub async fn app_with(seed: SeedOptions, assets: AssetsOptions, change: impl FnOnce(&mut SecuritySettings)) -> TestApp {
    let mut world = World::bare(seed, assets).await;
    change(&mut Arc::make_mut(&mut world.app.settings).security);
    TestApp::over(world)
}

/// The service with an issuer. `entry`: more of its entry in ENTRA_ASSETS_JWT_ISSUERS.
pub async fn app_with_issuer(entry: &Value) -> (TestApp, Issuer) {
    let issuer = Issuer::start(SigningKey::elliptic("first")).await;
    let entry = changed(json!({"issuer": issuer.name(), "audience": AUDIENCE}), entry);
    let app = app_with(SeedOptions::default(), AssetsOptions::default(), |security| {
        security.jwt_issuers = Some(json!([entry]).to_string().parse().unwrap());
    });
    (app.await, issuer)
}

/// The service with a Forge app whose keys are where the test says.
pub async fn app_with_forge(seed: SeedOptions, assets: AssetsOptions) -> (TestApp, Issuer) {
    let issuer = Issuer::start(SigningKey::rsa("forge/invocation-token/wf-1")).await;
    let entry = json!([{"issuer": FORGE_ISSUER, "audience": FORGE_APP, "jwksUrl": issuer.jwks_url()}]);
    let configure = |security: &mut SecuritySettings| {
        security.jwt_issuers = Some(entry.to_string().parse().unwrap());
        security.forge_app_id = Some(FORGE_APP.parse().unwrap());
    };
    (app_with(seed, assets, configure).await, issuer)
}

pub fn installation(number: u32) -> String {
    format!("ari:cloud:ecosystem::installation/00000000-0000-4000-8000-{number:012}")
}

/// The claims of an invocation token that Forge made now. Source: docs/assets.md, «Forge».
pub fn invocation(app: &TestApp, installation: &str) -> Value {
    let now = app.world.clock.now().timestamp();
    json!({
        "app": {
            "id": FORGE_APP,
            "version": "16",
            "installationId": installation,
            "apiBaseUrl": format!("https://api.atlassian.com/ex/jira/{CLOUD_ID}"),
            "environment": {"type": "PRODUCTION", "id": "ari:cloud:ecosystem::environment/7/8"},
            "module": {"type": "core:endpoint", "key": "service"},
        },
        "context": {"cloudId": CLOUD_ID, "siteUrl": "https://contoso.atlassian.net"},
        "principal": "5b10ac8d82e05b22cc7d4ef5",
        "iss": FORGE_ISSUER, "aud": FORGE_APP, "iat": now, "nbf": now, "exp": now + 25, "jti": "0badf00d",
    })
}

impl Issuer {
    /// An invocation token of an installation.
    pub fn invocation_token(&self, app: &TestApp, installation: &str) -> String {
        self.key.sign(&invocation(app, installation))
    }
}
