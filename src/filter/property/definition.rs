//! A property that a filter names.

use crate::directory::filterable::Property;

/// A property found by name, with the name as Graph spells it.
#[derive(Clone, Debug)]
pub struct Found {
    pub name: String,
    pub property: &'static Property,
}
