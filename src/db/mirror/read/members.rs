//! The members of groups.

use super::super::source::Source;
use crate::db::Transaction;
use crate::directory::MemberType;
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::stream::{Stream, StreamExt};
use std::collections::HashMap;
use uuid::Uuid;

/// The members of one type of all groups, many to a row, in the order of the groups.
pub async fn members_by_group<'a>(
    tx: &'a mut Transaction,
    organization: OrganizationId,
    source: Source,
    member_type: MemberType,
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

/// Members of a group by their type, many to a row.
#[derive(QueryableByName, Clone, Debug)]
pub struct MembersRow {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = Text)]
    pub member_type: MemberType,
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
) -> Result<HashMap<Uuid, i64>> {
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

/// Calls `each` with the memberships of users and groups, row by row.
pub async fn memberships(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    mut each: impl FnMut(MembersRow) + Send,
) -> Result<()> {
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, member_type, member_ids FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND member_type IN ('user', 'group')"
    );
    let mut rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .load_stream::<MembersRow>(tx)
        .await?;
    while let Some(row) = rows.next().await {
        each(row?);
    }
    Ok(())
}

/// As [`memberships`], of these groups only.
pub async fn memberships_of(
    tx: &mut Transaction,
    organization: OrganizationId,
    source: Source,
    groups: &[Uuid],
    mut each: impl FnMut(MembersRow) + Send,
) -> Result<()> {
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT group_id, member_type, member_ids FROM {members} g
         WHERE organization_id = $1 AND {key} = $2 AND member_type IN ('user', 'group') AND group_id = ANY($3)"
    );
    let mut rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .bind::<Array<SqlUuid>, _>(groups)
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
) -> Result<HashMap<Uuid, i32>> {
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

/// How many memberships there are, of all member types.
pub async fn count_memberships(tx: &mut Transaction, organization: OrganizationId, source: Source) -> Result<u64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    let (members, (_, _, key)) = (source.whole_members(), source.names());
    let query = format!(
        "SELECT coalesce(sum(cardinality(member_ids)), 0)::bigint AS number FROM {members} g
         WHERE organization_id = $1 AND {key} = $2"
    );
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(source.key())
        .get_result(tx)
        .await?;
    Ok(row.number.unsigned_abs())
}

/// A group and one of its members.
#[derive(QueryableByName, Clone, Copy, Debug)]
pub struct MembershipPair {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub member: Uuid,
}

/// The memberships of these members in the mirror, unordered. Looks through all memberships, because they are stored by
/// group.
pub async fn membership_pairs(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    members: &[Uuid],
) -> Result<Vec<MembershipPair>> {
    const PAIRS: &str = "
        SELECT m.group_id, member FROM mirror_members m, unnest(m.member_ids) AS member
        WHERE m.organization_id = $1 AND m.job_id = $2 AND member = ANY($3)";
    Ok(diesel::sql_query(PAIRS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Array<SqlUuid>, _>(members)
        .load(tx)
        .await?)
}
