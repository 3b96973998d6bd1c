//! Texts of users that stand for one value.
//!
//! Characters are composed (NFC). White space at the ends does not count, and within a text any white space counts as one
//! space. Case does not count.

use super::object_type::ObjectType;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

/// A text in the form in which it is shown. `None`: it is blank.
pub(super) fn spelling(text: &str) -> Option<String> {
    let composed: String = text.nfc().collect();
    let words = composed.split_whitespace().collect::<Vec<_>>().join(" ");
    (!words.is_empty()).then_some(words)
}

/// The id of a value in any of its spellings.
pub(super) fn id(object_type: ObjectType, text: &str) -> Option<Uuid> {
    spelling(text).map(|spelling| id_of(object_type, &spelling))
}

pub(super) fn id_of(object_type: ObjectType, spelling: &str) -> Uuid {
    let folded: String = spelling.to_lowercase().nfc().collect();
    let digest = Sha256::digest(format!("{object_type}\0{folded}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
