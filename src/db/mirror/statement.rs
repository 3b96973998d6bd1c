//! Statements that take what a run staged or changed to the mirror of its job. Callers have fenced.

use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::ids::JobId;
use diesel::pg::Pg;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

/// `$1` is the organization, `$2` the run, `$3` the job.
pub(super) async fn execute(tx: &mut Transaction, lease: &Lease, job: JobId, statement: &str) -> Result<()> {
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// As [`execute`]; `$4` are types.
pub(super) async fn execute_for(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    statement: &str,
    types: &[impl ToSql<Text, Pg> + Sync],
) -> Result<()> {
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    Ok(())
}
