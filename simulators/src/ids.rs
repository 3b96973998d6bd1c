//! New ids.

use entra_assets_kernel::random::random_bytes;
use uuid::Uuid;

/// A new version 4 UUID, as Microsoft and Atlassian use.
pub fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(random_bytes()).into_uuid()
}
