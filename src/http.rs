//! The only maker of HTTP clients, and what every client of an outside system needs: `Retry-After` in all
//! its forms, bounded bodies, and the check that a link stays on its origin.

pub mod public;

use crate::config::HttpSettings;
use crate::error::{Code, Error, Result};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use std::time::Duration;
use url::Url;

/// How long one request may take, from connecting to the last byte of the body. A page of 999 users with
/// slow Graph answers fits.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than this a server does not keep idle connections anyway.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// `Retry-After` above this is treated as this: a budget ends the wait before.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(600);

/// A client without redirects (a redirect could carry a token elsewhere), with gzip, time limits, the
/// operator's proxy and CA file.
pub fn client(settings: &HttpSettings) -> Result<reqwest::Client> {
    builder(settings)?.build().map_err(|e| Error::new(Code::ConfigurationInvalid, format!("the HTTP client: {e}")))
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
            Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_PROXY is not a proxy URL: {e}"))
        })?;
        builder = builder.proxy(proxy);
    }
    if let Some(path) = &settings.ca_file {
        let wrong = |e: &dyn std::fmt::Display| {
            Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_CA_FILE {}: {e}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| wrong(&e))? {
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

/// See [`retry_after`]; also for the headers inside a JSON batch.
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        let wait = Duration::try_from_secs_f64(seconds).ok()?;
        return Some(wait.min(RETRY_AFTER_MOST));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
    Some((at - now).to_std().unwrap_or(Duration::ZERO).min(RETRY_AFTER_MOST))
}

/// The whole body, or an error when it is longer than `most` bytes.
pub async fn bounded_body(response: reqwest::Response, most: usize) -> Result<Vec<u8>, BodyError> {
    // The length of what comes compressed is known at its end. Put together once: growing step by step would copy and
    // clear a page of a megabyte several times over.
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
    // One after the other they are given back.
    parts.into_iter().for_each(|part| body.extend_from_slice(&part));
    Ok(body)
}

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the answer has more than {most} bytes")]
    TooLarge { most: usize },
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// Whether a link leads to the origin (scheme, host and port) it must not leave.
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
        assert_eq!(read("999999999"), Some(RETRY_AFTER_MOST));
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
