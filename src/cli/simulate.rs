//! `simulate`: runs only the simulators, to try the service without Microsoft and Atlassian.

use super::output;
use crate::clock::Clock;
use crate::shutdown::Shutdown;
use crate::sim::assets::{self, AssetsOptions, AssetsSim};
use crate::sim::graph::{self, GraphOptions, GraphSim, Quota, Scenario};
use crate::sim::seed::SeedOptions;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Size and speed of the simulated directory.
#[derive(Args, Clone)]
pub struct DirectoryArgs {
    /// Users in the simulated directory.
    #[arg(long, default_value_t = 2000)]
    pub users: u32,
    /// Groups in the simulated directory.
    #[arg(long, default_value_t = 150)]
    pub groups: u32,
    /// Approximate number of direct memberships. Unset: five per user.
    #[arg(long)]
    pub memberships: Option<u64>,
    /// Seed of the generated directory: the same seed gives the same directory.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Minimum duration of each Graph response, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,
    /// Graph quota of a small, medium or large tenant, or no quota.
    #[arg(long, value_enum, ignore_case = true, default_value_t = QuotaArg::None)]
    pub quota: QuotaArg,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum QuotaArg {
    #[value(alias = "off")]
    None,
    S,
    M,
    L,
}

#[derive(Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Address that the simulators listen on.
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Host name in the links that the simulators return. Unset: their address.
    #[arg(long)]
    host: Option<String>,
    /// Port of the simulated sign-in service.
    #[arg(long, default_value_t = 9001)]
    login_port: u16,
    /// Port of the simulated Graph.
    #[arg(long, default_value_t = 9002)]
    graph_port: u16,
    /// Port of the simulated Assets.
    #[arg(long, default_value_t = 9003)]
    assets_port: u16,
}

/// Both simulators, running.
pub struct Simulators {
    pub graph: GraphSim,
    pub assets: AssetsSim,
}

/// Where the simulators listen. Port 0 means any free port.
pub struct Places {
    pub address: IpAddr,
    /// Host name in the links that the simulators return. `None`: the address.
    pub host: Option<String>,
    /// The ports of the sign-in service, Graph and Assets.
    pub ports: [u16; 3],
}

impl Places {
    pub fn local(ports: [u16; 3]) -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), host: None, ports }
    }
}

/// Starts both simulators.
pub fn start(directory: &DirectoryArgs, places: Places) -> Result<Simulators> {
    let Places { address, host, ports: [login, graph_port, assets_port] } = places;
    let quota = match directory.quota {
        QuotaArg::None => None,
        QuotaArg::S => Some(Quota::Units(3_500)),
        QuotaArg::M => Some(Quota::Units(5_000)),
        QuotaArg::L => Some(Quota::Units(8_000)),
    };
    let graph = graph::start(GraphOptions {
        clock: Clock::system(),
        seed: SeedOptions {
            seed: directory.seed,
            users: directory.users,
            groups: directory.groups,
            memberships: directory.memberships,
            ..SeedOptions::default()
        },
        quota,
        latency: Duration::from_millis(directory.latency_ms),
        login_port: login,
        graph_port,
        address,
        host: host.clone(),
        ..GraphOptions::default()
    })
    .context("the simulator of Entra and Graph cannot listen on its ports; choose others")?;
    let assets = assets::start(AssetsOptions {
        clock: Clock::system(),
        port: assets_port,
        address,
        host,
        ..AssetsOptions::default()
    })
    .context("the simulator of Assets cannot listen on its port; choose another")?;
    Ok(Simulators { graph, assets })
}

/// The credentials of each tenant except the healthy one, one line each.
fn other_tenants() -> String {
    let line = |name: &str, tenant: &str, client: &str, secret: &str| {
        format!("{name:<22} {tenant:<37} {client:<37} {secret}").trim_end().to_owned()
    };
    let mut lines = vec![line("name", "tenantId", "clientId", "secret")];
    for scenario in Scenario::ALL.iter().filter(|scenario| **scenario != Scenario::Healthy) {
        let entered = scenario.credentials();
        let client = entered.client_id.to_string();
        lines.push(line(scenario.as_str(), &entered.tenant_id, &client, &entered.client_secret));
    }
    lines.join("\n")
}

/// Runs the simulators until the process receives a signal.
pub async fn run(arguments: &SimulateArgs) -> Result<()> {
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let ports = [arguments.login_port, arguments.graph_port, arguments.assets_port];
    let places = Places { address: arguments.address, host: arguments.host.clone(), ports };
    let simulators = start(&arguments.directory, places)?;
    let credentials = simulators.graph.default_credentials();
    output::say(&format!(
        "Point the service at the simulators:\n\n\
         export ENTRA_ASSETS_LOGIN_URL={}\n\
         export ENTRA_ASSETS_GRAPH_URL={}\n\
         export ENTRA_ASSETS_ASSETS_URL={}\n\n\
         connection:  tenantId {}  clientId {}  secret {}\n\
         destination: token {}\n\
         truth:       GET {}/_sim/truth   GET {}/_sim/truth\n\n\
         Other tenants, most of them with a fault. Use them as connections too:\n\n\
         {}",
        simulators.graph.login_origin(),
        simulators.graph.graph_origin(),
        simulators.assets.origin(),
        credentials.tenant_id,
        credentials.client_id,
        credentials.client_secret,
        simulators.assets.token(),
        simulators.graph.graph_origin(),
        simulators.assets.origin(),
        other_tenants(),
    ));
    shutdown.begun().cancelled().await;
    simulators.graph.stop().await;
    simulators.assets.stop().await;
    Ok(())
}
