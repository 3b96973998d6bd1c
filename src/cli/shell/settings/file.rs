//! A file of settings: read, and checked as far as it can be without a service.

use super::Object;
use super::kind::{KINDS, Kind};
use crate::api::contract::write_integers;
use crate::cli::variables::nearest;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const MAX_BYTES: u64 = 4 << 20;

/// A file of settings that was read.
pub(super) struct Settings {
    pub(super) path: PathBuf,
    /// The items of each kind, in the order of [`KINDS`].
    pub(super) items: Vec<Item>,
    /// The kinds that the file has, also without items.
    pub(super) kinds: BTreeSet<&'static str>,
}

/// One connection, filter, destination or job.
pub(super) struct Item {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    pub(super) fields: Object,
    line: Option<usize>,
}

impl Settings {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut text = String::new();
        match path.as_os_str() == "-" {
            true => std::io::stdin().take(MAX_BYTES + 1).read_to_string(&mut text),
            false => {
                let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
                file.take(MAX_BYTES + 1).read_to_string(&mut text)
            }
        }
        .with_context(|| format!("cannot read {shown}"))?;
        if text.len() as u64 > MAX_BYTES {
            bail!("{shown} has more than {MAX_BYTES} bytes");
        }
        let mut value: Value = yaml_serde::from_str(&text).with_context(|| format!("{shown} is not valid YAML"))?;
        write_integers(&mut value);
        let top = match value {
            Value::Object(top) => top,
            Value::Null => Object::new(),
            _ => bail!("{shown} must have a list under each of {}", names()),
        };
        let known: BTreeSet<String> = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
        if let Some(wrong) = top.keys().find(|name| !known.contains(*name)) {
            let singular = KINDS.iter().find(|kind| kind.one == wrong).map(|kind| kind.name.to_owned());
            let meant = singular.or_else(|| nearest(wrong, &known));
            let meant = meant.map(|meant| format!(" Did you mean `{meant}`?")).unwrap_or_default();
            bail!("{shown}: `{wrong}` is none of {}.{meant}", names());
        }
        let mut settings = Self { path: path.to_owned(), items: Vec::new(), kinds: BTreeSet::new() };
        for kind in &KINDS {
            let Some(list) = top.get(kind.name) else { continue };
            settings.kinds.insert(kind.name);
            let list = match list {
                Value::Array(list) => list.as_slice(),
                Value::Null => &[],
                _ => bail!("{shown}: `{}` must be a list", kind.name),
            };
            for (position, item) in list.iter().enumerate() {
                let item =
                    read_item(kind, item, &text).with_context(|| format!("{shown}: {}[{position}]", kind.name))?;
                settings.refuse_twins(&item)?;
                settings.items.push(item);
            }
        }
        Ok(settings)
    }

    /// The folder that paths in the file begin at.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Where an item stands, for messages.
    pub(super) fn place(&self, item: &Item) -> String {
        let line = item.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {} «{}»", self.path.display(), item.kind.one, item.name)
    }

    /// Items are found by their names.
    fn refuse_twins(&self, item: &Item) -> Result<()> {
        let is_twin = |other: &&Item| other.kind.name == item.kind.name && other.name == item.name;
        match self.items.iter().find(is_twin) {
            Some(other) => bail!("{} stands there twice; the other is {}", self.place(item), self.place(other)),
            None => Ok(()),
        }
    }
}

fn names() -> String {
    KINDS.iter().map(|kind| format!("`{}`", kind.name)).collect::<Vec<_>>().join(", ")
}

fn read_item(kind: &'static Kind, item: &Value, text: &str) -> Result<Item> {
    let Value::Object(fields) = item else { bail!("must have fields, `name` among them") };
    let Some(name) = fields.get("name").and_then(Value::as_str) else { bail!("has no `name`, by which it is found") };
    for (field, id, _) in kind.references {
        if fields.contains_key(*id) {
            bail!(
                "«{name}» has `{id}`. Write `{field}` with a name instead, so that the file fits other installations too"
            );
        }
    }
    Ok(Item { kind, name: name.to_owned(), fields: fields.clone(), line: line_of(text, kind.name, name) })
}

/// The line of `name: NAME` below the key of its kind: the parser does not tell where a value stood.
fn line_of(text: &str, kind: &str, name: &str) -> Option<usize> {
    let mut is_below = false;
    for (number, line) in (1..).zip(text.lines()) {
        let is_key = line.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_key {
            is_below = line.split(':').next() == Some(kind);
        }
        let field = line.trim_start().trim_start_matches("- ").trim_start();
        let value = field.strip_prefix("name:").map(|value| value.trim().trim_matches(['"', '\'']));
        if is_below && value == Some(name) {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.yaml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn items_are_in_the_order_in_which_they_refer_to_each_other() {
        let text = "jobs:\n  - name: Nightly\n    connection: Contoso\n# a comment\nconnections:\n- cloud: global\n  name: 'Contoso'\n";
        let settings = read(text).unwrap();
        let found: Vec<(&str, &str, Option<usize>)> =
            settings.items.iter().map(|item| (item.kind.name, item.name.as_str(), item.line)).collect();
        assert_eq!(found, [("connections", "Contoso", Some(7)), ("jobs", "Nightly", Some(2))]);
        assert!(settings.place(&settings.items[0]).ends_with("settings.yaml:7: connection «Contoso»"));
        assert!(read("").unwrap().items.is_empty());
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let settings = read("filters:\n- name: A\n  limits: {maxUsers: 10.0}\n").unwrap();
        assert_eq!(settings.items[0].fields["limits"], serde_json::json!({"maxUsers": 10}));
    }

    #[test]
    fn what_cannot_be_applied_is_refused_with_its_place() {
        for (text, part) in [
            ("job:\n- name: A\n", "Did you mean `jobs`?"),
            ("- name: A\n", "must have a list under each"),
            ("jobs: all\n", "`jobs` must be a list"),
            ("jobs:\n- mode: full\n", "jobs[0]"),
            ("jobs:\n- name: A\n  connectionId: x\n", "Write `connection`"),
            ("filters:\n- name: A\n- name: A\n", "stands there twice"),
            ("filters:\n- name: [\n", "not valid YAML"),
        ] {
            let error = format!("{:#}", read(text).err().unwrap());
            assert!(error.contains(part) && error.contains("settings.yaml"), "{text}: {error}");
        }
    }
}
