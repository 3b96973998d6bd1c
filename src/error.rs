//! The one error type that crosses floors: a stable code, a public sentence, all faults of the request, and a private
//! cause. The cause is logged once, where the error is handled, and never shown.
//!
//! Only `api::problem` knows the HTTP status of a code.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use crate::codes::Code;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One fault of a request: its place (an RFC 6901 pointer into the body, or `?name` for a query parameter) and what
/// is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
    /// The place within the text at `pointer`, if that text has a grammar of its own (a filter).
    pub place: Option<TextPlace>,
}

/// How many faults `detail` names; `errors` has all.
const MAX_IN_DETAIL: usize = 3;

/// A key as one part of a JSON pointer (RFC 6901).
pub fn pointer_part(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A place in a text, counted in characters, and what to write there instead, if a correction was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPlace {
    pub offset: usize,
    pub length: usize,
    pub found: String,
    /// What would be valid there.
    pub expected: Vec<String>,
    pub suggestion: Option<String>,
}

impl Fault {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into(), place: None }
    }

    /// Place and detail in one sentence.
    fn sentence(&self) -> String {
        let place = if self.pointer.is_empty() { "The body" } else { &self.pointer };
        format!("{place}: {}.", self.detail.trim_end_matches('.'))
    }
}

/// An object that prevents another one from being deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedBy {
    /// The collection's name in the API: `jobs`.
    pub kind: &'static str,
    pub id: uuid::Uuid,
    pub name: String,
}

#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// What happened, to what, why, and what to do next; for the caller. Never holds a secret.
    pub detail: String,
    pub faults: Vec<Fault>,
    pub used_by: Vec<UsedBy>,
    /// When to try again, if the code alone does not say it.
    pub retry_after: Option<Duration>,
    /// For the log only.
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), faults: Vec::new(), used_by: Vec::new(), retry_after: None, source: None }
    }

    /// A defect of the service. The caller sees only that there was one.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "The request failed because of a defect in the service.").with_source(source)
    }

    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} with the id {id}."))
    }

    /// Every fault of a request at once. `faults` must not be empty.
    pub fn validation(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => one.sentence(),
            many => {
                let first: Vec<String> = many.iter().take(MAX_IN_DETAIL).map(Fault::sentence).collect();
                let rest = many.len().saturating_sub(MAX_IN_DETAIL);
                let more = if rest > 0 { format!(" `errors` lists {rest} more.") } else { String::new() };
                format!("{} values of the request are not valid. {}{more}", many.len(), first.join(" "))
            }
        };
        Self { faults, ..Self::new(Code::ValidationFailed, detail) }
    }

    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub fn with_used_by(mut self, used_by: Vec<UsedBy>) -> Self {
        self.used_by = used_by;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The most faults that one response lists. A caller can make a body with any number of them.
pub const MAX_FAULTS: usize = 100;
/// The most characters of a fault's pointer and of its detail. A caller can give a field a name of any length, and put
/// any number of faults below it.
const MAX_FAULT_CHARACTERS: usize = 2_000;

/// Collects faults, so that one response lists all of them, up to [`MAX_FAULTS`].
#[derive(Default, Debug)]
pub struct Faults {
    list: Vec<Fault>,
    /// Whether there are more than the list has.
    cut: bool,
}

impl Faults {
    pub fn push(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.add(Fault::new(pointer, code, detail));
    }

    /// Like [`Faults::push`], with the place in the text.
    pub fn push_in_text(&mut self, pointer: &str, code: &'static str, detail: String, place: TextPlace) {
        self.add(Fault { place: Some(place), ..Fault::new(pointer, code, detail) });
    }

    fn add(&mut self, mut fault: Fault) {
        if self.list.len() == MAX_FAULTS {
            self.cut = true;
            return;
        }
        shorten(&mut fault.pointer);
        shorten(&mut fault.detail);
        self.list.push(fault);
    }

    /// Whether a further fault would not be listed, and is known of: it is of no use to look for more.
    pub fn is_full(&self) -> bool {
        self.cut
    }

    /// Adds the faults of `more` whose places have no fault yet.
    pub fn add_new(&mut self, more: Faults) {
        let known: HashSet<String> = self.list.iter().map(|fault| fault.pointer.clone()).collect();
        more.list.into_iter().filter(|fault| !known.contains(&fault.pointer)).for_each(|fault| self.add(fault));
        self.cut |= more.cut;
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.list
    }

    pub fn into_result(self) -> Result<()> {
        if self.list.is_empty() {
            return Ok(());
        }
        let mut error = Error::validation(self.list);
        if self.cut {
            error.detail = format!("More than {}", error.detail);
        }
        Err(error)
    }
}

impl From<Vec<Fault>> for Faults {
    fn from(faults: Vec<Fault>) -> Self {
        let mut all = Self::default();
        faults.into_iter().for_each(|fault| all.add(fault));
        all
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_FAULT_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_does_not_repeat_the_source() {
        let error = Error::internal("the private cause");
        assert!(!error.to_string().contains("private"));
        assert_eq!(error.source().unwrap().to_string(), "the private cause");
    }
}
