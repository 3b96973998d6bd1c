//! `docs/errors.md` has every code that an answer, a run or a check may show.

use entra_assets::api::openapi::errors_page;
use entra_assets::codes::{AssetsErrorCode, Code, FindingCode, RunErrorCode, WarningCode};

/// The codes of a section of the page.
fn codes_of(page: &str, section: &str) -> Vec<String> {
    let start = page.find(&format!("## {section}")).unwrap();
    let text = &page[start + 3..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_code_is_explained_once_in_its_section() {
    let page = errors_page();
    for (section, codes) in [
        ("Problems", Code::rows().collect::<Vec<_>>()),
        ("Errors of runs", RunErrorCode::rows().chain(AssetsErrorCode::rows()).collect()),
        ("Warnings of runs", WarningCode::rows().collect()),
        ("Findings of checks", FindingCode::rows().collect()),
    ] {
        let explained = codes_of(&page, section);
        for (code, _, _) in codes {
            let times = explained.iter().filter(|explained| *explained == code).count();
            assert_eq!(times, 1, "{code} in «{section}»");
        }
    }
}

/// Each row has a meaning and what to do.
#[test]
fn every_row_is_whole() {
    let page = errors_page();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert!(matches!(cells.len(), 3 | 5) && cells.iter().all(|cell| cell.trim().len() > 2), "{line}");
    }
}
