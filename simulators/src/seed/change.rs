//! Entries of the log of changes.

use super::object::Ref;

/// One change of one object. The log is in order of time.
#[derive(Clone, Debug)]
pub struct Change {
    pub object: Ref,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    Created,
    /// These properties have new values.
    Properties(Vec<String>),
    /// The manager changed; this is the previous one.
    Manager(Option<u32>),
    MemberAdded(Ref),
    MemberRemoved(Ref),
    OwnerAdded(Ref),
    OwnerRemoved(Ref),
    /// Into the recycle bin: `@removed` with the reason `changed`.
    SoftDeleted,
    /// For good: `@removed` with the reason `deleted`.
    Purged,
    Restored,
}

/// Why a change was refused; the directory is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no such object, or it is deleted")]
    NotFound,
    #[error("it is so already")]
    NoChange,
}
