//! The pass that turns the references of an execution into links between objects, by `objectMappingIQL`
//! within the referenced type. Source: docs/assets.md, «References».

use super::aql::{Op, Operand, Query};
use super::execution::TypeResult;
use super::ingest::{EMPTY, Entry};
use super::options::{Behaviour, EmptyValues, ReferenceBehaviour};
use super::plan::{Plan, ReferencePlan};
use super::select;
use super::store::{AttributeKind, ObjectIx, Store, TypeIx};
use super::strings::Sym;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// Resolves the references of the entries that were written; `written` pairs an entry with its object.
pub(super) fn resolve(
    store: &mut Store,
    behaviour: &Behaviour,
    plan: &Plan,
    entries: &[Entry],
    written: &[(usize, ObjectIx)],
    results: &mut [TypeResult],
    now: DateTime<Utc>,
) {
    let mut finder = Finder { behaviour, indexes: HashMap::new() };
    for (entry, object) in written {
        let entry = &entries[*entry];
        let mut changed = false;
        for reference in &plan.types[entry.plan as usize].references {
            match finder.find(store, reference, entry) {
                Outcome::Absent => {}
                Outcome::Empty => {
                    if behaviour.empty_values == EmptyValues::Remove {
                        changed |= store.set(*object, reference.attribute, &[], now);
                    }
                }
                Outcome::Found(mut targets, not_found) => {
                    results[entry.plan as usize].references_not_found += not_found;
                    if let Some(most) = reference.most {
                        targets.truncate(most);
                    }
                    // A query that finds nothing gives no value, which counts as empty.
                    if !targets.is_empty() || behaviour.empty_values == EmptyValues::Remove {
                        changed |= store.set(*object, reference.attribute, &targets, now);
                    }
                }
            }
        }
        results[entry.plan as usize].references_updated += usize::from(changed);
    }
}

enum Outcome {
    /// The entry says nothing about this reference.
    Absent,
    /// The entry says that there is none.
    Empty,
    /// The objects found, and how many texts found none.
    Found(Vec<ObjectIx>, usize),
}

struct Finder<'b> {
    behaviour: &'b Behaviour,
    /// By type and attribute: which objects have a value, in lower case.
    indexes: HashMap<(TypeIx, u16), HashMap<Sym, Vec<ObjectIx>>>,
}

impl Finder<'_> {
    fn find(&mut self, store: &mut Store, reference: &ReferencePlan, entry: &Entry) -> Outcome {
        let given: Vec<(u16, Sym)> =
            reference.slots.iter().flat_map(|(_, slot)| entry.values(*slot).map(|sym| (*slot, sym))).collect();
        if given.is_empty() {
            return Outcome::Absent;
        }
        if given.iter().all(|(_, sym)| *sym == EMPTY) {
            return Outcome::Empty;
        }
        let Some(query) = &reference.query else { return Outcome::Found(Vec::new(), given.len()) };
        if let Some(found) = self.by_index(store, reference, query, &given) {
            return found;
        }
        let bound = query.bind(&|op, operand| self.render(store, reference, &given, op, operand));
        let found = select::find(store, &bound, Some(reference.target));
        let not_found = usize::from(found.is_empty());
        Outcome::Found(found, not_found)
    }

    /// What a placeholder stands for.
    fn render(
        &self,
        store: &Store,
        reference: &ReferencePlan,
        given: &[(u16, Sym)],
        op: Op,
        operand: &Operand,
    ) -> Vec<String> {
        let values = |name: &str| {
            let slot = reference.slots.iter().find(|(known, _)| known == name).map(|(_, slot)| *slot);
            let values = given.iter().filter(move |(of, sym)| Some(*of) == slot && *sym != EMPTY);
            values.map(|(_, sym)| store.strings.get(*sym)).collect::<Vec<_>>()
        };
        let arrays = self.behaviour.references == ReferenceBehaviour::Arrays;
        match operand {
            Operand::Literal(text) => vec![text.clone()],
            Operand::Nth(_, _) if !arrays => Vec::new(),
            Operand::Nth(name, 0) => values(name).into_iter().map(str::to_owned).collect(),
            Operand::Nth(name, n) => values(name).get(n - 1).map(|text| (*text).to_owned()).into_iter().collect(),
            Operand::Joined(name) => {
                let joined = values(name).join(&self.behaviour.concatenator);
                if !arrays && matches!(op, Op::In | Op::NotIn) { split(&joined) } else { vec![joined] }
            }
        }
    }

    /// The usual forms, one comparison for equality with a plain attribute, without looking at every object.
    fn by_index(
        &mut self,
        store: &mut Store,
        reference: &ReferencePlan,
        query: &Query,
        given: &[(u16, Sym)],
    ) -> Option<Outcome> {
        let Query::Compare { field, op: op @ (Op::In | Op::Equal), operands } = query else { return None };
        let attributes = store.types[reference.target].attributes.iter();
        let mut named = attributes.enumerate().filter(|(_, a)| a.name.eq_ignore_ascii_case(field));
        let (at, _) = named.find(|(_, a)| !a.system && a.kind != AttributeKind::Reference)?;
        let attribute = at as u16;
        let plain = matches!(operands.as_slice(), [Operand::Nth(_, 0)]);
        let wanted: Vec<Sym> = if plain && self.behaviour.references == ReferenceBehaviour::Arrays {
            given.iter().map(|(_, sym)| *sym).filter(|sym| *sym != EMPTY).collect()
        } else {
            let texts: Vec<String> =
                operands.iter().flat_map(|o| self.render(store, reference, given, *op, o)).collect();
            texts.iter().map(|text| store.strings.add(text)).collect()
        };
        let index = self
            .indexes
            .entry((reference.target, attribute))
            .or_insert_with(|| index(store, reference.target, attribute));
        let mut found = Vec::with_capacity(wanted.len());
        let mut not_found = usize::from(wanted.is_empty());
        for sym in wanted {
            match index.get(&store.strings.fold(sym)) {
                Some(objects) => found.extend(objects),
                None => not_found += 1,
            }
        }
        Some(Outcome::Found(found, not_found))
    }
}

fn split(joined: &str) -> Vec<String> {
    joined.split(',').map(|part| part.trim().trim_matches('"').to_owned()).filter(|part| !part.is_empty()).collect()
}

fn index(store: &mut Store, of: TypeIx, attribute: u16) -> HashMap<Sym, Vec<ObjectIx>> {
    let mut found: HashMap<Sym, Vec<ObjectIx>> = HashMap::with_capacity(store.types[of].objects.len());
    for object in store.types[of].objects.clone() {
        let values: Vec<Sym> = store.values(object, attribute).collect();
        for sym in values {
            let folded = store.strings.fold(sym);
            found.entry(folded).or_default().push(object);
        }
    }
    found
}
