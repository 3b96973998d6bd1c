//! Encryption of stored secrets: AES-256-GCM with a ring of master keys. The associated data binds a value to its table,
//! column, organization and row, so a value that was copied to another row cannot be decrypted.

use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use crate::random::random_bytes;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

const FORMAT: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 12;

/// Where an encrypted value is stored.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub organization: OrganizationId,
    pub row: Uuid,
}

impl Place {
    fn associated_data(&self) -> Vec<u8> {
        format!("{}\0{}\0{}\0{}", self.table, self.column, self.organization, self.row).into_bytes()
    }
}

/// The master keys: the first encrypts, all decrypt.
#[derive(Clone)]
pub struct KeyRing(Arc<Vec<([u8; KEY_ID_BYTES], Aes256Gcm)>>);

impl KeyRing {
    /// Parses keys of 32 bytes each, in base64, separated by commas.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let mut keys = Vec::new();
        for (position, part) in text.expose_secret().split(',').map(str::trim).enumerate() {
            let bytes = BASE64.decode(part).unwrap_or_default();
            let key: [u8; 32] = bytes.try_into().map_err(|_| {
                Error::new(
                    Code::ConfigurationInvalid,
                    format!(
                        "ENTRA_ASSETS_MASTER_KEY: key {} must be exactly 32 bytes in base64. Generate one with `openssl rand \
                         -base64 32`.",
                        position + 1
                    ),
                )
            })?;
            let digest = Sha256::digest(key);
            let mut id = [0; KEY_ID_BYTES];
            id.copy_from_slice(&digest[..KEY_ID_BYTES]);
            keys.push((id, Aes256Gcm::new(&key.into())));
        }
        Ok(Self(Arc::new(keys)))
    }

    /// A new random key in the form that [`KeyRing::parse`] reads.
    pub fn generate() -> SecretString {
        BASE64.encode(random_bytes::<32>()).into()
    }

    pub fn seal(&self, place: Place, plaintext: &str) -> Result<Vec<u8>> {
        let Some((id, cipher)) = self.0.first() else {
            return Err(Error::new(Code::ConfigurationInvalid, "There is no master key. Set ENTRA_ASSETS_MASTER_KEY."));
        };
        let nonce = random_bytes::<NONCE_BYTES>();
        let payload = Payload { msg: plaintext.as_bytes(), aad: &place.associated_data() };
        let sealed = cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| Error::new(Code::Internal, "A secret could not be encrypted."))?;
        Ok([&[FORMAT][..], id, &nonce, &sealed].concat())
    }

    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<SecretString> {
        let unreadable = || {
            Error::new(
                Code::SecretUnreadable,
                format!(
                    "The secret in {}.{} of row {} cannot be decrypted with the master keys of this process. Start the \
                     service with the key that encrypted it, or enter the secret again.",
                    place.table, place.column, place.row
                ),
            )
        };
        let head = 1 + KEY_ID_BYTES + NONCE_BYTES;
        if sealed.len() < head || sealed[0] != FORMAT {
            return Err(unreadable());
        }
        let (key_id, nonce) = sealed[1..head].split_at(KEY_ID_BYTES);
        let cipher = self.0.iter().find(|(id, _)| id == key_id).map(|(_, cipher)| cipher).ok_or_else(unreadable)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| unreadable())?;
        let payload = Payload { msg: &sealed[head..], aad: &place.associated_data() };
        let plain = cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| unreadable())?;
        Ok(String::from_utf8(plain).map_err(|_| unreadable())?.into())
    }

    /// Whether a value is encrypted with an old key and should be re-encrypted.
    pub fn is_stale(&self, sealed: &[u8]) -> bool {
        let current = self.0.first().map(|(id, _)| id.as_slice());
        sealed.get(1..=KEY_ID_BYTES) != current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(row: u128) -> Place {
        Place {
            table: "connections",
            column: "secret",
            organization: OrganizationId::DEFAULT,
            row: Uuid::from_u128(row),
        }
    }

    #[test]
    fn a_value_can_be_decrypted_only_in_its_own_place() {
        let ring = KeyRing::parse(&KeyRing::generate()).unwrap();
        let sealed = ring.seal(place(1), "Tr0ub4dor").unwrap();
        assert_eq!(ring.open(place(1), &sealed).unwrap().expose_secret(), "Tr0ub4dor");
        assert!(ring.open(place(2), &sealed).is_err());
        assert!(ring.open(Place { column: "token", ..place(1) }, &sealed).is_err());
    }

    #[test]
    fn an_old_key_still_decrypts_and_a_missing_one_is_an_error() {
        let (old, new) = (KeyRing::generate(), KeyRing::generate());
        let sealed = KeyRing::parse(&old).unwrap().seal(place(1), "x").unwrap();
        let both = KeyRing::parse(&format!("{},{}", new.expose_secret(), old.expose_secret()).into()).unwrap();
        assert_eq!(both.open(place(1), &sealed).unwrap().expose_secret(), "x");
        assert!(both.is_stale(&sealed));
        let error = KeyRing::parse(&new).unwrap().open(place(1), &sealed).unwrap_err();
        assert_eq!(error.code, Code::SecretUnreadable);
    }

    #[test]
    fn a_key_of_the_wrong_length_is_rejected() {
        assert!(KeyRing::parse(&"c2hvcnQ=".to_owned().into()).is_err());
        assert!(KeyRing::parse(&"not base64".to_owned().into()).is_err());
    }
}
