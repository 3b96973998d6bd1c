//! `export`: what the service has, as a file that `apply` takes. It has no secret: only the names of variables for them.

use super::Object;
use super::existing::several;
use super::kind::{KINDS, Kind};
use super::secret::Variables;
use crate::api;
use crate::api::contract::schema::Schemas;
use crate::cli::calls::Calls;
use crate::cli::output::say;
use crate::cli::shell::ServiceArgs;
use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

#[derive(Args)]
pub struct Export {
    /// Print JSON, which is YAML too.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// What the service has, as far as it was read.
#[derive(Default)]
struct Read {
    /// By id.
    names: HashMap<String, Value>,
    variables: Variables,
}

pub async fn run(arguments: &Export) -> Result<()> {
    let calls = arguments.service.calls()?;
    let contract = api::contract().map_err(|error| anyhow!(error.detail))?;
    let (mut file, mut read) = (Object::new(), Read::default());
    for kind in &KINDS {
        let listed = calls.list(&kind.path(), &[]).await?;
        refuse_twins(kind, &listed)?;
        let mut items = Vec::new();
        for listed in listed {
            let Some(id) = listed["id"].as_str() else { continue };
            read.names.insert(id.to_owned(), listed["name"].clone());
            items.push(item(&calls, kind, contract.schemas(), id, &mut read).await?);
        }
        file.insert(kind.name.to_owned(), Value::Array(items));
    }
    let file = Value::Object(file);
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&file)?),
        false => say(yaml_serde::to_string(&file)?.trim_end()),
    }
    Ok(())
}

/// In a file things are found by their names.
fn refuse_twins(kind: &Kind, listed: &[Value]) -> Result<()> {
    let mut names = HashSet::new();
    match listed.iter().filter_map(|item| item["name"].as_str()).find(|name| !names.insert(*name)) {
        Some(twin) => bail!(several(kind.name, twin)),
        None => Ok(()),
    }
}

async fn item(calls: &Calls, kind: &Kind, schemas: &Schemas, id: &str, read: &mut Read) -> Result<Value> {
    let answer = calls.get(&format!("{}/{id}", kind.path())).await?;
    let mut fields = kind.writable(schemas, &answer);
    for (field, of_api, _) in kind.references {
        if let Some(id) = fields.remove(*of_api)
            && let Some(name) = id.as_str().and_then(|id| read.names.get(id))
        {
            fields.insert((*field).to_owned(), name.clone());
        }
    }
    let name = answer["name"].as_str().unwrap_or_default();
    (kind.refer_to_secrets)(&mut fields, &mut |what| read.variables.reference(name, what));
    Ok(Value::Object(fields))
}
