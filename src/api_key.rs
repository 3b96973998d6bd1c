//! An API key: what it may do.

use crate::text_enum::text_enum;

text_enum! {
    /// What a key or token may do. `admin` includes the others.
    #[schema(as = KeyScope)]
    Scope in "api_keys.scopes" {
        /// Read everything but secrets.
        Read = "read",
        /// Create, change and delete connections, filters, destinations, jobs and webhooks.
        Write = "write",
        /// Start, cancel and approve runs; check connections and destinations.
        Run = "run",
        /// Manage keys and organizations, and read the audit log.
        Admin = "admin",
    }
}
