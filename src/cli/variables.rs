//! A misspelt variable is ignored by the service, so nobody notices that a setting is missing.

use std::collections::BTreeSet;

/// All variables of the service but `DATABASE_URL` and those of Azure and OpenTelemetry begin so.
pub(super) const PREFIX: &str = "ENTRA_ASSETS_";
/// How similar two names must be (0 to 1) for one to be a likely misspelling of the other.
const SIMILAR: f64 = 0.8;

/// The variables of this process that begin like those of the service, but that no setting of `program` has.
pub fn unknown(program: &clap::Command) -> Vec<Unknown> {
    // A name that is not UTF-8 is none of ours.
    unknown_of(program, std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

pub struct Unknown {
    pub name: String,
    nearest: Option<String>,
}

impl Unknown {
    /// That it is ignored, and which name was probably meant.
    pub fn advice(&self) -> String {
        let next = match &self.nearest {
            Some(nearest) => format!("Did you mean {nearest}?"),
            None => "`entra-assets serve --help` lists all settings.".to_owned(),
        };
        format!("no setting has this name, so it is ignored. {next}")
    }
}

fn unknown_of(program: &clap::Command, set: impl Iterator<Item = String>) -> Vec<Unknown> {
    let names = setting_names(program);
    let is_unknown = |name: &String| name.starts_with(PREFIX) && !names.contains(name);
    set.filter(is_unknown).map(|name| Unknown { nearest: nearest(&name, &names), name }).collect()
}

/// The name that was probably meant.
pub(super) fn nearest(wrong: &str, names: &BTreeSet<String>) -> Option<String> {
    let similarity = |name: &&String| strsim::normalized_levenshtein(wrong, name);
    let similar = names.iter().filter(|name| similarity(name) >= SIMILAR);
    similar.max_by(|a, b| similarity(a).total_cmp(&similarity(b))).cloned()
}

/// The variables of a command and its subcommands.
pub(super) fn setting_names(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.is_empty());
    own.chain(command.get_subcommands().flat_map(setting_names)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> clap::Command {
        let settings = ["ENTRA_ASSETS_WORKERS", "ENTRA_ASSETS_LISTEN", "ENTRA_ASSETS_CORS_ORIGINS"];
        let setting = |name: &'static str| clap::Arg::new(name).long(name).env(name);
        clap::Command::new("program").subcommand(clap::Command::new("serve").args(settings.map(setting)))
    }

    #[test]
    fn a_misspelt_variable_is_found_with_the_name_that_was_meant() {
        let set =
            ["ENTRA_ASSETS_WORKER", "ENTRA_ASSETS_LISTEN", "ENTRA_ASSETS_COLOUR", "PATH", "ENTRA_ASSETS_CORS_ORIGIN"];
        let found = unknown_of(&program(), set.iter().map(ToString::to_string));
        let found: Vec<_> = found.iter().map(|wrong| (wrong.name.as_str(), wrong.nearest.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("ENTRA_ASSETS_WORKER", Some("ENTRA_ASSETS_WORKERS")),
                ("ENTRA_ASSETS_COLOUR", None),
                ("ENTRA_ASSETS_CORS_ORIGIN", Some("ENTRA_ASSETS_CORS_ORIGINS")),
            ]
        );
    }
}
