//! Names that rows of objects have in place of their type.

/// In place of an object type: the object is gone, and its data is the reason. They stay until the run ends,
/// for the diff.
pub const GONE_PREFIX: [&str; 3] = ["gone:users", "gone:groups", "gone:devices"];

/// In place of an object type: stubs of objects outside the scope, to which objects in scope refer.
const STUBS: [(&str, &str); 2] = [("users", "stub:users"), ("groups", "stub:groups")];

/// How stubs of a type are stored; `None` for a type that has none.
pub fn stubs_of(object_type: &str) -> Option<&'static str> {
    STUBS.iter().find(|(name, _)| *name == object_type).map(|(_, stubs)| *stubs)
}

/// Whether objects are stored under this name as stubs.
pub fn is_stub(stored_as: &str) -> bool {
    STUBS.iter().any(|(_, stubs)| *stubs == stored_as)
}
