//! What a run has read so far, page by page.

use super::cursor::{Cursor, MEMBERS, stage_cursors};
use super::hash::hash;
use super::lost_writes::number_staging;
use super::stored_as::{StoredAs, is_marker};
use crate::db::runs::{Lease, fence};
use crate::db::schema::{run_cursors, staged_members};
use crate::db::{Transaction, join_in_bulk, may_be_lost};
use crate::directory::{MemberType, ObjectType};
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::ChangeReason;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// An object as read: canonical JSON of its selected properties, and the hash of that text.
#[derive(Clone, Debug)]
pub struct StagedObject {
    pub stored_as: StoredAs,
    pub id: Uuid,
    pub hash: Vec<u8>,
    /// `None`: the mirror has the same, under the same hash.
    pub data: Option<String>,
}

impl StagedObject {
    /// An object with its properties.
    pub fn new(object_type: ObjectType, id: Uuid, properties: Map<String, Value>) -> Self {
        let data = Value::Object(properties).to_string();
        Self { stored_as: StoredAs::Object(object_type), id, hash: hash(&[data.as_bytes()]), data: Some(data) }
    }
}

/// The members of one type of one group, from one page.
#[derive(Clone, Debug)]
pub struct StagedMembers {
    group: Uuid,
    member_type: MemberType,
    part: i32,
    pub hash: Vec<u8>,
    /// `None`: the mirror has the same, under the same hash.
    pub members: Option<Vec<Uuid>>,
}

impl StagedMembers {
    /// `part`: number of the page, from 0. The members are sorted, so that an unchanged page has the same hash.
    pub fn new(group: Uuid, member_type: MemberType, part: i32, mut members: Vec<Uuid>) -> Self {
        members.sort_unstable();
        members.dedup();
        let ids: Vec<u8> = members.iter().flat_map(|member| *member.as_bytes()).collect();
        let hash = hash(&[group.as_bytes(), member_type.as_str().as_bytes(), &part.to_le_bytes(), &ids]);
        Self { group, member_type, part, hash, members: Some(members) }
    }
}

/// Pages to be stored together: their contents and the cursors of their collections.
#[derive(Default, Debug)]
pub struct Batch {
    pub objects: Vec<StagedObject>,
    pub members: Vec<StagedMembers>,
    pub cursors: Vec<Cursor>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.members.is_empty() && self.cursors.is_empty()
    }
}

/// Rows of one INSERT of members.
const MAX_MEMBER_ROWS: usize = 256;
/// Bytes of one INSERT of objects, about. On its way to the database each statement is held three times over, in
/// buffers that grow by doubling.
const TARGET_STATEMENT_BYTES: usize = 1 << 20;

/// Stores pages and their cursors in one fenced transaction, after `before` others of this attempt ([`number_staging`]). Of an
/// object that is in them twice, the later data is stored.
pub async fn stage(tx: &mut Transaction, lease: &Lease, before: u64, batch: Batch) -> Result<()> {
    fence(tx, lease).await?;
    may_be_lost(tx).await?;
    number_staging(tx, lease, before).await?;
    stage_objects(tx, lease, batch.objects).await?;
    stage_members(tx, lease, &batch.members).await?;
    stage_cursors(tx, lease, &batch.cursors).await
}

pub(super) async fn stage_objects(tx: &mut Transaction, lease: &Lease, objects: Vec<StagedObject>) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    const STAGE: &str = "
        INSERT INTO staged_objects (organization_id, run_id, object_type, id, hash, data)
        SELECT $1, $2, * FROM unnest($3::text[], $4::uuid[], $5::bytea[], $6::text[])
        ON CONFLICT (organization_id, run_id, object_type, id)
        DO UPDATE SET hash = excluded.hash, data = excluded.data";
    // One statement must not insert the same row twice.
    let unique: HashMap<(StoredAs, Uuid), StagedObject> =
        objects.into_iter().map(|object| ((object.stored_as, object.id), object)).collect();
    let mut unique = unique.into_values().peekable();
    while unique.peek().is_some() {
        let (mut types, mut ids, mut hashes, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        while bytes < TARGET_STATEMENT_BYTES
            && let Some(object) = unique.next()
        {
            bytes += object.data.as_ref().map_or(0, String::len);
            types.push(object.stored_as);
            ids.push(object.id);
            hashes.push(object.hash);
            data.push(object.data);
        }
        diesel::sql_query(STAGE)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<Array<Text>, _>(types)
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<Array<Bytea>, _>(hashes)
            .bind::<Array<Nullable<Text>>, _>(data)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// All members are sent as one array, of which each row is a slice: so one statement serves rows of any length.
async fn stage_members(tx: &mut Transaction, lease: &Lease, members: &[StagedMembers]) -> Result<()> {
    const STAGE: &str = "
        INSERT INTO staged_members (organization_id, run_id, group_id, member_type, part, hash, member_ids)
        SELECT $1, $2, group_id, member_type, part, hash, CASE WHEN first IS NOT NULL THEN ($3::uuid[])[first:last] END
        FROM unnest($4::uuid[], $5::text[], $6::int[], $7::bytea[], $8::int[], $9::int[])
            AS t(group_id, member_type, part, hash, first, last)
        ON CONFLICT (organization_id, run_id, group_id, member_type, part)
        DO UPDATE SET member_ids = excluded.member_ids, hash = excluded.hash";
    for rows in members.chunks(MAX_MEMBER_ROWS) {
        let (mut all, mut first, mut last) = (Vec::<Uuid>::new(), Vec::new(), Vec::new());
        for row in rows {
            first.push(row.members.as_ref().map(|_| place(all.len() + 1)).transpose()?);
            all.extend(row.members.iter().flatten());
            last.push(place(all.len())?);
        }
        diesel::sql_query(STAGE)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<Array<SqlUuid>, _>(all)
            .bind::<Array<SqlUuid>, _>(rows.iter().map(|row| row.group).collect::<Vec<_>>())
            .bind::<Array<Text>, _>(rows.iter().map(|row| row.member_type).collect::<Vec<_>>())
            .bind::<Array<Integer>, _>(rows.iter().map(|row| row.part).collect::<Vec<_>>())
            .bind::<Array<Bytea>, _>(rows.iter().map(|row| row.hash.as_slice()).collect::<Vec<_>>())
            .bind::<Array<Nullable<Integer>>, _>(first)
            .bind::<Array<Integer>, _>(last)
            .execute(tx)
            .await?;
    }
    Ok(())
}

fn place(number: usize) -> Result<i32> {
    i32::try_from(number).map_err(Error::internal)
}

/// Deletes what a run staged of the members of a group, so that they can be read again from the first page.
pub async fn restart_members(tx: &mut Transaction, lease: &Lease, group: Uuid) -> Result<()> {
    fence(tx, lease).await?;
    diesel::delete(staged_members::table)
        .filter(staged_members::organization_id.eq(lease.organization.0))
        .filter(staged_members::run_id.eq(lease.run.0))
        .filter(staged_members::group_id.eq(group))
        .execute(tx)
        .await?;
    diesel::delete(run_cursors::table.find((lease.organization.0, lease.run.0, MEMBERS, group.to_string())))
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes what a run staged of a collection of objects, so that it can be read again from the first page.
pub async fn restart(tx: &mut Transaction, lease: &Lease, collection: &str) -> Result<()> {
    fence(tx, lease).await?;
    for (table, column) in [("staged_objects", "object_type"), ("run_cursors", "collection")] {
        diesel::sql_query(format!("DELETE FROM {table} WHERE organization_id = $1 AND run_id = $2 AND {column} = $3"))
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<Text, _>(collection)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Deletes the staged objects of a type except these. Callers have fenced.
pub async fn keep_staged(tx: &mut Transaction, lease: &Lease, object_type: ObjectType, ids: &[Uuid]) -> Result<()> {
    const KEEP: &str = "
        DELETE FROM staged_objects s WHERE organization_id = $1 AND run_id = $2 AND object_type = $3
        AND NOT EXISTS (SELECT FROM unnest($4::uuid[]) AS kept(id) WHERE kept.id = s.id)";
    join_in_bulk(tx).await?;
    diesel::sql_query(KEEP)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx)
        .await?;
    Ok(())
}

/// Marks the objects of a type that the mirror has, except these, as out of scope, unless it is said already why they are gone.
/// Callers have fenced.
pub async fn mark_others(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    object_type: ObjectType,
    ids: &[Uuid],
) -> Result<()> {
    const MARK: &str = "
        INSERT INTO staged_objects (organization_id, run_id, object_type, id, hash, data)
        SELECT $1, $2, $5, m.id, ''::bytea, $6 FROM mirror_objects m
        WHERE m.organization_id = $1 AND m.job_id = $3 AND m.object_type = $4
            AND NOT EXISTS (SELECT FROM unnest($7::uuid[]) AS kept(id) WHERE kept.id = m.id)
        ON CONFLICT DO NOTHING";
    join_in_bulk(tx).await?;
    diesel::sql_query(MARK)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<Text, _>(StoredAs::Gone(object_type))
        .bind::<Text, _>(ChangeReason::OutOfScope)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the staged members except those of these groups. Callers have fenced.
pub async fn keep_staged_members(tx: &mut Transaction, lease: &Lease, groups: &[Uuid]) -> Result<()> {
    const KEEP: &str = "
        DELETE FROM staged_members s WHERE organization_id = $1 AND run_id = $2
        AND NOT EXISTS (SELECT FROM unnest($3::uuid[]) AS kept(id) WHERE kept.id = s.group_id)";
    join_in_bulk(tx).await?;
    diesel::sql_query(KEEP)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<SqlUuid>, _>(groups)
        .execute(tx)
        .await?;
    Ok(())
}

/// Removes what a run staged.
pub async fn clear_staging(tx: &mut Transaction, organization: OrganizationId, run: RunId) -> Result<()> {
    delete(tx, "staged_objects", organization, run).await?;
    delete(tx, "staged_members", organization, run).await?;
    delete(tx, "run_cursors", organization, run).await
}

/// As [`clear_staging`], except for the markers of objects that are gone: the diff needs them.
pub async fn clear_all_but_gone(tx: &mut Transaction, organization: OrganizationId, run: RunId) -> Result<()> {
    let objects = format!(
        "DELETE FROM staged_objects WHERE organization_id = $1 AND run_id = $2 AND NOT {}",
        is_marker("object_type")
    );
    diesel::sql_query(objects).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(run.0).execute(tx).await?;
    delete(tx, "staged_members", organization, run).await?;
    delete(tx, "run_cursors", organization, run).await
}

/// Removes the rows of a run from a table.
async fn delete(tx: &mut Transaction, table: &str, organization: OrganizationId, run: RunId) -> Result<()> {
    diesel::sql_query(format!("DELETE FROM {table} WHERE organization_id = $1 AND run_id = $2"))
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .execute(tx)
        .await?;
    Ok(())
}
