//! The transactions of a run. Each has a name, which labels the time that it takes in `/metrics`.

use crate::app::App;
use crate::db::{Transaction, TransactionFn};
use crate::error::Result;
use crate::ids::OrganizationId;
use futures_util::future::BoxFuture;

/// Runs `work` in one transaction of an organization. Whoever has a run uses its `tx`.
pub fn transaction<'a, T, F>(
    app: &'a App,
    organization: OrganizationId,
    name: &'static str,
    work: F,
) -> BoxFuture<'a, Result<T>>
where
    for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send + 'a,
    T: Send + 'a,
{
    let transaction = app.db.scoped(organization, work);
    Box::pin(async move {
        let started = app.clock.instant();
        let outcome = transaction.await;
        let took = app.clock.elapsed_since(started);
        metrics::histogram!("entra_assets_transaction_seconds", "name" => name).record(took.as_secs_f64());
        outcome
    })
}
