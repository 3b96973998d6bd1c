//! What `bench` measures, and against which servers.

use super::process::Scratch;
use super::step::Step;
use super::target::{Simulators, Target};
use super::types::Types;
use crate::cli::simulate::DirectoryArgs;
use crate::config::HostSettings;
use anyhow::{Result, bail};
use clap::Args;
use secrecy::SecretString;
use std::path::PathBuf;

#[derive(Args)]
pub struct BenchArgs {
    #[command(flatten)]
    pub(super) directory: DirectoryArgs,
    #[command(flatten)]
    pub(super) hosts: HostSettings,
    /// Number of repetitions; the table shows medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(super) repetitions: u32,
    /// Steps to measure, in this order.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Step::ALL)]
    pub(super) steps: Vec<Step>,
    /// Object types that the measured job imports.
    #[arg(long, value_enum, default_value_t = Types::Usual)]
    pub(super) types: Types,
    /// Only download the pages that a full run reads, with the same HTTP client, and discard them.
    #[arg(long)]
    pub(super) download_only: bool,
    /// Measure what the service costs beside its runs: its start, its queue and its API. With simulators it needs
    /// `--users 20000` or more.
    #[arg(long)]
    pub(super) load: bool,
    /// Only serve what the API is compared with, from this database.
    #[arg(long, env = "ENTRA_ASSETS_BENCH_BARE_DATABASE_URL", hide = true, hide_env_values = true)]
    pub(super) bare_database_url: Option<String>,
    /// Fraction of the directory that changes before an incremental run. Simulators only.
    #[arg(long, default_value_t = 0.01)]
    pub(super) share: f64,
    /// Directory for the database and the logs of the processes. Unset: the system's temporary directory.
    #[arg(long)]
    pub(super) scratch: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Tenant to read, with other servers.
    #[arg(long)]
    pub(super) tenant_id: Option<String>,
    #[arg(long)]
    pub(super) client_id: Option<String>,
    #[arg(long, env = "ENTRA_ASSETS_BENCH_CLIENT_SECRET", hide_env_values = true)]
    pub(super) client_secret: Option<SecretString>,
    /// With other servers: the token of the import source.
    #[arg(long, env = "ENTRA_ASSETS_BENCH_ASSETS_TOKEN", hide_env_values = true)]
    pub(super) assets_token: Option<SecretString>,
}

impl BenchArgs {
    /// Whether the arguments name no other servers.
    pub(super) fn uses_simulators(&self) -> bool {
        let hosts = &self.hosts;
        hosts.login_url.is_none() && hosts.graph_url.is_none() && hosts.assets_url.is_none()
    }

    /// The simulators, or the servers that the arguments name.
    pub(super) async fn target(&self, scratch: &Scratch) -> Result<Target> {
        let hosts = &self.hosts;
        let (Some(login), Some(graph), Some(assets)) = (&hosts.login_url, &hosts.graph_url, &hosts.assets_url) else {
            if !self.uses_simulators() {
                bail!("give all three of --login-url, --graph-url and --assets-url, or none for the simulators");
            }
            return Simulators::start(&self.directory, self.types, scratch).await;
        };
        let (Some(tenant), Some(client), Some(secret), Some(token)) =
            (&self.tenant_id, &self.client_id, &self.client_secret, &self.assets_token)
        else {
            bail!("other servers need --tenant-id, --client-id, --client-secret and --assets-token");
        };
        Ok(Target {
            login: login.clone(),
            graph: graph.clone(),
            assets: assets.clone(),
            tenant_id: tenant.clone(),
            client_id: client.clone(),
            client_secret: secret.clone(),
            assets_token: token.clone(),
            types: self.types,
            simulators: None,
        })
    }
}
