//! The results of the checks, one line each.

use crate::cli::output::say;
use crate::error::{Error, Result};

/// Prints one line for each check, and counts the failed ones.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) failures: usize,
}

impl Findings {
    pub(super) fn ok(&mut self, what: &str, detail: &str) {
        say(&format!("ok    {what}: {detail}"));
    }

    /// Not a failure, but worth knowing.
    pub(super) fn note(&mut self, what: &str, detail: &str) {
        say(&format!("note  {what}: {detail}"));
    }

    pub(super) fn fail(&mut self, what: &str, detail: &str) {
        self.failures += 1;
        say(&format!("FAIL  {what}: {detail}"));
    }

    /// Prints `detail` of a success, or the text of the error.
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

    /// Like [`Findings::result`], but prints nothing on success.
    pub(super) fn result_quietly<T>(&mut self, what: &str, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.fail(what, &words(&error))).ok()
    }
}

/// The text of an error with its causes, which the API does not show to callers.
pub(super) fn words(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.detail.clone(), |text, cause| format!("{text} ({cause})"))
}
