//! One PostgreSQL for all tests of this checkout, one database per test.
//!
//! The first test process that needs the server starts this test binary once more as its *keeper*: it holds an
//! embedded PostgreSQL (without fsync, in memory where there is enough of it), serves every other test process, whether they are
//! threads of `cargo test` or processes of nextest, and stops by itself when no test process was there for
//! [`IDLE`]. A database is a copy of a template that was migrated once per state of `migrations/`.

use entra_assets::clock::Clock;
use entra_assets::postgres::{Embedded, OWNER_ROLE, Options, RUNTIME_ROLE, Urls};
use entra_assets::{db, ids};
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

const IDLE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
const START_WITHIN: Duration = Duration::from_secs(120);
const KEEPER: &str = "ENTRA_ASSETS_TEST_POSTGRES_KEEPER";
const LOCK_OF_TEMPLATES: i64 = 1;
/// A file system in memory must have room for the server and many databases.
const MIN_BYTES_IN_MEMORY: u64 = 4 << 30;

/// A migrated database of one test's own; dropped with it.
pub struct TestDatabase {
    pub urls: Urls,
    name: String,
    admin_url: String,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let template = Server::of_this_process().await.template.clone();
        Self::create_from(&template).await
    }

    /// A database without tables.
    pub async fn create_empty() -> Self {
        Self::create_from("template0").await
    }

    async fn create_from(template: &str) -> Self {
        let server = Server::of_this_process().await;
        let name = format!("test_{}", ids::new_v7(&Clock::system()).simple());
        let admin = connect(&server.urls_of_postgres.superuser).await;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER_ROLE}");
        admin.batch_execute(&create).await.unwrap();
        admin.batch_execute(&privileges(&name)).await.unwrap();
        Self { urls: server.urls(&name), name, admin_url: server.urls_of_postgres.superuser.clone() }
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own: the test's runtime may be ending, and cannot wait here.
    fn drop(&mut self) {
        let (url, name) = (self.admin_url.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // Whatever fails here, the next keeper drops the database.
                if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
                    tokio::spawn(connection);
                    let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

/// The server as this process sees it.
struct Server {
    urls_of_postgres: Urls,
    template: String,
    /// Tells the keeper that somebody is here.
    _in_use: File,
}

impl Server {
    async fn of_this_process() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER.get_or_init(Self::find_or_start).await
    }

    async fn find_or_start() -> Self {
        let dir = dir();
        fs::create_dir_all(&dir).unwrap();
        let clock = Clock::system();
        let start = clock.instant();
        let mut asked = None;
        loop {
            // Waits here while a keeper is stopping.
            let in_use = open(&dir.join("in-use"));
            in_use.lock_shared().unwrap();
            if is_kept(&dir) {
                if let Some(urls_of_postgres) = serving(&dir).await {
                    let template = template(&urls_of_postgres).await;
                    return Self { urls_of_postgres, template, _in_use: in_use };
                }
            } else if asked.is_none_or(|asked| clock.elapsed_since(asked) > ASK_AGAIN_AFTER) {
                // Of several keepers, those that come second go away.
                spawn_keeper();
                asked = Some(clock.instant());
            }
            let log = fs::read_to_string(dir.join("keeper.log")).unwrap_or_default();
            assert!(clock.elapsed_since(start) < START_WITHIN, "the tests' PostgreSQL does not start: {log}");
            drop(in_use);
            clock.sleep(POLL).await;
        }
    }

    fn urls(&self, database: &str) -> Urls {
        let of = |url: &str| format!("{}/{database}", url.rsplit_once('/').unwrap().0);
        let Urls { superuser, migrate, runtime } = &self.urls_of_postgres;
        Urls { superuser: of(superuser), migrate: of(migrate), runtime: of(runtime) }
    }
}

fn dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres")
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

fn is_kept(dir: &Path) -> bool {
    open(&dir.join("kept")).try_lock_shared().is_err()
}

/// The server's URLs, if the keeper has written them and it answers.
async fn serving(dir: &Path) -> Option<Urls> {
    let text = fs::read_to_string(dir.join("urls")).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    let urls = Urls { superuser: lines.next()?, migrate: lines.next()?, runtime: lines.next()? };
    let (_, connection) = tokio_postgres::connect(&urls.superuser, NoTls).await.ok()?;
    drop(connection);
    Some(urls)
}

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// As the product gives them to its own database.
fn privileges(database: &str) -> String {
    format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC; \
         GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {RUNTIME_ROLE}"
    )
}

/// The name of the template for the migrations as they are now; made by the first process that asks.
async fn template(urls: &Urls) -> String {
    let name = format!("template_{:016x}", hash_of_migrations());
    let admin = connect(&urls.superuser).await;
    admin.execute("SELECT pg_advisory_lock($1)", &[&LOCK_OF_TEMPLATES]).await.unwrap();
    if admin.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.unwrap().is_none() {
        let unfinished = format!("unfinished_{name}");
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {unfinished} OWNER {OWNER_ROLE}")).await.unwrap();
        let (head, _) = urls.migrate.rsplit_once('/').unwrap();
        let superuser = format!("{}/{unfinished}", urls.superuser.rsplit_once('/').unwrap().0);
        let schema = format!("ALTER SCHEMA public OWNER TO {OWNER_ROLE}; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        connect(&superuser).await.batch_execute(&schema).await.unwrap();
        migrate(format!("{head}/{unfinished}")).await;
        // Sessions that just ended can hold the name for a moment.
        let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        admin.execute(end, &[&unfinished]).await.unwrap();
        admin.batch_execute(&format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await.unwrap();
    }
    name
}

/// Migrations need a multi-thread runtime, and a test may have another.
async fn migrate(url: String) {
    let migrating = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let options = db::connect::Options::new(&url.into(), None).unwrap();
            db::migrate::up(&options, Some(RUNTIME_ROLE)).await.unwrap();
        });
    });
    tokio::task::spawn_blocking(|| migrating.join().unwrap()).await.unwrap();
}

fn hash_of_migrations() -> u64 {
    let mut files = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"), &mut files);
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { gather(&path, files) } else { files.push(path) }
    }
}

fn spawn_keeper() {
    use std::os::unix::process::CommandExt as _;
    let log = OpenOptions::new().create(true).append(true).open(dir().join("keeper.log")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["support::postgres::keeper", "--exact", "--ignored", "--nocapture"]).env(KEEPER, "1");
    // Not a child that a test runner waits for or ends with the test.
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
    drop(command.spawn().unwrap());
}

/// Not a test: the process that keeps the server, see above.
#[tokio::test]
#[ignore = "started by the tests themselves"]
async fn keeper() {
    if std::env::var_os(KEEPER).is_none() {
        return;
    }
    let dir = dir();
    let only_keeper = open(&dir.join("keeper"));
    if only_keeper.try_lock().is_err() {
        return;
    }
    // A keeper that was killed leaves them behind, and its server, which the start below stops. So they go
    // before anybody can see that there is a keeper again.
    let _ = fs::remove_file(dir.join("urls"));
    let kept = open(&dir.join("kept"));
    kept.lock().unwrap();
    let clock = Clock::system();
    let data_dir = data_dir(&dir);
    let postgres = start_anew(&data_dir, &clock).await;
    let urls = postgres.urls_of("postgres");
    let text = format!("{}\n{}\n{}\n", urls.superuser, urls.migrate, urls.runtime);
    fs::write(dir.join("urls.new"), text).unwrap();
    fs::rename(dir.join("urls.new"), dir.join("urls")).unwrap();
    let in_use = open(&dir.join("in-use"));
    let mut idle_since = clock.instant();
    loop {
        clock.sleep(Duration::from_millis(500)).await;
        if in_use.try_lock().is_err() {
            idle_since = clock.instant();
            continue;
        }
        if clock.elapsed_since(idle_since) > IDLE {
            break;
        }
        in_use.unlock().unwrap();
    }
    // With the lock held: a new test process waits for the end and starts a keeper of its own.
    fs::remove_file(dir.join("urls")).unwrap();
    postgres.stop().await.unwrap();
    // What is in memory would stay there.
    fs::remove_dir_all(&data_dir).unwrap();
}

/// Where the server keeps its files. A database has 300 files and a test has a database: on a disk, the file system takes
/// a third of the time of all tests.
fn data_dir(dir: &Path) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let has_room =
        rustix::fs::statvfs(memory).is_ok_and(|found| found.f_bavail * found.f_frsize >= MIN_BYTES_IN_MEMORY);
    if !has_room {
        return dir.join("data");
    }
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    memory.join(format!("entra-assets-tests-{}-{:016x}", rustix::process::getuid().as_raw(), hasher.finish()))
}

/// The server with nothing left of earlier tests.
async fn start_anew(data_dir: &Path, clock: &Clock) -> Embedded {
    let options = Options { fsync: false, max_connections: 400 };
    let postgres = match Embedded::start(data_dir, clock, options).await {
        Ok(postgres) => postgres,
        // Without fsync, a machine that went down leaves a cluster that does not start.
        Err(error) => {
            eprintln!("{error}; starting with an empty folder");
            fs::remove_dir_all(data_dir).unwrap();
            Embedded::start(data_dir, clock, options).await.unwrap()
        }
    };
    let admin = connect(&postgres.urls_of("postgres").superuser).await;
    let left = "SELECT datname::text FROM pg_database WHERE datname ~ '^(test|unfinished|template)_'";
    for row in admin.query(left, &[]).await.unwrap() {
        let name: String = row.get(0);
        admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    }
    postgres
}

#[tokio::test]
async fn databases_of_two_tests_share_nothing_but_the_schema() {
    let (first, second) = (TestDatabase::create().await, TestDatabase::create().await);
    let owner = connect(&first.urls.migrate).await;
    owner.batch_execute("CREATE TABLE only_here ()").await.unwrap();
    let other = connect(&second.urls.runtime).await;
    assert!(other.batch_execute("SELECT FROM only_here").await.is_err());
    other.batch_execute("SELECT FROM organizations").await.unwrap();
}

#[tokio::test]
async fn a_database_goes_with_its_test() {
    let database = TestDatabase::create().await;
    let (admin_url, name) = (database.admin_url.clone(), database.name.clone());
    let held = connect(&database.urls.runtime).await;
    drop(database);
    assert!(held.batch_execute("SELECT 1").await.is_err());
    let admin = connect(&admin_url).await;
    assert!(admin.query_opt("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.unwrap().is_none());
}
