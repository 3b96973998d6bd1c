//! `docs/errors.md`: the tables of [`crate::codes`] as Markdown.

use crate::api::problem;
use crate::codes::{AssetsErrorCode, Code, FindingCode, PreviewWarningCode, Row, RunErrorCode, WarningCode};
use serde_json::{Value, json};

/// Lists the codes of problems in the schema of their field, each with what happened.
pub(super) fn list(schema: &mut Value) {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let lines: Vec<String> = Code::ALL.iter().map(|code| format!("- `{code}`: {}.", code.title())).collect();
    let about = schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    schema["description"] = json!(format!("{about}\n\n{}", lines.join("\n")));
    schema["enum"] = json!(codes);
}

/// The text of `docs/errors.md`: every problem code with its status, then the codes of runs and checks.
pub fn errors_page() -> String {
    let mut page = "# Errors\n\n\
        Errors are `application/problem+json` (RFC 9457). Compare `code`, show `detail`, quote `requestId`.\n\
        `make openapi` writes this page from the tables in `src/codes/`.\n\n\
        ## Problems\n\n\
        `code` of an answer with a status from 400 on.\n\n\
        | `code` | status | what happened | why | what to do |\n|---|---|---|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        let (status, title) = (problem::status(*code).as_u16(), code.title());
        page.push_str(&format!("| `{code}` | {status} | {title} | {} | {} |\n", code.meaning(), code.advice()));
    }
    // `cancelled` is in both tables; what a run says of it counts.
    let of_assets = AssetsErrorCode::rows().filter(|row| row.0 != RunErrorCode::Cancelled.as_str());
    let sections = [
        section(
            "Errors of runs",
            "`error.code` of a run that failed or was cancelled. A run whose connection has a finding with the severity \
             `error` fails with the code of that finding, see below.",
            RunErrorCode::rows().chain(of_assets.clone()),
        ),
        section("Warnings of runs", "`code` in `warnings` of a run.", WarningCode::rows()),
        section("Warnings of previews", "`code` in `warnings` of a filter preview.", PreviewWarningCode::rows()),
        section(
            "Findings of checks",
            "`code` in `findings` of a check. `{tenant}`, `{client}` and `{cloud}` stand for the connection's values.",
            FindingCode::rows().chain(of_assets),
        ),
    ];
    page + &sections.concat()
}

fn section(title: &str, about: &str, rows: impl Iterator<Item = Row>) -> String {
    let mut text = format!("\n## {title}\n\n{about}\n\n| `code` | what it means | what to do |\n|---|---|---|\n");
    for (code, meaning, advice) in rows {
        text.push_str(&format!("| `{code}` | {meaning} | {advice} |\n"));
    }
    text
}
