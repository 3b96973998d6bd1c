//! Reads the entries of a data chunk by the plan of its execution, and keeps of them only what is mapped.

use super::json::Json;
use super::options::{Behaviour, ExtraValues, UnknownValues};
use super::plan::{Plan, Slot, TypePlan};
use super::store::{AttributeKind, Store};
use super::strings::Sym;
use super::value;
use std::borrow::Cow;

/// Stands in [`Entry::fields`] for an explicit empty value.
pub(super) const EMPTY: Sym = Sym::MAX;

/// One entry of the source, waiting for the execution to be completed.
pub(super) struct Entry {
    /// The place of its type in the plan.
    pub(super) plan: u16,
    /// Slot and value, several for several values; a slot that is not here was not in the entry.
    pub(super) fields: Vec<(u16, Sym)>,
    /// Why the entry is not taken.
    pub(super) error: Option<Box<str>>,
}

impl Entry {
    pub(super) fn values(&self, slot: u16) -> impl Iterator<Item = Sym> {
        self.fields.iter().filter(move |(of, _)| *of == slot).map(|(_, value)| *value)
    }
}

/// The number of entries that the plan finds in the data.
pub(super) fn count(plan: &Plan, data: &Json<'_>) -> usize {
    let mut found = Vec::new();
    plan.types.iter().for_each(|of| data.select(&of.selector, &mut found));
    found.len()
}

/// Appends the entries that the plan finds in the data; gives how many each type has.
pub(super) fn read(
    store: &mut Store,
    behaviour: &Behaviour,
    plan: &Plan,
    data: &Json<'_>,
    entries: &mut Vec<Entry>,
) -> Vec<usize> {
    let mut counts = Vec::with_capacity(plan.types.len());
    for (n, of) in plan.types.iter().enumerate() {
        let mut found = Vec::new();
        data.select(&of.selector, &mut found);
        counts.push(found.len());
        entries.extend(found.into_iter().map(|json| read_entry(store, behaviour, n as u16, of, json)));
    }
    counts
}

fn read_entry(store: &mut Store, behaviour: &Behaviour, n: u16, of: &TypePlan, json: &Json<'_>) -> Entry {
    let mut entry = Entry { plan: n, fields: Vec::with_capacity(of.slots.len()), error: None };
    if !json.is_object() {
        entry.error = Some("the entry is not an object".into());
        return entry;
    }
    for (at, slot) in of.slots.iter().enumerate() {
        if let Err(error) = read_slot(store, behaviour, of, (at as u16, slot), json, &mut entry.fields) {
            let name = &store.types[of.of].attributes[slot.attribute as usize].name;
            entry.error.get_or_insert_with(|| format!("Attribute {name}: the value {error}").into());
        }
    }
    entry.fields.shrink_to_fit();
    entry
}

fn locate<'t, 'a>(json: &'t Json<'a>, path: &[String]) -> Option<&'t Json<'a>> {
    path.iter().try_fold(json, |inner, key| inner.get(key))
}

fn read_slot(
    store: &mut Store,
    behaviour: &Behaviour,
    of: &TypePlan,
    (at, slot): (u16, &Slot),
    json: &Json<'_>,
    fields: &mut Vec<(u16, Sym)>,
) -> Result<(), String> {
    let mut located = slot.locators.iter().filter_map(|path| locate(json, path));
    let Some(first) = located.next() else { return Ok(()) };
    let start = fields.len();
    if let Some(second) = located.next() {
        let mut parts = Vec::new();
        for part in [first, second].into_iter().chain(located) {
            parts.extend(value::scalar(part)?);
        }
        if !parts.is_empty() {
            let joined = Cow::Owned(parts.join(&behaviour.concatenator));
            add(store, behaviour, of, (at, slot), joined, fields)?;
        }
    } else if let Json::List(items) = first {
        for item in items {
            if let Some(text) = value::scalar(item)? {
                add(store, behaviour, of, (at, slot), text, fields)?;
            }
        }
    } else if let Some(text) = value::scalar(first)? {
        add(store, behaviour, of, (at, slot), text, fields)?;
    } else {
        fields.push((at, EMPTY));
        return Ok(());
    }
    let given = fields.len() - start;
    if given == 0 {
        fields.push((at, EMPTY));
    } else if let Some(most) = slot.most.filter(|most| given > *most) {
        match behaviour.extra_values {
            ExtraValues::Drop => fields.truncate(start + most),
            ExtraValues::Error => return Err(format!("has {given} parts, the attribute takes {most}")),
        }
    }
    Ok(())
}

fn add(
    store: &mut Store,
    behaviour: &Behaviour,
    of: &TypePlan,
    (at, slot): (u16, &Slot),
    text: Cow<'_, str>,
    fields: &mut Vec<(u16, Sym)>,
) -> Result<(), String> {
    let text = value::convert(slot.kind, text)?;
    if matches!(slot.kind, AttributeKind::Status | AttributeKind::Select) {
        let known = &mut store.types[of.of].attributes[slot.attribute as usize].type_values;
        if !known.iter().any(|value| *value == text) {
            match behaviour.unknown_values {
                UnknownValues::Ignore => return Ok(()),
                UnknownValues::Add => known.push(text.clone().into_owned()),
            }
        }
    }
    fields.push((at, store.strings.add(&text)));
    Ok(())
}
