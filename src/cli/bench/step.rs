//! What is measured.

use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The pages of a full run, downloaded and thrown away.
    Download,
    /// A test run of a hundred users.
    Test,
    /// The first full run.
    Full,
    /// The full run again, with nothing changed.
    Repeat,
    /// An incremental run after a part of the directory changed.
    Incremental,
}

impl Step {
    pub const ALL: [Self; 5] = [Self::Download, Self::Test, Self::Full, Self::Repeat, Self::Incremental];
}
