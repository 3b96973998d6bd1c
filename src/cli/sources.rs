//! Where the value of a setting comes from: an option, a variable, a file with a secret, or a config file, in this order.
//!
//! What comes from a file becomes an option of a second reading of the command line, so that every value is read and
//! checked in the same way.

mod config_file;
mod secret_file;

use super::variables::setting_names;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};
use config_file::ConfigFile;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The id of the option that names the config file.
pub const CONFIG: &str = "config";
/// Behind the name of a secret: the name of the setting that names a file with it.
const FILE_SUFFIX: &str = "_FILE";

/// Something about a file that somebody should know of, and that prevents nothing.
pub struct Warning {
    pub name: String,
    pub text: String,
}

/// Reads the command line `given`, the environment and the files that they name. `program` has an option for the file of
/// each secret, see [`with_secret_files`].
pub fn read(program: &Command, given: &[OsString]) -> Result<(ArgMatches, Vec<Warning>), clap::Error> {
    let reader = without_empty_variables(program.clone());
    let matches = reader.clone().try_get_matches_from(given)?;
    let Chosen { command, matches: of_command } = chosen(program, &matches);
    let refused = |text: String| reader.clone().error(ErrorKind::ValueValidation, text);
    let mut warnings = Vec::new();
    let config = match of_command.get_one::<PathBuf>(CONFIG) {
        Some(path) => Some(ConfigFile::read(path, &setting_names(program)).map_err(refused)?),
        None => None,
    };
    if let Some(config) = config.as_ref().filter(|config| config.has_any(&secret_names(program))) {
        let open = secret_file::open_to_others(&config.path);
        warnings.extend(open.map(|text| Warning { name: "config file".to_owned(), text }));
    }
    let globals = program.get_arguments().filter(|argument| argument.is_global_set());
    let mut added = Vec::new();
    for argument in command.get_arguments().chain(globals) {
        let Some(setting) = Setting::of(argument) else { continue };
        let Some(found) = setting.find(of_command, config.as_ref()).map_err(refused)? else { continue };
        added.push((setting.option, found.value, found.origin));
        warnings.extend(found.warning);
    }
    if added.is_empty() {
        return Ok((matches, warnings));
    }
    // Before a `--`, behind which nothing is an option.
    let end = given.iter().position(|part| part == "--").unwrap_or(given.len());
    let (before, after) = given.split_at(end);
    let options = added.iter().map(|(option, value, _)| OsString::from(format!("--{option}={value}")));
    let all = before.iter().cloned().chain(options).chain(after.iter().cloned());
    match reader.try_get_matches_from(all) {
        Ok(matches) => Ok((matches, warnings)),
        Err(error) => Err(with_origin(error, &added)),
    }
}

/// Says which file has the value that was refused: the person gave no such option.
fn with_origin(mut error: clap::Error, added: &[(&str, String, String)]) -> clap::Error {
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else { return error };
    let named = named.split([' ', '=']).next().unwrap_or_default().trim_start_matches("--");
    if let Some((_, _, origin)) = added.iter().find(|(option, _, _)| *option == named) {
        let tip = format!("the value comes from {origin}").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The command that was called, with what was given to it.
struct Chosen<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
}

fn chosen<'a>(command: &'a Command, matches: &'a ArgMatches) -> Chosen<'a> {
    let inner = matches.subcommand().and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner)));
    match inner {
        Some((command, matches)) => chosen(command, matches),
        None => Chosen { command, matches },
    }
}

/// One setting of a command: an option that a variable can set too.
struct Setting<'a> {
    argument: &'a Arg,
    option: &'a str,
    variable: String,
}

/// What a file says of one setting.
struct Found {
    value: String,
    origin: String,
    warning: Option<Warning>,
}

impl<'a> Setting<'a> {
    /// `None`: an argument of the command that is no setting, or one of those that name the files themselves.
    fn of(argument: &'a Arg) -> Option<Self> {
        let is_file = argument.get_id() == CONFIG || argument.get_id().as_str().ends_with(SECRET_FILE_ID);
        let variable = argument.get_env()?.to_str()?.to_owned();
        (!is_file && !variable.is_empty()).then_some(Self { argument, option: argument.get_long()?, variable })
    }

    /// Looks into the files, unless an option or a variable has the value.
    fn find(&self, matches: &ArgMatches, config: Option<&ConfigFile>) -> Result<Option<Found>, String> {
        let is_secret = self.argument.is_hide_env_values_set();
        let (id, file_id) = (self.argument.get_id().as_str(), secret_file_id(self.argument));
        let own = given(matches, id, self.option, &self.variable);
        let file = is_secret.then(|| {
            given(matches, &file_id, &format!("{}-file", self.option), &format!("{}{FILE_SUFFIX}", self.variable))
        });
        match (own, file.flatten()) {
            (Some(own), Some(file)) => Err(both(&own, &file)),
            (Some(_), None) => Ok(None),
            (None, Some(name)) => {
                let path = matches.get_one::<PathBuf>(&file_id);
                path.map(|path| in_secret_file(&name, path)).transpose()
            }
            (None, None) => match config {
                Some(config) => self.in_config(config, is_secret),
                None => Ok(None),
            },
        }
    }

    fn in_config(&self, config: &ConfigFile, is_secret: bool) -> Result<Option<Found>, String> {
        let file_variable = format!("{}{FILE_SUFFIX}", self.variable);
        let own = config.value(&self.variable)?;
        let file = if is_secret { config.value(&file_variable)? } else { None };
        let named = |variable: &str| format!("`{}` of {}", config_file::key(variable), config.path.display());
        match (own, file) {
            (Some(_), Some(_)) => Err(both(&named(&self.variable), &named(&file_variable))),
            (Some(value), None) => Ok(Some(Found { value, origin: named(&self.variable), warning: None })),
            (None, Some(path)) => in_secret_file(&named(&file_variable), Path::new(&path)).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// How the person who set it knows it, if an option or a variable has the value.
fn given(matches: &ArgMatches, id: &str, option: &str, variable: &str) -> Option<String> {
    match matches.value_source(id)? {
        ValueSource::CommandLine => Some(format!("--{option}")),
        ValueSource::EnvVariable => Some(variable.to_owned()),
        _ => None,
    }
}

fn in_secret_file(name: &str, path: &Path) -> Result<Found, String> {
    let value = secret_file::read(path).map_err(|why| format!("{name}: {why}"))?;
    let warning = secret_file::open_to_others(path).map(|text| Warning { name: name.to_owned(), text });
    Ok(Found { value, origin: format!("the file {} of {name}", path.display()), warning })
}

fn both(one: &str, other: &str) -> String {
    format!("{one} and {other} are both set, and each has the value of the same setting. Remove one of them.")
}

/// What the id of an option for a file ends in.
const SECRET_FILE_ID: &str = ":file";

fn secret_file_id(secret: &Arg) -> String {
    format!("{}{SECRET_FILE_ID}", secret.get_id())
}

/// Adds for each secret an option and a variable that name a file with it: `--NAME-file` and `NAME_FILE`.
pub fn with_secret_files(command: Command) -> Command {
    let files: Vec<Arg> = command.get_arguments().filter_map(secret_file_of).collect();
    command.args(files).mut_subcommands(with_secret_files)
}

fn secret_file_of(secret: &Arg) -> Option<Arg> {
    let variable = secret.get_env()?.to_str()?;
    let is_secret = secret.is_hide_env_values_set() && !variable.is_empty();
    let option = is_secret.then(|| secret.get_long()).flatten()?;
    let file = Arg::new(secret_file_id(secret))
        .long(format!("{option}-file"))
        .env(format!("{variable}{FILE_SUFFIX}"))
        .value_name("FILE")
        .value_hint(ValueHint::FilePath)
        .value_parser(clap::value_parser!(PathBuf))
        .help(format!("File with the value of {variable}."))
        .help_heading("Secrets in files")
        .hide(secret.is_hide_set());
    Some(file)
}

/// The variables of all secrets of a command and its subcommands.
fn secret_names(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter(|argument| argument.is_hide_env_values_set());
    let own = own.filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()));
    own.chain(command.get_subcommands().flat_map(secret_names)).collect()
}

/// A variable that is set to nothing counts as not set: files of settings have such lines.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |argument: &Arg| {
        argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.to_string_lossy().trim().is_empty())
    };
    let command = command.mut_args(|argument| match is_empty(&argument) {
        // No variable has this name.
        true => argument.env("").hide_env(true),
        false => argument,
    });
    command.mut_subcommands(without_empty_variables)
}
