//! What is wrong with a filter text, and where.

use serde::Serialize;
use std::fmt;

/// What is wrong with a filter text, and where. `offset` and `length` count characters; the first has offset 0.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParseError {
    pub offset: usize,
    pub length: usize,
    pub found: String,
    /// What would be valid there.
    pub expected: Vec<String>,
    /// What to write instead, if a correction was found.
    pub suggestion: Option<String>,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At character {}: {}", self.offset + 1, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Offset and length in characters of a span in bytes.
pub(super) fn place(text: &str, span: std::ops::Range<usize>) -> (usize, usize) {
    let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
    (count(text.get(..span.start)), count(text.get(span)))
}
