//! The word for what is a member of a group.

use crate::text_enum::text_enum;

text_enum! {
    /// The type of a member, as Graph says it.
    #[derive(PartialOrd, Ord)]
    MemberType in "mirror_members.member_type" {
        User = "user",
        Group = "group",
        Device = "device",
        ServicePrincipal = "servicePrincipal",
        Contact = "contact",
        /// An unknown type, or none.
        Other = "other",
    }
}
