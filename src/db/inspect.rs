//! The database checks of the command `doctor`.

use super::connect::{self, Options};
use super::listen::{self, Notice};
use super::presence::Presence;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use std::time::Duration;
use tokio::sync::broadcast;

/// How long a notification to ourselves may take.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Privileges that the runtime role should not have.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct RuntimeRole {
    #[diesel(sql_type = Text)]
    pub name: String,
    /// It is a superuser or has BYPASSRLS: row-level security does not apply to it.
    #[diesel(sql_type = Bool)]
    pub bypasses_security: bool,
    /// It owns a table, or is a member of the role that does: it can switch row-level security off.
    #[diesel(sql_type = Bool)]
    pub owns_tables: bool,
}

/// The version of the server, if it answers.
pub async fn version(options: &Options) -> Result<String> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let mut connection = connect::open_alone(options).await?;
    let row: Row = sql_query("SELECT current_setting('server_version') AS version").get_result(&mut connection).await?;
    Ok(row.version)
}

pub async fn runtime_role(options: &Options) -> Result<RuntimeRole> {
    const ROLE: &str = "
        SELECT rolname::text AS name, rolsuper OR rolbypassrls AS bypasses_security,
            EXISTS (SELECT FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND pg_has_role(current_user, relowner, 'MEMBER')) AS owns_tables
        FROM pg_roles WHERE rolname = current_user";
    let mut connection = connect::open_alone(options).await?;
    Ok(sql_query(ROLE).get_result(&mut connection).await?)
}

/// Tables without row-level security, or where it does not apply to the owner.
pub async fn unprotected_tables(options: &Options) -> Result<Vec<String>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
    }
    const UNPROTECTED: &str = "
        SELECT relname::text AS name FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND NOT (relrowsecurity AND relforcerowsecurity) AND relname <> '__diesel_schema_migrations'
        ORDER BY relname";
    let mut connection = connect::open_alone(options).await?;
    let rows: Vec<Row> = sql_query(UNPROTECTED).load(&mut connection).await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Refuses a pooler that loses prepared statements: a statement is prepared, another connection gets what it was prepared
/// on, and then it is executed.
///
/// # Errors
/// `configuration_invalid`: the statement was lost. `database_unavailable`: the database does not answer.
pub async fn check_prepared_statements(options: &Options) -> Result<()> {
    let broken = |e: tokio_postgres::Error| {
        Error::new(Code::DatabaseUnavailable, "The database does not answer.").with_source(e)
    };
    let open = async || {
        let (client, connection) = tokio_postgres::connect(&options.url(), options.tls()?).await.map_err(broken)?;
        // It ends with its client.
        tokio::spawn(connection);
        Ok::<_, Error>(client)
    };
    let (one, other) = (open().await?, open().await?);
    let statement = one.prepare("SELECT 1").await.map_err(broken)?;
    other.batch_execute("BEGIN").await.map_err(broken)?;
    let executed = one.query_one(&statement, &[]).await;
    other.batch_execute("ROLLBACK").await.map_err(broken)?;
    executed.map(|_| ()).map_err(|error| {
        let detail = "A pooler in front of the database loses prepared statements, because it gives a connection to somebody \
                      else after each transaction. Use pgbouncer 1.21 or later with `max_prepared_statements` above 0, or \
                      `pool_mode = session`, or connect to the database itself.";
        Error::new(Code::ConfigurationInvalid, detail).with_source(error)
    })
}

/// Sends a notification on one connection and waits for it on another.
pub async fn check_notifications(runtime: &Options, listen: &Options, clock: &Clock) -> Result<()> {
    let (sender, mut receiver) = broadcast::channel(16);
    let presence = Presence::random();
    let mut speaker: AsyncPgConnection = connect::open_alone(runtime).await?;
    let speaking = async {
        // LISTEN may take a moment to take effect, so the notification is repeated.
        loop {
            let notify = format!("NOTIFY {}", listen::WEBHOOKS);
            speaker.batch_execute(&notify).await?;
            clock.sleep(AGAIN_AFTER).await;
        }
    };
    let hearing = async {
        loop {
            if matches!(receiver.recv().await, Ok(Notice::WebhooksQueued)) {
                return;
            }
        }
    };
    tokio::select! {
        () = hearing => Ok(()),
        broken = listen::forward(listen, &presence, &sender) => broken,
        error = speaking => error,
        () = clock.sleep(HEARD_WITHIN) => {
            Err(Error::new(Code::DatabaseUnavailable, "A notification sent with NOTIFY did not arrive at LISTEN."))
        }
    }
}
