//! The embedded PostgreSQL: a server in the data directory, started from binaries that are installed on the machine.
//!
//! It works for root (the server then runs as `postgres` or `nobody`, because PostgreSQL refuses to run as root) and for
//! other users. It listens only on a Unix socket in a private folder. If the server ends unexpectedly, the supervising task
//! starts it again; if this process ends, the next start does. A second instance with the same data directory is rejected.
//!
//! In the data directory: `postgres/` (the cluster), `postgres.log`, `postgres-binaries/` (unpacked by
//! `scripts/postgres-binaries.sh` where the system has none), `lock`, `run/` (the socket).

mod account;
mod binaries;
mod cluster;
mod leftover;
mod roles;

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use cluster::{Cluster, Postmaster};
use roles::{SUPERUSER, url};
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use binaries::BINARIES_FOLDER;
pub use cluster::Options;
pub use roles::{DATABASE, OWNER_ROLE, RUNTIME_ROLE};

/// The server is restarted after at most this many crashes within [`CRASH_PERIOD`].
const MAX_CRASHES: usize = 5;
const CRASH_PERIOD: Duration = Duration::from_secs(300);

/// Connection strings (`postgres://…`) for the Unix socket, without a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Urls {
    /// As a role that may create roles and databases, for set-up and tests.
    pub superuser: String,
    /// As [`OWNER_ROLE`].
    pub migrate: String,
    /// As [`RUNTIME_ROLE`].
    pub runtime: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Serving,
    Stopped,
    Failed(String),
}

/// A running server. Call [`Embedded::stop`] when nothing uses the database any more. Dropping it asks the server to stop,
/// but does not wait.
pub struct Embedded {
    socket_dir: PathBuf,
    stop: CancellationToken,
    state: watch::Receiver<State>,
}

impl Embedded {
    /// Starts the server in `data_dir` (created if it is missing), with the roles and the empty database.
    ///
    /// # Errors
    /// `configuration_invalid`: another instance uses the data directory, there are no binaries, or a folder belongs to
    /// another user. `database_unavailable`: the server did not start; `detail` has the end of its log.
    pub async fn start(data_dir: &Path, clock: &Clock, options: Options) -> Result<Self> {
        let lock = lock(data_dir)?;
        let cluster = Cluster::prepare(data_dir, clock, options).await?;
        let postmaster = cluster.launch().await?;
        let socket_dir = cluster.socket_dir().to_owned();
        roles::ensure(&socket_dir).await?;
        let stop = CancellationToken::new();
        let (publish, state) = watch::channel(State::Serving);
        tokio::spawn(supervise(cluster, postmaster, lock, clock.clone(), stop.clone(), publish));
        Ok(Self { socket_dir, stop, state })
    }

    pub fn urls(&self) -> Urls {
        self.urls_of(DATABASE)
    }

    /// The same roles in another database of this server.
    pub fn urls_of(&self, database: &str) -> Urls {
        Urls {
            superuser: url(&self.socket_dir, SUPERUSER, database),
            migrate: url(&self.socket_dir, OWNER_ROLE, database),
            runtime: url(&self.socket_dir, RUNTIME_ROLE, database),
        }
    }

    /// Resolves with the reason when the server has ended for good although nobody stopped it. A crashed server is started
    /// again, but not endlessly.
    pub fn watch(&self) -> impl Future<Output = String> + Send + use<> {
        let mut state = self.state.clone();
        async move {
            let ended = state.wait_for(|state| matches!(state, State::Failed(_))).await.map(|state| state.clone());
            match ended {
                Ok(State::Failed(why)) => why,
                // It was stopped on purpose.
                Ok(State::Serving | State::Stopped) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Stops the server, closes open connections, and waits until it has ended.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| *state != State::Serving).await.map(|state| state.clone());
        match ended {
            Ok(State::Failed(why)) => Err(Error::new(Code::DatabaseUnavailable, why)),
            Ok(State::Serving | State::Stopped) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The connection strings if another process runs the database of `data_dir`.
pub fn running(data_dir: &Path) -> Option<Urls> {
    /// The line of the file that names the folder of the socket.
    const SOCKET_LINE: usize = 4;
    let lock = File::open(data_dir.join("lock")).ok()?;
    if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let pid_file = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).ok()?;
    let socket_dir = Path::new(pid_file.lines().nth(SOCKET_LINE)?.trim());
    Some(Urls {
        superuser: url(socket_dir, SUPERUSER, DATABASE),
        migrate: url(socket_dir, OWNER_ROLE, DATABASE),
        runtime: url(socket_dir, RUNTIME_ROLE, DATABASE),
    })
}

/// Whether there is a database in `data_dir`.
pub fn exists(data_dir: &Path) -> bool {
    data_dir.join("postgres").exists()
}

/// Restarts a server that crashes, and stops it on request. Holds the lock on the data directory all the while.
async fn supervise(
    cluster: Cluster,
    mut postmaster: Postmaster,
    lock: File,
    clock: Clock,
    stop: CancellationToken,
    publish: watch::Sender<State>,
) {
    let mut crashes = VecDeque::new();
    let end = loop {
        let cause = tokio::select! {
            () = stop.cancelled() => break postmaster.stop(&clock).await,
            cause = postmaster.wait() => cause,
        };
        tracing::error!(cause, "the embedded PostgreSQL ended unexpectedly; starting it again");
        crashes.push_back(clock.instant());
        while crashes.front().is_some_and(|crash| clock.elapsed_since(*crash) > CRASH_PERIOD) {
            crashes.pop_front();
        }
        if crashes.len() > MAX_CRASHES {
            break Err(Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "The embedded PostgreSQL ended unexpectedly {} times within {} s, the last time {cause}. See {}.",
                    crashes.len(),
                    CRASH_PERIOD.as_secs(),
                    cluster.log().display()
                ),
            ));
        }
        match cluster.launch().await {
            Ok(next) => postmaster = next,
            Err(error) => break Err(error),
        }
    };
    cluster.remove_socket_dir();
    drop(lock);
    publish.send_replace(match end {
        Ok(()) => State::Stopped,
        Err(error) => State::Failed(error.detail),
    });
}

/// Creates the data directory and locks it. The kernel releases the lock however the process ends.
fn lock(data_dir: &Path) -> Result<File> {
    let failed = |what: &str, path: &Path, error: std::io::Error| {
        Error::new(
            Code::ConfigurationInvalid,
            format!(
                "{what} {}: {error}. Set ENTRA_ASSETS_DATA_DIR to a folder that this user can write to.",
                path.display()
            ),
        )
    };
    // As root: the user of the server must be able to pass through the data directory.
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(data_dir)
        .map_err(|e| failed("Cannot create the data directory", data_dir, e))?;
    let path = data_dir.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| failed("Cannot open the lock file", &path, e))?;
    match file.try_lock() {
        Ok(()) => {
            // The pid is only for the message below; the kernel holds the lock.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            Err(Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "Another entra-assets (process {}) already uses the data directory {}. Stop it, or set \
                     ENTRA_ASSETS_DATA_DIR to another folder. Several processes can share one PostgreSQL with \
                     DATABASE_URL.",
                    pid.trim(),
                    data_dir.display()
                ),
            ))
        }
        Err(TryLockError::Error(error)) => Err(failed("Cannot lock", &path, error)),
    }
}
