//! References by a value instead of an id: an object refers to the object of another type that has the same value. An enterprise
//! application and its registration have the same `appId`.

use super::targets::Targets;
use crate::db::mirror::StoredAs;
use crate::db::mirror::read::{self, Source};
use crate::directory::{Link, ObjectType, Properties};
use crate::error::{Error, Result};
use crate::run_state::RunMode;
use crate::runs::collect::collected::Collected;
use crate::runs::run::Run;
use futures_util::StreamExt;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// For each of a type's links of this kind, the possible targets by their value.
#[derive(Default)]
pub(super) struct SameValues(Vec<(Link, HashMap<Uuid, Uuid>)>);

impl SameValues {
    pub(super) async fn load(run: &Run, collected: &Collected, object_type: ObjectType) -> Result<Self> {
        let mut all = Vec::new();
        for link in run.job.mapping.links(object_type) {
            if let Link::Same { target, theirs, .. } = link {
                all.push((link, by_value(run, collected, target, theirs).await?));
            }
        }
        Ok(Self(all))
    }

    /// The object that one with these properties refers to, if it is delivered.
    pub(super) fn of(&self, link: Link, properties: &Properties, targets: &Targets) -> Vec<Uuid> {
        self.find(link, properties).filter(|id| targets.has(link.target(), *id)).into_iter().collect()
    }

    /// The object that one with these properties refers to, delivered or not.
    pub(super) fn find(&self, link: Link, properties: &Properties) -> Option<Uuid> {
        let Link::Same { property, .. } = link else { return None };
        let known = self.0.iter().find(|(of, _)| *of == link).map(|(_, known)| known);
        known.zip(value(properties, property)).and_then(|(known, value)| known.get(&value)).copied()
    }
}

fn value(properties: &Properties, name: &str) -> Option<Uuid> {
    properties.get(name).and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok())
}

async fn by_value(
    run: &Run,
    collected: &Collected,
    target: ObjectType,
    theirs: &'static str,
) -> Result<HashMap<Uuid, Uuid>> {
    let (organization, mirror) = (run.job.organization, Source::Mirror(run.job.id));
    // A test reads only a part; the rest is as it was.
    let sources = match (collected.types.contains(&target), run.mode) {
        (false, _) => vec![mirror],
        (true, RunMode::Test) => vec![mirror, run.source()],
        (true, _) => vec![run.source()],
    };
    run.tx("values that objects are found by", async |tx| {
        let mut found = HashMap::new();
        for source in &sources {
            let mut rows = std::pin::pin!(read::data(tx, organization, *source, StoredAs::Object(target)).await?);
            while let Some(row) = rows.next().await {
                let row = row?;
                let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
                found.extend(value(&properties, theirs).map(|value| (value, row.id)));
            }
        }
        Ok(found)
    })
    .await
}
