//! The embedded PostgreSQL: a server of our own in the data dir, started from binaries on the machine.
//!
//! It works as root (the server then runs as `postgres` or `nobody`, because PostgreSQL refuses root) and as
//! an ordinary user. It listens on a Unix socket in a private folder only. Whatever ends it, a crash, a
//! `kill -9` of it or of us, the next start or the supervising task brings it back; a second instance on the same data dir
//! is refused.
//!
//! In the data dir: `postgres/` (the cluster), `postgres.log`, `postgres-binaries/` (unpacked by
//! `scripts/postgres-binaries.sh` where the system has none), `lock`, `run/` (the socket).

mod account;
mod binaries;
mod cluster;
mod leftover;
mod roles;

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use cluster::{Cluster, Postmaster};
use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use binaries::BINARIES_FOLDER;

/// The role that owns the database and everything in it; migrations run as it.
pub const OWNER_ROLE: &str = "entra_assets_owner";
/// The role that the service works as. It owns nothing, and row-level security binds it.
pub const RUNTIME_ROLE: &str = "entra_assets";
pub const DATABASE: &str = "entra_assets";
const SUPERUSER: &str = "postgres";

/// More deaths of the server than this within [`DEATHS_WITHIN`] are not a mishap.
const DEATHS_MOST: usize = 5;
const DEATHS_WITHIN: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `false` gives up durability for speed: for tests.
    pub fsync: bool,
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true, max_connections: 200 }
    }
}

/// Connection strings (`postgres://…`, over the Unix socket, no password).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Urls {
    /// Whoever may create roles and databases: for set-up and tests.
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

/// A running server. [`Embedded::stop`] it last, when nothing uses the database any more; dropping it asks
/// the server to stop but does not wait.
pub struct Embedded {
    socket_dir: PathBuf,
    stop: CancellationToken,
    state: watch::Receiver<State>,
}

impl Embedded {
    /// Starts the server in `data_dir` (made if it is missing), with the roles and the empty database.
    ///
    /// # Errors
    /// `configuration_invalid`: another instance uses the data dir, no binaries, a folder that belongs to
    /// someone else. `database_unavailable`: the server did not start; `detail` has the end of its log.
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

    /// Resolves when the server is gone for good though nobody stopped it: a server that dies is started
    /// again by itself, but not without end. The text says what happened.
    pub fn watch(&self) -> impl Future<Output = String> + Send + use<> {
        let mut state = self.state.clone();
        async move {
            let ended = state.wait_for(|state| matches!(state, State::Failed(_))).await.map(|state| state.clone());
            match ended {
                Ok(State::Failed(why)) => why,
                // Stopped on purpose: there is nothing to report.
                Ok(State::Serving | State::Stopped) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Stops the server (open connections are ended) and waits until it is gone.
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

/// Where another process of ours serves the database of `data_dir`; `None`: nobody does.
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

fn url(socket_dir: &Path, role: &str, database: &str) -> String {
    let host = socket_dir.to_string_lossy();
    format!("postgres://{role}@{}/{database}", urlencoding::encode(&host))
}

/// Restarts a server that dies, stops it when asked. Holds the lock on the data dir for as long.
async fn supervise(
    cluster: Cluster,
    mut postmaster: Postmaster,
    lock: File,
    clock: Clock,
    stop: CancellationToken,
    publish: watch::Sender<State>,
) {
    let mut deaths = VecDeque::new();
    let end = loop {
        let cause = tokio::select! {
            () = stop.cancelled() => break postmaster.stop(&clock).await,
            cause = postmaster.wait() => cause,
        };
        tracing::error!(cause, "the embedded PostgreSQL ended; starting it again");
        deaths.push_back(clock.instant());
        while deaths.front().is_some_and(|death| clock.elapsed_since(*death) > DEATHS_WITHIN) {
            deaths.pop_front();
        }
        if deaths.len() > DEATHS_MOST {
            break Err(Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "the embedded PostgreSQL ended {} times within {} s, last {cause}; see {}",
                    deaths.len(),
                    DEATHS_WITHIN.as_secs(),
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

/// Makes the data dir and takes the lock on it, which the kernel frees however the process ends.
fn lock(data_dir: &Path) -> Result<File> {
    let failed = |what: &str, path: &Path, error: std::io::Error| {
        Error::new(
            Code::ConfigurationInvalid,
            format!(
                "{what} {}: {error}. Set ENTRA_ASSETS_DATA_DIR to a folder that this user can write.",
                path.display()
            ),
        )
    };
    // The server's own user has to pass through the data dir when we are root.
    let mode = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(data_dir)
        .map_err(|e| failed("cannot make the data dir", data_dir, e))?;
    let path = data_dir.join("lock");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| failed("cannot open the lock file", &path, e))?;
    match file.try_lock() {
        Ok(()) => {
            // The pid is only for the message below: the lock itself is the kernel's.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            Err(Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "another entra-assets (process {}) already uses the data dir {}. Stop it, or set \
                     ENTRA_ASSETS_DATA_DIR to another folder; several processes can share a PostgreSQL through \
                     DATABASE_URL.",
                    pid.trim(),
                    data_dir.display()
                ),
            ))
        }
        Err(TryLockError::Error(error)) => Err(failed("cannot lock", &path, error)),
    }
}
