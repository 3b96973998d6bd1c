//! Statements that take what a run staged or changed to the mirror of its job. Callers have fenced.

use super::stored_as::stub_of;
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::ids::JobId;
use diesel::pg::Pg;
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

/// Whether the mirror of a job has an object, whole or as a stub: true or null, where $1 is the organization. Each name is
/// looked up by itself: for a list of both PostgreSQL may go through all objects of the job.
pub(super) fn is_in_mirror(job: &str, object_type: &str, id: &str) -> String {
    let has = |stored_as: &str| {
        format!(
            "(SELECT true FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = {job}
                AND o.object_type = {stored_as} AND o.id = {id} LIMIT 1)"
        )
    };
    format!("coalesce({}, {})", has(object_type), has(&stub_of(object_type)))
}

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
