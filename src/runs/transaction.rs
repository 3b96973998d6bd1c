//! The transactions of a run. Each has a name, which labels the time that it takes in `/metrics`. None begins inside another:
//! a run that holds a connection while it waits for a second one could wait for another run that does the same.

use crate::app::App;
use crate::db::{Transaction, TransactionFn};
use crate::error::Result;
use crate::ids::OrganizationId;
use futures_util::future::BoxFuture;

tokio::task_local! {
    /// The transaction that is under way.
    static UNDER_WAY: &'static str;
}

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
        let outer = UNDER_WAY.try_with(|outer| *outer).ok();
        debug_assert!(outer.is_none(), "«{name}» begins inside «{}»", outer.unwrap_or_default());
        let started = app.clock.instant();
        let outcome = UNDER_WAY.scope(name, transaction).await;
        let took = app.clock.elapsed_since(started);
        metrics::histogram!("entra_assets_transaction_seconds", "name" => name).record(took.as_secs_f64());
        outcome
    })
}
