//! What may differ from what was delivered since the last comparison, and why what is gone is gone. Rows are added in the
//! transaction that changes the mirror, and deleted in the one that keeps what a comparison led to: a run that fails in
//! between leaves them. Where not all changes are followed, the rows say only why.

use super::moved::groups_with_changes;
use super::read::MembershipPair;
use super::statement::{execute, execute_for, is_in_mirror};
use super::stored_as::{is_marker, of_marker};
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::directory::{MemberType, ObjectType};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// An object that may differ.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    #[diesel(sql_type = Text)]
    pub object_type: ObjectType,
    /// Nil: all objects of the type.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// It came into the mirror since: all groups that it is in are among those that it came into.
    #[diesel(sql_type = Bool)]
    pub arrived: bool,
    /// The groups that it came into, and those that it left.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub came: Vec<Uuid>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub went: Vec<Uuid>,
}

/// Adds objects.
pub async fn add(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    objects: &[(ObjectType, Uuid)],
) -> Result<()> {
    const ADD: &str = "
        INSERT INTO mirror_touched (organization_id, job_id, object_type, id)
        SELECT DISTINCT $1, $2, object_type, id FROM unnest($3::text[], $4::uuid[]) AS new(object_type, id)
        ON CONFLICT DO NOTHING";
    if objects.is_empty() {
        return Ok(());
    }
    let (types, ids): (Vec<ObjectType>, Vec<Uuid>) = objects.iter().copied().unzip();
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds objects that came into the mirror, with all groups that they are in: pairs of a group and a member.
pub async fn add_arrived(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    objects: &[(ObjectType, Uuid)],
    pairs: &[MembershipPair],
) -> Result<()> {
    const ADD: &str = "
        INSERT INTO mirror_touched (organization_id, job_id, object_type, id, arrived, came)
        SELECT $1, $2, new.object_type, new.id, true,
            coalesce(array_agg(DISTINCT pair.group_id) FILTER (WHERE pair.group_id IS NOT NULL), '{}')
        FROM unnest($3::text[], $4::uuid[]) AS new(object_type, id)
        LEFT JOIN unnest($5::uuid[], $6::uuid[]) AS pair(group_id, member) ON pair.member = new.id
        GROUP BY new.object_type, new.id
        ON CONFLICT (organization_id, job_id, object_type, id)
        DO UPDATE SET arrived = true, came = excluded.came, went = '{}'";
    if objects.is_empty() {
        return Ok(());
    }
    let (types, ids): (Vec<ObjectType>, Vec<Uuid>) = objects.iter().copied().unzip();
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<SqlUuid>, _>(pairs.iter().map(|pair| pair.group_id).collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(pairs.iter().map(|pair| pair.member).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// Which memberships a read of changes adds and takes away, before it becomes the mirror. What the mirror knows of the
/// members of a group that it does not have counts for nothing. Compared group by group, so that nothing larger than a group
/// is held at once.
fn differences() -> String {
    format!(
        "WITH changed AS MATERIALIZED (SELECT id, {} AS is_in_mirror FROM {} AS g(id)),
         differ AS MATERIALIZED (SELECT changed.id AS group_id, kind.name AS member_type, d.member, d.came
            FROM changed CROSS JOIN unnest(ARRAY['user', 'group']) AS kind(name)
            CROSS JOIN LATERAL (SELECT member, bool_and(is_after) AS came
                FROM (SELECT unnest(m.member_ids) AS member, false AS is_after FROM mirror_members m
                    WHERE m.organization_id = $1 AND m.job_id = $3 AND m.group_id = changed.id
                        AND m.member_type = kind.name AND changed.is_in_mirror
                    UNION ALL SELECT unnest(s.member_ids), true FROM staged_members s
                    WHERE s.organization_id = $1 AND s.run_id = $2 AND s.group_id = changed.id
                        AND s.member_type = kind.name) AS both_sides
                GROUP BY member HAVING bool_and(is_after) = bool_or(is_after)) AS d)",
        is_in_mirror("$3", "'groups'", "g.id"),
        groups_with_changes()
    )
}

/// Adds the members whose groups will differ, of these types (users, groups), and the groups whose users will, if
/// `with_groups`. A group can be both.
pub async fn add_members(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    member_types: &[MemberType],
    with_groups: bool,
) -> Result<()> {
    let statement = format!(
        "{} INSERT INTO mirror_touched AS t (organization_id, job_id, object_type, id, came, went)
         SELECT $1, $3, object_type, id,
            coalesce(array_agg(group_id) FILTER (WHERE came), '{{}}'),
            coalesce(array_agg(group_id) FILTER (WHERE NOT came), '{{}}')
         FROM (SELECT member_type || 's' AS object_type, member AS id, group_id, came FROM differ
                WHERE member_type = ANY($4)
            UNION ALL SELECT DISTINCT 'groups', group_id, NULL::uuid, NULL::boolean FROM differ
                WHERE $5 AND member_type = 'user') AS found
         GROUP BY object_type, id
         ON CONFLICT (organization_id, job_id, object_type, id) DO UPDATE SET
            came = ARRAY((SELECT unnest(t.came) EXCEPT SELECT unnest(excluded.went)) UNION SELECT unnest(excluded.came)),
            went = ARRAY((SELECT unnest(t.went) EXCEPT SELECT unnest(excluded.came)) UNION SELECT unnest(excluded.went))",
        differences()
    );
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(member_types)
        .bind::<Bool, _>(with_groups)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds the delivered objects that a run found gone, with the reason, which no later run can find; and forgets the reasons
/// of those that are back. The read is the mirror already. Callers have fenced.
pub async fn keep_reasons(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    let back = format!(
        "UPDATE mirror_touched t SET reason = NULL
         WHERE t.organization_id = $1 AND t.job_id = $2 AND t.reason IS NOT NULL AND {}",
        is_in_mirror("$2", "t.object_type", "t.id")
    );
    let gone = format!(
        "INSERT INTO mirror_touched (organization_id, job_id, object_type, id, reason)
        SELECT $1, $3, d.object_type, d.id, s.data FROM staged_objects s
        CROSS JOIN LATERAL (SELECT k.object_type, k.id FROM mirror_delivered k WHERE k.organization_id = $1
            AND k.job_id = $3 AND k.object_type = {} AND k.id = s.id LIMIT 1) d
        WHERE s.organization_id = $1 AND s.run_id = $2 AND {} AND {} IS NULL
        ON CONFLICT (organization_id, job_id, object_type, id) DO UPDATE SET reason = excluded.reason",
        of_marker("s.object_type"),
        is_marker("s.object_type"),
        is_in_mirror("$3", "d.object_type", "d.id")
    );
    diesel::sql_query(back).bind::<SqlUuid, _>(lease.organization.0).bind::<SqlUuid, _>(job.0).execute(tx).await?;
    execute(tx, lease, job, &gone).await
}

/// Everything that may differ, by type and id.
pub async fn all(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<Vec<Touched>> {
    const ALL: &str = "
        SELECT object_type, id, arrived, came, went FROM mirror_touched
        WHERE organization_id = $1 AND job_id = $2 ORDER BY object_type, id";
    Ok(diesel::sql_query(ALL).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0).load(tx).await?)
}

/// How many may differ, counted up to a limit.
pub async fn count(tx: &mut Transaction, organization: OrganizationId, job: JobId, limit: i64) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const COUNT: &str = "
        SELECT count(*) AS number FROM (SELECT FROM mirror_touched
            WHERE organization_id = $1 AND job_id = $2 LIMIT $3) AS counted";
    let row: Row = diesel::sql_query(COUNT)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<BigInt, _>(limit)
        .get_result(tx)
        .await?;
    Ok(row.number)
}

/// After a delivery: what was compared of the types that Assets took differs no longer, but for what the run did not deliver
/// or remove. Callers have fenced.
pub async fn settle(tx: &mut Transaction, lease: &Lease, job: JobId, types: &[ObjectType]) -> Result<()> {
    const SETTLED: &str = "
        DELETE FROM mirror_touched WHERE organization_id = $1 AND job_id = $2 AND object_type = ANY($3)";
    const UNDONE: &str = "
        INSERT INTO mirror_touched (organization_id, job_id, object_type, id, reason)
        SELECT $1, $3, object_type, object_id, CASE WHEN action = 'remove' THEN reason END FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = ANY($4)
            AND ((NOT send AND action NOT IN ('missing', 'onlyInAssets'))
                OR (action = 'remove' AND after IS DISTINCT FROM 'removed'))
        ON CONFLICT DO NOTHING";
    diesel::sql_query(SETTLED)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(types)
        .execute(tx)
        .await?;
    execute_for(tx, lease, job, UNDONE, types).await
}
