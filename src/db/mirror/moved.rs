//! Which rows of the mirror a read of changes is about to add, change and delete. A table that was filled a moment ago has
//! no statistics: `LIMIT 1` in a subquery makes PostgreSQL look up each row by its key.

use super::stored_as::{StoredAs, gone_of, names, of_marker, type_of};
use crate::db::runs::Lease;
use crate::db::{Transaction, join_in_bulk};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// An object of which the mirror had, and will have, something else.
#[derive(QueryableByName, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    #[diesel(sql_type = Text)]
    pub object_type: ObjectType,
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// It is in the mirror before.
    #[diesel(sql_type = Bool)]
    pub was_there: bool,
    /// It is in the mirror after.
    #[diesel(sql_type = Bool)]
    pub is_there: bool,
}

impl Moved {
    /// Whether it comes or goes, so that references to it do.
    pub fn is_other_target(&self) -> bool {
        self.was_there != self.is_there
    }
}

/// What will differ; of stubs, under the type that they are stubs of. Of what is `patched` the changes were staged, with
/// markers for what is gone; of what is `whole` everything.
pub async fn moved(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    patched: &[StoredAs],
    whole: &[StoredAs],
) -> Result<Vec<Moved>> {
    let moved = format!(
        "SELECT {} AS object_type, s.id, m.hash IS NOT NULL AS was_there, true AS is_there FROM staged_objects s
        LEFT JOIN LATERAL (SELECT o.hash FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $3
            AND o.object_type = s.object_type AND o.id = s.id LIMIT 1) m ON true
        WHERE s.organization_id = $1 AND s.run_id = $2 AND s.object_type = ANY($4 || $5)
            AND m.hash IS DISTINCT FROM s.hash
        UNION ALL
        SELECT {}, m.id, true, false FROM staged_objects s
        CROSS JOIN LATERAL (SELECT o.object_type, o.id FROM mirror_objects o WHERE o.organization_id = $1 AND o.job_id = $3
            AND o.object_type = {} AND o.id = s.id LIMIT 1) m
        WHERE s.organization_id = $1 AND s.run_id = $2
            AND s.object_type = ANY(SELECT {} FROM unnest($4) AS name)
            AND NOT EXISTS (SELECT FROM staged_objects k WHERE k.organization_id = $1 AND k.run_id = $2
                AND k.object_type = m.object_type AND k.id = m.id)
        UNION ALL
        SELECT {}, m.id, true, false FROM mirror_objects m
        WHERE m.organization_id = $1 AND m.job_id = $3 AND m.object_type = ANY($5)
            AND NOT EXISTS (SELECT FROM staged_objects s WHERE s.organization_id = $1 AND s.run_id = $2
                AND s.object_type = m.object_type AND s.id = m.id)",
        type_of("s.object_type"),
        type_of("m.object_type"),
        of_marker("s.object_type"),
        gone_of("name"),
        type_of("m.object_type")
    );
    join_in_bulk(tx).await?;
    Ok(diesel::sql_query(moved)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(patched)
        .bind::<Array<Text>, _>(whole)
        .load(tx)
        .await?)
}

/// The groups whose members a read of changes replaces or deletes. One that becomes a stub keeps them.
pub(super) fn groups_with_changes() -> String {
    let (gone, stub) = ([StoredAs::Gone, StoredAs::GoneStub], StoredAs::Stub(ObjectType::Groups));
    format!(
        "(SELECT group_id FROM staged_members WHERE organization_id = $1 AND run_id = $2
         UNION SELECT id FROM staged_objects g WHERE organization_id = $1 AND run_id = $2
            AND object_type IN ({})
            AND NOT EXISTS (SELECT FROM staged_objects k WHERE k.organization_id = $1 AND k.run_id = $2
                AND k.object_type = {} AND k.id = g.id))",
        names(gone.map(|gone| gone(ObjectType::Groups))),
        names([stub])
    )
}

/// How many memberships the mirror gains by the groups whose members it replaces or deletes.
pub async fn memberships_gained(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        gained: i64,
    }
    let query = format!(
        "SELECT (coalesce((SELECT sum(cardinality(member_ids)) FROM staged_members
                WHERE organization_id = $1 AND run_id = $2), 0)
            - coalesce((SELECT sum(cardinality(member_ids)) FROM mirror_members WHERE organization_id = $1 AND job_id = $3
                AND group_id = ANY(ARRAY{})), 0))::bigint AS gained",
        groups_with_changes()
    );
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .get_result(tx)
        .await?;
    Ok(row.gained)
}
