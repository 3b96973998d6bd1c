//! A connection to an Entra tenant: what is stored of it in words.

use crate::text_enum::text_enum;

text_enum! {
    /// How a connection proves who it is.
    CredentialKind in "connections.credential_kind" {
        /// A client secret.
        ClientSecret = "clientSecret",
        /// A certificate with its private key.
        Certificate = "certificate",
        /// The workload identity of the operator: the connection has no secret.
        Federated = "federated",
        /// The credential is still to be entered: by the link of a handover, or by a change of the connection.
        Awaited = "awaited",
    }
}

text_enum! {
    /// The overall result.
    Overall in "connection_checks.overall" {
        /// Every requested capability is granted.
        Ok = "ok",
        /// Some capabilities do not work, or only in part.
        Degraded = "degraded",
        /// Sign-in failed, or no capability works.
        Failed = "failed",
    }
}
