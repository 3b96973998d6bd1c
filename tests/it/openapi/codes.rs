//! `docs/errors.md` has every code that a run or a check may show: the source is searched for those that it lacks.

use entra_assets::api::openapi::errors_page;
use std::fs;
use std::path::Path;

/// The texts in quotes that follow one of `starts`, at most `within` characters after it.
fn after(source: &str, starts: &[&str], within: usize) -> Vec<String> {
    let mut found = Vec::new();
    for start in starts {
        for (at, _) in source.match_indices(start) {
            let rest: String = source[at + start.len()..].chars().take(within).collect();
            let mut parts = rest.split('"');
            // Cut off in the middle of a text, there is none.
            if let (Some(_), Some(text), Some(_)) = (parts.next(), parts.next(), parts.next()) {
                found.extend(Some(text).filter(|text| is_code(text)).map(str::to_owned));
            }
        }
    }
    found
}

fn is_code(text: &str) -> bool {
    text.len() > 3 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && text.contains('_')
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The rows of a section of the page.
fn codes_of(page: &str, section: &str) -> Vec<String> {
    let start = page.find(&format!("## {section}")).unwrap();
    let text = &page[start + 3..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_code_of_runs_and_checks_is_explained() {
    let page = errors_page();
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut missing = Vec::new();
    let mut total = 0;
    for (path, source) in files.iter().filter(|(path, _)| !path.contains("/tests")) {
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        for (section, found) in [
            ("Warnings of runs", after(source, &["RunWarning::new("], 60)),
            ("Errors of runs", after(source, &["Stop::failed("], 90)),
            ("Findings of checks", after(source, &["Finding::new("], 90)),
        ] {
            total += found.len();
            let known = codes_of(&page, section);
            missing.extend(found.into_iter().filter(|code| !known.contains(code)).map(|code| (section, code, path)));
        }
        for (file, section) in [
            ("/graph/error.rs", "Errors of runs"),
            ("/assets/error.rs", "Errors of runs"),
            ("/db/runs.rs", "Errors of runs"),
            ("/runs/collect/refused.rs", "Warnings of runs"),
            ("/graph/sign_in_error/table.rs", "Findings of checks"),
            ("/connection_check/sign_in.rs", "Findings of checks"),
        ] {
            if path.ends_with(file) {
                let starts = ["=> ", "code: ", "row(", "error("];
                let found = after(source, &starts, 120);
                assert!(!found.is_empty(), "{path}");
                let known = codes_of(&page, section);
                missing
                    .extend(found.into_iter().filter(|code| !known.contains(code)).map(|code| (section, code, path)));
            }
        }
    }
    assert!(total > 60, "the search finds {total} codes only");
    assert!(missing.is_empty(), "src/api/openapi/codes.rs lacks {missing:#?}");
}

/// Each code once a section, each with a meaning and what to do.
#[test]
fn every_row_is_whole() {
    let page = errors_page();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        assert!(matches!(cells.len(), 3 | 5) && cells.iter().all(|cell| cell.trim().len() > 2), "{line}");
    }
}
