//! Retention: deletes what has expired and the data of deleted jobs and organizations. It works in batches, so that no
//! transaction takes long, and every step can be repeated.

use super::super::schema::{jobs, organizations, runs};
use super::super::{Db, mirror, runs as queue};
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as sql;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

/// Ended runs that are cleared at once: at a look every 15 seconds, 120,000 an hour.
const RUNS_AT_ONCE: i64 = 500;
/// The tables with data of a run, besides `runs`.
pub const OF_RUN: [&str; 6] =
    ["run_changes", "run_events", "staged_objects", "staged_members", "run_cursors", "executions"];
/// The tables of an organization besides those of runs and mirrors, in an order in which no row is left that another refers to.
const OTHER_TABLES: [&str; 14] = [
    "runs",
    "jobs",
    "filters",
    "connection_checks",
    "handovers",
    "connections",
    "destinations",
    "webhook_deliveries",
    "webhooks",
    "forge_tokens",
    "tickets",
    "idempotency_keys",
    "api_keys",
    "audit_events",
];

/// The tables of an organization, in an order in which no row is left that another refers to.
pub fn of_organization() -> impl Iterator<Item = &'static str> {
    mirror::TABLES.into_iter().chain(OF_RUN).chain(OTHER_TABLES)
}

/// The newest check of a connection stays, however old: it is the connection's state.
const OF_NEWER_CHECK: &str = " AND EXISTS (SELECT FROM connection_checks AS newer
    WHERE newer.organization_id = connection_checks.organization_id
        AND newer.connection_id = connection_checks.connection_id AND newer.id > connection_checks.id)";

/// Removes what has expired: checks, audit events, revoked keys, deliveries to webhooks, idempotency keys, removed installations, tickets,
/// handovers, and workers that have stopped. At most `batch` rows of each.
pub async fn clear_expired(
    db: &Db,
    records_before: DateTime<Utc>,
    keys_before: DateTime<Utc>,
    workers_before: DateTime<Utc>,
    now: DateTime<Utc>,
    batch: i64,
) -> Result<()> {
    for (table, column, before, also) in [
        ("connection_checks", "checked_at", records_before, OF_NEWER_CHECK),
        ("audit_events", "at", records_before, ""),
        ("api_keys", "revoked_at", records_before, ""),
        ("webhook_deliveries", "created_at", records_before, ""),
        ("idempotency_keys", "created_at", keys_before, ""),
        ("tickets", "expires_at", now, ""),
        ("handovers", "expires_at", records_before, ""),
    ] {
        // One look for each organization: into an index by time where a table can be large, else through its few rows.
        let old = format!(
            "SELECT old.place FROM organizations CROSS JOIN LATERAL (
                SELECT {table}.ctid AS place FROM {table}
                WHERE {table}.organization_id = organizations.organization_id AND {column} < $1{also} LIMIT $2) old
             LIMIT $2"
        );
        clear_old(db, table, &old, before, batch).await?;
    }
    // These have few rows, and no organization.
    for (table, column, before) in
        [("removed_installations", "removed_at", keys_before), ("workers", "seen_at", workers_before)]
    {
        clear_old(db, table, &format!("SELECT ctid FROM {table} WHERE {column} < $1 LIMIT $2"), before, batch).await?;
    }
    Ok(())
}

/// Removes the rows of `table` whose places the query `old` gives, in which `$1` is `before` and `$2` is `batch`.
async fn clear_old(db: &Db, table: &str, old: &str, before: DateTime<Utc>, batch: i64) -> Result<()> {
    let statement = format!("DELETE FROM {table} WHERE ctid = ANY(ARRAY({old}))");
    db.system(async |tx| {
        diesel::sql_query(&statement)
            .bind::<sql::Timestamptz, _>(before)
            .bind::<sql::BigInt, _>(batch)
            .execute(tx)
            .await?;
        Ok(())
    })
    .await
}

/// Removes events, changes and staging of runs that ended before `before`. Their rows in `runs` stay.
pub async fn clear_ended_runs(db: &Db, before: DateTime<Utc>, now: DateTime<Utc>, batch: i64) -> Result<()> {
    // Another process may be deleting the same rows, and may die: a run of which there are some left stays for the next look.
    let has_rows = OF_RUN.map(|table| {
        format!(
            "AND NOT EXISTS (SELECT FROM {table} WHERE organization_id = runs.organization_id AND run_id = runs.id)"
        )
    });
    let clear = format!(
        "UPDATE runs SET cleared_at = $3 FROM unnest($1::uuid[], $2::uuid[]) AS ended(organization_id, id)
         WHERE runs.organization_id = ended.organization_id AND runs.id = ended.id {}",
        has_rows.join(" ")
    );
    let ended: Vec<(Uuid, Uuid)> = db
        .system(async |tx| {
            Ok(runs::table
                .filter(runs::finished_at.lt(before))
                .filter(runs::cleared_at.is_null())
                .order(runs::finished_at)
                .limit(RUNS_AT_ONCE)
                .select((runs::organization_id, runs::id))
                .load(tx)
                .await?)
        })
        .await?;
    if ended.is_empty() {
        return Ok(());
    }
    let (organizations, ids): (Vec<Uuid>, Vec<Uuid>) = ended.into_iter().unzip();
    for table in OF_RUN {
        let statement = format!(
            "DELETE FROM {table} WHERE ctid = ANY(ARRAY(
                SELECT old.place FROM unnest($1::uuid[], $2::uuid[]) AS ended(organization_id, run_id)
                CROSS JOIN LATERAL (SELECT ctid AS place FROM {table}
                    WHERE organization_id = ended.organization_id AND run_id = ended.run_id LIMIT $3) AS old
                LIMIT $3))"
        );
        while of_runs(db, &statement, &organizations, &ids, batch).await? as i64 >= batch {}
    }
    db.system(async |tx| {
        let cleared = diesel::sql_query(&clear)
            .bind::<sql::Array<sql::Uuid>, _>(&organizations)
            .bind::<sql::Array<sql::Uuid>, _>(&ids)
            .bind::<sql::Timestamptz, _>(now);
        cleared.execute(tx).await?;
        Ok(())
    })
    .await
}

/// Executes a statement in which `$1` and `$2` are the organizations and ids of runs, and `$3` is `batch`. Returns how many
/// rows it changed.
async fn of_runs(db: &Db, statement: &str, organizations: &[Uuid], ids: &[Uuid], batch: i64) -> Result<usize> {
    db.system(async |tx| {
        Ok(diesel::sql_query(statement)
            .bind::<sql::Array<sql::Uuid>, _>(organizations)
            .bind::<sql::Array<sql::Uuid>, _>(ids)
            .bind::<sql::BigInt, _>(batch)
            .execute(tx)
            .await?)
    })
    .await
}

/// Removes the data of deleted jobs, the job's row last. The rows of its runs stay, without names.
pub async fn clear_deleted_jobs(db: &Db, batch: i64) -> Result<()> {
    let deleted: Vec<(Uuid, Uuid)> = db
        .system(async |tx| {
            let deleted = jobs::table.filter(jobs::deleting_at.is_not_null()).select((jobs::organization_id, jobs::id));
            Ok(deleted.load(tx).await?)
        })
        .await?;
    for (organization, job) in deleted {
        clear_deleted_job(db, OrganizationId(organization), JobId(job), batch).await?;
    }
    Ok(())
}

async fn clear_deleted_job(db: &Db, organization: OrganizationId, job: JobId, batch: i64) -> Result<()> {
    /// Errors and warnings can name users and groups; their codes and numbers stay.
    const STRIP: &str = "
        UPDATE runs SET checkpoint = '{}',
            error = CASE WHEN error IS NULL THEN NULL
                ELSE (error - 'advice') || '{\"detail\": \"The job was deleted.\"}' END,
            warnings = (SELECT coalesce(jsonb_agg((warning - 'advice') || '{\"detail\": \"The job was deleted.\"}'), '[]')
                FROM jsonb_array_elements(warnings) AS warning)
        WHERE organization_id = $1 AND job_id = $2";
    const OF_ITS_RUNS: &str = "run_id IN (SELECT id FROM runs WHERE organization_id = $1 AND job_id = $2)";
    for table in mirror::TABLES {
        clear(db, organization, table, "job_id = $2", job.0, batch).await?;
    }
    for table in OF_RUN.into_iter().chain(["webhook_deliveries"]) {
        clear(db, organization, table, OF_ITS_RUNS, job.0, batch).await?;
    }
    db.scoped(organization, async move |tx| {
        let strip = diesel::sql_query(STRIP).bind::<sql::Uuid, _>(organization.0).bind::<sql::Uuid, _>(job.0);
        strip.execute(tx).await?;
        diesel::delete(jobs::table.find((organization.0, job.0))).execute(tx).await?;
        Ok(())
    })
    .await
}

/// The first step of deleting an organization: removes all secrets and webhooks, and stops its schedules and runs.
pub async fn wipe_organization(db: &Db, organization: OrganizationId, now: DateTime<Utc>) -> Result<()> {
    const WIPE: &str = "
        DELETE FROM forge_tokens;
        DELETE FROM webhooks;
        UPDATE connections SET credential_sealed = NULL, certificate_pem = NULL;
        UPDATE destinations SET token_sealed = CASE WHEN token_sealed IS NULL THEN NULL ELSE ''::bytea END,
            api_token_sealed = NULL;
        UPDATE mirrors SET users_delta_sealed = NULL, groups_delta_sealed = NULL;
        UPDATE executions SET links_sealed = NULL;
        UPDATE jobs SET schedule_enabled = false;";
    db.scoped(organization, async move |tx| {
        // Row-level security limits the statements to this organization.
        tx.batch_execute(WIPE).await?;
        queue::end_all(tx, organization, now).await
    })
    .await
}

/// Removes all data of deleted organizations: secrets first, then the rest in batches, the organization last.
pub async fn clear_deleted_organizations(db: &Db, now: DateTime<Utc>, batch: i64) -> Result<()> {
    let deleted: Vec<Uuid> = db
        .system(async |tx| {
            let deleted = organizations::table.filter(organizations::deleting_at.is_not_null());
            Ok(deleted.select(organizations::organization_id).load(tx).await?)
        })
        .await?;
    for id in deleted {
        wipe_organization(db, OrganizationId(id), now).await?;
        for table in of_organization() {
            clear(db, OrganizationId(id), table, "organization_id = $2", id, batch).await?;
        }
        db.scoped(OrganizationId(id), async move |tx| {
            diesel::delete(organizations::table.find(id)).execute(tx).await?;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Removes the rows of `table` that match `condition`, in which `$1` is the organization and `$2` is `id`.
async fn clear(
    db: &Db,
    organization: OrganizationId,
    table: &str,
    condition: &str,
    id: Uuid,
    batch: i64,
) -> Result<()> {
    let statement = format!(
        "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} \
         WHERE organization_id = $1 AND {condition} LIMIT $3))"
    );
    loop {
        let removed = db
            .scoped(organization, async |tx| {
                Ok(diesel::sql_query(&statement)
                    .bind::<sql::Uuid, _>(organization.0)
                    .bind::<sql::Uuid, _>(id)
                    .bind::<sql::BigInt, _>(batch)
                    .execute(tx)
                    .await?)
            })
            .await?;
        if (removed as i64) < batch {
            return Ok(());
        }
    }
}
