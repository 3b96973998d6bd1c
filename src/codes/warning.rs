//! Codes of warnings of runs: something went wrong without ending the run.

use super::code_table;

code_table! {
    /// What went wrong on the way.
    WarningCode {
        // Reading: what Graph or the permissions do not allow.
        BatchRefused = "batch_refused",
            "Graph takes no JSON batches, so requests are sent one by one.",
            "Nothing: the run only takes longer.";
        SelectRefused = "select_refused",
            "Graph does not select properties, so objects are read with all of them.",
            "Nothing: the run only takes longer.";
        ExpandRefused = "expand_refused",
            "Graph does not expand managers, owners or members in lists, so they are read one by one.",
            "Nothing: the run only takes longer.";
        FilterNeedsAdvanced = "filter_needs_advanced",
            "Graph refuses a condition of the filter as a default query, so it is asked as an advanced one.",
            "Nothing: the run only takes longer.";
        PartitionRefused = "partition_refused",
            "Graph does not divide users by date, so they are read one page after another.",
            "Nothing: the run only takes longer.";
        DeltaRefused = "delta_refused",
            "Graph returned no delta token for a type, so incremental runs read everything of it.",
            "Nothing: incremental runs only take longer.";
        SignInActivityRefused = "sign_in_activity_refused",
            "No permission to read sign-in activity; users are imported without it.",
            "Grant AuditLog.Read.All; the tenant also needs Entra ID P1 or P2.";
        CapabilityLost = "capability_lost",
            "There is no permission any more to read a type that was imported before. Its objects stay as they are.",
            "Grant the permission that the warning names; the next run reads the type again.";
        ValuesHidden = "values_hidden",
            "No object of a type shows certain properties, and a permission that they may need is missing.",
            "Grant the permission that the warning names, or leave the attributes out of the job.";
        MembershipsUnknown = "memberships_unknown",
            "The members of some groups are hidden; those delivered before stay.",
            "Grant Member.Read.Hidden if they are to be imported.";
        ScopeGroupUnreadable = "scope_group_unreadable",
            "A group that the filter's scope names does not exist, or a group in it hides its members. Everybody who was in scope stays in scope.",
            "Correct `scope.groupIds`, or grant Member.Read.Hidden.";
        SoftDeletedUnknown = "soft_deleted_unknown",
            "The service could not read whether the objects that are missing can still be restored.",
            "Grant the permission that the advice names, if you want to know it.";
        GroupsOfArrivedUnknown = "groups_of_arrived_unknown",
            "There is no permission to read the groups, reports or owned groups of users who are new or were restored.",
            "Start a full run after restoring users from the recycle bin.";
        TestBeyondLimits = "test_beyond_limits",
            "There are too many objects for a test to find those that the filter's limits take.",
            "Nothing: a full run keeps the limits.";
        TestWithoutGroups = "test_without_groups",
            "The groups of single users cannot be read, so the test continues without groups.",
            "Nothing: a full run reads groups in another way.";

        // Reading: what cannot be true.
        CharactersReplaced = "characters_replaced",
            "Texts of some objects are no valid Unicode. The characters that cannot be read are imported as U+FFFD (�).",
            "Correct the texts in Entra, if they matter: `detail` names an object.";
        ImplausibleValues = "implausible_values",
            "Graph returned no value for a property that always has one, or that nearly all objects had. The values last known stay.",
            "Look at some of these objects in the Entra admin center. If it shows the values, report it to Microsoft; if not, the service asks again with every run.";
        PageSizeRefused = "page_size_refused",
            "Graph refuses pages of the usual size, so the pages are smaller.",
            "Nothing: the run only takes longer.";

        // Reading: what changed or failed meanwhile.
        ChangesNotReadable = "changes_not_readable",
            "Graph reported changes of objects that cannot be read yet.",
            "Nothing: the next incremental run reads them again.";
        MembersNotFound = "members_not_found",
            "Graph does not return the members of a group that exists; those delivered before stay.",
            "Remove a deleted member from the group in the Entra admin center, or give the request id to Microsoft support.";
        GroupGone = "group_gone",
            "A group was deleted while it was read.",
            "Nothing: the next run sees that it is gone.";
        IncrementalBecameFull = "incremental_became_full",
            "The incremental run read everything, for the reason given.",
            "Nothing.";
        ListIncomplete = "list_incomplete",
            "A list of Graph left out objects that exist; they were found by their ids.",
            "Nothing.";
        MembersNotCompared = "members_not_compared",
            "The service could not compare members that changed while they were read.",
            "Nothing: the next run reads everything.";
        MembersRestarted = "members_restarted",
            "The members of a group were read again from their first page.",
            "Nothing.";
        PageHalved = "page_halved",
            "Graph took too long for a page, so the pages are smaller.",
            "Nothing.";
        PageTokenExpired = "page_token_expired",
            "A page token expired, so a collection was read again from its beginning.",
            "Nothing.";

        // Comparing.
        ExistingNotCompared = "existing_not_compared",
            "The objects that are in Assets already could not be looked at: which of the new objects are there, there twice, or only there is not known.",
            "Give the destination `api` with the site's URL, an email address and an API token, and start a dry run.";
        AdoptionNeedsApproval = "adoption_needs_approval",
            "The run would change objects that others made in a way that a person has to confirm, and waits for approval.",
            "Look at GET /v1/runs/{id}/changes?action=matched, then approve or cancel the run.";
        ObjectsAmbiguous = "objects_ambiguous",
            "It is not known which object in Assets some objects are, so nothing was sent of them.",
            "Look at GET /v1/runs/{id}/changes?action=ambiguous, and correct the objects in Assets or in Entra.";
        ObjectsUnidentified = "objects_unidentified",
            "Some objects have no value of the property that identifies them in Assets, so nothing was sent of them.",
            "Look at GET /v1/runs/{id}/changes?action=unidentified. Use the id as `identity`, or fill the property in Entra.";
        RemovalBrake = "removal_brake",
            "More objects are missing at once than the job allows; the run waits for approval.",
            "Look at the run's changes; approve it, or cancel it and fix filter or connection.";
        RemovalNeedsApi = "removal_needs_api",
            "Missing objects should be removed, but the destination has no `api`; they are kept.",
            "Give the destination `api`, or choose the policy `keep` or `mark`.";
        DestinationChanged = "destination_changed",
            "The job now delivers to another place, so the dry run shows every object as one to be created.",
            "Nothing: the next run sends everything.";
        ManyObjects = "many_objects",
            "There will be more objects than a plan of Assets includes.",
            "See how many objects your site may have, or narrow the filter.";
        ManyReferences = "many_references",
            "Objects have more references than Atlassian recommends. All are sent.",
            "If Assets gets slow, put memberships on the side with fewer values.";
        NotCleared = "not_cleared",
            "A value became empty, and Assets keeps the old one.",
            "Set «Empty values» to Remove in Assets and `emptyValues` to `remove`; or give the destination `api`.";

        // Delivering.
        AssetsError = "assets_error",
            "Assets reports an error of the import.",
            "Look at the import's history in Assets.";
        ChunkRepeated = "chunk_repeated",
            "A part of the data was sent twice because the first answer was lost. Assets has everything.",
            "Nothing.";
        EntriesIgnored = "entries_ignored",
            "What Assets reports does not cover what was sent.",
            "Look at the import's history in Assets; the next run sends the objects again.";
        TypeNotProcessed = "type_not_processed",
            "Assets does not report what it did with an object type.",
            "Compare the job's schema with Assets; the next run sends the type again.";
        ReferencesNotResolved = "references_not_resolved",
            "References were sent, and Assets resolved none or few of them.",
            "Set `referenceTemplate` of the destination to its other value and start a full run.";
        SchemaChangeRefused = "schema_change_refused",
            "A name or type in Assets stays as it is, although the job has another.",
            "Follow the advice of the warning, usually a rename in Assets.";
        MissingObjectsObserved = "missing_objects_observed",
            "Assets acted on objects that the import left out. The schedule is paused.",
            "Look at «Missing objects» in the import's mapping, then enable the schedule again.";
        ObjectApiFailed = "object_api_failed",
            "Removing objects or clearing values stopped; what the import delivered stays.",
            "Fix `api` of the destination; the next run removes the rest. Values that were not cleared stay.";
        LookupsAmbiguous = "lookups_ambiguous",
            "Several objects of others have a text by which objects are to be found. Which one is referred to is up to Assets.",
            "Mark the attribute of `by` as unique in Assets, or name one in `by` of the lookup that is.";
        LookupsNotCompared = "lookups_not_compared",
            "Whether the objects that are referred to by a text are there is not known. The import stands.",
            "Give the destination `api` with the site's URL, an email address and an API token.";
        LookupsNotFound = "lookups_not_found",
            "No object has a text by which objects are to be found. Those references stay empty.",
            "Correct the text in Entra, or add an object with it in Assets; then start a full run with `\"deliver\": \"full\"`.";
        JiraUserAttributeUnfit = "jira_user_attribute_unfit",
            "The attribute for Jira accounts is not there, or does not have the type User. The import stands.",
            "Add an attribute of the type User to the object type in Assets and name it in `jiraUserAttribute`; or give the person in `api.email` the role Object Schema Manager.";
        JiraUsersFailed = "jira_users_failed",
            "The accounts of some users were not written into their objects. The next run tries again.",
            "Look at GET /v1/jobs/{id}/jira-users?outcome=failed.";
        JiraUsersForbidden = "jira_users_forbidden",
            "The person in `api.email` of the destination may not search for Jira accounts. The import stands.",
            "Give that person the global permission «Browse users and groups» in Jira. The next run looks for the accounts.";
        JiraUsersLeft = "jira_users_left",
            "A run looks for Jira accounts for half an hour at most, and there are more users.",
            "Nothing: the next run looks for the rest.";
        JiraUsersStopped = "jira_users_stopped",
            "Looking for the Jira accounts of users stopped. The import stands, and what was written stays.",
            "Fix what the warning names, usually `api` of the destination. The next run looks for the rest.";
        JiraUsersWithoutAccount = "jira_users_without_account",
            "Some users have no Jira account, several, or one that is deactivated.",
            "Look at GET /v1/jobs/{id}/jira-users?outcome=notFound, ambiguous or inactive. A full run looks again after a day.";
        RemovalPostponed = "removal_postponed",
            "This run could not remove all missing objects.",
            "Nothing: the next run that delivers their type removes them.";
    }
}
