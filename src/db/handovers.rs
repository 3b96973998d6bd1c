//! Handovers: links with which somebody without a key sets up one connection. Only the hash of a link's secret is stored;
//! `system::find_handover` finds the link of a caller whose organization is not known yet.

use super::Transaction;
use super::crud::crud;
use super::list::{Condition, is, list};
use super::schema::handovers;
use crate::error::Result;
use crate::ids::{ConnectionId, HandoverId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = handovers)]
pub struct HandoverRow {
    pub id: Uuid,
    pub connection_id: Uuid,
    /// SHA-256 of the secret part of the link.
    pub secret_hash: Vec<u8>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub used_at: Option<DateTime<Utc>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a handover that its creator sets, and those that its end and its use set.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = handovers, treat_none_as_null = true)]
pub struct NewHandoverRow {
    pub connection_id: Uuid,
    pub secret_hash: Vec<u8>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

impl From<HandoverRow> for NewHandoverRow {
    fn from(row: HandoverRow) -> Self {
        Self {
            connection_id: row.connection_id,
            secret_hash: row.secret_hash,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            used_at: row.used_at,
        }
    }
}

crud!(handovers, HandoverRow, NewHandoverRow, HandoverId);
list!(handovers, HandoverRow, by time);

/// Which handovers to list.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only handovers of this connection.
    #[param(inline)]
    pub connection_id: Option<ConnectionId>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<handovers::table>> {
        let connection = self.connection_id.map(|id| is(handovers::connection_id.eq(id.0)));
        connection.into_iter().collect()
    }
}

/// Counts an attempt, and answers with how many there were. Two at once are counted as two.
pub async fn count_attempt(tx: &mut Transaction, organization: OrganizationId, id: HandoverId) -> Result<i32> {
    let update = diesel::update(handovers::table.find((organization.0, id.0)));
    let counted = update.set(handovers::attempts.eq(handovers::attempts + 1)).returning(handovers::attempts);
    Ok(counted.get_result(tx).await?)
}
