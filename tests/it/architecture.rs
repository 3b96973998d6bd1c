//! The floors of `lib.rs` hold, and no files need each other in a circle.

mod circles;
mod source;

use circles::House;
use source::Source;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each floor, as `lib.rs` documents them.
const FLOORS: [&[&str]; 5] = [
    &["clock", "codes", "config", "error", "http", "ids", "plural", "random", "seal", "trace"],
    &[
        "api_key",
        "assets_limits",
        "audit",
        "change",
        "cloud",
        "connection",
        "destination",
        "directory",
        "filter",
        "insight",
        "jira_user",
        "job",
        "mapping",
        "permission",
        "quota",
        "run_state",
        "schedule",
        "text_enum",
        "webhook",
    ],
    &["db", "graph", "assets", "postgres"],
    &["app", "connection_check", "directory_lookup", "explain", "filter_preview", "runs"],
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

/// Each file of a package's `src`: its path from there on, and its text.
fn sources(package: &str) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (path, fs::read_to_string(file).unwrap())
    };
    files.iter().map(read).collect()
}

/// The top-level modules that a file names as `crate::module`, its tests included.
fn edges(text: &str) -> BTreeSet<String> {
    let source = Source::read_all(&[], text);
    let paths = source.uses.into_iter().map(|used| used.path).chain(source.paths.into_iter().map(|(_, path)| path));
    paths.filter(|path| path[0] == "crate").filter_map(|path| path.get(1).cloned()).collect()
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
    let mut wrong = Vec::new();
    for (file, text) in sources(".") {
        let from = file.split('/').next().unwrap().trim_end_matches(".rs");
        for to in edges(&text) {
            if floor(&to).is_none() && !matches!(to.as_str(), "sim" | "cli") {
                continue; // a macro or an item of the crate root
            }
            if !is_allowed(from, &to) {
                wrong.push(format!("{file}: {from} -> {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that lib.rs does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn no_files_need_each_other_in_a_circle() {
    let packages = [".", "kernel", "simulators"];
    let circles = packages.iter().flat_map(|package| House::new(&sources(package)).circles());
    let circles: Vec<String> = circles.map(|circle| circle.text).collect();
    assert!(
        circles.is_empty(),
        "Files need each other in a circle. Move what ties them into a file of its own.\n{}",
        circles.join("\n")
    );
}

#[test]
fn an_edge_upward_would_be_found() {
    assert!(!is_allowed("db", "api"));
    assert!(!is_allowed("graph", "db"));
    assert!(!is_allowed("sim", "graph"));
    assert!(!is_allowed("api", "sim"));
    let found = |text| edges(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(found("use crate::{db::Db, graph};"), "db graph");
    assert_eq!(found("use crate::{db::{Db, mirror}, graph}; fn f() { crate::runs::g() }"), "db graph runs");
}

/// `runs/transaction.rs` gives each transaction of the engine a name, by which its time is measured.
#[test]
fn every_transaction_of_a_run_has_a_name() {
    let files = sources(".").into_iter().filter(|(file, _)| file.starts_with("runs/") && file != "runs/transaction.rs");
    let nameless: Vec<String> = files.filter(|(_, text)| text.contains(".scoped(")).map(|(file, _)| file).collect();
    assert!(nameless.is_empty(), "take `transaction` or `Run::tx` in place of `Db::scoped`: {nameless:?}");
}

#[test]
fn every_module_stands_on_a_floor() {
    let lib = include_str!("../../src/lib.rs");
    let declared =
        |line: &'static str| line.strip_prefix("pub ").or(line.strip_prefix("pub(crate) "))?.strip_prefix("mod ");
    for module in lib.lines().filter_map(declared) {
        let module = module.trim_end_matches(';');
        assert!(floor(module).is_some() || matches!(module, "sim" | "cli"), "{module} is on no floor");
    }
}
