//! Everything that a run, a check or a preview needs to know of a job: the job with its connection, filter
//! and destination, read together so that they belong together.

use super::Transaction;
use super::schema::{connections, destinations, filters, jobs};
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, DestinationId, JobId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = jobs)]
pub struct JobPart {
    pub id: Uuid,
    pub name: String,
    // Null only while the job is being deleted, and then it is not read.
    #[diesel(select_expression = jobs::connection_id.assume_not_null())]
    pub connection_id: Uuid,
    pub filter_id: Option<Uuid>,
    pub destination_id: Option<Uuid>,
    pub objects: Value,
    pub memberships: String,
    pub deliver: String,
    pub removal_policy: String,
    pub removal_after_missing_runs: i32,
    pub brake_percent: i32,
    pub version: i64,
}

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = connections)]
pub struct ConnectionPart {
    pub id: Uuid,
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: String,
    pub credential_kind: String,
    pub credential_sealed: Option<Vec<u8>>,
    pub certificate_pem: Option<String>,
    pub credential_expires_at: Option<DateTime<Utc>>,
    pub credential_version: i64,
}

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = filters)]
pub struct FilterPart {
    pub id: Uuid,
    pub rule: Value,
    pub version: i64,
}

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = destinations)]
pub struct DestinationPart {
    pub id: Uuid,
    pub kind: String,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: String,
    pub empty_values: String,
    pub reference_template: String,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
    pub version: i64,
    /// When something was first sent there, by whatever job.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Objects by type, as the last settled delivery left them.
    pub delivered: Value,
}

#[derive(Clone, Debug)]
pub struct JobSettings {
    pub job: JobPart,
    pub connection: ConnectionPart,
    pub filter: Option<FilterPart>,
    pub destination: Option<DestinationPart>,
}

pub async fn load(tx: &mut Transaction, organization: OrganizationId, id: JobId) -> Result<JobSettings> {
    let job: JobPart = jobs::table
        .find((organization.0, id.0))
        .filter(jobs::deleting_at.is_null())
        .select(JobPart::as_select())
        .first(tx)
        .await
        .optional()?
        .ok_or_else(|| Error::not_found("job", id))?;
    let connection = connection(tx, organization, ConnectionId(job.connection_id)).await?;
    let filter = match job.filter_id {
        Some(id) => Some(filters::table.find((organization.0, id)).select(FilterPart::as_select()).first(tx).await?),
        None => None,
    };
    let destination = match job.destination_id {
        Some(id) => {
            Some(destinations::table.find((organization.0, id)).select(DestinationPart::as_select()).first(tx).await?)
        }
        None => None,
    };
    Ok(JobSettings { job, connection, filter, destination })
}

/// A connection alone, for checks and previews.
pub async fn connection(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: ConnectionId,
) -> Result<ConnectionPart> {
    connections::table
        .find((organization.0, id.0))
        .select(ConnectionPart::as_select())
        .first(tx)
        .await
        .optional()?
        .ok_or_else(|| Error::not_found("connection", id))
}

/// A destination alone, for its check.
pub async fn destination(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: DestinationId,
) -> Result<DestinationPart> {
    destinations::table
        .find((organization.0, id.0))
        .select(DestinationPart::as_select())
        .first(tx)
        .await
        .optional()?
        .ok_or_else(|| Error::not_found("destination", id))
}

/// What the execution of an import showed about a destination's setting for missing objects.
pub async fn observe_missing_objects(
    tx: &mut Transaction,
    organization: OrganizationId,
    destination: Uuid,
    observed: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(destinations::table.find((organization.0, destination)))
        .set((
            destinations::missing_objects.eq(observed),
            destinations::version.eq(destinations::version + 1),
            destinations::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

/// What a settled delivery left in a destination: objects by type.
pub async fn note_contents(
    tx: &mut Transaction,
    organization: OrganizationId,
    destination: Uuid,
    counts: &BTreeMap<String, u64>,
) -> Result<()> {
    let counts = serde_json::to_value(counts).map_err(Error::internal)?;
    diesel::update(destinations::table.find((organization.0, destination)))
        .set(destinations::delivered.eq(counts))
        .execute(tx)
        .await?;
    Ok(())
}

/// Another import source stands behind the destination now, and nothing was sent there yet.
pub async fn forget_contents(tx: &mut Transaction, organization: OrganizationId, destination: Uuid) -> Result<()> {
    diesel::update(destinations::table.find((organization.0, destination)))
        .set((
            destinations::delivered_at.eq(None::<DateTime<Utc>>),
            destinations::delivered.eq(Value::Object(Map::new())),
        ))
        .execute(tx)
        .await?;
    Ok(())
}

/// Stops a job's schedule and says why. Somebody has to look before it goes on.
pub async fn pause_schedule(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(jobs::table.find((organization.0, job.0)))
        .set((
            jobs::schedule_enabled.eq(false),
            jobs::schedule_next_at.eq(None::<DateTime<Utc>>),
            jobs::schedule_paused_reason.eq(reason),
            jobs::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    Ok(())
}
