//! The HTTP side: two listeners, latency, how a body leaves.

use super::answer::Answer;
use super::call::Call;
use super::fault::{self, Hit, Sending};
use super::handle::problem_answer;
use super::log::RequestRecord;
use super::options::GraphOptions;
use super::quota::http_date;
use super::sim::Sim;
use super::{control, entra};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Compress, Condition};
use actix_web::web::{Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::StreamExt;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

/// Bodies larger than this are refused: a batch has 20 small items.
const MAX_BODY: usize = 4 << 20;

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
    let origin = |listener: &TcpListener| {
        listener.local_addr().map(|address| match &options.host {
            Some(host) => format!("http://{host}:{}", address.port()),
            None => format!("http://{address}"),
        })
    };
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
                    .app_data(PayloadConfig::new(MAX_BODY))
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
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let host = http.connection_info().host().to_owned();
    let answer = match (fault::instead(&hits, path, sim.now()), method, parts.as_slice()) {
        (Some(Ok(answer)), ..) => answer,
        (Some(Err((problem, retry_after))), ..) => {
            let mut answer = problem_answer(&problem, &sim.new_id().to_string(), None, sim);
            answer.headers.extend(retry_after.map(|text| ("retry-after", text)));
            answer
        }
        (None, "POST", [tenant, "oauth2", "v2.0", "token"]) => {
            entra::token(sim, tenant, body, header(http.headers(), "authorization"))
        }
        (None, "GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => entra::metadata(sim, tenant, &host),
        (None, "GET", [tenant, "adminconsent"] | [tenant, "v2.0", "adminconsent"]) => {
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
    // As with Graph: who waits for the answer is in the log already.
    sim.clock.sleep(fault::delay(&hits)).await;
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

/// Bodies smaller than this are not worth compressing.
const GZIP_LEAST: usize = 1_000;

fn send(sim: &Sim, answer: Answer, sending: Sending, dated: bool) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.content_type(answer.content_type);
    let is_encoded = answer.headers.iter().any(|(name, _)| *name == "content-encoding");
    for (name, value) in answer.headers {
        response.insert_header((name, value));
    }
    if dated {
        response.insert_header(("date", http_date(sim.now())));
    }
    match sending {
        Sending::Whole if answer.body.is_empty() => response.finish(),
        Sending::Whole => {
            if answer.body.len() < GZIP_LEAST && !is_encoded {
                response.insert_header(("content-encoding", "identity"));
            }
            response.body(answer.body)
        }
        Sending::Drip(pause) => {
            let clock = sim.clock.clone();
            let drops = futures_util::stream::iter(answer.body).then(move |byte| {
                let clock = clock.clone();
                async move {
                    clock.sleep(pause).await;
                    Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[byte]))
                }
            });
            response.insert_header(("content-encoding", "identity"));
            response.streaming(drops.boxed_local())
        }
        Sending::Flood(megabytes) => {
            let megabyte = Bytes::from(vec![b' '; 1 << 20]);
            let flood = (0..megabytes).map(move |_| Ok::<_, std::io::Error>(megabyte.clone()));
            response.insert_header(("content-encoding", "identity"));
            response.streaming(futures_util::stream::iter(flood))
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
