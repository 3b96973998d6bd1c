//! What a run has read so far. Staging owns the writer and every transaction on the staging tables: a page is stored
//! together with the cursor of its collection, so that another process can resume the read after a crash.

use super::answers::Answers;
use super::kept_values::{self, Kept};
use super::narrowed::{self, Narrowed};
use super::read_error::Result;
use super::touch::{self, Patch};
use super::values;
use super::writer::{KnownHashes, Writer, start};
use crate::db::Transaction;
use crate::db::mirror::read::{self, ObjectRow, Source};
use crate::db::mirror::{
    self, Batch, Counters, Cursor, CursorRow, MEMBERS, MirrorRow, Promotion, StoredAs, cursors, moved_by, stage_cursors,
};
use crate::directory::ObjectType::{self, Groups, Users};
use crate::graph::limiter::Permit;
use crate::ids::OrganizationId;
use crate::runs::run::Run;
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// The collection of the notes in `run_cursors`.
const NOTES: &str = "plan";

/// A decision that a run stores before it reads on. A later attempt follows it: deciding again, from what has changed
/// meanwhile, could lose what changed in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Note {
    /// What the job selected when the read started, and of which tenant.
    Selection,
    /// The scope was cut out of staging: what is left no longer tells what was read.
    Cut,
    /// Why a read of changes became a full one.
    FullReason,
    /// How many users there are; without a number: the server does not count.
    UserCount,
    /// Managers are read one by one.
    ManagersOneByOne,
    /// All of them are there.
    ManagersComplete,
    /// Members that moved between pages were looked for.
    MovedMembers,
    UsersDelta,
    GroupsDelta,
}

impl Note {
    fn as_str(self) -> &'static str {
        match self {
            Self::Selection => "selection",
            Self::Cut => "cut",
            Self::FullReason => "fullBecause",
            Self::UserCount => "usersNumber",
            Self::ManagersOneByOne => "managersOneByOne",
            Self::ManagersComplete => "managersComplete",
            Self::MovedMembers => "movedMembers",
            Self::UsersDelta => "usersDelta",
            Self::GroupsDelta => "groupsDelta",
        }
    }

    fn cursor(self, text: Option<&str>) -> Cursor {
        let next_link = text.map(str::to_owned);
        Cursor { collection: NOTES.into(), part: self.as_str().to_owned(), next_link, done: true, pages: 0 }
    }
}

/// What becomes of the staged read in the end.
pub(super) struct Completion<'a> {
    pub mirror: &'a MirrorRow,
    /// In how many transactions it was staged.
    pub staged: u64,
    /// The objects and stubs of the types that were read.
    pub stored_as: &'a [StoredAs],
    pub memberships: bool,
    /// Only changes were staged.
    pub is_patch: bool,
    /// Groups whose last known members remain.
    pub members_unknown: &'a [Uuid],
    pub narrowed: Option<&'a Narrowed>,
    /// The types that were read, and the lists of them that keep what was in them.
    pub types: &'a [ObjectType],
    pub emptied: &'a [(ObjectType, &'static str)],
    /// The types that are made of the users that were read.
    pub values: &'a [ObjectType],
    /// A test and a dry run leave the mirror as it is.
    pub promote: bool,
}

/// How much a completed read has.
pub(super) struct Counted {
    pub objects: Vec<(StoredAs, u64)>,
    pub memberships: u64,
    /// Values that Graph did not return and that stay.
    pub kept: Vec<(ObjectType, Kept)>,
}

#[derive(Clone)]
pub(super) struct Staging<'a> {
    run: &'a Run,
    writer: Writer,
    /// They are forgotten with what was staged of them.
    pub answers: Arc<Answers>,
}

impl<'a> Staging<'a> {
    /// The staging of a run, and the future that stores what is written until the last clone is dropped: in how many
    /// transactions.
    pub fn open(run: &'a Run, known: KnownHashes) -> (Self, impl Future<Output = Result<u64>>) {
        let (writer, writing) = start(run, known);
        (Self { run, writer, answers: Arc::default() }, async move { Ok(writing.await?) })
    }

    fn place(&self) -> (OrganizationId, Source) {
        (self.run.job.organization, Source::Staged(self.run.lease.run))
    }

    /// Hands over rows that no single page brought.
    pub async fn write(&self, batch: Batch) -> Result<()> {
        Ok(self.writer.write(batch, None).await?)
    }

    /// Hands over a page with its place among the requests in flight, which is released when the page is stored.
    pub async fn write_page(&self, batch: Batch, request: Option<Permit>) -> Result<()> {
        Ok(self.writer.write(batch, request).await?)
    }

    /// Waits until everything handed over before is in the database.
    pub async fn stored(&self) -> Result<()> {
        Ok(self.writer.stored().await?)
    }

    /// The ids of the staged objects of a type, ascending.
    pub async fn ids(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        self.ids_stored_as(StoredAs::Object(object_type)).await
    }

    /// The ids of the objects of a type that are marked as gone, ascending.
    pub async fn gone(&self, object_type: ObjectType) -> Result<Vec<Uuid>> {
        self.ids_stored_as(StoredAs::Gone(object_type)).await
    }

    async fn ids_stored_as(&self, stored_as: StoredAs) -> Result<Vec<Uuid>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let ids = self.run.tx("staged ids", async move |tx| read::ids(tx, organization, source, stored_as).await);
        Ok(ids.await?)
    }

    pub async fn count(&self, object_type: ObjectType) -> Result<u64> {
        self.stored().await?;
        let (organization, source) = self.place();
        let count = self.run.tx("count staged objects", async move |tx| {
            read::count(tx, organization, source, StoredAs::Object(object_type)).await
        });
        Ok(count.await?)
    }

    /// Some staged objects of a type.
    pub async fn objects(&self, object_type: ObjectType, ids: Vec<Uuid>) -> Result<Vec<ObjectRow>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let rows = self.run.tx("staged objects", async move |tx| {
            read::some(tx, organization, source, StoredAs::Object(object_type), &ids).await
        });
        Ok(rows.await?)
    }

    /// Streams every staged object of a type through `each`.
    pub async fn each_object<T: Send>(
        &self,
        object_type: ObjectType,
        mut each: impl FnMut(ObjectRow) -> crate::error::Result<Option<T>> + Send,
    ) -> Result<Vec<T>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let found = self.run.tx("stream staged objects", async |tx| {
            let mut rows = std::pin::pin!(read::data(tx, organization, source, StoredAs::Object(object_type)).await?);
            let mut found = Vec::new();
            while let Some(row) = rows.next().await {
                found.extend(each(row?)?);
            }
            Ok(found)
        });
        Ok(found.await?)
    }

    /// Whether any staged user has a manager.
    pub async fn has_managers(&self) -> Result<bool> {
        self.stored().await?;
        let (organization, source) = self.place();
        let has = self.run.tx("has managers", async move |tx| read::has_managers(tx, organization, source).await);
        Ok(has.await?)
    }

    /// By group, how many pages of members it has, where there is more than one.
    pub async fn group_sizes(&self) -> Result<HashMap<Uuid, i32>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let sizes =
            self.run.tx("staged group sizes", async move |tx| read::group_sizes(tx, organization, source).await);
        Ok(sizes.await?)
    }

    /// The groups that are direct members of these groups.
    pub async fn nested_groups(&self, groups: Vec<Uuid>) -> Result<Vec<Uuid>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let nested =
            self.run.tx("nested groups", async move |tx| read::nested_groups(tx, organization, source, &groups).await);
        Ok(nested.await?)
    }

    /// How far the parts of a collection were read, by part.
    pub async fn cursors(&self, collection: &'static str) -> Result<HashMap<String, CursorRow>> {
        self.stored().await?;
        let (organization, run) = (self.run.job.organization, self.run.lease.run);
        let cursors = self.run.tx("cursors", async move |tx| cursors(tx, organization, run, collection).await);
        Ok(cursors.await?)
    }

    /// Everything that a collection staged under its own name, by id.
    pub async fn rows(&self, collection: &'static str) -> Result<Vec<ObjectRow>> {
        self.stored().await?;
        let (organization, source) = self.place();
        let rows = self.run.tx("staged rows", async |tx| {
            let rows: Vec<ObjectRow> =
                read::data(tx, organization, source, StoredAs::Apart(collection)).await?.try_collect().await?;
            Ok(rows)
        });
        Ok(rows.await?)
    }

    /// Stores a decision. When this returns, it is in the database.
    pub async fn note(&self, note: Note, text: Option<&str>) -> Result<()> {
        self.note_answer(note, text, None).await
    }

    /// The same of what Graph answered, with the place of its request among those in flight.
    pub async fn note_answer(&self, note: Note, text: Option<&str>, request: Option<Permit>) -> Result<()> {
        let cursors = vec![note.cursor(text)];
        self.write_page(Batch { cursors, ..Batch::default() }, request).await?;
        self.stored().await
    }

    /// What an earlier attempt of this run decided; `None`: nothing.
    pub async fn noted(&self, note: Note) -> Result<Option<String>> {
        let mut notes = self.cursors(NOTES).await?;
        Ok(notes.remove(note.as_str()).map(|cursor| cursor.next_link.unwrap_or_default()))
    }

    /// Forgets the staged objects and cursors of a type, or of what has a name of its own: it is read again from its first page.
    pub async fn restart(&self, object_type: ObjectType) -> Result<()> {
        self.restart_collection(object_type.as_str()).await
    }

    pub async fn restart_collection(&self, name: &'static str) -> Result<()> {
        self.stored().await?;
        let lease = self.run.lease;
        self.answers.forget(Some(name));
        let restarted = self.run.tx("restart a collection", async move |tx| mirror::restart(tx, &lease, name).await);
        Ok(restarted.await?)
    }

    /// Forgets the staged members of a group, so that they are read again from their first page.
    pub async fn restart_members(&self, group: Uuid) -> Result<()> {
        self.stored().await?;
        let lease = self.run.lease;
        let restarted =
            self.run.tx("restart members", async move |tx| mirror::restart_members(tx, &lease, group).await);
        Ok(restarted.await?)
    }

    /// Forgets everything staged of a type: objects, marks, stubs, and the members of groups.
    pub async fn forget(&self, object_type: ObjectType) -> Result<()> {
        self.stored().await?;
        let lease = self.run.lease;
        let stored_as = StoredAs::all_of(object_type).chain([StoredAs::Gone(object_type)]);
        let names: Vec<String> = stored_as.map(|stored_as| stored_as.to_string()).collect();
        names.iter().for_each(|name| self.answers.forget(Some(name.as_str())));
        let forgotten = self.run.fenced_tx("forget a type", async move |tx| {
            for name in &names {
                mirror::restart(tx, &lease, name).await?;
            }
            if object_type == ObjectType::Groups {
                mirror::restart(tx, &lease, MEMBERS).await?;
                mirror::keep_staged_members(tx, &lease, &[]).await?;
            }
            Ok(())
        });
        Ok(forgotten.await?)
    }

    /// Drops everything staged, notes included.
    pub async fn clear(&self) -> Result<()> {
        self.stored().await?;
        self.answers.forget(None);
        let lease = self.run.lease;
        let cleared = self
            .run
            .fenced_tx("clear staging", async move |tx| mirror::clear_staging(tx, lease.organization, lease.run).await);
        cleared.await?;
        self.writer.cleared();
        Ok(())
    }
}

/// Cuts the scope out of staging, makes the rest the mirror where that is wanted, and counts it: in one transaction, so
/// that an attempt after a crash finds either all of it or nothing. The writer has ended before.
pub(super) async fn complete(run: &Run, completion: Completion<'_>) -> crate::error::Result<Counted> {
    let (job, lease) = (run.job.id, run.lease);
    let Completion { stored_as, is_patch, .. } = completion;
    run.fenced_tx("complete the read", async |tx| {
        mirror::number_staging(tx, &lease, completion.staged).await?;
        mirror::restage_members(tx, &lease, job, completion.members_unknown).await?;
        match completion.narrowed {
            Some(narrowed) if is_patch => narrowed.cut_changes(tx, &lease, job).await?,
            Some(narrowed) => {
                narrowed.cut(tx, &lease, job, completion.promote).await?;
                stage_cursors(tx, &lease, &[Note::Cut.cursor(None)]).await?;
            }
            // The members of a group that its condition no longer admits may have changed too.
            None if is_patch => mirror::scope::drop_changed(tx, &lease, job).await?,
            None => {}
        }
        let mut kept = Vec::new();
        for object_type in completion.types {
            kept.push((*object_type, kept_values::restore(tx, run, *object_type, completion.emptied).await?));
        }
        let mut row = completion.mirror.clone();
        row.left_out_generation = None;
        match completion.narrowed {
            Some(narrowed) if completion.promote => {
                narrowed.store(tx, &lease, job).await?;
                row.left_out_generation = Some(row.generation);
            }
            None if completion.promote && !is_patch => narrowed::forget(tx, &lease, job).await?,
            _ => {}
        }
        let mut patch = None;
        match (completion.promote, is_patch) {
            (true, true) => patch = Some(touch::patch(tx, run, &mut row, stored_as).await?),
            (true, false) => {
                let promotion = Promotion { types: stored_as, members: completion.memberships };
                mirror::promote(tx, &lease, job, &promotion).await?;
            }
            (false, _) => {}
        }
        if completion.promote {
            mirror::touched::keep_reasons(tx, &lease, job).await?;
        }
        let has_users = patch.as_ref().is_none_or(|patch| patch.moved.iter().any(|moved| moved.object_type == Users));
        if has_users {
            let moved = values::derive(tx, run, completion.values, completion.promote).await?;
            patch.iter_mut().for_each(|patch| patch.moved.extend(&moved));
        }
        if let Some(patch) = &patch {
            touch::note(tx, run, &mut row, patch).await?;
        }
        let derived = completion.values.iter().copied().map(StoredAs::Object);
        let all: Vec<StoredAs> = stored_as.iter().copied().chain(derived).collect();
        let (objects, memberships) = count(tx, run, completion.mirror, patch.as_ref(), &all).await?;
        if completion.promote {
            let read = objects.iter().copied().collect();
            row.set_counters(&Counters { generation: row.generation, read, memberships, ..row.counters() })?;
            mirror::save(tx, &row).await?;
        }
        if patch.is_some() {
            // An attempt that finds the changes in the mirror must not go on with them.
            mirror::clear_all_but_gone(tx, lease.organization, lease.run).await?;
        }
        Ok(Counted { objects, memberships, kept })
    })
    .await
}

/// How much there is of what was read. After a read of changes the large tables are not counted row by row.
async fn count(
    tx: &mut Transaction,
    run: &Run,
    mirror: &MirrorRow,
    patch: Option<&Patch>,
    all: &[StoredAs],
) -> crate::error::Result<(Vec<(StoredAs, u64)>, u64)> {
    let (organization, source) = (run.job.organization, run.source());
    let before = mirror.counters();
    let patch = patch.filter(|_| before.generation == mirror.generation - 1);
    let mut objects = Vec::new();
    for stored_as in all.iter().copied() {
        let number = match (stored_as, before.read.get(&stored_as), patch) {
            (StoredAs::Object(of @ (Users | Groups)), Some(number), Some(patch)) => moved_by(*number, patch.gained(of)),
            _ => read::count(tx, organization, source, stored_as).await?,
        };
        objects.push((stored_as, number));
    }
    let memberships = match patch {
        Some(patch) => moved_by(before.memberships, patch.memberships),
        None => read::count_memberships(tx, organization, source).await?,
    };
    Ok((objects, memberships))
}
