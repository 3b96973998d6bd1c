//! Requests to addresses that callers choose, such as webhooks. They reach only public addresses, so that nobody can use
//! this service to explore its own network.

use super::builder;
use crate::config::HttpSettings;
use crate::error::{Code, Error, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long a request to such an address may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The clients for addresses that callers choose. Cheap to clone.
#[derive(Clone)]
pub struct PublicClient {
    /// Connects only to public addresses, whatever a name resolves to.
    guarded: reqwest::Client,
    /// For the origins that the operator allows.
    open: reqwest::Client,
    allowed: Arc<Vec<Url>>,
    has_proxy: bool,
}

/// Why nothing is sent to a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    #[error(
        "must be an https URL without user name, password or fragment; only the operator can allow `http`, by listing the \
         origin in ENTRA_ASSETS_WEBHOOK_ALLOW"
    )]
    NoHttps,
    #[error("leads to a private or local address; only the operator can allow this, with ENTRA_ASSETS_WEBHOOK_ALLOW")]
    Private,
    /// The same for a name that nobody knows and for one that leads inside: otherwise the answer would tell which inner names
    /// exist.
    #[error(
        "its name leads nowhere, or to a private or local address; only the operator can allow the latter, with \
         ENTRA_ASSETS_WEBHOOK_ALLOW"
    )]
    NoPublicName,
}

impl PublicClient {
    /// `allowed`: origins that may use http or be private or local.
    pub fn new(settings: &HttpSettings, allowed: &[Url]) -> Result<Self> {
        let build = |builder: reqwest::ClientBuilder| {
            let client = builder.timeout(TIMEOUT).build();
            client.map_err(|e| Error::new(Code::ConfigurationInvalid, format!("Cannot build the HTTP client: {e}.")))
        };
        let has_proxy = settings.proxy.is_some();
        let guarded = match has_proxy {
            // The proxy resolves the name. It belongs to the operator and decides what can be reached.
            true => builder(settings)?,
            false => builder(settings)?.no_proxy().dns_resolver(Arc::new(PublicOnly)),
        };
        Ok(Self {
            guarded: build(guarded)?,
            open: build(builder(settings)?)?,
            allowed: Arc::new(allowed.to_vec()),
            has_proxy,
        })
    }

    fn is_allowed(&self, url: &Url) -> bool {
        self.allowed.iter().any(|origin| origin.origin() == url.origin())
    }

    /// Whether requests may be sent to `url`, as far as it can be decided without DNS.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if is_plain && self.is_allowed(url) {
            return Ok(());
        }
        if url.scheme() != "https" || !is_plain {
            return Err(Refused::NoHttps);
        }
        let is_public = match url.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(name)) => !is_local_name(name),
            None => false,
        };
        if is_public { Ok(()) } else { Err(Refused::Private) }
    }

    /// A POST to `url`, which is checked again.
    pub async fn post(&self, url: &Url) -> Result<reqwest::RequestBuilder, Refused> {
        self.check(url)?;
        if self.is_allowed(url) {
            return Ok(self.open.post(url.clone()));
        }
        if let (true, Some(Host::Domain(name))) = (self.has_proxy, url.host())
            && let Ok(mut addresses) = tokio::net::lookup_host((name, 443)).await
            && !addresses.all(|address| is_public(address.ip()))
        {
            return Err(Refused::Private);
        }
        Ok(self.guarded.post(url.clone()))
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    !name.contains('.') || [".localhost", ".local", ".internal"].iter().any(|end| name.ends_with(end))
}

/// Resolves names and rejects those with an address that is not public. The client connects to the addresses that were
/// checked, so the name cannot resolve differently in between.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            if let Err(error) = &found {
                tracing::debug!(host = name.as_str(), %error, "a name was not found");
            }
            let found: Vec<SocketAddr> = found.into_iter().flatten().collect();
            if found.is_empty() || !found.iter().all(|address| is_public(address.ip())) {
                return Err(Refused::NoPublicName.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether an address is on the public internet.
/// Source: IANA special-purpose address registries.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    // Addresses that lead to an IPv4 address: mapped, NAT64, 6to4.
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let last_four = || {
        let [.., w, x, y, z] = address.octets();
        Ipv4Addr::new(w, x, y, z)
    };
    match (a, b) {
        (0x64, 0xff9b) => c == 0 && is_public_v4(last_four()),
        (0x2002, _) => {
            let [_, _, w, x, y, z, ..] = address.octets();
            is_public_v4(Ipv4Addr::new(w, x, y, z))
        }
        // Teredo and other protocol assignments, documentation.
        (0x2001, b) if b < 0x200 || b == 0xdb8 => false,
        (0x3fff, b) if b < 0x1000 => false,
        _ => (a & 0xe000) == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(allowed: &[&str]) -> PublicClient {
        let allowed: Vec<Url> = allowed.iter().map(|origin| Url::parse(origin).unwrap()).collect();
        PublicClient::new(&HttpSettings::default(), &allowed).unwrap()
    }

    fn check(client: &PublicClient, url: &str) -> Result<(), Refused> {
        client.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn https_to_a_public_host_is_fine_and_nothing_else() {
        let client = client(&[]);
        assert_eq!(check(&client, "https://hooks.example.com/a?b=c"), Ok(()));
        for url in
            ["http://hooks.example.com/", "https://u:p@example.com/", "ftp://example.com/", "https://example.com/#x"]
        {
            assert_eq!(check(&client, url), Err(Refused::NoHttps), "{url}");
        }
        // Also in the odd spellings that a URL may have.
        for url in [
            "https://127.1/",
            "https://0x7f.0.0.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://localhost/",
            "https://db/",
            "https://metadata.google.internal/",
        ] {
            assert_eq!(check(&client, url), Err(Refused::Private), "{url}");
        }
    }

    #[test]
    fn the_operator_allows_an_origin_not_a_host() {
        let client = client(&["http://127.0.0.1:9000"]);
        assert_eq!(check(&client, "http://127.0.0.1:9000/hook"), Ok(()));
        assert_eq!(check(&client, "http://127.0.0.1:9001/hook"), Err(Refused::NoHttps));
        assert_eq!(check(&client, "https://127.0.0.1:9000/hook"), Err(Refused::Private));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let client = client(&[]);
        let request = client.guarded.post("https://localhost:1/");
        let error = request.send().await.unwrap_err();
        let mut causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        assert!(causes.any(|cause| cause.to_string().contains("private or local")), "{error:?}");
    }

    #[tokio::test]
    async fn nobody_learns_which_inner_names_exist() {
        let refused = async |name: &str| PublicOnly.resolve(name.parse().unwrap()).await.err().unwrap().to_string();
        // No server is asked for such a label.
        let unknown = format!("{}.example", "a".repeat(64));
        assert_eq!(refused(&unknown).await, refused("localhost").await);
    }
}
