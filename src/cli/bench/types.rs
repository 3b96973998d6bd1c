//! The object types of the measured job, and what has to be asked for so that each of them is read whole.

use crate::directory::{Each, Item, ObjectType, Relation};
use crate::mapping::{Mapping, Memberships, ReferenceTemplate, Selection};
use crate::permission::Capability;
use clap::ValueEnum;
use std::collections::BTreeSet;

/// What the job imports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Types {
    /// Users, groups and licences, as a job without further settings does.
    #[default]
    Usual,
    /// Every object type, with its default attributes.
    All,
}

/// A list that is read whole: that of any type but users and groups.
pub(super) struct List {
    pub object_type: ObjectType,
    /// The first page, below the version.
    pub path: String,
    /// Whether it comes in pages of 999.
    pub has_pages: bool,
    /// What is asked for of each object by a list of its own.
    pub each: Vec<Each>,
}

impl Types {
    /// The `objects` of the job.
    pub(super) fn selection(self) -> Selection {
        let mut selection = Selection::default();
        if self == Self::All {
            ObjectType::ALL.into_iter().for_each(|object_type| selection.of_mut(object_type).enabled = true);
        }
        selection
    }

    pub(super) fn mapping(self) -> Mapping {
        Mapping::new(&self.selection(), Memberships::default(), ReferenceTemplate::ArrayPlaceholder)
    }

    /// The least permissions that all types need.
    pub(super) fn permissions() -> BTreeSet<&'static str> {
        Capability::ALL.into_iter().flat_map(Capability::least).collect()
    }

    /// The lists of the imported types.
    pub(super) fn lists(self) -> Vec<List> {
        let mapping = self.mapping();
        let is_listed = |of: &ObjectType| {
            let is_apart = matches!(of, ObjectType::Users | ObjectType::Groups);
            !is_apart && !matches!(of.spec().collection.item, Item::Values) && mapping.is_enabled(*of)
        };
        ObjectType::ALL.into_iter().filter(is_listed).map(|object_type| list(&mapping, object_type)).collect()
    }
}

fn list(mapping: &Mapping, object_type: ObjectType) -> List {
    let collection = &object_type.spec().collection;
    let expand = match collection.item {
        Item::Parts { expand, .. } => expand.map(|expanded| expanded.property),
        _ => mapping.relations(object_type).find_map(Relation::expand),
    };
    let top = collection.page.map(|page| format!("$top={page}&")).unwrap_or_default();
    let expand = expand.map(|expand| format!("&$expand={expand}")).unwrap_or_default();
    let path = format!("{}?{top}$select={}{expand}", collection.path, mapping.select(object_type).join(","));
    // Where the list expands them, few objects have more than it shows.
    let is_apart = |relation: &&Relation| relation.expand().is_none();
    let each = mapping.relations(object_type).filter(is_apart).filter_map(Relation::each).collect();
    List { object_type, path, has_pages: collection.page.is_some(), each }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_types_are_those_of_a_job_without_settings() {
        let types: Vec<ObjectType> = Types::Usual.lists().iter().map(|list| list.object_type).collect();
        assert_eq!(types, [ObjectType::Licenses]);
        assert_eq!(Types::Usual.selection(), Selection::default());
    }

    #[test]
    fn of_all_types_each_that_graph_lists_has_a_list() {
        let lists = Types::All.lists();
        let of = |object_type| lists.iter().find(|list| list.object_type == object_type).unwrap();
        assert!(of(ObjectType::Applications).path.ends_with("&$expand=owners($select=id)"));
        assert!(of(ObjectType::AppCredentials).path.ends_with("&$expand=federatedIdentityCredentials"));
        assert_eq!(of(ObjectType::Roles).each.len(), 1);
        assert!(of(ObjectType::IntuneDevices).each.is_empty() && of(ObjectType::IntuneDevices).has_pages);
        assert!(lists.iter().all(|list| !matches!(list.object_type.spec().collection.item, Item::Values)));
        assert!(Types::permissions().contains("DeviceManagementManagedDevices.Read.All"));
    }
}
