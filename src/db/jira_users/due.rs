//! For whom a run has to look. Who is due is noted in the rows themselves (`waiting`), in the run that saw why, so that a
//! run which cannot look leaves the note to the next. What it costs follows what changed, not the directory: an index leads
//! to those who wait, and the read of changes tells who came or has another address.

use crate::db::Transaction;
use crate::db::mirror::read::Source;
use crate::db::runs::{Lease, fence};
use crate::error::{Error, Result};
use crate::ids::{JobId, OrganizationId, RunId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::stream::{BoxStream, StreamExt};
use uuid::Uuid;

/// The users of a run, and the attribute that is written.
#[derive(Clone, Copy, Debug)]
pub struct Due<'a> {
    pub organization: OrganizationId,
    pub job: JobId,
    pub run: RunId,
    pub source: Source,
    pub attribute: &'a str,
}

/// What may have changed since the last run that noted it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Came {
    /// Only what was touched since the last delivery differs from then.
    pub only_touched: bool,
    /// Objects that Assets says it made. If these are more than the run meant to make, Assets had lost others, and nobody
    /// knows which: every object that was sent may be a new one.
    pub created: i64,
}

/// A user for whom to look.
#[derive(QueryableByName, Clone, Debug)]
pub struct DueRow {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub data: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub account: Option<String>,
    #[diesel(sql_type = Bool)]
    pub rewrite: bool,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// When those are due again about whom nothing changed, and how many of them.
#[derive(Clone, Copy, Debug)]
pub struct Again {
    pub with_account_since: DateTime<Utc>,
    pub without_since: DateTime<Utc>,
    pub most: i64,
}

/// A user of `o` whose object Assets has, or has now. Two look-ups at most, whatever the planner estimates.
const IN_SCOPE: &str = "
    coalesce((SELECT true FROM mirror_delivered d WHERE d.organization_id = $1 AND d.job_id = $2
        AND d.object_type = 'users' AND d.id = o.id AND NOT d.marked LIMIT 1),
     (SELECT true FROM run_changes c WHERE c.organization_id = $1 AND c.object_id = o.id AND c.run_id = $4
        AND c.object_type = 'users' AND c.send LIMIT 1))";

/// The addresses of a user of `o`. PostgreSQL reads no text out of JSON in which there is a NUL character: such a user has no
/// address here, and is looked for all the same when new.
const ADDRESSES: &str = "
    CROSS JOIN LATERAL (SELECT CASE WHEN strpos(o.data, '\\u0000') = 0 THEN o.data::json END AS found OFFSET 0) AS read
    CROSS JOIN LATERAL (SELECT read.found ->> 'mail' AS mail, read.found ->> 'userPrincipalName' AS upn) AS a";

/// Notes who is due: users that are new or have another address, users whose object came anew, and everybody of whom the
/// last search was for another attribute. Fenced.
pub async fn note(tx: &mut Transaction, lease: &Lease, of: &Due<'_>, came: Came, now: DateTime<Utc>) -> Result<()> {
    // Two ranges, which an index finds.
    const OF_ANOTHER_ATTRIBUTE: &str = "
        UPDATE jira_users SET outcome = 'waiting', reason = NULL, account = NULL, rewrite = true, changed = false,
            attribute = $5, run_id = $4, looked_at = $6
        WHERE organization_id = $1 AND job_id = $2 AND user_id = ANY(ARRAY(
            SELECT user_id FROM jira_users WHERE organization_id = $1 AND job_id = $2 AND attribute < $5
            UNION ALL SELECT user_id FROM jira_users WHERE organization_id = $1 AND job_id = $2 AND attribute > $5))";
    fence(tx, lease).await?;
    let any = came.created > 0 && came.created > meant_to_come(tx, of).await?;
    let (came_anew, differ) = (objects_that_came(of.source, any), users_that_differ(of.source, came));
    for statement in [OF_ANOTHER_ATTRIBUTE, &came_anew, &differ] {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(of.organization.0)
            .bind::<SqlUuid, _>(of.job.0)
            .bind::<SqlUuid, _>(of.source.key())
            .bind::<SqlUuid, _>(of.run.0)
            .bind::<Text, _>(of.attribute)
            .bind::<Timestamptz, _>(now)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// What is done to objects that may be new ones.
const COME: &str = "('create', 'restore', 'matched')";

async fn meant_to_come(tx: &mut Transaction, of: &Due<'_>) -> Result<i64> {
    let query = format!(
        "SELECT count(*) AS number FROM run_changes
         WHERE organization_id = $1 AND run_id = $2 AND object_type = 'users' AND send AND action IN {COME}"
    );
    let row: Number = diesel::sql_query(query)
        .bind::<SqlUuid, _>(of.organization.0)
        .bind::<SqlUuid, _>(of.run.0)
        .get_result(tx)
        .await?;
    Ok(row.number)
}

/// Users whose object may be a new one, unless this run has looked for them. One look-up for each, whatever the planner
/// estimates.
fn objects_that_came(source: Source, any: bool) -> String {
    let (objects, key) = source.whole_objects_by();
    let action = if any { String::new() } else { format!("AND action IN {COME}") };
    format!(
        "INSERT INTO jira_users AS j (organization_id, job_id, user_id, mail, user_principal_name, outcome, changed, rewrite,
            attribute, run_id, looked_at)
         SELECT $1, $2, o.id, a.mail, a.upn, 'waiting', false, true, $5, $4, $6
         FROM (SELECT DISTINCT object_id FROM run_changes
            WHERE organization_id = $1 AND run_id = $4 AND object_type = 'users' AND send {action}) AS sent
         CROSS JOIN LATERAL (SELECT id, data FROM {objects} w WHERE w.organization_id = $1 AND w.{key} = $3
            AND w.object_type = 'users' AND w.id = sent.object_id LIMIT 1) AS o {ADDRESSES}
         ON CONFLICT (organization_id, job_id, user_id) DO UPDATE
         SET outcome = 'waiting', reason = NULL, changed = false, rewrite = true, attribute = excluded.attribute,
            run_id = excluded.run_id, looked_at = excluded.looked_at
         WHERE j.outcome <> 'waiting' AND j.run_id <> excluded.run_id OR j.outcome = 'waiting' AND NOT j.rewrite"
    )
}

/// Users for whom nobody has looked, and those with another address than was searched for.
fn users_that_differ(source: Source, came: Came) -> String {
    let (objects, key) = source.whole_objects_by();
    let known = "SELECT * FROM jira_users WHERE organization_id = $1 AND job_id = $2";
    let users = match came.only_touched {
        true => format!(
            "(SELECT id FROM mirror_touched WHERE organization_id = $1 AND job_id = $2 AND object_type = 'users') AS t
             CROSS JOIN LATERAL (SELECT id, data FROM {objects} w WHERE w.organization_id = $1 AND w.{key} = $3
                AND w.object_type = 'users' AND w.id = t.id LIMIT 1) AS o
             LEFT JOIN LATERAL ({known} AND user_id = t.id LIMIT 1) AS k ON true"
        ),
        false => format!(
            "(SELECT id, data FROM {objects} w
              WHERE w.organization_id = $1 AND w.{key} = $3 AND w.object_type = 'users') AS o
             LEFT JOIN ({known}) AS k ON k.user_id = o.id"
        ),
    };
    format!(
        "INSERT INTO jira_users AS j (organization_id, job_id, user_id, mail, user_principal_name, outcome, changed,
            attribute, run_id, looked_at)
         SELECT $1, $2, o.id, a.mail, a.upn, 'waiting', false, $5, $4, $6
         FROM {users} {ADDRESSES}
         WHERE CASE WHEN k.user_id IS NULL OR (k.outcome <> 'waiting' AND read.found IS NOT NULL
                AND (a.mail IS DISTINCT FROM k.mail OR a.upn IS DISTINCT FROM k.user_principal_name))
            THEN {IN_SCOPE} END
         ON CONFLICT (organization_id, job_id, user_id) DO UPDATE
         SET mail = excluded.mail, user_principal_name = excluded.user_principal_name, outcome = 'waiting', reason = NULL,
            changed = false, run_id = excluded.run_id, looked_at = excluded.looked_at"
    )
}

/// Nobody has an account in the attribute, whatever the rows say. Fenced.
pub async fn begin_anew(tx: &mut Transaction, lease: &Lease, of: &Due<'_>, now: DateTime<Utc>) -> Result<()> {
    const ANEW: &str = "
        UPDATE jira_users SET outcome = 'waiting', reason = NULL, account = NULL, rewrite = true, changed = false,
            run_id = $3, looked_at = $4
        WHERE organization_id = $1 AND job_id = $2 AND (outcome <> 'waiting' OR account IS NOT NULL)";
    fence(tx, lease).await?;
    diesel::sql_query(ANEW)
        .bind::<SqlUuid, _>(of.organization.0)
        .bind::<SqlUuid, _>(of.job.0)
        .bind::<SqlUuid, _>(of.run.0)
        .bind::<Timestamptz, _>(now)
        .execute(tx)
        .await?;
    Ok(())
}

/// The rows `j` of users of the run that fulfil one of the conditions, each of which an index finds, with their objects `o`.
fn users_of_rows(source: Source, conditions: &[&str]) -> String {
    let (objects, key) = source.whole_objects_by();
    let rows = conditions.iter().map(|condition| {
        format!(
            "SELECT * FROM jira_users WHERE organization_id = $1 AND job_id = $2 AND attribute = $5 AND {condition}"
        )
    });
    let rows: Vec<String> = rows.collect();
    format!(
        "FROM ({}) AS j
         CROSS JOIN LATERAL (SELECT id, data FROM {objects} w WHERE w.organization_id = $1 AND w.{key} = $3
            AND w.object_type = 'users' AND w.id = j.user_id LIMIT 1) AS o
         WHERE {IN_SCOPE}",
        rows.join(" UNION ALL ")
    )
}

/// Who waits. Whose account this run could not write is left to the next.
const WAITS: [&str; 2] = ["outcome = 'waiting'", "outcome = 'failed' AND run_id <> $4"];

/// Those who are due, who waits longest first.
pub async fn due<'a>(tx: &'a mut Transaction, of: &Due<'_>, most: i64) -> Result<BoxStream<'a, Result<DueRow>>> {
    let rows = users_of_rows(of.source, &WAITS);
    let query = format!("SELECT o.id, o.data, j.account, j.rewrite {rows} ORDER BY j.looked_at, j.user_id LIMIT $6");
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(of.organization.0)
        .bind::<SqlUuid, _>(of.job.0)
        .bind::<SqlUuid, _>(of.source.key())
        .bind::<SqlUuid, _>(of.run.0)
        .bind::<Text, _>(of.attribute)
        .bind::<BigInt, _>(most)
        .load_stream::<DueRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}

/// How many are due.
pub async fn waiting(tx: &mut Transaction, of: &Due<'_>) -> Result<u64> {
    let row: Number = diesel::sql_query(format!("SELECT count(*) AS number {}", users_of_rows(of.source, &WAITS)))
        .bind::<SqlUuid, _>(of.organization.0)
        .bind::<SqlUuid, _>(of.job.0)
        .bind::<SqlUuid, _>(of.source.key())
        .bind::<SqlUuid, _>(of.run.0)
        .bind::<Text, _>(of.attribute)
        .get_result(tx)
        .await?;
    Ok(row.number.unsigned_abs())
}

/// Users about whom nothing changed, for whom nobody has looked for long.
pub async fn due_again<'a>(
    tx: &'a mut Transaction,
    of: &Due<'_>,
    again: Again,
) -> Result<BoxStream<'a, Result<DueRow>>> {
    const LONG_AGO: [&str; 4] = [
        "outcome = 'set' AND looked_at <= $6",
        "outcome = 'notFound' AND looked_at <= $7",
        "outcome = 'ambiguous' AND looked_at <= $7",
        "outcome = 'inactive' AND looked_at <= $7",
    ];
    let rows = users_of_rows(of.source, &LONG_AGO);
    let query = format!("SELECT o.id, o.data, j.account, j.rewrite {rows} ORDER BY j.looked_at, j.user_id LIMIT $8");
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(of.organization.0)
        .bind::<SqlUuid, _>(of.job.0)
        .bind::<SqlUuid, _>(of.source.key())
        .bind::<SqlUuid, _>(of.run.0)
        .bind::<Text, _>(of.attribute)
        .bind::<Timestamptz, _>(again.with_account_since)
        .bind::<Timestamptz, _>(again.without_since)
        .bind::<BigInt, _>(again.most)
        .load_stream::<DueRow>(tx)
        .await?;
    Ok(rows.map(|row| row.map_err(Error::from)).boxed())
}
