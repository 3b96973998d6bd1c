//! Organizations: the owners of every row. One that is being deleted is invisible here.

use super::schema::{api_keys, handovers, organizations, removed_installations, tickets};
use super::{Transaction, is_unique_violation};
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = organizations)]
pub struct OrganizationRow {
    pub organization_id: Uuid,
    pub name: String,
    pub external_id: Option<String>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What a caller decides of an organization.
#[derive(Insertable, AsChangeset, Clone, Debug)]
#[diesel(table_name = organizations, treat_none_as_null = true)]
pub struct NewOrganizationRow {
    pub name: String,
    pub external_id: Option<String>,
}

fn from_write(error: diesel::result::Error) -> Error {
    match is_unique_violation(&error, "organizations_external_id_key") {
        true => Error::new(Code::NameTaken, "Another organization has this `externalId`."),
        false => error.into(),
    }
}

pub async fn insert(
    tx: &mut Transaction,
    id: OrganizationId,
    new: &NewOrganizationRow,
    now: DateTime<Utc>,
) -> Result<OrganizationRow> {
    let meta =
        (organizations::organization_id.eq(id.0), organizations::created_at.eq(now), organizations::updated_at.eq(now));
    let insert = diesel::insert_into(organizations::table).values((new, meta));
    insert.returning(OrganizationRow::as_returning()).get_result(tx).await.map_err(from_write)
}

pub async fn find(tx: &mut Transaction, id: OrganizationId) -> Result<Option<OrganizationRow>> {
    let query = organizations::table.find(id.0).filter(organizations::deleting_at.is_null());
    Ok(query.select(OrganizationRow::as_select()).first(tx).await.optional()?)
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub async fn lock(tx: &mut Transaction, id: OrganizationId) -> Result<Option<OrganizationRow>> {
    let query = organizations::table.find(id.0).filter(organizations::deleting_at.is_null());
    Ok(query.select(OrganizationRow::as_select()).for_update().first(tx).await.optional()?)
}

/// Those that the transaction may see, oldest first; `after` is the last id of the page before.
pub async fn list(tx: &mut Transaction, after: Option<Uuid>, limit: i64) -> Result<Vec<OrganizationRow>> {
    let query = organizations::table
        .filter(organizations::organization_id.gt(after.unwrap_or_default()))
        .filter(organizations::deleting_at.is_null())
        .order(organizations::organization_id.asc())
        .limit(limit);
    Ok(query.select(OrganizationRow::as_select()).load(tx).await?)
}

pub async fn update(
    tx: &mut Transaction,
    id: OrganizationId,
    new: &NewOrganizationRow,
    now: DateTime<Utc>,
) -> Result<OrganizationRow> {
    let change = (new, organizations::version.eq(organizations::version + 1), organizations::updated_at.eq(now));
    let update = diesel::update(organizations::table.find(id.0)).set(change);
    update.returning(OrganizationRow::as_returning()).get_result(tx).await.map_err(from_write)
}

/// Remembers that an organization with an external id, as that of an installation, is gone: until when its tokens do not count
/// any more.
pub async fn remember_removal(tx: &mut Transaction, id: OrganizationId, now: DateTime<Utc>) -> Result<()> {
    let external_id = organizations::table.find(id.0).select(organizations::external_id).first::<Option<String>>(tx);
    let Some(external_id) = external_id.await.optional()?.flatten() else { return Ok(()) };
    diesel::insert_into(removed_installations::table)
        .values((removed_installations::external_id.eq(external_id), removed_installations::removed_at.eq(now)))
        .on_conflict(removed_installations::external_id)
        .do_update()
        .set(removed_installations::removed_at.eq(now))
        .execute(tx)
        .await?;
    Ok(())
}

/// When an installation was removed, as long as that is remembered.
pub async fn removed_at(tx: &mut Transaction, external_id: &str) -> Result<Option<DateTime<Utc>>> {
    let query = removed_installations::table.find(external_id).select(removed_installations::removed_at);
    Ok(query.first(tx).await.optional()?)
}

/// Hides the organization and ends everybody's access to it; `system::clear_organization` removes the rest.
pub async fn begin_deletion(tx: &mut Transaction, id: OrganizationId, now: DateTime<Utc>) -> Result<()> {
    remember_removal(tx, id, now).await?;
    diesel::update(organizations::table.find(id.0))
        .set((
            organizations::deleting_at.eq(now),
            organizations::external_id.eq(None::<String>),
            organizations::updated_at.eq(now),
        ))
        .execute(tx)
        .await?;
    diesel::delete(api_keys::table.filter(api_keys::organization_id.eq(id.0))).execute(tx).await?;
    diesel::delete(tickets::table.filter(tickets::organization_id.eq(id.0))).execute(tx).await?;
    diesel::delete(handovers::table.filter(handovers::organization_id.eq(id.0))).execute(tx).await?;
    Ok(())
}
