//! The objects of a comparison, in the order of their ids, some at a time. Each portion is read in a transaction of its own,
//! so no connection is held while it is compared and what differs is written.

use super::outbox::BATCH;
use crate::db::mirror::read::{self, Portion, Seen, SeenRow};
use crate::error::Result;
use crate::runs::run::Run;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use uuid::Uuid;

/// What objects that are compared together take, about: some groups have a hundred thousand members.
const BATCH_BYTES: usize = 2 << 20;
/// With their members, so few are asked for at first.
const FIRST_WITH_MEMBERS: usize = 64;

/// Which objects are still to be read.
pub(super) struct Portions<'a> {
    run: &'a Run,
    seen: Seen,
    /// Only those of these, ascending, that there are.
    among: Option<&'a [Uuid]>,
    after: Option<Uuid>,
    /// How many are asked for next: what a portion cannot take is read again.
    rows: usize,
    is_done: bool,
}

impl<'a> Portions<'a> {
    pub(super) fn all(run: &'a Run, seen: Seen) -> Self {
        let rows = if seen.with_members { FIRST_WITH_MEMBERS } else { BATCH };
        Self { run, seen, among: None, after: None, rows, is_done: false }
    }

    pub(super) fn among(run: &'a Run, seen: Seen, ids: &'a [Uuid]) -> Self {
        Self { among: Some(ids), ..Self::all(run, seen) }
    }

    /// The next objects, as many as are compared together; empty at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<SeenRow>> {
        while !self.is_done {
            let batch = self.read().await?;
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
        Ok(Vec::new())
    }

    async fn read(&mut self) -> Result<Vec<SeenRow>> {
        let (organization, job, seen) = (self.run.job.organization, self.run.job.id, self.seen);
        let asked = self.among.map(|ids| {
            let from = ids.partition_point(|id| self.after.is_some_and(|after| *id <= after));
            &ids[from..ids.len().min(from + self.rows)]
        });
        let portion = match asked {
            Some(ids) => Portion::Among(ids),
            None => Portion::After(self.after, i64::try_from(self.rows).unwrap_or(i64::MAX)),
        };
        let read = self.run.tx("objects to compare", async move |tx| {
            take(read::seen(tx, organization, job, seen, portion).await?).await
        });
        let Taken { batch, is_cut } = read.await?;
        let last = batch.last().map(|row| row.id);
        if is_cut {
            self.after = last;
            self.rows = batch.len();
            return Ok(batch);
        }
        self.is_done = match (asked, self.among) {
            (Some(asked), Some(ids)) => asked.is_empty() || asked.last() == ids.last(),
            _ => batch.len() < self.rows,
        };
        self.after = asked.and_then(|asked| asked.last().copied()).or(last);
        self.rows = (self.rows * 2).min(BATCH);
        Ok(batch)
    }
}

struct Taken {
    batch: Vec<SeenRow>,
    /// There may be more than it takes.
    is_cut: bool,
}

async fn take(mut rows: BoxStream<'_, Result<SeenRow>>) -> Result<Taken> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().await {
        let row = row?;
        bytes += row.data.len() + row.members.as_deref().map_or(0, size_of_val);
        batch.push(row);
        if bytes >= BATCH_BYTES {
            return Ok(Taken { batch, is_cut: true });
        }
    }
    Ok(Taken { batch, is_cut: false })
}
