//! `check`: the settings of a connection, or the manifest of an app registration, checked by this program alone.

use crate::api::application_query::ApplicationQuery;
use crate::api::capabilities::or_default;
use crate::api::connection_checks::CheckConnectionSettings;
use crate::api::{self, credentials};
use crate::cli::output::say;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::{self, HostSettings, HttpSettings};
use crate::connection_check::{self, CheckReport, DEADLINE, Overall, render_manifest, render_text};
use crate::error::{Error, Faults};
use crate::graph;
use crate::graph::token::{Federated, Identity, Tokens};
use crate::http;
use crate::ids::{ConnectionId, OrganizationId};
use crate::permission::manifest;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than any manifest or certificate has.
const MAX_FILE_BYTES: u64 = 1 << 20;
const GRAPH_UNITS: u32 = 8_000;

#[derive(Args)]
pub struct Check {
    /// Check this manifest instead: the JSON of the portal, of Microsoft Graph, or of the Azure CLI. Nobody is asked.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Tenant: its id or a verified domain.
    #[arg(long, required_unless_present = "manifest")]
    tenant: Option<String>,
    /// Application (client) ID.
    #[arg(long, required_unless_present = "manifest")]
    client: Option<String>,
    /// Value of a client secret.
    #[arg(long, env = "ENTRA_ASSETS_CLIENT_SECRET", hide_env_values = true, value_parser = config::secret)]
    client_secret: Option<SecretString>,
    /// PEM file with a certificate and its private key, instead of a client secret.
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret")]
    certificate: Option<PathBuf>,
    /// Cloud of the tenant: global, usGov, usGovHigh, china, …
    #[arg(long, default_value = "global")]
    cloud: Cloud,
    /// Capabilities to check, separated by commas. Default: those that a job needs by default.
    #[arg(long)]
    capabilities: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    http: HttpSettings,
    #[command(flatten)]
    hosts: HostSettings,
}

/// The exit code is 0 unless nothing can be imported.
pub async fn run(arguments: &Check) -> Result<()> {
    if let Some(path) = &arguments.manifest {
        return check_manifest(arguments, path);
    }
    let settings = settings(arguments)?;
    let report = Box::pin(check(arguments, settings)).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&report)?),
        false => say(render_text(&report).trim_end()),
    }
    match report.overall {
        Overall::Failed => bail!("the check failed"),
        Overall::Ok | Overall::Degraded => Ok(()),
    }
}

fn check_manifest(arguments: &Check, path: &Path) -> Result<()> {
    let text = read(path)?;
    let manifest: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not valid JSON", path.display()))?;
    let client_id = arguments.client.as_deref().map(|id| id.trim().parse()).transpose();
    let query = ApplicationQuery {
        capabilities: arguments.capabilities.clone(),
        cloud: Some(arguments.cloud),
        client_id: client_id.context("--client must be a GUID: the Application (client) ID")?,
        tenant_id: arguments.tenant.clone(),
    };
    let (capabilities, place) = query.read().map_err(said)?;
    let report = manifest::check(&manifest, &capabilities, &place).map_err(said)?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&report)?),
        false => say(render_manifest(&report).trim_end()),
    }
    match report.capabilities.iter().any(|capability| capability.verdict.works()) {
        true => Ok(()),
        false => bail!("with these permissions nothing can be imported"),
    }
}

/// The settings as a body of the API has them, checked by the same rules.
fn settings(arguments: &Check) -> Result<CheckConnectionSettings> {
    let credential = match (&arguments.client_secret, &arguments.certificate) {
        (Some(secret), _) => json!({"kind": "clientSecret", "secret": secret.expose_secret()}),
        (None, Some(path)) => {
            let pem = read(path)?;
            json!({"kind": "certificate", "certificate": pem, "privateKey": pem})
        }
        (None, None) => bail!(
            "no credential is set. Set ENTRA_ASSETS_CLIENT_SECRET, ENTRA_ASSETS_CLIENT_SECRET_FILE, or --certificate"
        ),
    };
    let mut body = json!({
        "tenantId": arguments.tenant, "clientId": arguments.client, "cloud": arguments.cloud, "credential": credential,
    });
    if let Some(capabilities) = &arguments.capabilities {
        body["capabilities"] = capabilities.split(',').map(|name| json!(name.trim())).collect();
    }
    let mut faults = Faults::default();
    credentials::prepare(&mut body, &mut faults);
    api::contract().map_err(said)?.check("CheckConnectionSettings", &body, &mut faults);
    faults.into_result().map_err(said)?;
    serde_json::from_value(body).context("the settings cannot be read")
}

async fn check(arguments: &Check, settings: CheckConnectionSettings) -> Result<CheckReport> {
    let (clock, hosts) = (Clock::system(), &arguments.hosts);
    let client = http::client(&arguments.http).map_err(said)?;
    let tokens = Tokens::new(client.clone(), clock.clone(), hosts.clone(), Federated::default());
    let graph = graph::Client::new(client, clock.clone(), hosts, tokens, GRAPH_UNITS);
    let expires_at = settings.credential.expires_at();
    let identity = Identity {
        organization: OrganizationId::DEFAULT,
        connection: ConnectionId::new(&clock),
        credential_version: 0,
        tenant_id: settings.tenant_id,
        client_id: settings.client_id,
        cloud: settings.cloud,
        credential: settings.credential.credential(),
    };
    let capabilities = or_default(settings.capabilities);
    Ok(connection_check::check(&graph, &identity, &capabilities, expires_at, DEADLINE).await)
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

/// Without the code, which is for programs.
fn said(error: Error) -> anyhow::Error {
    anyhow!(error.detail)
}
