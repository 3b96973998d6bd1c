//! `apply`: makes a service what a file says. First a plan is made and checked as a whole; then it is shown and carried
//! out.

use super::file::{Item, Settings};
use super::kind::{KINDS, Kind};
use super::{Object, plan, secret};
use crate::api;
use crate::api::contract::Contract;
use crate::api::credentials;
use crate::cli::calls::{Calls, Refused};
use crate::cli::output::say;
use crate::cli::shell::ServiceArgs;
use crate::error::Faults;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use uuid::Uuid;

/// The characters of a client secret that the API shows.
const HINT_CHARACTERS: usize = 3;

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

/// What happens to one thing.
struct Step<'f> {
    action: Action,
    kind: &'static Kind,
    name: String,
    /// Where the file has it; `None`: it does not have it.
    item: Option<&'f Item>,
    /// The id, if it exists.
    id: Option<String>,
    /// What is sent. References to what does not exist yet are filled in later.
    body: Object,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Change,
    Keep,
    Delete,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Keep => "=",
            Self::Delete => "-",
        }
    }
}

/// The ids of what exists, by kind and name.
type Ids = HashMap<(&'static str, String), String>;

pub async fn run(arguments: &Apply) -> Result<()> {
    let settings = Settings::read(&arguments.file)?;
    let calls = arguments.service.calls()?;
    let contract = api::contract().map_err(|error| anyhow!(error.detail))?;
    let mut ids = existing(&calls).await?;
    let steps = make_plan(arguments, &settings, &calls, &contract, &ids).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&steps.iter().map(as_json).collect::<Vec<_>>())?),
        false => steps.iter().for_each(|step| say(&in_words(step))),
    }
    if arguments.dry_run {
        return Ok(());
    }
    for step in &steps {
        carry_out(&calls, step, &mut ids).await.map_err(|error| with_place(error, &settings, step))?;
    }
    Ok(())
}

async fn existing(calls: &Calls) -> Result<Ids> {
    let mut ids = Ids::new();
    for kind in &KINDS {
        for item in calls.list(&kind.path(), &[]).await? {
            if let (Some(name), Some(id)) = (item["name"].as_str(), item["id"].as_str()) {
                ids.insert((kind.name, name.to_owned()), id.to_owned());
            }
        }
    }
    Ok(ids)
}

/// Every step, or every fault of the file.
async fn make_plan<'f>(
    arguments: &Apply,
    settings: &'f Settings,
    calls: &Calls,
    contract: &Contract,
    ids: &Ids,
) -> Result<Vec<Step<'f>>> {
    let (mut steps, mut wrong) = (Vec::new(), Vec::new());
    for item in &settings.items {
        let id = ids.get(&(item.kind.name, item.name.clone())).cloned();
        let step = match refer(item, settings, ids) {
            Ok(wanted) => match &id {
                Some(id) => {
                    let current = calls.get(&format!("{}/{id}", item.kind.path())).await?;
                    change(arguments, settings, item, wanted, &current, contract)
                }
                None => create(settings, item, wanted, contract),
            },
            Err(why) => Err(vec![why]),
        };
        match step {
            Ok((action, body)) => {
                steps.push(Step { action, kind: item.kind, name: item.name.clone(), item: Some(item), id, body });
            }
            Err(faults) => wrong.extend(faults.iter().map(|fault| format!("{}: {fault}", settings.place(item)))),
        }
    }
    if !wrong.is_empty() {
        bail!("nothing was changed:\n  {}", wrong.join("\n  "));
    }
    if arguments.prune {
        steps.extend(deletions(settings, ids));
    }
    Ok(steps)
}

/// The fields of an item with ids in place of names. What the file has and the service does not has no id yet.
fn refer(item: &Item, settings: &Settings, ids: &Ids) -> Result<Object, String> {
    let mut wanted = item.fields.clone();
    for (field, of_api, kind) in item.kind.references {
        let Some(value) = wanted.remove(*field) else { continue };
        let id = match &value {
            Value::Null => Value::Null,
            Value::String(name) => {
                let is_in_file = || settings.items.iter().any(|other| other.kind.name == *kind && other.name == *name);
                match ids.get(&(*kind, name.clone())) {
                    Some(id) => json!(id),
                    None if is_in_file() => json!(Uuid::nil()),
                    None => return Err(format!("/{field}: neither the file nor the service has «{name}» in {kind}")),
                }
            }
            _ => return Err(format!("/{field}: must be the name of what it refers to")),
        };
        wanted.insert((*of_api).to_owned(), id);
    }
    Ok(wanted)
}

type Planned = Result<(Action, Object), Vec<String>>;

fn create(settings: &Settings, item: &Item, wanted: Object, contract: &Contract) -> Planned {
    let mut body = Value::Object(wanted);
    resolve_secrets(settings, item.kind, &mut body)?;
    let mut faults = Faults::default();
    if item.kind.name == "connections" {
        credentials::prepare(&mut body, &mut faults);
    }
    contract.check(item.kind.schema, &body, &mut faults);
    no_faults(faults)?;
    let Value::Object(body) = body else { return Err(vec!["must have fields".to_owned()]) };
    Ok((Action::Create, body))
}

fn change(
    arguments: &Apply,
    settings: &Settings,
    item: &Item,
    wanted: Object,
    current: &Value,
    contract: &Contract,
) -> Planned {
    let mut full = Value::Object(wanted);
    if item.kind.name == "connections" {
        // Its faults are those of the check below.
        credentials::prepare(&mut full, &mut Faults::default());
    }
    let mut comparable = full.clone();
    for pointer in item.kind.secrets {
        remove(&mut comparable, pointer);
    }
    let empty = Object::new();
    let of_service = item.kind.writable(contract.document(), current);
    let wanted = comparable.as_object().unwrap_or(&empty);
    let mut changes = plan::changes(wanted, &of_service, item.kind.whole);
    for pointer in item.kind.secrets {
        let field = pointer.split('/').nth(1).unwrap_or_default();
        let is_part = pointer.matches('/').count() > 1;
        let is_due = arguments.secrets
            || is_part && changes.contains_key(field)
            || is_another(settings, current, &full, pointer);
        if is_due && full.pointer(pointer).is_some() {
            changes.insert(field.to_owned(), full[field].clone());
        }
    }
    if changes.is_empty() {
        return Ok((Action::Keep, changes));
    }
    let mut body = Value::Object(changes);
    resolve_secrets(settings, item.kind, &mut body)?;
    let mut faults = Faults::default();
    contract.check_form(&item.kind.schema.replacen("Create", "Update", 1), &body, "", &mut faults);
    no_faults(faults)?;
    let Value::Object(body) = body else { return Err(vec!["must have fields".to_owned()]) };
    Ok((Action::Change, body))
}

/// Whether a client secret is another than the stored one, as far as its beginning tells. One that is not set here is
/// taken for the same.
fn is_another(settings: &Settings, current: &Value, full: &Value, pointer: &str) -> bool {
    let (Some(hint), Some(reference)) = (current["credential"]["hint"].as_str(), full.pointer(pointer)) else {
        return false;
    };
    let begins = |secret: &str| secret.chars().take(HINT_CHARACTERS).collect::<String>() == hint;
    pointer == "/credential/secret"
        && secret::resolve(reference, settings.folder()).is_ok_and(|secret| !begins(&secret))
}

fn resolve_secrets(settings: &Settings, kind: &Kind, body: &mut Value) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    for pointer in kind.secrets {
        let Some(place) = body.pointer_mut(pointer) else { continue };
        match secret::resolve(place, settings.folder()) {
            Ok(found) => *place = Value::String(found),
            Err(why) => wrong.push(format!("{pointer}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(fields) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.remove(name);
    }
}

fn no_faults(faults: Faults) -> Result<(), Vec<String>> {
    let said = |error: crate::error::Error| -> Vec<String> {
        error.faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect()
    };
    faults.into_result().map_err(said)
}

/// What refers to others goes first.
fn deletions<'f>(settings: &Settings, ids: &Ids) -> Vec<Step<'f>> {
    let mut steps = Vec::new();
    for kind in KINDS.iter().rev().filter(|kind| settings.kinds.contains(kind.name)) {
        let is_kept = |name: &str| settings.items.iter().any(|item| item.kind.name == kind.name && item.name == name);
        let gone = ids.iter().filter(|((of, name), _)| *of == kind.name && !is_kept(name));
        let mut gone: Vec<(&String, &String)> = gone.map(|((_, name), id)| (name, id)).collect();
        gone.sort();
        steps.extend(gone.into_iter().map(|(name, id)| Step {
            action: Action::Delete,
            kind,
            name: name.clone(),
            item: None,
            id: Some(id.clone()),
            body: Object::new(),
        }));
    }
    steps
}

async fn carry_out(calls: &Calls, step: &Step<'_>, ids: &mut Ids) -> Result<()> {
    let path = step.kind.path();
    let mut body = step.body.clone();
    for (field, of_api, kind) in step.kind.references {
        let name = step.item.and_then(|item| item.fields.get(*field)).and_then(Value::as_str);
        if let (Some(name), true) = (name, body.contains_key(*of_api)) {
            let id = ids.get(&(*kind, name.to_owned())).with_context(|| format!("«{name}» was not created"))?;
            body.insert((*of_api).to_owned(), json!(id));
        }
    }
    let body = Value::Object(body);
    match (step.action, &step.id) {
        (Action::Create, _) => {
            let id = calls.create(&path, &body).await?;
            ids.insert((step.kind.name, step.name.clone()), id);
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
