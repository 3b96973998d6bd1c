//! A job: what is stored of its settings in words.

use crate::text_enum::text_enum;

text_enum! {
    /// What is sent to the destination.
    #[derive(Default)]
    Deliver in "jobs.deliver" {
        /// Everything in scope.
        #[default]
        Full = "full",
        /// What changed, if the destination ignores missing objects; otherwise everything in scope.
        Changes = "changes",
    }
}

text_enum! {
    /// What a run that the schedule starts reads.
    #[derive(Default)]
    ScheduleMode in "jobs.schedule_mode" {
        /// Everything, each time.
        Full = "full",
        /// What changed since the last complete read. After some days, and where changes do not say enough, such a
        /// run reads everything all the same; its warning `incremental_became_full` has the reason.
        #[default]
        Incremental = "incremental",
    }
}

text_enum! {
    /// What happens to objects that are gone.
    #[derive(Default)]
    RemovalPolicy in "jobs.removal_policy" {
        /// They stay in Assets as they are.
        #[default]
        Keep = "keep",
        /// They stay as a record with the status Removed.
        Mark = "mark",
        /// They are deleted in Assets by the object API.
        Remove = "remove",
    }
}
