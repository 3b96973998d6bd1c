//! Reading what was seen, from the mirror or from what a test or dry run staged: objects in the order of
//! their ids together with the memberships that belong to them, as a stream.

use super::hash::Hash;
use crate::db::{Transaction, join_in_bulk};
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::stream::{Stream, StreamExt};
use uuid::Uuid;

/// Where the objects of a comparison stand.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The last complete read of the job.
    Mirror(JobId),
    /// What this run alone read.
    Staged(RunId),
}

impl Source {
    /// Table of objects, table of members, column of the key.
    pub(super) fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Mirror(_) => ("mirror_objects", "mirror_members", "job_id"),
            Self::Staged(_) => ("staged_objects", "staged_members", "run_id"),
        }
    }

    /// The objects with their data: an object that was read as the mirror has it is staged without.
    fn whole_objects(self) -> &'static str {
        match self {
            Self::Mirror(_) => "mirror_objects",
            Self::Staged(_) => {
                "(SELECT s.organization_id, s.run_id, s.object_type, s.id, coalesce(s.data, m.data) AS data
                  FROM staged_objects s JOIN runs r ON r.organization_id = s.organization_id AND r.id = s.run_id
                  LEFT JOIN mirror_objects m ON s.data IS NULL AND m.organization_id = s.organization_id
                    AND m.job_id = r.job_id AND m.object_type = s.object_type AND m.id = s.id)"
            }
        }
    }

    /// The members of groups with their ids: members that were read as the mirror has them are staged without.
    pub(super) fn whole_members(self) -> &'static str {
        match self {
            Self::Mirror(_) => "mirror_members",
            Self::Staged(_) => {
                "(SELECT s.organization_id, s.run_id, s.group_id, s.member_type, s.part,
                    coalesce(s.member_ids, m.member_ids) AS member_ids
                  FROM staged_members s JOIN runs r ON r.organization_id = s.organization_id AND r.id = s.run_id
                  LEFT JOIN mirror_members m ON s.member_ids IS NULL AND m.organization_id = s.organization_id
                    AND m.job_id = r.job_id AND m.group_id = s.group_id AND m.member_type = s.member_type
                    AND m.part = s.part AND m.hash = s.hash)"
            }
        }
    }

    pub(super) fn key(self) -> Uuid {
        match self {
            Self::Mirror(job) => job.0,
            Self::Staged(run) => run.0,
        }
    }
}

/// An object as seen, with the memberships asked for and what is known of its delivery.
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

/// The objects of a type, by id; `stored_as` is the type itself, or its stubs; `with_members`: groups with the users in
/// them.
pub async fn objects<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    job: JobId,
    source: Source,
    object_type: &'static str,
    stored_as: &'static str,
    with_members: bool,
) -> Result<impl Stream<Item = Result<SeenRow>> + Send + 'a> {
    let (objects, members, (_, _, key)) = (source.whole_objects(), source.whole_members(), source.names());
    let members_join = match with_members {
        false => "LEFT JOIN (SELECT NULL::uuid AS id, NULL::uuid[] AS members) m ON false".to_owned(),
        true => format!(
            "LEFT JOIN (SELECT group_id AS id, array_agg(DISTINCT member ORDER BY member) AS members
                FROM {members} g, unnest(member_ids) AS member
                WHERE organization_id = $1 AND {key} = $2 AND member_type = 'user'
                GROUP BY group_id) m ON m.id = o.id"
        ),
    };
    let query = format!(
        "SELECT o.id, o.data, m.members,
            d.hash AS delivered_hash, d.missing_runs, d.marked
         FROM {objects} o {members_join}
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
    Ok(rows.map(|row| row.map_err(Error::from)))
}

/// The members of one type of all groups, many to a row, in the order of the groups.
pub async fn members_by_group<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    source: Source,
    member_type: &'static str,
) -> Result<impl Stream<Item = Result<(Uuid, Vec<Uuid>)>> + Send + use<'a>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        group_id: Uuid,
        #[diesel(sql_type = Array<SqlUuid>)]
        member_ids: Vec<Uuid>,
    }
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, member_ids FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND member_type = $3 ORDER BY group_id"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(member_type)
        .load_stream::<Row>(tx)
        .await?;
    Ok(rows.map(|row| row.map(|row| (row.group_id, row.member_ids)).map_err(Error::from)))
}

/// The ids of a type's objects, ascending: sixteen bytes each, to look up whether a reference has a target.
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

/// Whether any user has a manager.
pub async fn has_managers(tx: &mut Transaction, organization: OrganizationId, source: Source) -> Result<bool> {
    let (objects, (_, _, key)) = (source.whole_objects(), source.names());
    let query = format!(
        "SELECT count(*) AS number FROM (SELECT FROM {objects} o WHERE organization_id = $1 AND {key} = $2
            AND object_type = $3 AND data LIKE '%\"managerId\":%' LIMIT 1) found"
    );
    Ok(number(tx, query, organization, source, "users").await? > 0)
}

/// The objects of a type without anything beside, by id.
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

/// Those of the objects with these ids that there are.
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

/// Members of a group by their type, many to a row.
#[derive(QueryableByName, Clone, Debug)]
pub struct MembersRow {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = Text)]
    pub member_type: String,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub member_ids: Vec<Uuid>,
}

/// The members of these groups, unordered.
pub async fn members_of(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    groups: &[Uuid],
) -> Result<Vec<MembersRow>> {
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, member_type, member_ids FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND group_id = ANY($3)"
    );
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?)
}

/// How many members each of these groups has; those without any are left out.
pub async fn member_counts(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    groups: &[Uuid],
) -> Result<std::collections::HashMap<Uuid, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        group_id: Uuid,
        #[diesel(sql_type = BigInt)]
        members: i64,
    }
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, sum(cardinality(member_ids))::bigint AS members FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND group_id = ANY($3) GROUP BY group_id"
    );
    let rows: Vec<Row> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.group_id, row.members)).collect())
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

/// The memberships of users and groups, of all groups or only of some, handed over row by row.
pub async fn memberships(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    only: Option<&[Uuid]>,
    mut each: impl FnMut(MembersRow) + Send,
) -> Result<()> {
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, member_type, member_ids FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND member_type IN ('user', 'group')
           AND ($3 IS NULL OR group_id = ANY($3))"
    );
    let mut rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Nullable<Array<SqlUuid>>, _>(only)
        .load_stream::<MembersRow>(tx)
        .await?;
    while let Some(row) = rows.next().await {
        each(row?);
    }
    Ok(())
}

/// The groups that are direct members of these groups.
pub async fn nested_groups(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    groups: &[Uuid],
) -> Result<Vec<Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        member: Uuid,
    }
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT DISTINCT member FROM {members} g, unnest(member_ids) AS member
         WHERE organization_id = $1 AND {key} = $2 AND member_type = 'group' AND group_id = ANY($3)"
    );
    let rows: Vec<Row> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Array<SqlUuid>, _>(groups)
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.member).collect())
}

/// How many pages of members were read, for groups that had more than one.
pub async fn group_sizes(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
) -> Result<std::collections::HashMap<Uuid, i32>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        group_id: Uuid,
        #[diesel(sql_type = Integer)]
        pages: i32,
    }
    let (_, members, key) = source.names();
    let query = format!(
        "SELECT group_id, max(part) + 1 AS pages FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND part > 0 GROUP BY group_id"
    );
    let rows: Vec<Row> =
        diesel::sql_query(query).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(source.key()).load(tx).await?;
    Ok(rows.into_iter().map(|row| (row.group_id, row.pages)).collect())
}

/// How many objects of a type there are.
pub async fn count(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
) -> Result<u64> {
    let (objects, _, key) = source.names();
    number(
        tx,
        format!(
            "SELECT count(*) AS number FROM {objects} WHERE organization_id = $1 AND {key} = $2 AND object_type = $3"
        ),
        organization,
        source,
        object_type,
    )
    .await
}

/// How many memberships there are, of all member types.
pub async fn count_memberships(tx: &mut Transaction, organization: OrganizationId, source: Source) -> Result<u64> {
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    number(
        tx,
        format!(
            "SELECT coalesce(sum(cardinality(member_ids)), 0)::bigint AS number FROM {members} g
             WHERE organization_id = $1 AND {key} = $2 AND $3 = ''"
        ),
        organization,
        source,
        "",
    )
    .await
}

async fn number(
    tx: &mut Transaction,
    query: String,
    organization: OrganizationId,
    source: Source,
    object_type: &str,
) -> Result<u64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Text, _>(object_type)
        .get_result(tx)
        .await?;
    Ok(row.number.unsigned_abs())
}

/// An object of the mirror for browsing.
#[derive(QueryableByName, Clone, Debug)]
pub struct ObjectRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub data: String,
}
