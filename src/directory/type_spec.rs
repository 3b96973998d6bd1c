//! What there is to know of one object type, as data: a file of [`super::types`] declares each.

use super::attribute::Attribute;
use super::filterable::Filterable;
use super::object_type::ObjectType;
use super::properties::{Properties, flag};
use crate::permission::Capability;
use uuid::Uuid;

/// One object type. What users and groups alone have (managers, memberships, scopes) is in the code that reads them.
#[derive(Debug)]
pub struct TypeSpec {
    pub object_type: ObjectType,
    /// One and several of them, in messages.
    pub singular: &'static str,
    pub plural: &'static str,
    /// Its part of the external ids in Assets. It never changes.
    pub external_id: &'static str,
    /// The name of the object type in Assets, unless a job renames it.
    pub type_name: &'static str,
    /// What people call such an object type in Assets, beside our name; in lower case.
    pub names: &'static [&'static str],
    /// The description of the object type in Assets.
    pub description: &'static str,
    /// Whether a job imports it without saying so.
    pub is_default: bool,
    /// Its place in the order of sending: what others refer to comes first.
    pub rank: u8,
    /// Whether objects outside a scope can be kept as stubs.
    pub has_stubs: bool,
    /// What has to be granted so that it can be read.
    pub capability: Capability,
    /// A small request that works if it can be read.
    pub probe: &'static str,
    pub collection: Collection,
    /// What Graph can filter its list by; none, if it takes no conditions.
    pub filter: Option<&'static Filterable>,
    /// What is not in the properties of an object.
    pub relations: &'static [Relation],
    /// The properties of which the first that has a text is the object's label.
    pub label: &'static [&'static str],
    /// Whether the name of the product with the object's id comes before that.
    pub is_product: bool,
    pub disabled: Disabled,
    /// The properties that are never null, and never an empty text. When Graph sends one of them as null, it does not say
    /// that it was cleared.
    pub never_null: &'static [&'static str],
    /// What may be null for all objects because a further permission is missing.
    pub hidden: Option<Hidden>,
    pub attributes: &'static [Attribute],
    /// Whether applications can add properties to it, as directory extensions.
    pub has_extensions: bool,
    /// The list of deleted objects that can still be restored.
    pub recycle_bin: Option<&'static str>,
}

/// Where Graph lists the objects.
#[derive(Debug)]
pub struct Collection {
    pub path: &'static str,
    /// Objects per page; none, if the list has no pages and takes no `$top`.
    pub page: Option<u32>,
    pub by_id: ById,
    pub item: Item,
}

/// How single objects are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ById {
    /// Several at once, by `id in (…)`.
    Filter,
    /// One by one below the list, by this property of the object as it was read before.
    OneByOne(&'static str),
    /// Not at all: the list comes in one answer, so it leaves nothing out.
    Never,
}

/// What an item of the list is.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// An object with a GUID.
    Object,
    /// An object; its GUID is made of the id of the item.
    Named(fn(&str) -> Option<Uuid>),
    /// It has objects within it.
    Parts {
        /// What has to be asked for.
        select: &'static [&'static str],
        /// A list of the item that comes by `$expand` only.
        expand: Option<Expanded>,
        of: fn(&Properties) -> Vec<(Uuid, Properties)>,
    },
    /// Nothing: the objects are the distinct values that users have in a property ([`super::UserValues`]).
    Values,
}

/// A list within an item. Where the list of items does not expand it, a list for each item has the same.
#[derive(Clone, Copy, Debug)]
pub struct Expanded {
    pub property: &'static str,
    /// `{id}` stands for the id of the item.
    pub path: &'static str,
    /// Whether a part that was made of the item comes from this list.
    pub holds: fn(&Properties) -> bool,
}

/// Objects that an object is related with.
#[derive(Debug)]
pub struct Relation {
    pub name: &'static str,
    /// Where their ids are kept among the properties.
    pub property: &'static str,
    pub read: Reading,
}

/// How a relation is read.
#[derive(Clone, Copy, Debug)]
pub enum Reading {
    /// With the list, by `$expand`. What it leaves out, or a server refuses, is read by code of the type's own.
    Expand(&'static str),
    /// With the list. It gives up to [`MAX_EXPANDED`]; where there may be more, a list for the object has all.
    ExpandOrEach(&'static str, Each),
    /// A list for each object.
    Each(Each),
}

/// Related objects that `$expand` gives at most. Source: docs/graph.md, «Expand».
pub const MAX_EXPANDED: usize = 20;

/// A list for one object.
#[derive(Clone, Copy, Debug)]
pub struct Each {
    /// `{id}` stands for the id of the object.
    pub path: &'static str,
    /// The property of an item that has the id of the related object.
    pub id: &'static str,
}

impl Relation {
    /// What the list is asked to expand.
    pub const fn expand(&self) -> Option<&'static str> {
        match self.read {
            Reading::Expand(expand) | Reading::ExpandOrEach(expand, _) => Some(expand),
            Reading::Each(_) => None,
        }
    }

    pub const fn each(&self) -> Option<Each> {
        match self.read {
            Reading::ExpandOrEach(_, each) | Reading::Each(each) => Some(each),
            Reading::Expand(_) => None,
        }
    }
}

/// Properties that stay null without a permission besides that of the type.
#[derive(Debug)]
pub struct Hidden {
    pub properties: &'static [&'static str],
    pub without: Capability,
}

/// When an object is not in use.
#[derive(Debug)]
pub struct Disabled {
    /// The properties that say so.
    pub by: &'static [&'static str],
    pub when: fn(&Properties) -> bool,
}

impl Disabled {
    pub const NEVER: Self = Self { by: &[], when: |_| false };
    /// `accountEnabled` is false. Without it (Graph returns null if a permission is missing) the object counts as in use.
    pub const BY_ACCOUNT: Self =
        Self { by: &["accountEnabled"], when: |properties| flag(properties, "accountEnabled") == Some(false) };
}
