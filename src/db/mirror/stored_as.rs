//! Names that staged and mirrored rows can have in place of their object type.

use crate::directory::ObjectType;

/// The marker of an object that is gone; the row's data is the reason. Markers stay until the run ends, for the diff.
pub const fn gone_marker(object_type: ObjectType) -> &'static str {
    object_type.spec().gone
}

/// The name of a type's stubs: objects outside the scope to which objects in scope refer. `None` for a type without.
pub const fn stub_name(object_type: ObjectType) -> Option<&'static str> {
    object_type.spec().stub
}

/// The marker of a stub that is gone: nothing refers to the object any more, or it is in scope.
pub const fn gone_stub_marker(object_type: ObjectType) -> Option<&'static str> {
    match object_type {
        ObjectType::Users => Some("gone:stub:users"),
        ObjectType::Groups => Some("gone:stub:groups"),
        _ => None,
    }
}

/// Whether this is the name of a type's stubs.
pub fn is_stub(stored_as: &str) -> bool {
    ObjectType::ALL.into_iter().any(|object_type| stub_name(object_type) == Some(stored_as))
}
