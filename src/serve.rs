//! Starts the service step by step (database, migrations, keys, workers, listeners) and stops it in reverse order.

use crate::api::refusals::Refusals;
use crate::api::{self, Offer};
use crate::app::App;
use crate::clock::Clock;
use crate::config::data_dir::{self, StoredKey};
use crate::config::{Role, Settings};
use crate::db::connect::Options;
use crate::db::{Db, inspect, listen, migrate};
use crate::error::{Code, Error, Result};
use crate::ids::WorkerId;
use crate::postgres::{self, Embedded};
use crate::runs::outage::Outage;
use crate::runs::{database_clock, followers, quotas, scheduler, takeover, webhooks, worker};
use crate::seal::KeyRing;
use crate::shutdown::{Finish, Shutdown};
use crate::telemetry;
use actix_web::dev::ServerHandle;
use secrecy::SecretString;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// How long running tasks may take to end when the service stops.
const GRACE: Duration = Duration::from_secs(25);
/// The longest wait before the LISTEN connection is opened again.
const MAX_LISTEN_PAUSE: Duration = Duration::from_secs(5);

/// A running service.
pub struct Service {
    pub app: App,
    /// The address of the API.
    pub address: SocketAddr,
    /// The admin key in the data directory, if the database is embedded.
    pub admin_key: Option<StoredKey>,
    embedded: Option<Embedded>,
    servers: Vec<ServerHandle>,
    shutdown: Shutdown,
}

/// The database of the service: the embedded one, or that of `DATABASE_URL`.
pub struct Database {
    pub embedded: Option<Embedded>,
    pub runtime: Options,
    pub migrate: Options,
    pub listen: Options,
}

impl Database {
    /// Connects to `DATABASE_URL`, or starts the embedded PostgreSQL in the data directory.
    pub async fn open(settings: &Settings, clock: &Clock) -> Result<Self> {
        let (database, ca_file) = (&settings.database, &settings.http.ca_file);
        let options = |url: &SecretString| Options::new(url, ca_file.clone());
        if let Some(url) = &database.database_url {
            return Ok(Self {
                embedded: None,
                runtime: options(url)?,
                migrate: options(database.migrate_url.as_ref().unwrap_or(url))?,
                listen: options(database.listen_database_url.as_ref().unwrap_or(url))?,
            });
        }
        let embedded = Embedded::start(&database.data_dir()?, clock, postgres::Options::default()).await?;
        let urls = embedded.urls();
        Ok(Self {
            runtime: options(&urls.runtime.clone().into())?,
            migrate: options(&urls.migrate.into())?,
            listen: options(&urls.runtime.into())?,
            embedded: Some(embedded),
        })
    }

    /// Like [`Database::open`], even while another process runs the embedded PostgreSQL.
    pub async fn open_beside(settings: &Settings, clock: &Clock) -> Result<Self> {
        let running = match settings.database.database_url {
            Some(_) => None,
            None => postgres::running(&settings.database.data_dir()?),
        };
        let Some(urls) = running else { return Self::open(settings, clock).await };
        let options = |url: String| Options::new(&url.into(), None);
        Ok(Self {
            embedded: None,
            runtime: options(urls.runtime.clone())?,
            migrate: options(urls.migrate)?,
            listen: options(urls.runtime)?,
        })
    }

    /// Applies pending migrations and returns their names.
    ///
    /// A process whose role does not own the tables need not know the owner's password, as long as nothing is pending.
    pub async fn migrate(&self) -> Result<Vec<String>> {
        if self.migrate.role() == self.runtime.role() {
            let pending = migrate::pending(&self.runtime).await?;
            if pending.is_empty() {
                return Ok(pending);
            }
        }
        migrate::up(&self.migrate, self.runtime.role().as_deref()).await
    }

    /// Stops the embedded server, if there is one.
    pub async fn close(self) -> Result<()> {
        match self.embedded {
            Some(embedded) => embedded.stop().await,
            None => Ok(()),
        }
    }
}

/// Starts everything that `role` needs. When it returns, the service accepts requests. A new admin key is passed to
/// `show_new_key` before anything else can fail, since it is shown only once.
pub async fn start(
    settings: Settings,
    role: Role,
    clock: Clock,
    shutdown: Shutdown,
    show_new_key: impl FnOnce(&SecretString),
) -> Result<Service> {
    if role != Role::Api {
        settings.check_connections()?;
    }
    api::descriptors::raise();
    let database = Database::open(&settings, &clock).await?;
    match start_on(&database, settings, role, clock, &shutdown, show_new_key).await {
        Ok((app, address, admin_key, servers)) => {
            tracing::info!(%address, "serving");
            Ok(Service { app, address, admin_key, embedded: database.embedded, servers, shutdown })
        }
        Err(error) => {
            // Nobody else would stop the embedded database.
            shutdown.abort();
            if let Err(error) = database.close().await {
                tracing::warn!(code = %error.code, "the embedded database did not stop: {}", error.detail);
            }
            Err(error)
        }
    }
}

/// Everything but the database.
type Started = (App, SocketAddr, Option<StoredKey>, Vec<ServerHandle>);

async fn start_on(
    database: &Database,
    mut settings: Settings,
    role: Role,
    clock: Clock,
    shutdown: &Shutdown,
    show_new_key: impl FnOnce(&SecretString),
) -> Result<Started> {
    if database.embedded.is_none() {
        inspect::check_prepared_statements(&database.runtime).await?;
        refuse_a_strong_role(&database.runtime, settings.security.allow_superuser).await?;
    }
    for name in database.migrate().await? {
        tracing::info!(migration = name, "migration applied");
    }
    let admin_key = match (&database.embedded, &settings.security.admin_key) {
        (Some(_), None) => Some(data_dir::load_or_create_admin_key(&settings.database.data_dir()?)?),
        (Some(_), Some(_)) | (None, _) => None,
    };
    if let Some(stored) = admin_key.as_ref().filter(|stored| stored.is_new) {
        show_new_key(&stored.key);
    }
    if let Some(stored) = &admin_key {
        settings.security.admin_key = Some(stored.key.clone());
    }
    let keys = master_keys(&settings, database.embedded.is_some())?;
    if let Some(host) = database.runtime.unverified_host() {
        tracing::warn!(
            host,
            "nobody checks that this is the right database server, nor that the connection is encrypted; add \
             `sslmode=verify-full` to DATABASE_URL, or `sslmode=disable` if the network is private"
        );
    }
    for issuer in settings.security.issuers().iter().filter(|issuer| issuer.is_unbounded()) {
        tracing::warn!(
            issuer = issuer.issuer,
            "tokens of this issuer may name every organization, `default` too, or have every scope; add `organizations` and \
             `scopes` to its entry in ENTRA_ASSETS_JWT_ISSUERS"
        );
    }
    if database.embedded.is_none() && settings.database.migrate_url.is_some() {
        tracing::warn!(
            "this process knows the password of the role that owns the tables, which can switch row-level security off; set \
             ENTRA_ASSETS_MIGRATE_URL for `entra-assets migrate` alone"
        );
    }
    let db = Db::new(&database.runtime, settings.database_connections())?;
    db.ping().await?;
    let (listen, metrics_listen) = (settings.listen, settings.metrics_listen);
    let app = App::new(db, clock.clone(), keys, settings, shutdown.begun())?;

    database_clock::follow(&app).await?;

    let refusals = Arc::new(Refusals::default());
    shutdown.spawn(upkeep(&app, refusals.clone(), shutdown)?);
    shutdown.spawn(database_clock::keep(app.clone(), shutdown.begun()));
    shutdown.spawn(quotas::keep(app.clone(), shutdown.begun()));
    shutdown.spawn(followers::keep(app.clone(), shutdown.begun()));
    shutdown.spawn(keep_listening(app.clone(), database.listen.clone(), shutdown.clone()));

    let offer = match (role, metrics_listen) {
        (Role::Worker, _) => Offer::Operations,
        (Role::Api | Role::All, Some(_)) => Offer::AllButMetrics,
        (Role::Api | Role::All, None) => Offer::All,
    };
    let listener = bind(listen, "ENTRA_ASSETS_LISTEN")?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let mut servers = vec![serve(&app, listener, offer, refusals.clone())?];
    if let Some(address) = metrics_listen {
        let listener = bind(address, "ENTRA_ASSETS_METRICS_LISTEN")?;
        servers.push(serve(&app, listener, Offer::Operations, refusals)?);
    }
    start_workers(&app, role, shutdown);
    Ok((app, address, admin_key, servers))
}

impl Service {
    /// Serves until the shutdown begins or the embedded database is lost. Then stops the HTTP servers, the workers, and
    /// last the database.
    pub async fn run(self) -> Result<()> {
        let lost = async {
            match &self.embedded {
                Some(embedded) => embedded.watch().await,
                None => std::future::pending().await,
            }
        };
        let lost = tokio::select! {
            () = async { self.shutdown.begun().cancelled().await } => None,
            why = lost => Some(why),
        };
        if lost.is_some() {
            self.shutdown.abort();
        }
        let aborted = self.shutdown.aborted();
        for server in &self.servers {
            // Open requests are answered, unless a second signal aborts.
            aborted.run_until_cancelled(server.stop(true)).await;
        }
        let finish = self.shutdown.finish(&self.app.clock, GRACE).await;
        match finish {
            Finish::Whole => tracing::info!("stopped"),
            Finish::CutShort => tracing::warn!("stopped; interrupted runs resume from their last checkpoint"),
            Finish::Unfinished(tasks) => tracing::error!(tasks, "stopped although some tasks did not end"),
        }
        if let Some(embedded) = self.embedded {
            embedded.stop().await?;
        }
        match lost {
            Some(why) => Err(Error::new(Code::DatabaseUnavailable, why)),
            None => Ok(()),
        }
    }
}

/// The master keys: as set, else those of the data directory if the database is embedded.
pub fn master_keys(settings: &Settings, is_embedded: bool) -> Result<KeyRing> {
    if let Some(text) = &settings.security.master_key {
        return KeyRing::parse(text);
    }
    if is_embedded {
        return KeyRing::parse(&data_dir::load_or_create_master_key(&settings.database.data_dir()?)?.key);
    }
    Err(Error::new(
        Code::ConfigurationInvalid,
        "ENTRA_ASSETS_MASTER_KEY is required if DATABASE_URL is set: it encrypts the stored secrets. Generate one with \
         `openssl rand -base64 32` and keep it safe. ENTRA_ASSETS_MASTER_KEY_FILE can name a file with it.",
    ))
}

/// Row-level security keeps organizations apart only from a role that it applies to.
///
/// # Errors
/// `configuration_invalid`: it does not apply to the role of `DATABASE_URL`, and the setting does not allow that. Unset, the
/// setting allows it on this machine only.
async fn refuse_a_strong_role(options: &Options, is_allowed: Option<bool>) -> Result<()> {
    let role = inspect::runtime_role(options).await?;
    if !role.bypasses_security {
        return Ok(());
    }
    if is_allowed.unwrap_or(options.is_on_this_machine()) {
        tracing::error!(
            role = role.name,
            "row-level security does not apply to the role of DATABASE_URL: nothing in the database keeps organizations \
             apart; use a role that is neither superuser nor has BYPASSRLS"
        );
        return Ok(());
    }
    let detail = format!(
        "The role `{0}` of DATABASE_URL is a superuser or has BYPASSRLS, so nothing in the database keeps organizations apart. \
         Name in DATABASE_URL a role that is neither, and in ENTRA_ASSETS_MIGRATE_URL the role that owns the tables. A role \
         that only this service uses can also be weakened: ALTER ROLE \"{0}\" NOSUPERUSER NOBYPASSRLS. To start with `{0}` all \
         the same, use `--allow-superuser` or ENTRA_ASSETS_ALLOW_SUPERUSER=on.",
        role.name
    );
    Err(Error::new(Code::ConfigurationInvalid, detail))
}

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).map_err(|e| {
        let detail = format!("Cannot listen on {address}: {e}. Set {setting} to a free address.");
        Error::new(Code::ConfigurationInvalid, detail)
    })
}

fn serve(app: &App, listener: TcpListener, offer: Offer, refusals: Arc<Refusals>) -> Result<ServerHandle> {
    let server = api::server(app.clone(), listener, offer, refusals)?;
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

/// Keeps the metrics small, and tells of refused requests that got no line in the log.
fn upkeep(app: &App, refusals: Arc<Refusals>, shutdown: &Shutdown) -> Result<impl Future<Output = ()> + use<>> {
    let (metrics, clock, begun) = (telemetry::metrics()?, app.clock.clone(), shutdown.begun());
    Ok(async move {
        let tell = || refusals.tell_unsaid(&clock);
        begun.run_until_cancelled(telemetry::keep_up(metrics, &clock, tell)).await;
        refusals.tell_rest();
    })
}

/// Forwards the notices of other processes, and reconnects whenever the connection breaks.
async fn keep_listening(app: App, options: Options, shutdown: Shutdown) {
    const LOST: &str = "LISTEN connection lost, and this process polls until it is back";
    let mut outage = Outage::default();
    let listening = async {
        loop {
            let begun = app.clock.instant();
            let ended = listen::forward(&options, &app.presence, &app.notices).await;
            if app.clock.elapsed_since(begun) > MAX_LISTEN_PAUSE {
                // It listened for a while, so this is another loss.
                outage.note(&app.clock, LOST, None);
            }
            outage.note(&app.clock, LOST, ended.as_ref().err().map(|error| error.detail.as_str()));
            let wait = MAX_LISTEN_PAUSE / 2 + app.clock.jitter(MAX_LISTEN_PAUSE / 2);
            app.clock.sleep(wait).await;
        }
    };
    shutdown.begun().run_until_cancelled(listening).await;
}

/// Starts workers, scheduler and webhooks if `role` includes them.
fn start_workers(app: &App, role: Role, shutdown: &Shutdown) {
    match role {
        Role::Api => {}
        Role::Worker | Role::All => {
            let worker = WorkerId::new(&app.clock);
            shutdown.spawn(worker::work(app.clone(), worker, shutdown.begun()));
            shutdown.spawn(takeover::keep(app.clone(), shutdown.begun()));
            shutdown.spawn(scheduler::keep(app.clone(), worker, shutdown.begun()));
            shutdown.spawn(webhooks::keep(app.clone(), shutdown.begun()));
        }
    }
}
