//! Values that Graph did not return and that cannot be gone: those that are never null, and lists that nearly all objects
//! lost at once. Staged objects get them back from the mirror, and the run says so.

use crate::codes::WarningCode;
use crate::db::Transaction;
use crate::db::mirror::StagedObject;
use crate::db::mirror::implausible;
use crate::directory::{ObjectType, Properties};
use crate::error::Error;
use crate::run_state::RunWarning;
use crate::runs::run::Run;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Objects that are restored together.
const TOGETHER: i64 = 1_000;

/// By property, how many objects came without it and keep it.
pub(super) type Kept = BTreeMap<String, u64>;

/// Gives staged objects the values back that they cannot have lost. Callers have fenced.
pub(super) async fn restore(
    tx: &mut Transaction,
    run: &Run,
    object_type: ObjectType,
    emptied: &[(ObjectType, &'static str)],
) -> crate::error::Result<Kept> {
    let selected = run.job.mapping.select(object_type);
    let lists = emptied.iter().filter(|(of, _)| *of == object_type).map(|(_, name)| *name);
    let names: Vec<&str> =
        object_type.spec().never_null.iter().copied().chain(lists).filter(|name| selected.contains(name)).collect();
    let (mut kept, mut after) = (Kept::new(), None);
    loop {
        let rows =
            implausible::lost_values(tx, &run.lease, run.job.id, object_type.as_str(), &names, after, TOGETHER).await?;
        let Some(last) = rows.last() else { return Ok(kept) };
        after = Some(last.id);
        let mut objects = Vec::with_capacity(rows.len());
        for row in rows {
            let mut staged: Properties = serde_json::from_str(&row.staged).map_err(Error::internal)?;
            let known: HashMap<String, Value> = serde_json::from_str(&row.known).map_err(Error::internal)?;
            for name in &names {
                if let Some(value) = known.get(*name).filter(|value| !is_empty(value))
                    && staged.get(*name).is_none_or(is_empty)
                {
                    staged.insert((*name).to_owned(), value.clone());
                    *kept.entry((*name).to_owned()).or_default() += 1;
                }
            }
            objects.push(StagedObject::new(object_type, row.id, staged));
        }
        implausible::restage(tx, &run.lease, objects).await?;
    }
}

fn is_empty(value: &Value) -> bool {
    value == "" || value.as_array().is_some_and(Vec::is_empty)
}

/// Says which values were kept.
pub(super) fn warn(run: &Run, object_type: ObjectType, kept: &Kept) {
    for (name, number) in kept {
        let detail =
            format!("Graph returned no `{name}` for {number} {object_type} that had one. The values last known stay.");
        run.progress.degrade(RunWarning::new(WarningCode::ImplausibleValues, detail).with_count(*number));
    }
}
