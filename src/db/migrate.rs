//! The migrations, embedded in the program. They run at start, in one process at a time.

use super::connect::{self, Options};
use crate::error::{Code, Error, Result};
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// The key of the advisory lock that migrations hold: "entra-as" in ASCII.
const LOCK: i64 = 0x656e_7472_612d_6173;

/// Applies all pending migrations and grants `runtime_role` access to the rows. Returns the names of the applied
/// migrations. Processes that start at the same time wait for each other.
pub async fn up(options: &Options, runtime_role: Option<&str>) -> Result<Vec<String>> {
    let connection = locked(options).await?;
    let grants = match runtime_role {
        Some(role) if options.role().as_deref() != Some(role) => Some(grants(role)),
        _ => None,
    };
    // The harness blocks on its connection, which needs a thread of the multi-thread runtime.
    let (connection, names) = in_harness(connection, |harness| {
        let ran = harness.run_pending_migrations(MIGRATIONS).map_err(failed)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })?;
    finish(connection, grants).await?;
    Ok(names)
}

/// The names of the pending migrations. A role that only reads can ask: the harness would create the table of the applied
/// migrations.
pub async fn pending(options: &Options) -> Result<Vec<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let mut connection = connect::open_alone(options).await?;
    let applied: Vec<Row> = match has_any(&mut connection).await? {
        true => sql_query("SELECT version FROM __diesel_schema_migrations").load(&mut connection).await?,
        false => Vec::new(),
    };
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    let pending = all.iter().filter(|migration| {
        applied.iter().all(|row| migration.name().version() != MigrationVersion::from(row.version.as_str()))
    });
    Ok(pending.map(|migration| migration.name().to_string()).collect())
}

/// The name of the newest migration of this program.
pub fn newest() -> Result<Option<String>> {
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    Ok(all.iter().map(|migration| migration.name().to_string()).max())
}

/// Whether migrations were ever applied to this database.
async fn has_any(connection: &mut AsyncPgConnection) -> Result<bool> {
    const HAS_TABLE: &str = "SELECT to_regclass('public.__diesel_schema_migrations') IS NOT NULL AS has_any";
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        has_any: bool,
    }
    let row: Row = sql_query(HAS_TABLE).get_result(connection).await?;
    Ok(row.has_any)
}

/// The names of the last `count` applied migrations, the latest first: what [`down`] would revert.
pub async fn last(options: &Options, count: usize) -> Result<Vec<String>> {
    let mut connection = connect::open_alone(options).await?;
    if !has_any(&mut connection).await? {
        return Ok(Vec::new());
    }
    let (_, versions) = in_harness(connection, |harness| harness.applied_migrations().map_err(failed))?;
    let all = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    let name = |version: &MigrationVersion<'_>| {
        let known = all.iter().find(|migration| migration.name().version() == *version);
        known.map_or_else(|| version.to_string(), |migration| migration.name().to_string())
    };
    Ok(versions.iter().take(count).map(name).collect())
}

/// Reverts the last `count` migrations. Their data is lost.
pub async fn down(options: &Options, count: usize) -> Result<Vec<String>> {
    let connection = locked(options).await?;
    let (connection, names) = in_harness(connection, |harness| {
        let mut names = Vec::new();
        for _ in 0..count {
            if harness.applied_migrations().map_err(failed)?.is_empty() {
                break;
            }
            names.push(harness.revert_last_migration(MIGRATIONS).map_err(failed)?.to_string());
        }
        Ok(names)
    })?;
    finish(connection, None).await?;
    Ok(names)
}

fn in_harness<T>(
    connection: AsyncPgConnection,
    work: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<T>,
) -> Result<(AsyncPgConnection, T)> {
    let mut harness = AsyncMigrationHarness::new(connection);
    let value = work(&mut harness)?;
    Ok((harness.into_inner(), value))
}

async fn locked(options: &Options) -> Result<AsyncPgConnection> {
    let mut connection = connect::open_alone(options).await?;
    diesel::select(advisory_lock(LOCK)).execute(&mut connection).await?;
    Ok(connection)
}

async fn finish(mut connection: AsyncPgConnection, grants: Option<String>) -> Result<()> {
    if let Some(grants) = grants {
        connection.batch_execute(&grants).await?;
    }
    diesel::select(advisory_unlock(LOCK)).execute(&mut connection).await?;
    Ok(())
}

define_sql_function! {
    #[sql_name = "pg_advisory_lock"]
    fn advisory_lock(key: diesel::sql_types::BigInt);
}
define_sql_function! {
    #[sql_name = "pg_advisory_unlock"]
    fn advisory_unlock(key: diesel::sql_types::BigInt);
}

fn grants(role: &str) -> String {
    let role = role.replace('"', "\"\"");
    format!(
        "GRANT USAGE ON SCHEMA public TO \"{role}\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{role}\"; \
         GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO \"{role}\"; \
         REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM \"{role}\"; \
         REVOKE UPDATE ON audit_events FROM \"{role}\";"
    )
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(Code::Internal, format!("a database migration failed: {source}")).with_source(source)
}
