//! Codes of warnings of a filter preview: what its numbers do not say, or what the filter may have been meant to do.

use super::code_table;

code_table! {
    /// What to know about a preview.
    PreviewWarningCode {
        NoMatch = "no_match",
            "None of the objects would be imported, although there are some.",
            "Correct the condition or the scope.";
        EverythingMatches = "everything_matches",
            "The condition excludes nothing.",
            "Nothing, if that is intended; otherwise correct the condition.";
        Estimated = "estimated",
            "The number is an estimate from the part that was read.",
            "Nothing: the import counts exactly.";
        NotInDelta = "not_in_delta",
            "Changes to a property of the condition are not in Graph's change lists, so incremental runs read everything.",
            "Nothing, if that is fast enough; otherwise use another property in the condition.";
        FilterHint = "filter_hint",
            "The filter is valid, but probably does not do what was meant.",
            "Read the detail, and correct the filter if it applies.";
        HiddenMembership = "hidden_membership",
            "A group of the scope hides its members.",
            "Grant Member.Read.Hidden.";
        ScopeGroupNotFound = "scope_group_not_found",
            "A group of the scope does not exist in the directory.",
            "Correct `scope.groupIds`.";
        PermissionMissing = "permission_missing",
            "There is no permission to read what the preview needs.",
            "Grant the permission that the warning names, or run the connection check.";
        GraphFailed = "graph_failed",
            "Graph did not answer a request of the preview, so the preview is partial.",
            "Try again in a moment; the warning has Graph's words.";
    }
}
