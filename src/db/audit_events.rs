//! The audit log: who changed what, when.

use super::Transaction;
use super::schema::audit_events::{self, dsl};
use crate::error::Result;
use crate::ids::{self, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = audit_events)]
pub struct AuditEventRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// The key, token or part of the service that acted.
    pub actor: String,
    /// create, update, delete, …
    pub action: String,
    /// The collection in the API: `filters`.
    pub resource_kind: String,
    pub resource_id: Option<Uuid>,
    /// Details, such as the names of the changed fields. Never a secret.
    pub detail: Value,
}

impl AuditEventRow {
    /// An action of the service itself on a resource.
    pub fn of_service(
        organization: OrganizationId,
        actor: &str,
        (action, kind, id): (&str, &str, Uuid),
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            organization_id: organization.0,
            id: ids::new_v7_at(now),
            at: now,
            actor: actor.to_owned(),
            action: action.to_owned(),
            resource_kind: kind.to_owned(),
            resource_id: Some(id),
            detail: json!({}),
        }
    }
}

pub async fn insert(tx: &mut Transaction, event: &AuditEventRow) -> Result<()> {
    diesel::insert_into(audit_events::table).values(event).execute(tx).await?;
    Ok(())
}

/// Newest first; `before` is the last id of the page before.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<AuditEventRow>> {
    let mut query = dsl::audit_events.filter(dsl::organization_id.eq(organization.0)).into_boxed();
    if let Some(before) = before {
        query = query.filter(dsl::id.lt(before));
    }
    Ok(query.order(dsl::id.desc()).limit(limit).select(AuditEventRow::as_select()).load(tx).await?)
}
