//! A claimed run, with all that its stages share.

use super::context::JobContext;
use super::progress::RunProgress;
use super::transaction::transaction;
use crate::app::App;
use crate::db::mirror::delivered;
use crate::db::mirror::read::Source;
use crate::db::runs::{self, Lease};
use crate::db::{Transaction, TransactionFn};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::job::Deliver;
use crate::run_state::{RunMode, RunRequest};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// A claimed run with all it needs.
pub struct Run {
    pub app: App,
    pub lease: Lease,
    pub mode: RunMode,
    pub request: RunRequest,
    pub job: JobContext,
    pub approved: bool,
    pub progress: RunProgress,
    /// Ends every wait and request of this run.
    pub cancel: CancellationToken,
}

impl Run {
    /// Whether everything in scope is sent, or only what changed.
    pub fn delivery(&self) -> Deliver {
        self.request.deliver.unwrap_or(self.job.deliver)
    }

    /// Where the diff finds what was read. A test and a dry run never change the mirror, so they compare what they staged.
    pub fn source(&self) -> Source {
        match self.mode {
            RunMode::Test | RunMode::DryRun => Source::Staged(self.lease.run),
            RunMode::Full | RunMode::Incremental => Source::Mirror(self.job.id),
        }
    }

    /// How many rows of each type it sends.
    pub async fn outbox_counts(&self) -> Result<BTreeMap<ObjectType, u64>> {
        let Lease { organization, run, .. } = self.lease;
        self.tx("outbox counts", async move |tx| delivered::outbox_counts(tx, organization, run).await).await
    }

    /// Adds a line to the run's log.
    pub async fn log(&self, message: &str) -> Result<()> {
        self.progress.log(&self.app, &self.lease, message).await
    }

    /// One transaction that reads, or whose statements check the lease themselves.
    pub fn tx<'a, T, F>(&'a self, name: &'static str, work: F) -> BoxFuture<'a, Result<T>>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send + 'a,
        T: Send + 'a,
    {
        transaction(&self.app, self.lease.organization, name, work)
    }

    /// One transaction that writes: it fails before its first statement when another process has the run.
    pub fn fenced_tx<'a, T, F>(&'a self, name: &'static str, work: F) -> BoxFuture<'a, Result<T>>
    where
        for<'r> F: AsyncFnOnce(&'r mut Transaction) -> Result<T> + TransactionFn<'r, T> + Send + 'a,
        T: Send + 'a,
    {
        let lease = self.lease;
        self.tx(name, async move |tx: &mut Transaction| {
            runs::fence(tx, &lease).await?;
            work(tx).await
        })
    }
}
