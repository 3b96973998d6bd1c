//! One call of Graph from its arrival to its answer: faults, token, quota, the work, headers, the log. The same for an
//! HTTP request and for an item of a batch.

use super::answer::{Answer, Problem};
use super::call::{Call, Reply};
use super::fault::{self, Sending};
use super::log::RequestRecord;
use super::query::Query;
use super::quota;
use super::request::Request;
use super::sim::{Feature, Sim};
use super::token::Token;
use super::{batch, route};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

/// From this share of the limit on the throttle percentage shows.
const NEAR_LIMIT: f64 = 0.8;

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
            return batch::batch(call, beta, &|item| self.answer(item, Ok(token.clone())).answer);
        }
        let service = quota::Service::of(&parts);
        *units = quota::units(call.method, &parts, &query);
        let used = match self.charge(&token, service, *units) {
            Ok(used) => used,
            Err(throttled) => return Ok(*throttled),
        };
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
            max_page_size: self.max_page_size(),
        };
        let mut answer = route::route(self, &request)?;
        if used >= NEAR_LIMIT {
            answer.headers.push(("x-ms-throttle-limit-percentage", format!("{used:.1}")));
        }
        Ok(answer)
    }

    /// Pays for a request: the share of the limit in use, or the 429 of docs/graph.md, «Throttling».
    fn charge(&self, token: &Token, service: quota::Service, units: u32) -> Result<f64, Box<Answer>> {
        let quota = match *self.quota.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(quota) if !token.admin => quota,
            Some(_) | None => return Ok(0.0),
        };
        let users = token.directory.read().unwrap_or_else(PoisonError::into_inner).users.len();
        let now = self.now();
        let key = (token.app, token.tenant, service);
        let (units, capacity) = match service {
            quota::Service::Directory => (units, quota.units(users)),
            quota::Service::Intune => (1, quota::INTUNE),
        };
        self.buckets.spend(key, units, capacity, now).map_err(|wait| {
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
            Box::new(answer)
        })
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
pub fn problem_answer(problem: &Problem, request_id: &str, client_request_id: Option<&str>, sim: &Sim) -> Answer {
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
