//! A read of changes becomes the mirror, in one transaction. Every statement looks up the rows that change by their keys: what
//! it costs does not grow with the mirror.

use super::moved::{Moved, groups_with_changes};
use super::read::{MembershipPair, membership_pairs};
use super::statement::execute;
use super::stored_as::{StoredAs, names};
use crate::db::runs::Lease;
use crate::db::{Transaction, join_in_bulk};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use diesel::QueryableByName;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What became of memberships.
pub struct Patched {
    /// Those that were looked for, as they are when the members of groups have been replaced, with those of deleted users and
    /// groups, which are then taken out.
    pub pairs: Vec<MembershipPair>,
    /// How many were taken out.
    pub taken_out: u64,
}

/// Makes the changes that a run staged the mirror's: the objects and stubs that [`super::moved()`] found, and the members of
/// groups that were staged whole. Looks for the memberships of `members`. Callers have fenced.
pub async fn patch(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    moved: &[Moved],
    stubs: &[Moved],
    members: Vec<Uuid>,
) -> Result<Patched> {
    // All members of a new or changed group are staged. The members of a group that is gone are deleted.
    const SEEN: &str = "
        INSERT INTO mirror_members (organization_id, job_id, group_id, member_type, part, hash, member_ids)
        SELECT $1, $3, group_id, member_type, part, hash, member_ids FROM staged_members
        WHERE organization_id = $1 AND run_id = $2";
    join_in_bulk(tx).await?;
    patch_objects(tx, lease, job, moved, |object_type| Some(StoredAs::Object(object_type))).await?;
    patch_objects(tx, lease, job, stubs, StoredAs::stub).await?;
    let gone = format!(
        "DELETE FROM mirror_members WHERE organization_id = $1 AND job_id = $3
            AND group_id = ANY(ARRAY{})",
        groups_with_changes()
    );
    for statement in [gone.as_str(), SEEN] {
        execute(tx, lease, job, statement).await?;
    }
    let deleted = deleted(tx, lease).await?;
    let wanted: Vec<Uuid> = deleted.iter().copied().chain(members).collect();
    if wanted.is_empty() {
        return Ok(Patched { pairs: Vec::new(), taken_out: 0 });
    }
    // They are stored by group, so all of them are looked through.
    let pairs = membership_pairs(tx, lease.organization, job, &wanted).await?;
    let lost: Vec<&MembershipPair> = pairs.iter().filter(|pair| deleted.contains(&pair.member)).collect();
    let (taken_out, groups) = (lost.len() as u64, lost.iter().map(|pair| pair.group_id).collect());
    take_out(tx, lease, job, &deleted, groups).await?;
    Ok(Patched { pairs, taken_out })
}

/// Deletes and writes the objects that differ, which are stored under these names. Callers have fenced.
pub(super) async fn patch_objects(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    moved: &[Moved],
    stored_as: fn(ObjectType) -> Option<StoredAs>,
) -> Result<()> {
    const GONE: &str = "
        DELETE FROM mirror_objects WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = ANY($4)";
    const SEEN: &str = "
        INSERT INTO mirror_objects (organization_id, job_id, object_type, id, hash, data)
        SELECT $1, $2, object_type, id, hash, data FROM staged_objects
        WHERE organization_id = $1 AND run_id = $5 AND object_type = $3 AND id = ANY($4)
        ON CONFLICT (organization_id, job_id, object_type, id) DO UPDATE SET hash = excluded.hash, data = excluded.data";
    for object_type in ObjectType::ALL {
        let Some(stored_as) = stored_as(object_type) else { continue };
        let ids = |is_there: bool| -> Vec<Uuid> {
            let those = moved.iter().filter(|moved| moved.object_type == object_type && moved.is_there == is_there);
            those.map(|moved| moved.id).collect()
        };
        let (gone, seen) = (ids(false), ids(true));
        let statement = |statement: &'static str, ids: Vec<Uuid>| {
            diesel::sql_query(statement)
                .bind::<SqlUuid, _>(lease.organization.0)
                .bind::<SqlUuid, _>(job.0)
                .bind::<Text, _>(stored_as)
                .bind::<Array<SqlUuid>, _>(ids)
        };
        if !gone.is_empty() {
            statement(GONE, gone).execute(tx).await?;
        }
        if !seen.is_empty() {
            statement(SEEN, seen).bind::<SqlUuid, _>(lease.run.0).execute(tx).await?;
        }
    }
    Ok(())
}

/// The users and groups that were deleted.
async fn deleted(tx: &mut Transaction, lease: &Lease) -> Result<BTreeSet<Uuid>> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let deleted = format!(
        "SELECT id FROM staged_objects WHERE organization_id = $1 AND run_id = $2
            AND object_type IN ({}) AND data IN ('deleted', 'softDeleted')",
        names([ObjectType::Users, ObjectType::Groups].map(StoredAs::Gone))
    );
    let deleted: Vec<Gone> = diesel::sql_query(deleted)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .load(tx)
        .await?;
    Ok(deleted.into_iter().map(|gone| gone.id).collect())
}

/// A deleted user or group is in no group, whether or not the groups' own changes say so.
async fn take_out(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    deleted: &BTreeSet<Uuid>,
    groups: BTreeSet<Uuid>,
) -> Result<()> {
    const TAKE_OUT: &str = "
        UPDATE mirror_members SET hash = '', member_ids = ARRAY(SELECT member FROM unnest(member_ids) AS member
            WHERE member <> ALL($3) ORDER BY member)
        WHERE organization_id = $1 AND job_id = $2 AND group_id = ANY($4)
            AND EXISTS (SELECT FROM unnest(member_ids) AS member WHERE member = ANY($3))";
    if groups.is_empty() {
        return Ok(());
    }
    diesel::sql_query(TAKE_OUT)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(deleted.iter().copied().collect::<Vec<_>>())
        .bind::<Array<SqlUuid>, _>(groups.into_iter().collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}
