//! The Imports REST API. Source: docs/assets.md, «Endpoints».

use super::answer::{Answer, Call, Caller};
use super::describe;
use super::document;
use super::execution::{self, Execution, Phase};
use super::ingest;
use super::json::Json;
use super::mapping;
use super::options::RepeatedChunks;
use super::plan;
use super::state::State;
use super::traffic::AssetsChunk;
use crate::ids::random_id;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The longest `failureReason`.
const MAX_FAILURE_REASON: usize = 1024;

/// `GET /jsm/assets/v1/imports/info`: the links of the source that the container token belongs to.
pub(super) fn info(state: &State, caller: Caller, base: &str) -> Answer {
    let Caller::Container(source) = caller else { return Answer::unauthorized() };
    let base = format!("{base}/importsource/{}", state.sources[source].id);
    let links = json!({
        "getStatus": format!("{base}/configstatus"),
        "start": format!("{base}/executions"),
        "mapping": format!("{base}/mapping"),
    });
    Answer::json(200, json!({"links": links}))
}

/// Everything below `importsource/`.
pub(super) fn route(state: &mut State, call: &Call<'_>) -> Answer {
    let Some(source) = call.segments.get(1).and_then(|id| state.source(id)) else {
        return if call.caller == Caller::Nobody {
            Answer::unauthorized()
        } else {
            Answer::not_found("The import source")
        };
    };
    match call.caller {
        Caller::Nobody => return Answer::unauthorized(),
        Caller::Container(own) if own != source => return Answer::wrong_scope(),
        Caller::Container(_) | Caller::Basic | Caller::Forge => {}
    }
    let rest: &[&str] = call.segments.get(2..).unwrap_or(&[]);
    match (call.method, rest) {
        ("GET", []) => import_source(state, source),
        ("GET", ["configstatus"]) => config_status(state, source, call),
        ("PUT", ["mapping"]) => put_mapping(state, source, call),
        ("PATCH", ["mapping"]) => patch_mapping(state, source, call),
        ("GET", ["mapping", "progress", task]) => mapping_progress(state, source, task),
        ("GET", ["schema-and-mapping"]) => schema_and_mapping(state, source),
        ("POST", ["executions"]) => start(state, source, call),
        ("GET", ["executions", "status"]) => match state.latest(source) {
            Some(at) => status(state, at),
            None => Answer::not_found("An execution of this import source"),
        },
        ("POST", ["token"]) => match call.caller {
            Caller::Basic | Caller::Forge => Answer::json(200, json!({"token": state.rotate_token(source)})),
            Caller::Container(_) | Caller::Nobody => Answer::wrong_scope(),
        },
        (_, ["executions", id, rest @ ..]) => {
            let found = state.executions.iter().position(|e| e.source == source && e.id.to_string() == *id);
            found.map_or_else(|| Answer::not_found("The execution"), |at| of_execution(state, at, call, rest))
        }
        _ => Answer::not_found("The path"),
    }
}

fn of_execution(state: &mut State, at: usize, call: &Call<'_>, rest: &[&str]) -> Answer {
    match (call.method, rest) {
        ("POST", ["data"]) => submit(state, at, call),
        ("PUT", ["progress"]) => progress(state, at, call),
        ("GET", ["status"]) => status(state, at),
        ("DELETE", []) => cancel(state, at),
        ("POST", ["history", "failed"]) => failed(state, at, call),
        _ => Answer::not_found("The path"),
    }
}

fn import_source(state: &State, at: usize) -> Answer {
    let source = &state.sources[at];
    let valid = if source.mappings.is_some() { "VALID" } else { "INVALID_CONFIGURATION" };
    let created = execution::timestamp(source.created);
    let body = json!({
        "id": source.id,
        "name": source.name,
        "created": created,
        "updated": created,
        "description": "",
        "objectSchemaId": state.store.schemas[source.schema].id.to_string(),
        "importSourceModuleKey": "rlabs-import-type-external",
        "defaultConcatenator": state.behaviour.concatenator,
        "defaultHandleEmptyValues": "IGNORE",
        "defaultHandleUnknownValues": "IGNORE",
        "dateFormat": "yyyy-MM-dd",
        "dateTimeFormat": "yyyy-MM-dd'T'HH:mm:ss'Z'",
        "importStatus": {
            "configurationStatusType": if source.disabled { "DISABLED" } else { "ENABLED" },
            "validationStatusType": valid,
            "reasonForInvalidity": null,
        },
        "importSourceOTEntries": [],
        "tokenGenerated": true,
        "isImportSourceSchedulingEnabled": false,
        "importExecutionType": "MANUAL",
    });
    Answer::json(200, body)
}

fn execution_links(state: &State, at: usize, call: &Call<'_>) -> Value {
    let execution = &state.executions[at];
    let base = format!("{}/importsource/{}/executions/{}", call.base, state.sources[execution.source].id, execution.id);
    json!({
        "submitProgress": format!("{base}/progress"),
        "submitResults": format!("{base}/data"),
        "getExecutionStatus": format!("{base}/status"),
        "cancel": base,
    })
}

/// The newest execution, if it still runs after time has passed for it.
fn live(state: &mut State, source: usize) -> Option<usize> {
    let at = state.latest(source)?;
    state.poll(at);
    state.executions[at].phase.is_live().then_some(at)
}

fn config_status(state: &mut State, source: usize, call: &Call<'_>) -> Answer {
    let live = live(state, source);
    let found = &state.sources[source];
    let body = match live {
        Some(_) if state.behaviour.sparse => json!({"status": "RUNNING", "since": 1}),
        Some(at) => json!({"status": "RUNNING", "links": execution_links(state, at, call)}),
        None if found.disabled => json!({"status": "DISABLED"}),
        None if found.mappings.is_none() => json!({"status": "MISSING_MAPPING"}),
        None => json!({"status": "IDLE"}),
    };
    Answer::json(200, body)
}

fn take_mapping(state: &mut State, source: usize, call: &Call<'_>, partial: bool) -> Result<(), Answer> {
    let refused = |faults: Vec<document::Fault>| Answer::json(400, document::refusal(&faults));
    let document = document::read(&call.json()?, partial).map_err(refused)?;
    let found = &mut state.sources[source];
    let mut mappings = found.mappings.clone().unwrap_or_default();
    mapping::apply(&mut state.store, found.schema, &mut mappings, document).map_err(refused)?;
    found.mappings = Some(mappings);
    Ok(())
}

/// The answer to a mapping that is in force.
fn taken(state: &State) -> Answer {
    if state.behaviour.sparse { Answer::json(200, json!({"result": "success"})) } else { Answer::empty(204) }
}

fn mapping_task(state: &mut State, source: usize, call: &Call<'_>) -> Answer {
    let task = random_id();
    state.sources[source].tasks.push((task, state.behaviour.mapping_progress_polls));
    let location = format!("{}/importsource/{}/mapping/progress/{task}", call.base, state.sources[source].id);
    Answer::empty(303).with_header("Location", location)
}

fn put_mapping(state: &mut State, source: usize, call: &Call<'_>) -> Answer {
    if state.sources[source].mappings.is_some() {
        return Answer::refused(409, "A mapping already exists for this import");
    }
    if let Err(answer) = take_mapping(state, source, call, false) {
        return answer;
    }
    let asynchronous = call.parameter("async").as_deref() == Some("true") && state.behaviour.put_mapping_can_be_async;
    if asynchronous { mapping_task(state, source, call) } else { taken(state) }
}

fn patch_mapping(state: &mut State, source: usize, call: &Call<'_>) -> Answer {
    if state.sources[source].mappings.is_none() {
        return Answer::refused(400, "There is no mapping for this import yet");
    }
    if let Err(answer) = take_mapping(state, source, call, true) {
        return answer;
    }
    let asked = call.parameter("async").as_deref() == Some("true");
    let asynchronous = asked || state.behaviour.patch_mapping_is_always_async;
    if asynchronous { mapping_task(state, source, call) } else { taken(state) }
}

fn mapping_progress(state: &mut State, source: usize, task: &str) -> Answer {
    let mut tasks = state.sources[source].tasks.iter_mut();
    let Some((_, left)) = tasks.find(|(id, _)| id.to_string() == task) else {
        return Answer::not_found("The resource");
    };
    if *left > 0 {
        *left -= 1;
        return Answer::json(200, json!({"progressStatus": "IN_PROGRESS"}));
    }
    let message = "Schema and mapping successfully created";
    Answer::json(200, json!({"progressStatus": "FINISHED", "result": "OK", "resultMessage": message}))
}

fn schema_and_mapping(state: &State, source: usize) -> Answer {
    let source = &state.sources[source];
    // The object schema is there before the mapping, with what others built in it.
    let has_types = state.store.types.iter().any(|of| of.schema == source.schema);
    match &source.mappings {
        None if !has_types => Answer::refused(400, "There is no mapping for this import yet"),
        mappings => {
            let mappings = mappings.as_deref().unwrap_or_default();
            Answer::json(200, describe::schema_and_mapping(&state.store, source.schema, mappings))
        }
    }
}

fn start(state: &mut State, source: usize, call: &Call<'_>) -> Answer {
    let scheduled = match call.body.trim_ascii() {
        [] => false,
        _ => match call.json() {
            Ok(body) => body["scheduled"] == true,
            Err(answer) => return answer,
        },
    };
    let refused = |code: &str| Answer::json(409, json!({"result": "error", "errorCode": code}));
    let running = live(state, source).is_some();
    let found = &state.sources[source];
    if found.disabled {
        return refused("DISABLED");
    }
    let Some(mappings) = &found.mappings else { return refused("MISSING_MAPPING") };
    if running {
        return refused("IN_PROGRESS");
    }
    let plan = plan::compile(&state.store, mappings);
    state.executions.push(Execution {
        id: random_id(),
        source,
        phase: Phase::Ingesting,
        scheduled,
        started: state.clock.now(),
        ended: None,
        results: vec![execution::TypeResult::default(); plan.types.len()],
        plan: Arc::new(plan),
        entries: Vec::new(),
        chunk_ids: HashSet::new(),
        progress: None,
        failure: None,
    });
    let links = execution_links(state, state.executions.len() - 1, call);
    Answer::json(200, json!({"links": links, "result": "success"}))
}

fn submit(state: &mut State, at: usize, call: &Call<'_>) -> Answer {
    match take_chunk(state, at, call) {
        Ok(chunk) => {
            state.traffic.log_chunk(chunk);
            Answer::empty(200)
        }
        Err(answer) => answer,
    }
}

fn take_chunk(state: &mut State, at: usize, call: &Call<'_>) -> Result<AssetsChunk, Answer> {
    let (behaviour, execution) = (&state.behaviour, &mut state.executions[at]);
    if behaviour.max_chunk_bytes.is_some_and(|most| call.body.len() > most) {
        return Err(Answer::refused(413, "The payload is too large"));
    }
    if execution.phase != Phase::Ingesting {
        return Err(Answer::refused(400, format!("The execution is {}, not INGESTING", execution.phase.name())));
    }
    let body: Json<'_> = serde_json::from_slice(call.body)
        .map_err(|error| Answer::refused(400, format!("The body is not JSON: {error}")))?;
    let plan = execution.plan.clone();
    let data = check_chunk(&body, &plan)?;
    if behaviour.max_chunk_entries.is_some_and(|most| data.is_some_and(|data| ingest::count(&plan, data) > most)) {
        return Err(Answer::refused(413, "The payload has too many entries"));
    }
    let client_generated_id = match body.get("clientGeneratedId") {
        Some(Json::Text(text)) => Some(text.clone().into_owned()),
        Some(Json::Null) | None => None,
        Some(_) => return Err(Answer::refused(400, "`clientGeneratedId` is a string")),
    };
    let repeated = client_generated_id.as_ref().is_some_and(|id| !execution.chunk_ids.insert(id.clone()));
    let mut entries = BTreeMap::new();
    if let Some(data) = data.filter(|_| !repeated || behaviour.repeated_chunks == RepeatedChunks::Again) {
        let counts = ingest::read(&mut state.store, behaviour, &plan, data, &mut execution.entries);
        for (of, count) in plan.types.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *entries.entry(state.store.types[of.of].name.clone()).or_default() += count;
        }
    }
    let completed = matches!(body.get("completed"), Some(Json::Bool(true)));
    if completed {
        execution.phase = Phase::Processing { since: state.clock.now(), polls: 0 };
    }
    let execution_id = execution.id;
    Ok(AssetsChunk { execution_id, client_generated_id, bytes: call.body.len(), entries, completed, repeated })
}

/// Refuses a chunk whose keys are in the wrong case, and one that says nothing; gives its data.
fn check_chunk<'t, 'a>(body: &'t Json<'a>, plan: &plan::Plan) -> Result<Option<&'t Json<'a>>, Answer> {
    const KEYS: [&str; 3] = ["data", "clientGeneratedId", "completed"];
    if !body.is_object() {
        return Err(Answer::refused(400, "The body is not an object"));
    }
    for key in body.keys() {
        if KEYS.iter().any(|known| *known != key && known.eq_ignore_ascii_case(key)) {
            return Err(Answer::refused(400, format!("`{key}` is not known; keys are case-sensitive")));
        }
    }
    if !matches!(body.get("completed"), None | Some(Json::Null | Json::Bool(_))) {
        return Err(Answer::refused(400, "`completed` is true or false"));
    }
    let data = body.get("data");
    match data {
        None if body.get("completed").is_none() => return Err(Answer::refused(400, "`data` is required")),
        Some(data) if !data.is_object() => return Err(Answer::refused(400, "`data` is an object")),
        _ => {}
    }
    for key in data.into_iter().flat_map(Json::keys) {
        let mut roots = plan.types.iter().filter_map(|of| of.selector.first());
        if roots.clone().all(|root| root != key) && roots.any(|root| root.eq_ignore_ascii_case(key)) {
            return Err(Answer::refused(400, format!("`data.{key}` is not mapped; keys are case-sensitive")));
        }
    }
    Ok(data)
}

fn progress(state: &mut State, at: usize, call: &Call<'_>) -> Answer {
    match call.json() {
        Ok(body) if body.is_object() => {
            state.executions[at].progress = Some(body);
            Answer::empty(200)
        }
        Ok(_) => Answer::refused(400, "The body is not an object"),
        Err(answer) => answer,
    }
}

fn status(state: &mut State, at: usize) -> Answer {
    state.poll(at);
    let execution = &state.executions[at];
    let source = &state.sources[execution.source];
    let schema = state.store.schemas[source.schema].id;
    let mut answer = execution::status(execution, at + 1, source.id, schema, &state.store);
    if state.behaviour.sparse {
        thin_out(&mut answer);
    }
    Answer::json(200, answer)
}

/// Takes out what newer answers have, and adds what nobody knows.
fn thin_out(answer: &mut Value) {
    answer["shard"] = json!(3);
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("executionId");
    }
    let results = answer.pointer_mut("/progressResult/objectTypeResultMap").and_then(Value::as_object_mut);
    for result in results.into_iter().flat_map(|results| results.values_mut()).filter_map(Value::as_object_mut) {
        result.remove("errorCount");
        result.insert("cacheHits".to_owned(), json!(null));
    }
}

fn cancel(state: &mut State, at: usize) -> Answer {
    let now = state.clock.now();
    let execution = &mut state.executions[at];
    let may = match execution.phase {
        Phase::Ingesting => true,
        Phase::Processing { .. } => state.behaviour.cancel_after_completed,
        Phase::Cancelled => return Answer::empty(200),
        Phase::Done => false,
    };
    if !may {
        return Answer::refused(400, format!("The execution is {} and cannot be cancelled", execution.phase.name()));
    }
    execution.phase = Phase::Cancelled;
    execution.ended = Some(now);
    execution.entries = Vec::new();
    Answer::empty(200)
}

fn failed(state: &mut State, at: usize, call: &Call<'_>) -> Answer {
    let body = match call.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(reason) = body["failureReason"].as_str() else {
        return Answer::refused(400, "`failureReason` is required");
    };
    if reason.chars().count() > MAX_FAILURE_REASON {
        return Answer::refused(400, "`failureReason` has at most 1024 characters");
    }
    let execution = &mut state.executions[at];
    if execution.phase != Phase::Ingesting {
        return Answer::refused(400, format!("The execution is {}, not INGESTING", execution.phase.name()));
    }
    execution.failure = Some(reason.to_owned());
    Answer::empty(204)
}
