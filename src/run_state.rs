//! The life of a run: its modes, states and stages, and the records it leaves.

pub mod event;

use crate::codes::{RecordedCode, RunErrorCode, WarningCode};
use crate::jira_user::JiraUserCounts;
use crate::job::Deliver;
use crate::permission::report::Remedy;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

text_enum! {
    /// What a run does.
    RunMode in "runs.mode" {
        /// The first `limit` users with what belongs to them.
        Test = "test",
        /// Everything is read.
        Full = "full",
        /// What changed since the last complete read is read.
        Incremental = "incremental",
        /// Everything is read and compared; nothing is delivered.
        DryRun = "dryRun",
    }
}

text_enum! {
    /// Where a run is in its life.
    RunState in "runs.state" {
        /// It waits for a worker, or for what `waitReason` names.
        Queued = "queued",
        /// A worker executes it.
        Running = "running",
        /// It waits for approval; it holds no lease and no open execution.
        AwaitingApproval = "awaitingApproval",
        /// It ended, and nothing went wrong.
        Succeeded = "succeeded",
        /// Ended, and something the admin should look at went wrong on the way.
        Degraded = "degraded",
        /// It ended with an error: `error` says why.
        Failed = "failed",
        /// Somebody cancelled it, or a newer run took its place.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// A worker has the run, or takes it as soon as it is due. A job has at most one such run.
    pub const BUSY: [Self; 2] = [Self::Queued, Self::Running];
    /// The run has not ended.
    pub const LIVE: [Self; 3] = [Self::Queued, Self::Running, Self::AwaitingApproval];

    /// Whether the run has ended.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Degraded | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Running | Self::AwaitingApproval => false,
        }
    }

    /// Whether the run has ended and done its work, with warnings or without.
    pub const fn is_success(self) -> bool {
        match self {
            Self::Succeeded | Self::Degraded => true,
            Self::Queued | Self::Running | Self::AwaitingApproval | Self::Failed | Self::Cancelled => false,
        }
    }
}

text_enum! {
    /// Why a queued run waits.
    WaitReason in "runs.wait_reason" {
        /// The Forge app has to bring another token.
        ForgeToken = "forgeToken",
        /// Only runs of earlier versions: it is not known whether Assets took the last chunk.
        AssetsAnswerLost = "assetsAnswerLost",
    }
}

text_enum! {
    /// How far a run is with the execution of an Assets import.
    ExecutionStep in "executions.state" {
        /// Noted before Assets was asked to start it.
        Starting = "starting",
        /// Assets takes data.
        Ingesting = "ingesting",
        /// All data is sent, and Assets works on it.
        Completed = "completed",
        /// Assets has answered with a result.
        Done = "done",
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What a running run is busy with. The stages follow in this order.
    RunStage in "runs.stage" {
        /// It reads the directory from Microsoft Graph.
        Collect = "collect",
        /// It compares what was read with what was delivered.
        Diff = "diff",
        /// It sends the changes to Assets.
        Deliver = "deliver",
        /// It reads what Assets took, and ends the run.
        Settle = "settle",
    }
}

/// What was asked for when the run was made. Never changes afterwards.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunRequest {
    /// Users that a `test` reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Overrides the job's `deliver` for this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver: Option<Deliver>,
    /// Accept that the connection reaches another tenant than before: the mirror is made again, from the start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset_mirror: bool,
}

/// How far a run is, as true as can be known.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub stage: RunStage,
    /// How much is done in this stage: objects of every type, and groups whose members were read.
    pub done: u64,
    /// As far as known; may grow while reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The pace of this stage.
    pub objects_per_second: f64,
    /// How long the rest of this stage takes at the pace so far: that of its slowest part. Objects that are listed come
    /// hundreds to a request, the members of a group take at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u64>,
    /// Graph resource units spent by this run.
    pub resource_units: u64,
    /// Units that the limiter would give at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_units_left: Option<u64>,
    /// Time spent waiting because Graph asked for it.
    pub throttled_ms: u64,
}

/// What happened to the objects of one type.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TypeCounts {
    /// Objects that were read and are in scope.
    pub read: u64,
    /// Entries that are sent to Assets: what changed, and with `deliver: full` also what did not. Of a dry run, those
    /// that a full run would send.
    pub sent: u64,
    /// Objects that Assets reports as created. Before Assets has reported, and in a dry run, those to be created.
    pub created: u64,
    /// Objects that Assets reports as updated in their values or references. Before Assets has reported, and in a dry
    /// run, those to be updated.
    pub updated: u64,
    /// Objects that are as they were.
    pub unchanged: u64,
    /// Objects that were delivered before and are now missing or out of scope.
    pub missing: u64,
    /// Of the missing objects, those that the object API removed from Assets; in a dry run, those that it would remove.
    pub removed: u64,
    /// Of the missing objects, those that were delivered as removed; in a dry run, those that would be.
    #[serde(skip_serializing_if = "is_zero")]
    pub marked: u64,
    /// Entries that Assets did not take, or of which its report says nothing.
    pub ignored: u64,
    /// Values that became empty and that the object API cleared; in a dry run, those that it would clear.
    #[serde(skip_serializing_if = "is_zero")]
    pub cleared: u64,
    /// Values that should have been cleared but stay, because Assets ignores empty values.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_cleared: u64,
    /// Objects that others made in Assets and that the run takes over. They are among `updated`.
    #[serde(skip_serializing_if = "is_zero")]
    pub matched: u64,
    /// Objects of which nothing is sent, because it is not known which object in Assets they are.
    #[serde(skip_serializing_if = "is_zero")]
    pub ambiguous: u64,
    /// Objects of which nothing is sent, because they have no value of the identity.
    #[serde(skip_serializing_if = "is_zero")]
    pub unidentified: u64,
    /// Objects that others made in Assets and that are not in the directory, as a dry run found them.
    #[serde(skip_serializing_if = "is_zero")]
    pub only_in_assets: u64,
    /// Objects left out by the filter's scope, exclusions and limits.
    #[serde(skip_serializing_if = "is_zero")]
    pub out_of_scope: u64,
    /// Stubs of objects outside the scope, to which objects in scope refer (`outside: stub`). Not among `read`.
    #[serde(skip_serializing_if = "is_zero")]
    pub stubs: u64,
    /// References that were left out, because what they lead to is not delivered: it is outside the scope, was deleted, or
    /// is of another type, such as a service principal that owns a group. Of a test also those to what it did not read.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped_references: u64,
    /// Of users, if the job has `jiraUser`: for how many the run looked in Jira, by what came of it.
    /// `GET /v1/jobs/{id}/jira-users` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jira_users: Option<JiraUserCounts>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Counts by object type, and those of `memberships`.
pub type Counts = BTreeMap<String, TypeCounts>;

/// Why a run failed or was cancelled: the terminal record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<RunStage>,
    /// Stable text: `graph_forbidden`, `assets_conflict`, …
    #[schema(value_type = String)]
    pub code: RecordedCode<RunErrorCode>,
    pub detail: String,
    /// Graph's or the sign-in service's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_code: Option<String>,
    /// Assets' own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assets_code: Option<String>,
    /// The request id to give to Microsoft's support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Ways to fix it, as a connection check shows them, where Entra issued no token or one without permissions.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remedies: Vec<Remedy>,
}

/// Something that went wrong without ending the run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunWarning {
    #[schema(value_type = String)]
    pub code: RecordedCode<WarningCode>,
    pub detail: String,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl RunWarning {
    pub fn new(code: WarningCode, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), count: None, advice: None }
    }

    pub fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn with_count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

text_enum! {
    /// The kinds of events of a run.
    EventKind in "run_events.event" {
        /// The run came to another state.
        State = "state",
        /// How far the run is.
        Progress = "progress",
        /// A message for people.
        Log = "log",
    }
}

text_enum! {
    /// What a run does to an object.
    ChangeAction in "run_changes.action" {
        /// It was not delivered before.
        Create = "create",
        /// It was delivered before, and has changed.
        Update = "update",
        /// It is as it was delivered. Such objects are never listed.
        Unchanged = "unchanged",
        /// Delivered before and no longer seen, or no longer in scope; counted, nothing done yet.
        Missing = "missing",
        /// Delivered as removed: Lifecycle and Removed On are set.
        Mark = "mark",
        /// Deleted in Assets.
        Remove = "remove",
        /// Seen again after it was missing or marked.
        Restore = "restore",
        /// Found in an object type that others filled, and taken over: it is updated.
        Matched = "matched",
        /// It is not known which object it is, so nothing is sent of it: several objects in Assets have its identity, or
        /// several objects of the directory do.
        Ambiguous = "ambiguous",
        /// It has no value of the identity, so nothing is sent of it.
        Unidentified = "unidentified",
        /// In an object type that others filled, and not in the directory. A dry run lists these; nothing is done with
        /// them.
        OnlyInAssets = "onlyInAssets",
    }
}

text_enum! {
    /// Why an object changes.
    ChangeReason in "run_changes.reason or mirror_delivered.missing_reason" {
        /// It was not delivered before.
        New = "new",
        /// A value changed.
        Changed = "changed",
        /// A reference's target arrived or left.
        References = "references",
        /// The selection, the names or the form of the data changed.
        Mapping = "mapping",
        /// It was deleted for good.
        Deleted = "deleted",
        /// It was deleted and can still be restored.
        SoftDeleted = "softDeleted",
        /// It left the filter's scope.
        OutOfScope = "outOfScope",
        /// It came back.
        SeenAgain = "seenAgain",
        /// The object in Assets has the same identity.
        SameIdentity = "sameIdentity",
        /// The object in Assets has no identity yet, and the same value of `matchBy`.
        SameProperty = "sameProperty",
        /// Several objects in Assets have the value.
        SeveralInAssets = "severalInAssets",
        /// Several objects of the directory have the value.
        SeveralInDirectory = "severalInDirectory",
        /// The object in Assets with the same value of `matchBy` has another identity.
        OtherIdentity = "otherIdentity",
        /// It has no value of the identity.
        NoIdentity = "noIdentity",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_live_until_it_has_ended() {
        let live: Vec<RunState> = RunState::ALL.into_iter().filter(|state| !state.is_terminal()).collect();
        assert_eq!(live, RunState::LIVE);
        assert!(RunState::BUSY.iter().all(|state| RunState::LIVE.contains(state)));
    }
}
