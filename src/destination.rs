//! A destination in Assets: what is stored of it in words.

use crate::text_enum::text_enum;

text_enum! {
    /// How data reaches the import source.
    DestinationKind in "destinations.kind" {
        /// An import source of Assets, reached with its token.
        AssetsImport = "assetsImport",
        /// An import source of a Forge app, reached with the app's token.
        Forge = "forge",
    }
}

/// The address of a site, as it is stored.
pub fn site(entered: &str) -> String {
    entered.trim_end_matches('/').to_owned()
}

text_enum! {
    /// What Assets does with objects that an import leaves out, as the administrator declared or as a run observed.
    #[derive(Default)]
    MissingObjects in "destinations.missing_objects" {
        /// Nobody has said. Each delivery sends everything in scope, so that nothing is missing.
        #[default]
        Unknown = "unknown",
        /// They stay as they are.
        Ignore = "ignore",
        /// Assets changes their status.
        Update = "update",
        /// Assets deletes them.
        Remove = "remove",
    }
}

text_enum! {
    /// What Assets does with empty values, as the administrator declared.
    #[derive(Default)]
    EmptyValues in "destinations.empty_values" {
        /// Nobody has said.
        #[default]
        Unknown = "unknown",
        /// The value that was there stays.
        Ignore = "ignore",
        /// The value is cleared.
        Remove = "remove",
    }
}
