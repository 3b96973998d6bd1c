//! PostgreSQL. All SQL runs in a transaction that sets its organization ([`Db::scoped`]) or declares that it works across
//! organizations ([`Db::system`], for named functions of this module only). Row-level security hides all rows from any
//! other transaction.

pub mod api_keys;
pub mod audit_events;
pub mod connect;
pub mod connection_checks;
pub mod connections;
mod crud;
pub mod destinations;
pub mod executions;
pub mod filters;
pub mod forge_tokens;
pub mod handovers;
pub mod idempotency;
pub mod inspect;
pub mod jira_users;
pub mod job_settings;
pub mod jobs;
pub mod list;
pub mod listen;
pub mod migrate;
pub mod mirror;
pub mod names;
pub mod organizations;
pub mod presence;
pub mod quotas;
pub mod relocate;
pub mod runs;
pub mod schema;
pub mod secrets;
pub mod system;
pub mod tickets;
pub mod webhook_deliveries;
pub mod webhooks;

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use chrono::{DateTime, Utc};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::BoxFuture;
use std::time::Duration;

diesel::define_sql_function! {
    fn clock_timestamp() -> diesel::sql_types::Timestamptz;
}

/// A connection inside a transaction that has its organization set.
pub type Transaction = AsyncPgConnection;

/// How long a caller waits for a free connection before it gets the error `database_unavailable`. In real time, as the
/// timeouts of HTTP: the connections of a test are real too, and its clock, moved by hand, says nothing about them.
const POOL_WAIT: Duration = Duration::from_secs(10);

/// How long a statement of [`Db::read`] may take: longer than the insights of 200,000 users need on a busy machine, and short
/// enough that nobody holds the connections of the others for long.
pub const MAX_READ: Duration = Duration::from_secs(60);

/// The pool. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: Pool<AsyncPgConnection>,
    max_read: Duration,
}

/// An async closure whose future is `Send`: stable Rust has no such bound for `AsyncFnOnce`. `diesel_async` does the
/// same.
pub trait TransactionFn<'r, T>:
    AsyncFnOnce(&'r mut Transaction) -> Result<T> + FnOnce(&'r mut Transaction) -> <Self as TransactionFn<'r, T>>::Fut
{
    type Fut: Future<Output = Result<T>> + Send;
}

impl<'r, F, T, Fut> TransactionFn<'r, T> for F
where
    F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + FnOnce(&'r mut Transaction) -> Fut,
    Fut: Future<Output = Result<T>> + Send,
{
    type Fut = Fut;
}

impl Db {
    /// A pool of at most `connections` to the database that `options` names. Connects lazily.
    pub fn new(options: &connect::Options, connections: u16) -> Result<Self> {
        let manager = AsyncDieselConnectionManager::new_with_config(options.url(), connect::manager_config(options)?);
        let pool = Pool::builder(manager).max_size(usize::from(connections)).build().map_err(Error::internal)?;
        Ok(Self { pool, max_read: MAX_READ })
    }

    /// The same with another [`MAX_READ`].
    pub fn reading_at_most(self, max_read: Duration) -> Self {
        Self { max_read, ..self }
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>> {
        let unavailable =
            || Error::new(Code::DatabaseUnavailable, "The database is not reachable or has no free connection.");
        match tokio::time::timeout(POOL_WAIT, self.pool.get()).await {
            Ok(connection) => connection.map_err(|e| unavailable().with_source(e)),
            Err(_) => Err(unavailable()),
        }
    }

    /// Runs `work` in one transaction that sees and writes the rows of `organization` only.
    ///
    /// `work` must not call another system: it holds a connection.
    ///
    /// The future is boxed for the compiler: callers then need not prove again that everything inside it is `Send`,
    /// which tripled the time of a build.
    pub fn scoped<'a, T, F>(&'a self, organization: OrganizationId, work: F) -> BoxFuture<'a, Result<T>>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send + 'a,
        T: Send + 'a,
    {
        Box::pin(self.transaction(of_organization(organization), work))
    }

    /// As [`Db::scoped`], for what a caller of the API reads of a mirror or a run, however large: PostgreSQL stops a statement
    /// that takes longer than [`MAX_READ`].
    ///
    /// # Errors
    /// `database_unavailable`.
    pub fn read<'a, T, F>(&'a self, organization: OrganizationId, work: F) -> BoxFuture<'a, Result<T>>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send + 'a,
        T: Send + 'a,
    {
        let (set, most) = (of_organization(organization), self.max_read.as_millis());
        Box::pin(async move {
            let clock = Clock::system();
            let began = clock.instant();
            let outcome = self.transaction(format!("{set}; SET LOCAL statement_timeout = {most}"), work).await;
            // Diesel does not say that a statement was stopped (SQLSTATE 57014), and the text is in the server's language.
            outcome.map_err(|error| match error.code {
                Code::Internal if clock.elapsed_since(began) >= self.max_read => took_too_long().with_source(error),
                _ => error,
            })
        })
    }

    /// Runs `work` in one transaction that sees the rows of every organization. Only functions of this module can call it.
    async fn system<T, F>(&self, work: F) -> Result<T>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send,
        T: Send,
    {
        self.transaction("SET LOCAL entra_assets.system = 'on'; SET LOCAL jit = off".to_owned(), work).await
    }

    /// As [`Db::system`]; of the tables that this hides, it sees the rows of `organization`.
    async fn system_within<T, F>(&self, organization: OrganizationId, work: F) -> Result<T>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send,
        T: Send,
    {
        let set = format!(
            "SET LOCAL entra_assets.system = 'on'; SET LOCAL entra_assets.organization = '{organization}'; SET LOCAL jit = off"
        );
        self.transaction(set, work).await
    }

    async fn transaction<T, F>(&self, set: String, work: F) -> Result<T>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send,
        T: Send,
    {
        let mut connection = Whole(Some(self.connection().await?));
        let Some(held) = connection.0.as_mut() else {
            return Err(Error::internal("the connection was taken before its transaction"));
        };
        let held: &mut AsyncPgConnection = held;
        let outcome = held
            .transaction(async |transaction: &mut AsyncPgConnection| {
                transaction.batch_execute(&set).await?;
                work(transaction).await
            })
            .await;
        connection.hand_back();
        outcome
    }

    /// The time of the database's clock.
    pub async fn time(&self) -> Result<DateTime<Utc>> {
        let now = diesel::select(clock_timestamp()).get_result(&mut *self.connection().await?).await?;
        Ok(now)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.connection().await?.batch_execute("SELECT 1").await.map_err(Error::from)
    }
}

/// Begins a transaction of an organization. PostgreSQL's JIT compiler is off: each statement runs once, so compiling it
/// costs more than it saves.
fn of_organization(organization: OrganizationId) -> String {
    format!("SET LOCAL entra_assets.organization = '{organization}'; SET LOCAL jit = off")
}

/// Turns nested loops off until the end of the transaction, for statements that join large tables which were filled just
/// before: the planner has no statistics yet, takes the tables for empty, and would compare every row with every other.
pub(crate) async fn join_in_bulk(tx: &mut Transaction) -> Result<()> {
    Ok(tx.batch_execute("SET LOCAL enable_nestloop = off").await?)
}

/// Lets the commit return before the data is on disk, for data that a run can produce again. A later commit that waits
/// for the disk also makes this one durable.
pub(crate) async fn may_be_lost(tx: &mut Transaction) -> Result<()> {
    Ok(tx.batch_execute("SET LOCAL synchronous_commit = off").await?)
}

/// A connection that returns to the pool only after its transaction has ended. If it is dropped earlier, because its
/// task is cancelled, it is closed: in the pool it would stay inside the transaction and keep its locks.
struct Whole(Option<Object<AsyncPgConnection>>);

impl Whole {
    fn hand_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Object::take(connection));
        }
    }
}

fn took_too_long() -> Error {
    let detail = "The query was stopped, because it took longer than a request may take. Ask for less, such as one object by its \
                  id, or ask again later.";
    Error::new(Code::DatabaseUnavailable, detail).with_retry_after(MAX_READ)
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, ref info) if is_lost(&kind, info.message()) => {
                Error::new(Code::DatabaseUnavailable, "The connection to the database was lost.").with_source(error)
            }
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => {
                let detail = "The database takes no changes at the moment, because it is read-only.";
                Error::new(Code::DatabaseUnavailable, detail).with_source(error)
            }
            other => Error::internal(other),
        }
    }
}

/// Whether an error means that the server or the connection is gone. When the server ends a
/// connection itself (SQLSTATE 57P01 to 57P03), Diesel reports only the text.
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_lost(kind: &DatabaseErrorKind, message: &str) -> bool {
    const ENDED: [&str; 3] = ["terminating connection", "the database system is", "connection to server was lost"];
    match kind {
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => true,
        _ => ENDED.iter().any(|start| message.starts_with(start)),
    }
}

/// Whether an insert or update violated the unique index or constraint `name`.
pub fn is_unique_violation(error: &DieselError, name: &str) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) if info.constraint_name() == Some(name))
}
