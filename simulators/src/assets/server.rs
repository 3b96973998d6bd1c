//! The HTTP side: who calls, which part of the API, what is made to go wrong, and the log.

use super::answer::{Answer, Call, Caller};
use super::options::LinkForm;
use super::state::State;
use super::traffic::{AssetsRequest, FaultAction};
use super::{accounts, control, imports, objects};
use actix_web::body::{BodyStream, BoxBody};
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bodies beyond this end the connection; Assets' own limit is a matter of `Behaviour`.
const MAX_BODY: usize = 256 * 1024 * 1024;
/// Longer than clients keep idle connections, so that they never use one that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(90);

pub(super) type Shared = Arc<Mutex<State>>;

pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves on a bound listener until the handle stops it.
pub(super) fn serve(listener: std::net::TcpListener, shared: Shared, workers: usize) -> std::io::Result<ServerHandle> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .app_data(web::Data::from(shared.clone()))
            .default_service(web::to(handle))
    });
    let server = server.workers(workers.max(1)).keep_alive(KEEP_ALIVE).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

async fn handle(request: HttpRequest, body: web::Bytes, shared: web::Data<Mutex<State>>) -> HttpResponse {
    let shared = shared.into_inner();
    let method = request.method().as_str().to_owned();
    let (path, query) = (request.path().to_owned(), request.query_string().to_owned());
    if let Some(rest) = path.strip_prefix("/_sim") {
        let segments: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        return respond(control::route(&mut lock(&shared), &method, &segments, &body));
    }
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (clock, latency) = {
        let state = lock(&shared);
        (state.clock.clone(), state.behaviour.latency_ms)
    };
    if latency > 0 {
        clock.sleep(Duration::from_millis(latency)).await;
    }
    let mut state = lock(&shared);
    state.settle();
    let at = state.clock.now();
    let caller = caller(&state, authorization);
    let fault = state.traffic.fault(&method, &path);
    let mut answer = Answer::empty(503);
    if fault.as_ref().is_none_or(|fault| fault.applied) {
        answer = dispatch(&mut state, &method, &path, &query, &body, caller);
    }
    let (status, response) = match &fault {
        None => (answer.status, respond(answer)),
        Some(fault) => faulty(&fault.action),
    };
    let path = if query.is_empty() { path } else { format!("{path}?{query}") };
    let (caller, bytes, faulty) = (caller.name(), body.len(), fault.is_some());
    state.traffic.log_request(AssetsRequest { at, method, path, caller, bytes, status, faulty });
    response
}

fn respond(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for header in answer.headers {
        response.insert_header(header);
    }
    match answer.body {
        Some(body) => response.json(body),
        None => response.finish(),
    }
}

/// The status for the log, and the answer; a cut connection has status 0.
fn faulty(action: &FaultAction) -> (u16, HttpResponse) {
    match action {
        FaultAction::Cut => {
            // A body that breaks off before its first byte takes the head of the answer with it.
            let broken = futures_util::stream::iter([Err::<web::Bytes, _>(std::io::Error::other("cut"))]);
            let body = BoxBody::new(BodyStream::new(broken));
            (0, HttpResponse::build(StatusCode::OK).force_close().body(body))
        }
        FaultAction::Answer { status, body, retry_after } => {
            let code = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = HttpResponse::build(code);
            if let Some(text) = retry_after {
                response.insert_header((RETRY_AFTER, text.as_str()));
            }
            let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
            (*status, response.insert_header((CONTENT_TYPE, kind)).body(body.clone()))
        }
    }
}

fn caller(state: &State, authorization: &str) -> Caller {
    if let Some(token) = authorization.strip_prefix("Bearer ") {
        let source = state.sources.iter().position(|source| source.token == token && !source.deleted);
        return match source {
            Some(source) => Caller::Container(source),
            None if state.is_forge_token(token) => Caller::Forge,
            None => Caller::Nobody,
        };
    }
    let wanted = format!("{}:{}", state.email, state.api_token);
    let decoded = authorization.strip_prefix("Basic ");
    let decoded = decoded.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    if decoded.is_some_and(|given| given == wanted.as_bytes()) { Caller::Basic } else { Caller::Nobody }
}

fn dispatch(state: &mut State, method: &str, path: &str, query: &str, body: &[u8], caller: Caller) -> Answer {
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if let ["rest", "servicedeskapi", "assets" | "insight", "workspace"] = segments.as_slice() {
        return workspaces(state, method, caller);
    }
    if let ["rest", "api", "3", rest @ ..] = segments.as_slice() {
        return accounts::route(state, method, rest, query, caller);
    }
    // Three prefixes lead to the same API. Source: docs/assets.md, «Addresses and credentials».
    let (below_cloud, rest) = match segments.as_slice() {
        ["ex", "jira", cloud, rest @ ..] if *cloud == state.cloud => (true, rest),
        ["gateway", "api", rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let caller = match caller {
        // An app's token is good only below its own site.
        Caller::Forge if !below_cloud => return Answer::unauthorized(),
        other => other,
    };
    let keeps_prefix = match caller {
        Caller::Container(_) => state.behaviour.links == LinkForm::BelowCloud,
        Caller::Basic | Caller::Forge | Caller::Nobody => below_cloud && state.behaviour.forge_links_keep_prefix,
    };
    let prefix = if keeps_prefix { format!("/ex/jira/{}", state.cloud) } else { String::new() };
    let name = if state.behaviour.links == LinkForm::Insight { "insight" } else { "assets" };
    let base = format!("{}{prefix}/jsm/{name}/workspace/{}/v1", state.origin, state.workspace);
    match rest {
        ["jsm", "assets" | "insight", "v1", "imports", "info"] if method == "GET" => {
            imports::info(state, caller, &base)
        }
        ["jsm", "assets" | "insight", "workspace", workspace, "v1", rest @ ..] if *workspace == state.workspace => {
            let call = Call { method, segments: rest, query, body, caller, base };
            if rest.first() == Some(&"importsource") {
                imports::route(state, &call)
            } else {
                objects::route(state, &call)
            }
        }
        _ => Answer::not_found("The path"),
    }
}

fn workspaces(state: &State, method: &str, caller: Caller) -> Answer {
    match caller {
        Caller::Basic if method == "GET" => {
            let values = json!([{"workspaceId": state.workspace}]);
            Answer::json(200, json!({"size": 1, "start": 0, "limit": 50, "isLastPage": true, "values": values}))
        }
        Caller::Basic => Answer::not_found("The path"),
        Caller::Container(_) | Caller::Forge | Caller::Nobody => Answer::unauthorized(),
    }
}
