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
    /// An incremental run with nothing changed.
    Nothing,
    /// An incremental run after 500 users and 100 groups changed.
    Changed,
}

impl Step {
    pub const ALL: [Self; 7] =
        [Self::Download, Self::Test, Self::Full, Self::Repeat, Self::Incremental, Self::Nothing, Self::Changed];
}
