//! The settings of a job for a run, a check or a preview: the job with its connection, filter and destination, read in
//! one transaction so that they are consistent.

use super::Transaction;
use super::schema::{connections, destinations, filters, jobs};
use super::webhooks::{self, Announcement};
use crate::cloud::Cloud;
use crate::connection::CredentialKind;
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, DestinationId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy};
use crate::mapping::{Memberships, ReferenceTemplate};
use crate::webhook::WebhookEvent;
use crate::webhook::payload::{ObservedDestination, PausedJob, Subject};
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
    pub version: i64,
}

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = connections)]
pub struct ConnectionPart {
    pub id: Uuid,
    pub name: String,
    pub tenant_id: String,
    pub client_id: Uuid,
    pub cloud: Cloud,
    pub credential_kind: CredentialKind,
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
    pub kind: DestinationKind,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
    pub version: i64,
    /// When any job first sent something to it.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Objects by type after the last settled delivery.
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

/// Stores how Assets treated missing objects, as an execution showed.
pub async fn observe_missing_objects(
    tx: &mut Transaction,
    organization: OrganizationId,
    destination: Uuid,
    observed: MissingObjects,
    now: DateTime<Utc>,
) -> Result<()> {
    let name: String = diesel::update(destinations::table.find((organization.0, destination)))
        .set((
            destinations::missing_objects.eq(observed),
            destinations::version.eq(destinations::version + 1),
            destinations::updated_at.eq(now),
        ))
        .returning(destinations::name)
        .get_result(tx)
        .await?;
    let event = WebhookEvent::DestinationObserved;
    let announcement = Announcement {
        event: event.into(),
        subject: Subject::ObservedDestination(ObservedDestination {
            id: DestinationId(destination),
            name,
            missing_objects: observed,
        }),
        run: None,
    };
    webhooks::announce(tx, organization, event, announcement, now).await
}

/// Stores how many objects of each type a destination has after a settled delivery.
pub async fn note_contents(
    tx: &mut Transaction,
    organization: OrganizationId,
    destination: Uuid,
    counts: &BTreeMap<ObjectType, u64>,
) -> Result<()> {
    let counts = serde_json::to_value(counts).map_err(Error::internal)?;
    diesel::update(destinations::table.find((organization.0, destination)))
        .set(destinations::delivered.eq(counts))
        .execute(tx)
        .await?;
    Ok(())
}

/// Resets what is stored of a destination's contents: it now leads to another import source, which has none yet.
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

/// Pauses a job's schedule and stores the reason. A person has to enable it again.
pub async fn pause_schedule(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let name: String = diesel::update(jobs::table.find((organization.0, job.0)))
        .set((
            jobs::schedule_enabled.eq(false),
            jobs::schedule_next_at.eq(None::<DateTime<Utc>>),
            jobs::schedule_full_next_at.eq(None::<DateTime<Utc>>),
            jobs::schedule_paused_reason.eq(reason),
            jobs::updated_at.eq(now),
        ))
        .returning(jobs::name)
        .get_result(tx)
        .await?;
    announce_pause(tx, organization, (job, &name), reason, now).await
}

/// Announces that the schedule of a job was paused.
pub async fn announce_pause(
    tx: &mut Transaction,
    organization: OrganizationId,
    (job, name): (JobId, &str),
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = WebhookEvent::SchedulePaused;
    let announcement = Announcement {
        event: event.into(),
        subject: Subject::PausedJob(PausedJob { id: job, name: name.to_owned(), paused_reason: reason.to_owned() }),
        run: None,
    };
    webhooks::announce(tx, organization, event, announcement, now).await
}
