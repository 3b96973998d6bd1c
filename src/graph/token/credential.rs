//! How an application proves who it is, and every fault that shows without asking Entra.

use crate::connection::CredentialKind;
use crate::error::Faults;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;
use x509_parser::pem::Pem;

/// What is sent to Entra to prove the application's identity.
#[derive(Clone)]
pub enum Credential {
    ClientSecret(SecretString),
    /// PEM texts. Only RSA keys can sign an assertion that Entra accepts (PS256).
    Certificate {
        certificate_pem: String,
        private_key_pem: SecretString,
    },
    /// The service's own workload identity: the operator's token file, read again for each use.
    Federated,
    /// There is none yet.
    Awaited,
}

/// The text when the Secret ID was entered instead of the secret's Value.
pub const SECRET_ID_PASTED: &str = "This is the Secret ID, not the secret. In the portal, Certificates & secrets shows both. Copy the \
     column Value, which is visible only right after the secret was created. If it is already hidden, create a new secret.";

/// The longest secret, certificate or key that is read, in bytes.
const MAX_CREDENTIAL_BYTES: usize = 64 * 1024;

/// More certificates and keys than a file of one application has: a chain has three or four.
const MAX_BLOCKS: usize = 20;
const BEGIN: &str = "-----BEGIN ";

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.kind()).finish()
    }
}

impl Credential {
    /// A certificate and its key from two texts, each of which may have both in any order, more certificates (a chain),
    /// and other lines between them, as `openssl pkcs12 -nodes` writes. The pair that belongs together is taken. A text
    /// without the block that belongs there stays as it is, so that its fault can be named.
    pub fn certificate(certificate: &str, key: &str) -> Self {
        let of = |first: &str, second: &str, is_wanted: fn(&str) -> bool| -> Vec<String> {
            let wanted = |text| -> Vec<String> {
                let blocks = pem_blocks(text).into_iter().filter(|(label, _)| is_wanted(label));
                blocks.map(|(_, block)| block.to_owned()).collect()
            };
            let own = wanted(first);
            if own.is_empty() { own } else { [own, wanted(second)].concat() }
        };
        let certificates = of(certificate, key, |label| label == "CERTIFICATE");
        let keys = of(key, certificate, |label| label.ends_with("PRIVATE KEY"));
        let (certificate_pem, private_key_pem) = matching_pair(&certificates, &keys).unwrap_or_else(|| {
            let first = |blocks: &[String], text: &str| blocks.first().cloned().unwrap_or_else(|| text.to_owned());
            (first(&certificates, certificate), first(&keys, key))
        });
        Self::Certificate { certificate_pem, private_key_pem: private_key_pem.into() }
    }

    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::ClientSecret(_) => CredentialKind::ClientSecret,
            Self::Certificate { .. } => CredentialKind::Certificate,
            Self::Federated => CredentialKind::Federated,
            Self::Awaited => CredentialKind::Awaited,
        }
    }

    /// Adds every fault, at pointers below `at` (`/credential`): `secret`, `certificate`, `privateKey`. Without
    /// `now` a certificate's dates are not judged.
    pub fn validate(&self, now: Option<DateTime<Utc>>, at: &str, faults: &mut Faults) {
        match self {
            Self::ClientSecret(secret) => validate_secret(secret.expose_secret(), &format!("{at}/secret"), faults),
            Self::Certificate { certificate_pem, private_key_pem } => {
                validate_certificate(certificate_pem, private_key_pem.expose_secret(), now, at, faults);
            }
            Self::Federated | Self::Awaited => {}
        }
    }

    /// What the API may show: the first three characters of a secret, which the portal shows too, or the
    /// certificate's SHA-256 thumbprint in hexadecimal.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::ClientSecret(secret) => Some(secret.expose_secret().chars().take(3).collect()),
            Self::Certificate { certificate_pem, .. } => Certificate::parse(certificate_pem).ok().map(|c| c.thumbprint),
            Self::Federated | Self::Awaited => None,
        }
    }

    /// When the certificate ends. The end of a secret is not part of the secret.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Certificate { certificate_pem, .. } => Certificate::parse(certificate_pem).ok().map(|c| c.not_after),
            Self::ClientSecret(_) | Self::Federated | Self::Awaited => None,
        }
    }
}

/// Whether a text is a GUID, which a secret's Value never is.
pub fn looks_like_secret_id(secret: &str) -> bool {
    Uuid::parse_str(secret.trim()).is_ok()
}

/// The blocks of a PEM text with their labels. Lines outside the blocks are left out.
fn pem_blocks(text: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(BEGIN) {
        let block = &rest[begin..];
        let after = &block[BEGIN.len()..];
        rest = after;
        let Some((label, _)) = after.split_once("-----") else { continue };
        let end = format!("-----END {label}-----");
        let Some(at) = block.find(&end) else { continue };
        blocks.push((label, &block[..at + end.len()]));
        rest = &block[at + end.len()..];
    }
    blocks
}

/// The first certificate and key that belong together. With one of each nothing is to be chosen.
fn matching_pair(certificates: &[String], keys: &[String]) -> Option<(String, String)> {
    if certificates.len() + keys.len() > MAX_BLOCKS {
        return None;
    }
    let parsed: Vec<(&String, Certificate)> =
        certificates.iter().filter_map(|pem| Some((pem, Certificate::parse(pem).ok()?))).collect();
    keys.iter().find_map(|key| {
        let signing = signing_key(key).ok()?;
        let (certificate, _) = parsed.iter().find(|(_, certificate)| certificate.belongs_to(&signing))?;
        Some(((*certificate).clone(), key.clone()))
    })
}

fn validate_secret(secret: &str, at: &str, faults: &mut Faults) {
    if secret.trim().is_empty() {
        faults.push(at, "required", "The client secret is required. Paste its Value.");
    } else if secret.len() > MAX_CREDENTIAL_BYTES {
        faults.push(at, "too_long", "This is too long for a client secret. Paste only the Value.");
    } else if looks_like_secret_id(secret) {
        faults.push(at, "secret_id_pasted", SECRET_ID_PASTED);
    } else if secret.trim() != secret || secret.chars().any(char::is_control) {
        faults.push(
            at,
            "secret_has_spaces",
            "The client secret has spaces or line breaks around it. Paste only the Value.",
        );
    }
}

fn validate_certificate(certificate: &str, key: &str, now: Option<DateTime<Utc>>, at: &str, faults: &mut Faults) {
    let (certificate_at, key_at) = (format!("{at}/certificate"), format!("{at}/privateKey"));
    let parsed = match Certificate::parse(certificate) {
        Ok(parsed) => Some(parsed),
        Err(fault) => {
            faults.push(&certificate_at, fault.code, fault.detail);
            None
        }
    };
    if let (Some(parsed), Some(now)) = (&parsed, now) {
        if now >= parsed.not_after {
            let detail = format!(
                "The certificate expired on {}. Create a new one, upload it to the app registration, and enter it here.",
                parsed.not_after.format("%Y-%m-%d")
            );
            faults.push(&certificate_at, "certificate_expired", detail);
        } else if now < parsed.not_before {
            let detail =
                format!("The certificate is valid only from {}.", parsed.not_before.format("%Y-%m-%d %H:%M UTC"));
            faults.push(&certificate_at, "certificate_not_yet_valid", detail);
        }
    }
    match signing_key(key) {
        Err(fault) => faults.push(&key_at, fault.code, fault.detail),
        Ok(key) => {
            if let Some(parsed) = &parsed
                && !parsed.belongs_to(&key)
            {
                faults.push(
                    &key_at,
                    "key_does_not_match",
                    "The private key does not belong to the certificate. Use the key that the certificate was created with.",
                );
            }
        }
    }
}

/// Why a certificate or key cannot be used. Contains no part of the key.
#[derive(Clone, Debug)]
pub struct CredentialFault {
    pub code: &'static str,
    pub detail: &'static str,
}

/// An RSA certificate, parsed.
pub struct Certificate {
    /// Base64url of the SHA-256 of the DER form: the header `x5t#S256`.
    pub x5t_s256: String,
    /// The same digest as upper-case hexadecimal, as the portal shows thumbprints.
    pub thumbprint: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// PKCS#1 form.
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn parse(pem: &str) -> Result<Self, CredentialFault> {
        let fault = |code, detail| Err(CredentialFault { code, detail });
        if pem.trim().is_empty() {
            return fault(
                "required",
                "The certificate is required. Paste its PEM text, from BEGIN CERTIFICATE to END CERTIFICATE.",
            );
        }
        if pem.len() > MAX_CREDENTIAL_BYTES {
            return fault("too_long", "This is too long for a certificate. Paste only the application's certificate.");
        }
        let found =
            Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok).find(|block| block.label == "CERTIFICATE");
        let Some(block) = found else {
            return fault(
                "certificate_unreadable",
                "This is not a certificate in PEM form. It starts with -----BEGIN CERTIFICATE-----; convert a .cer file \
                 with `openssl x509 -inform der -in app.cer`.",
            );
        };
        let Ok(certificate) = block.parse_x509() else {
            return fault("certificate_unreadable", "The PEM text does not contain a valid X.509 certificate.");
        };
        let public_key = certificate.public_key();
        if !matches!(public_key.parsed(), Ok(x509_parser::public_key::PublicKey::RSA(_))) {
            return fault(
                "certificate_not_rsa",
                "Entra accepts only certificates with an RSA key here. Create one with RSA 2048 or more.",
            );
        }
        let time = |at: x509_parser::time::ASN1Time| DateTime::from_timestamp(at.timestamp(), 0).unwrap_or_default();
        let digest = Sha256::digest(&block.contents);
        Ok(Self {
            x5t_s256: URL_SAFE_NO_PAD.encode(digest),
            thumbprint: digest.iter().map(|byte| format!("{byte:02X}")).collect(),
            not_before: time(certificate.validity().not_before),
            not_after: time(certificate.validity().not_after),
            public_key: public_key.subject_public_key.data.to_vec(),
        })
    }

    /// Whether what `key` signs verifies with this certificate.
    fn belongs_to(&self, key: &EncodingKey) -> bool {
        let message = b"does the key belong to the certificate?";
        let public = DecodingKey::from_rsa_der(&self.public_key);
        jsonwebtoken::crypto::sign(message, key, Algorithm::PS256)
            .and_then(|signature| jsonwebtoken::crypto::verify(&signature, message, &public, Algorithm::PS256))
            .unwrap_or(false)
    }
}

/// The RSA private key of a PEM text, PKCS#1 or PKCS#8.
pub fn signing_key(pem: &str) -> Result<EncodingKey, CredentialFault> {
    let fault = |code, detail| Err(CredentialFault { code, detail });
    if pem.trim().is_empty() {
        return fault("required", "The private key is required: paste it together with the certificate.");
    }
    if pem.len() > MAX_CREDENTIAL_BYTES {
        return fault("too_long", "This is too long for a private key.");
    }
    if pem.contains("ENCRYPTED") {
        return fault(
            "key_encrypted",
            "The private key is protected by a passphrase. Remove the passphrase with `openssl pkey -in key.pem`; this service encrypts the key before it stores it.",
        );
    }
    match EncodingKey::from_rsa_pem(pem.trim().as_bytes()) {
        Ok(key) if jsonwebtoken::crypto::sign(b"probe", &key, Algorithm::PS256).is_ok() => Ok(key),
        Ok(_) | Err(_) => fault(
            "key_unreadable",
            "This is not an RSA private key in PEM form. It starts with -----BEGIN PRIVATE KEY----- or \
             -----BEGIN RSA PRIVATE KEY-----.",
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    pub(crate) fn now() -> DateTime<Utc> {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    pub(crate) fn certificate(key: &KeyPair, last_year: i32) -> String {
        let mut params = CertificateParams::new(vec!["app.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
        params.self_signed(key).unwrap().pem()
    }

    pub(crate) fn rsa() -> KeyPair {
        KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
    }

    fn codes(credential: &Credential) -> Vec<(String, &'static str)> {
        let mut faults = Faults::default();
        credential.validate(Some(now()), "/credential", &mut faults);
        match faults.into_result() {
            Ok(()) => Vec::new(),
            Err(error) => error.faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect(),
        }
    }

    fn with(certificate: &str, key: &str) -> Credential {
        Credential::Certificate { certificate_pem: certificate.to_owned(), private_key_pem: key.to_owned().into() }
    }

    #[test]
    fn a_secret_id_is_recognised() {
        let pasted = Credential::ClientSecret("5f8c59db-677d-491f-a6b8-5f174b11ec1d".to_owned().into());
        assert_eq!(codes(&pasted), [("/credential/secret".to_owned(), "secret_id_pasted")]);
        assert_eq!(codes(&Credential::ClientSecret("abc8Q~notarealsecret".to_owned().into())), []);
        assert_eq!(codes(&Credential::ClientSecret(" \n".to_owned().into()))[0].1, "required");
        assert_eq!(codes(&Credential::ClientSecret("abc8Q~x\n".to_owned().into()))[0].1, "secret_has_spaces");
    }

    #[test]
    fn a_certificate_and_its_key_have_no_faults() {
        let key = rsa();
        let credential = with(&certificate(&key, 2027), &key.serialize_pem());
        assert_eq!(codes(&credential), []);
        assert_eq!(credential.hint().unwrap().len(), 64);
        assert_eq!(credential.expires_at().unwrap().to_rfc3339(), "2027-01-01T00:00:00+00:00");
    }

    #[test]
    fn every_fault_of_a_certificate_is_named_where_it_is() {
        let (key, other) = (rsa(), rsa());
        let good = certificate(&key, 2027);
        let (at_certificate, at_key) = ("/credential/certificate".to_owned(), "/credential/privateKey".to_owned());
        let curve = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
        for (credential, expected) in [
            (with(&good, ""), vec![(at_key.clone(), "required")]),
            (with("", &key.serialize_pem()), vec![(at_certificate.clone(), "required")]),
            (with(&good, &other.serialize_pem()), vec![(at_key.clone(), "key_does_not_match")]),
            (
                with(&certificate(&key, 2025), &key.serialize_pem()),
                vec![(at_certificate.clone(), "certificate_expired")],
            ),
            (
                with("nonsense", "nonsense"),
                vec![(at_certificate.clone(), "certificate_unreadable"), (at_key.clone(), "key_unreadable")],
            ),
            (with(&good, encrypted), vec![(at_key.clone(), "key_encrypted")]),
            (
                with(&certificate(&curve, 2027), &curve.serialize_pem()),
                vec![(at_certificate.clone(), "certificate_not_rsa"), (at_key.clone(), "key_unreadable")],
            ),
        ] {
            assert_eq!(codes(&credential), expected);
        }
    }

    /// Case C5, and the files that other tools write.
    #[test]
    fn certificate_and_key_are_found_in_one_text_in_any_order() {
        let (key, issuer) = (rsa(), rsa());
        let (pem, own, chain) = (key.serialize_pem(), certificate(&key, 2027), certificate(&issuer, 2030));
        let bag = "Bag Attributes\n    friendlyName: ENCRYPTED - my app\n    localKeyID: 01 00 00 00\nKey Attributes: <No Attributes>\n";
        for file in [
            format!("{own}{pem}"),
            format!("{pem}{own}"),
            format!("{chain}{own}{pem}"),
            format!("{pem}{chain}{own}"),
            format!("{bag}{pem}{bag}subject=CN = app.example\n\nissuer=CN = app.example\n\n{own}{bag}{chain}"),
            format!("{own}{pem}").replace('\n', "\r\n"),
        ] {
            for (certificate, key) in [(&file, &file), (&own, &file), (&file, &pem), (&chain, &file)] {
                let credential = Credential::certificate(certificate, key);
                assert_eq!(codes(&credential), [], "{file}");
                let Credential::Certificate { certificate_pem, private_key_pem } = &credential else { unreachable!() };
                assert!(!certificate_pem.contains("PRIVATE KEY"), "a key is never stored with the certificate");
                assert!(!private_key_pem.expose_secret().contains("Bag Attributes"));
                assert_eq!(credential.hint(), with(&own, &pem).hint(), "the one that belongs to the key");
            }
        }
        let strangers = Credential::certificate(&format!("{chain}{pem}"), &pem);
        assert_eq!(codes(&strangers)[0].1, "key_does_not_match");
        let traditional =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----";
        assert_eq!(codes(&Credential::certificate(&own, traditional))[0].1, "key_encrypted");
        assert_eq!(codes(&Credential::certificate(&own, "nonsense"))[0].1, "key_unreadable");
        let swapped = Credential::certificate(&pem, &own);
        assert_eq!(
            codes(&swapped).iter().map(|(_, code)| *code).collect::<Vec<_>>(),
            ["certificate_unreadable", "key_unreadable"]
        );
        assert_eq!(codes(&Credential::certificate("-----BEGIN -----BEGIN ", ""))[0].1, "certificate_unreadable");
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", Credential::ClientSecret("abc8Q~verysecret".to_owned().into()));
        assert!(!text.contains("abc8Q"), "{text}");
    }
}
