//! A job: what is stored of its settings in words.

use crate::text_enum::text_enum;

text_enum! {
    /// What is sent to the destination.
    Deliver in "jobs.deliver" {
        /// Everything in scope.
        Full = "full",
        /// What changed, if the destination ignores missing objects; otherwise everything in scope.
        Changes = "changes",
    }
}

text_enum! {
    /// What happens to objects that are gone.
    #[derive(Default)]
    RemovalPolicy in "jobs.removal_policy" {
        #[default]
        Keep = "keep",
        Mark = "mark",
        Remove = "remove",
    }
}
