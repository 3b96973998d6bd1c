//! Keys and links as their bearers present them: `<prefix><id>_<secret>`, the id as 32 hexadecimal digits. Of the secret,
//! which is 32 random bytes, only a hash is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// A key or link as presented.
pub(super) struct PresentedSecret {
    pub id: Uuid,
    hash: [u8; 32],
}

impl PresentedSecret {
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(prefix)?.split_once('_')?;
        Some(Self { id: Uuid::try_parse(id).ok()?, hash: Sha256::digest(secret).into() })
    }

    /// Whether its hash is the stored one. The duration does not reveal how much of it is right.
    pub fn is(&self, stored: &[u8]) -> bool {
        self.hash.ct_eq(stored).into()
    }
}

/// A new key or link: its text, which is shown once, and the hash to store.
pub(super) fn new_secret(prefix: &str, id: Uuid) -> (String, Vec<u8>) {
    let secret = URL_SAFE_NO_PAD.encode(crate::random::random_bytes::<32>());
    let hash = Sha256::digest(&secret).to_vec();
    (format!("{prefix}{}_{secret}", id.simple()), hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_is_recognised_by_its_hash_alone() {
        let id = Uuid::from_u128(7);
        let (text, hash) = new_secret("eak_", id);
        let presented = PresentedSecret::parse("eak_", &text).unwrap();
        assert!(presented.id == id && presented.is(&hash));
        assert!(!presented.is(&new_secret("eak_", id).1));
        assert!(PresentedSecret::parse("eah_", &text).is_none(), "a key is no link");
        assert!(PresentedSecret::parse("eak_", "eak_x_y").is_none());
        assert!(PresentedSecret::parse("eak_", "Bearer").is_none());
    }
}
