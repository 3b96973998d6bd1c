//! Names that a job gives, and the attributes that it names.

use crate::directory::ObjectType;

/// The most characters in the name of an attribute or object type.
const MAX_NAME_CHARACTERS: usize = 100;
/// Attributes that every object in Assets has.
pub(super) const ASSETS_OWN_NAMES: [&str; 2] = ["key", "updated"];
/// The most attributes of an object type. It bounds the number of directory extensions.
pub(super) const MAX_ATTRIBUTES: usize = 200;

pub(super) fn unknown(object_type: ObjectType, key: &str) -> String {
    format!(
        "`{key}` is not an attribute of {object_type}. GET /v1/attributes?objectType={object_type} lists them; a \
         directory extension is written extension_<32 digits of the app id>_<name>."
    )
}

/// A quotation mark or `$` in a name would break the queries that Assets looks references up with.
pub(super) fn wrong_name(name: &str) -> Option<String> {
    let length = name.trim().chars().count();
    if length == 0 || length > MAX_NAME_CHARACTERS {
        return Some(format!("A name has 1 to {MAX_NAME_CHARACTERS} characters."));
    }
    let wrong = name.chars().find(|c| breaks_queries(*c))?;
    Some(format!("A name cannot contain {wrong:?}."))
}

/// Whether a character could end a text in a query of Assets, or begin a placeholder.
pub(super) fn breaks_queries(character: char) -> bool {
    character.is_control() || matches!(character, '"' | '\\' | '$' | '{' | '}')
}
