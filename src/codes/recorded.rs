//! A code in a record that is stored and read back.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The code of a stored error, warning or finding. It is typed where it is made. A row may be read by another version
/// of the service than the one that wrote it, so a text that is in no table is not an error: it is shown as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RecordedCode<C> {
    Typed(C),
    Unknown(String),
}

impl<C> From<C> for RecordedCode<C> {
    fn from(code: C) -> Self {
        Self::Typed(code)
    }
}

impl<C: PartialEq> PartialEq<C> for RecordedCode<C> {
    fn eq(&self, other: &C) -> bool {
        matches!(self, Self::Typed(code) if code == other)
    }
}

impl<C: fmt::Display> fmt::Display for RecordedCode<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(code) => code.fmt(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}
