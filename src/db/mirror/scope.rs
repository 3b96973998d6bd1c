//! The members of groups by which a filter's scope decides who is in scope, whether these groups are imported or not.
//! Before the changes of a run that is what the mirror has; after them, what the run staged takes its place.

use super::read::MembersRow;
use super::source::Source;
use super::stored_as::{StoredAs, names};
use super::tenant_names::without_tenant_names;
use crate::db::runs::Lease;
use crate::db::{Transaction, join_in_bulk};
use crate::directory::MemberType;
use crate::directory::ObjectType::Groups;
use crate::error::Result;
use crate::ids::JobId;
use diesel::QueryableByName;
use diesel::sql_types::{Array, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::stream::StreamExt;
use uuid::Uuid;

// In all queries here $1 is the organization, $2 the job and $3 the run, where the query needs the run.

/// Before or after the changes that a run staged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Before,
    After,
}

/// The members that the mirror has. Those in `mirror_scope_members` count for groups that are not imported: of a group
/// that is, whole or as a stub, `mirror_members` has them.
fn mirror() -> String {
    format!(
        "(SELECT group_id, member_type, member_ids FROM mirror_members WHERE organization_id = $1 AND job_id = $2
         UNION ALL SELECT group_id, member_type, member_ids FROM mirror_scope_members m
         WHERE organization_id = $1 AND job_id = $2 AND NOT {})",
        is_imported("m.group_id")
    )
}

/// Whether the mirror has a group, whole or as a stub.
fn is_imported(group: &str) -> String {
    format!(
        "EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $2
            AND o.object_type IN ({}) AND o.id = {group})",
        names(StoredAs::all_of(Groups))
    )
}

/// The members after the changes: those of the mirror, but for groups that the run staged or that are deleted.
fn after_changes() -> String {
    format!(
        "(SELECT group_id, member_type, member_ids FROM {} m
          WHERE NOT EXISTS (SELECT FROM staged_members s
                WHERE s.organization_id = $1 AND s.run_id = $3 AND s.group_id = m.group_id)
            AND NOT {}
          UNION ALL SELECT group_id, member_type, member_ids FROM staged_members
          WHERE organization_id = $1 AND run_id = $3)",
        mirror(),
        is_deleted("m.group_id")
    )
}

/// Whether a run found that a group is no longer there. One that only left the scope has its members still.
fn is_deleted(group: &str) -> String {
    format!(
        "EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $3
            AND s.object_type = {} AND s.data <> 'outOfScope' AND s.id = {group})",
        names([StoredAs::Gone(Groups)])
    )
}

/// Whether a group is staged under this name.
fn is_staged(stored_as: StoredAs, group: &str) -> String {
    format!(
        "EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $3
            AND s.object_type = {} AND s.id = {group})",
        names([stored_as])
    )
}

/// Whether a group is imported after the changes of a run, whole or as a stub.
fn is_imported_after_changes(group: &str) -> String {
    let with_markers =
        [(StoredAs::Object(Groups), StoredAs::Gone(Groups)), (StoredAs::Stub(Groups), StoredAs::GoneStub(Groups))];
    let imported = with_markers.map(|(stored_as, marker)| {
        let (staged, gone) = (is_staged(stored_as, group), is_staged(marker, group));
        format!(
            "{staged} OR (NOT {gone} AND EXISTS (SELECT FROM mirror_objects o WHERE o.organization_id = $1
                AND o.job_id = $2 AND o.object_type = {} AND o.id = {group}))",
            names([stored_as])
        )
    });
    format!("({})", imported.join(" OR "))
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

/// The direct members of these groups of one type, ascending, each once.
pub async fn members(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    state: State,
    member_type: MemberType,
    groups: &[Uuid],
) -> Result<Vec<Uuid>> {
    match state {
        State::Before => {
            let query = format!(
                "SELECT DISTINCT member AS id FROM {} m, unnest(member_ids) AS member
                 WHERE member_type = '{member_type}' AND group_id = ANY($3) ORDER BY member",
                mirror()
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
    // A group that was read and has no members has no rows. Nor has one in the mirror.
    let query = format!(
        "SELECT g.id FROM unnest($4::uuid[]) AS g(id)
         WHERE NOT EXISTS (SELECT FROM {} m WHERE m.group_id = g.id)
            AND NOT {}
            AND NOT EXISTS (SELECT FROM run_cursors c WHERE c.organization_id = $1 AND c.run_id = $3
                AND c.collection = 'members' AND c.part = g.id::text AND c.done)",
        after_changes(),
        is_imported("g.id")
    );
    ids_after_changes(tx, lease, job, &query, groups).await
}

/// Calls `each` with the memberships of users and groups after the changes, row by row: of these groups, or of all.
pub async fn memberships(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    groups: Option<&[Uuid]>,
    mut each: impl FnMut(MembersRow) + Send,
) -> Result<()> {
    let query = format!(
        "SELECT group_id, member_type, member_ids FROM {} m
         WHERE member_type IN ('user', 'group') AND ($4 IS NULL OR group_id = ANY($4))",
        after_changes()
    );
    join_in_bulk(tx).await?;
    let mut rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Nullable<Array<SqlUuid>>, _>(groups)
        .load_stream::<MembersRow>(tx)
        .await?;
    while let Some(row) = rows.next().await {
        each(row?);
    }
    Ok(())
}

/// The groups of the mirror that show their members only with a permission of its own, after the changes.
pub async fn hidden(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<Vec<Uuid>> {
    const HIDDEN: &str = r#"LIKE '%"visibility":"HiddenMembership"%'"#;
    // The pattern is slow, and few groups need it.
    let is_hidden = format!("data {HIDDEN} AND {} {HIDDEN}", without_tenant_names("data"));
    let query = format!(
        "SELECT id FROM mirror_objects o WHERE organization_id = $1 AND job_id = $2 AND object_type = 'groups'
            AND {is_hidden} AND NOT {} AND NOT {}
         UNION SELECT id FROM staged_objects WHERE organization_id = $1 AND run_id = $3 AND object_type = 'groups'
            AND {is_hidden}",
        is_staged(StoredAs::Object(Groups), "o.id"),
        is_deleted("o.id")
    );
    let rows: Vec<Id> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Those of these groups that are not imported, and whose members are stored for the scope.
pub async fn kept(tx: &mut Transaction, lease: &Lease, job: JobId, groups: &[Uuid]) -> Result<Vec<Uuid>> {
    let stored = format!(
        "SELECT DISTINCT group_id AS id FROM mirror_scope_members m
         WHERE organization_id = $1 AND job_id = $2 AND group_id = ANY($3) AND NOT {}",
        is_imported("m.group_id")
    );
    ids(tx, lease, job, &stored, groups).await
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
    forget(tx, lease, job).await?;
    let imported = [StoredAs::Object(Groups), StoredAs::Stub(Groups)].map(|stored_as| is_staged(stored_as, "g.id"));
    move_from_staging(tx, lease, job, &format!("({})", imported.join(" OR "))).await
}

/// Forgets the members that are stored for the scope. Callers have fenced.
pub async fn forget(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    const FORGET: &str = "DELETE FROM mirror_scope_members WHERE organization_id = $1 AND job_id = $2";
    diesel::sql_query(FORGET).bind::<SqlUuid, _>(lease.organization.0).bind::<SqlUuid, _>(job.0).execute(tx).await?;
    Ok(())
}

/// After a read of changes: as [`store_all`], in place of those that were stored for the same groups. A group that is no
/// longer imported takes what the mirror has of its members with it, and one that becomes a stub brings what is stored of
/// them. Callers have fenced.
pub async fn store_changed(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    const HAS_STAGED: &str = "EXISTS (SELECT FROM staged_members s
        WHERE s.organization_id = $1 AND s.run_id = $3 AND s.group_id = m.group_id)";
    let stays = is_imported_after_changes("m.group_id");
    let bring_along = format!(
        "INSERT INTO staged_members (organization_id, run_id, group_id, member_type, part, hash, member_ids)
         SELECT $1, $3, group_id, member_type, part, ''::bytea, member_ids FROM mirror_scope_members m
         WHERE organization_id = $1 AND job_id = $2 AND {} AND NOT {HAS_STAGED}
            AND NOT {}",
        is_staged(StoredAs::Stub(Groups), "m.group_id"),
        is_imported("m.group_id")
    );
    let forget = format!(
        "DELETE FROM mirror_scope_members m WHERE organization_id = $1 AND job_id = $2
            AND ({} OR {} OR {HAS_STAGED})",
        is_staged(StoredAs::Object(Groups), "m.group_id"),
        is_deleted("m.group_id")
    );
    let take_along = format!(
        "INSERT INTO mirror_scope_members (organization_id, job_id, group_id, member_type, part, member_ids)
         SELECT $1, $2, group_id, member_type, part, member_ids FROM mirror_members m
         WHERE organization_id = $1 AND job_id = $2 AND member_type IN ('user', 'group') AND ({} OR {})
            AND NOT {stays} AND NOT {} AND NOT {HAS_STAGED}
         ON CONFLICT (organization_id, job_id, group_id, member_type, part) DO UPDATE SET member_ids = excluded.member_ids",
        is_staged(StoredAs::Gone(Groups), "m.group_id"),
        is_staged(StoredAs::GoneStub(Groups), "m.group_id"),
        is_deleted("m.group_id")
    );
    for statement in [bring_along, forget, take_along] {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(job.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .execute(tx)
            .await?;
    }
    move_from_staging(tx, lease, job, &is_imported_after_changes("g.id")).await
}

/// After a read of changes, where nothing is decided by the members of groups that are not imported: takes them out of
/// staging, so that such a group leaves all its members. Callers have fenced.
pub async fn drop_changed(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    let statement = format!(
        "DELETE FROM staged_members g WHERE organization_id = $1 AND run_id = $3 AND NOT {}",
        is_imported_after_changes("g.group_id")
    );
    diesel::sql_query(statement)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .execute(tx)
        .await?;
    Ok(())
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
