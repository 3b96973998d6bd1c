//! Values that are now empty and that an import cannot clear: under «empty values: ignore» Assets keeps the old ones.
//! Source: docs/assets.md, «Missing objects and empty values».

use crate::codes::WarningCode;
use crate::destination::EmptyValues;
use crate::directory::ObjectType;
use crate::run_state::RunWarning;
use crate::runs::run::Run;
use std::collections::BTreeMap;

/// Objects that are named for one attribute; the changes of the run have them all.
const NAMED: usize = 3;

fn has_api(run: &Run) -> bool {
    run.job.destination.as_ref().is_some_and(|to| to.api.is_some())
}

/// By type and attribute.
#[derive(Default)]
pub(super) struct NotCleared(BTreeMap<(ObjectType, String), Found>);

#[derive(Default)]
struct Found {
    number: u64,
    /// Labels of the first.
    names: Vec<String>,
}

impl NotCleared {
    /// Counts what is empty in `after` and was not in `before`.
    pub fn count(&mut self, run: &Run, object_type: ObjectType, before: &str, after: &str, label: &str) {
        if run.job.destination.as_ref().is_none_or(|to| to.empty_values == EmptyValues::Remove) {
            return;
        }
        let has_api = has_api(run);
        for cleared in run.job.mapping.cleared(object_type, before, after) {
            run.progress.count(object_type.as_str(), |count| match has_api {
                true => count.cleared += 1,
                false => count.not_cleared += 1,
            });
            let found = self.0.entry((object_type, cleared.name)).or_default();
            found.number += 1;
            if found.names.len() < NAMED {
                found.names.push(format!("«{label}»"));
            }
        }
    }

    /// One warning for each attribute.
    pub fn warn(&self, run: &Run) {
        let has_api = has_api(run);
        for ((object_type, attribute), Found { number, names }) in &self.0 {
            let whose = match (*number, &names[..]) {
                (1, [name]) => format!("{} {name}", object_type.spec().singular),
                (_, [names @ .., last]) if *number as usize <= NAMED => {
                    format!("the {object_type} {} and {last}", names.join(", "))
                }
                _ => format!("{number} {object_type}, among them {},", names.join(", ")),
            };
            let (detail, advice) = match has_api {
                true => (
                    format!(
                        "{attribute} of {whose} became empty. The import keeps the old value; the object API clears it."
                    ),
                    "Nothing, unless the run also warns of object_api_failed. Imports clear such values themselves once \
                     «Empty values» of the object type mapping in Assets is Remove and emptyValues of the destination is \
                     remove.",
                ),
                false => (
                    format!(
                        "{attribute} of {whose} became empty; Assets keeps the old value, unless it is set otherwise there."
                    ),
                    "In Assets, set «Empty values» of this object type mapping to Remove, and emptyValues of the \
                     destination to remove; or give the destination `api`, so that values are cleared one by one.",
                ),
            };
            run.progress.warn(RunWarning::new(WarningCode::NotCleared, detail).with_count(*number).with_advice(advice));
        }
    }
}
