//! The audit log: who changed what, when.

use super::Transaction;
use super::list::{Condition, is, list};
use super::schema::audit_events;
use crate::audit::{Action, Actor};
use crate::codes::RecordedCode;
use crate::error::Result;
use crate::ids::{self, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = audit_events)]
pub struct AuditEventRow {
    pub organization_id: Uuid,
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub action: RecordedCode<Action>,
    /// The collection in the API: `filters`.
    pub resource_kind: String,
    pub resource_id: Option<Uuid>,
    /// Details, such as the names of the changed fields. Never a secret.
    pub detail: Value,
    /// The address of the caller; `None`: it is not known, or the service acted by itself.
    pub address: Option<String>,
}

impl AuditEventRow {
    /// An action of the service itself on a resource.
    pub fn of_service(
        organization: OrganizationId,
        actor: Actor,
        (action, kind, id): (Action, &str, Uuid),
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            organization_id: organization.0,
            id: ids::new_v7_at(now),
            at: now,
            actor,
            action: action.into(),
            resource_kind: kind.to_owned(),
            resource_id: Some(id),
            detail: json!({}),
            address: None,
        }
    }
}

pub async fn insert(tx: &mut Transaction, event: &AuditEventRow) -> Result<()> {
    diesel::insert_into(audit_events::table).values(event).execute(tx).await?;
    Ok(())
}

/// Which events to list. Conditions combine: an event fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only what this actor did, as events name it: `adminKey`, `apiKey:<id>`, `scheduler`, …
    #[param(min_length = 1, max_length = 500)]
    pub actor: Option<String>,
    /// Only this action: `create`, `update`, `delete`, …
    #[param(min_length = 1, max_length = 100)]
    pub action: Option<String>,
    /// Only what was done to resources of this collection: `jobs`.
    #[param(min_length = 1, max_length = 100)]
    pub resource_kind: Option<String>,
    /// Only what was done to this resource.
    pub resource_id: Option<Uuid>,
    /// Only events at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Only events before this time.
    pub to: Option<DateTime<Utc>>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<audit_events::table>> {
        let found = [
            self.actor.clone().map(|actor| is(audit_events::actor.eq(actor))),
            self.action.clone().map(|action| is(audit_events::action.eq(action))),
            self.resource_kind.clone().map(|kind| is(audit_events::resource_kind.eq(kind))),
            self.resource_id.map(|id| is(audit_events::resource_id.assume_not_null().eq(id))),
            self.from.map(|from| is(audit_events::at.ge(from))),
            self.to.map(|to| is(audit_events::at.lt(to))),
        ];
        found.into_iter().flatten().collect()
    }
}

list!(audit_events, AuditEventRow, by time);

/// Who took an action on each of these resources last, as far as the log goes back.
pub async fn actors(
    tx: &mut Transaction,
    organization: OrganizationId,
    action: Action,
    resources: &[Uuid],
) -> Result<Vec<(Uuid, Actor)>> {
    let rows: Vec<(Option<Uuid>, Actor)> = audit_events::table
        .filter(audit_events::organization_id.eq(organization.0))
        .filter(audit_events::resource_id.assume_not_null().eq_any(resources))
        .filter(audit_events::action.eq(action))
        .order(audit_events::id)
        .select((audit_events::resource_id, audit_events::actor))
        .load(tx)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, actor)| Some((id?, actor))).collect())
}
