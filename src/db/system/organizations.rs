//! The organization of a caller with a token.

use crate::audit::{Action, Actor};
use crate::db::Db;
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::organizations::removed_at;
use crate::db::schema::organizations;
use crate::error::Result;
use crate::ids::OrganizationId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The organization that a token names: by its external id, else by its id.
pub async fn find_organization(db: &Db, name: &str) -> Result<Option<OrganizationId>> {
    let id = Uuid::parse_str(name).ok();
    db.system(async |tx| {
        let found: Option<Uuid> = organizations::table
            .filter(organizations::external_id.eq(name).or(organizations::organization_id.nullable().eq(id)))
            .filter(organizations::deleting_at.is_null())
            .order(organizations::external_id.eq(name).desc().nulls_last())
            .select(organizations::organization_id)
            .first(tx)
            .await
            .optional()?;
        Ok(found.map(OrganizationId))
    })
    .await
}

/// An organization that is created for its first caller.
pub struct NewOrganization<'a> {
    pub id: OrganizationId,
    pub external_id: &'a str,
    pub name: &'a str,
    /// When the caller's token was issued; `None`: it does not say.
    pub issued_at: Option<DateTime<Utc>>,
    pub actor: &'a Actor,
    /// Where the caller's request came from.
    pub address: Option<String>,
}

/// The organization with this external id; created if there is none. `None`: it was removed since the token was issued.
pub async fn ensure_organization(
    db: &Db,
    new: NewOrganization<'_>,
    event_id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<OrganizationId>> {
    let existing = || {
        let existing = organizations::table.filter(organizations::external_id.eq(new.external_id));
        existing.select(organizations::organization_id)
    };
    db.system(async |tx| {
        let removed_at = removed_at(tx, new.external_id).await?;
        if removed_at.is_some_and(|at| new.issued_at.is_none_or(|issued| issued < at)) {
            return Ok(None);
        }
        if let Some(existing) = existing().first(tx).await.optional()? {
            return Ok(Some(OrganizationId(existing)));
        }
        let inserted = diesel::insert_into(organizations::table)
            .values((
                organizations::organization_id.eq(new.id.0),
                organizations::name.eq(new.name),
                organizations::external_id.eq(new.external_id),
                organizations::created_at.eq(now),
                organizations::updated_at.eq(now),
            ))
            .on_conflict(organizations::external_id)
            .do_nothing()
            .execute(tx)
            .await?;
        if inserted == 0 {
            // Another process was faster.
            return Ok(Some(OrganizationId(existing().first(tx).await?)));
        }
        let event = AuditEventRow {
            organization_id: new.id.0,
            id: event_id,
            at: now,
            actor: new.actor.clone(),
            action: Action::Create.into(),
            resource_kind: "organizations".to_owned(),
            resource_id: Some(new.id.0),
            detail: serde_json::json!({"externalId": new.external_id}),
            address: new.address.clone(),
        };
        audit_events::insert(tx, &event).await?;
        Ok(Some(new.id))
    })
    .await
}
