//! The row of a job's mirror.

use super::counters::Counters;
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::db::schema::{destinations, mirrors};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The tables of a job's mirror. The last one has its row.
pub const TABLES: [&str; 10] = [
    "mirror_objects",
    "mirror_members",
    "mirror_scope_members",
    "mirror_left_out",
    "mirror_delivered",
    "mirror_touched",
    "mirror_links",
    "mirror_dropped",
    "jira_users",
    "mirrors",
];

/// A job's mirror.
#[derive(Queryable, Selectable, Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = mirrors, treat_none_as_null = true)]
pub struct MirrorRow {
    pub organization_id: Uuid,
    pub job_id: Uuid,
    /// `tid` of the token that read it.
    pub tenant_id: Option<Uuid>,
    /// Hash of the selected types, attributes and filter: another selection needs a full read.
    pub selection_hash: Option<Vec<u8>>,
    /// Increases with every complete read.
    pub generation: i64,
    pub read_at: Option<DateTime<Utc>>,
    pub full_read_at: Option<DateTime<Utc>>,
    pub users_delta_sealed: Option<Vec<u8>>,
    pub groups_delta_sealed: Option<Vec<u8>>,
    /// The destination of the delivered rows.
    pub delivered_to: Option<Uuid>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
    /// Types of which the next delivery sends all objects, whether they changed or not.
    pub resend: Vec<ObjectType>,
    /// The import source in Assets that received them, and the version of the destination that leads to it.
    pub import_source: Option<String>,
    pub destination_version: Option<i64>,
    /// By what the delivered rows were compared last. `None`: everything has to be compared.
    pub compared_by: Option<Vec<u8>>,
    /// The generations up to which what was touched, and the links, are complete.
    pub touched_generation: Option<i64>,
    pub links_generation: Option<i64>,
    /// See [`Counters`].
    pub counters: serde_json::Value,
    /// The generation up to which what the filter leaves out is known ([`super::left_out`]).
    pub left_out_generation: Option<i64>,
}

impl MirrorRow {
    /// Whether all changes of the mirror since the last comparison are known.
    pub fn is_followed(&self) -> bool {
        self.compared_by.is_some() && self.touched_generation == Some(self.generation)
    }

    /// What is counted; nothing, where another version wrote it.
    pub fn counters(&self) -> Counters {
        serde_json::from_value(self.counters.clone()).unwrap_or_default()
    }

    pub fn set_counters(&mut self, counters: &Counters) -> Result<()> {
        self.counters = serde_json::to_value(counters).map_err(Error::internal)?;
        Ok(())
    }
}

/// The mirror of a job; empty before its first read.
pub async fn find(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<MirrorRow> {
    let found =
        mirrors::table.find((organization.0, job.0)).select(MirrorRow::as_select()).first(tx).await.optional()?;
    Ok(found.unwrap_or(MirrorRow {
        organization_id: organization.0,
        job_id: job.0,
        tenant_id: None,
        selection_hash: None,
        generation: 0,
        read_at: None,
        full_read_at: None,
        users_delta_sealed: None,
        groups_delta_sealed: None,
        delivered_to: None,
        delivered_at: None,
        updated_at: DateTime::UNIX_EPOCH,
        resend: Vec::new(),
        import_source: None,
        destination_version: None,
        compared_by: None,
        touched_generation: None,
        links_generation: None,
        counters: serde_json::json!({}),
        left_out_generation: None,
    }))
}

pub async fn save(tx: &mut Transaction, row: &MirrorRow) -> Result<()> {
    diesel::insert_into(mirrors::table)
        .values(row)
        .on_conflict((mirrors::organization_id, mirrors::job_id))
        .do_update()
        .set(row)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the whole mirror of a job, seen and delivered.
pub async fn reset(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    for table in TABLES {
        diesel::sql_query(format!("DELETE FROM {table} WHERE organization_id = $1 AND job_id = $2"))
            .bind::<SqlUuid, _>(organization.0)
            .bind::<SqlUuid, _>(job.0)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// A run ends without being settled. Where Assets has, or may have, all that it sent, nobody knows which values are there, so
/// the next delivery sends these types whole. Fenced by the end of the run, in the same transaction.
pub async fn resend_unsettled(tx: &mut Transaction, lease: &Lease) -> Result<()> {
    const RESEND: &str = "
        UPDATE mirrors SET resend = ARRAY(
            SELECT unnest(resend)
            UNION
            SELECT object_type FROM run_changes WHERE organization_id = $1 AND run_id = $2 AND send)
        FROM runs
        WHERE mirrors.organization_id = $1 AND mirrors.job_id = runs.job_id
            AND runs.organization_id = $1 AND runs.id = $2
            AND EXISTS (SELECT FROM executions WHERE organization_id = $1 AND run_id = $2
                AND (state IN ('completed', 'done') OR (state = 'ingesting' AND sending_seq > acknowledged_seq)))";
    diesel::sql_query(RESEND)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Where a delivery goes.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub destination: Uuid,
    pub destination_version: i64,
    /// The id of the import source in Assets, if its links contain it.
    pub import_source: Option<String>,
}

/// Stores that the destination may have objects from now on, before the first one is sent.
pub async fn delivery_begins(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    to: &Receiver,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(mirrors::table.find((organization.0, job.0)))
        .set((mirrors::import_source.eq(&to.import_source), mirrors::destination_version.eq(to.destination_version)))
        .execute(tx)
        .await?;
    diesel::update(mirrors::table.find((organization.0, job.0)))
        .filter(mirrors::delivered_at.is_null())
        .set(mirrors::delivered_at.eq(now))
        .execute(tx)
        .await?;
    diesel::update(destinations::table.find((organization.0, to.destination)))
        .filter(destinations::delivered_at.is_null())
        .set(destinations::delivered_at.eq(now))
        .execute(tx)
        .await?;
    Ok(())
}
