//! What a read of changes has to know besides the mirror. Under the name of a type: objects that the conditions of a filter
//! admit, and its scope or limits leave out; one of them comes in when another leaves. Under the name of its stubs: objects
//! that are referred to and of which there is no stub, because they do not exist or are excluded.

use super::stored_as::StoredAs;
use crate::db::schema::mirror_left_out as l;
use crate::db::{Transaction, join_in_bulk};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The objects that are left out under a name, ascending.
pub async fn ids(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    stored_as: StoredAs,
) -> Result<Vec<Uuid>> {
    Ok(l::table
        .filter(l::organization_id.eq(organization.0))
        .filter(l::job_id.eq(job.0))
        .filter(l::object_type.eq(stored_as))
        .order(l::id)
        .select(l::id)
        .load(tx)
        .await?)
}

/// Makes these the objects that are left out under a name. Writes only the rows that differ. Callers have fenced.
pub async fn replace(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    stored_as: StoredAs,
    ids: &[Uuid],
) -> Result<()> {
    const FORGET: &str = "
        DELETE FROM mirror_left_out l WHERE organization_id = $1 AND job_id = $2 AND object_type = $3
            AND NOT EXISTS (SELECT FROM unnest($4::uuid[]) AS kept(id) WHERE kept.id = l.id)";
    const ADD: &str = "
        INSERT INTO mirror_left_out (organization_id, job_id, object_type, id)
        SELECT $1, $2, $3, id FROM unnest($4::uuid[]) AS new(id) ON CONFLICT DO NOTHING";
    join_in_bulk(tx).await?;
    for statement in [FORGET, ADD] {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(organization.0)
            .bind::<SqlUuid, _>(job.0)
            .bind::<Text, _>(stored_as)
            .bind::<Array<SqlUuid>, _>(ids)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Forgets all that is left out. Callers have fenced.
pub async fn forget(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<()> {
    let all = l::table.filter(l::organization_id.eq(organization.0)).filter(l::job_id.eq(job.0));
    diesel::delete(all).execute(tx).await?;
    Ok(())
}
