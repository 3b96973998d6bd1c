//! A complete read of everything becomes the mirror, in one transaction; [`super::patch()`] does it for changes.

use super::moved::{Moved, moved};
use super::patch::patch_objects;
use super::staging::{StagedObject, clear_all_but_gone, restart, stage_objects};
use super::statement::{execute, execute_for};
use super::stored_as::StoredAs;
use crate::db::runs::Lease;
use crate::db::{Transaction, join_in_bulk};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// A complete read of everything to become the mirror.
pub struct Promotion<'a> {
    /// The types, and their stubs, that were read completely. The mirror of others stays.
    pub types: &'a [StoredAs],
    /// Whether memberships were read completely.
    pub members: bool,
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

/// Makes what a run staged the mirror, in one transaction. Callers have fenced. Only rows that differ are inserted: ON
/// CONFLICT would lock the others, and so write them. A row that was staged by its hash alone and is not in the mirror fails
/// the transaction, so that nothing is lost silently.
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
    join_in_bulk(tx).await?;
    for statement in [GONE, SEEN] {
        execute_for(tx, lease, job, statement, read.types).await?;
    }
    for statement in if read.members { &[MEMBERS_GONE, MEMBERS_SEEN][..] } else { &[] } {
        execute(tx, lease, job, statement).await?;
    }
    clear_all_but_gone(tx, lease.organization, lease.run).await
}

/// Stages the objects of a type that are made of others. With `job` they then replace what its mirror has of the type, and
/// the answer is what differs. Callers have fenced.
pub async fn replace_derived(
    tx: &mut Transaction,
    lease: &Lease,
    job: Option<JobId>,
    object_type: ObjectType,
    objects: Vec<StagedObject>,
) -> Result<Vec<Moved>> {
    stage_objects(tx, lease, objects).await?;
    let Some(job) = job else { return Ok(Vec::new()) };
    let moved = moved(tx, lease, job, &[], &[StoredAs::Object(object_type)]).await?;
    patch_objects(tx, lease, job, &moved, |object_type| Some(StoredAs::Object(object_type))).await?;
    restart(tx, lease, object_type.as_str()).await?;
    Ok(moved)
}

/// Stages the members that the mirror has of groups whose members could not be read (hidden membership, gone in between),
/// in place of what was staged. Callers have fenced.
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
