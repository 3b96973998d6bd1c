//! The names of objects that a run changed or knew, for those that refer to them.

use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(QueryableByName)]
struct LabelRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    label: String,
}

/// The names of these objects, as far as they were delivered or are among the changes of the run.
pub async fn labels(
    tx: &mut Transaction,
    organization: OrganizationId,
    (job, run): (JobId, RunId),
    objects: &[(ObjectType, Uuid)],
) -> Result<HashMap<Uuid, String>> {
    // Two looks into an index for each object.
    const LABELS: &str = "
        SELECT wanted.id, coalesce(d.label, c.label) AS label
        FROM unnest($4::text[], $5::uuid[]) AS wanted(object_type, id)
        LEFT JOIN LATERAL (SELECT label FROM mirror_delivered
            WHERE organization_id = $1 AND job_id = $2 AND object_type = wanted.object_type AND id = wanted.id OFFSET 0
        ) d ON true
        LEFT JOIN LATERAL (SELECT label FROM run_changes
            WHERE organization_id = $1 AND object_id = wanted.id AND run_id = $3 AND label IS NOT NULL LIMIT 1
        ) c ON true
        WHERE coalesce(d.label, c.label) IS NOT NULL";
    if objects.is_empty() {
        return Ok(HashMap::new());
    }
    let (types, ids): (Vec<&str>, Vec<Uuid>) =
        objects.iter().map(|(object_type, id)| (object_type.as_str(), *id)).unzip();
    let rows: Vec<LabelRow> = diesel::sql_query(LABELS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Array<Text>, _>(types)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.label)).collect())
}
