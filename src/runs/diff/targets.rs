//! What a reference may point at: the objects that are delivered. Sixteen bytes for each.

use crate::db::mirror::{delivered, read, stubs_of};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::run_state::RunMode;
use crate::runs::collect::Collected;
use crate::runs::pipeline::Run;
use uuid::Uuid;

pub(super) struct Targets {
    /// Sorted ids by type.
    ids: [Vec<Uuid>; 4],
    /// Whether the memberships were read that the references of users come from.
    pub memberships: bool,
}

impl Targets {
    pub(super) async fn load(run: &Run, collected: &Collected) -> Result<Self> {
        let mut ids: [Vec<Uuid>; 4] = Default::default();
        for object_type in [ObjectType::Users, ObjectType::Groups, ObjectType::Licenses] {
            ids[object_type.index()] = load_type(run, collected, object_type).await?;
        }
        Ok(Self { ids, memberships: collected.memberships })
    }

    pub(super) fn has(&self, object_type: ObjectType, id: Uuid) -> bool {
        self.ids[object_type.index()].binary_search(&id).is_ok()
    }

    /// Those of the ids that are delivered.
    pub(super) fn only(&self, object_type: ObjectType, mut ids: Vec<Uuid>) -> Vec<Uuid> {
        ids.retain(|id| self.has(object_type, *id));
        ids
    }
}

async fn load_type(run: &Run, collected: &Collected, object_type: ObjectType) -> Result<Vec<Uuid>> {
    let (organization, job, source) = (run.job.organization, run.job.id, run.source());
    let is_test = run.mode == RunMode::Test;
    let was_read = collected.types.contains(&object_type);
    run.app
        .db
        .scoped(organization, async move |tx| {
            let name = object_type.as_str();
            if !was_read {
                // Frozen: what was delivered stays there to be pointed at.
                return delivered::ids(tx, organization, job, name).await;
            }
            let mut ids = read::ids(tx, organization, source, name).await?;
            if let Some(stubs) = stubs_of(name) {
                ids.extend(read::ids(tx, organization, source, stubs).await?);
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
