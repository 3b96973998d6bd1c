//! `health`: asks the service on this machine whether it is ready, as the health check of a container does.

use super::output::say;
use crate::config::HttpSettings;
use crate::http;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const MAX_ANSWER_BYTES: usize = 64 * 1024;

#[derive(Args)]
pub struct Health {
    /// Address of the API, as the service has it.
    #[arg(long, env = "ENTRA_ASSETS_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Seconds to wait for the answer.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// An error if the service is not ready, so that the exit code says it.
pub async fn run(arguments: &Health) -> Result<()> {
    let address = reachable(arguments.listen);
    let settings =
        HttpSettings { request_timeout: Some(Duration::from_secs(arguments.timeout)), ..HttpSettings::default() };
    let client = http::direct_client(&settings)?;
    let answer = client.get(format!("http://{address}/readyz")).send().await;
    let answer = answer.with_context(|| format!("the service at {address} does not answer"))?;
    let status = answer.status();
    let body = http::bounded_body(answer, MAX_ANSWER_BYTES).await?;
    if !status.is_success() {
        bail!("the service at {address} is not ready: {} {}", status.as_u16(), detail(&body));
    }
    say("ready");
    Ok(())
}

/// Who listens on every address is asked on the loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The sentence of a problem document.
fn detail(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.0.0.7:9", "10.0.0.7:9"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
