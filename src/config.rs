//! The settings: environment variables, documented here and shown by `--help`.

pub mod data_dir;
pub mod issuers;

use crate::error::{Code, Error, Result};
use clap::{Args, ValueEnum};
use issuers::{ForgeAppId, JwtIssuer, JwtIssuers};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// What this process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Role {
    /// Answers HTTP only.
    Api,
    /// Executes runs only (and answers the health endpoints).
    Worker,
    All,
}

/// Everything `serve` reads from its environment.
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

    /// Address that the API listens on.
    #[arg(long, env = "ENTRA_ASSETS_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of a listener of its own for /metrics. Unset: /metrics is on the API's address.
    #[arg(long, env = "ENTRA_ASSETS_METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
    /// Runs executed at once by this process.
    #[arg(long, env = "ENTRA_ASSETS_WORKERS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Requests a minute that each API key or token may send to this process. 0: any number.
    #[arg(long, env = "ENTRA_ASSETS_RATE_LIMIT", default_value_t = 12_000)]
    pub rate_limit: u32,
    /// Graph's resource units that are spent in ten seconds at most, per application and tenant. A large tenant has 8,000
    /// for each application: fewer leave a part to other programs of the same application.
    #[arg(long, env = "ENTRA_ASSETS_GRAPH_UNITS", default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(500..))]
    pub graph_units: u32,
    /// A CSV file `skuId,skuPartNumber,name` whose licence names replace the built-in ones.
    #[arg(long, env = "ENTRA_ASSETS_LICENSE_NAMES")]
    pub license_names: Option<PathBuf>,
    /// Days that runs' events and changes, checks and audit events are kept.
    #[arg(long, env = "ENTRA_ASSETS_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub retention_days: u32,
    /// Days after which an incremental run reads everything once, to reconcile.
    #[arg(long, env = "ENTRA_ASSETS_FULL_EVERY_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub full_every_days: u32,
}

#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// PostgreSQL to use (postgres://…). Unset: an embedded PostgreSQL in the data dir.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretString>,
    /// The same database with the role that owns the tables, for migrations. Unset: DATABASE_URL.
    #[arg(long, env = "ENTRA_ASSETS_MIGRATE_URL", hide_env_values = true)]
    pub migrate_url: Option<SecretString>,
    /// The same database without a transaction pooler in between, for LISTEN. Unset: DATABASE_URL.
    #[arg(long, env = "ENTRA_ASSETS_LISTEN_DATABASE_URL", hide_env_values = true)]
    pub listen_database_url: Option<SecretString>,
    /// Where the embedded database and generated keys live. Not below /root: the database's user must
    /// reach it.
    #[arg(long, env = "ENTRA_ASSETS_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Connections to the database held by this process at most.
    #[arg(long, env = "ENTRA_ASSETS_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(4..=500))]
    pub database_connections: u16,
}

#[derive(Args, Clone, Debug, Default)]
pub struct HttpSettings {
    /// Proxy for every request to Microsoft and Atlassian.
    #[arg(long, env = "ENTRA_ASSETS_PROXY")]
    pub proxy: Option<Url>,
    /// PEM file of further certificate authorities to trust.
    #[arg(long, env = "ENTRA_ASSETS_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// For tests: how long one request may take.
    #[arg(skip)]
    pub request_timeout: Option<Duration>,
}

/// How the process logs; of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct LogSettings {
    /// What is logged, e.g. `info` or `warn,entra_assets=debug`. Unset: RUST_LOG, else this service's own
    /// messages and others' warnings.
    #[arg(long, env = "ENTRA_ASSETS_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Unset: text on a terminal, JSON otherwise.
    #[arg(long, env = "ENTRA_ASSETS_LOG_FORMAT", global = true)]
    pub log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where bytes go instead of the connection's cloud and Atlassian. Scope, audience and portal links stay
/// the cloud's.
#[derive(Args, Clone, Debug, Default)]
pub struct HostSettings {
    /// Origin of the sign-in service. Unset: the host of the connection's cloud.
    #[arg(long, env = "ENTRA_ASSETS_LOGIN_URL", value_parser = origin)]
    pub login_url: Option<Url>,
    /// Origin of Microsoft Graph. Unset: the host of the connection's cloud.
    #[arg(long, env = "ENTRA_ASSETS_GRAPH_URL", value_parser = origin)]
    pub graph_url: Option<Url>,
    /// Origin of the Assets API. Unset: `https://api.atlassian.com`.
    #[arg(long, env = "ENTRA_ASSETS_ASSETS_URL", value_parser = origin)]
    pub assets_url: Option<Url>,
}

#[derive(Args, Clone, Debug, Default)]
pub struct SecuritySettings {
    /// Master key: base64 of 32 bytes. Several, separated by commas: the first seals, the rest still open.
    #[arg(long, env = "ENTRA_ASSETS_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<SecretString>,
    /// File that holds the master key.
    #[arg(long, env = "ENTRA_ASSETS_MASTER_KEY_FILE")]
    pub master_key_file: Option<PathBuf>,
    /// An admin key of the organization `default`: at least 32 printable characters, none of them a space at its ends.
    #[arg(long, env = "ENTRA_ASSETS_ADMIN_KEY", hide_env_values = true, value_parser = admin_key)]
    pub admin_key: Option<SecretString>,
    /// Who may use this service's own workload identity: `organization/tenant/client,…`. Unset: nobody.
    #[arg(long, env = "ENTRA_ASSETS_FEDERATED_ALLOW", value_delimiter = ',')]
    pub federated_allow: Vec<String>,
    /// File with the workload identity's token, read anew for each use.
    #[arg(long, env = "AZURE_FEDERATED_TOKEN_FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// OpenID Connect issuers whose tokens are accepted, as JSON: [{"issuer","audience","jwksUrl"?,"organizationClaim"?,"scopesClaim"?}].
    #[arg(long, env = "ENTRA_ASSETS_JWT_ISSUERS", value_name = "JSON")]
    pub jwt_issuers: Option<JwtIssuers>,
    /// Accept Forge invocation tokens of this app: `ari:cloud:ecosystem::app/<id>`.
    #[arg(long, env = "ENTRA_ASSETS_FORGE_APP_ID", value_name = "APP")]
    pub forge_app_id: Option<ForgeAppId>,
    /// Origins that webhooks may be sent to although they are http, private or local, separated by commas.
    #[arg(long, env = "ENTRA_ASSETS_WEBHOOK_ALLOW", value_delimiter = ',', value_parser = origin)]
    pub webhook_allow: Vec<Url>,
    /// Origins that a browser may call the API from, separated by commas.
    #[arg(long, env = "ENTRA_ASSETS_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
}

impl SecuritySettings {
    /// Whose JWTs are accepted.
    pub fn issuers(&self) -> Vec<JwtIssuer> {
        self.jwt_issuers.clone().unwrap_or_default().with_forge(self.forge_app_id.as_ref())
    }
}

const ADMIN_KEY_LEAST_CHARACTERS: usize = 32;

fn admin_key(text: &str) -> std::result::Result<SecretString, String> {
    // A header loses the white space at its ends.
    let printable = !text.chars().any(char::is_control) && text.trim() == text;
    if text.chars().count() < ADMIN_KEY_LEAST_CHARACTERS || !printable {
        return Err(format!(
            "an admin key has at least {ADMIN_KEY_LEAST_CHARACTERS} printable characters, and no space at its ends"
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
        Err("must be an origin without a path, like https://graph.microsoft.com".to_owned())
    }
}

impl DatabaseSettings {
    /// The data dir: as set, else the platform's folder for a service's data.
    pub fn data_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.data_dir {
            return std::path::absolute(dir).map_err(|e| {
                Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_DATA_DIR {}: {e}", dir.display()))
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
                "there is no home folder: set ENTRA_ASSETS_DATA_DIR to a folder for the database",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_settings_are_origins() {
        assert!(origin("http://127.0.0.1:9001").is_ok());
        for wrong in ["127.0.0.1:9001", "https://x/v1.0", "https://u@x", "ftp://x", "https://x/?a=1"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_short_admin_key_is_refused() {
        assert!(admin_key(&"a".repeat(31)).is_err());
        assert!(admin_key(&"a".repeat(32)).is_ok());
        for good in ["a b ".repeat(8) + "c", "ключ".repeat(8)] {
            assert!(admin_key(&good).is_ok(), "{good}");
        }
        for wrong in [" ", "\t", "\n"] {
            assert!(admin_key(&format!("{}{wrong}", "a".repeat(32))).is_err(), "{wrong:?}");
        }
        assert!(admin_key(&"a\tb".repeat(32)).is_err());
    }
}
