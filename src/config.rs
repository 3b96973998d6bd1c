//! The settings: environment variables and options. Their doc comments are the texts of `--help`.

mod collector;
pub mod data_dir;
pub mod issuers;
pub mod network;
#[cfg(test)]
mod tests;

use crate::error::{Code, Error, Result};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use issuers::{ForgeAppId, JwtIssuer, JwtIssuers};
use network::Network;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// The tasks of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Role {
    /// Only the API.
    Api,
    /// Only runs; the health endpoints are served too.
    Worker,
    /// Both.
    All,
}

/// Whether something is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// The settings of `serve`.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    #[command(flatten)]
    pub database: DatabaseSettings,
    #[command(flatten)]
    pub http: HttpSettings,
    #[command(flatten)]
    pub hosts: HostSettings,
    #[command(flatten)]
    pub security: SecuritySettings,
    #[command(flatten)]
    pub traces: TraceSettings,

    /// Address of the API.
    #[arg(long, env = "ENTRA_ASSETS_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Separate address for /metrics. Default: /metrics is served on the address of the API.
    #[arg(long, env = "ENTRA_ASSETS_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Whether the API's address also serves the console at /console, if the program was built with it.
    #[arg(long, env = "ENTRA_ASSETS_CONSOLE", default_value = "on")]
    pub console: Switch,
    /// The number of runs that this process executes at the same time. Each needs a database connection. Default: 4, or as
    /// many as ENTRA_ASSETS_DATABASE_CONNECTIONS suffices for.
    #[arg(long, env = "ENTRA_ASSETS_WORKERS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// The most requests per minute of each API key or token to this process. 0: no limit.
    #[arg(long, env = "ENTRA_ASSETS_RATE_LIMIT", default_value_t = 12_000)]
    pub rate_limit: u32,
    /// The most requests per minute of all keys and tokens of an organization together to this process. 0: no limit. Default:
    /// five times ENTRA_ASSETS_RATE_LIMIT.
    #[arg(long, env = "ENTRA_ASSETS_ORGANIZATION_RATE_LIMIT")]
    pub organization_rate_limit: Option<u32>,
    /// The most requests per minute of each address without a valid key to this process; health checks do not count. 0: no
    /// limit.
    #[arg(long, env = "ENTRA_ASSETS_ADDRESS_RATE_LIMIT", default_value_t = 6_000)]
    pub address_rate_limit: u32,
    /// The most Graph resource units per ten seconds, for each application and tenant. Graph allows an application 8,000
    /// in a large tenant; set fewer to leave some to other programs that use the same application.
    #[arg(long, env = "ENTRA_ASSETS_GRAPH_UNITS", default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(500..))]
    pub graph_units: u32,
    /// CSV file with the columns `skuId,skuPartNumber,name`. Its licence names replace the built-in names.
    #[arg(long, env = "ENTRA_ASSETS_LICENSE_NAMES")]
    pub license_names: Option<PathBuf>,
    /// The number of days after which events and changes of runs, connection checks and audit events are deleted.
    #[arg(long, env = "ENTRA_ASSETS_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub retention_days: u32,
    /// The number of days after which an incremental run reads everything once, to correct differences.
    #[arg(long, env = "ENTRA_ASSETS_FULL_EVERY_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub full_every_days: u32,
}

/// A run waits for no connection while it holds one (`runs/transaction.rs`).
const CONNECTIONS_OF_A_RUN: u16 = 1;
/// Connections for the API, the leases and the queue.
const OTHER_CONNECTIONS: u16 = 2;
/// So many callers of an organization may use up their limits at the same time.
const CALLERS_OF_AN_ORGANIZATION: u32 = 5;
const DEFAULT_WORKERS: u16 = 4;
const DEFAULT_CONNECTIONS: u16 = 16;

/// The database connections that so many workers need.
fn connections_for(workers: u16) -> u16 {
    workers * CONNECTIONS_OF_A_RUN + OTHER_CONNECTIONS
}

/// The workers that so many database connections suffice for.
fn workers_for(connections: u16) -> u16 {
    (connections.saturating_sub(OTHER_CONNECTIONS) / CONNECTIONS_OF_A_RUN).max(1)
}

impl Settings {
    /// How many runs are executed at the same time.
    pub fn concurrent_runs(&self) -> u16 {
        let fitting = self.database.database_connections.map_or(DEFAULT_WORKERS, workers_for);
        self.workers.unwrap_or(DEFAULT_WORKERS.min(fitting))
    }

    /// How many database connections this process uses at most.
    pub fn database_connections(&self) -> u16 {
        let needed = self.workers.map_or(DEFAULT_CONNECTIONS, connections_for);
        self.database.database_connections.unwrap_or(DEFAULT_CONNECTIONS.max(needed))
    }

    /// How many requests per minute an organization may send to this process; 0: as many as it likes.
    pub fn organization_rate_limit(&self) -> u32 {
        self.organization_rate_limit.unwrap_or(self.rate_limit.saturating_mul(CALLERS_OF_AN_ORGANIZATION))
    }

    /// Refuses settings with which runs would wait for each other's database connections, and leave none for the rest.
    pub fn check_connections(&self) -> Result<()> {
        let (workers, has) = (self.concurrent_runs(), self.database_connections());
        let needed = connections_for(workers);
        if needed <= has {
            return Ok(());
        }
        let fitting = workers_for(has);
        let detail = format!(
            "ENTRA_ASSETS_WORKERS={workers} needs {needed} database connections, {CONNECTIONS_OF_A_RUN} for each run and \
             {OTHER_CONNECTIONS} for the API and the queue, and ENTRA_ASSETS_DATABASE_CONNECTIONS is {has}. Set \
             ENTRA_ASSETS_DATABASE_CONNECTIONS to {needed} or more, or ENTRA_ASSETS_WORKERS to {fitting} or fewer."
        );
        Err(Error::new(Code::ConfigurationInvalid, detail))
    }
}

#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// URL of the PostgreSQL database (postgres://…). Default: an embedded PostgreSQL in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<SecretString>,
    /// URL of the same database with the role that owns the tables; used for migrations. Default: DATABASE_URL.
    #[arg(long, env = "ENTRA_ASSETS_MIGRATE_URL", hide_env_values = true, value_parser = secret)]
    pub migrate_url: Option<SecretString>,
    /// URL of the same database without a transaction pooler; used for LISTEN. Default: DATABASE_URL.
    #[arg(long, env = "ENTRA_ASSETS_LISTEN_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub listen_database_url: Option<SecretString>,
    /// Data directory: the embedded database and the generated keys. Default: /var/lib/entra-assets for root, otherwise
    /// entra-assets in $XDG_DATA_HOME or ~/.local/share. PostgreSQL refuses to run as root, so root's database runs as
    /// another user, and the directory must not be below /root.
    #[arg(long, env = "ENTRA_ASSETS_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The most database connections of this process. Default: 16, or as many as ENTRA_ASSETS_WORKERS needs.
    #[arg(long, env = "ENTRA_ASSETS_DATABASE_CONNECTIONS", value_parser = clap::value_parser!(u16).range(4..=600))]
    pub database_connections: Option<u16>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct HttpSettings {
    /// Proxy for all requests to Microsoft, Atlassian, issuers of tokens, receivers of webhooks and a collector on another
    /// machine: http://host:port, or http://user:password@host:port.
    #[arg(long, env = "ENTRA_ASSETS_PROXY", hide_env_values = true)]
    pub proxy: Option<Url>,
    /// PEM file with additional trusted certificate authorities.
    #[arg(long, env = "ENTRA_ASSETS_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// The time limit of one request, for tests.
    #[arg(skip)]
    pub request_timeout: Option<Duration>,
}

/// Where traces go. The variables have the names that OpenTelemetry's specification gives them.
#[derive(Args, Clone, Debug)]
pub struct TraceSettings {
    /// Address of an OpenTelemetry collector, which is sent traces by OTLP over HTTP at the path /v1/traces below it:
    /// http://host:4318. Default: there are no traces.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = collector::address)]
    pub otlp_endpoint: Option<Url>,
    /// Address that traces are sent to as it is, in place of the path /v1/traces below the other one.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value_parser = collector::address)]
    pub otlp_traces_endpoint: Option<Url>,
    /// Headers that the collector asks of its senders, such as a key: `name=value`, separated by commas, the values
    /// percent-encoded.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, value_parser = collector::headers)]
    pub otlp_headers: Option<HeaderMap>,
    /// The name of this service in its traces.
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "entra-assets")]
    pub otlp_service_name: String,
    /// `true`: no traces, whatever else is set.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value = "false", action = ArgAction::Set, value_parser = collector::is_true)]
    pub otel_sdk_disabled: bool,
}

impl TraceSettings {
    /// Where traces are sent, if anywhere. Source: OpenTelemetry, «OTLP Exporter», «Endpoint URLs for OTLP/HTTP».
    pub fn address(&self) -> Option<Url> {
        let below = || self.otlp_endpoint.as_ref().map(collector::below);
        self.otlp_traces_endpoint.clone().or_else(below).filter(|_| !self.otel_sdk_disabled)
    }
}

/// Where the settings are, for all commands.
#[derive(Args, Clone, Debug, Default)]
pub struct ConfigSettings {
    /// TOML file with settings, named like the variables in lower case without ENTRA_ASSETS_: `listen = "127.0.0.1:8080"`.
    /// Variables and options win.
    #[arg(long, env = "ENTRA_ASSETS_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Logging, for all commands.
#[derive(Args, Clone, Debug, Default)]
pub struct LogSettings {
    /// Log filter, e.g. `info` or `warn,entra_assets=debug`. Default: RUST_LOG; without it, messages of this service and
    /// warnings of libraries.
    #[arg(long, env = "ENTRA_ASSETS_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Log format. Default: text on a terminal, else JSON.
    #[arg(long, env = "ENTRA_ASSETS_LOG_FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Hosts to send requests to instead of those of Microsoft and Atlassian. Scopes, audiences and portal links do not
/// change.
#[derive(Args, Clone, Debug, Default)]
pub struct HostSettings {
    /// Origin of the sign-in service. Default: the host of the connection's cloud.
    #[arg(long, env = "ENTRA_ASSETS_LOGIN_URL", value_parser = origin)]
    pub login_url: Option<Url>,
    /// Origin of Microsoft Graph. Default: the host of the connection's cloud.
    #[arg(long, env = "ENTRA_ASSETS_GRAPH_URL", value_parser = origin)]
    pub graph_url: Option<Url>,
    /// Origin of the Assets API. Default: `https://api.atlassian.com`.
    #[arg(long, env = "ENTRA_ASSETS_ASSETS_URL", value_parser = origin)]
    pub assets_url: Option<Url>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct SecuritySettings {
    /// Master key: 32 bytes in base64. Of several, separated by commas, the first encrypts and all decrypt.
    #[arg(long, env = "ENTRA_ASSETS_MASTER_KEY", hide_env_values = true, value_parser = secret)]
    pub master_key: Option<SecretString>,
    /// Admin key of the organization `default`: at least 32 printable characters without leading or trailing spaces.
    #[arg(long, env = "ENTRA_ASSETS_ADMIN_KEY", hide_env_values = true, value_parser = admin_key)]
    pub admin_key: Option<SecretString>,
    /// Whether `serve` starts although the role of DATABASE_URL is a superuser or has BYPASSRLS. Then nothing in the database keeps
    /// organizations apart. Default: only if the database is on this machine, where it is most often a trial.
    #[arg(
        long, env = "ENTRA_ASSETS_ALLOW_SUPERUSER", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "on", value_parser = BoolishValueParser::new()
    )]
    pub allow_superuser: Option<bool>,
    /// Connections that may use the workload identity of this service: `organization/tenant/client,…`. Default: none.
    #[arg(long, env = "ENTRA_ASSETS_FEDERATED_ALLOW", value_delimiter = ',')]
    pub federated_allow: Vec<String>,
    /// File with the token of the workload identity; read at each use.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// Accepted OpenID Connect issuers, as JSON: [{"issuer","audience","jwksUrl"?,"organizationClaim"?,"organizations"?,"scopesClaim"?,"scopes"?}].
    #[arg(long, env = "ENTRA_ASSETS_JWT_ISSUERS", value_name = "JSON")]
    pub jwt_issuers: Option<JwtIssuers>,
    /// Forge app whose invocation tokens are accepted: `ari:cloud:ecosystem::app/<id>`.
    #[arg(long, env = "ENTRA_ASSETS_FORGE_APP_ID", value_name = "APP")]
    pub forge_app_id: Option<ForgeAppId>,
    /// Origins to which webhooks may be sent even if they use http or are private or local; separated by commas.
    #[arg(long, env = "ENTRA_ASSETS_WEBHOOK_ALLOW", value_delimiter = ',', value_parser = origin)]
    pub webhook_allow: Vec<Url>,
    /// Proxies in front of the API whose X-Forwarded-For says where a request came from, for the limit of each address, the
    /// log and the audit events: addresses or ranges of addresses, separated by commas. Default: none.
    #[arg(long, env = "ENTRA_ASSETS_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<Network>,
    /// Origins from which browsers may call the API; separated by commas.
    #[arg(long, env = "ENTRA_ASSETS_CORS_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<Url>,
}

impl SecuritySettings {
    /// The accepted issuers of JWTs.
    pub fn issuers(&self) -> Vec<JwtIssuer> {
        self.jwt_issuers.clone().unwrap_or_default().with_forge(self.forge_app_id.as_ref())
    }
}

const MIN_ADMIN_KEY_CHARACTERS: usize = 32;

/// A secret that was written with a line break behind it, as editors and `echo` do, is meant without it.
fn without_line_break(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// A secret of the command line or the environment.
pub(crate) fn secret(text: &str) -> std::result::Result<SecretString, String> {
    Ok(without_line_break(text).to_owned().into())
}

fn admin_key(text: &str) -> std::result::Result<SecretString, String> {
    let text = without_line_break(text);
    // An HTTP header loses leading and trailing spaces.
    let printable = !text.chars().any(char::is_control) && text.trim() == text;
    if text.chars().count() < MIN_ADMIN_KEY_CHARACTERS || !printable {
        return Err(format!(
            "must have at least {MIN_ADMIN_KEY_CHARACTERS} printable characters, without leading or trailing spaces"
        ));
    }
    Ok(text.to_owned().into())
}

fn origin(text: &str) -> std::result::Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if is_origin {
        Ok(url)
    } else {
        Err("must be an origin without a path, for example https://graph.microsoft.com".to_owned())
    }
}

impl DatabaseSettings {
    /// The data directory: as set, else the usual folder of the platform.
    pub fn data_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return std::path::absolute(dir).map_err(|e| {
                Error::new(
                    Code::ConfigurationInvalid,
                    format!("ENTRA_ASSETS_DATA_DIR: the path {} is not valid: {e}.", dir.display()),
                )
            });
        }
        if rustix::process::geteuid().is_root() {
            return Ok(PathBuf::from("/var/lib/entra-assets"));
        }
        let home = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
        match home {
            Some(dir) => Ok(dir.join("entra-assets")),
            None => Err(Error::new(
                Code::ConfigurationInvalid,
                "The user has no home folder. Set ENTRA_ASSETS_DATA_DIR to a folder for the database.",
            )),
        }
    }
}
