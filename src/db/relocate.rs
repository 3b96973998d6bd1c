//! Copies every row of one database into another: for the command `move-database`.

use super::connect::Options;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use std::pin::pin;
use tokio_postgres::{Client, GenericClient, Transaction};

/// How many rows a table has now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copied {
    pub table: String,
    pub rows: u64,
}

/// A table and its columns, quoted where they need it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Table {
    name: String,
    columns: Vec<String>,
}

/// Copies all tables in one transaction of `target`: either everything is there afterwards, or nothing. Both databases have
/// the migrations of this program. `source`: a role that row-level security does not apply to. `target`: the role that
/// owns the tables.
///
/// # Errors
/// `configuration_invalid`: the target is not empty, or its tables are others. `database_unavailable`.
pub async fn copy(source: &Options, target: &Options) -> Result<Vec<Copied>> {
    let (mut source, mut target) = (open(source).await?, open(target).await?);
    // One state of the source, whatever else looks at it.
    let reading =
        source.build_transaction().read_only(true).isolation_level(tokio_postgres::IsolationLevel::RepeatableRead);
    let source = reading.start().await.map_err(failed("the source cannot be read"))?;
    let target = target.transaction().await.map_err(failed("the target cannot be written"))?;
    let tables = in_order(tables(&source).await?, &references(&source).await?)?;
    let mut others = self::tables(&target).await?;
    others.sort_by(|a, b| a.name.cmp(&b.name));
    let mut own = tables.clone();
    own.sort_by(|a, b| a.name.cmp(&b.name));
    if own != others {
        let detail =
            "The tables of the two databases differ. Use a target that only this version of the service has migrated.";
        return Err(Error::new(Code::ConfigurationInvalid, detail));
    }
    // The owner sees no row of a table on which row-level security is forced. All of it is undone if the copy fails.
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    for name in &names {
        run(&target, &format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")).await?;
    }
    refuse_rows(&target, &names).await?;
    run(&target, "DELETE FROM organizations").await?;
    let mut copied = Vec::new();
    for table in &tables {
        copied.push(copy_table(&source, &target, table).await?);
    }
    for name in &names {
        run(&target, &format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY")).await?;
    }
    target.commit().await.map_err(failed("the target could not be completed, so nothing is in it"))?;
    Ok(copied)
}

async fn open(options: &Options) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(&options.url(), options.tls()?)
        .await
        .map_err(failed("a database cannot be reached"))?;
    // It ends with the client. Its errors are those of the client's calls.
    tokio::spawn(connection);
    Ok(client)
}

/// An error with the sentence of the server, which names table and constraint.
fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> Error + use<> {
    let what = what.to_owned();
    move |error| {
        let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Error::new(Code::DatabaseUnavailable, format!("Moving the database failed: {what}: {why}.")).with_source(error)
    }
}

async fn run(client: &impl GenericClient, statement: &str) -> Result<()> {
    client.batch_execute(statement).await.map_err(failed(statement))
}

/// The tables of the service. What the migrations have written down of themselves is in both databases.
async fn tables(client: &impl GenericClient) -> Result<Vec<Table>> {
    const TABLES: &str = "
        SELECT quote_ident(class.relname)::text, array_agg(quote_ident(attname)::text ORDER BY attname)
        FROM pg_class class JOIN pg_attribute ON attrelid = class.oid
        WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace
            AND class.relname <> '__diesel_schema_migrations'
            AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        GROUP BY class.relname";
    let rows = client.query(TABLES, &[]).await.map_err(failed("its tables cannot be listed"))?;
    Ok(rows.iter().map(|row| Table { name: row.get(0), columns: row.get(1) }).collect())
}

/// Which table refers to which.
async fn references(client: &impl GenericClient) -> Result<Vec<(String, String)>> {
    const REFERENCES: &str = "
        SELECT quote_ident(own.relname)::text, quote_ident(other.relname)::text FROM pg_constraint
        JOIN pg_class own ON own.oid = conrelid JOIN pg_class other ON other.oid = confrelid
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid <> confrelid";
    let rows = client.query(REFERENCES, &[]).await.map_err(failed("its references cannot be listed"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What is referred to comes first.
fn in_order(tables: Vec<Table>, references: &[(String, String)]) -> Result<Vec<Table>> {
    let (mut ordered, mut left): (Vec<Table>, Vec<Table>) = (Vec::new(), tables);
    while !left.is_empty() {
        let waits = |table: &Table| {
            let mut needed = references.iter().filter(|(own, _)| *own == table.name).map(|(_, other)| other);
            needed.any(|other| left.iter().any(|table| table.name == *other))
        };
        let (waiting, ready): (Vec<Table>, Vec<Table>) = left.iter().cloned().partition(waits);
        if ready.is_empty() {
            return Err(Error::internal("tables refer to each other in a circle"));
        }
        ordered.extend(ready);
        left = waiting;
    }
    Ok(ordered)
}

/// The target may have what its migrations made: the organization `default`, without anything in it.
async fn refuse_rows(target: &Transaction<'_>, names: &[&str]) -> Result<()> {
    for name in names {
        let condition = match *name {
            "organizations" => format!("WHERE organization_id <> '{}'", OrganizationId::DEFAULT),
            _ => String::new(),
        };
        let query = format!("SELECT EXISTS (SELECT FROM {name} {condition})");
        let found = target.query_one(&query, &[]).await.map_err(failed(&query))?;
        if found.get(0) {
            let detail = format!(
                "The target is not empty: its table {name} has rows. Create another database for it, and set DATABASE_URL \
                 and ENTRA_ASSETS_MIGRATE_URL to that one."
            );
            return Err(Error::new(Code::ConfigurationInvalid, detail));
        }
    }
    Ok(())
}

/// Copies one table, and counts in both what is there.
async fn copy_table(source: &Transaction<'_>, target: &Transaction<'_>, table: &Table) -> Result<Copied> {
    let Table { name, columns } = table;
    let failed = failed(&format!("the table {name}"));
    let columns = columns.join(", ");
    let reading = source.copy_out(&format!("COPY {name} ({columns}) TO STDOUT")).await.map_err(&failed)?;
    let writing = target.copy_in::<_, Bytes>(&format!("COPY {name} ({columns}) FROM STDIN")).await.map_err(&failed)?;
    let (mut reading, mut writing) = (pin!(reading), pin!(writing));
    while let Some(part) = reading.try_next().await.map_err(&failed)? {
        writing.send(part).await.map_err(&failed)?;
    }
    writing.as_mut().finish().await.map_err(&failed)?;
    let count = format!("SELECT count(*) FROM {name}");
    let of_source: i64 = source.query_one(&count, &[]).await.map_err(&failed)?.get(0);
    let of_target: i64 = target.query_one(&count, &[]).await.map_err(&failed)?.get(0);
    if of_source != of_target {
        let detail = format!("Moving the database failed: of {of_source} rows of {name}, {of_target} arrived.");
        return Err(Error::new(Code::DatabaseUnavailable, detail));
    }
    Ok(Copied { table: name.clone(), rows: of_target.unsigned_abs() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tables: &[&str], references: &[(&str, &str)]) -> Option<String> {
        let table = |name: &&str| Table { name: (*name).to_owned(), columns: Vec::new() };
        let references: Vec<(String, String)> =
            references.iter().map(|(own, other)| ((*own).to_owned(), (*other).to_owned())).collect();
        let ordered = in_order(tables.iter().map(table).collect(), &references).ok()?;
        Some(ordered.iter().map(|table| table.name.clone()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_referred_to_is_copied_first() {
        let found = names(&["runs", "jobs", "organizations"], &[("runs", "jobs"), ("jobs", "organizations")]);
        assert_eq!(found.as_deref(), Some("organizations jobs runs"));
        assert_eq!(names(&["a", "b"], &[]).as_deref(), Some("a b"));
        assert_eq!(names(&["a", "b"], &[("a", "b"), ("b", "a")]), None);
    }
}
