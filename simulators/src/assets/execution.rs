//! An execution of an import: INGESTING, PROCESSING, DONE or CANCELLED, and its status.
//! Source: docs/assets.md, «Executions», «Chunks», «Execution status».

use super::ingest::Entry;
use super::plan::Plan;
use super::store::Store;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// How many error messages a type lists.
const MAX_ERROR_MESSAGES: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Ingesting,
    Processing { since: DateTime<Utc>, polls: u32 },
    Done,
    Cancelled,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Ingesting => "INGESTING",
            Phase::Processing { .. } => "PROCESSING",
            Phase::Done => "DONE",
            Phase::Cancelled => "CANCELLED",
        }
    }

    pub(super) fn is_live(self) -> bool {
        matches!(self, Phase::Ingesting | Phase::Processing { .. })
    }
}

pub(super) struct Execution {
    pub(super) id: Uuid,
    /// Place of the import source.
    pub(super) source: usize,
    pub(super) phase: Phase,
    pub(super) scheduled: bool,
    pub(super) started: DateTime<Utc>,
    pub(super) ended: Option<DateTime<Utc>>,
    pub(super) plan: Arc<Plan>,
    pub(super) entries: Vec<Entry>,
    pub(super) chunk_ids: HashSet<String>,
    pub(super) progress: Option<Value>,
    pub(super) failure: Option<String>,
    pub(super) results: Vec<TypeResult>,
}

/// The counters of one object type. Source: docs/assets.md, «Execution status».
#[derive(Clone, Default, Debug)]
pub(super) struct TypeResult {
    pub(super) updated: usize,
    pub(super) created: usize,
    pub(super) identical: usize,
    pub(super) missing_updated: usize,
    pub(super) missing_deleted: usize,
    pub(super) entries: usize,
    pub(super) duplicates: usize,
    pub(super) empty_labels: usize,
    pub(super) empty_external_ids: usize,
    pub(super) references_updated: usize,
    /// References whose query found nothing: not in the status, only in the simulator's own view.
    pub(super) references_not_found: usize,
    pub(super) errors: usize,
    pub(super) messages: Vec<String>,
}

impl TypeResult {
    pub(super) fn error(&mut self, message: String) {
        self.errors += 1;
        if self.messages.len() < MAX_ERROR_MESSAGES {
            self.messages.push(message);
        }
    }

    fn describe(&self, id: u32, name: &str) -> Value {
        let messages = if self.messages.is_empty() { Value::Null } else { json!(self.messages.join("\n")) };
        json!({
            "id": null,
            "objectTypeName": name,
            "objectTypeId": id,
            "objectsUpdated": self.updated,
            "objectsCreated": self.created,
            "objectsIdentical": self.identical,
            "objectsMissingUpdated": self.missing_updated,
            "objectsMissingDeleted": self.missing_deleted,
            "entriesInSource": self.entries,
            "duplicateEnries": self.duplicates,
            "emptyLabelEntries": self.empty_labels,
            "emptyExternalIdEntries": self.empty_external_ids,
            "objectsFilteredWithQlQuery": 0,
            "errorMessages": messages,
            "errorCount": self.errors,
            "readExternalDataTimeInMs": 0,
            "mapExternalDataTimeInMs": 0,
            "qlQueryFilteringTimeInMs": 0,
            "decidingActionsTimeInMs": 0,
            "writeInsightDataTimeInMs": 0,
            "postFunctionTimeInMs": 0,
            "executionTimeInMs": 0,
            "objectsWithUpdatedReferences": self.references_updated,
        })
    }
}

/// `2023-06-15T12:13:03.952+00:00`.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// The body of GET status; `progressResult` only when there is one.
pub(super) fn status(execution: &Execution, number: usize, source: Uuid, schema: u32, store: &Store) -> Value {
    let mut answer = json!({"status": execution.phase.name(), "executionId": execution.id});
    if execution.phase == Phase::Ingesting {
        return answer;
    }
    let mut results = Map::new();
    let mut populated = Vec::new();
    for (of, result) in execution.plan.types.iter().zip(&execution.results) {
        let of = &store.types[of.of];
        results.insert(of.id.to_string(), result.describe(of.id, &of.name));
        if result.entries > 0 {
            populated.push(of.name.clone());
        }
    }
    let finished = !execution.phase.is_live();
    let total: usize = execution.results.iter().map(|result| result.entries).sum();
    answer["progressResult"] = json!({
        "type": "IMPORT",
        "id": number,
        "started": timestamp(execution.started),
        "ended": execution.ended.map(timestamp),
        "objectSchemaId": schema,
        "result": if execution.phase == Phase::Done { json!("OK") } else { Value::Null },
        "status": if finished { "FINISHED" } else { "IN_PROGRESS" },
        "infoMessage": "No data to import",
        "jobId": execution.id,
        "importSourceId": source,
        "populatedObjectTypes": populated,
        "onlyExecutedForObjectTypes": [],
        "objectTypeResultMap": results,
        "errorMessages": null,
        "totalNumberEntriesInImport": total,
    });
    answer
}

/// What the simulator shows of an execution beyond Assets' own status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionView {
    pub id: Uuid,
    pub source_id: Uuid,
    /// `INGESTING`, `PROCESSING`, `DONE` or `CANCELLED`.
    pub status: &'static str,
    pub scheduled: bool,
    /// The reason that was posted to `history/failed`.
    pub failure: Option<String>,
    /// The last body of `progress`.
    pub progress: Option<Value>,
    /// By the name of the object type.
    pub types: std::collections::BTreeMap<String, TypeView>,
}

/// The counters of one type in an execution, under names of their own.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeView {
    pub entries: usize,
    pub created: usize,
    pub updated: usize,
    pub identical: usize,
    pub missing_updated: usize,
    pub missing_deleted: usize,
    pub duplicates: usize,
    pub errors: usize,
    pub references_updated: usize,
    /// References whose query found no object.
    pub references_not_found: usize,
}

pub(super) fn view(execution: &Execution, source_id: Uuid, store: &Store) -> ExecutionView {
    let types = execution.plan.types.iter().zip(&execution.results).map(|(of, result)| {
        let view = TypeView {
            entries: result.entries,
            created: result.created,
            updated: result.updated,
            identical: result.identical,
            missing_updated: result.missing_updated,
            missing_deleted: result.missing_deleted,
            duplicates: result.duplicates,
            errors: result.errors,
            references_updated: result.references_updated,
            references_not_found: result.references_not_found,
        };
        (store.types[of.of].name.clone(), view)
    });
    ExecutionView {
        id: execution.id,
        source_id,
        status: execution.phase.name(),
        scheduled: execution.scheduled,
        failure: execution.failure.clone(),
        progress: execution.progress.clone(),
        types: types.collect(),
    }
}
