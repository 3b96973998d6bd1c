//! Which permissions are more than an import needs: those that change or do something, and those that read what people
//! write, say, store or keep secret.

/// The areas whose reading shows content: what people write, say, store or keep secret. An area is the first part of a
/// permission's name, and one belongs here if it begins with one of these words.
const CONTENT_AREAS: &[&str] = &[
    "AiEnterpriseInteraction",
    "BackupRestore-Search",
    "BitlockerKey",
    "Bookings",
    "BusinessScenarioData",
    "Calendars",
    "Call",
    "ChannelMe",
    "Chat",
    "Contacts",
    "Content",
    "DeviceLocalCredential",
    "DeviceManagementScripts",
    "eDiscovery",
    "EduAssignments",
    "EduReports",
    "EngagementConversation",
    "EngagementExport",
    "EngagementMeetingConversation",
    "ExchangeMessageTrace",
    "ExternalItem",
    "File",
    "Group-Conversation",
    "ListItems",
    "Lists",
    "Mail",
    "Notes",
    "OnlineMeeting",
    "People.",
    "PrintJob",
    "QnA",
    "RealTimeActivityFeed",
    "RecordsManagement",
    "Schedule.",
    "SecurityAnalyzedMessage",
    "ShortNotes",
    "Sites",
    "SubjectRightsRequest",
    "Tasks",
    "TeamworkTargetedMessage",
    "ThreatAssessment",
    "ThreatHunting",
    "ThreatSubmission",
    "VirtualAppointment",
    "VirtualEvent",
];

/// Permissions that an import never needs: to change or do something, or to read content.
pub fn excess<S: AsRef<str>>(granted: &[S]) -> Vec<&str> {
    granted.iter().map(AsRef::as_ref).filter(|name| !only_reads(name) || reads_content(name)).collect()
}

/// Source: docs/graph.md, «Permissions».
fn only_reads(name: &str) -> bool {
    let action = name.split('.').nth(1).unwrap_or_default();
    action.starts_with("Read") && !action.contains("Write") && !action.contains("Update")
}

fn reads_content(name: &str) -> bool {
    CONTENT_AREAS.iter().any(|area| name.starts_with(area))
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{self, PermissionKind};
    use super::super::{Capability, TABLE};
    use super::*;

    #[test]
    fn what_can_change_things_or_read_content_is_excess() {
        for name in [
            "User.ReadWrite.All",
            "RoleManagement.ReadWrite.Directory",
            "AppRoleAssignment.ReadWrite.All",
            "User.EnableDisableAccount.All",
            "User.Invite.All",
            "Application.ReadUpdate.All",
            "AuditActivity.Write",
            "Sites.Selected",
            "Calls.AccessMedia.All",
            "Mail.Send",
            "Mail.Read",
            "ChannelMessage.Read.All",
            "ChatMessage.Read.Chat",
            "OnlineMeetingTranscript.Read.All",
            "CallRecordings.Read.All",
            "DeviceLocalCredential.Read.All",
            "BitlockerKey.Read.All",
            "eDiscovery.Read.All",
            "Tasks.Read.All",
            "Contacts.Read",
        ] {
            assert_eq!(excess(&[name]), [name]);
            assert!(catalog::id(name, PermissionKind::Application).is_some(), "{name} is not a permission");
        }
    }

    #[test]
    fn what_a_capability_needs_is_never_excess() {
        for row in TABLE {
            let all: Vec<&str> = row.parts.iter().flat_map(|part| part.iter().copied()).collect();
            assert!(excess(&all).is_empty(), "{}", row.capability);
        }
        assert_eq!(excess(&Capability::DEFAULT.iter().flat_map(|c| c.least()).collect::<Vec<_>>()).len(), 0);
    }

    /// The rest of the catalogue, to be read by a person: everything that an application may have without a warning.
    #[test]
    fn every_permission_of_the_catalogue_is_judged() {
        let all = catalog::all(PermissionKind::Application);
        assert_eq!(all.len(), 761);
        let too_much = excess(&all);
        let modest: Vec<&str> = all.iter().copied().filter(|name| !too_much.contains(name)).collect();
        insta::assert_snapshot!(modest.join("\n"));
        for area in CONTENT_AREAS {
            assert!(all.iter().any(|name| name.starts_with(area)), "{area} is no area of the catalogue");
        }
    }
}
