//! Whether a process is alive, as the other processes see it. A process holds an advisory lock for as long as its LISTEN
//! session lasts. PostgreSQL ends the session, and frees the lock, as soon as the process dies.
//!
//! The lock only saves time: a process that is cut off or paused keeps it, and one that loses its session for a moment
//! may be taken for dead. Both are safe, because lease and fence alone decide who may write.

use crate::random::random_bytes;
use std::sync::Arc;
use tokio::sync::watch;

/// The lock of this process.
#[derive(Clone, Debug)]
pub struct Presence {
    key: i64,
    is_shown: Arc<watch::Sender<bool>>,
}

impl Presence {
    /// A lock that no other process has.
    pub fn random() -> Self {
        Self { key: i64::from_ne_bytes(random_bytes()), is_shown: Arc::new(watch::Sender::new(false)) }
    }

    /// The lock's key, also while the lock is not held.
    pub fn key(&self) -> i64 {
        self.key
    }

    /// The lock's key while other processes can rely on the lock.
    pub fn shown(&self) -> Option<i64> {
        self.is_shown.borrow().then_some(self.key)
    }

    /// Tells when [`Presence::shown`] changes.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.is_shown.subscribe()
    }

    /// Shows the lock until the result is dropped.
    pub fn show(&self) -> Shown<'_> {
        self.is_shown.send_replace(true);
        Shown(self)
    }
}

/// The session whose lock other processes rely on.
pub struct Shown<'a>(&'a Presence);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.is_shown.send_replace(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_shown_as_long_as_its_session_lasts() {
        let presence = Presence::random();
        assert_eq!(presence.shown(), None);
        let shown = presence.show();
        assert_eq!(presence.shown(), Some(presence.key()));
        drop(shown);
        assert_eq!(presence.shown(), None);
    }
}
