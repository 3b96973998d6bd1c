//! Shutdown in two steps. After the first signal the service accepts no new work, finishes open requests, and runs stop
//! at their last checkpoint; another worker resumes them. After the second signal, or when time is up, all other tasks
//! are aborted.
//!
//! What accepts new work (the HTTP server, the workers, the scheduler) ends when [`Shutdown::begun`] is cancelled. All
//! background tasks are started with [`Shutdown::spawn`], so that [`Shutdown::finish`] can wait for the last one, and are
//! dropped wherever they are when [`Shutdown::aborted`] is cancelled. The embedded database stops after them, because they
//! use it until they end.

use crate::clock::Clock;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long aborted tasks may take to end.
const AFTER_ABORT: Duration = Duration::from_secs(5);

/// Cheap to clone; all clones belong to the same shutdown.
#[derive(Clone, Default)]
pub struct Shutdown {
    begun: CancellationToken,
    aborted: CancellationToken,
    tasks: TaskTracker,
}

/// How the tasks ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// All tasks ended by themselves.
    Whole,
    /// All tasks ended, some of them aborted.
    CutShort,
    /// This many tasks still run: they block their thread.
    Unfinished(usize),
}

impl Shutdown {
    /// Begins only with [`Shutdown::begin`]: for tests and for commands that end by themselves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins at the first SIGTERM or SIGINT, aborts at the second.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let ours = shutdown.clone();
        tokio::spawn(async move {
            let name = received(&mut signals).await;
            tracing::info!(
                signal = name,
                "shutting down: another worker resumes running imports; signal again to exit at once"
            );
            ours.begin();
            let name = received(&mut signals).await;
            tracing::warn!(signal = name, "exiting at once");
            ours.abort();
        });
        Ok(shutdown)
    }

    /// Runs a task that [`Shutdown::finish`] waits for, and that an abort drops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let aborted = self.aborted.clone();
        self.tasks.spawn(async move {
            aborted.run_until_cancelled_owned(task).await;
        })
    }

    /// Cancelled when no new work may be accepted.
    pub fn begun(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Cancelled when running work must be dropped.
    pub fn aborted(&self) -> CancellationToken {
        self.aborted.clone()
    }

    pub fn begin(&self) {
        self.begun.cancel();
    }

    pub fn abort(&self) {
        self.begun.cancel();
        self.aborted.cancel();
    }

    /// Waits until the shutdown begins and all tasks have ended. Aborts them after `grace`.
    pub async fn finish(&self, clock: &Clock, grace: Duration) -> Finish {
        self.begun.cancelled().await;
        self.tasks.close();
        tokio::select! {
            biased;
            () = self.tasks.wait() => {
                return if self.aborted.is_cancelled() { Finish::CutShort } else { Finish::Whole };
            }
            () = self.aborted.cancelled() => {}
            () = clock.sleep(grace) => {
                tracing::warn!(grace_ms = grace.as_millis(), tasks = self.tasks.len(), "the time for finishing is over; aborting the remaining tasks");
                self.abort();
            }
        }
        tokio::select! {
            biased;
            () = self.tasks.wait() => Finish::CutShort,
            () = clock.sleep(AFTER_ABORT) => Finish::Unfinished(self.tasks.len()),
        }
    }
}

async fn received((terminate, interrupt): &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    const GRACE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn tasks_that_finish_are_waited_for() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let shutdown = Shutdown::new();
        let begun = shutdown.begun();
        let task = shutdown.spawn(async move { begun.cancelled().await });
        shutdown.begin();
        assert_eq!(shutdown.finish(&clock, GRACE).await, Finish::Whole);
        assert!(task.is_finished());
    }

    #[tokio::test]
    async fn a_task_that_takes_too_long_is_cut_short() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let shutdown = Shutdown::new();
        shutdown.spawn(std::future::pending());
        shutdown.begin();
        let finish = tokio::spawn({
            let (shutdown, clock) = (shutdown.clone(), clock.clone());
            async move { shutdown.finish(&clock, GRACE).await }
        });
        tokio::task::yield_now().await;
        clock.advance(GRACE - Duration::from_millis(1));
        tokio::task::yield_now().await;
        assert!(!shutdown.aborted().is_cancelled());
        clock.advance(Duration::from_millis(1));
        assert_eq!(finish.await.unwrap(), Finish::CutShort);
    }

    #[tokio::test]
    async fn a_second_request_does_not_wait_for_the_grace() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let shutdown = Shutdown::new();
        shutdown.spawn(std::future::pending());
        shutdown.begin();
        shutdown.abort();
        assert_eq!(shutdown.finish(&clock, GRACE).await, Finish::CutShort);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_that_blocks_is_counted() {
        let clock = Clock::manual_sleepless(DateTime::UNIX_EPOCH);
        let shutdown = Shutdown::new();
        let (free, blocked) = std::sync::mpsc::channel::<()>();
        let (started, starts) = tokio::sync::oneshot::channel();
        shutdown.spawn(async move {
            let _ = started.send(());
            let _ = blocked.recv();
        });
        starts.await.unwrap();
        shutdown.begin();
        assert_eq!(shutdown.finish(&clock, GRACE).await, Finish::Unfinished(1));
        drop(free);
    }
}
