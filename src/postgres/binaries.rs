//! Finds the binaries of the server.

use crate::error::{Code, Error, Result};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `scripts/postgres-binaries.sh` unpacks binaries into `bin` of this folder in the data directory.
pub const BINARIES_FOLDER: &str = "postgres-binaries";

/// The oldest major version that the schema supports.
const OLDEST_MAJOR: u32 = 14;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

/// Where to search; a test can hide the binaries of the system.
pub(super) struct Places {
    pub pg_bin_dir: Option<OsString>,
    pub path: Option<OsString>,
    /// Folders whose `*/bin` are searched, highest number first.
    pub versioned: Vec<PathBuf>,
}

impl Places {
    pub fn of_this_machine() -> Self {
        Self {
            pg_bin_dir: std::env::var_os("PG_BIN_DIR").filter(|dir| !dir.is_empty()),
            path: std::env::var_os("PATH"),
            versioned: [
                "/usr/lib/postgresql",
                "/usr/pgsql",
                "/opt/homebrew/opt",
                "/usr/local/opt",
                "/home/linuxbrew/.linuxbrew/opt",
            ]
            .map(PathBuf::from)
            .to_vec(),
        }
    }
}

/// The binaries of the major version that created the cluster (`needed`), or the first ones found. If `PG_BIN_DIR` is set,
/// only that folder is searched.
pub(super) fn find(data_dir: &Path, needed: Option<u32>, places: &Places) -> Result<Binaries> {
    let unpacked = data_dir.join(BINARIES_FOLDER).join("bin");
    if let Some(dir) = &places.pg_bin_dir {
        let found = inspect(Path::new(dir)).ok_or_else(|| {
            Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "PG_BIN_DIR={} does not contain working `postgres` and `initdb` binaries. Correct it or unset it.",
                    Path::new(dir).display()
                ),
            )
        })?;
        return choose(vec![found], needed, data_dir);
    }
    let mut seen = HashSet::new();
    let found = candidates(places)
        .into_iter()
        .chain([unpacked])
        .filter_map(|dir| fs::canonicalize(dir).ok())
        .filter(|dir| seen.insert(dir.clone()))
        .filter_map(|dir| inspect(&dir))
        .collect();
    choose(found, needed, data_dir)
}

fn choose(found: Vec<Binaries>, needed: Option<u32>, data_dir: &Path) -> Result<Binaries> {
    let majors: Vec<String> = found.iter().map(|b| b.major.to_string()).collect();
    let wanted = |b: &Binaries| needed.map_or(b.major >= OLDEST_MAJOR, |needed| b.major == needed);
    if let Some(binaries) = found.into_iter().find(wanted) {
        return Ok(binaries);
    }
    let have = if majors.is_empty() { "none".to_owned() } else { format!("version {}", majors.join(", ")) };
    let detail = match needed {
        Some(needed) => format!(
            "PostgreSQL {needed} created the database in {}, and its server binaries are needed (found: {have}). Install \
             `postgresql-{needed}`, set PG_BIN_DIR to their folder, or set ENTRA_ASSETS_DATA_DIR to another folder to \
             start with an empty database.",
            data_dir.display()
        ),
        None => format!(
            "Found no PostgreSQL server binaries of version {OLDEST_MAJOR} or later on this machine (found: {have}). Install \
             the package `postgresql` (Debian, Ubuntu), `postgresql-server` (Fedora) or `postgresql@17` (Homebrew), run \
             `scripts/postgres-binaries.sh {}`, set PG_BIN_DIR to their folder, or set DATABASE_URL to another \
             server.",
            data_dir.display()
        ),
    };
    Err(Error::new(Code::ConfigurationInvalid, detail))
}

fn candidates(places: &Places) -> Vec<PathBuf> {
    let path: Vec<PathBuf> =
        places.path.as_deref().map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(pg_config) = path.iter().map(|dir| dir.join("pg_config")).find(|file| file.is_file())
        && let Some(line) = output(Command::new(pg_config).arg("--bindir"))
    {
        found.push(PathBuf::from(line));
    }
    // A link in PATH leads to the folder of the installation.
    found
        .extend(path.iter().filter_map(|dir| fs::canonicalize(dir.join("postgres")).ok()?.parent().map(PathBuf::from)));
    for folder in &places.versioned {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let number = name.strip_prefix("postgresql@").unwrap_or(&name).parse().ok()?;
                Some((number, entry.path().join("bin")))
            })
            .collect();
        versions.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.extend(versions.into_iter().map(|(_, dir)| dir));
    }
    found
}

/// The binaries of a folder, if they exist and run.
fn inspect(dir: &Path) -> Option<Binaries> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    let version = output(Command::new(dir.join("postgres")).arg("--version"))?;
    Some(Binaries { dir: dir.to_owned(), major: major(&version)? })
}

/// `postgres (PostgreSQL) 15.14 (Debian …)` → 15.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn fake(dir: &Path, major: u32) {
        fs::create_dir_all(dir).unwrap();
        for name in ["postgres", "initdb"] {
            let file = dir.join(name);
            fs::write(&file, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {major}.3 (Debian)'\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn places(versioned: &Path) -> Places {
        Places { pg_bin_dir: None, path: None, versioned: vec![versioned.to_owned()] }
    }

    #[test]
    fn the_highest_version_is_taken_for_a_new_cluster_and_the_same_for_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        fake(&dir.path().join("9/bin"), 9);
        fake(&dir.path().join("15/bin"), 15);
        fake(&dir.path().join("17/bin"), 17);
        let data = dir.path().join("data");
        assert_eq!(find(&data, None, &places(dir.path())).unwrap().major, 17);
        assert_eq!(find(&data, Some(15), &places(dir.path())).unwrap().major, 15);
        let error = find(&data, Some(16), &places(dir.path())).unwrap_err();
        assert!(error.detail.contains("PostgreSQL 16 created") && error.detail.contains("17, 15, 9"), "{error}");
    }

    #[test]
    fn binaries_unpacked_into_the_data_dir_are_found_and_none_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("none");
        let error = find(dir.path(), None, &places(&empty)).unwrap_err();
        assert!(error.detail.contains("Install"), "{error}");
        fake(&dir.path().join(BINARIES_FOLDER).join("bin"), 18);
        assert_eq!(find(dir.path(), None, &places(&empty)).unwrap().major, 18);
    }

    #[test]
    fn a_wrong_pg_bin_dir_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fake(&dir.path().join("15/bin"), 15);
        let places = Places { pg_bin_dir: Some("/nowhere".into()), ..places(dir.path()) };
        assert!(find(dir.path(), None, &places).unwrap_err().detail.contains("PG_BIN_DIR=/nowhere"));
    }
}
