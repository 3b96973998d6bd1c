//! Import jobs. No function here finds a job that is being deleted.

use super::schema::{connections, destinations, filters, jobs};
use super::{Transaction, is_unique_violation};
use crate::error::{Code, Error, Result, UsedBy};
use crate::ids::{ConnectionId, DestinationId, FilterId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy, ScheduleMode};
use crate::mapping::Memberships;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
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

/// Oldest first; `after` is the last id of the page before.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<JobRow>> {
    let query = jobs::table
        .filter(jobs::organization_id.eq(organization.0).and(jobs::id.gt(after.unwrap_or_default())))
        .filter(jobs::deleting_at.is_null())
        .order(jobs::id.asc())
        .limit(limit);
    Ok(query.select(JobRow::as_select()).load(tx).await?)
}

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
