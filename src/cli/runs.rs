//! Runs and their events as the API answers with them. A word that this version does not know is none.

use crate::run_state::{EventKind, RunState};
use serde_json::Value;
use std::str::FromStr;

/// The state of a run, or the one that an answer about its events has.
pub(in crate::cli) fn state_of(run: &Value) -> Option<RunState> {
    word(&run["state"])
}

pub(in crate::cli) fn kind_of(event: &Value) -> Option<EventKind> {
    word(&event["event"])
}

pub(in crate::cli) fn has_succeeded(run: &Value) -> bool {
    state_of(run).is_some_and(RunState::is_success)
}

pub(in crate::cli) fn word<T: FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}
