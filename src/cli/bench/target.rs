//! The servers that the service reads and writes: the simulators in a separate process, or other servers.

use super::process::{Process, Scratch};
use super::types::Types;
use crate::cli::simulate::{DirectoryArgs, QuotaArg};
use crate::config::HttpSettings;
use crate::http;
use anyhow::{Context, Result};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

/// Where everything is, and how to sign in there.
pub(super) struct Target {
    pub(super) login: Url,
    pub(super) graph: Url,
    pub(super) assets: Url,
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) assets_token: SecretString,
    /// What the job imports.
    pub(super) types: Types,
    /// `None` with other servers.
    pub(super) simulators: Option<Simulators>,
}

/// Both simulators, in a separate process.
pub(super) struct Simulators {
    graph: Url,
    client: reqwest::Client,
    _process: Process,
}

impl Simulators {
    pub(super) async fn start(directory: &DirectoryArgs, types: Types, scratch: &Scratch) -> Result<Target> {
        let quota = match directory.quota {
            QuotaArg::None => "none",
            QuotaArg::S => "s",
            QuotaArg::M => "m",
            QuotaArg::L => "l",
        };
        let mut arguments = vec![
            format!("--users={}", directory.users),
            format!("--groups={}", directory.groups),
            format!("--seed={}", directory.seed),
            format!("--latency-ms={}", directory.latency_ms),
            format!("--quota={quota}"),
        ];
        arguments.extend(directory.memberships.map(|number| format!("--memberships={number}")));
        arguments.extend(["login", "graph", "assets"].map(|name| format!("--{name}-port=0")));
        let mut process = Process::start(scratch, "simulate", &arguments, &[])?;
        let login: Url = process.wait_for("ENTRA_ASSETS_LOGIN_URL=").await?.parse()?;
        let graph: Url = process.wait_for("ENTRA_ASSETS_GRAPH_URL=").await?.parse()?;
        let assets: Url = process.wait_for("ENTRA_ASSETS_ASSETS_URL=").await?.parse()?;
        let client = http::client(&HttpSettings::default())?;
        let simulators = Self { graph: graph.clone(), client, _process: process };
        let tenants = simulators.get(&graph, "_sim/tenants").await?;
        let healthy = tenants["tenants"].as_array().into_iter().flatten().find(|tenant| tenant["name"] == "healthy");
        let entered = |name: &str| {
            let text = healthy.and_then(|tenant| tenant[name].as_str());
            Ok::<_, anyhow::Error>(text.with_context(|| format!("the simulator returned no {name}"))?.to_owned())
        };
        if types == Types::All {
            let order = json!({"tenant": "healthy", "granted": Types::permissions()});
            simulators.order("_sim/permissions", &order).await?;
        }
        let access = simulators.get(&assets, "_sim").await?;
        let token = access["sources"][0]["token"].as_str().context("the simulator returned no token")?;
        Ok(Target {
            login,
            graph,
            assets,
            tenant_id: entered("tenantId")?,
            client_id: entered("clientId")?,
            client_secret: entered("clientSecret")?.into(),
            assets_token: token.to_owned().into(),
            types,
            simulators: Some(simulators),
        })
    }

    async fn get(&self, origin: &Url, path: &str) -> Result<Value> {
        Ok(self.client.get(origin.join(path)?).send().await?.error_for_status()?.json().await?)
    }

    async fn order(&self, path: &str, order: &Value) -> Result<()> {
        self.client.post(self.graph.join(path)?).json(order).send().await?.error_for_status()?;
        Ok(())
    }

    /// The counts of the simulated directory.
    pub(super) async fn truth(&self) -> Result<Value> {
        self.get(&self.graph, "_sim/truth").await
    }

    /// The number of Graph requests and units so far.
    pub(super) async fn counters(&self) -> Result<Value> {
        Ok(self.get(&self.graph, "_sim/requests?top=0").await?["counters"].take())
    }

    /// Changes the directory.
    pub(super) async fn change(&self, order: &Value) -> Result<()> {
        self.order("_sim/changes", order).await
    }
}
