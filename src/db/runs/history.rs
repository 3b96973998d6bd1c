//! The history of a run: its events and its changes.

use crate::change::FeedPlace;
use crate::db::Transaction;
use crate::db::list::containing;
use crate::db::listen::{RUN_EVENTS, notify};
use crate::db::schema::{run_changes, run_events};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::event::RunEvent;
use crate::run_state::{ChangeAction, ChangeReason, EventKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use uuid::Uuid;

/// An event of a run.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = run_events)]
pub struct EventRow {
    pub id: i64,
    pub event: EventKind,
    pub data: Value,
    pub at: DateTime<Utc>,
}

/// Adds an event with the run's next number, and notifies those who follow the run.
pub async fn add_event(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    event: &RunEvent,
    now: DateTime<Utc>,
) -> Result<()> {
    const ADD: &str = "
        WITH numbered AS (
            UPDATE runs SET last_event_id = last_event_id + 1
            WHERE organization_id = $1 AND id = $2 RETURNING last_event_id)
        INSERT INTO run_events (organization_id, run_id, id, event, data, at)
        SELECT $1, $2, last_event_id, $3, $4, $5 FROM numbered";
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(event.kind())
        .bind::<Jsonb, _>(event.data()?)
        .bind::<Timestamptz, _>(now)
        .execute(tx)
        .await?;
    notify(tx, RUN_EVENTS, &run.to_string()).await
}

/// Events after `after`, oldest first.
pub async fn events(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>> {
    Ok(run_events::table
        .filter(run_events::organization_id.eq(organization.0))
        .filter(run_events::run_id.eq(run.0))
        .filter(run_events::id.gt(after))
        .order(run_events::id)
        .limit(limit)
        .select(EventRow::as_select())
        .load(tx)
        .await?)
}

/// What a page of changes takes, about: with memberships on the group, one change can have megabytes.
pub const MAX_PAGE_BYTES: usize = 4 << 20;

/// The changes of a page.
pub struct Cut<R> {
    pub rows: Vec<R>,
    /// They are so large that the page ended before its limit: there may be more.
    pub is_cut: bool,
}

/// The first rows, as many as a page takes. The rest is not kept in memory.
async fn cut<R>(rows: impl Stream<Item = QueryResult<R>>, bytes: impl Fn(&R) -> usize) -> Result<Cut<R>> {
    let (mut taken, mut total) = (Vec::new(), 0);
    let mut rows = std::pin::pin!(rows);
    while let Some(row) = rows.next().await {
        let row = row?;
        total += bytes(&row);
        taken.push(row);
        if total >= MAX_PAGE_BYTES {
            return Ok(Cut { rows: taken, is_cut: true });
        }
    }
    Ok(Cut { rows: taken, is_cut: false })
}

fn length(before: &Option<String>, after: &Option<String>) -> usize {
    [before, after].into_iter().flatten().map(String::len).sum()
}

/// A change of a run.
#[derive(Queryable, Selectable, QueryableByName, Clone, Debug)]
#[diesel(table_name = run_changes)]
pub struct ChangeRow {
    pub seq: i64,
    pub object_type: ObjectType,
    pub object_id: Uuid,
    pub label: Option<String>,
    pub action: ChangeAction,
    pub reason: Option<ChangeReason>,
    pub before: Option<String>,
    pub after: Option<String>,
    /// The objects in Assets that it is about, where they were looked for: ITSM-5186.
    pub assets_keys: Option<Vec<String>>,
}

/// A change that Assets was told of, with its place in the feed of its job.
#[derive(QueryableByName, Clone, Debug)]
pub struct FeedRow {
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Timestamptz)]
    pub at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub object_type: ObjectType,
    #[diesel(sql_type = SqlUuid)]
    pub object_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Text)]
    pub action: ChangeAction,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<ChangeReason>,
    #[diesel(sql_type = Nullable<Text>)]
    pub before: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub after: Option<String>,
    /// Its leaving was told before.
    #[diesel(sql_type = Bool)]
    pub missing_before: bool,
}

/// The runs of the feed: those that have ended and delivered. Of the runs of a job that deliver, the one with the smaller id
/// ends first, since a newer one takes the place of one that awaits approval.
const FEED_RUNS: &str = "r.organization_id = $1 AND r.job_id = $2 AND r.state IN ('succeeded', 'degraded')
    AND r.mode IN ('test', 'full', 'incremental')";

/// The changes of a job's runs after a place, in the order in which they were made. That an object is still missing is no
/// change. At most `limit`, fewer if they are large.
pub async fn feed(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    after: FeedPlace,
    limit: i64,
) -> Result<Cut<FeedRow>> {
    let query = format!(
        "SELECT c.run_id, c.seq, r.finished_at AS at, c.object_type, c.object_id, c.label, c.action, c.reason, c.before,
            c.after, c.missing_before
         FROM runs r JOIN run_changes c ON c.organization_id = r.organization_id AND c.run_id = r.id
         WHERE {FEED_RUNS} AND r.id >= $3 AND (r.id, c.seq) > ($3, $4) AND c.action <> 'unchanged'
            AND NOT (c.action = 'missing' AND c.missing_before)
         ORDER BY r.id, c.seq LIMIT $5"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(after.run)
        .bind::<BigInt, _>(after.seq)
        .bind::<BigInt, _>(limit)
        .load_stream::<FeedRow>(tx)
        .await?;
    cut(rows, |row| length(&row.before, &row.after)).await
}

/// The place after the last change of the feed.
pub async fn end_of_feed(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<FeedPlace> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let query = format!("SELECT r.id FROM runs r WHERE {FEED_RUNS} ORDER BY r.id DESC LIMIT 1");
    let query = diesel::sql_query(query).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
    let last: Option<Row> = query.get_result(tx).await.optional()?;
    let nothing = FeedPlace { run: Uuid::nil(), seq: 0 };
    Ok(last.map_or(nothing, |row| FeedPlace { run: row.id, seq: i64::MAX }))
}

/// Which changes to list; `None`: all.
#[derive(Clone, Default, Debug)]
pub struct Only {
    pub object_type: Option<ObjectType>,
    pub action: Option<ChangeAction>,
    pub object: Option<Uuid>,
    /// A part of the label.
    pub label: Option<String>,
}

/// Changes after `after` in their order, without those that only repeat what was delivered.
pub async fn changes(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    only: &Only,
    after: i64,
    limit: i64,
) -> Result<Cut<ChangeRow>> {
    let mut query = run_changes::table
        .filter(run_changes::organization_id.eq(organization.0))
        .filter(run_changes::run_id.eq(run.0))
        .filter(run_changes::seq.gt(after))
        .filter(run_changes::action.ne(ChangeAction::Unchanged))
        .into_boxed();
    if let Some(object_type) = only.object_type {
        query = query.filter(run_changes::object_type.eq(object_type));
    }
    if let Some(object) = only.object {
        query = query.filter(run_changes::object_id.eq(object));
    }
    if let Some(label) = &only.label {
        query = query.filter(run_changes::label.assume_not_null().ilike(containing(label)));
    }
    match only.action {
        // Whatever the policy does with them.
        Some(ChangeAction::Missing) => {
            let is_gone = run_changes::action.eq_any([ChangeAction::Missing, ChangeAction::Mark, ChangeAction::Remove]);
            let has_left = run_changes::reason.eq(ChangeReason::OutOfScope);
            query = query.filter(is_gone.or(has_left));
        }
        Some(action) => query = query.filter(run_changes::action.eq(action)),
        None => {}
    }
    let query = query.order(run_changes::seq).limit(limit).select(ChangeRow::as_select());
    cut(query.load_stream::<ChangeRow>(tx).await?, |row| length(&row.before, &row.after)).await
}
