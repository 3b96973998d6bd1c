//! The roles and the database of a fresh server.

use crate::error::{Code, Error, Result};
use std::path::Path;
use tokio_postgres::{Client, NoTls};

/// The role that owns the database and everything in it. Migrations use it.
pub const OWNER_ROLE: &str = "entra_assets_owner";
/// The role of the service. It owns nothing, and row-level security applies to it.
pub const RUNTIME_ROLE: &str = "entra_assets";
pub const DATABASE: &str = "entra_assets";
pub(super) const SUPERUSER: &str = "postgres";

/// A connection string without a password: nobody else can enter the folder of the socket.
pub(super) fn url(socket_dir: &Path, role: &str, database: &str) -> String {
    let host = socket_dir.to_string_lossy();
    format!("postgres://{role}@{}/{database}", urlencoding::encode(&host))
}

/// Creates what is missing; may be repeated. The runtime role is not a member of the owner role, and neither can bypass
/// row-level security.
pub(super) async fn ensure(socket_dir: &Path) -> Result<()> {
    let failed = |error: tokio_postgres::Error| {
        Error::new(Code::DatabaseUnavailable, "Cannot set up the roles of the embedded PostgreSQL.").with_source(error)
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
    // Before PostgreSQL 15, every role may create tables in `public`, and the owner of the database does not own it.
    let client = connect(&url(socket_dir, SUPERUSER, DATABASE)).await.map_err(failed)?;
    let schema = format!(
        "ALTER SCHEMA public OWNER TO {OWNER_ROLE}; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
         GRANT USAGE ON SCHEMA public TO {RUNTIME_ROLE}"
    );
    client.batch_execute(&schema).await.map_err(failed)
}

/// Who may connect to a database. Rows are copied into temporary tables before a merge.
pub(super) fn database_privileges(database: &str) -> String {
    format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC; \
         GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {RUNTIME_ROLE}"
    )
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends when the client is dropped; an error appears in the next call of the client.
    tokio::spawn(connection);
    Ok(client)
}
