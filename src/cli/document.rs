//! `openapi`: prints the OpenAPI document and what is made of it.

use super::output::say;
use crate::api::{self, openapi};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct OpenApi {
    /// Print YAML instead of JSON.
    #[arg(long)]
    yaml: bool,
    /// Write openapi.json and openapi.yaml into this folder instead of printing.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Print the list of problem codes (docs/errors.md) instead.
    #[arg(long)]
    errors: bool,
}

pub fn write(options: &OpenApi) -> Result<()> {
    if options.errors {
        say(openapi::errors_page().trim_end());
        return Ok(());
    }
    let contract = api::contract()?;
    let document = contract.document();
    let (json, yaml) = (openapi::to_json(document), openapi::to_yaml(document));
    match &options.write {
        Some(folder) => {
            for (name, text) in [("openapi.json", &json), ("openapi.yaml", &yaml)] {
                let path = folder.join(name);
                std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        None => say(if options.yaml { &yaml } else { &json }.trim_end()),
    }
    Ok(())
}
