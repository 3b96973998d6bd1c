//! The HTTP side: two listeners, headers, latency, quota, faults, the log.

use super::answer::{Answer, GRAPH_JSON, Problem};
use super::fault::{self, Hit, Sending};
use super::log::RequestRecord;
use super::query::Query;
use super::quota::{self, http_date};
use super::request::Request;
use super::token::Token;
use super::{Feature, GraphOptions, Sim, batch, control, entra, route};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Compress, Condition};
use actix_web::web::{Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::StreamExt;
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bodies larger than this are refused: a batch has 20 small items.
const BODY_MOST: usize = 4 << 20;

pub struct Running {
    pub login_origin: String,
    pub graph_origin: String,
    handles: Mutex<Vec<actix_web::dev::ServerHandle>>,
}

impl Running {
    pub async fn stop(&self) {
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles {
            handle.stop(true).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for handle in self.handles.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The command is sent when `stop` is called; nothing needs to wait for its end.
            drop(handle.stop(false));
        }
    }
}

/// Which of the two origins a server is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Login,
    Graph,
}

pub fn run(options: &GraphOptions, sim: &Arc<Sim>) -> std::io::Result<Running> {
    let login = TcpListener::bind((options.address, options.login_port))?;
    let graph = TcpListener::bind((options.address, options.graph_port))?;
    let origin = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
    let (login_origin, graph_origin) = (origin(&login)?, origin(&graph)?);
    let mut handles = Vec::new();
    for (side, listener) in [(Side::Login, login), (Side::Graph, graph)] {
        handles.push(serve(side, listener, options, sim.clone())?);
    }
    Ok(Running { login_origin, graph_origin, handles: Mutex::new(handles) })
}

fn serve(
    side: Side,
    listener: TcpListener,
    options: &GraphOptions,
    sim: Arc<Sim>,
) -> std::io::Result<actix_web::dev::ServerHandle> {
    let (gzip, workers) = (options.gzip, options.workers.max(1));
    let (send, receive) = std::sync::mpsc::channel();
    // A thread and runtime of its own: the simulator outlives the runtime of the test that started it.
    std::thread::Builder::new().name("graph-simulator".into()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let data = Data::from(sim);
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(data.clone())
                    .app_data(PayloadConfig::new(BODY_MOST))
                    .wrap(Condition::new(gzip, Compress::default()))
                    .default_service(web::to(move |sim: Data<Sim>, request: HttpRequest, body: Bytes| async move {
                        match side {
                            Side::Login => login(&sim, &request, &body).await,
                            Side::Graph => graph(&sim, &request, &body).await,
                        }
                    }))
            })
            .workers(workers)
            .disable_signals()
            .shutdown_timeout(2)
            .listen(listener);
            match server {
                Ok(server) => {
                    let server = server.run();
                    let _ = send.send(Ok(server.handle()));
                    if let Err(error) = server.await {
                        tracing::warn!(%error, "the Graph simulator ended");
                    }
                }
                Err(error) => drop(send.send(Err(error))),
            }
        });
    })?;
    receive.recv().unwrap_or_else(|_| Err(std::io::Error::other("the simulator's thread ended")))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The sign-in origin.
async fn login(sim: &Sim, http: &HttpRequest, body: &[u8]) -> HttpResponse {
    let (method, path, query) = (http.method().as_str(), http.path(), http.query_string());
    let hits = sim.faults.hits(method, path, path);
    sim.clock.sleep(fault::delay(&hits)).await;
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let host = http.connection_info().host().to_owned();
    let answer = match (method, parts.as_slice()) {
        _ if !hits.is_empty() && fault::instead(&hits, path, sim.now()).is_some() => {
            match fault::instead(&hits, path, sim.now()) {
                Some(Ok(answer)) => answer,
                Some(Err((problem, retry_after))) => {
                    let mut answer = problem_answer(&problem, &sim.new_id().to_string(), None, sim);
                    answer.headers.extend(retry_after.map(|text| ("retry-after", text)));
                    answer
                }
                None => Answer::empty(500),
            }
        }
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => {
            entra::token(sim, tenant, body, header(http.headers(), "authorization"))
        }
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => entra::metadata(sim, tenant, &host),
        ("GET", [tenant, "adminconsent"] | [tenant, "v2.0", "adminconsent"]) => {
            entra::admin_consent(sim, tenant, query)
        }
        _ => Answer::text(404, "Not found"),
    };
    let record = RequestRecord {
        at: sim.now(),
        method: method.into(),
        path: path.into(),
        query: query.into(),
        status: answer.status,
        units: 0,
        in_batch: false,
        priority: None,
        consistency: None,
        request_id: String::new(),
    };
    sim.log.add(record, answer.body.len());
    send(sim, answer, spoilt(&hits), true)
}

fn spoilt(hits: &[Hit]) -> Sending {
    if hits.iter().any(|hit| matches!(hit.action, fault::Action::Cut)) { Sending::Cut } else { Sending::Whole }
}

/// The Graph origin.
async fn graph(sim: &Sim, http: &HttpRequest, body: &[u8]) -> HttpResponse {
    if http.path().starts_with("/_sim/") {
        return send(
            sim,
            control::control(sim, http.method().as_str(), http.path(), http.query_string(), body),
            Sending::Whole,
            false,
        );
    }
    let host = http.connection_info().host().to_owned();
    let call = Call {
        method: http.method().as_str(),
        path: http.path(),
        query: http.query_string(),
        body,
        origin: &format!("http://{host}"),
        in_batch: false,
        eventual: header(http.headers(), "consistencylevel"),
        prefer: header(http.headers(), "prefer").unwrap_or_default(),
        priority: header(http.headers(), "x-ms-throttle-priority"),
        client_request_id: header(http.headers(), "client-request-id"),
    };
    let latency = *sim.latency.lock().unwrap_or_else(PoisonError::into_inner);
    let token = sim.authenticate(header(http.headers(), "authorization"));
    let reply = sim.answer(&call, token);
    sim.clock.sleep(latency + reply.delay).await;
    send(sim, reply.answer, reply.sending, true)
}

/// One call of Graph, by HTTP or within a batch.
pub struct Call<'a> {
    pub method: &'a str,
    /// With the version: `/v1.0/users`.
    pub path: &'a str,
    pub query: &'a str,
    pub body: &'a [u8],
    pub origin: &'a str,
    pub in_batch: bool,
    /// `ConsistencyLevel` as it came.
    pub eventual: Option<&'a str>,
    pub prefer: &'a str,
    pub priority: Option<&'a str>,
    pub client_request_id: Option<&'a str>,
}

pub struct Reply {
    pub answer: Answer,
    pub sending: Sending,
    pub delay: Duration,
}

impl Sim {
    /// Everything but the network: faults, token, quota, the work, headers, the log.
    pub(super) fn answer(&self, call: &Call<'_>, token: Result<Arc<Token>, Problem>) -> Reply {
        let decoded = urlencoding::decode(call.path).map(|path| path.into_owned()).unwrap_or_else(|_| call.path.into());
        let query = urlencoding::decode(call.query).map(|text| text.into_owned()).unwrap_or_else(|_| call.query.into());
        let full = format!("{decoded}?{query}");
        let here = format!("{}{}?{}", call.origin, call.path, call.query);
        let hits = self.faults.hits(call.method, &decoded, &full);
        let request_id = self.new_id().to_string();
        let mut units = 0;
        let mut sending = Sending::Whole;
        let mut answer = match fault::instead(&hits, &here, self.now()) {
            Some(Ok(answer)) => answer,
            Some(Err((problem, retry_after))) => {
                let mut answer = problem_answer(&problem, &request_id, call.client_request_id, self);
                answer.headers.extend(retry_after.map(|text| ("retry-after", text)));
                answer
            }
            None => {
                let done = self.work(call, &decoded, token, &here, &mut units);
                let mut answer =
                    done.unwrap_or_else(|problem| problem_answer(&problem, &request_id, call.client_request_id, self));
                self.throttle_headers(&mut answer);
                self.faults.remember(call.method, &decoded, &full, &answer.body);
                sending = fault::spoil(&hits, &here, &mut answer);
                answer
            }
        };
        let failed = answer.status >= 429
            || sending == Sending::Cut
            || hits.iter().any(|h| matches!(h.action, fault::Action::HalfPage));
        self.note_failure(&here, failed);
        self.graph_headers(&mut answer, &request_id, call, units);
        self.record(call, &decoded, &answer, units, request_id);
        Reply { answer, sending, delay: fault::delay(&hits) }
    }

    fn work(
        &self,
        call: &Call<'_>,
        decoded: &str,
        token: Result<Arc<Token>, Problem>,
        here: &str,
        units: &mut u32,
    ) -> Result<Answer, Problem> {
        let (beta, path) = match (decoded.strip_prefix("/v1.0/"), decoded.strip_prefix("/beta/")) {
            (Some(path), _) => (false, path),
            (None, Some(path)) => (true, path),
            (None, None) => return Err(Problem::new(400, "BadRequest", "Invalid version.")),
        };
        let token = token?;
        let query = Query::parse(call.query);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if path == "$batch" {
            self.refused(Feature::Batch)?;
            return batch::batch(self, call, &token, beta);
        }
        *units = quota::units(call.method, &parts, &query);
        if let Some(throttled) = self.charge(&token, *units) {
            return Ok(throttled);
        }
        if query.has("$expand") {
            self.refused(Feature::Expand)?;
        }
        let request = Request {
            method: call.method,
            path: parts.join("/"),
            beta,
            query,
            eventual: call.eventual.is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
            prefer: call.prefer,
            body: call.body,
            origin: call.origin,
            token,
            repeated: self.has_failed(here),
        };
        route::route(self, &request)
    }

    /// Pays for a request, or gives the 429 of facts/graph.md §5.1.
    fn charge(&self, token: &Token, units: u32) -> Option<Answer> {
        let quota = (*self.quota.lock().unwrap_or_else(PoisonError::into_inner))?;
        if token.admin {
            return None;
        }
        let users = token.directory.read().unwrap_or_else(PoisonError::into_inner).users.len();
        let now = self.now();
        match self.buckets.spend((token.app, token.tenant), units, quota.units(users), now) {
            Ok(used) => {
                // The header shows from 80 % on; it is not always there in reality.
                let _ = used;
                None
            }
            Err(wait) => {
                let form = *self.retry_after.lock().unwrap_or_else(PoisonError::into_inner);
                let body = serde_json::json!({"error": {
                    "code": "TooManyRequests",
                    "message": "Please retry again later.",
                    "innerError": {
                        "code": "429", "date": now.format("%Y-%m-%dT%H:%M:%S").to_string(),
                        "message": "Please retry after", "request-id": self.new_id(), "status": "429",
                    },
                }});
                let mut answer = Answer::value(429, &body);
                answer.headers.extend(form.print(wait, now).map(|text| ("retry-after", text)));
                let scope = format!("Tenant_Application/ReadWrite/{}/{}", token.app, token.tenant);
                answer.headers.push(("x-ms-throttle-scope", scope));
                answer.headers.push(("x-ms-throttle-information", "ResourceUnitLimitExceeded".into()));
                Some(answer)
            }
        }
    }

    fn note_failure(&self, here: &str, failed: bool) {
        if let Some(known) = &mut *self.failed.lock().unwrap_or_else(PoisonError::into_inner) {
            if failed {
                known.insert(here.to_owned());
            } else {
                known.remove(here);
            }
        }
    }

    fn has_failed(&self, here: &str) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().is_some_and(|known: &HashSet<String>| known.contains(here))
    }

    fn throttle_headers(&self, answer: &mut Answer) {
        if answer.content_type.is_empty() {
            answer.content_type = GRAPH_JSON;
        }
    }

    fn graph_headers(&self, answer: &mut Answer, request_id: &str, call: &Call<'_>, units: u32) {
        let headers = &mut answer.headers;
        headers.push(("request-id", request_id.to_owned()));
        headers.push(("client-request-id", call.client_request_id.unwrap_or(request_id).to_owned()));
        let server = r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"5","ScaleUnit":"001","RoleInstance":"SIM1"}}"#;
        headers.push(("x-ms-ags-diagnostic", server.to_owned()));
        // 401, 403 and 400 were measured at 0 units; the documentation's sample says 1. The bucket is charged.
        if units > 0 && answer.status != 429 {
            headers.push(("x-ms-resource-unit", units.to_string()));
        }
        headers.push(("cache-control", "no-cache".to_owned()));
        headers.push(("strict-transport-security", "max-age=31536000".to_owned()));
    }

    fn record(&self, call: &Call<'_>, path: &str, answer: &Answer, units: u32, request_id: String) {
        let record = RequestRecord {
            at: self.now(),
            method: call.method.to_owned(),
            path: path.to_owned(),
            query: call.query.to_owned(),
            status: answer.status,
            units,
            in_batch: call.in_batch,
            priority: call.priority.map(str::to_owned),
            consistency: call.eventual.map(str::to_owned),
            request_id,
        };
        self.log.add(record, answer.body.len());
    }
}

/// The error body of Graph; its date has no zone.
fn problem_answer(problem: &Problem, request_id: &str, client_request_id: Option<&str>, sim: &Sim) -> Answer {
    let body = serde_json::json!({"error": {
        "code": problem.code,
        "message": problem.message,
        "innerError": {
            "date": sim.now().format("%Y-%m-%dT%H:%M:%S").to_string(),
            "request-id": request_id,
            "client-request-id": client_request_id.unwrap_or(request_id),
        },
    }});
    let mut answer = Answer::value(problem.status, &body);
    answer.problem = Some(problem.clone());
    if problem.status == 401 {
        let challenge =
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\"";
        answer.headers.push(("www-authenticate", challenge.to_owned()));
    }
    answer
}

/// Bodies smaller than this are not worth compressing.
const GZIP_LEAST: usize = 1_000;

fn send(sim: &Sim, answer: Answer, sending: Sending, dated: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type(answer.content_type);
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    if dated {
        response.insert_header(("date", http_date(sim.now())));
    }
    match sending {
        Sending::Whole if answer.body.is_empty() => response.finish(),
        Sending::Whole => {
            if answer.body.len() < GZIP_LEAST {
                response.insert_header(("content-encoding", "identity"));
            }
            response.body(answer.body)
        }
        Sending::Cut => {
            let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
            let broken = futures_util::stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
            response.insert_header(("content-encoding", "identity"));
            response.no_chunking(answer.body.len() as u64);
            response.streaming(broken.boxed_local())
        }
    }
}
