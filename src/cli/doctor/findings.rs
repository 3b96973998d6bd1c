//! What the checks find, a line each.

use crate::cli::output::say;
use crate::error::{Error, Result};

/// Prints a line a check, and counts what is wrong.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) failures: usize,
}

impl Findings {
    pub(super) fn ok(&mut self, what: &str, detail: &str) {
        say(&format!("ok    {what}: {detail}"));
    }

    /// Not wrong, but to be known.
    pub(super) fn note(&mut self, what: &str, detail: &str) {
        say(&format!("note  {what}: {detail}"));
    }

    pub(super) fn fail(&mut self, what: &str, detail: &str) {
        self.failures += 1;
        say(&format!("FAIL  {what}: {detail}"));
    }

    /// `detail` of what went well, or the error's own words.
    pub(super) fn result<T>(&mut self, what: &str, result: Result<T>, detail: impl FnOnce(&T) -> String) -> Option<T> {
        match result {
            Ok(value) => {
                let detail = detail(&value);
                self.ok(what, &detail);
                Some(value)
            }
            Err(error) => {
                self.fail(what, &words(&error));
                None
            }
        }
    }

    /// As [`Findings::result`], without a line when it is well.
    pub(super) fn result_quietly<T>(&mut self, what: &str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.fail(what, &words(&error))).ok()
    }
}

/// What an error says, and the causes that it does not tell callers.
pub(super) fn words(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.detail.clone(), |text, cause| format!("{text} ({cause})"))
}
