//! A claimed run, with all that its stages share.

use super::context::JobContext;
use super::progress::RunProgress;
use crate::app::App;
use crate::db::mirror::read::Source;
use crate::db::runs::Lease;
use crate::error::Result;
use crate::job::Deliver;
use crate::run_state::{RunMode, RunRequest};
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

    /// Adds a line to the run's log.
    pub async fn log(&self, message: &str) -> Result<()> {
        self.progress.log(&self.app, &self.lease, message).await
    }
}
