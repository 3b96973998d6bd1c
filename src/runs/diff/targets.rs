//! The possible targets of references: the objects that are delivered. Each takes sixteen bytes of memory.

use crate::db::mirror::{StoredAs, delivered, read};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::run_state::RunMode;
use crate::runs::collect::collected::Collected;
use crate::runs::run::Run;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub(super) struct Targets {
    /// Sorted ids by type.
    ids: [Ids; ObjectType::ALL.len()],
    /// Whether the memberships were read that the references of users come from.
    pub memberships: bool,
    /// Whether groups could not be read now: then it is the mirror that knows who is in them.
    pub groups_lost: bool,
}

impl Targets {
    pub(super) async fn load(run: &Run, collected: &Collected) -> Result<Self> {
        let mut ids: [Ids; ObjectType::ALL.len()] = Default::default();
        for object_type in ObjectType::ALL.into_iter().filter(|of| is_loaded(run, *of)) {
            ids[object_type.index()] = Ids::new(load_type(run, collected, object_type).await?);
        }
        let groups_lost = collected.is_lost(ObjectType::Groups);
        Ok(Self { ids, memberships: collected.memberships, groups_lost })
    }

    /// Those of the wanted objects, by type, that are delivered.
    pub(super) async fn among(
        run: &Run,
        collected: &Collected,
        wanted: BTreeMap<ObjectType, BTreeSet<Uuid>>,
    ) -> Result<Self> {
        let mut ids: [Ids; ObjectType::ALL.len()] = Default::default();
        let (organization, job) = (run.job.organization, run.job.id);
        for (object_type, wanted) in wanted {
            let wanted: Vec<Uuid> = wanted.into_iter().collect();
            let was_read = collected.types.contains(&object_type);
            let found = run.tx("some targets", async move |tx| match was_read {
                true => {
                    let names: Vec<StoredAs> = StoredAs::all_of(object_type).collect();
                    read::existing(tx, organization, job, &names, &wanted).await
                }
                false => delivered::existing(tx, organization, job, object_type, &wanted).await,
            });
            ids[object_type.index()] = Ids::new(found.await?);
        }
        let groups_lost = collected.is_lost(ObjectType::Groups);
        Ok(Self { ids, memberships: collected.memberships, groups_lost })
    }

    #[cfg(test)]
    pub(super) fn for_tests(sorted: [(ObjectType, Vec<Uuid>); 2]) -> Self {
        let mut ids: [Ids; ObjectType::ALL.len()] = Default::default();
        sorted.into_iter().for_each(|(object_type, sorted)| ids[object_type.index()] = Ids::new(sorted));
        Self { ids, memberships: true, groups_lost: false }
    }

    pub(super) fn of(&self, object_type: ObjectType) -> &Ids {
        &self.ids[object_type.index()]
    }

    pub(super) fn has(&self, object_type: ObjectType, id: Uuid) -> bool {
        self.of(object_type).place(id).is_some()
    }

    /// Those of the ids that are delivered.
    pub(super) fn only(&self, object_type: ObjectType, mut ids: Vec<Uuid>) -> Vec<Uuid> {
        ids.retain(|id| self.has(object_type, *id));
        ids
    }
}

/// Sorted ids that are found by their place. The first two bytes lead to the few among which to search.
#[derive(Default)]
pub(super) struct Ids {
    sorted: Vec<Uuid>,
    /// Where the ids with each value of the first two bytes begin; empty for a few ids, which need no help.
    starts: Vec<u32>,
}

const PREFIXES: usize = 1 << 16;
const FEW: usize = 1_000;

impl Ids {
    /// `sorted`: ascending, each once.
    fn new(sorted: Vec<Uuid>) -> Self {
        let mut starts = Vec::new();
        if sorted.len() > FEW {
            starts.resize(PREFIXES + 1, 0);
            sorted.iter().for_each(|id| starts[prefix(*id) + 1] += 1);
            (0..PREFIXES).for_each(|prefix| starts[prefix + 1] += starts[prefix]);
        }
        Self { sorted, starts }
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The place of an id among all.
    pub(super) fn place(&self, id: Uuid) -> Option<u32> {
        let (from, until) = match self.starts.get(prefix(id)..prefix(id) + 2) {
            Some(range) => (range[0] as usize, range[1] as usize),
            None => (0, self.sorted.len()),
        };
        self.sorted[from..until].binary_search(&id).ok().map(|place| (from + place) as u32)
    }

    /// The id at a place.
    pub(super) fn at(&self, place: u32) -> Uuid {
        self.sorted[place as usize]
    }
}

fn prefix(id: Uuid) -> usize {
    usize::from(u16::from_be_bytes([id.as_bytes()[0], id.as_bytes()[1]]))
}

/// Users and groups, whose places memberships need, and what others refer to.
fn is_loaded(run: &Run, object_type: ObjectType) -> bool {
    matches!(object_type, ObjectType::Users | ObjectType::Groups) || run.job.mapping.is_target(object_type)
}

async fn load_type(run: &Run, collected: &Collected, object_type: ObjectType) -> Result<Vec<Uuid>> {
    let (organization, job, source) = (run.job.organization, run.job.id, run.source());
    let is_test = run.mode == RunMode::Test;
    let was_read = collected.types.contains(&object_type);
    run.tx("targets", async move |tx| {
        let name = object_type.as_str();
        if !was_read {
            // It could not be read: what was delivered can still be referred to.
            return delivered::ids(tx, organization, job, name).await;
        }
        let mut ids = Vec::new();
        for stored_as in StoredAs::all_of(object_type) {
            ids.extend(read::ids(tx, organization, source, stored_as).await?);
        }
        if is_test {
            // It reads only a part; the rest is still there.
            ids.extend(delivered::ids(tx, organization, job, name).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_id_is_found_at_its_place_and_no_other(
            known in prop::collection::btree_set(0u128..5_000, 0..2_000), asked in 0u128..5_000, spread in 0u32..124,
        ) {
            let id = |number: u128| Uuid::from_u128(number.rotate_right(spread));
            let sorted: BTreeSet<Uuid> = known.iter().map(|number| id(*number)).collect();
            let ids = Ids::new(sorted.iter().copied().collect());
            let place = sorted.iter().position(|known| *known == id(asked)).map(|place| place as u32);
            prop_assert_eq!(ids.place(id(asked)), place);
            prop_assert!(place.is_none_or(|place| ids.at(place) == id(asked)));
        }
    }
}
