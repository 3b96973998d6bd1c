//! `completions` and `man`: what a shell and `man` know of the program, made from its command line.

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man as Page;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Write a page for the program and for each of its commands into this folder.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

pub fn write_completions(arguments: &Completions, mut program: clap::Command) -> Result<()> {
    let name = program.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut text);
    print(&text)
}

pub fn write_pages(arguments: &Man, program: clap::Command) -> Result<()> {
    // A page is for every machine: it shows no value of this one's variables.
    let program = without_values(program);
    let Some(folder) = &arguments.write else {
        let mut text = Vec::new();
        Page::new(program).render(&mut text)?;
        return print(&text);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(program, folder))
        .with_context(|| format!("cannot write into the folder {}", folder.display()))
}

fn without_values(command: clap::Command) -> clap::Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(without_values)
}

/// A reader that is gone is no failure: `entra-assets man | head`.
fn print(text: &[u8]) -> Result<()> {
    let _ = std::io::stdout().write_all(text);
    Ok(())
}
