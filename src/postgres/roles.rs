//! The roles and the database of a fresh server.

use super::{DATABASE, OWNER_ROLE, RUNTIME_ROLE, SUPERUSER, url};
use crate::error::{Code, Error, Result};
use std::path::Path;
use tokio_postgres::{Client, NoTls};

/// Creates what is missing; harmless to repeat. The runtime role is no member of the owner, and neither can
/// bypass row-level security.
pub(super) async fn ensure(socket_dir: &Path) -> Result<()> {
    let failed = |error: tokio_postgres::Error| {
        Error::new(Code::DatabaseUnavailable, "the roles of the embedded PostgreSQL could not be set up")
            .with_source(error)
    };
    let client = connect(&url(socket_dir, SUPERUSER, "postgres")).await.map_err(failed)?;
    for role in [OWNER_ROLE, RUNTIME_ROLE] {
        let exists = client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await.map_err(failed)?;
        let verb = if exists.is_some() { "ALTER" } else { "CREATE" };
        let attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS";
        client.batch_execute(&format!("{verb} ROLE {role} {attributes}")).await.map_err(failed)?;
    }
    let exists =
        client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await.map_err(failed)?;
    if exists.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")).await.map_err(failed)?;
    }
    client.batch_execute(&database_privileges(DATABASE)).await.map_err(failed)?;
    // Before PostgreSQL 15 everyone may create tables in `public`, and the database's owner does not own it.
    let client = connect(&url(socket_dir, SUPERUSER, DATABASE)).await.map_err(failed)?;
    let schema = format!(
        "ALTER SCHEMA public OWNER TO {OWNER_ROLE}; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         GRANT USAGE ON SCHEMA public TO {RUNTIME_ROLE}"
    );
    client.batch_execute(&schema).await.map_err(failed)
}

/// Who may enter a database. Temporary tables are what rows are copied into before a merge.
pub(super) fn database_privileges(database: &str) -> String {
    format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC; \
         GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {RUNTIME_ROLE}"
    )
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // Ends by itself when the client is dropped; an error shows in the client's next call.
    tokio::spawn(connection);
    Ok(client)
}
