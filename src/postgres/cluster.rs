//! The database cluster: created once, then started and stopped.

use super::account::Account;
use super::binaries::{self, Binaries, Places};
use super::leftover;
use super::roles::SUPERUSER;
use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

const POLL: Duration = Duration::from_millis(5);
/// How long a server may be `starting`: recovery after a crash can take long.
const READY_WITHIN: Duration = Duration::from_secs(300);
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// `sun_path` has 108 bytes (104 on macOS) including the NUL. The socket has the name `.s.PGSQL.5432`.
const MAX_SOCKET_DIR_BYTES: usize = 103 - "/.s.PGSQL.5432".len();
/// A larger log is replaced at the next start.
const MAX_LOG_BYTES: u64 = 10 << 20;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `false` gives up durability for speed, for tests.
    pub fsync: bool,
    pub max_connections: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { fsync: true, max_connections: 200 }
    }
}

pub(super) struct Cluster {
    data_dir: PathBuf,
    socket_dir: PathBuf,
    binaries: Binaries,
    account: Account,
    options: Options,
    clock: Clock,
}

/// A folder by a path that the user of the server can open.
struct Reach {
    path: PathBuf,
    /// `path` may refer to this descriptor, so it stays open.
    _descriptor: Option<File>,
}

impl Cluster {
    /// Finds binaries and user, and creates the cluster if there is none.
    pub async fn prepare(data_dir: &Path, clock: &Clock, options: Options) -> Result<Self> {
        let data_dir = fs::canonicalize(data_dir).map_err(|e| cannot("open the data directory", data_dir, &e))?;
        let dir = data_dir.join("postgres");
        let made_by = match fs::read_to_string(dir.join("PG_VERSION")) {
            Ok(text) => text.trim().parse().ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // The cluster of another user: `choose` says so.
            Err(error) => {
                Account::choose(&dir)?;
                return Err(cannot("read", &dir.join("PG_VERSION"), &error));
            }
        };
        let account = Account::choose(&dir)?;
        let binaries = binaries::find(&data_dir, made_by, &Places::of_this_machine())?;
        let socket_dir = socket_dir(&data_dir, account)?;
        let cluster = Self { data_dir, socket_dir, binaries, account, options, clock: clock.clone() };
        if made_by.is_none() {
            cluster.initialize().await?;
        }
        Ok(cluster)
    }

    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub fn log(&self) -> PathBuf {
        self.data_dir.join("postgres.log")
    }

    pub fn remove_socket_dir(&self) {
        let _ = fs::remove_dir(&self.socket_dir);
    }

    fn dir(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }

    /// Creates the cluster under another name first, so that an incomplete one is never used.
    async fn initialize(&self) -> Result<()> {
        let new = self.data_dir.join("postgres.new");
        for half_made in [&new, &self.dir()] {
            match fs::remove_dir_all(half_made) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(cannot("remove the unfinished", half_made, &error));
                }
                _ => {}
            }
        }
        make_private_dir(&new, self.account).map_err(|e| cannot("create", &new, &e))?;
        let reach = self.reach(&new)?;
        let mut command = self.command("initdb");
        command.args([
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--username",
            SUPERUSER,
            "--pgdata",
        ]);
        let output = command.arg(&reach.path).output().await.map_err(|e| self.cannot_run("initdb", &e))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Error::new(
                Code::DatabaseUnavailable,
                format!("initdb cannot create the database in {}: {}", new.display(), said.trim()),
            ));
        }
        if self.options.fsync {
            // One sync of everything takes a tenth of the time that initdb needs file by file.
            let synced = tokio::task::spawn_blocking(rustix::fs::sync).await;
            synced.map_err(Error::internal)?;
        }
        fs::rename(&new, self.dir()).map_err(|e| cannot("rename", &new, &e))
    }

    /// Starts the server and waits until it accepts connections.
    pub async fn launch(&self) -> Result<Postmaster> {
        leftover::clear(&self.dir(), &self.clock).await?;
        make_private_dir(&self.socket_dir, self.account).map_err(|e| cannot("create", &self.socket_dir, &e))?;
        let reach = self.reach(&self.dir())?;
        let (log, log_start) = self.open_log()?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(&reach.path);
        for setting in self.server_settings() {
            command.args(["-c", &setting]);
        }
        let log_too = log.try_clone().map_err(|e| cannot("open", &self.log(), &e))?;
        command.stdin(Stdio::null()).stdout(log).stderr(log_too).process_group(0);
        let child = command.spawn().map_err(|e| self.cannot_run("postgres", &e))?;
        let mut postmaster = Postmaster { child };
        let start = self.clock.instant();
        while !self.is_ready(&postmaster) {
            let gone = postmaster.child.try_wait().map_err(Error::internal)?;
            if gone.is_none() && self.clock.elapsed_since(start) < READY_WITHIN {
                self.clock.sleep(POLL).await;
                continue;
            }
            let what =
                gone.map_or_else(|| "is not ready after 300 s".to_owned(), |status| format!("ended with {status}"));
            return Err(Error::new(
                Code::DatabaseUnavailable,
                format!(
                    "The embedded PostgreSQL in {} {what}. The end of its log: {}",
                    self.dir().display(),
                    self.log_since(log_start)
                ),
            ));
        }
        Ok(postmaster)
    }

    fn server_settings(&self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=".to_owned(),
            // A list, in which double quotes enclose a folder.
            format!("unix_socket_directories=\"{}\"", self.socket_dir.to_string_lossy().replace('"', "\"\"")),
            "unix_socket_permissions=0700".to_owned(),
            format!("max_connections={}", self.options.max_connections),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
            "logging_collector=off".to_owned(),
            // A large import writes more than the default of 1 GB, and each checkpoint in between writes pages again.
            "max_wal_size=2GB".to_owned(),
            "log_line_prefix=%m [%p] ".to_owned(),
        ];
        if !self.options.fsync {
            settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
        }
        settings
    }

    /// Line 1 of `postmaster.pid` is the process id of the server, line 8 its state.
    /// <https://www.postgresql.org/docs/current/storage-file-layout.html>
    fn is_ready(&self, postmaster: &Postmaster) -> bool {
        let text = fs::read_to_string(self.dir().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        pid.is_some() && pid == postmaster.child.id() && lines.nth(6).is_some_and(|line| line.trim() == "ready")
    }

    fn command(&self, binary: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(binary));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir("/");
        if self.account.switch {
            command.uid(self.account.uid).gid(self.account.gid);
        }
        command
    }

    /// The path by which the user of the server opens a folder. If that user cannot pass a parent folder (for example a
    /// private folder of root), the server inherits an open descriptor of the folder instead.
    fn reach(&self, dir: &Path) -> Result<Reach> {
        if !self.account.switch || self.account.reaches(&self.data_dir) {
            return Ok(Reach { path: dir.to_owned(), _descriptor: None });
        }
        let descriptor = File::open(dir).map_err(|e| cannot("open", dir, &e))?;
        rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::empty())
            .map_err(|e| cannot("open", dir, &e.into()))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        if !path.exists() {
            return Err(Error::new(
                Code::ConfigurationInvalid,
                format!(
                    "The user of the database (uid {}) cannot reach {}: a folder above it is private. Set \
                     ENTRA_ASSETS_DATA_DIR to a folder such as /var/lib/entra-assets.",
                    self.account.uid,
                    self.data_dir.display()
                ),
            ));
        }
        Ok(Reach { path, _descriptor: Some(descriptor) })
    }

    /// The log, and its length before this start. A log that has grown too large is replaced first.
    fn open_log(&self) -> Result<(File, u64)> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|m| m.len() > MAX_LOG_BYTES) {
            let _ = fs::rename(&path, self.data_dir.join("postgres.log.1"));
        }
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let log = open.map_err(|e| cannot("open", &path, &e))?;
        let length = log.metadata().map(|m| m.len()).unwrap_or_default();
        Ok((log, length))
    }

    fn log_since(&self, start: u64) -> String {
        let mut text = Vec::new();
        let read = File::open(self.log()).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            file.take(MAX_LOG_BYTES).read_to_end(&mut text)
        });
        if let Err(error) = read {
            return format!("(unreadable: {error})");
        }
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(6)..].join(" | ")
    }

    fn cannot_run(&self, binary: &str, error: &std::io::Error) -> Error {
        Error::new(
            Code::ConfigurationInvalid,
            format!(
                "Cannot run {} as uid {}: {error}. That user must be able to pass all folders above it.",
                self.binaries.dir.join(binary).display(),
                self.account.uid
            ),
        )
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(Code::ConfigurationInvalid, format!("Cannot {what} {}: {error}.", path.display()))
}

/// Creates a folder that only the user of the server can enter, or checks that an existing folder is one.
fn make_private_dir(dir: &Path, account: Account) -> std::io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) if account.switch => std::os::unix::fs::chown(dir, Some(account.uid), Some(account.gid)),
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(dir)?;
            if found.is_dir() && found.uid() == account.uid && found.mode() & 0o077 == 0 {
                Ok(())
            } else {
                Err(std::io::Error::other(format!("it exists, but is not a private folder of uid {}", account.uid)))
            }
        }
        Err(error) => Err(error),
    }
}

/// `run` in the data directory. If that path is too long for a socket, or the server cannot reach it: a folder in `/run` or
/// `/tmp` named by the hash of the data directory.
fn socket_dir(data_dir: &Path, account: Account) -> Result<PathBuf> {
    let fits = |dir: &PathBuf| dir.as_os_str().len() <= MAX_SOCKET_DIR_BYTES;
    let inside = data_dir.join("run");
    if fits(&inside) && (!account.switch || account.reaches(data_dir)) {
        return Ok(inside);
    }
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|index| digest[index]);
    let name = format!("entra-assets-{:012x}", u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|_| !account.switch);
    let folders = [runtime, Some(PathBuf::from("/run")), Some(PathBuf::from("/tmp"))];
    let mut last = None;
    for dir in folders.into_iter().flatten().map(|folder| folder.join(&name)).filter(fits) {
        match make_private_dir(&dir, account) {
            Ok(()) => return Ok(dir),
            Err(error) => last = Some(cannot("create", &dir, &error)),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(Code::ConfigurationInvalid, "Found no folder for the socket of the database. Set ENTRA_ASSETS_DATA_DIR to a folder with a shorter path.")))
}

/// The first process of the server.
pub(super) struct Postmaster {
    child: Child,
}

impl Postmaster {
    /// Waits until it has ended, and says how.
    pub async fn wait(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => format!("with {status}"),
            Err(error) => format!("and could not be waited for: {error}"),
        }
    }

    /// A fast shutdown: closes connections and writes everything. If it does not end in time: an immediate shutdown.
    pub async fn stop(&mut self, clock: &Clock) -> Result<()> {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            self.signal(signal);
            tokio::select! {
                _ = self.child.wait() => return Ok(()),
                () = clock.sleep(STOP_WITHIN) => tracing::warn!(?signal, "the embedded PostgreSQL does not stop; sending a stronger signal"),
            }
        }
        Err(Error::new(Code::DatabaseUnavailable, "The embedded PostgreSQL does not stop."))
    }

    fn signal(&self, signal: Signal) {
        // After the end of the process was observed there is no id, so no other process gets the signal.
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}
