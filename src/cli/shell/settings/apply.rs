//! `apply`: makes a service what a file says. First a plan is made and checked as a whole; then it is shown and carried
//! out.

use super::existing::Existing;
use super::file::Settings;
use super::plan::{Action, Plan, Step};
use crate::api;
use crate::cli::calls::{Calls, Refused};
use crate::cli::output::say;
use crate::cli::shell::ServiceArgs;
use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Apply {
    /// File with the settings, as `export` writes it. `-`: standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only show the plan.
    #[arg(long)]
    dry_run: bool,
    /// Send every secret again. Without it, only those of new things and those whose beginning differs.
    #[arg(long)]
    secrets: bool,
    /// Delete what the file does not have, of the kinds that it has.
    #[arg(long)]
    prune: bool,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

pub async fn run(arguments: &Apply) -> Result<()> {
    let settings = Settings::read(&arguments.file)?;
    let calls = arguments.service.calls()?;
    let contract = api::contract().map_err(|error| anyhow!(error.detail))?;
    let mut existing = Existing::read(&calls).await?;
    let plan = Plan {
        settings: &settings,
        existing: &existing,
        contract: &contract,
        sends_secrets: arguments.secrets,
        prunes: arguments.prune,
    };
    let steps = plan.steps(&calls).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&steps.iter().map(as_json).collect::<Vec<_>>())?),
        false => steps.iter().for_each(|step| say(&in_words(step))),
    }
    if arguments.dry_run {
        return Ok(());
    }
    for step in &steps {
        carry_out(&calls, step, &mut existing).await.map_err(|error| with_place(error, &settings, step))?;
    }
    Ok(())
}

async fn carry_out(calls: &Calls, step: &Step<'_>, existing: &mut Existing) -> Result<()> {
    let path = step.kind.path();
    let mut body = step.body.clone();
    for (field, of_api, kind) in step.kind.references {
        let name = step.item.and_then(|item| item.fields.get(*field)).and_then(Value::as_str);
        if let (Some(name), true) = (name, body.contains_key(*of_api)) {
            let id = existing.find(kind, name).map_err(|several| anyhow!(several))?;
            body.insert((*of_api).to_owned(), json!(id.with_context(|| format!("«{name}» was not created"))?));
        }
    }
    let body = Value::Object(body);
    match (step.action, &step.id) {
        (Action::Create, _) => {
            let id = calls.create(&path, &body).await?;
            existing.add(step.kind.name, &step.name, &id);
        }
        (Action::Change, Some(id)) => {
            calls.patch(&format!("{path}/{id}"), &body).await?;
        }
        (Action::Delete, Some(id)) => {
            calls.delete(&format!("{path}/{id}")).await?;
        }
        (Action::Keep | Action::Change | Action::Delete, _) => {}
    }
    Ok(())
}

/// Where the file has what the service refused, and every fault that it named.
fn with_place(error: anyhow::Error, settings: &Settings, step: &Step<'_>) -> anyhow::Error {
    let place = match step.item {
        Some(item) => settings.place(item),
        None => format!("{} «{}»", step.kind.one, step.name),
    };
    let faults = error.downcast_ref::<Refused>().and_then(|refused| refused.problem["errors"].as_array()).cloned();
    let faults: String = faults
        .unwrap_or_default()
        .iter()
        .map(|fault| {
            let text = |name: &str| fault[name].as_str().unwrap_or_default();
            format!("\n  {place}: {}: {}", text("pointer"), text("detail"))
        })
        .collect();
    let tip = "\nWhat stands before it in the plan was carried out; run the command again after the correction.";
    anyhow!("{place}: {error:#}{faults}{tip}")
}

fn in_words(step: &Step<'_>) -> String {
    let fields: Vec<&str> = match step.action {
        Action::Change => step.body.keys().map(String::as_str).collect(),
        Action::Create | Action::Keep | Action::Delete => Vec::new(),
    };
    let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
    format!("{} {} «{}»{fields}", step.action.mark(), step.kind.one, step.name)
}

/// Without the values, which may be secrets.
fn as_json(step: &Step<'_>) -> Value {
    let fields: Vec<&String> = if step.action == Action::Change { step.body.keys().collect() } else { Vec::new() };
    json!({"action": step.action.word(), "kind": step.kind.name, "name": step.name, "id": step.id, "fields": fields})
}
