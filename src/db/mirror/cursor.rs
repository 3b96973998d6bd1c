//! How far a run has read each collection.

use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::db::schema::run_cursors;
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::borrow::Cow;
use std::collections::HashMap;

/// How far a collection is read after a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub collection: Cow<'static, str>,
    pub part: String,
    pub next_link: Option<String>,
    pub done: bool,
    pub pages: i32,
}

/// Stores how far parts of collections are read. Callers have fenced.
pub async fn stage_cursors(tx: &mut Transaction, lease: &Lease, cursors: &[Cursor]) -> Result<()> {
    if cursors.is_empty() {
        return Ok(());
    }
    const CURSORS: &str = "
        INSERT INTO run_cursors (organization_id, run_id, collection, part, next_link, done, pages)
        SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::bool[], $7::int[])
        ON CONFLICT (organization_id, run_id, collection, part)
        DO UPDATE SET next_link = excluded.next_link, done = excluded.done, pages = excluded.pages";
    // Of several pages of one collection the last one counts.
    let last: HashMap<(&str, &str), &Cursor> =
        cursors.iter().map(|cursor| ((cursor.collection.as_ref(), cursor.part.as_str()), cursor)).collect();
    let last: Vec<&Cursor> = last.into_values().collect();
    diesel::sql_query(CURSORS)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<Text>, _>(last.iter().map(|c| c.collection.as_ref()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(last.iter().map(|c| c.part.as_str()).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(last.iter().map(|c| c.next_link.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Bool>, _>(last.iter().map(|c| c.done).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(last.iter().map(|c| c.pages).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// The collection of groups' members in `run_cursors`; its part is the group's id.
pub const MEMBERS: &str = "members";

/// What the part of a cursor begins with that is no place in a list: a question that was answered, with the answer as its
/// link.
pub const QUESTION: &str = "ask:";

/// The collection of what is asked one by one. Its answers are whole bodies, and there can be as many as objects, so they are
/// looked up one by one as well.
pub const SINGLE: &str = "single";

/// What a question of a run was answered.
pub async fn answer(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    collection: &str,
    part: &str,
) -> Result<Option<String>> {
    let row = run_cursors::table.find((organization.0, run.0, collection, part)).select(run_cursors::next_link);
    Ok(row.first::<Option<String>>(tx).await.optional()?.flatten())
}

/// The questions of a run that were answered, by collection and part, but for those that are looked up one by one.
pub async fn answers(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
) -> Result<HashMap<(String, String), String>> {
    let rows: Vec<(String, String, Option<String>)> = run_cursors::table
        .filter(run_cursors::organization_id.eq(organization.0))
        .filter(run_cursors::run_id.eq(run.0))
        .filter(run_cursors::collection.ne(SINGLE))
        .filter(run_cursors::part.like(format!("{QUESTION}%")))
        .select((run_cursors::collection, run_cursors::part, run_cursors::next_link))
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|(collection, part, answer)| ((collection, part), answer.unwrap_or_default())).collect())
}

#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = run_cursors)]
pub struct CursorRow {
    pub part: String,
    pub next_link: Option<String>,
    pub done: bool,
    pub pages: i32,
}

/// How far the parts of a collection are read, by part. Questions are no parts of it.
pub async fn cursors(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    collection: &str,
) -> Result<HashMap<String, CursorRow>> {
    let rows: Vec<CursorRow> = run_cursors::table
        .filter(run_cursors::organization_id.eq(organization.0))
        .filter(run_cursors::run_id.eq(run.0))
        .filter(run_cursors::collection.eq(collection))
        .filter(run_cursors::part.not_like(format!("{QUESTION}%")))
        .select(CursorRow::as_select())
        .load(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.part.clone(), row)).collect())
}
