//! The members of groups by which a filter's scope decides who is in scope, whether these groups are imported or not.
//! Before the changes of a run that is what the mirror has; after them, what the run staged takes its place.

use super::read::MembersRow;
use super::source::Source;
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::ids::JobId;
use diesel::QueryableByName;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

// In all queries here $1 is the organization, $2 the job and $3 the run, where the query needs the run.

/// Before or after the changes that a run staged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Before,
    After,
}

/// The members that the mirror has. Those in `mirror_scope_members` count for groups that are not imported: of a group
/// that is, `mirror_members` has them.
const MIRROR: &str = "
    (SELECT group_id, member_type, member_ids FROM mirror_members WHERE organization_id = $1 AND job_id = $2
     UNION ALL SELECT group_id, member_type, member_ids FROM mirror_scope_members m
     WHERE organization_id = $1 AND job_id = $2 AND NOT EXISTS (SELECT FROM mirror_objects o
        WHERE o.organization_id = $1 AND o.job_id = $2 AND o.object_type = 'groups' AND o.id = m.group_id))";

/// The members after the changes: those of the mirror, but for groups that the run staged or that are gone.
fn after_changes() -> String {
    format!(
        "(SELECT group_id, member_type, member_ids FROM {MIRROR} m
          WHERE NOT EXISTS (SELECT FROM staged_members s
                WHERE s.organization_id = $1 AND s.run_id = $3 AND s.group_id = m.group_id)
            AND NOT {}
          UNION ALL SELECT group_id, member_type, member_ids FROM staged_members
          WHERE organization_id = $1 AND run_id = $3)",
        is_staged("gone:groups", "m.group_id")
    )
}

/// Whether a group is staged under this name.
fn is_staged(stored_as: &str, group: &str) -> String {
    format!(
        "EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $3
            AND s.object_type = '{stored_as}' AND s.id = {group})"
    )
}

/// Whether a group is imported after the changes of a run.
fn is_imported_after_changes(group: &str) -> String {
    let (staged, gone) = (is_staged("groups", group), is_staged("gone:groups", group));
    format!(
        "({staged} OR (NOT {gone} AND EXISTS (SELECT FROM mirror_objects o
            WHERE o.organization_id = $1 AND o.job_id = $2 AND o.object_type = 'groups' AND o.id = {group})))"
    )
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// The ids that a query of the mirror finds of these groups, which are $3.
async fn ids(tx: &mut Transaction, lease: &Lease, job: JobId, query: &str, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    let rows: Vec<Id> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The ids that a query of the mirror and of what the run staged finds of these groups, which are $4.
async fn ids_after_changes(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    query: &str,
    groups: &[Uuid],
) -> Result<Vec<Uuid>> {
    let rows: Vec<Id> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The direct members of these groups of one type, `user` or `group`, ascending, each once.
pub async fn members(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    state: State,
    member_type: &'static str,
    groups: &[Uuid],
) -> Result<Vec<Uuid>> {
    match state {
        State::Before => {
            let query = format!(
                "SELECT DISTINCT member AS id FROM {MIRROR} m, unnest(member_ids) AS member
                 WHERE member_type = '{member_type}' AND group_id = ANY($3) ORDER BY member"
            );
            ids(tx, lease, job, &query, groups).await
        }
        State::After => {
            let query = format!(
                "SELECT DISTINCT member AS id FROM {} m, unnest(member_ids) AS member
                 WHERE member_type = '{member_type}' AND group_id = ANY($4) ORDER BY member",
                after_changes()
            );
            ids_after_changes(tx, lease, job, &query, groups).await
        }
    }
}

/// Those of these groups of whose members nothing is known after the changes.
pub async fn unknown(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    let query = format!(
        "SELECT g.id FROM unnest($4::uuid[]) AS g(id)
         WHERE NOT {} AND NOT EXISTS (SELECT FROM {} m WHERE m.group_id = g.id)",
        is_imported_after_changes("g.id"),
        after_changes()
    );
    ids_after_changes(tx, lease, job, &query, groups).await
}

/// Those of these groups that are not imported, and whose members are stored for the scope.
pub async fn kept(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    const STORED: &str = "
        SELECT DISTINCT group_id AS id FROM mirror_scope_members m
        WHERE organization_id = $1 AND job_id = $2 AND group_id = ANY($3)
            AND NOT EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $2
                AND o.object_type = 'groups' AND o.id = m.group_id)";
    ids(tx, lease, job, STORED, groups).await
}

/// The members of these groups that are stored for the scope, unordered.
pub async fn members_of(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<MembersRow>> {
    const MEMBERS: &str = "
        SELECT group_id, member_type, member_ids FROM mirror_scope_members
        WHERE organization_id = $1 AND job_id = $2 AND group_id = ANY($3)";
    Ok(diesel::sql_query(MEMBERS)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?)
}

/// After a whole read: takes the members of groups that are not imported out of staging, and stores them for the scope
/// in place of all that were stored. Callers have fenced.
pub async fn store_all(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    const FORGET: &str = "DELETE FROM mirror_scope_members WHERE organization_id = $1 AND job_id = $2";
    diesel::sql_query(FORGET).bind::<SqlUuid, _>(lease.organization.0).bind::<SqlUuid, _>(job.0).execute(tx).await?;
    move_from_staging(tx, lease, job, &is_staged("groups", "g.id")).await
}

/// After a read of changes: as [`store_all`], in place of those that were stored for the same groups. Callers have fenced.
pub async fn store_changed(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    let forget = format!(
        "DELETE FROM mirror_scope_members m WHERE organization_id = $1 AND job_id = $2
            AND ({} OR {} OR EXISTS (SELECT FROM staged_members s
                WHERE s.organization_id = $1 AND s.run_id = $3 AND s.group_id = m.group_id))",
        is_staged("groups", "m.group_id"),
        is_staged("gone:groups", "m.group_id")
    );
    diesel::sql_query(forget)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    move_from_staging(tx, lease, job, &is_imported_after_changes("g.id")).await
}

/// Moves the members of groups that are not imported, by `is_imported`, from staging to what is stored for the scope. An
/// empty row means «no members»; a missing row means «unknown».
async fn move_from_staging(tx: &mut Transaction, lease: &Lease, job: JobId, is_imported: &str) -> Result<()> {
    // A group without members has no rows: its cursor says that it was read. All parts of one statement see the rows as
    // they were before it, so the insertion sees what is deleted.
    let statement = format!(
        "WITH outside AS (
            SELECT g.id FROM (SELECT group_id AS id FROM staged_members WHERE organization_id = $1 AND run_id = $3
                UNION SELECT part::uuid FROM run_cursors WHERE organization_id = $1 AND run_id = $3
                    AND collection = 'members' AND done) g
            WHERE NOT {is_imported}),
         taken AS (
            DELETE FROM staged_members WHERE organization_id = $1 AND run_id = $3
                AND group_id IN (SELECT id FROM outside))
         INSERT INTO mirror_scope_members (organization_id, job_id, group_id, member_type, part, member_ids)
         SELECT $1, $2, group_id, member_type, part, member_ids FROM {} m JOIN outside ON outside.id = group_id
         WHERE organization_id = $1 AND run_id = $3 AND member_type IN ('user', 'group')
         UNION ALL SELECT $1, $2, outside.id, 'user', 0, '{{}}' FROM outside
         WHERE NOT EXISTS (SELECT FROM staged_members s WHERE s.organization_id = $1 AND s.run_id = $3
            AND s.group_id = outside.id AND s.member_type IN ('user', 'group'))",
        Source::Staged(lease.run).whole_members()
    );
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    Ok(())
}
