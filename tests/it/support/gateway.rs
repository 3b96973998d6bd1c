//! A Graph that offers little: a server in front of the simulator that knows a few paths and options, and
//! refuses or ignores the rest. Its answers have no gzip and none of Graph's own headers.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use entra_assets::config::HttpSettings;
use entra_assets::sim::graph::GraphSim;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use url::Url;

/// What the server does with what it does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// Every other path and option has this status.
    Refused(u16),
    /// Other options have no effect, other paths are 404; a page has five objects whatever is asked for.
    Ignored,
}

const USER: &str = "id,accountEnabled,userPrincipalName,displayName,mail,givenName,surname,jobTitle,department,\
                    companyName,officeLocation,city,state,country,usageLocation,employeeId,employeeType,mobilePhone,\
                    businessPhones,userType,createdDateTime,onPremisesSyncEnabled,assignedLicenses";
const GROUP: &str = "id,displayName,description,mail,groupTypes,mailEnabled,securityEnabled,membershipRule,\
                     visibility,resourceProvisioningOptions,createdDateTime,onPremisesSyncEnabled,assignedLicenses";

struct Gateway {
    graph: String,
    own: String,
    unknown: Unknown,
    client: reqwest::Client,
    refused: Arc<Mutex<Vec<String>>>,
}

/// Where the server answers, and what it refused.
pub struct Running {
    pub origin: String,
    pub refused: Arc<Mutex<Vec<String>>>,
    handle: actix_web::dev::ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// Serves on a thread of its own until dropped.
pub fn start(graph: &GraphSim, unknown: Unknown) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let refused = Arc::new(Mutex::new(Vec::new()));
    let gateway = Gateway {
        graph: graph.graph_origin(),
        own: origin.clone(),
        unknown,
        client: entra_assets::http::client(&HttpSettings::default()).unwrap(),
        refused: refused.clone(),
    };
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let data = Data::new(gateway);
            let app = move || App::new().app_data(data.clone()).default_service(web::to(answer));
            let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
            send.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    Running { origin, refused, handle: receive.recv().unwrap() }
}

/// The options that are added for the simulator, so that objects come whole.
fn whole(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_start_matches("/v1.0/").split('/').collect();
    match parts.as_slice() {
        ["users"] => Some(format!("&$select={USER}")),
        ["groups"] => Some(format!("&$select={GROUP}")),
        ["subscribedSkus"] | ["groups", _, "members" | "owners"] | ["users", _, "manager"] => Some(String::new()),
        _ => None,
    }
}

async fn answer(gateway: Data<Gateway>, request: HttpRequest, _body: Bytes) -> HttpResponse {
    let url = Url::parse(&format!("{}{}", gateway.own, request.uri())).unwrap();
    let is_known = |name: &str| name == "$skiptoken" || (name == "$top" && !url.path().ends_with("subscribedSkus"));
    let whole = whole(url.path()).filter(|_| request.method() == "GET");
    let all_known = url.query_pairs().all(|(name, _)| is_known(&name));
    let status = match (&whole, gateway.unknown) {
        (Some(_), Unknown::Ignored) => None,
        (Some(_), Unknown::Refused(_)) if all_known => None,
        (_, Unknown::Refused(status)) => Some(status),
        (None, Unknown::Ignored) => Some(404),
    };
    if let Some(status) = status {
        gateway.refused.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let body = json!({"error": {"code": "notSupported", "message": "This is not supported here."}});
        return HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(body);
    }
    let mut options: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| is_known(name)).map(|(n, v)| (n.into(), v.into())).collect();
    if gateway.unknown == Unknown::Ignored && options.iter().any(|(name, _)| name == "$top") {
        options.retain(|(name, _)| name != "$top");
        options.push(("$top".to_owned(), "5".to_owned()));
    }
    let query: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let there = format!("{}{}?{}{}", gateway.graph, url.path(), query.join("&"), whole.unwrap_or_default());
    let authorization = request.headers().get("authorization").unwrap().to_str().unwrap();
    let found = gateway.client.get(there).header("authorization", authorization).send().await.unwrap();
    let status = StatusCode::from_u16(found.status().as_u16()).unwrap();
    let mut page: Value = found.json().await.unwrap();
    if let Some(next) = page.get("@odata.nextLink").and_then(Value::as_str) {
        let next = Url::parse(next).unwrap();
        let kept: Vec<String> = next
            .query_pairs()
            .filter(|(name, _)| name != "$select")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        page["@odata.nextLink"] = json!(format!("{}{}?{}", gateway.own, next.path(), kept.join("&")));
    }
    HttpResponse::build(status).json(page)
}
