//! The config file: TOML, with the names of the variables in lower case and without `ENTRA_ASSETS_`.

use crate::cli::variables::{self, PREFIX};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const MAX_BYTES: u64 = 1024 * 1024;
/// What the config file cannot set: itself.
const OWN_VARIABLE: &str = "ENTRA_ASSETS_CONFIG";

/// A config file that was read, all of whose keys are settings.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    values: Table,
}

/// The key of a variable: `ENTRA_ASSETS_LISTEN` is `listen`, `DATABASE_URL` is `database_url`.
pub(super) fn key(variable: &str) -> String {
    variable.strip_prefix(PREFIX).unwrap_or(variable).to_lowercase()
}

impl ConfigFile {
    /// `variables`: the names of all settings.
    pub(super) fn read(path: &Path, variables: &BTreeSet<String>) -> Result<Self, String> {
        let shown = path.display();
        let failed = |error: std::io::Error| {
            format!("cannot read the config file {shown}: {error}. Check the path and who may read it.")
        };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(format!("the config file {shown} has more than {MAX_BYTES} bytes."));
        }
        let values: Table = text.parse().map_err(|error| format!("{shown}, {}", place_and_message(&text, &error)))?;
        let known: BTreeSet<String> =
            variables.iter().filter(|name| *name != OWN_VARIABLE).map(|name| key(name)).collect();
        match values.keys().find(|key| !known.contains(key.as_str())) {
            Some(wrong) => Err(unknown_key(path, wrong, &known)),
            None => Ok(Self { path: path.to_owned(), values }),
        }
    }

    /// Whether it sets one of these variables.
    pub(super) fn has_any(&self, variables: &[String]) -> bool {
        variables.iter().any(|variable| self.values.contains_key(&key(variable)))
    }

    /// The value of a setting as an option would have it.
    pub(super) fn value(&self, variable: &str) -> Result<Option<String>, String> {
        let key = key(variable);
        let Some(value) = self.values.get(&key) else { return Ok(None) };
        let refused = |expected: &str| format!("{}: `{key}` must be {expected}.", self.path.display());
        match value {
            Value::String(text) => Ok(Some(text.clone())),
            Value::Integer(number) => Ok(Some(number.to_string())),
            Value::Boolean(is_on) => Ok(Some(if *is_on { "on" } else { "off" }.to_owned())),
            Value::Array(items) if items.iter().all(Value::is_str) => {
                // Lists of settings are separated by commas.
                Ok(Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
            }
            Value::Array(items) if items.iter().all(Value::is_table) => {
                serde_json::to_string(items).map(Some).map_err(|_| refused("a list without dates"))
            }
            Value::Array(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
                Err(refused("a text, a whole number, true, false, or a list of texts"))
            }
        }
    }
}

/// Without the line itself, which may have a secret.
fn place_and_message(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!(
        "line {line}: {}. Write each setting as `name = \"value\"`.",
        error.message().trim_end().replace('\n', ", ")
    )
}

fn unknown_key(path: &Path, wrong: &str, known: &BTreeSet<String>) -> String {
    let next = match variables::nearest(&key(&wrong.to_uppercase()), known) {
        Some(nearest) => format!("Did you mean `{nearest}`?"),
        None => "`entra-assets serve --help` lists all settings; write them in lower case, without ENTRA_ASSETS_."
            .to_owned(),
    };
    format!("{}: no setting has the name `{wrong}`. {next}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let names =
            ["ENTRA_ASSETS_LISTEN", "ENTRA_ASSETS_WORKERS", "DATABASE_URL", "ENTRA_ASSETS_CONSOLE", OWN_VARIABLE];
        ConfigFile::read(&path, &names.map(str::to_owned).into())
    }

    #[test]
    fn a_value_has_the_form_of_an_option() {
        for (text, variable, value) in [
            ("listen = '127.0.0.1:1'", "ENTRA_ASSETS_LISTEN", "127.0.0.1:1"),
            ("workers = 3", "ENTRA_ASSETS_WORKERS", "3"),
            ("console = false", "ENTRA_ASSETS_CONSOLE", "off"),
            ("database_url = ['a', 'b']", "DATABASE_URL", "a,b"),
            ("database_url = [{ a = 1 }]", "DATABASE_URL", r#"[{"a":1}]"#),
        ] {
            assert_eq!(read(text).unwrap().value(variable).unwrap().as_deref(), Some(value), "{text}");
        }
        assert_eq!(read("workers = 3").unwrap().value("DATABASE_URL"), Ok(None));
        for text in ["workers = 1.5", "workers = 2026-01-01", "workers = [1, 'a']", "[workers]\na = 1"] {
            let why = read(text).unwrap().value("ENTRA_ASSETS_WORKERS").unwrap_err();
            assert!(why.contains("`workers` must be"), "{text}: {why}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
        for (text, part) in [
            ("worker = 3", "Did you mean `workers`?"),
            ("ENTRA_ASSETS_LISTEN = 'x'", "Did you mean `listen`?"),
            ("DATABASE_URL = 'x'", "Did you mean `database_url`?"),
            ("colour = 'red'", "serve --help"),
            ("config = 'x'", "no setting has the name `config`"),
        ] {
            let why = read(text).err().unwrap();
            assert!(why.contains(part), "{text}: {why}");
        }
    }

    #[test]
    fn an_error_names_the_line_and_does_not_show_it() {
        let why = read("workers = 3\ndatabase_url = 'postgres://hunter2\n").err().unwrap();
        assert!(why.contains("line 2") && !why.contains("hunter2"), "{why}");
        let why = read("workers = 3\nworkers = 4\n").err().unwrap();
        assert!(why.contains("line 2") && why.contains("duplicate"), "{why}");
    }
}
