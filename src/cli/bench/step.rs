//! The steps that `bench` measures.

use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Download the pages of a full run and discard them.
    Download,
    /// A test run with 100 users.
    Test,
    /// The first full run.
    Full,
    /// A second full run, with nothing changed.
    Repeat,
    /// An incremental run after a fraction of the directory changed.
    Incremental,
}

impl Step {
    pub const ALL: [Self; 5] = [Self::Download, Self::Test, Self::Full, Self::Repeat, Self::Incremental];
}
