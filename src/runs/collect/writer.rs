//! The single writer of a run. Each transaction stores whatever has arrived since the last one, so batches grow when the
//! database is slow, and a crash loses only the pages in flight.

use crate::clock::Clock;
use crate::db::mirror::{self, Batch, Hash};
use crate::graph::limiter::Permit;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Pages that wait for the writer, by number and in kilobytes: a page of users is a megabyte, one of members a few
/// kilobytes. The readers stop when there are more.
const MAX_WAITING: usize = 64;
const MAX_WAITING_KILOBYTES: u32 = 4 << 10;
/// What one transaction stores, about.
const MAX_STORED_KILOBYTES: u32 = 2 << 10;
/// How long a transaction waits for more pages: under a quota they come every few milliseconds, and a transaction for
/// each of them costs more than all else. Who waits for it to be stored is not kept waiting.
const LINGER: Duration = Duration::from_millis(25);
/// It waits for no more than so many, or this part of the requests under way: what is not stored is asked for again after
/// a crash.
const LINGER_PAGES: usize = 8;
const LINGER_PART: usize = 4;

/// What takes an object without data, or a page of members without them, about.
const ROW: usize = 64;

/// The readers' end of the channel.
#[derive(Clone)]
pub(super) struct Writer {
    sender: mpsc::Sender<Message>,
    /// Kilobytes that may still wait.
    room: Arc<Semaphore>,
    known: Arc<KnownHashes>,
    /// How many transactions have stored something.
    stored: Arc<AtomicU64>,
}

/// The hashes of what the mirror has. A row with one of them is staged without its data.
#[derive(Default)]
pub(super) struct KnownHashes(Vec<Hash>);

impl KnownHashes {
    pub(super) fn new(mut hashes: Vec<Hash>) -> Self {
        hashes.sort_unstable();
        Self(hashes)
    }

    fn has(&self, hash: &[u8]) -> bool {
        Hash::try_from(hash).is_ok_and(|hash| self.0.binary_search(&hash).is_ok())
    }
}

enum Message {
    /// With its place in the room and among the requests under way, which are given back when it is stored.
    Store(Batch, Held),
    /// Answered when everything before it is stored.
    Flush(oneshot::Sender<()>),
}

/// What a page holds until it is stored.
struct Held {
    _room: OwnedSemaphorePermit,
    request: Option<Permit>,
}

impl Writer {
    /// Hands rows over. Fails when the writer has failed, whose error is then the cause.
    pub(super) async fn write(&self, mut batch: Batch, request: Option<Permit>) -> Result<(), Stop> {
        for object in &mut batch.objects {
            // A stub can have the text of the object that it stands for; hashes do not tell them apart.
            if !object.stored_as.is_stub() && self.known.has(&object.hash) {
                object.data = None;
            }
        }
        for page in &mut batch.members {
            if self.known.has(&page.hash) {
                page.members = None;
            }
        }
        let room = self.room.clone().acquire_many_owned(kilobytes(&batch)).await.map_err(|_| Stop::Cancelled)?;
        let held = Held { _room: room, request };
        self.sender.send(Message::Store(batch, held)).await.map_err(|_| Stop::Cancelled)
    }

    /// Waits until everything handed over before is in the database.
    pub(super) async fn stored(&self) -> Result<(), Stop> {
        let (done, answer) = oneshot::channel();
        self.sender.send(Message::Flush(done)).await.map_err(|_| Stop::Cancelled)?;
        answer.await.map_err(|_| Stop::Cancelled)
    }

    /// Everything stored was deleted, and counts for nothing any more.
    pub(super) fn cleared(&self) {
        self.stored.store(0, Ordering::Relaxed);
    }
}

/// A writer, and the future that does its work until every clone of the writer is gone. Its output is how many transactions
/// stored something.
pub(super) fn start(run: &Run, known: KnownHashes) -> (Writer, impl Future<Output = Result<u64, Stop>>) {
    let (sender, mut receiver) = mpsc::channel(MAX_WAITING);
    let stored = Arc::new(AtomicU64::default());
    let count = stored.clone();
    let writing = async move {
        while let Some(first) = receiver.recv().await {
            let Gathered { batch, flushed, held } = gather(first, &mut receiver, &run.app.clock).await;
            if !batch.is_empty() {
                let (lease, before) = (run.lease, count.load(Ordering::Relaxed));
                run.tx("stage page", async move |tx| mirror::stage(tx, &lease, before, batch).await).await?;
                count.store(before + 1, Ordering::Relaxed);
            }
            drop(held);
            for done in flushed {
                // Whoever waited may have stopped.
                let _ = done.send(());
            }
        }
        Ok(count.load(Ordering::Relaxed))
    };
    let room = Arc::new(Semaphore::new(MAX_WAITING_KILOBYTES as usize));
    (Writer { sender, room, known: Arc::new(known), stored }, writing)
}

/// What goes into one transaction.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    flushed: Vec<oneshot::Sender<()>>,
    held: Vec<Held>,
}

/// What comes within a moment, up to the size of one transaction.
async fn gather(first: Message, receiver: &mut mpsc::Receiver<Message>, clock: &Clock) -> Gathered {
    let mut gathered = Gathered::default();
    let mut linger = pin!(clock.sleep(LINGER));
    let mut size = 0;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Flush(done) => gathered.flushed.push(done),
            Message::Store(more, held) => {
                size += kilobytes(&more);
                gathered.batch.objects.extend(more.objects);
                gathered.batch.members.extend(more.members);
                gathered.batch.cursors.extend(more.cursors);
                gathered.held.push(held);
            }
        }
        next = if size >= MAX_STORED_KILOBYTES {
            None
        } else if gathered.flushed.is_empty() && gathered.held.len() < enough(&gathered.held) {
            tokio::select! {
                biased;
                more = receiver.recv() => more,
                () = &mut linger => None,
            }
        } else {
            receiver.try_recv().ok()
        };
    }
    gathered
}

/// For how many pages a transaction waits.
fn enough(held: &[Held]) -> usize {
    let in_flight = held.iter().find_map(|held| held.request.as_ref()).map_or(0, Permit::in_flight);
    (in_flight / LINGER_PART).max(LINGER_PAGES)
}

/// The size of a page, at least one; never more than there is room.
fn kilobytes(batch: &Batch) -> u32 {
    let objects: usize = batch.objects.iter().map(|object| object.data.as_ref().map_or(ROW, String::len)).sum();
    let members: usize = batch.members.iter().map(|row| row.members.as_deref().map_or(ROW, size_of_val)).sum();
    u32::try_from((objects + members) >> 10).unwrap_or(u32::MAX).clamp(1, MAX_WAITING_KILOBYTES)
}
