//! What a filter's scope leaves of what was staged.

use crate::db::Transaction;
use crate::db::mirror;
use crate::db::runs::Lease;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::JobId;
use crate::runs::progress::RunProgress;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What is in scope. Sorted.
pub(super) struct InScopeIds {
    pub users: Vec<Uuid>,
    pub groups: Vec<Uuid>,
}

impl InScopeIds {
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
    pub kept: InScopeIds,
    /// Groups outside the scope for which stubs are made.
    pub others: BTreeSet<Uuid>,
    /// The members of groups that are not imported are kept: a later read of changes decides by them.
    pub keeps_scope: bool,
    pub users_out_of_scope: u64,
    pub groups_out_of_scope: u64,
    pub dropped_references: u64,
}

impl Narrowed {
    /// Keeps in staging what is in scope, and the members of the groups in scope and of those that become stubs. Callers
    /// have fenced.
    pub(super) async fn cut(&self, tx: &mut Transaction, lease: &Lease, job: JobId) -> Result<()> {
        let groups: Vec<Uuid> = self.kept.groups.iter().chain(&self.others).copied().collect();
        mirror::keep_staged(tx, lease, ObjectType::Users.as_str(), &self.kept.users).await?;
        mirror::keep_staged(tx, lease, ObjectType::Groups.as_str(), &self.kept.groups).await?;
        if self.keeps_scope {
            mirror::scope::store_all(tx, lease, job).await?;
        }
        mirror::keep_staged_members(tx, lease, &groups).await
    }

    pub(super) fn report(&self, progress: &RunProgress) {
        progress.count("users", |count| {
            count.out_of_scope += self.users_out_of_scope;
            count.dropped_references += self.dropped_references;
        });
        progress.count("groups", |count| count.out_of_scope += self.groups_out_of_scope);
    }
}
