//! Reads objects from the mirror, or from what a test or dry run staged, in the order of their ids.

mod members;

pub use super::source::Source;
pub use members::{
    MembersRow, MembershipPair, count_memberships, group_sizes, member_counts, members_by_group, members_of,
    membership_pairs, memberships, memberships_of, nested_groups,
};

use super::hash::Hash;
use super::tenant_names::without_tenant_names;
use crate::db::{Transaction, join_in_bulk};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use uuid::Uuid;

/// An object with its members, if asked for, and its delivery.
#[derive(QueryableByName, Debug)]
pub struct SeenRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub data: String,
    /// Users that are members of this group, ascending.
    #[diesel(sql_type = Nullable<Array<SqlUuid>>)]
    pub members: Option<Vec<Uuid>>,
    #[diesel(sql_type = Nullable<Bytea>)]
    pub delivered_hash: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Integer>)]
    pub missing_runs: Option<i32>,
    #[diesel(sql_type = Nullable<Bool>)]
    pub marked: Option<bool>,
}

impl SeenRow {
    /// As if it had not been delivered.
    pub fn undelivered(self) -> Self {
        Self { delivered_hash: None, missing_runs: None, marked: None, ..self }
    }
}

/// The objects of a type, by id. `stored_as` is the type itself, or its stubs.
pub async fn objects<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    job: JobId,
    source: Source,
    object_type: &'static str,
    stored_as: &'static str,
) -> Result<BoxStream<'a, Result<SeenRow>>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT o.id, o.data, NULL::uuid[] AS members, d.hash AS delivered_hash, d.missing_runs, d.marked
         FROM {objects} o
         LEFT JOIN mirror_delivered d ON d.organization_id = $1 AND d.job_id = $4
            AND d.object_type = $5 AND d.id = o.id
         WHERE o.organization_id = $1 AND o.{key} = $2 AND o.object_type = $3
         ORDER BY o.id"
    );
    join_in_bulk(tx).await?;
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(stored_as)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .load_stream::<SeenRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}

/// The groups, by id, each with the users that are its direct members.
pub async fn groups_with_users<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    job: JobId,
    source: Source,
) -> Result<BoxStream<'a, Result<SeenRow>>> {
    let (objects, members, (_, _, key)) = (source.whole_objects(), source.whole_members(), source.names());
    let query = format!(
        "SELECT o.id, o.data, m.members, d.hash AS delivered_hash, d.missing_runs, d.marked
         FROM {objects} o
         LEFT JOIN (SELECT group_id AS id, array_agg(DISTINCT member ORDER BY member) AS members
            FROM {members} g, unnest(member_ids) AS member
            WHERE organization_id = $1 AND {key} = $2 AND member_type = 'user'
            GROUP BY group_id) m ON m.id = o.id
         LEFT JOIN mirror_delivered d ON d.organization_id = $1 AND d.job_id = $3
            AND d.object_type = 'groups' AND d.id = o.id
         WHERE o.organization_id = $1 AND o.{key} = $2 AND o.object_type = 'groups'
         ORDER BY o.id"
    );
    join_in_bulk(tx).await?;
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<SqlUuid, _>(job.0)
        .load_stream::<SeenRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}

/// Some objects of a type in the mirror, by id, with the users that are their direct members if these are asked for. One
/// look-up for each, whatever the planner estimates.
pub async fn some_seen<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
    with_members: bool,
    ids: &[Uuid],
) -> Result<BoxStream<'a, Result<SeenRow>>> {
    let members = match with_members {
        true => {
            "(SELECT array_agg(DISTINCT member ORDER BY member) FROM mirror_members g, unnest(g.member_ids) AS member
              WHERE g.organization_id = $1 AND g.job_id = $2 AND g.group_id = o.id AND g.member_type = 'user')"
        }
        false => "NULL::uuid[]",
    };
    let query = format!(
        "SELECT o.id, o.data, {members} AS members, d.hash AS delivered_hash, d.missing_runs, d.marked
         FROM unnest($4::uuid[]) AS wanted(id)
         CROSS JOIN LATERAL (SELECT id, data FROM mirror_objects
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = wanted.id LIMIT 1) o
         LEFT JOIN LATERAL (SELECT hash, missing_runs, marked FROM mirror_delivered
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = wanted.id LIMIT 1) d ON true
         ORDER BY o.id"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids.to_vec())
        .load_stream::<SeenRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}

/// Those of these objects that the mirror has, ascending.
pub async fn existing(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    const EXISTING: &str = "
        SELECT id FROM mirror_objects
        WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id = ANY($4) ORDER BY id";
    let rows: Vec<Row> = diesel::sql_query(EXISTING)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The ids of a type's objects, ascending.
pub async fn ids(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let (objects, _, key) = source.names();
    let query =
        format!("SELECT id FROM {objects} WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 ORDER BY id");
    let mut rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .load_stream::<Row>(tx)
        .await?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next().await {
        ids.push(row?.id);
    }
    Ok(ids)
}

/// The hashes of all objects and pages of members of a mirror, unordered.
pub async fn hashes(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<Vec<Hash>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bytea)]
        hash: Vec<u8>,
    }
    const HASHES: &str = "
        SELECT hash FROM mirror_objects WHERE organization_id = $1 AND job_id = $2
            AND object_type NOT IN ('stub:users', 'stub:groups')
        UNION ALL SELECT hash FROM mirror_members WHERE organization_id = $1 AND job_id = $2";
    let mut rows = diesel::sql_query(HASHES)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .load_stream::<Row>(tx)
        .await?;
    let mut hashes = Vec::new();
    while let Some(row) = rows.next().await {
        hashes.extend(Hash::try_from(row?.hash));
    }
    Ok(hashes)
}

/// The ids and data of a type's objects, by id.
pub async fn data<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
) -> Result<impl Stream<Item = Result<ObjectRow>> + Send + use<'a>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT id, data FROM {objects} o WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 ORDER BY id"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type.to_owned())
        .load_stream::<ObjectRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)))
}

/// The objects with these ids, as far as they exist.
pub async fn some(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
    ids: &[Uuid],
) -> Result<Vec<ObjectRow>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT id, data FROM {objects} o
         WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 AND id = ANY($4)"
    );
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?)
}

/// The data of one object.
pub async fn one(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
    id: Uuid,
) -> Result<Option<String>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT id, data FROM {objects} o WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 AND id = $4"
    );
    let row: Option<ObjectRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .bind::<SqlUuid, _>(id)
        .get_result(tx)
        .await
        .optional()?;
    Ok(row.map(|row| row.data))
}

/// Whether any user has a manager.
pub async fn has_managers(tx: &mut Transaction, organization: OrganizationId, source: Source) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        found: bool,
    }
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT EXISTS (SELECT FROM {objects} o WHERE organization_id = $1 AND {key} = $2
            AND object_type = 'users' AND data LIKE '%\"managerId\":%' AND {} LIKE '%\"managerId\":%') AS found",
        without_tenant_names("data")
    );
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .get_result(tx)
        .await?;
    Ok(row.found)
}

/// How many objects of a type there are.
pub async fn count(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
) -> Result<u64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let (objects, _, key) = source.names();
    let query = format!(
        "SELECT count(*) AS number FROM {objects} WHERE organization_id = $1 AND {key} = $2 AND object_type = $3"
    );
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .get_result(tx)
        .await?;
    Ok(row.number.unsigned_abs())
}

/// An object with its data.
#[derive(QueryableByName, Clone, Debug)]
pub struct ObjectRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub data: String,
}
