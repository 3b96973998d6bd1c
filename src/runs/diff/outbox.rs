//! The changes of a run on their way into the database, which are at the same time the outbox of its delivery.

use super::diffed::NewReferenceCounts;
use super::not_cleared::NotCleared;
use crate::db::mirror::delivered::{self, NewChange};
use crate::db::mirror::dropped::Dropped;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::run_state::{ChangeAction, ChangeReason};
use crate::runs::run::Run;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Changes written in one statement, and objects compared together.
pub(super) const BATCH: usize = 1000;

/// The changes of a run on their way into the database.
pub(super) struct Outbox<'a> {
    run: &'a Run,
    seq: i64,
    pub references: BTreeMap<ObjectType, NewReferenceCounts>,
    /// Objects with more values in a reference attribute than recommended.
    pub many_references: u64,
    pub not_cleared: NotCleared,
    /// Objects of the type under comparison that left the scope and become stubs.
    pub reduced: u64,
    /// Objects with references that are left out, where the filter leaves something out.
    pub dropped: Vec<Dropped>,
    waiting: Vec<NewChange>,
}

impl<'a> Outbox<'a> {
    pub fn new(run: &'a Run) -> Self {
        Self {
            run,
            seq: 0,
            references: BTreeMap::new(),
            many_references: 0,
            not_cleared: NotCleared::default(),
            reduced: 0,
            dropped: Vec::new(),
            waiting: Vec::new(),
        }
    }

    pub async fn push(&mut self, mut change: NewChange) -> Result<()> {
        self.seq += 1;
        change.seq = self.seq;
        self.waiting.push(change);
        if self.waiting.len() >= BATCH { self.flush().await } else { Ok(()) }
    }

    pub fn count_references(&mut self, object_type: ObjectType, before: Option<&str>, after: &str) {
        let new = self.run.job.mapping.new_references(object_type, before, after);
        if new.single || new.list {
            let counts = self.references.entry(object_type).or_default();
            counts.single += u64::from(new.single);
            counts.lists_only += u64::from(!new.single);
        }
    }

    pub async fn flush(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.waiting);
        if changes.is_empty() {
            return Ok(());
        }
        let lease = self.run.lease;
        self.run.tx("add changes", async move |tx| delivered::add_changes(tx, &lease, &changes).await).await
    }

    /// Makes sure that everything that was flushed is on the disk.
    pub async fn check(&self) -> Result<()> {
        let (lease, last) = (self.run.lease, self.seq);
        self.run.fenced_tx("check changes", async move |tx| delivered::check_changes(tx, &lease, last).await).await
    }
}

/// A row that only repeats what was delivered.
pub(super) fn unchanged(object_type: ObjectType, id: Uuid) -> NewChange {
    NewChange {
        seq: 0,
        object_type,
        object_id: id,
        label: None,
        action: ChangeAction::Unchanged,
        reason: None,
        send: true,
        hash: None,
        before: None,
        after: None,
        missing_before: false,
    }
}

/// An object that is as it was delivered before it was missing.
pub(super) fn seen_again(object_type: ObjectType, id: Uuid, label: String) -> NewChange {
    NewChange {
        label: Some(label),
        action: ChangeAction::Restore,
        reason: Some(ChangeReason::SeenAgain),
        ..unchanged(object_type, id)
    }
}
