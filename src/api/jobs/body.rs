//! Jobs in requests and responses.

use super::last_run::LastRun;
use super::warnings::{JobWarning, warnings};
use crate::api::patch::Change;
use crate::api::respond::{NamedResource, Versioned};
use crate::db::Transaction;
use crate::db::jobs::JobRow;
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, DestinationId, FilterId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy, ScheduleMode};
use crate::mapping::{Memberships, Selection};
use crate::schedule::Schedule;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

/// What happens to objects that left the directory or the scope.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Removal {
    pub policy: RemovalPolicy,
    /// How many complete runs in a row must miss an object first.
    #[schema(minimum = 1, maximum = 1000)]
    pub after_missing_runs: i32,
    /// The percentage of a type's objects that one run may remove. A run that would remove more stops for approval.
    #[schema(minimum = 0, maximum = 100)]
    pub brake_percent: i32,
}

impl Default for Removal {
    fn default() -> Self {
        Self { policy: RemovalPolicy::Keep, after_missing_runs: 3, brake_percent: 20 }
    }
}

/// When the job runs on its own.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSchedule {
    /// Minute, hour, day of month, month, day of week; or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[schema(min_length = 1, max_length = 200, example = "0 5 * * *")]
    pub cron: String,
    /// An IANA time zone.
    #[serde(default = "utc")]
    #[schema(min_length = 1, max_length = 100, default = "UTC", example = "Europe/Berlin")]
    pub timezone: String,
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub enabled: bool,
    /// What the runs of the schedule read. An incremental run reads what changed, which is what a nightly import needs.
    #[serde(default)]
    pub mode: ScheduleMode,
    /// A second, rarer schedule in the same form, whose runs read everything: `0 3 * * SUN` beside a nightly `cron` with the
    /// mode `incremental`. Where both are due, one full run starts. Null: none.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "0 3 * * SUN")]
    pub full_cron: Option<String>,
    /// Whether a failed run of the schedule is repeated.
    #[serde(default)]
    pub retry: ScheduleRetry,
}

/// How a failed run of the schedule is repeated. Runs that a person started are not.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScheduleRetry {
    /// How often it is repeated at most, until one does not fail. 0: never.
    #[schema(minimum = 0, maximum = 5)]
    pub attempts: i32,
    /// How many minutes after the failed run ended the next one starts.
    #[schema(minimum = 1, maximum = 1440)]
    pub after_minutes: i32,
}

impl Default for ScheduleRetry {
    fn default() -> Self {
        Self { attempts: 0, after_minutes: 15 }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

fn yes() -> bool {
    true
}

/// A new job. Every field but the name and the connection has a default.
#[derive(Serialize, Deserialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Nightly", "connectionId": "01900000-0000-7000-8000-000000000010",
    "schedule": {"cron": "0 5 * * *", "timezone": "Europe/Berlin", "enabled": true},
}))]
pub struct CreateJob {
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    pub connection_id: ConnectionId,
    /// Null: the whole directory.
    pub filter_id: Option<FilterId>,
    /// Null: the job only keeps its mirror. A destination serves one job.
    pub destination_id: Option<DestinationId>,
    pub objects: Option<Selection>,
    pub memberships: Option<Memberships>,
    pub deliver: Option<Deliver>,
    pub removal: Option<Removal>,
    /// Null: the job runs only on request.
    pub schedule: Option<JobSchedule>,
}

impl CreateJob {
    /// What is absent has its default. Without a schedule there is none.
    pub(super) fn with_defaults(mut self) -> Self {
        self.objects.get_or_insert_default();
        self.memberships.get_or_insert_default();
        self.deliver.get_or_insert_default();
        self.removal.get_or_insert_default();
        self
    }
}

/// Changes to a job: omitted fields keep their value; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"removal": {"policy": "mark"}}))]
#[expect(dead_code, reason = "merged by `Patch`, but for the schedule")]
pub struct UpdateJob {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    #[schema(nullable = false)]
    connection_id: Option<ConnectionId>,
    filter_id: Option<FilterId>,
    destination_id: Option<DestinationId>,
    #[schema(value_type = Option<Selection>)]
    objects: Option<Value>,
    memberships: Option<Memberships>,
    deliver: Option<Deliver>,
    #[schema(value_type = Option<Removal>)]
    removal: Option<Value>,
    #[serde(default)]
    #[schema(value_type = Option<UpdateSchedule>)]
    pub(super) schedule: Change<UpdateSchedule>,
}

/// Changes to a schedule: omitted fields keep their value; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "describes the merge patch in the document")]
pub struct UpdateSchedule {
    /// When runs start: five fields of cron, or a word such as `@daily`.
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    cron: Option<String>,
    /// The time zone that the times are in, by its IANA name; null: UTC.
    #[schema(min_length = 1, max_length = 100)]
    timezone: Option<String>,
    enabled: Option<bool>,
    mode: Option<ScheduleMode>,
    /// A second schedule, whose runs read everything; null: none.
    #[schema(min_length = 1, max_length = 200)]
    full_cron: Option<String>,
    #[schema(value_type = Option<ScheduleRetry>)]
    retry: Option<Value>,
}

/// A job.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JobResponse {
    pub id: JobId,
    pub name: String,
    pub connection_id: ConnectionId,
    #[schema(required = true)]
    pub filter_id: Option<FilterId>,
    #[schema(required = true)]
    pub destination_id: Option<DestinationId>,
    /// What is imported. In a list only the types that are.
    #[schema(value_type = Selection)]
    pub objects: ShownObjects,
    pub memberships: Memberships,
    pub deliver: Deliver,
    pub removal: Removal,
    #[schema(required = true)]
    pub schedule: Option<ScheduleResponse>,
    /// The connection, with `expand=connection`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connection: Option<NamedResource>,
    /// The filter, with `expand=filter`. Absent if the job has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub filter: Option<NamedResource>,
    /// The destination, with `expand=destination`. Absent if the job has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub destination: Option<NamedResource>,
    /// The newest run, with `expand=lastRun`. Absent if the job never ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_run: Option<LastRun>,
    /// What a run will lack, as far as the checks of the connection tell. Absent if they tell nothing of the kind. Of a
    /// single job only; absent in lists and where a schedule is paused or resumed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub warnings: Vec<JobWarning>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// When the service starts runs of a job.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleResponse {
    /// When runs start: five fields of cron, or a word such as `@daily`.
    pub cron: String,
    /// The time zone that the times are in, by its IANA name.
    pub timezone: String,
    pub enabled: bool,
    /// What the runs of the schedule read.
    pub mode: ScheduleMode,
    /// The second schedule, whose runs read everything; null: none.
    #[schema(required = true)]
    pub full_cron: Option<String>,
    /// What happens when a run of the schedule fails.
    pub retry: ScheduleRetry,
    /// The next time; null while the schedule is off or paused.
    #[schema(required = true)]
    pub next_run_at: Option<DateTime<Utc>>,
    /// The next five times with what each run reads. Of a single job only; absent in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 5)]
    pub next_runs: Vec<NextRun>,
    /// Why the schedule is paused: `manual`, by `POST /v1/jobs/{id}/pause`, or the reason for which the service paused it,
    /// such as `missing_objects_observed`. `POST /v1/jobs/{id}/resume` resumes it, and so does any change of the schedule,
    /// also a change to the same values.
    #[schema(required = true)]
    pub paused_reason: Option<String>,
}

/// A time at which the schedule starts a run.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
pub struct NextRun {
    /// When it starts.
    pub at: DateTime<Utc>,
    /// What it reads.
    pub mode: ScheduleMode,
}

impl Versioned for JobResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

const NEXT_RUNS: usize = 5;

/// The next times of both schedules. Where they meet, the full run starts alone.
fn next_runs(schedule: &ScheduleResponse, now: DateTime<Utc>) -> Vec<NextRun> {
    let times = |cron: &str, mode: ScheduleMode| {
        let parsed = Schedule::parse(cron, &schedule.timezone).ok();
        let times = parsed.map(|parsed| parsed.times_after(now).take(NEXT_RUNS).collect::<Vec<_>>());
        times.into_iter().flatten().map(move |at| NextRun { at, mode })
    };
    let full = schedule.full_cron.iter().flat_map(|cron| times(cron, ScheduleMode::Full));
    let mut next: Vec<NextRun> = full.chain(times(&schedule.cron, schedule.mode)).collect();
    next.sort_by_key(|one| one.at);
    next.dedup_by_key(|one| one.at);
    next.truncate(NEXT_RUNS);
    next
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(Error::internal)
}

/// The selection of a job in a response.
#[derive(Clone, Debug)]
pub struct ShownObjects {
    pub selection: Selection,
    /// Types that are not imported are left out.
    only_enabled: bool,
}

impl Serialize for ShownObjects {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let choices = ObjectType::ALL.into_iter().map(|object_type| (object_type, self.selection.of(object_type)));
        serializer.collect_map(choices.filter(|(_, choice)| choice.enabled || !self.only_enabled))
    }
}

impl JobResponse {
    /// A job in a list.
    pub(super) fn listed(row: JobRow) -> Result<Self> {
        let mut job = Self::from_row(row)?;
        job.objects.only_enabled = true;
        Ok(job)
    }

    /// A single job, with the next times of its schedule.
    pub(in crate::api) fn single(row: JobRow, now: DateTime<Utc>) -> Result<Self> {
        let mut job = Self::from_row(row)?;
        if let Some(schedule) = job.schedule.as_mut().filter(|schedule| schedule.enabled) {
            schedule.next_runs = next_runs(schedule, now);
        }
        Ok(job)
    }

    /// The same with what a run of it will lack.
    pub(super) async fn whole(
        tx: &mut Transaction,
        organization: OrganizationId,
        row: JobRow,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let warnings = warnings(tx, organization, &row).await?;
        Ok(Self { warnings, ..Self::single(row, now)? })
    }

    pub(super) fn from_row(row: JobRow) -> Result<Self> {
        let schedule = match (row.schedule_cron, row.schedule_timezone) {
            (Some(cron), Some(timezone)) => Some(ScheduleResponse {
                cron,
                timezone,
                enabled: row.schedule_enabled,
                mode: row.schedule_mode,
                full_cron: row.schedule_full_cron,
                retry: ScheduleRetry {
                    attempts: row.schedule_retry_attempts,
                    after_minutes: row.schedule_retry_minutes,
                },
                next_run_at: row.schedule_next_at.into_iter().chain(row.schedule_full_next_at).min(),
                next_runs: Vec::new(),
                paused_reason: row.schedule_paused_reason,
            }),
            _ => None,
        };
        Ok(Self {
            id: JobId(row.id),
            name: row.name,
            connection_id: ConnectionId(row.connection_id),
            filter_id: row.filter_id.map(FilterId),
            destination_id: row.destination_id.map(DestinationId),
            objects: ShownObjects { selection: read(row.objects)?, only_enabled: false },
            memberships: row.memberships,
            deliver: row.deliver,
            removal: Removal {
                policy: row.removal_policy,
                after_missing_runs: row.removal_after_missing_runs,
                brake_percent: row.brake_percent,
            },
            schedule,
            connection: None,
            filter: None,
            destination: None,
            last_run: None,
            warnings: Vec::new(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}
