//! Which Jira account each user of a job is, and what the last search for it said.

mod due;

pub use due::{Again, Came, Due, DueRow, begin_anew, due, due_again, note, waiting};

use super::Transaction;
use super::runs::{Lease, fence};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::jira_user::{JiraUserCounts, JiraUserOutcome, JiraUserReason};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// What a search said of a user.
#[derive(Clone, Debug)]
pub struct Looked {
    pub user: Uuid,
    pub mail: Option<String>,
    pub user_principal_name: Option<String>,
    /// The account that the object in Assets has now.
    pub account: Option<String>,
    pub outcome: JiraUserOutcome,
    pub reason: Option<JiraUserReason>,
    /// An account was written or taken away.
    pub changed: bool,
    /// The object may not have the account.
    pub rewrite: bool,
}

/// Stores what a run found, which is about this attribute. Fenced. Returns how much the run has found so far.
pub async fn store(
    tx: &mut Transaction,
    lease: &Lease,
    job: JobId,
    attribute: &str,
    found: &[Looked],
    now: DateTime<Utc>,
) -> Result<JiraUserCounts> {
    const STORE: &str = "
        INSERT INTO jira_users AS j (organization_id, job_id, user_id, mail, user_principal_name, account, outcome,
            reason, changed, rewrite, run_id, looked_at, attribute)
        SELECT $1, $2, user_id, mail, upn, account, outcome, reason, changed, rewrite, $3, $4, $13
        FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bool[], $12::bool[])
            AS f(user_id, mail, upn, account, outcome, reason, changed, rewrite)
        ON CONFLICT (organization_id, job_id, user_id) DO UPDATE
        SET mail = excluded.mail, user_principal_name = excluded.user_principal_name, account = excluded.account,
            outcome = excluded.outcome, reason = excluded.reason, run_id = excluded.run_id,
            looked_at = excluded.looked_at, changed = excluded.changed, rewrite = excluded.rewrite,
            attribute = excluded.attribute";
    fn column<'a, T>(found: &'a [Looked], value: impl Fn(&'a Looked) -> T) -> Vec<T> {
        found.iter().map(value).collect()
    }
    fence(tx, lease).await?;
    diesel::sql_query(STORE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Timestamptz, _>(now)
        .bind::<Array<SqlUuid>, _>(column(found, |f| f.user))
        .bind::<Array<Nullable<Text>>, _>(column(found, |f| f.mail.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(found, |f| f.user_principal_name.as_deref()))
        .bind::<Array<Nullable<Text>>, _>(column(found, |f| f.account.as_deref()))
        .bind::<Array<Text>, _>(column(found, |f| f.outcome))
        .bind::<Array<Nullable<Text>>, _>(column(found, |f| f.reason))
        .bind::<Array<Bool>, _>(column(found, |f| f.changed))
        .bind::<Array<Bool>, _>(column(found, |f| f.rewrite))
        .bind::<Text, _>(attribute)
        .execute(tx)
        .await?;
    counts(tx, lease.organization, job, lease.run).await
}

async fn counts(tx: &mut Transaction, organization: OrganizationId, job: JobId, run: RunId) -> Result<JiraUserCounts> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        outcome: JiraUserOutcome,
        #[diesel(sql_type = Bool)]
        changed: bool,
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    const COUNTS: &str = "
        SELECT outcome, changed, count(*) AS number FROM jira_users
        WHERE organization_id = $1 AND job_id = $2 AND run_id = $3 GROUP BY outcome, changed";
    let rows: Vec<Row> = diesel::sql_query(COUNTS)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(run.0)
        .load(tx)
        .await?;
    let mut counts = JiraUserCounts::default();
    for Row { outcome, changed, number } in rows {
        let number = number.unsigned_abs();
        match (outcome, changed) {
            (JiraUserOutcome::Set, true) => counts.set += number,
            (JiraUserOutcome::Set, false) => counts.unchanged += number,
            (JiraUserOutcome::NotFound, _) => counts.not_found += number,
            (JiraUserOutcome::Ambiguous, _) => counts.ambiguous += number,
            (JiraUserOutcome::Inactive, _) => counts.inactive += number,
            (JiraUserOutcome::Failed, _) => counts.failed += number,
            // They are counted as left.
            (JiraUserOutcome::Waiting, _) => {}
        }
        if changed && outcome != JiraUserOutcome::Set {
            counts.cleared += number;
        }
    }
    Ok(counts)
}

/// A user of a job as lists show it.
#[derive(QueryableByName, Clone, Debug)]
pub struct JiraUserRow {
    #[diesel(sql_type = SqlUuid)]
    pub user_id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    pub label: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub mail: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub user_principal_name: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub account: Option<String>,
    #[diesel(sql_type = Text)]
    pub outcome: JiraUserOutcome,
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<JiraUserReason>,
    #[diesel(sql_type = SqlUuid)]
    pub run_id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub looked_at: DateTime<Utc>,
}

/// Which users to list; `None`: all.
#[derive(Clone, Copy, Default, Debug)]
pub struct Which {
    pub outcome: Option<JiraUserOutcome>,
    pub user: Option<Uuid>,
}

/// Users of a job after `after`, by their ids.
pub async fn list(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    which: Which,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<JiraUserRow>> {
    const LIST: &str = "
        SELECT j.user_id, d.label, j.mail, j.user_principal_name, CASE WHEN NOT j.rewrite THEN j.account END AS account, j.outcome, j.reason, j.run_id, j.looked_at
        FROM jira_users j LEFT JOIN mirror_delivered d ON d.organization_id = $1 AND d.job_id = $2
            AND d.object_type = 'users' AND d.id = j.user_id
        WHERE j.organization_id = $1 AND j.job_id = $2 AND ($3 IS NULL OR j.outcome = $3)
            AND ($4 IS NULL OR j.user_id = $4) AND j.user_id > $5
        ORDER BY j.user_id LIMIT $6";
    Ok(diesel::sql_query(LIST)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Nullable<Text>, _>(which.outcome)
        .bind::<Nullable<SqlUuid>, _>(which.user)
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}
