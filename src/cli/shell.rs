//! Commands for shells and scripts: they call the API of a running service, with a key.

pub mod check;
pub mod preview;
pub mod run;
pub mod settings;

use super::calls::Calls;
use crate::config::{self, HttpSettings};
use crate::http;
use anyhow::{Context, Result, bail};
use clap::Args;
use secrecy::SecretString;
use serde_json::Value;
use std::path::PathBuf;
use url::Url;
use uuid::Uuid;

/// Which service, and who calls it.
#[derive(Args)]
pub struct ServiceArgs {
    /// Address of the service.
    #[arg(long, env = "ENTRA_ASSETS_URL", default_value = "http://127.0.0.1:8080")]
    url: Url,
    /// API key with the scopes that the command needs.
    #[arg(long, env = "ENTRA_ASSETS_KEY", hide_env_values = true, value_parser = config::secret)]
    key: Option<SecretString>,
    /// PEM file with additional trusted certificate authorities.
    #[arg(long, env = "ENTRA_ASSETS_CA_FILE")]
    ca_file: Option<PathBuf>,
}

impl ServiceArgs {
    fn calls(&self) -> Result<Calls> {
        let key = self.key.as_ref().context(
            "no key is set. Set ENTRA_ASSETS_KEY to an API key, or ENTRA_ASSETS_KEY_FILE to a file with one; \
             `entra-assets keys create` makes one",
        )?;
        let settings = HttpSettings { ca_file: self.ca_file.clone(), ..HttpSettings::default() };
        if !self.url.has_host() {
            bail!("the address {} has no host", self.url);
        }
        let is_here = http::is_here(&self.url);
        if self.url.scheme() == "http" && !is_here {
            super::output::say_aside("warning: the key is sent without encryption; use an https address");
        }
        // A proxy of the environment does not lead back to this machine.
        let client = if is_here { http::direct_client(&settings)? } else { http::client(&settings)? };
        Ok(Calls::with_client(client, self.url.as_str(), key))
    }
}

/// The id of what has this name in a collection (`/v1/jobs`), or the id itself.
async fn find(calls: &Calls, collection: &str, what: &str, named: &str) -> Result<String> {
    if let Ok(id) = Uuid::parse_str(named) {
        return Ok(id.to_string());
    }
    let items = calls.list(collection, &[]).await?;
    let name = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
    let found: Vec<&Value> = items.iter().filter(|item| name(item) == named).collect();
    match found.as_slice() {
        [one] => Ok(one["id"].as_str().unwrap_or_default().to_owned()),
        [] => {
            let known: Vec<String> = items.iter().map(|item| format!("«{}»", name(item))).take(10).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bail!("there is no {what} with the name «{named}». There are: {known}")
        }
        _ => bail!("several have the name «{named}». Give the id of the {what}"),
    }
}
