//! What the operator does to organizations: each change in one transaction with its audit event and idempotency key, which
//! belong to the operator's own organization. Callers have checked who they are.

use crate::db::api_keys::{self, NewApiKeyRow};
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::destinations;
use crate::db::idempotency::{self, Request};
use crate::db::organizations::{self, NewOrganizationRow, OrganizationRow};
use crate::db::{Db, Transaction, schema};
use crate::error::{Code, Error, Result};
use crate::ids::{ApiKeyId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Oldest first; `after` is the last id of the page before.
pub async fn list_organizations(db: &Db, after: Option<Uuid>, limit: i64) -> Result<Vec<OrganizationRow>> {
    db.system(async |tx| organizations::list(tx, after, limit).await).await
}

pub async fn organization(db: &Db, id: OrganizationId) -> Result<Option<OrganizationRow>> {
    db.system(async |tx| organizations::find(tx, id).await).await
}

/// Every organization, also those that are being deleted.
pub async fn organization_ids(db: &Db) -> Result<Vec<OrganizationId>> {
    use schema::organizations::dsl;
    let ids: Vec<Uuid> =
        db.system(async |tx| Ok(dsl::organizations.select(dsl::organization_id).load(tx).await?)).await?;
    Ok(ids.into_iter().map(OrganizationId).collect())
}

/// An organization to be made, with its first key.
pub struct Creation<'a> {
    pub id: OrganizationId,
    pub organization: NewOrganizationRow,
    pub key_id: ApiKeyId,
    pub key: NewApiKeyRow,
    pub audit: AuditEventRow,
    pub request: Option<&'a Request>,
    /// The status of the answer.
    pub status: u16,
}

/// Makes an organization. `false`: an earlier request with the same idempotency key made it.
pub async fn create_organization(db: &Db, new: &Creation<'_>, now: DateTime<Utc>) -> Result<(OrganizationRow, bool)> {
    let operator = OrganizationId(new.audit.organization_id);
    db.system(async |tx| {
        if let Some(id) = idempotency::replay(tx, operator, new.request, now).await?.map(OrganizationId) {
            let row = organizations::find(tx, id).await?.ok_or_else(|| Error::not_found("organization", id))?;
            return Ok((row, false));
        }
        refuse_id_of_another(tx, &new.organization, new.id).await?;
        let row = organizations::insert(tx, new.id, &new.organization, now).await?;
        api_keys::insert(tx, new.id, new.key_id, &new.key, now).await?;
        audit_events::insert(tx, &new.audit).await?;
        idempotency::insert(tx, operator, new.request, new.status, new.id.0, now).await?;
        Ok((row, true))
    })
    .await
}

/// Changes an organization that is still at `version`. `None`: it is not, because somebody else changed it.
pub async fn update_organization(
    db: &Db,
    (id, version): (OrganizationId, i64),
    new: &NewOrganizationRow,
    audit: &AuditEventRow,
    now: DateTime<Utc>,
) -> Result<Option<OrganizationRow>> {
    db.system(async |tx| {
        if lock(tx, id).await?.version != version {
            return Ok(None);
        }
        refuse_id_of_another(tx, new, id).await?;
        audit_events::insert(tx, audit).await?;
        Ok(Some(organizations::update(tx, id, new, now).await?))
    })
    .await
}

/// Begins to delete an organization that is still at `version`. `false`: it is not, because somebody else changed it.
pub async fn begin_deletion(
    db: &Db,
    (id, version): (OrganizationId, i64),
    audit: &AuditEventRow,
    now: DateTime<Utc>,
) -> Result<bool> {
    db.system(async |tx| {
        if lock(tx, id).await?.version != version {
            return Ok(false);
        }
        audit_events::insert(tx, audit).await?;
        organizations::begin_deletion(tx, id, now).await?;
        Ok(true)
    })
    .await
}

/// Begins to delete the organization of a Forge installation, where it is the app's alone: it has no API key, and no
/// destination of another kind than `forge`. Answers with the number of its import sources; `None`: it stays.
pub async fn begin_uninstall(
    db: &Db,
    id: OrganizationId,
    audit: &AuditEventRow,
    now: DateTime<Utc>,
) -> Result<Option<usize>> {
    db.system_within(id, async |tx| {
        // Whoever adds a key or a destination waits for it.
        lock(tx, id).await?;
        let is_of_others = id == OrganizationId::DEFAULT
            || api_keys::has_any(tx, id).await?
            || destinations::has_other_than_forge(tx, id).await?;
        if is_of_others {
            organizations::remember_removal(tx, id, now).await?;
            return Ok(None);
        }
        let imports = destinations::of_forge(tx, id, None).await?.len();
        audit_events::insert(tx, audit).await?;
        organizations::begin_deletion(tx, id, now).await?;
        Ok(Some(imports))
    })
    .await
}

async fn lock(tx: &mut Transaction, id: OrganizationId) -> Result<OrganizationRow> {
    organizations::lock(tx, id).await?.ok_or_else(|| Error::not_found("organization", id))
}

/// Tokens name an organization by its `externalId` or by its id, so that the one must not be the other of somebody else.
async fn refuse_id_of_another(tx: &mut Transaction, new: &NewOrganizationRow, own: OrganizationId) -> Result<()> {
    let named = new.external_id.as_deref().and_then(|id| Uuid::parse_str(id.trim()).ok()).map(OrganizationId);
    match named.filter(|named| *named != own) {
        Some(other) if organizations::find(tx, other).await?.is_some() => Err(Error::new(
            Code::NameTaken,
            format!(
                "`externalId` is the id of another organization ({other}). Tokens for that one would reach this one."
            ),
        )),
        _ => Ok(()),
    }
}
