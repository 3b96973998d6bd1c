//! Connections to PostgreSQL. `sslmode` in the URL selects TLS.

use crate::error::{Code, Error, Result};
use diesel::ConnectionError;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::ManagerConfig;
use futures_util::FutureExt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The address of the database and the certificate authorities to trust.
#[derive(Clone)]
pub struct Options {
    url: SecretString,
    ca_file: Option<PathBuf>,
    verify: bool,
}

impl Options {
    /// `url`: postgres://… or `host=… user=…`. `sslmode=prefer` (the default) encrypts if the server supports
    /// it, without verifying the server, as libpq does; `require`, `verify-ca` and `verify-full` verify the
    /// server's certificate against the system's authorities and `ca_file`.
    pub fn new(url: &SecretString, ca_file: Option<PathBuf>) -> Result<Self> {
        let text = url.expose_secret();
        // tokio-postgres knows disable, prefer and require. With `require` we always verify the name too.
        let text =
            text.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
        let config: tokio_postgres::Config = text.parse().map_err(|e| {
            Error::new(
                Code::ConfigurationInvalid,
                format!("the database URL is not valid ({e}); expected postgres://user:password@host:5432/database"),
            )
        })?;
        Ok(Self { verify: config.get_ssl_mode() == SslMode::Require, url: text.into(), ca_file })
    }

    pub(super) fn url(&self) -> String {
        self.url.expose_secret().to_owned()
    }

    /// Host and port, for messages.
    fn server(&self) -> String {
        use tokio_postgres::config::Host;
        let Ok(config) = self.url.expose_secret().parse::<tokio_postgres::Config>() else { return String::new() };
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        format!("{host}:{}", config.get_ports().first().copied().unwrap_or(5432))
    }

    /// A host on another machine, if the URL leaves open whether it is the right one: `sslmode=prefer`, which is the default,
    /// takes any certificate and no encryption too.
    pub fn unverified_host(&self) -> Option<String> {
        let config: tokio_postgres::Config = self.url.expose_secret().parse().ok()?;
        other_machine(&config).filter(|_| config.get_ssl_mode() == SslMode::Prefer)
    }

    /// Whether the database is on this machine: behind a socket or a loopback address.
    pub fn is_on_this_machine(&self) -> bool {
        let config = self.url.expose_secret().parse::<tokio_postgres::Config>();
        config.is_ok_and(|config| other_machine(&config).is_none())
    }

    /// The name of the role that this URL connects as.
    pub fn role(&self) -> Option<String> {
        let config: tokio_postgres::Config = self.url.expose_secret().parse().ok()?;
        config.get_user().map(str::to_owned)
    }

    pub(super) fn tls(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?;
        let config = if self.verify {
            builder.with_root_certificates(self.roots()?).with_no_client_auth()
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider))).with_no_client_auth()
        };
        Ok(MakeRustlsConnect::new(config))
    }

    fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &self.ca_file {
            let wrong = |e: &dyn std::fmt::Display| {
                Error::new(Code::ConfigurationInvalid, format!("ENTRA_ASSETS_CA_FILE {}: {e}", path.display()))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(&e))? {
                roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
            }
        }
        Ok(roots)
    }
}

/// `sslmode=prefer`: encrypts if possible and does not verify the server.
#[derive(Debug)]
struct AnyServer(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// How the pool opens a connection.
pub(super) fn manager_config(options: &Options) -> Result<ManagerConfig<AsyncPgConnection>> {
    let tls = options.tls()?;
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |url| open(url.to_owned(), tls.clone()).boxed());
    Ok(config)
}

/// One connection outside the pool, for migrations.
pub(super) async fn open_alone(options: &Options) -> Result<AsyncPgConnection> {
    let refused = |e: ConnectionError| {
        let detail = format!("The connection to PostgreSQL at {} failed: {e}.", options.server());
        Error::new(Code::DatabaseUnavailable, detail)
    };
    open(options.url(), options.tls()?).await.map_err(refused)
}

/// The first host or address that is neither a socket nor loopback.
fn other_machine(config: &tokio_postgres::Config) -> Option<String> {
    use tokio_postgres::config::Host;
    // An address decides where to connect, whatever the name beside it.
    if let Some(address) = config.get_hostaddrs().iter().find(|address| !address.is_loopback()) {
        return Some(address.to_string());
    }
    let is_here = |name: &str| name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) if !is_here(name) => Some(name.clone()),
        _ => None,
    })
}

/// An error with its causes: «error connecting to server» alone does not say why.
fn with_causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn open(url: String, tls: MakeRustlsConnect) -> Result<AsyncPgConnection, ConnectionError> {
    let (client, connection) =
        tokio_postgres::connect(&url, tls).await.map_err(|e| ConnectionError::BadConnection(with_causes(&e)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_elsewhere_that_is_not_verified_is_found() {
        let host = |url: &str| Options::new(&url.into(), None).unwrap().unverified_host();
        for url in
            ["postgres://u@db.example.com/d", "postgres://u@db.example.com/d?sslmode=prefer", "host=db.example.com"]
        {
            assert_eq!(host(url).as_deref(), Some("db.example.com"), "{url}");
        }
        for url in [
            "postgres://u@db.example.com/d?sslmode=verify-full",
            "postgres://u@db.example.com/d?sslmode=require",
            "postgres://u@db.example.com/d?sslmode=disable",
            "postgres://u@127.0.0.1/d",
            "postgres://u@localhost/d",
            "host=/var/run/postgresql user=u",
        ] {
            assert_eq!(host(url), None, "{url}");
        }
    }

    #[test]
    fn a_database_behind_a_socket_or_on_loopback_is_on_this_machine() {
        let is_here = |url: &str| Options::new(&url.into(), None).unwrap().is_on_this_machine();
        for url in [
            "postgres://u@localhost/d",
            "postgres://u@[::1]/d",
            "host=/var/run/postgresql user=u",
            "postgres://u@127.0.0.1/d",
        ] {
            assert!(is_here(url), "{url}");
        }
        for url in [
            "postgres://u@db.example.com/d?sslmode=verify-full",
            "postgres://u@127.0.0.1,db.example.com/d",
            "postgres://u@10.0.0.5/d",
            "hostaddr=10.0.0.5 user=u",
            "host=localhost hostaddr=10.0.0.5 user=u",
        ] {
            assert!(!is_here(url), "{url}");
        }
    }
}
