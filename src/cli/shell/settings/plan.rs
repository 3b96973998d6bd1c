//! The plan of `apply`: what happens to each thing, or every fault of the file.

use super::changes::changes;
use super::existing::{Existing, several};
use super::file::{Item, Settings};
use super::kind::{KINDS, Kind};
use super::{Object, secret};
use crate::api::contract::Contract;
use crate::cli::calls::Calls;
use crate::error::Faults;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

/// The characters of a client secret that the API shows.
const HINT_CHARACTERS: usize = 3;

/// What happens to one thing.
pub(super) struct Step<'f> {
    pub(super) action: Action,
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    /// Where the file has it; `None`: it does not have it.
    pub(super) item: Option<&'f Item>,
    /// The id, if it exists.
    pub(super) id: Option<String>,
    /// What is sent. References to what does not exist yet are filled in later.
    pub(super) body: Object,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Keep,
    Delete,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Keep => "keep",
            Self::Delete => "delete",
        }
    }

    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Keep => "=",
            Self::Delete => "-",
        }
    }
}

/// What a plan is made of.
pub(super) struct Plan<'f, 's> {
    pub(super) settings: &'f Settings,
    pub(super) existing: &'s Existing,
    pub(super) contract: &'s Contract,
    /// Whether every secret is sent again.
    pub(super) sends_secrets: bool,
    /// Whether what the file does not have is deleted.
    pub(super) prunes: bool,
}

type Planned = Result<(Action, Object), Vec<String>>;

impl<'f> Plan<'f, '_> {
    /// Every step, or every fault of the file.
    pub(super) async fn steps(&self, calls: &Calls) -> Result<Vec<Step<'f>>> {
        let (mut steps, mut wrong) = (Vec::new(), Vec::new());
        for item in &self.settings.items {
            match self.step(calls, item).await? {
                Ok(step) => steps.push(step),
                Err(faults) => {
                    wrong.extend(faults.iter().map(|fault| format!("{}: {fault}", self.settings.place(item))));
                }
            }
        }
        if self.prunes {
            match self.deletions() {
                Ok(deletions) => steps.extend(deletions),
                Err(why) => wrong.push(format!("--prune: {why}")),
            }
        }
        if !wrong.is_empty() {
            bail!("nothing was changed:\n  {}", wrong.join("\n  "));
        }
        Ok(steps)
    }

    /// What happens to one item, or its faults.
    async fn step(&self, calls: &Calls, item: &'f Item) -> Result<Result<Step<'f>, Vec<String>>> {
        let (id, wanted) = match (self.existing.find(item.kind.name, &item.name), self.refer(item)) {
            (Ok(id), Ok(wanted)) => (id.map(str::to_owned), wanted),
            (id, wanted) => return Ok(Err(id.err().into_iter().chain(wanted.err().into_iter().flatten()).collect())),
        };
        let planned = match &id {
            Some(id) => {
                let current = calls.get(&format!("{}/{id}", item.kind.path())).await?;
                self.change(item, wanted, &current)
            }
            None => self.create(item, wanted),
        };
        let step =
            |(action, body)| Step { action, kind: item.kind, name: item.name.clone(), item: Some(item), id, body };
        Ok(planned.map(step))
    }

    /// The fields of an item with ids in place of names. What the file has and the service does not has no id yet.
    fn refer(&self, item: &Item) -> Result<Object, Vec<String>> {
        let (mut wanted, mut wrong) = (item.fields.clone(), Vec::new());
        for (field, of_api, kind) in item.kind.references {
            let Some(value) = wanted.remove(*field) else { continue };
            match self.refer_to(kind, &value) {
                Ok(id) => drop(wanted.insert((*of_api).to_owned(), id)),
                Err(why) => wrong.push(format!("/{field}: {why}")),
            }
        }
        if wrong.is_empty() { Ok(wanted) } else { Err(wrong) }
    }

    fn refer_to(&self, kind: &str, value: &Value) -> Result<Value, String> {
        let name = match value {
            Value::Null => return Ok(Value::Null),
            Value::String(name) => name,
            _ => return Err("must be the name of what it refers to".to_owned()),
        };
        let is_in_file = || self.settings.items.iter().any(|other| other.kind.name == kind && other.name == *name);
        match self.existing.find(kind, name)? {
            Some(id) => Ok(json!(id)),
            None if is_in_file() => Ok(json!(Uuid::nil())),
            None => Err(format!("neither the file nor the service has «{name}» in {kind}")),
        }
    }

    fn create(&self, item: &Item, wanted: Object) -> Planned {
        let mut body = Value::Object(wanted);
        resolve_secrets(self.settings, item.kind, &mut body)?;
        let mut faults = Faults::default();
        (item.kind.prepare)(&mut body, &mut faults);
        self.contract.check(item.kind.schema, &body, &mut faults);
        no_faults(faults)?;
        let Value::Object(body) = body else { return Err(vec!["must have fields".to_owned()]) };
        Ok((Action::Create, body))
    }

    fn change(&self, item: &Item, mut wanted: Object, current: &Value) -> Planned {
        wanted.retain(|field, value| !item.kind.says_nothing_yet(field, value));
        let mut full = Value::Object(wanted);
        // Its faults are those of the check below.
        (item.kind.prepare)(&mut full, &mut Faults::default());
        let mut comparable = full.clone();
        for pointer in item.kind.secrets {
            remove(&mut comparable, pointer);
        }
        let empty = Object::new();
        let (schemas, wanted) = (self.contract.schemas(), comparable.as_object().unwrap_or(&empty));
        let mut changes = changes(item.kind, schemas, wanted, &item.kind.writable(schemas, current));
        for pointer in item.kind.secrets {
            let field = pointer.split('/').nth(1).unwrap_or_default();
            let is_part = pointer.matches('/').count() > 1;
            let is_due = self.sends_secrets
                || is_part && changes.contains_key(field)
                || is_another(self.settings, current, &full, pointer);
            if is_due && full.pointer(pointer).is_some() {
                changes.insert(field.to_owned(), full[field].clone());
            }
        }
        if changes.is_empty() {
            return Ok((Action::Keep, changes));
        }
        let mut body = Value::Object(changes);
        resolve_secrets(self.settings, item.kind, &mut body)?;
        let mut faults = Faults::default();
        self.contract.check_form(&item.kind.schema.replacen("Create", "Update", 1), &body, "", &mut faults);
        no_faults(faults)?;
        let Value::Object(body) = body else { return Err(vec!["must have fields".to_owned()]) };
        Ok((Action::Change, body))
    }

    /// What the file does not have, of the kinds that it has. What refers to others goes first.
    fn deletions(&self) -> Result<Vec<Step<'f>>, String> {
        let mut steps = Vec::new();
        for kind in KINDS.iter().rev().filter(|kind| self.settings.kinds.contains(kind.name)) {
            for (name, ids) in self.existing.names(kind) {
                let [id] = ids else { return Err(several(kind.name, name)) };
                if self.settings.items.iter().any(|item| item.kind.name == kind.name && item.name == name) {
                    continue;
                }
                let (action, body) = (Action::Delete, Object::new());
                steps.push(Step { action, kind, name: name.to_owned(), item: None, id: Some(id.clone()), body });
            }
        }
        Ok(steps)
    }
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
