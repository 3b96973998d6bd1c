//! The values by which objects of the directory are recognised in Assets. Each takes sixteen bytes of memory.

use crate::assets::lookup::fold;
use crate::db::mirror::{StoredAs, read};
use crate::directory::{ObjectType, Properties};
use crate::error::{Error, Result};
use crate::mapping::ExistingType;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The values of one attribute.
#[derive(Default)]
pub(super) struct Values {
    all: HashSet<u128>,
    /// Those that several objects have.
    shared: HashSet<u128>,
}

/// The values of the identity, and of the property by which objects without one are matched.
#[derive(Default)]
pub(super) struct Keys {
    pub identity: Values,
    pub match_by: Values,
}

fn hash(value: &str) -> u128 {
    let digest = Sha256::digest(fold(value).as_bytes());
    digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

impl Values {
    fn add(&mut self, value: &str) {
        let hash = hash(value);
        if !self.all.insert(hash) {
            self.shared.insert(hash);
        }
    }

    pub fn has(&self, value: &str) -> bool {
        self.all.contains(&hash(value))
    }

    /// Whether several objects of the directory have it.
    pub fn is_shared(&self, value: &str) -> bool {
        self.shared.contains(&hash(value))
    }
}

impl Keys {
    /// The values of everything that was seen of a type, with its stubs.
    pub(super) async fn load(run: &Run, object_type: ObjectType, existing: &ExistingType) -> Result<Self, Stop> {
        let (organization, source) = (run.job.organization, run.source());
        let keys = run.tx("identities", async move |tx| {
            let mut keys = Self::default();
            for stored_as in StoredAs::all_of(object_type) {
                let mut rows = std::pin::pin!(read::data(tx, organization, source, stored_as).await?);
                while let Some(row) = rows.next().await {
                    let row = row?;
                    let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
                    let value = |key: &str| run.job.mapping.value(object_type, key, row.id, &properties);
                    if let Some(value) = value(&existing.identity) {
                        keys.identity.add(&value);
                    }
                    if let Some(value) = existing.match_by.as_deref().and_then(value) {
                        keys.match_by.add(&value);
                    }
                }
            }
            Ok(keys)
        });
        let keys: Result<Self> = keys.await;
        Ok(keys?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_in_case_are_the_same() {
        let mut values = Values::default();
        values.add("Ada@contoso.example");
        assert!(values.has(" ada@CONTOSO.example") && !values.is_shared("ada@contoso.example"));
        values.add("ADA@contoso.example");
        assert!(values.is_shared("ada@contoso.example") && !values.has("bob@contoso.example"));
    }
}
