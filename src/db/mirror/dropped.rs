//! How many references of each object were left out because their targets are not delivered.

use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Objects with their numbers.
pub type Dropped = (ObjectType, Uuid, i32);

/// Stores the numbers of a comparison of everything, in place of all that were stored. Callers have fenced.
pub async fn replace(tx: &mut Transaction, organization: OrganizationId, job: JobId, found: &[Dropped]) -> Result<()> {
    diesel::sql_query("DELETE FROM mirror_dropped WHERE organization_id = $1 AND job_id = $2")
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .execute(tx)
        .await?;
    insert(tx, organization, job, found).await
}

/// Stores the numbers of a comparison of some objects in place of those that were stored of them. Returns, by type, what
/// was stored of them before. Callers have fenced.
pub async fn replace_some(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    compared: &[(ObjectType, Uuid)],
    found: &[Dropped],
) -> Result<BTreeMap<ObjectType, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: ObjectType,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const TAKE: &str = "
        WITH taken AS (DELETE FROM mirror_dropped d USING unnest($3::text[], $4::uuid[]) AS compared(object_type, id)
            WHERE d.organization_id = $1 AND d.job_id = $2 AND d.object_type = compared.object_type
                AND d.id = compared.id
            RETURNING d.object_type, d.number)
        SELECT object_type, sum(number)::bigint AS number FROM taken GROUP BY object_type";
    let rows: Vec<Row> = diesel::sql_query(TAKE)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(compared.iter().map(|(object_type, _)| *object_type).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(compared.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .load(tx)
        .await?;
    insert(tx, organization, job, found).await?;
    Ok(rows.into_iter().map(|row| (row.object_type, row.number)).collect())
}

async fn insert(tx: &mut Transaction, organization: OrganizationId, job: JobId, found: &[Dropped]) -> Result<()> {
    const INSERT: &str = "
        INSERT INTO mirror_dropped (organization_id, job_id, object_type, id, number)
        SELECT $1, $2, * FROM unnest($3::text[], $4::uuid[], $5::int[])";
    for found in found.chunks(10_000) {
        diesel::sql_query(INSERT)
            .bind::<SqlUuid, _>(organization.0)
            .bind::<SqlUuid, _>(job.0)
            .bind::<Array<Text>, _>(found.iter().map(|(object_type, ..)| *object_type).collect::<Vec<_>>())
            .bind::<Array<SqlUuid>, _>(found.iter().map(|(_, id, _)| *id).collect::<Vec<_>>())
            .bind::<Array<Integer>, _>(found.iter().map(|(.., number)| *number).collect::<Vec<_>>())
            .execute(tx)
            .await?;
    }
    Ok(())
}
