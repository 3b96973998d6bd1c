//! The one that writes what the readers read. It stores whatever has come since its last transaction, so
//! batches grow when the database is slow, and a crash loses only the pages under way.

use crate::db::mirror::{self, Batch};
use crate::runs::pipeline::Run;
use crate::runs::stop::Stop;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Pages that wait for the writer, by number and in kilobytes: a page of users is a megabyte, one of members a few
/// kilobytes. The readers stop when there are more.
const WAITING_MOST: usize = 256;
const WAITING_MOST_KILOBYTES: u32 = 12 << 10;
/// What one transaction stores, about.
const STORED_MOST_KILOBYTES: u32 = 4 << 10;

/// The readers' end of the channel.
#[derive(Clone)]
pub(super) struct Writer {
    sender: mpsc::Sender<Message>,
    /// Kilobytes that may still wait.
    room: Arc<Semaphore>,
}

enum Message {
    /// With its place in the room, which is given back when it is stored.
    Store(Batch, OwnedSemaphorePermit),
    /// Answered when everything before it is stored.
    Flush(oneshot::Sender<()>),
}

impl Writer {
    /// Hands a page over. Fails when the writer has failed, which is then the cause of it all.
    pub(super) async fn write(&self, batch: Batch) -> Result<(), Stop> {
        let room = self.room.clone().acquire_many_owned(kilobytes(&batch)).await.map_err(|_| Stop::Cancelled)?;
        self.sender.send(Message::Store(batch, room)).await.map_err(|_| Stop::Cancelled)
    }

    /// Waits until everything handed over before is in the database.
    pub(super) async fn flushed(&self) -> Result<(), Stop> {
        let (done, stored) = oneshot::channel();
        self.sender.send(Message::Flush(done)).await.map_err(|_| Stop::Cancelled)?;
        stored.await.map_err(|_| Stop::Cancelled)
    }
}

/// A writer, and the future that does its work until every clone of the writer is gone.
pub(super) fn start(run: &Run) -> (Writer, impl Future<Output = Result<(), Stop>>) {
    let (sender, mut receiver) = mpsc::channel(WAITING_MOST);
    let (db, lease) = (run.app.db.clone(), run.lease);
    let writing = async move {
        while let Some(first) = receiver.recv().await {
            let Gathered { batch, flushed, room } = gather(first, &mut receiver);
            if !batch.is_empty() {
                db.scoped(lease.organization, async move |tx| mirror::stage(tx, &lease, batch).await).await?;
            }
            drop(room);
            for done in flushed {
                // Whoever waited may have stopped.
                let _ = done.send(());
            }
        }
        Ok(())
    };
    (Writer { sender, room: Arc::new(Semaphore::new(WAITING_MOST_KILOBYTES as usize)) }, writing)
}

/// What goes into one transaction.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    flushed: Vec<oneshot::Sender<()>>,
    room: Vec<OwnedSemaphorePermit>,
}

/// What has come by now, up to the size of one transaction.
fn gather(first: Message, receiver: &mut mpsc::Receiver<Message>) -> Gathered {
    let mut gathered = Gathered::default();
    let mut size = 0;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Flush(done) => gathered.flushed.push(done),
            Message::Store(more, room) => {
                size += kilobytes(&more);
                gathered.batch.objects.extend(more.objects);
                gathered.batch.members.extend(more.members);
                gathered.batch.cursors.extend(more.cursors);
                gathered.room.push(room);
            }
        }
        next = if size < STORED_MOST_KILOBYTES { receiver.try_recv().ok() } else { None };
    }
    gathered
}

/// The size of a page, at least one; never more than there is room.
fn kilobytes(batch: &Batch) -> u32 {
    let objects: usize = batch.objects.iter().map(|object| object.data.len()).sum();
    let members: usize = batch.members.iter().map(|row| size_of_val(row.members.as_slice())).sum();
    u32::try_from((objects + members) >> 10).unwrap_or(u32::MAX).clamp(1, WAITING_MOST_KILOBYTES)
}
