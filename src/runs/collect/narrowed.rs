//! What a filter's scope leaves of what was staged.

use crate::db::Transaction;
use crate::db::mirror::{self, StoredAs};
use crate::db::runs::Lease;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use crate::runs::progress::RunProgress;
use uuid::Uuid;

/// Users and groups. Sorted.
#[derive(Default)]
pub(super) struct UsersAndGroups {
    pub users: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

impl UsersAndGroups {
    /// Those of a type; `None` for one that no scope narrows.
    pub(super) fn of(&self, object_type: ObjectType) -> Option<&[Uuid]> {
        match object_type {
            ObjectType::Users => Some(&self.users),
            ObjectType::Groups => Some(&self.groups),
            _ => None,
        }
    }
}

/// What the scope leaves of what was staged. The rest is dropped in the transaction that makes it the mirror: if it were
/// dropped earlier, an attempt after a crash would decide without the memberships that were dropped.
pub(super) struct Narrowed {
    /// What is imported.
    pub kept: UsersAndGroups,
    /// What the conditions admit, and is not imported: a later read of changes decides by it.
    pub left_out: UsersAndGroups,
    /// Stubs of groups outside the scope, and what is referred to and has none.
    pub stubs: Stubs,
    /// The members of groups that are not imported are kept: a later read of changes decides by them.
    pub keeps_scope: bool,
    pub users_out_of_scope: u64,
    pub groups_out_of_scope: u64,
    pub dropped: Dropped,
}

/// What became of what is referred to and outside the scope.
#[derive(Default)]
pub(super) struct Stubs {
    /// Groups of which there is a stub. Sorted.
    pub groups: Vec<Uuid>,
    /// What has none, because it does not exist or is excluded.
    pub without: UsersAndGroups,
}

/// References to groups outside the scope that are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Dropped {
    pub of_users: u64,
    pub of_groups: u64,
}

impl Narrowed {
    /// Keeps in staging what is in scope, and the members of the groups in scope and of those that become stubs. The
    /// members of the other groups are kept only of a read that becomes the mirror. Callers have fenced.
    pub(super) async fn cut(
        &self,
        tx: &mut Transaction,
        lease: &Lease,
        job: JobId,
        becomes_mirror: bool,
    ) -> Result<()> {
        let groups: Vec<Uuid> = self.kept.groups.iter().chain(&self.stubs.groups).copied().collect();
        mirror::keep_staged(tx, lease, ObjectType::Users, &self.kept.users).await?;
        mirror::keep_staged(tx, lease, ObjectType::Groups, &self.kept.groups).await?;
        match (becomes_mirror, self.keeps_scope) {
            (true, true) => mirror::scope::store_all(tx, lease, job).await?,
            (true, false) => mirror::scope::forget(tx, lease, job).await?,
            (false, _) => {}
        }
        mirror::keep_staged_members(tx, lease, &groups).await
    }

    /// The same of changes: what the mirror has besides is marked as gone. Callers have fenced.
    pub(super) async fn cut_changes(&self, tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
        for object_type in [ObjectType::Users, ObjectType::Groups] {
            let kept = self.kept.of(object_type).unwrap_or_default();
            mirror::keep_staged(tx, lease, object_type, kept).await?;
            mirror::mark_others(tx, lease, job, object_type, kept).await?;
        }
        match self.keeps_scope {
            true => mirror::scope::store_changed(tx, lease, job).await,
            false => mirror::scope::drop_changed(tx, lease, job).await,
        }
    }

    /// Stores what a later read of changes decides by. Callers have fenced.
    pub(super) async fn store(&self, tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
        let left_out = &self.left_out;
        for object_type in [ObjectType::Users, ObjectType::Groups] {
            let (ids, without) = (left_out.of(object_type), self.stubs.without.of(object_type));
            let names = [(Some(StoredAs::Object(object_type)), ids), (StoredAs::stub(object_type), without)];
            for (stored_as, ids) in names {
                let (Some(stored_as), Some(ids)) = (stored_as, ids) else { continue };
                mirror::left_out::replace(tx, lease.organization, job, stored_as, ids).await?;
            }
        }
        Ok(())
    }

    pub(super) fn report(&self, progress: &RunProgress) {
        progress.count("users", |count| {
            count.out_of_scope += self.users_out_of_scope;
            count.dropped_references += self.dropped.of_users;
        });
        progress.count("groups", |count| {
            count.out_of_scope += self.groups_out_of_scope;
            count.dropped_references += self.dropped.of_groups;
        });
    }
}

/// What a scope of before left out decides nothing where everything is read and nothing is narrowed. Callers have fenced.
pub(super) async fn forget(tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
    mirror::scope::forget(tx, lease, job).await?;
    mirror::left_out::forget(tx, lease.organization, job).await
}
