//! The rows of a spreadsheet: facts of a run, and its changes.

use super::head::Head;
use super::words::{Words, words};
use crate::db::runs::ChangeRow;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A fact of the run.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fact {
    /// `run`, `count`, `warning` or `error`.
    pub record: &'static str,
    pub name: String,
    pub value: String,
}

impl Fact {
    fn new(record: &'static str, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { record, name: name.into(), value: value.into() }
    }
}

/// The columns of a change, in their order.
pub(super) const COLUMNS: [&str; 8] =
    ["objectType", "objectId", "label", "action", "reason", "changed", "before", "after"];

/// A change in these columns.
pub(super) type Cells = [String; COLUMNS.len()];

pub(super) fn facts(head: &Head) -> Vec<Fact> {
    let run = &head.run;
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let mut facts = vec![
        Fact::new("run", "job", head.job_name.clone().unwrap_or_default()),
        Fact::new("run", "jobId", run.job_id.to_string()),
        Fact::new("run", "runId", run.id.to_string()),
        Fact::new("run", "mode", run.mode.as_str()),
        Fact::new("run", "state", run.state.as_str()),
        Fact::new("run", "requestedBy", run.requested_by.clone()),
        Fact::new("run", "queuedAt", time(Some(run.queued_at))),
        Fact::new("run", "startedAt", time(run.started_at)),
        Fact::new("run", "finishedAt", time(run.finished_at)),
    ];
    for (object_type, counts) in &run.counts {
        let Ok(counts) = serde_json::to_value(counts) else { continue };
        add_numbers(object_type, &counts, &mut facts);
    }
    for warning in &run.warnings {
        let times = warning.count.map(|count| format!(" ({count} times)")).unwrap_or_default();
        let advice = warning.advice.as_deref().map(|advice| format!(" {advice}")).unwrap_or_default();
        facts.push(Fact::new("warning", warning.code.to_string(), format!("{}{times}{advice}", warning.detail)));
    }
    if let Some(error) = &run.error {
        facts.push(Fact::new("error", error.code.to_string(), error.detail.clone()));
        for (name, value) in [
            ("stage", error.stage.map(|stage| stage.as_str().to_owned())),
            ("graphCode", error.graph_code.clone()),
            ("assetsCode", error.assets_code.clone()),
            ("requestId", error.request_id.clone()),
            ("advice", error.advice.clone()),
        ] {
            facts.extend(value.map(|value| Fact::new("error", name, value)));
        }
    }
    facts
}

/// The numbers of an object, also those further down, by their path.
fn add_numbers(path: &str, value: &Value, facts: &mut Vec<Fact>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| add_numbers(&format!("{path}.{name}"), value, facts));
        }
        number => facts.push(Fact::new("count", path.to_owned(), number.to_string())),
    }
}

/// The cells of a change, with the names of the objects that it refers to.
pub(super) fn cells(row: ChangeRow, names: &HashMap<Uuid, String>) -> Cells {
    let Words { changed, before, after } = words(&row, names);
    [
        row.object_type.to_string(),
        row.object_id.to_string(),
        row.label.unwrap_or_default(),
        row.action.to_string(),
        row.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        changed,
        before,
        after,
    ]
}

/// What a spreadsheet takes for the beginning of a formula; the full-width forms too.
const BEGINS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// Where a spreadsheet may begin a new cell, depending on its list separator.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// A text that no spreadsheet reads as a formula, whatever its list separator is: a name in the directory may begin with
/// `=`, or contain `;=`. An apostrophe stands before what would be one.
/// Source: OWASP, CSV Injection.
pub(in crate::api) fn harmless(text: String) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut begins_cell = true;
    for character in text.chars() {
        if begins_cell && BEGINS_FORMULA.contains(&character) {
            safe.push('\'');
        }
        safe.push(character);
        let is_skipped = character.is_whitespace() || character == '\u{feff}';
        begins_cell = SEPARATORS.contains(&character) || begins_cell && is_skipped;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＠SUM(A1)"] {
            assert_eq!(harmless(text.to_owned()), format!("'{text}"));
        }
        for (text, safe) in [
            ("x;=cmd|' /C calc'!A0", "x;'=cmd|' /C calc'!A0"),
            ("x\n=1+1", "x\n'=1+1"),
            ("\t=1", "'\t'=1"),
            ("\u{feff}=1", "\u{feff}'=1"),
            (" =1", " '=1"),
            ("a; -1", "a; '-1"),
        ] {
            assert_eq!(harmless(text.to_owned()), safe);
        }
        for text in ["Ada = 1", "a-b", "x;y", "Ada; Bob", ""] {
            assert_eq!(harmless(text.to_owned()), text);
        }
    }
}
