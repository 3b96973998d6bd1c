//! Import jobs. No function here finds a job that is being deleted.

use super::list::{Condition, containing, is, list};
use super::schema::{connections, destinations, filters, jobs};
use super::{Transaction, is_unique_violation};
use crate::error::{Code, Error, Result, UsedBy};
use crate::ids::{ConnectionId, DestinationId, FilterId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy, ScheduleMode};
use crate::mapping::Memberships;
use crate::run_state::RunState;
use crate::text_enum::Words;
use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = jobs)]
pub struct JobRow {
    pub id: Uuid,
    pub name: String,
    // Null only while the job is being deleted; such a job is not read.
    #[diesel(select_expression = jobs::connection_id.assume_not_null())]
    pub connection_id: Uuid,
    pub filter_id: Option<Uuid>,
    pub destination_id: Option<Uuid>,
    pub objects: Value,
    pub memberships: Memberships,
    pub deliver: Deliver,
    pub removal_policy: RemovalPolicy,
    pub removal_after_missing_runs: i32,
    pub brake_percent: i32,
    pub schedule_cron: Option<String>,
    pub schedule_timezone: Option<String>,
    pub schedule_enabled: bool,
    pub schedule_next_at: Option<DateTime<Utc>>,
    pub schedule_paused_reason: Option<String>,
    pub schedule_mode: ScheduleMode,
    pub schedule_full_cron: Option<String>,
    pub schedule_full_next_at: Option<DateTime<Utc>>,
    pub schedule_retry_attempts: i32,
    pub schedule_retry_minutes: i32,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a job that a caller sets, and those that follow from them.
#[derive(Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = jobs, treat_none_as_null = true)]
pub struct NewJobRow {
    pub name: String,
    pub connection_id: Uuid,
    pub filter_id: Option<Uuid>,
    pub destination_id: Option<Uuid>,
    pub objects: Value,
    pub memberships: Memberships,
    pub deliver: Deliver,
    pub removal_policy: RemovalPolicy,
    pub removal_after_missing_runs: i32,
    pub brake_percent: i32,
    pub schedule_cron: Option<String>,
    pub schedule_timezone: Option<String>,
    pub schedule_enabled: bool,
    pub schedule_next_at: Option<DateTime<Utc>>,
    pub schedule_paused_reason: Option<String>,
    pub schedule_mode: ScheduleMode,
    pub schedule_full_cron: Option<String>,
    pub schedule_full_next_at: Option<DateTime<Utc>>,
    pub schedule_retry_attempts: i32,
    pub schedule_retry_minutes: i32,
}

/// A destination that already has a job is an error `destination_in_use`; see [`served_by`] for its name.
fn from_write(error: diesel::result::Error) -> Error {
    match is_unique_violation(&error, "jobs_one_per_destination") {
        true => Error::new(Code::DestinationInUse, "The destination already serves another job."),
        false => error.into(),
    }
}

pub async fn insert(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: JobId,
    new: &NewJobRow,
    now: DateTime<Utc>,
) -> Result<JobRow> {
    let meta = (
        jobs::organization_id.eq(organization.0),
        jobs::id.eq(id.0),
        jobs::created_at.eq(now),
        jobs::updated_at.eq(now),
    );
    let insert = diesel::insert_into(jobs::table).values((new, meta)).returning(JobRow::as_returning());
    insert.get_result(tx).await.map_err(from_write)
}

pub async fn find(tx: &mut Transaction, organization: OrganizationId, id: JobId) -> Result<Option<JobRow>> {
    let query = jobs::table.find((organization.0, id.0)).filter(jobs::deleting_at.is_null());
    Ok(query.select(JobRow::as_select()).first(tx).await.optional()?)
}

/// As [`find`], with a lock on the row until the transaction ends.
pub async fn lock(tx: &mut Transaction, organization: OrganizationId, id: JobId) -> Result<Option<JobRow>> {
    let query = jobs::table.find((organization.0, id.0)).filter(jobs::deleting_at.is_null());
    Ok(query.select(JobRow::as_select()).for_update().first(tx).await.optional()?)
}

/// Which jobs to list. Conditions combine: a job fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only jobs of this connection.
    pub connection_id: Option<ConnectionId>,
    /// Only jobs that deliver to this destination.
    pub destination_id: Option<DestinationId>,
    /// Only jobs with this filter.
    pub filter_id: Option<FilterId>,
    /// Only jobs with exactly this name.
    #[param(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Only jobs whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
    /// `true`: only jobs whose schedule is on. `false`: only those without a schedule, and those whose schedule is off or
    /// paused.
    pub enabled: Option<bool>,
    /// Only jobs whose newest run is in one of these states, separated by commas.
    #[param(value_type = Vec<RunState>, required = false, style = Form, explode = false, max_items = 7)]
    pub last_run_state: Option<Words<RunState>>,
}

/// The state of a job's newest run. It is looked up by the index of the runs of a job.
const LAST_RUN_STATE: &str = "(SELECT r.state FROM runs r
    WHERE r.organization_id = jobs.organization_id AND r.job_id = jobs.id ORDER BY r.id DESC LIMIT 1) = ANY(";

impl Which {
    fn conditions(&self) -> Vec<Condition<jobs::table>> {
        let newest_is = |states: &Words<RunState>| {
            is(sql::<Bool>(LAST_RUN_STATE).bind::<Array<Text>, _>(states.0.clone()).sql(")"))
        };
        let found = [
            Some(is(jobs::deleting_at.is_null())),
            self.connection_id.map(|id| is(jobs::connection_id.assume_not_null().eq(id.0))),
            self.destination_id.map(|id| is(jobs::destination_id.assume_not_null().eq(id.0))),
            self.filter_id.map(|id| is(jobs::filter_id.assume_not_null().eq(id.0))),
            self.name.clone().map(|name| is(jobs::name.eq(name))),
            self.search.as_deref().map(|text| is(jobs::name.ilike(containing(text)))),
            self.enabled.map(|enabled| is(jobs::schedule_enabled.eq(enabled))),
            self.last_run_state.as_ref().map(newest_is),
        ];
        found.into_iter().flatten().collect()
    }
}

list!(jobs, JobRow, by name or time);

pub async fn update(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: JobId,
    new: &NewJobRow,
    now: DateTime<Utc>,
) -> Result<JobRow> {
    let change = (new, jobs::version.eq(jobs::version + 1), jobs::updated_at.eq(now));
    let update = diesel::update(jobs::table.find((organization.0, id.0))).set(change);
    update.returning(JobRow::as_returning()).get_result(tx).await.map_err(from_write)
}

/// Whether the schedule of a job is on, and its next times.
#[derive(AsChangeset, Clone, Debug)]
#[diesel(table_name = jobs, treat_none_as_null = true)]
pub struct ScheduleState {
    pub schedule_enabled: bool,
    pub schedule_next_at: Option<DateTime<Utc>>,
    pub schedule_full_next_at: Option<DateTime<Utc>>,
    pub schedule_paused_reason: Option<String>,
}

pub async fn set_schedule(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: JobId,
    state: &ScheduleState,
    now: DateTime<Utc>,
) -> Result<JobRow> {
    let change = (state, jobs::version.eq(jobs::version + 1), jobs::updated_at.eq(now));
    let update = diesel::update(jobs::table.find((organization.0, id.0))).set(change);
    Ok(update.returning(JobRow::as_returning()).get_result(tx).await?)
}

/// Hides the job and frees its connection, filter and destination at once; `system::clear_deleted_jobs` removes its data.
pub async fn begin_deletion(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: JobId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(jobs::table.find((organization.0, id.0)))
        .set((
            jobs::deleting_at.eq(now),
            jobs::connection_id.eq(None::<Uuid>),
            jobs::destination_id.eq(None::<Uuid>),
            jobs::filter_id.eq(None::<Uuid>),
            jobs::schedule_enabled.eq(false),
            jobs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

/// The job that delivers to a destination, other than `except`.
pub async fn served_by(
    tx: &mut Transaction,
    organization: OrganizationId,
    destination: DestinationId,
    except: Option<JobId>,
) -> Result<Option<UsedBy>> {
    let users = users_of(tx, organization, Refers::Destination(destination)).await?;
    Ok(users.into_iter().find(|job| except.is_none_or(|id| id.0 != job.id)))
}

/// Which of a job's references exist. These rows cannot be deleted until the transaction ends.
#[derive(Clone, Copy, Debug)]
pub struct References {
    pub has_connection: bool,
    pub has_filter: bool,
    /// Whether the destination has access to the object API; `None`: there is no such destination.
    pub destination_api: Option<bool>,
}

pub async fn references(
    tx: &mut Transaction,
    organization: OrganizationId,
    connection: ConnectionId,
    filter: Option<FilterId>,
    destination: Option<DestinationId>,
) -> Result<References> {
    let found: Option<Uuid> = connections::table
        .find((organization.0, connection.0))
        .select(connections::id)
        .for_key_share()
        .first(tx)
        .await
        .optional()?;
    let has_connection = found.is_some();
    let mut has_filter = true;
    if let Some(id) = filter {
        let query = filters::table.find((organization.0, id.0)).select(filters::id).for_key_share();
        has_filter = query.first::<Uuid>(tx).await.optional()?.is_some();
    }
    let mut destination_api = None;
    if let Some(id) = destination {
        let query = destinations::table.find((organization.0, id.0)).select(destinations::api_token_sealed);
        let found: Option<Option<Vec<u8>>> = query.for_key_share().first(tx).await.optional()?;
        destination_api = found.map(|token| token.is_some());
    }
    Ok(References { has_connection, has_filter, destination_api })
}

/// Those of these jobs that exist.
pub async fn existing(tx: &mut Transaction, organization: OrganizationId, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let found: Vec<Uuid> = jobs::table
        .filter(jobs::organization_id.eq(organization.0))
        .filter(jobs::deleting_at.is_null())
        .filter(jobs::id.eq_any(ids))
        .select(jobs::id)
        .load(tx)
        .await?;
    Ok(found.into_iter().collect())
}

/// Something that a job refers to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refers {
    Connection(ConnectionId),
    Filter(FilterId),
    Destination(DestinationId),
}

/// The jobs that refer to something, by id and name.
pub(super) async fn users_of(tx: &mut Transaction, organization: OrganizationId, to: Refers) -> Result<Vec<UsedBy>> {
    let of_organization =
        jobs::table.filter(jobs::organization_id.eq(organization.0)).filter(jobs::deleting_at.is_null()).into_boxed();
    let query = match to {
        Refers::Connection(id) => of_organization.filter(jobs::connection_id.eq(id.0)),
        Refers::Filter(id) => of_organization.filter(jobs::filter_id.eq(id.0)),
        Refers::Destination(id) => of_organization.filter(jobs::destination_id.eq(id.0)),
    };
    let rows: Vec<(Uuid, String)> = query.order(jobs::id).select((jobs::id, jobs::name)).load(tx).await?;
    Ok(rows.into_iter().map(|(id, name)| UsedBy { kind: "jobs", id, name }).collect())
}
