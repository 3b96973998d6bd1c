//! The quotas of Graph that processes share. Across organizations: an application in a tenant has one quota, whoever uses
//! it.

use super::listen::{QUOTAS, notify};
use super::presence::Presence;
use super::schema::graph_quotas;
use super::{Db, Transaction, may_be_lost};
use crate::error::{Error, Result};
use crate::quota::{Grant, Process, Quota, QuotaKey, Report};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};
use diesel_async::RunQueryDsl;
use serde_json::Value;

/// Hands in the report of a process, and stores what it gets. Reports of several processes wait for each other.
pub async fn exchange(
    db: &Db,
    key: &QuotaKey,
    presence: &Presence,
    report: &Report,
    now: DateTime<Utc>,
) -> Result<Grant> {
    let process = Process { id: presence.key(), holds_lock: presence.shown().is_some() };
    db.system(async |tx| {
        // A crash of the database costs what a few seconds of reckoning are worth.
        may_be_lost(tx).await?;
        let row = (
            graph_quotas::application_id.eq(key.application),
            graph_quotas::tenant_id.eq(&key.tenant),
            graph_quotas::service.eq(key.service),
            graph_quotas::updated_at.eq(now),
        );
        let known: Option<Value> = diesel::insert_into(graph_quotas::table)
            .values(row)
            .on_conflict((graph_quotas::application_id, graph_quotas::tenant_id, graph_quotas::service))
            .do_update()
            .set(graph_quotas::updated_at.eq(now))
            .returning(graph_quotas::state)
            .get_result(tx)
            .await?;
        // What another version has written is begun anew.
        let known = known.and_then(|state| serde_json::from_value(state).ok());
        let mut quota = known.unwrap_or_else(|| Quota::new(report.capacity, now));
        let locks = quota.locks_of_others(process.id);
        if !locks.is_empty() {
            quota.forget(&free(tx, locks).await?);
        }
        let grant = quota.exchange(process, report, now);
        let state = serde_json::to_value(&quota).map_err(Error::internal)?;
        diesel::update(graph_quotas::table.find((key.application, &key.tenant, key.service)))
            .set(graph_quotas::state.eq(state))
            .execute(tx)
            .await?;
        if grant.concerns_others {
            notify(tx, QUOTAS, &key.mark().to_string()).await?;
        }
        Ok(grant)
    })
    .await
}

/// Of these locks, those that nobody holds: their processes died.
async fn free(tx: &mut Transaction, locks: Vec<i64>) -> Result<Vec<i64>> {
    const FREE: &str = "SELECT lock AS key FROM unnest($1) AS lock WHERE pg_try_advisory_xact_lock(lock)";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        key: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(FREE).bind::<Array<BigInt>, _>(locks).load(tx).await?;
    Ok(rows.into_iter().map(|row| row.key).collect())
}

/// Forgets the quotas that nobody has used since `before`: their buckets are full.
pub async fn forget_unused(db: &Db, before: DateTime<Utc>) -> Result<()> {
    db.system(async |tx| {
        diesel::delete(graph_quotas::table.filter(graph_quotas::updated_at.lt(before))).execute(tx).await?;
        Ok(())
    })
    .await
}
