//! A destination in Assets: what is stored of it in words.

use crate::text_enum::text_enum;

text_enum! {
    /// How data reaches the import source.
    DestinationKind in "destinations.kind" {
        AssetsImport = "assetsImport",
        Forge = "forge",
    }
}

text_enum! {
    /// What Assets does with objects that an import leaves out, as the administrator declared or as a run observed.
    #[derive(Default)]
    MissingObjects in "destinations.missing_objects" {
        #[default]
        Unknown = "unknown",
        Ignore = "ignore",
        Update = "update",
        Remove = "remove",
    }
}

text_enum! {
    /// What Assets does with empty values, as the administrator declared.
    #[derive(Default)]
    EmptyValues in "destinations.empty_values" {
        #[default]
        Unknown = "unknown",
        Ignore = "ignore",
        Remove = "remove",
    }
}
