//! `preview`: what a stored filter would import, counted and sampled by Graph.

use super::{ServiceArgs, find};
use crate::cli::output::say;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct Preview {
    /// Name or id of the filter.
    filter: String,
    /// Name or id of the connection to ask through.
    #[arg(long)]
    connection: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

pub async fn run(arguments: &Preview) -> Result<()> {
    let calls = arguments.service.calls()?;
    let filter = find(&calls, "/v1/filters", "filter", &arguments.filter).await?;
    let connection = find(&calls, "/v1/connections", "connection", &arguments.connection).await?;
    let body = json!({"connectionId": connection});
    let preview = calls.post(&format!("/v1/filters/{filter}/preview"), &body).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&preview)?),
        false => say(&in_words(&preview)),
    }
    Ok(())
}

fn in_words(preview: &Value) -> String {
    let mut lines = Vec::new();
    for (kind, count) in preview["counts"].as_object().into_iter().flatten() {
        let Some(number) = count["count"].as_u64() else { continue };
        let about = if count["exact"] == true { "" } else { "about " };
        let of = count["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
        lines.push(format!("{kind}: {about}{number}{of}"));
        for item in preview["sample"][kind].as_array().into_iter().flatten() {
            let name = item["displayName"].as_str().unwrap_or("(no name)");
            let more = ["userPrincipalName", "mail", "operatingSystem"].iter().find_map(|field| item[*field].as_str());
            lines.push(format!("  {name}{}", more.map(|more| format!("  {more}")).unwrap_or_default()));
        }
    }
    for warning in preview["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("! {}", warning["detail"].as_str().unwrap_or_default()));
        lines.extend(warning["advice"].as_str().map(|advice| format!("  {advice}")));
    }
    if preview["partial"] == true {
        lines.push("! A part could not be read in time.".to_owned());
    }
    if let Some(requests) = preview["cost"]["requests"].as_u64() {
        let seconds = preview["cost"]["secondsAtLeast"].as_u64().unwrap_or(0);
        lines.push(format!("A full run needs about {requests} requests and at least {seconds} s."));
    }
    lines.join("\n")
}
