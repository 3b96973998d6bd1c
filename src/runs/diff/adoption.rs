//! What a person confirms before a run changes objects of others.

use crate::directory::ObjectType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What needs a person's word, by object type.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Adoption {
    pub types: BTreeMap<ObjectType, Adopted>,
}

/// What needs a person's word of one type.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Adopted {
    /// Objects into which the identity is written.
    pub to_write: u64,
    /// Objects that Assets may act on, because the directory does not have them. `None`: how many is not known.
    pub endangered: Option<u64>,
}

impl Adoption {
    /// Objects into which the identity is written.
    pub fn to_write(&self) -> u64 {
        self.types.values().map(|of| of.to_write).sum()
    }
}
