//! Reads objects from the mirror, or from what a test or dry run staged, in the order of their ids.

mod members;

pub use super::source::Source;
pub use members::{
    MembersRow, MembershipPair, count_memberships, group_sizes, member_counts, members_by_group, members_of,
    membership_pairs, memberships, memberships_of, nested_groups,
};

use super::hash::Hash;
use super::stored_as::{StoredAs, names};
use super::tenant_names::without_tenant_names;
use crate::db::Transaction;
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

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub source: Source,
    pub object_type: ObjectType,
    /// The type itself, or its stubs.
    pub stored_as: StoredAs,
    /// With the users that are direct members of groups.
    pub with_members: bool,
}

/// Which objects of it.
#[derive(Clone, Copy, Debug)]
pub enum Portion<'a> {
    /// The next ones after an id.
    After(Option<Uuid>, i64),
    /// Those of these that there are. Ascending.
    Among(&'a [Uuid]),
}

/// Some objects, by id. One look-up in each table for each of them, whatever the planner estimates.
pub async fn seen<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    job: JobId,
    Seen { source, object_type, stored_as, with_members }: Seen,
    portion: Portion<'_>,
) -> Result<BoxStream<'a, Result<SeenRow>>> {
    let ((objects, _, key), data) = (source.names(), source.whole_data());
    let of_type = format!("w.organization_id = $1 AND w.{key} = $3 AND w.object_type = $5");
    let wanted = match portion {
        Portion::After(..) => {
            format!("SELECT w.id, {data} AS data FROM {objects} w WHERE {of_type} AND w.id > $6 ORDER BY w.id LIMIT $7")
        }
        Portion::Among(_) => format!(
            "SELECT w.id, w.data FROM unnest($6::uuid[]) AS wanted(id)
             CROSS JOIN LATERAL (SELECT w.id, {data} AS data FROM {objects} w WHERE {of_type} AND w.id = wanted.id LIMIT 1) w"
        ),
    };
    let members = if with_members { source.users_of_group() } else { "NULL::uuid[]" };
    let query = format!(
        "SELECT o.id, o.data, {members} AS members, d.hash AS delivered_hash, d.missing_runs, d.marked
         FROM ({wanted}) o
         LEFT JOIN LATERAL (SELECT hash, missing_runs, marked FROM mirror_delivered
            WHERE organization_id = $1 AND job_id = $2 AND object_type = $4 AND id = o.id LIMIT 1) d ON true
         ORDER BY o.id"
    );
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .bind::<Text, _>(stored_as);
    let rows = match portion {
        Portion::After(after, limit) => {
            let query = query.bind::<SqlUuid, _>(after.unwrap_or_default()).bind::<BigInt, _>(limit);
            query.load_stream::<SeenRow>(tx).await?.boxed()
        }
        Portion::Among(ids) => query.bind::<Array<SqlUuid>, _>(ids.to_vec()).load_stream::<SeenRow>(tx).await?.boxed(),
    };
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}

/// Those of these objects that the mirror has under any of these names, ascending.
pub async fn existing(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    stored_as: &[StoredAs],
    ids: &[Uuid],
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    // One look-up for each type and id, whatever the planner estimates.
    const EXISTING: &str = "
        SELECT DISTINCT o.id FROM unnest($3::text[]) AS types(name) CROSS JOIN unnest($4::uuid[]) AS wanted(id)
        CROSS JOIN LATERAL (SELECT id FROM mirror_objects
            WHERE organization_id = $1 AND job_id = $2 AND object_type = types.name AND id = wanted.id LIMIT 1) o
        ORDER BY o.id";
    let rows: Vec<Row> = diesel::sql_query(EXISTING)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<Text>, _>(stored_as)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// The ids of what is stored as this, ascending.
pub async fn ids(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    stored_as: StoredAs,
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
        .bind::<Text, _>(stored_as)
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
    let hashes = format!(
        "SELECT hash FROM mirror_objects WHERE organization_id = $1 AND job_id = $2 AND object_type NOT IN ({})
         UNION ALL SELECT hash FROM mirror_members WHERE organization_id = $1 AND job_id = $2",
        names(ObjectType::ALL.into_iter().filter_map(StoredAs::stub))
    );
    let mut rows = diesel::sql_query(hashes)
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

/// The ids and data of what is stored as this, by id.
pub async fn data<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    source: Source,
    stored_as: StoredAs,
) -> Result<impl Stream<Item = Result<ObjectRow>> + Send + use<'a>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT id, data FROM {objects} o WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 ORDER BY id"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(stored_as)
        .load_stream::<ObjectRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)))
}

/// What is stored as this under these ids, as far as it exists.
pub async fn some(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    stored_as: StoredAs,
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
        .bind::<Text, _>(stored_as)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(tx)
        .await?)
}

/// The data of one row that is stored as this.
pub async fn one(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    stored_as: StoredAs,
    id: Uuid,
) -> Result<Option<String>> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT id, data FROM {objects} o WHERE organization_id = $1 AND {key} = $2 AND object_type = $3 AND id = $4"
    );
    let row: Option<ObjectRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(stored_as)
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

/// How many rows are stored as this.
pub async fn count(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    stored_as: StoredAs,
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
        .bind::<Text, _>(stored_as)
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
