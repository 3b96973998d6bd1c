//! Builds all HTTP clients, and has what the clients of outside systems need: `Retry-After` in all its forms, bounded
//! bodies, and the check that a link stays on its origin.

pub mod public;

use crate::config::HttpSettings;
use crate::error::{Code, Error, Result};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use std::time::Duration;
use url::{Host, Url};

/// How long one request may take, from connecting to the last byte of the body: enough for a page of 999 users when
/// Graph is slow.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers close idle connections after about this time.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A longer `Retry-After` is treated as this. The retry budget ends the wait before.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// A client without redirects (a redirect could carry a token elsewhere), with gzip, time limits, the
/// operator's proxy and CA file.
pub fn client(settings: &HttpSettings) -> Result<reqwest::Client> {
    builder(settings)?
        .build()
        .map_err(|e| Error::new(Code::ConfigurationInvalid, format!("Cannot build the HTTP client: {e}.")))
}

/// Like [`client`], but past the proxies of the environment: for a service on this machine.
pub fn direct_client(settings: &HttpSettings) -> Result<reqwest::Client> {
    builder(settings)?
        .no_proxy()
        .build()
        .map_err(|e| Error::new(Code::ConfigurationInvalid, format!("Cannot build the HTTP client: {e}.")))
}

#[expect(clippy::disallowed_methods, reason = "the only place that builds HTTP clients")]
fn builder(settings: &HttpSettings) -> Result<reqwest::ClientBuilder> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("entra-assets/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(settings.request_timeout.unwrap_or(REQUEST_TIMEOUT))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true);
    if let Some(proxy) = &settings.proxy {
        let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(|e| {
            Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_PROXY is not a valid proxy URL: {e}."))
        })?;
        builder = builder.proxy(proxy);
    }
    if let Some(path) = &settings.ca_file {
        let wrong = |e: &dyn std::fmt::Display| {
            Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_CA_FILE: cannot use {}: {e}.", path.display()))
        };
        let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(&e))?;
        if certificates.is_empty() {
            return Err(wrong(&"it contains no certificate in PEM form (-----BEGIN CERTIFICATE-----)"));
        }
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    Ok(builder)
}

/// The wait that `Retry-After` asks for: whole seconds, decimal seconds (seen from Graph: `2.128`) or an
/// HTTP date. `None` when it is absent or unreadable.
/// Source: RFC 9110 §10.2.3; docs/graph.md, «Batches», «Throttling».
pub fn retry_after(headers: &reqwest::header::HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    parse_retry_after(text, now)
}

/// Like [`retry_after`], for the headers inside a JSON batch too.
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        let wait = Duration::try_from_secs_f64(seconds).ok()?;
        return Some(wait.min(MAX_RETRY_AFTER));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
    Some((at - now).to_std().unwrap_or(Duration::ZERO).min(MAX_RETRY_AFTER))
}

/// The whole body, or an error when it is longer than `most` bytes.
pub async fn bounded_body(response: reqwest::Response, most: usize) -> Result<Vec<u8>, BodyError> {
    // The length of a compressed body is known only at its end. The parts are joined once: a growing buffer would copy
    // a page of a megabyte several times.
    let (mut parts, mut length) = (Vec::new(), 0);
    let mut stream = response.bytes_stream();
    while let Some(part) = stream.next().await {
        let part = part.map_err(BodyError::Broken)?;
        length += part.len();
        if length > most {
            return Err(BodyError::TooLarge { most });
        }
        parts.push(part);
    }
    if parts.len() == 1 {
        return Ok(parts.remove(0).into());
    }
    let mut body = Vec::with_capacity(length);
    // Each part is freed once it is copied.
    parts.into_iter().for_each(|part| body.extend_from_slice(&part));
    Ok(body)
}

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the response has more than {most} bytes")]
    TooLarge { most: usize },
    #[error("the connection broke before the end of the response")]
    Broken(#[source] reqwest::Error),
}

/// The innermost cause, such as a name that does not resolve or a refused connection. It has no URL.
pub fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    if error.is_timeout() { "timed out".to_owned() } else { innermost.to_string() }
}

/// Whether an address is one of this machine: no proxy leads back to it.
pub fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a link stays on an origin (scheme, host and port).
pub fn same_origin(link: &Url, origin: &Url) -> bool {
    link.origin() == origin.origin() && link.username().is_empty() && link.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_every_form() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().with_timezone(&Utc);
        let read = |text: &str| parse_retry_after(text, now);
        assert_eq!(read("17"), Some(Duration::from_secs(17)));
        assert_eq!(read("0.249"), Some(Duration::from_millis(249)));
        assert_eq!(read("Thu, 01 Jan 2026 00:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Wed, 31 Dec 2025 23:59:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        assert_eq!(read("NaN"), None);
    }

    #[test]
    fn a_link_stays_on_its_origin() {
        let origin = Url::parse("https://graph.microsoft.com").unwrap();
        let ok = |link: &str| same_origin(&Url::parse(link).unwrap(), &origin);
        assert!(ok("https://graph.microsoft.com/v1.0/users?$skiptoken=x"));
        assert!(!ok("http://graph.microsoft.com/v1.0/users"));
        assert!(!ok("https://graph.microsoft.com.evil.example/v1.0/users"));
        assert!(!ok("https://graph.microsoft.com@evil.example/"));
        assert!(!ok("https://user@graph.microsoft.com/"));
        assert!(!ok("https://graph.microsoft.com:8443/"));
    }
}
