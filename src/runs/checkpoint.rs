//! How far a run came, stored after the read, the comparison, and each look at objects of others: any process resumes the
//! run from here. A delivery resumes from its execution.

use super::collect::collected::Collected;
use super::context::Settings;
use super::diff::diffed::Diffed;
use super::progress::Reported;
use super::run::Run;
use crate::db::runs::RunRow;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The results of the stages that are complete. What is `None` is still to do.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Checkpoint {
    pub collected: Option<Collected>,
    pub diffed: Option<Diffed>,
    /// Counts and warnings up to here. A stage that starts again reports its own again.
    #[serde(alias = "told")]
    pub reported: Option<Reported>,
    /// What had been reported when the read was complete.
    #[serde(alias = "toldOfRead")]
    pub reported_by_read: Option<Reported>,
}

impl Checkpoint {
    pub fn of(row: &RunRow) -> Result<Self> {
        serde_json::from_value(row.checkpoint.clone()).map_err(Error::internal)
    }

    /// Stores the checkpoint with everything reported up to now.
    pub async fn save(&mut self, run: &Run) -> Result<()> {
        self.reported = Some(run.progress.reported());
        let value = serde_json::to_value(self).map_err(Error::internal)?;
        run.progress.checkpoint(&run.app, &run.lease, &value).await
    }

    /// Whether it was made with settings other than the current ones.
    pub fn is_outdated(&self, settings: &Settings) -> bool {
        !self.has_same_selection(settings) || self.diffed.as_ref().is_some_and(|diffed| diffed.settings != *settings)
    }

    /// Whether what was read is what these settings select.
    fn has_same_selection(&self, settings: &Settings) -> bool {
        self.collected.as_ref().is_none_or(|collected| collected.selection == settings.selection)
    }

    /// Drops what these settings invalidate: the comparison, and the read if it selected something else.
    pub fn begin_again(&mut self, settings: &Settings) {
        if !self.has_same_selection(settings) {
            *self = Self { reported: Some(Reported::default()), ..Self::default() };
            return;
        }
        self.diffed = None;
        self.reported = self.reported_by_read.take();
    }
}
