//! The floors of `lib.rs` hold.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each floor, as `lib.rs` documents them.
const FLOORS: [&[&str]; 5] = [
    &["clock", "config", "error", "http", "ids", "random", "seal"],
    &["filter", "mapping", "schedule", "permission", "directory", "run_state"],
    &["db", "graph", "assets", "postgres"],
    &["app", "connection_check", "filter_preview", "runs"],
    &["api", "serve", "shutdown", "telemetry"],
];
const ADAPTERS: usize = 2;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The text of a `{…}` group up to its end, without the groups inside it.
fn outermost(group: &str) -> String {
    let mut depth = 0;
    let mut text = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

/// The top-level modules that a file names as `crate::module`.
fn edges(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .flat_map(|rest| {
            let names: Vec<String> = if let Some(group) = rest.strip_prefix('{') {
                outermost(group)
                    .split(',')
                    .map(|part| part.trim().split("::").next().unwrap_or("").to_owned())
                    .collect()
            } else {
                vec![rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()]
            };
            names
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn is_allowed(from: &str, to: &str) -> bool {
    if from == to || matches!(from, "cli" | "main" | "lib") {
        return true;
    }
    if from == "sim" {
        return floor(to) == Some(0);
    }
    match (floor(from), floor(to)) {
        (Some(from), Some(to)) if from == ADAPTERS && to == ADAPTERS => false,
        (Some(from), Some(to)) => to <= from,
        _ => false,
    }
}

#[test]
fn imports_go_downward_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let from = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        for to in edges(&fs::read_to_string(&file).unwrap()) {
            if floor(&to).is_none() && !matches!(to.as_str(), "sim" | "cli") {
                continue; // a macro or an item of the crate root
            }
            if !is_allowed(&from, &to) {
                wrong.push(format!("{}: {from} -> {to}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that lib.rs does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn an_edge_upward_would_be_found() {
    assert!(!is_allowed("db", "api"));
    assert!(!is_allowed("graph", "db"));
    assert!(!is_allowed("sim", "graph"));
    assert!(!is_allowed("api", "sim"));
    assert_eq!(edges("use crate::{db::Db, graph};"), ["db", "graph"]);
    assert_eq!(edges("use crate::{db::{Db, mirror}, graph};"), ["db", "graph"]);
}

#[test]
fn every_module_stands_on_a_floor() {
    let lib = include_str!("../../src/lib.rs");
    for module in lib.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = module.trim_end_matches(';');
        assert!(floor(module).is_some() || matches!(module, "sim" | "cli"), "{module} is on no floor");
    }
}
