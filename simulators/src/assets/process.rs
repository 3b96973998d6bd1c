//! Processes an execution: objects first, references in a later pass over the whole execution, then
//! «Missing objects». Source: docs/assets.md, «Schema and mapping document», «References», «Missing objects and empty
//! values».

use super::execution::TypeResult;
use super::ingest::{EMPTY, Entry};
use super::options::{Behaviour, EmptyValues, MissingAction};
use super::plan::{Plan, TypePlan};
use super::references;
use super::store::{AttributeKind, ObjectIx, Store};
use super::strings::Sym;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// Applies all entries to the store; gives the counters of each type of the plan.
pub(super) fn run(
    store: &mut Store,
    behaviour: &Behaviour,
    plan: &Plan,
    entries: &[Entry],
    now: DateTime<Utc>,
) -> Vec<TypeResult> {
    let mut pass =
        Pass { store, behaviour, now, seen: Vec::new(), results: vec![TypeResult::default(); plan.types.len()] };
    let mut written: Vec<(usize, ObjectIx)> = Vec::with_capacity(entries.len());
    for (n, of) in plan.types.iter().enumerate() {
        pass.objects(n, of, entries, &mut written);
    }
    references::resolve(pass.store, behaviour, plan, entries, &written, &mut pass.results, now);
    for (n, of) in plan.types.iter().enumerate() {
        pass.missing(n, of);
    }
    pass.results
}

struct Pass<'s> {
    store: &'s mut Store,
    behaviour: &'s Behaviour,
    now: DateTime<Utc>,
    /// By the object's place: it was in this execution.
    seen: Vec<bool>,
    results: Vec<TypeResult>,
}

/// What is known of the objects of a type while its entries are applied.
struct Index {
    by_identity: HashMap<Sym, ObjectIx>,
    /// Unique attributes with the objects that hold each value.
    unique: Vec<(u16, HashMap<Sym, ObjectIx>)>,
}

impl Pass<'_> {
    fn objects(&mut self, n: usize, of: &TypePlan, entries: &[Entry], written: &mut Vec<(usize, ObjectIx)>) {
        let mut index = self.index(of);
        for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.plan as usize == n) {
            self.results[n].entries += 1;
            if let Some(object) = self.entry(n, of, entry, &mut index) {
                written.push((at, object));
            }
        }
    }

    fn index(&mut self, of: &TypePlan) -> Index {
        let store = &mut *self.store;
        let objects = store.types[of.of].objects.clone();
        let identity = identity_attributes(of);
        let mut by_identity = HashMap::with_capacity(objects.len());
        for object in &objects {
            let parts: Option<Vec<Sym>> =
                identity.iter().map(|attribute| store.values(*object, *attribute).next()).collect();
            if let Some(key) = parts.and_then(|parts| identity_key(store, &parts)) {
                by_identity.entry(key).or_insert(*object);
            }
        }
        let attributes = store.types[of.of].attributes.iter().enumerate();
        let unique: Vec<u16> = attributes.filter(|(_, a)| a.unique).map(|(at, _)| at as u16).collect();
        let holders = |attribute: u16| {
            let pairs = objects.iter().flat_map(|object| store.values(*object, attribute).map(|sym| (sym, *object)));
            (attribute, pairs.collect())
        };
        Index { by_identity, unique: unique.into_iter().map(holders).collect() }
    }

    /// Creates or updates the object of one entry. `None`: the entry was left out.
    fn entry(&mut self, n: usize, of: &TypePlan, entry: &Entry, index: &mut Index) -> Option<ObjectIx> {
        let identity = identity_attributes(of);
        let parts: Option<Vec<Sym>> = identity.iter().map(|attribute| given(of, entry, *attribute)).collect();
        let key = parts.and_then(|parts| identity_key(self.store, &parts));
        let known = key.and_then(|key| index.by_identity.get(&key).copied());
        if let Some(known) = known.filter(|_| entry.error.is_some()) {
            // An object whose entry is faulty is not missing.
            self.see(known);
        }
        if let Some(error) = &entry.error {
            self.results[n].error(error.to_string());
            return None;
        }
        if self.behaviour.reject_every.is_some_and(|every| self.results[n].entries.is_multiple_of(every)) {
            self.results[n].error("The value is rejected".to_owned());
            return None;
        }
        let Some(key) = key else {
            self.results[n].empty_external_ids += 1;
            return None;
        };
        if self.lacks_label(of, entry, known) {
            self.results[n].empty_labels += 1;
            return None;
        }
        if let Some(message) = self.conflict(of, entry, known, index) {
            self.results[n].error(message);
            return None;
        }
        let duplicate = known.is_some_and(|known| self.was_seen(known));
        let object = match known {
            Some(known) => {
                let changed = self.update(of, entry, known);
                match (duplicate, changed) {
                    (true, _) => self.results[n].duplicates += 1,
                    (false, true) => self.results[n].updated += 1,
                    (false, false) => self.results[n].identical += 1,
                }
                known
            }
            None => self.create(n, of, entry)?,
        };
        index.by_identity.insert(key, object);
        for (attribute, holders) in &mut index.unique {
            holders.extend(self.store.values(object, *attribute).map(|sym| (sym, object)));
        }
        self.see(object);
        Some(object)
    }

    fn was_seen(&self, object: ObjectIx) -> bool {
        self.seen.get(object as usize).copied().unwrap_or(false)
    }

    fn see(&mut self, object: ObjectIx) {
        let at = object as usize;
        if self.seen.len() <= at {
            self.seen.resize(at + 1, false);
        }
        self.seen[at] = true;
    }

    fn lacks_label(&self, of: &TypePlan, entry: &Entry, known: Option<ObjectIx>) -> bool {
        let Some(label) = of.label else { return false };
        let Some(slot) = of.slots.iter().position(|slot| slot.attribute == label) else { return false };
        match entry.values(slot as u16).next() {
            Some(EMPTY) => true,
            Some(_) => false,
            None => known.is_none(),
        }
    }

    /// A value of a unique attribute that another object already has.
    fn conflict(&self, of: &TypePlan, entry: &Entry, known: Option<ObjectIx>, index: &Index) -> Option<String> {
        index.unique.iter().find_map(|(attribute, holders)| {
            let sym = given(of, entry, *attribute)?;
            let holder = holders.get(&sym).filter(|holder| Some(**holder) != known)?;
            let current = self.store.values(*holder, *attribute).any(|value| value == sym);
            let name = &self.store.types[of.of].attributes[*attribute as usize].name;
            let value = self.store.strings.get(sym);
            current.then(|| format!("Attribute {name}: the value {value} must be unique"))
        })
    }

    fn create(&mut self, n: usize, of: &TypePlan, entry: &Entry) -> Option<ObjectIx> {
        if self.behaviour.max_objects.is_some_and(|most| self.store.object_count() >= most) {
            if !self.behaviour.max_objects_is_silent {
                self.results[n].error("The limit of objects is reached".to_owned());
            }
            return None;
        }
        let mut values = Vec::with_capacity(entry.fields.len());
        for (slot, sym) in &entry.fields {
            let slot = &of.slots[*slot as usize];
            if *sym != EMPTY && slot.kind != AttributeKind::Reference {
                values.push((slot.attribute, *sym));
            }
        }
        values.sort_unstable();
        values.dedup();
        let attributes = self.store.types[of.of].attributes.iter().enumerate();
        let mut needed = attributes.filter(|(_, a)| a.minimum > 0 && !a.system && a.kind != AttributeKind::Reference);
        if let Some((_, lacking)) = needed.find(|(at, _)| !values.iter().any(|(of, _)| *of as usize == *at)) {
            let message = format!("Attribute {}: a value is required", lacking.name);
            self.results[n].error(message);
            return None;
        }
        self.results[n].created += 1;
        Some(self.store.add(of.of, values, self.now))
    }

    /// Whether any value changed; references are left to their own pass.
    fn update(&mut self, of: &TypePlan, entry: &Entry, object: ObjectIx) -> bool {
        let mut touched = vec![false; self.store.types[of.of].attributes.len()];
        let mut values = Vec::with_capacity(entry.fields.len());
        for (slot, sym) in &entry.fields {
            let slot = &of.slots[*slot as usize];
            if slot.kind == AttributeKind::Reference {
                continue;
            }
            if *sym != EMPTY {
                values.push((slot.attribute, *sym));
                touched[slot.attribute as usize] = true;
            } else if self.behaviour.empty_values == EmptyValues::Remove {
                touched[slot.attribute as usize] = true;
            }
        }
        let Some(object) = self.store.get_mut(object) else { return false };
        values.extend(object.values.iter().filter(|(attribute, _)| !touched[*attribute as usize]));
        values.sort_unstable();
        values.dedup();
        let changed = values != object.values;
        if changed {
            object.values = values;
            object.updated = self.now;
        }
        changed
    }

    fn missing(&mut self, n: usize, of: &TypePlan) {
        if self.results[n].entries == 0 && !self.behaviour.absent_types_are_missing {
            return;
        }
        let objects = self.store.types[of.of].objects.clone();
        let missing = self.behaviour.missing_of(&self.store.types[of.of].name).clone();
        let mut due = Vec::new();
        for ix in objects {
            let seen = self.was_seen(ix);
            let Some(object) = self.store.get_mut(ix) else { continue };
            object.missed = if seen { 0 } else { object.missed + 1 };
            if object.missed >= missing.threshold.max(1) {
                due.push(ix);
            }
        }
        match &missing.action {
            MissingAction::Ignore => {}
            MissingAction::Remove => {
                self.store.delete(&due);
                self.results[n].missing_deleted += due.len();
            }
            MissingAction::Update { attribute, value } => {
                let Some(attribute) = self.store.types[of.of].attribute(attribute) else { return };
                let sym = self.store.strings.add(value);
                let changed = due.iter().filter(|ix| self.store.set(**ix, attribute, &[sym], self.now)).count();
                self.results[n].missing_updated += changed;
            }
        }
    }
}

/// Without any part of an external id, the label identifies.
fn identity_attributes(of: &TypePlan) -> Vec<u16> {
    if of.identity.is_empty() { of.label.into_iter().collect() } else { of.identity.clone() }
}

/// The first value that the entry gives for an attribute.
fn given(of: &TypePlan, entry: &Entry, attribute: u16) -> Option<Sym> {
    let slot = of.slots.iter().position(|slot| slot.attribute == attribute)?;
    entry.values(slot as u16).next().filter(|sym| *sym != EMPTY)
}

fn identity_key(store: &mut Store, parts: &[Sym]) -> Option<Sym> {
    match parts {
        [] => None,
        [only] => Some(*only),
        several => {
            let joined: Vec<&str> = several.iter().map(|sym| store.strings.get(*sym)).collect();
            let joined = joined.join("\u{1f}");
            Some(store.strings.add(&joined))
        }
    }
}
