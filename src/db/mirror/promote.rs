//! A complete read becomes the mirror, in one transaction.

use super::staging::{StagedObject, clear_all_but_gone, restart, stage_objects};
use crate::db::runs::{Lease, fence};
use crate::db::{Transaction, join_in_bulk};
use crate::error::Result;
use crate::ids::JobId;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A complete read to become the mirror.
pub struct Promotion<'a> {
    /// The object types that were read completely. The mirror of other types stays.
    pub types: &'a [&'static str],
    /// Whether memberships were read completely.
    pub members: bool,
    /// Only changes were staged: small types completely, users and groups as changes with markers for objects that are
    /// gone.
    pub is_patch: bool,
}

const GONE: &str = "
    DELETE FROM mirror_objects m WHERE organization_id = $1 AND job_id = $3 AND object_type = ANY($4)
    AND NOT EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $2
        AND s.object_type = m.object_type AND s.id = m.id)";
const SEEN: &str = "
    INSERT INTO mirror_objects AS m (organization_id, job_id, object_type, id, hash, data)
    SELECT $1, $3, object_type, id, hash, data FROM staged_objects s
    WHERE organization_id = $1 AND run_id = $2 AND object_type = ANY($4)
    AND NOT EXISTS (SELECT FROM mirror_objects k WHERE k.organization_id = $1 AND k.job_id = $3
        AND k.object_type = s.object_type AND k.id = s.id AND k.hash = s.hash)
    ON CONFLICT (organization_id, job_id, object_type, id) DO UPDATE SET hash = excluded.hash, data = excluded.data
    WHERE m.hash IS DISTINCT FROM excluded.hash";

/// Makes what a run staged the mirror, in one transaction. Fenced. Only rows that differ are inserted: ON CONFLICT would
/// lock the others, and so write them. A row that was staged by its hash alone and is not in the mirror fails the
/// transaction, so that nothing is lost silently.
pub async fn promote(tx: &mut Transaction, lease: &Lease, job: JobId, read: &Promotion<'_>) -> Result<()> {
    const MEMBERS_GONE: &str = "
        DELETE FROM mirror_members m WHERE organization_id = $1 AND job_id = $3
        AND NOT EXISTS (SELECT FROM staged_members s WHERE s.organization_id = $1 AND s.run_id = $2
            AND s.group_id = m.group_id AND s.member_type = m.member_type AND s.part = m.part)";
    const MEMBERS_SEEN: &str = "
        INSERT INTO mirror_members AS m (organization_id, job_id, group_id, member_type, part, hash, member_ids)
        SELECT $1, $3, group_id, member_type, part, hash, member_ids FROM staged_members s
        WHERE organization_id = $1 AND run_id = $2
        AND NOT EXISTS (SELECT FROM mirror_members k WHERE k.organization_id = $1 AND k.job_id = $3
            AND k.group_id = s.group_id AND k.member_type = s.member_type AND k.part = s.part AND k.hash = s.hash)
        ON CONFLICT (organization_id, job_id, group_id, member_type, part)
        DO UPDATE SET member_ids = excluded.member_ids, hash = excluded.hash";
    // All members of a new or changed group are staged. The members of a group that is gone are deleted.
    const MEMBERS_PATCHED: &str = "
        DELETE FROM mirror_members m WHERE organization_id = $1 AND job_id = $3
        AND (EXISTS (SELECT FROM staged_members s WHERE s.organization_id = $1 AND s.run_id = $2
                AND s.group_id = m.group_id)
            OR EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $2
                AND s.object_type = 'gone:groups' AND s.id = m.group_id))";
    // A deleted user or group is in no group, whether or not the groups' own changes say so.
    const MEMBERS_OF_GONE: &str = "
        WITH gone AS (SELECT id FROM staged_objects WHERE organization_id = $1 AND run_id = $2
                AND object_type IN ('gone:users', 'gone:groups') AND data IN ('deleted', 'softDeleted')),
            hit AS (SELECT DISTINCT m.group_id, m.member_type, m.part FROM mirror_members m, unnest(m.member_ids) AS member
                JOIN gone ON gone.id = member WHERE m.organization_id = $1 AND m.job_id = $3)
        UPDATE mirror_members m SET hash = '', member_ids = ARRAY(SELECT member FROM unnest(m.member_ids) AS member
            WHERE member NOT IN (SELECT id FROM gone) ORDER BY member)
        FROM hit WHERE m.organization_id = $1 AND m.job_id = $3 AND m.group_id = hit.group_id
            AND m.member_type = hit.member_type AND m.part = hit.part";
    const MARKED: &str = "
        DELETE FROM mirror_objects m USING staged_objects s WHERE m.organization_id = $1 AND m.job_id = $3
        AND m.object_type = ANY($4) AND s.organization_id = $1 AND s.run_id = $2
        AND s.object_type = 'gone:' || m.object_type AND s.id = m.id";
    fence(tx, lease).await?;
    join_in_bulk(tx).await?;
    let (patched, whole): (Vec<&str>, Vec<&str>) =
        read.types.iter().partition(|name| read.is_patch && matches!(**name, "users" | "groups"));
    let objects = match read.is_patch {
        true => &[(MARKED, &patched), (SEEN, &patched), (GONE, &whole), (SEEN, &whole)][..],
        false => &[(GONE, &whole), (SEEN, &whole)],
    };
    for (statement, types) in objects {
        promote_objects(tx, lease, job, statement, types).await?;
    }
    let members = match (read.is_patch, read.members) {
        (true, _) => &[MEMBERS_PATCHED, MEMBERS_SEEN, MEMBERS_OF_GONE][..],
        (false, true) => &[MEMBERS_GONE, MEMBERS_SEEN],
        (false, false) => &[],
    };
    for statement in members {
        diesel::sql_query(*statement)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<SqlUuid, _>(job.0)
            .execute(tx)
            .await?;
    }
    if read.is_patch {
        return Ok(());
    }
    clear_all_but_gone(tx, lease.organization, lease.run).await
}

async fn promote_objects(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    statement: &str,
    types: &[&str],
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

/// Stages the objects of a type that are made of others. With `job` they then replace what its mirror has of the type.
/// Callers have fenced.
pub async fn replace_derived(
    tx: &mut Transaction,
    lease: &Lease,
    job: Option<JobId>,
    object_type: &'static str,
    objects: Vec<StagedObject>,
) -> Result<()> {
    stage_objects(tx, lease, objects).await?;
    let Some(job) = job else { return Ok(()) };
    for statement in [GONE, SEEN] {
        promote_objects(tx, lease, job, statement, &[object_type]).await?;
    }
    restart(tx, lease, object_type).await
}

/// Stages the members that the mirror has of groups whose members could not be read (hidden membership, gone in between),
/// in place of what was staged.
pub async fn restage_members(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<()> {
    const FORGET: &str = "
        DELETE FROM staged_members WHERE organization_id = $1 AND run_id = $2 AND group_id = ANY($3)";
    const STAGE: &str = "
        INSERT INTO staged_members (organization_id, run_id, group_id, member_type, part, hash, member_ids)
        SELECT $1, $2, group_id, member_type, part, hash, member_ids FROM mirror_members
        WHERE organization_id = $1 AND job_id = $3 AND group_id = ANY($4)";
    if groups.is_empty() {
        return Ok(());
    }
    fence(tx, lease).await?;
    diesel::sql_query(FORGET)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .execute(tx)
        .await?;
    diesel::sql_query(STAGE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .execute(tx)
        .await?;
    Ok(())
}
