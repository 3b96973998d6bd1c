//! The one that writes what the readers read. It stores whatever has come since its last transaction, so
//! batches grow when the database is slow, and a crash loses only the pages under way.

use crate::db::mirror::{self, Batch};
use crate::runs::pipeline::Run;
use crate::runs::stop::Stop;
use tokio::sync::{mpsc, oneshot};

/// Pages that wait for the writer; the readers stop when there are more.
const WAITING_MOST: usize = 32;
/// Objects and members of one transaction.
const ROWS_MOST: usize = 20_000;

/// The readers' end of the channel.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Message>);

enum Message {
    Store(Batch),
    /// Answered when everything before it is stored.
    Flush(oneshot::Sender<()>),
}

impl Writer {
    /// Hands a page over. Fails when the writer has failed, which is then the cause of it all.
    pub(super) async fn write(&self, batch: Batch) -> Result<(), Stop> {
        self.0.send(Message::Store(batch)).await.map_err(|_| Stop::Cancelled)
    }

    /// Waits until everything handed over before is in the database.
    pub(super) async fn flushed(&self) -> Result<(), Stop> {
        let (done, stored) = oneshot::channel();
        self.0.send(Message::Flush(done)).await.map_err(|_| Stop::Cancelled)?;
        stored.await.map_err(|_| Stop::Cancelled)
    }
}

/// A writer, and the future that does its work until every clone of the writer is gone.
pub(super) fn start(run: &Run) -> (Writer, impl Future<Output = Result<(), Stop>>) {
    let (sender, mut receiver) = mpsc::channel(WAITING_MOST);
    let (db, lease) = (run.app.db.clone(), run.lease);
    let writing = async move {
        while let Some(first) = receiver.recv().await {
            let (batch, flushed) = gather(first, &mut receiver);
            if !batch.is_empty() {
                db.scoped(lease.organization, async move |tx| mirror::stage(tx, &lease, batch).await).await?;
            }
            for done in flushed {
                // Whoever waited may have stopped.
                let _ = done.send(());
            }
        }
        Ok(())
    };
    (Writer(sender), writing)
}

/// What has come by now, up to the size of one transaction.
fn gather(first: Message, receiver: &mut mpsc::Receiver<Message>) -> (Batch, Vec<oneshot::Sender<()>>) {
    let (mut batch, mut flushed) = (Batch::default(), Vec::new());
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Flush(done) => flushed.push(done),
            Message::Store(more) => {
                batch.objects.extend(more.objects);
                batch.members.extend(more.members);
                batch.cursors.extend(more.cursors);
            }
        }
        next = if rows(&batch) < ROWS_MOST { receiver.try_recv().ok() } else { None };
    }
    (batch, flushed)
}

fn rows(batch: &Batch) -> usize {
    batch.objects.len() + batch.members.iter().map(|m| m.members.len()).sum::<usize>() / 8
}
