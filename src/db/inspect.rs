//! What the command `doctor` asks of the database.

use super::connect::{self, Options};
use super::listen::{self, Notice};
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use diesel::sql_types::{Bool, Text};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use std::time::Duration;
use tokio::sync::broadcast;

/// How long a notice of our own may take.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What the runtime role may do that it should not.
#[derive(QueryableByName, Clone, PartialEq, Eq, Debug)]
pub struct RuntimeRole {
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Superuser, or with BYPASSRLS: row-level security does not bind it.
    #[diesel(sql_type = Bool)]
    pub bypasses_security: bool,
    /// Owns a table, or is a member of the role that does: it can switch row-level security off.
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

/// Tables that row-level security does not bind everybody in.
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

/// Announces something on one connection and hears it on another.
pub async fn hears_notices(runtime: &Options, listen: &Options, clock: &Clock) -> Result<()> {
    let (sender, mut receiver) = broadcast::channel(16);
    let mut speaker: AsyncPgConnection = connect::open_alone(runtime).await?;
    let speaking = async {
        // LISTEN may take a moment to take effect: said again until it is heard.
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
        broken = listen::forward(listen, &sender) => broken,
        error = speaking => error,
        () = clock.sleep(HEARD_WITHIN) => {
            Err(Error::new(Code::DatabaseUnavailable, "A notice that was sent with NOTIFY was not heard by LISTEN."))
        }
    }
}
