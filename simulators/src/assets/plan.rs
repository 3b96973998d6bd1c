//! A mapping made ready to be applied to entries, fixed when an execution starts.

use super::aql::{self, Query};
use super::mapping::TypeMapping;
use super::store::{AttributeKind, Store, TypeIx};

/// What an execution does with its data.
pub(super) struct Plan {
    pub(super) types: Vec<TypePlan>,
}

pub(super) struct TypePlan {
    pub(super) of: TypeIx,
    pub(super) selector: Vec<String>,
    pub(super) slots: Vec<Slot>,
    pub(super) references: Vec<ReferencePlan>,
    /// The attributes that make up the identity.
    pub(super) identity: Vec<u16>,
    pub(super) label: Option<u16>,
}

/// A value that is read from each entry.
pub(super) struct Slot {
    pub(super) attribute: u16,
    pub(super) locators: Vec<Vec<String>>,
    pub(super) kind: AttributeKind,
    /// Most values; `None` without limit.
    pub(super) most: Option<usize>,
}

/// A reference attribute: its slots hold what the placeholders of the query stand for.
pub(super) struct ReferencePlan {
    pub(super) attribute: u16,
    pub(super) target: TypeIx,
    pub(super) most: Option<usize>,
    /// `None`: no `objectMappingIQL`, so nothing is ever found.
    pub(super) query: Option<Query>,
    /// Placeholder and slot.
    pub(super) slots: Vec<(String, u16)>,
}

pub(super) fn compile(store: &Store, mappings: &[TypeMapping]) -> Plan {
    Plan { types: mappings.iter().map(|mapping| compile_type(store, mapping)).collect() }
}

fn path(locator: &str) -> Vec<String> {
    locator.split('.').map(str::to_owned).collect()
}

fn compile_type(store: &Store, mapping: &TypeMapping) -> TypePlan {
    let of = &store.types[mapping.of];
    let mut plan = TypePlan {
        of: mapping.of,
        selector: path(&mapping.part.selector),
        slots: Vec::new(),
        references: Vec::new(),
        identity: Vec::new(),
        label: of.label(),
    };
    for (part, at) in mapping.part.attributes.iter().zip(&mapping.attributes) {
        let attribute = &of.attributes[*at as usize];
        let most = usize::try_from(attribute.maximum).ok();
        if part.identity {
            plan.identity.push(*at);
        }
        let Some(target) = attribute.target else {
            let locators = part.locators.iter().map(|locator| path(locator)).collect();
            plan.slots.push(Slot { attribute: *at, locators, kind: attribute.kind, most });
            continue;
        };
        let query = part.template.as_deref().and_then(|template| aql::parse(template).ok());
        let placeholders = query.as_ref().map_or_else(Vec::new, Query::placeholders);
        let mut slots = Vec::new();
        for name in placeholders {
            slots.push((name.clone(), plan.slots.len() as u16));
            plan.slots.push(Slot {
                attribute: *at,
                locators: vec![path(&name)],
                kind: AttributeKind::Reference,
                most: None,
            });
        }
        plan.references.push(ReferencePlan { attribute: *at, target, most, query, slots });
    }
    plan
}
