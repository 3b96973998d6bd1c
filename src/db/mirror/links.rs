//! Who refers to which user: the managers of users and the owners of groups, by the one that is referred to. The table is
//! made when it is needed for the first time after a full read, and follows the changes from then on.

use super::moved::Moved;
use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use diesel::QueryableByName;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// The ids in the properties of a user or group `m`. A tenant can give the same name to an attribute of its own, with any
/// text in it (`tenant_names.rs`): every id that stands at such a name is taken. One too many only makes a comparison look
/// at one object more.
const TARGETS: &str = r#"
    CROSS JOIN LATERAL (SELECT target::uuid FROM unnest(CASE m.object_type
        WHEN 'users' THEN ARRAY(SELECT left(rest, 36) FROM unnest((string_to_array(m.data, '"managerId":"'))[2:]) AS rest)
        ELSE string_to_array(replace(split_part(split_part(m.data, '"ownerIds":[', 2), ']', 1), '"', ''), ',')
    END) AS target WHERE target ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$') AS found(target)"#;

/// Makes the links of these types anew. Callers have fenced.
pub async fn rebuild(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    types: &[ObjectType],
) -> Result<()> {
    const FORGET: &str = "DELETE FROM mirror_links WHERE organization_id = $1 AND job_id = $2";
    diesel::sql_query(FORGET).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0).execute(tx).await?;
    // In the order of the key, so that its index is written from one end to the other.
    let statement = format!(
        "INSERT INTO mirror_links (organization_id, job_id, target_id, object_type, id)
         SELECT $1, $2, found.target, m.object_type, m.id FROM mirror_objects m {TARGETS}
         WHERE m.organization_id = $1 AND m.job_id = $2 AND m.object_type = ANY($3)
         ORDER BY 3, 4, 5 ON CONFLICT DO NOTHING"
    );
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    Ok(())
}

/// Objects of the mirror by type and id, one look-up for each.
const OBJECTS: &str = "
    unnest($3::text[], $4::uuid[]) AS wanted(object_type, id)
    CROSS JOIN LATERAL (SELECT o.object_type, o.id, o.data FROM mirror_objects o WHERE o.organization_id = $1
        AND o.job_id = $2 AND o.object_type = wanted.object_type AND o.id = wanted.id LIMIT 1) AS m";

/// Deletes the links of objects as the mirror has them: before it changes. Callers have fenced.
pub async fn forget(tx: &mut Transaction, organization: OrganizationId, job: JobId, objects: &[Moved]) -> Result<()> {
    let statement = format!(
        "DELETE FROM mirror_links WHERE organization_id = $1 AND job_id = $2 AND id = ANY($4)
            AND target_id = ANY(ARRAY(SELECT DISTINCT found.target FROM {OBJECTS} {TARGETS}))"
    );
    execute(tx, &statement, organization, job, objects).await
}

/// Adds the links of objects as the mirror has them: after it changed. Callers have fenced.
pub async fn add(tx: &mut Transaction, organization: OrganizationId, job: JobId, objects: &[Moved]) -> Result<()> {
    let statement = format!(
        "INSERT INTO mirror_links (organization_id, job_id, target_id, object_type, id)
         SELECT $1, $2, found.target, m.object_type, m.id FROM {OBJECTS} {TARGETS} ON CONFLICT DO NOTHING"
    );
    execute(tx, &statement, organization, job, objects).await
}

async fn execute(
    tx: &mut Transaction,
    statement: &str,
    organization: OrganizationId,
    job: JobId,
    objects: &[Moved],
) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(objects.iter().map(|moved| moved.object_type).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(objects.iter().map(|moved| moved.id).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// The objects that refer to these users.
pub async fn referring(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    targets: &[Uuid],
) -> Result<Vec<(ObjectType, Uuid)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        object_type: ObjectType,
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    const REFERRING: &str = "
        SELECT DISTINCT object_type, id FROM mirror_links
        WHERE organization_id = $1 AND job_id = $2 AND target_id = ANY($3)";
    let rows: Vec<Row> = diesel::sql_query(REFERRING)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(targets)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.object_type, row.id)).collect())
}
