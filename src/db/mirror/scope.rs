//! By whom a scope decides who is in scope: the members of groups, imported or not. Before a round of changes that is
//! what the mirror has; after it, with what the run staged in its place.

use super::read::{MembersRow, Source};
use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::ids::JobId;
use diesel::QueryableByName;
use diesel::sql_types::{Array, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

// In all queries here $1 is the organization, $2 the run and $3 the job.

/// Before or after the changes that a run staged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Before,
    After,
}

/// What the mirror has of members. Those kept for the scope are of a group that was not imported; once it is, the members
/// that came with it count.
const KNOWN: &str = "
    (SELECT group_id, member_type, member_ids FROM mirror_members WHERE organization_id = $1 AND job_id = $3
     UNION ALL SELECT group_id, member_type, member_ids FROM mirror_scope_members m
     WHERE organization_id = $1 AND job_id = $3 AND NOT EXISTS (SELECT FROM mirror_objects o
        WHERE o.organization_id = $1 AND o.job_id = $3 AND o.object_type = 'groups' AND o.id = m.group_id))";

impl State {
    fn rows(self) -> String {
        match self {
            Self::Before => KNOWN.to_owned(),
            Self::After => format!(
                "(SELECT group_id, member_type, member_ids FROM {KNOWN} known
                  WHERE NOT EXISTS (SELECT FROM staged_members s
                        WHERE s.organization_id = $1 AND s.run_id = $2 AND s.group_id = known.group_id)
                    AND NOT {}
                  UNION ALL SELECT group_id, member_type, member_ids FROM staged_members
                  WHERE organization_id = $1 AND run_id = $2)",
                is_staged("gone:groups", "known.group_id")
            ),
        }
    }
}

/// Whether a group is staged under this name.
fn is_staged(stored_as: &str, group: &str) -> String {
    format!(
        "EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $2
            AND s.object_type = '{stored_as}' AND s.id = {group})"
    )
}

/// Whether a group is imported after the changes of a run, or after a whole read.
fn is_imported(is_patch: bool, group: &str) -> String {
    let (staged, gone) = (is_staged("groups", group), is_staged("gone:groups", group));
    match is_patch {
        false => staged,
        true => format!(
            "({staged} OR (NOT {gone} AND EXISTS (SELECT FROM mirror_objects o
                WHERE o.organization_id = $1 AND o.job_id = $3 AND o.object_type = 'groups' AND o.id = {group})))"
        ),
    }
}

/// The ids that a query finds of these groups, which are $4.
async fn ids(tx: &mut Transaction, lease: &Lease, job: JobId, query: &str, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    // Not every query needs them all, and the database wants to know of what type they are.
    let rows: Vec<Row> = diesel::sql_query(format!("WITH given AS (SELECT $1, $2::uuid, $3, $4::uuid[]) {query}"))
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
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
    let query = format!(
        "SELECT DISTINCT member AS id FROM {} m, unnest(member_ids) AS member
         WHERE member_type = '{member_type}' AND group_id = ANY($4) ORDER BY member",
        state.rows()
    );
    ids(tx, lease, job, &query, groups).await
}

/// Those of these groups of whose members nothing is known after the changes.
pub async fn unknown(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    let query = format!(
        "SELECT g.id FROM unnest($4) AS g(id)
         WHERE NOT {} AND NOT EXISTS (SELECT FROM {} m WHERE m.group_id = g.id)",
        is_imported(true, "g.id"),
        State::After.rows()
    );
    ids(tx, lease, job, &query, groups).await
}

/// Those of these groups that are not imported, and whose members are kept for the scope.
pub async fn kept(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    const KEPT: &str = "
        SELECT DISTINCT group_id AS id FROM mirror_scope_members m
        WHERE organization_id = $1 AND job_id = $3 AND group_id = ANY($4)
            AND NOT EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $3
                AND o.object_type = 'groups' AND o.id = m.group_id)";
    ids(tx, lease, job, KEPT, groups).await
}

/// The kept members of these groups, unordered.
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

/// Takes the members of groups that are not imported out of staging, and keeps them for the scope: after a whole read in
/// place of all that were kept, else in place of those of the same groups. Callers have fenced.
pub async fn keep(tx: &mut Transaction, lease: &Lease, job: JobId, is_patch: bool) -> Result<()> {
    let same = match is_patch {
        false => "true".to_owned(),
        true => format!(
            "({} OR {} OR EXISTS (SELECT FROM staged_members s
                WHERE s.organization_id = $1 AND s.run_id = $2 AND s.group_id = m.group_id))",
            is_staged("groups", "m.group_id"),
            is_staged("gone:groups", "m.group_id")
        ),
    };
    let forget = format!(
        "DELETE FROM mirror_scope_members m WHERE organization_id = $1 AND $2 IS NOT NULL AND job_id = $3 AND {same}"
    );
    // A group without members has no rows: its cursor says that it was read.
    let outside = format!(
        "SELECT g.id FROM (SELECT group_id AS id FROM staged_members WHERE organization_id = $1 AND run_id = $2
            UNION SELECT part::uuid FROM run_cursors WHERE organization_id = $1 AND run_id = $2
                AND collection = 'members' AND done) g
         WHERE NOT {}",
        is_imported(is_patch, "g.id")
    );
    let keep = format!(
        "WITH outside AS ({outside})
         INSERT INTO mirror_scope_members (organization_id, job_id, group_id, member_type, part, member_ids)
         SELECT $1, $3, group_id, member_type, part, member_ids FROM {} m JOIN outside ON outside.id = group_id
         WHERE organization_id = $1 AND run_id = $2 AND member_type IN ('user', 'group')
         UNION ALL SELECT $1, $3, outside.id, 'user', 0, '{{}}' FROM outside
         WHERE NOT EXISTS (SELECT FROM staged_members s WHERE s.organization_id = $1 AND s.run_id = $2
            AND s.group_id = outside.id AND s.member_type IN ('user', 'group'))",
        Source::Staged(lease.run).whole_members()
    );
    let take = format!(
        "DELETE FROM staged_members WHERE organization_id = $1 AND run_id = $2 AND $3 IS NOT NULL
            AND group_id IN ({outside})"
    );
    for statement in [forget, keep, take] {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<SqlUuid, _>(job.0)
            .execute(tx)
            .await?;
    }
    Ok(())
}
