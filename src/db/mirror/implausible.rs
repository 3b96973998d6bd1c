//! Values that the mirror has, and that came empty in what a run staged.
//!
//! Tables that were filled a moment ago have no statistics yet. `LIMIT 1` in a subquery keeps PostgreSQL from joining them
//! row by row: each object is looked up by its key.

use super::staging::{StagedObject, stage_objects};
use super::tenant_names::without_tenant_names;
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::ids::JobId;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A staged object that lacks something which the same object has in the mirror.
#[derive(diesel::QueryableByName)]
pub struct LostValues {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub staged: String,
    #[diesel(sql_type = Text)]
    pub known: String,
}

/// Objects that lack one of these properties, or have an empty text or list there, and have it in the mirror: the next
/// after an id.
pub async fn lost_values(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    object_type: &str,
    names: &[&str],
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<LostValues>> {
    let lost = format!(
        r#"
        SELECT s.id, s.data AS staged, m.data AS known
        FROM staged_objects s CROSS JOIN LATERAL (SELECT o.data, o.hash FROM mirror_objects o
            WHERE o.organization_id = $1 AND o.job_id = $3 AND o.object_type = $4 AND o.id = s.id LIMIT 1) AS m
        CROSS JOIN LATERAL (SELECT {} AS staged, {} AS known OFFSET 0) AS own
        WHERE s.organization_id = $1 AND s.run_id = $2 AND s.object_type = $4 AND s.data IS NOT NULL
        AND s.hash <> m.hash AND ($6::uuid IS NULL OR s.id > $6)
        AND EXISTS (SELECT FROM unnest($5::text[]) AS name WHERE
            position('"' || name || '":' IN own.known) > 0
            AND position('"' || name || '":""' IN own.known) = 0 AND position('"' || name || '":[]' IN own.known) = 0
            AND (position('"' || name || '":' IN own.staged) = 0 OR position('"' || name || '":""' IN own.staged) > 0
                OR position('"' || name || '":[]' IN own.staged) > 0))
        ORDER BY s.id LIMIT $7"#,
        without_tenant_names("s.data"),
        without_tenant_names("m.data")
    );
    Ok(diesel::sql_query(lost)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<Text>, _>(names)
        .bind::<Nullable<SqlUuid>, _>(after)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// Stages objects again, in the transaction that completes a read. Callers have fenced.
pub async fn restage(tx: &mut Transaction, lease: &Lease, objects: Vec<StagedObject>) -> Result<()> {
    stage_objects(tx, lease, objects).await
}

/// How many objects had a list with something in it, and which of them have none now.
#[derive(diesel::QueryableByName)]
pub struct Emptied {
    #[diesel(sql_type = BigInt)]
    pub had: i64,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub lost: Vec<Uuid>,
}

/// Whose list of objects in a property became empty. In a read of changes, what was not staged is as it was. How many had
/// such a list is counted only if at least `at_least` lost it: it takes a look at the whole mirror.
pub async fn emptied_lists(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    (object_type, name): (&str, &str),
    is_patch: bool,
    at_least: i64,
) -> Result<Emptied> {
    const EMPTIED: &str = r#"
        WITH lost AS (SELECT s.id FROM staged_objects s
            CROSS JOIN LATERAL (SELECT o.data FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $3
                AND o.object_type = $4 AND o.id = s.id LIMIT 1) AS m
            WHERE s.organization_id = $1 AND s.run_id = $2 AND s.object_type = $4 AND s.data IS NOT NULL
            AND position($5 IN s.data) = 0 AND position($5 IN m.data) > 0)
        SELECT coalesce((SELECT array_agg(id ORDER BY id) FROM lost), '{}') AS lost,
            CASE WHEN (SELECT count(*) FROM lost) < $7 THEN 0 ELSE (SELECT count(*) FROM mirror_objects m
                WHERE m.organization_id = $1 AND m.job_id = $3 AND m.object_type = $4 AND position($5 IN m.data) > 0
                AND ($6 OR (SELECT true FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $2
                    AND s.object_type = $4 AND s.id = m.id LIMIT 1))) END AS had"#;
    Ok(diesel::sql_query(EMPTIED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        // The first object of the list: an empty one has none. No value under a name of the tenant is a list of objects.
        .bind::<Text, _>(format!("\"{name}\":[{{"))
        .bind::<Bool, _>(is_patch)
        .bind::<BigInt, _>(at_least)
        .get_result(tx)
        .await?)
}

/// Which staged groups had members and have none now.
pub async fn emptied_groups(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<Emptied> {
    const EMPTIED: &str = "
        SELECT count(*) AS had, coalesce(array_agg(id ORDER BY id) FILTER (WHERE has IS NULL), '{}') AS lost
        FROM (SELECT o.id,
                (SELECT true FROM mirror_members m WHERE m.organization_id = $1 AND m.job_id = $3 AND m.group_id = o.id
                    AND cardinality(m.member_ids) > 0 LIMIT 1) AS had,
                (SELECT true FROM staged_members s WHERE s.organization_id = $1 AND s.run_id = $2 AND s.group_id = o.id
                    AND (s.member_ids IS NULL OR cardinality(s.member_ids) > 0) LIMIT 1) AS has
            FROM staged_objects o
            WHERE o.organization_id = $1 AND o.run_id = $2 AND o.object_type = 'groups') AS staged
        WHERE had";
    Ok(diesel::sql_query(EMPTIED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .get_result(tx)
        .await?)
}

/// A group and a user that was a member of it.
#[derive(diesel::QueryableByName)]
pub struct FormerMember {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub user_id: Uuid,
}

/// A user of each of these groups who was a member and still exists.
pub async fn former_members(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    groups: &[Uuid],
) -> Result<Vec<FormerMember>> {
    const FORMER: &str = "
        SELECT DISTINCT ON (m.group_id) m.group_id, former.member AS user_id FROM mirror_members m
        CROSS JOIN LATERAL (SELECT member FROM unnest(m.member_ids) AS member
            WHERE EXISTS (SELECT FROM staged_objects u WHERE u.organization_id = $1 AND u.run_id = $2
                AND u.object_type = 'users' AND u.id = member) LIMIT 1) AS former
        WHERE m.organization_id = $1 AND m.job_id = $3 AND m.group_id = ANY($4) AND m.member_type = 'user'
        ORDER BY m.group_id, user_id";
    Ok(diesel::sql_query(FORMER)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?)
}
