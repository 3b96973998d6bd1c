//! The outcome of a delivery.

use crate::assets::ExecutionStatus;
use crate::assets::wire::ObjectTypeResult;
use crate::directory::ObjectType;
use std::collections::BTreeMap;

/// What came of a delivery.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// `None`: there was nothing to send.
    pub result: Option<ExecutionStatus>,
    /// What Assets calls our object types, which people may have renamed there.
    pub names: BTreeMap<ObjectType, TypeNames>,
    /// Entries by type that were sent again because the answer to their chunk was lost.
    pub repeated: Repeated,
}

/// Entries by type that were sent more than once, as often as they were repeated.
pub type Repeated = BTreeMap<ObjectType, u64>;

/// The names of one object type in Assets.
#[derive(Clone, Debug)]
pub struct TypeNames {
    pub object_type: String,
    /// The attribute that holds the directory's id; empty if none does.
    pub identity: String,
    /// The names of the attributes by their keys.
    pub attributes: BTreeMap<String, String>,
}

impl Delivered {
    /// The counters of one object type.
    pub(in crate::runs) fn of(&self, object_type: ObjectType) -> Option<&ObjectTypeResult> {
        self.result.as_ref()?.object_type(&self.names.get(&object_type)?.object_type)
    }
}
