//! The texts that the objects of a delivery are to be linked by.

use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

/// The distinct texts that a run sends under a key, with the number of objects, the most frequent first. PostgreSQL reads no
/// text out of JSON in which there is a NUL character; such an object is left out.
pub async fn texts(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    object_type: ObjectType,
    key: &str,
    most: i64,
) -> Result<Vec<(String, u64)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        text: String,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const TEXTS: &str = "
        SELECT text, count(*) AS number FROM (
            SELECT CASE WHEN strpos(after, '\\u0000') = 0 THEN after::json ->> $4 END AS text FROM run_changes
            WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND send AND after IS NOT NULL
                AND action NOT IN ('mark', 'remove')) AS sent
        WHERE text IS NOT NULL GROUP BY text ORDER BY number DESC, text LIMIT $5";
    let rows: Vec<Row> = diesel::sql_query(TEXTS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(object_type)
        .bind::<Text, _>(key)
        .bind::<BigInt, _>(most)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.text, row.number.unsigned_abs())).collect())
}
