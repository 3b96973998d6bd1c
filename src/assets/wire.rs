//! The responses of Assets. Unknown fields are ignored and missing ones have a default, because Atlassian adds fields
//! (docs/assets.md, «Endpoints»).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Response of `imports/info`.
#[derive(Deserialize)]
pub(super) struct Info {
    pub links: InfoLinks,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InfoLinks {
    pub get_status: String,
    pub start: String,
    pub mapping: String,
}

/// Response to starting an execution.
#[derive(Deserialize)]
pub(super) struct Started {
    pub links: ExecutionLinks,
}

/// The links of one execution. They work only with the token that got them. Stored encrypted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionLinks {
    pub submit_progress: String,
    pub submit_results: String,
    pub get_execution_status: String,
    pub cancel: String,
}

impl std::fmt::Debug for ExecutionLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExecutionLinks(…)")
    }
}

/// The state of an import source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigState {
    Idle,
    Disabled,
    MissingMapping,
    Running,
    /// An unknown state.
    Other,
}

/// Response of `configstatus`.
#[derive(Clone, Debug)]
pub struct ConfigStatus {
    pub state: ConfigState,
    /// The state as Assets writes it.
    pub status: String,
    /// While an execution runs: the link that cancels it, if Assets returns one.
    pub cancel: Option<String>,
    /// While an execution runs: the link to its status, if Assets returns one.
    pub get_execution_status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ConfigAnswer {
    pub status: String,
    #[serde(default)]
    pub links: BTreeMap<String, Value>,
}

impl From<ConfigAnswer> for ConfigStatus {
    fn from(answer: ConfigAnswer) -> Self {
        let state = match answer.status.as_str() {
            "IDLE" => ConfigState::Idle,
            "DISABLED" => ConfigState::Disabled,
            "MISSING_MAPPING" => ConfigState::MissingMapping,
            "RUNNING" => ConfigState::Running,
            _ => ConfigState::Other,
        };
        let link = |name: &str| answer.links.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { state, cancel: link("cancel"), get_execution_status: link("getExecutionStatus"), status: answer.status }
    }
}

/// The state of an execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionState {
    /// Assets accepts data.
    Ingesting,
    /// Assets received `completed`.
    Processing,
    /// Ended, with or without errors.
    Done,
    Cancelled,
    /// An unknown state, treated as not ended.
    #[default]
    #[serde(other)]
    Other,
}

/// Response of an execution's status.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecutionStatus {
    pub status: ExecutionState,
    #[serde(deserialize_with = "optional_text")]
    pub execution_id: Option<String>,
    /// Absent while Assets accepts data.
    pub progress_result: Option<ProgressResult>,
}

/// The result of an execution. `DONE` does not mean success: that is in the counters and messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressResult {
    #[serde(deserialize_with = "optional_number")]
    pub object_schema_id: Option<i64>,
    /// `OK`; other values are not documented. `infoMessage` is ignored, because it says «No data to import» even after
    /// objects were written.
    #[serde(deserialize_with = "optional_text")]
    pub result: Option<String>,
    /// By the id of the object type.
    #[serde(deserialize_with = "null_as_default")]
    pub object_type_result_map: BTreeMap<String, ObjectTypeResult>,
    #[serde(deserialize_with = "texts")]
    pub error_messages: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub total_number_entries_in_import: i64,
}

/// The counters of one object type.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectTypeResult {
    #[serde(deserialize_with = "null_as_default")]
    pub object_type_name: String,
    #[serde(deserialize_with = "number")]
    pub object_type_id: i64,
    #[serde(deserialize_with = "number")]
    pub objects_updated: i64,
    #[serde(deserialize_with = "number")]
    pub objects_created: i64,
    #[serde(deserialize_with = "number")]
    pub objects_identical: i64,
    /// Objects that were missing from the execution and that Assets marked.
    #[serde(deserialize_with = "number")]
    pub objects_missing_updated: i64,
    /// Objects that were missing from the execution and that Assets deleted.
    #[serde(deserialize_with = "number")]
    pub objects_missing_deleted: i64,
    #[serde(deserialize_with = "optional_number")]
    pub entries_in_source: Option<i64>,
    /// Assets spells it like this.
    #[serde(rename = "duplicateEnries", alias = "duplicateEntries", deserialize_with = "number")]
    pub duplicate_entries: i64,
    #[serde(deserialize_with = "number")]
    pub empty_label_entries: i64,
    #[serde(deserialize_with = "number")]
    pub empty_external_id_entries: i64,
    #[serde(deserialize_with = "number")]
    pub objects_filtered_with_ql_query: i64,
    #[serde(deserialize_with = "number")]
    pub error_count: i64,
    #[serde(deserialize_with = "texts")]
    pub error_messages: Vec<String>,
    #[serde(deserialize_with = "number")]
    pub objects_with_updated_references: i64,
}

impl ObjectTypeResult {
    /// Entries that are in Assets now: created, updated or found identical.
    pub fn taken(&self) -> u64 {
        sum([self.objects_created, self.objects_updated, self.objects_identical])
    }

    pub fn duplicates(&self) -> u64 {
        sum([self.duplicate_entries])
    }

    /// Entries that Assets rejected, apart from duplicates: those without label or id, those with errors.
    pub fn rejected(&self) -> u64 {
        sum([
            self.empty_label_entries,
            self.empty_external_id_entries,
            self.objects_filtered_with_ql_query,
            self.error_count,
        ])
    }
}

/// A counter below zero counts nothing.
fn sum(counters: impl IntoIterator<Item = i64>) -> u64 {
    counters.into_iter().fold(0, |sum, counter| sum.saturating_add(u64::try_from(counter).unwrap_or(0)))
}

impl ProgressResult {
    /// The failure of the whole import, if there is one.
    pub fn failure(&self) -> Option<&str> {
        let word = self.result.as_deref()?;
        ["FAIL", "ERROR"].iter().any(|part| word.to_uppercase().contains(part)).then_some(word)
    }
}

impl ExecutionStatus {
    pub fn is_over(&self) -> bool {
        matches!(self.status, ExecutionState::Done | ExecutionState::Cancelled)
    }

    /// The counters of the object type of this name.
    pub fn object_type(&self, name: &str) -> Option<&ObjectTypeResult> {
        self.progress_result.as_ref()?.object_type_result_map.values().find(|result| result.object_type_name == name)
    }
}

/// What an import source does with values that are empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HandleEmptyValues {
    Ignore,
    Remove,
    /// An unknown word.
    #[serde(other)]
    Other,
}

/// An import source, if the credential may read it. It does not include how missing objects are treated.
/// Source: docs/assets.md, «Missing objects and empty values».
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportSourceInfo {
    pub name: Option<String>,
    pub object_schema_id: Option<Value>,
    pub default_handle_empty_values: Option<HandleEmptyValues>,
    #[serde(rename = "importSourceOTEntries", deserialize_with = "null_as_default")]
    pub object_types: Vec<ImportSourceObjectType>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ImportSourceObjectType {
    pub selector: Option<String>,
    pub empty_values: Option<HandleEmptyValues>,
}

/// Response of a mapping's progress.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MappingProgress {
    pub progress_status: String,
    pub result: Option<String>,
    pub result_message: Option<String>,
}

/// One page of an AQL query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlPage {
    #[serde(default)]
    pub values: Vec<AqlObject>,
    #[serde(default)]
    pub object_type_attributes: Vec<AqlAttribute>,
    #[serde(default)]
    pub is_last: Option<bool>,
    #[serde(default)]
    pub last: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlObject {
    pub id: Value,
    #[serde(default)]
    pub object_key: String,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub object_type: AqlObjectType,
    #[serde(default)]
    pub attributes: Vec<AqlObjectAttribute>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AqlObjectType {
    pub id: Value,
    pub object_schema_id: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlAttribute {
    pub id: Value,
    #[serde(default)]
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlObjectAttribute {
    #[serde(default)]
    pub object_type_attribute_id: Value,
    #[serde(default)]
    pub object_attribute_values: Vec<AqlValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlValue {
    #[serde(default)]
    pub value: Value,
    #[serde(default)]
    pub display_value: Option<String>,
    #[serde(default)]
    pub referenced_object: Option<AqlReference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AqlReference {
    #[serde(default)]
    pub object_key: String,
}

/// A page of `objectschema/list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectSchemaPage {
    #[serde(default)]
    pub values: Vec<ObjectTypeEntry>,
    #[serde(default)]
    pub is_last: Option<bool>,
    #[serde(default)]
    pub last: Option<bool>,
}

/// An object schema, or an object type.
#[derive(Deserialize)]
pub(super) struct ObjectTypeEntry {
    #[serde(default)]
    pub id: Value,
    #[serde(default)]
    pub name: String,
}

/// An id, which can be a text or a number.
pub(crate) fn id_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// A number, or a number in a text; zero for everything else.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(optional_number(deserializer)?.unwrap_or_default())
}

pub(super) fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_i64().or_else(|| value.as_str()?.trim().parse().ok()))
}

/// A text, or a number as text.
fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = id_text(&Value::deserialize(deserializer)?);
    Ok((!text.is_empty()).then_some(text))
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Messages: null, one text with lines, or a list.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let lines = |text: &str| text.lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect::<Vec<_>>();
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::String(text) => lines(&text),
        Value::Array(values) => {
            values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
        }
        other => vec![other.to_string()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The example of the published API description (docs/assets.md, «Execution status»), shortened.
    #[test]
    fn the_published_status_is_read() {
        let status: ExecutionStatus = serde_json::from_value(json!({"status":"DONE","progressResult":{
            "type":"IMPORT","id":438,"started":"2023-06-15T12:13:03.952+00:00","ended":"2023-06-15T12:13:05.124+00:00",
            "objectSchemaId":266,"result":"OK","status":"FINISHED","infoMessage":"No data to import",
            "jobId":"241d9437","importSourceId":"3e9f17a6","populatedObjectTypes":["Hard Drive"],"onlyExecutedForObjectTypes":[],
            "objectTypeResultMap":{"2547":{"id":null,"objectTypeName":"Hard Drive","objectTypeId":2547,
              "objectsUpdated":0,"objectsCreated":1,"objectsIdentical":0,"objectsMissingUpdated":0,"objectsMissingDeleted":0,
              "entriesInSource":1,"duplicateEnries":3,"emptyLabelEntries":0,"emptyExternalIdEntries":0,
              "objectsFilteredWithQlQuery":0,"errorMessages":null,"objectsWithUpdatedReferences":1}},
            "errorMessages":null,"totalNumberEntriesInImport":3}})).unwrap();
        let drives = status.object_type("Hard Drive").unwrap();
        assert_eq!(
            (status.status, drives.objects_created, drives.objects_with_updated_references),
            (ExecutionState::Done, 1, 1)
        );
        assert_eq!((drives.taken(), drives.duplicates(), drives.rejected()), (1, 3, 0));
        assert_eq!(status.progress_result.unwrap().object_schema_id, Some(266));
    }

    #[test]
    fn other_forms_and_unknown_words_are_taken() {
        let status: ExecutionStatus =
            serde_json::from_value(json!({"status":"QUEUED","executionId":"e","progressResult":{
            "objectTypeResultMap":{"1":{"objectTypeName":"A","objectsCreated":null,"errorMessages":"one\ntwo"},
                                   "2":{"objectTypeName":"B","errorMessages":["three"],"errorCount":1}}}}))
            .unwrap();
        assert_eq!(status.status, ExecutionState::Other);
        assert!(!status.is_over());
        assert_eq!(status.object_type("A").unwrap().error_messages, ["one", "two"]);
        assert_eq!(status.object_type("B").unwrap().rejected(), 1);
        let loose: ExecutionStatus = serde_json::from_value(json!({"status":"DONE","executionId":7,"progressResult":{
            "result":"FAILURE","objectSchemaId":"266","started":5,
            "objectTypeResultMap":{"9":{"objectTypeName":"A","entriesInSource":"3","added":{"later":true}}}}}))
        .unwrap();
        let progress = loose.progress_result.as_ref().unwrap();
        assert_eq!((loose.execution_id.as_deref(), progress.failure()), (Some("7"), Some("FAILURE")));
        assert_eq!(
            (progress.object_schema_id, loose.object_type("A").unwrap().entries_in_source),
            (Some(266), Some(3))
        );
        let bare: ExecutionStatus = serde_json::from_value(json!({"status": "INGESTING"})).unwrap();
        assert!(bare.progress_result.is_none());
    }
}
