//! What documents and comments name exists: files, functions, sections. Nothing names a file outside the repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the repository that people write in.
const FOLDERS: [&str; 9] =
    ["src", "kernel", "simulators", "tests", "docs", "scripts", "examples", "benches", "migrations"];
const ENDINGS: [&str; 10] = [".rs", ".md", ".sh", ".py", ".ts", ".sql", ".csv", ".json", ".toml", ".yaml"];
/// The documents whose code spans are paths: relative to the repository, or to `src`.
const DOCUMENTS: [&str; 18] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/ARCHITECTURE.md",
    "docs/FORGE.md",
    "docs/PERFORMANCE.md",
    "docs/SCALE.md",
    "docs/SECURITY.md",
    "docs/assets.md",
    "docs/decisions.md",
    "docs/errors.md",
    "docs/from-another-importer.md",
    "docs/graph.md",
    "docs/jira-users.md",
    "docs/operations.md",
    "docs/runs.md",
    "docs/values-as-objects.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_in(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("node_modules") => {}
            true => files_in(&path, found),
            false => found.push(path),
        }
    }
}

/// Every text of the repository with its path in it.
fn texts() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in FOLDERS.iter().map(|folder| root().join(folder)).filter(|folder| folder.is_dir()) {
        files_in(&folder, &mut files);
    }
    let at_the_top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(at_the_top.filter(|path| path.is_file() && !path.ends_with(".git")));
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        fs::read_to_string(path).ok().map(|text| (name, text))
    };
    let texts: Vec<(String, String)> = files.into_iter().filter_map(read).collect();
    assert!(texts.len() > 300, "the repository was not found");
    texts
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Parts of a text that can be a path.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c))).map(|word| word.trim_end_matches('.'))
}

fn is_file_name(word: &str) -> bool {
    ENDINGS.iter().any(|ending| word.strip_suffix(ending).is_some_and(|stem| !stem.is_empty()))
}

/// A comment goes on in the next line.
fn joined(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']).trim());
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn no_text_names_a_file_outside_the_repository() {
    let outside = [concat!("fac", "ts/"), concat!("shar", "ed/"), concat!("/wo", "rk/")];
    // Data that a test reads where somebody has put it beside the repository.
    let is_optional = |file: &str, line: &str| file.contains("tests") && line.contains(concat!("/../shar", "ed/data/"));
    let mut found = Vec::new();
    for (file, text) in texts() {
        for (number, line) in (1..).zip(text.lines()) {
            let names = words(line).any(|word| outside.iter().any(|folder| word.starts_with(folder)));
            let climbs = line.contains(outside[1]) && line.contains("../");
            if (names || climbs) && !is_optional(&file, line) {
                found.push(format!("{file}:{number}: {line}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_files_that_texts_name_exist() {
    let mut missing = BTreeSet::new();
    for (file, text) in texts() {
        for word in words(&text).filter(|word| is_file_name(word)) {
            let is_ours = FOLDERS.iter().any(|folder| word.starts_with(&format!("{folder}/")));
            if is_ours && !root().join(word).exists() {
                missing.insert(format!("{file} names {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_sections_that_comments_name_exist() {
    let (mut missing, mut checked) = (BTreeSet::new(), 0);
    for (file, text) in texts() {
        let text = joined(&text);
        for (document, sections) in text.split("docs/").skip(1).filter_map(|rest| rest.split_once(".md, «")) {
            if !document.chars().all(|c| c.is_ascii_alphanumeric()) || document.is_empty() {
                continue;
            }
            let known = headings(&format!("docs/{document}.md"));
            for section in named_sections(sections) {
                checked += 1;
                if !known.contains(section) {
                    missing.insert(format!("{file} names «{section}» of docs/{document}.md"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 50, "only {checked} references were found");
}

fn headings(document: &str) -> BTreeSet<String> {
    read(document)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_matches(['#', ' ']).to_owned())
        .collect()
}

/// `Paging», «Filters».` → Paging, Filters.
fn named_sections(text: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut rest = text;
    while let Some((section, after)) = rest.split_once('»') {
        sections.push(section);
        match after.strip_prefix(", «") {
            Some(next) => rest = next,
            None => break,
        }
    }
    sections
}

#[test]
fn the_files_and_functions_that_documents_name_exist() {
    let (mut missing, mut checked) = (BTreeSet::new(), 0);
    for document in DOCUMENTS {
        let text = read(document);
        for span in text.split('`').skip(1).step_by(2).filter(|span| !span.contains(['\n', ' '])) {
            let (path, item) = span.split_once("::").map_or((span, None), |(path, item)| (path, Some(item)));
            let is_path = words(path).eq([path]) && is_file_name(path) && !path.starts_with('/');
            if !is_path || !path.contains('/') && !path.ends_with(".rs") {
                continue;
            }
            checked += 1;
            let places = [root().join(path), root().join("src").join(path)];
            let Some(place) = places.iter().find(|place| place.exists()) else {
                missing.insert(format!("{document} names `{path}`"));
                continue;
            };
            let Some(item) = item.and_then(|item| item.rsplit("::").next()) else { continue };
            let source = fs::read_to_string(place).unwrap();
            if !source.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == item) {
                missing.insert(format!("{document} names `{item}`, which is not in {path}"));
            }
        }
        missing.extend(dead_links(document, &text));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(checked > 100, "only {checked} paths were found");
}

/// The rows of a table of floors: floor and modules.
fn floors(text: &str) -> Vec<(String, BTreeSet<String>)> {
    let rows = text.lines().map(|line| line.trim_start_matches(['/', '!', ' '])).filter(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).skip(1).take(2).collect::<Vec<_>>());
    let floors = cells.filter(|cells| cells[1].starts_with('`') && cells[1].ends_with('`'));
    floors
        .map(|cells| (cells[0].to_owned(), cells[1].trim_matches('`').split(' ').map(str::to_owned).collect()))
        .filter(|(floor, _): &(String, _)| floor == "beside" || floor.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[test]
fn the_architecture_has_the_floors_of_the_source() {
    let (source, document) = (floors(&read("src/lib.rs")), floors(&read("docs/ARCHITECTURE.md")));
    assert_eq!(document, source);
    assert_eq!(document.len(), 6);
}

/// README shows every setting with the text of `--help`.
#[test]
fn the_readme_has_every_setting() {
    let (source, readme) = (read("src/config.rs") + &read("src/cli.rs"), read("README.md"));
    let texts = joined(&source);
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| {
            ["ENTRA_ASSETS_", "DATABASE_URL`", "AZURE_", "OTEL_"]
                .iter()
                .any(|start| line.strip_prefix("| `").is_some_and(|name| name.starts_with(start)))
        })
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect())
        .collect();
    for name in source.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(rows.iter().any(|row| row[0] == name), "README does not have {name}");
    }
    for row in rows {
        let text = row[2..].join(" | ");
        assert!(texts.contains(text.trim_matches('`')), "README says of {}: {text}", row[0]);
    }
}

/// Links to files beside the document that are not there.
fn dead_links(document: &str, text: &str) -> Vec<String> {
    let folder = root().join(document).parent().unwrap().to_owned();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
    let files = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    files
        .filter(|link| !folder.join(link.split('#').next().unwrap()).exists())
        .map(|link| format!("{document} links to {link}"))
        .collect()
}
