//! What the database knows of an object and of its job, read at once.

use super::live::Object;
use crate::codes::{RecordedCode, WarningCode};
use crate::db::mirror::lookup::{self, DeliveredObject, HistoryRow};
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{self, MirrorRow, StoredAs};
use crate::db::runs::{self, RunRow};
use crate::db::{Transaction, list};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::run_state::{Counts, RunState, RunWarning};
use crate::runs::context::JobContext;
use serde_json::Value;
use uuid::Uuid;

/// Objects with one name that are told apart at most.
const MAX_FOUND: i64 = 11;
/// Runs that are looked at for the last one that delivered.
const RUNS: i64 = 20;

/// What the database has of a job, and of the objects with a key.
pub(super) struct JobRecords {
    pub mirror: MirrorRow,
    /// Whether the mirror was read by the settings of now.
    pub is_current: bool,
    /// The objects of the mirror with the key.
    pub mirrored: Vec<ObjectRow>,
    /// The delivered objects with the key.
    pub delivered: Vec<DeliveredObject>,
    /// The newest runs of the job, newest first.
    pub runs: Vec<RunRow>,
}

/// What the database knows of one object, whose id is known.
pub(super) struct KnownObject {
    pub is_mirrored: bool,
    /// Only its id and name are imported, because others refer to it.
    pub is_stub: bool,
    pub delivered: Option<DeliveredObject>,
    pub last_change: Option<HistoryRow>,
    /// How many objects of the type the mirror has, and the largest of their ids.
    pub extent: (i64, Option<Uuid>),
}

impl JobRecords {
    pub async fn load(tx: &mut Transaction, job: &JobContext, object_type: ObjectType, key: &str) -> Result<Self> {
        let (organization, id, name) = (job.organization, job.id, object_type.as_str());
        let mirror = mirror::find(tx, organization, id).await?;
        let which = runs::Which { job: Some(id), ..runs::Which::default() };
        let part = list::Part { order: list::Order::NEWEST_FIRST, ..list::Part::first(RUNS) };
        Ok(Self {
            is_current: mirror.selection_hash.as_ref() == Some(&job.selection_hash),
            mirror,
            mirrored: lookup::by_key(tx, organization, id, StoredAs::Object(object_type), key, MAX_FOUND).await?,
            delivered: lookup::delivered(tx, organization, id, name, key, MAX_FOUND).await?,
            runs: runs::list(tx, organization, &which, &part).await?,
        })
    }

    /// The newest run that has ended.
    pub fn last_ended(&self) -> Option<&RunRow> {
        self.runs.iter().find(|run| run.state.is_terminal())
    }

    /// The newest run that lost the permission for a type, if no run read it since: what the run said.
    pub fn lost(&self, object_type: ObjectType) -> Option<RunWarning> {
        let ended = self.runs.iter().find(|run| matches!(run.state, RunState::Succeeded | RunState::Degraded))?;
        let warnings: Vec<RunWarning> = serde_json::from_value(ended.warnings.clone()).ok()?;
        warnings.into_iter().find(|warning| {
            warning.code == RecordedCode::Typed(WarningCode::CapabilityLost)
                && warning.detail.starts_with(&format!("No permission to read {object_type}"))
        })
    }

    /// A run that waits for approval.
    pub fn waiting(&self) -> Option<&RunRow> {
        self.runs.iter().find(|run| run.state == RunState::AwaitingApproval)
    }
}

impl KnownObject {
    pub async fn load(tx: &mut Transaction, job: &JobContext, object_type: ObjectType, id: Uuid) -> Result<Self> {
        let (organization, job, name, key) = (job.organization, job.id, object_type.as_str(), id.to_string());
        let is_stub = match StoredAs::stub(object_type) {
            Some(stub) => !lookup::by_key(tx, organization, job, stub, &key, 1).await?.is_empty(),
            None => false,
        };
        let stored_as = StoredAs::Object(object_type);
        Ok(Self {
            is_mirrored: !lookup::by_key(tx, organization, job, stored_as, &key, 1).await?.is_empty(),
            is_stub,
            delivered: lookup::delivered(tx, organization, job, name, &key, 1).await?.pop(),
            last_change: lookup::history(tx, organization, job, name, id, 1).await?.pop(),
            extent: lookup::extent(tx, organization, job, name).await?,
        })
    }
}

/// An object of the mirror as a value.
pub(super) fn read_object(row: &ObjectRow) -> Option<Object> {
    let object: Value = serde_json::from_str(&row.data).ok()?;
    Some((row.id, object.as_object()?.clone()))
}

/// How many entries of a type Assets did not take in a run.
pub(super) fn ignored(run: &RunRow, object_type: ObjectType) -> Result<u64> {
    let counts: Counts = serde_json::from_value(run.counts.clone()).map_err(Error::internal)?;
    Ok(counts.get(object_type.as_str()).map_or(0, |count| count.ignored))
}
