//! Codes of failed calls to Assets, in runs and in checks of a destination.

use super::code_table;

code_table! {
    /// Why a call to Assets failed.
    AssetsErrorCode {
        TokenInvalid = "assets_token_invalid",
            "Assets rejected the token.",
            "A token stops working when a newer one is generated. In Assets open the schema's settings, Import, the import source's menu, «Generate new token», and store the new token in the destination.";
        Forbidden = "assets_forbidden",
            "Assets does not allow this request with this credential.",
            "An import token gives access to its own import source only. Access to objects needs the `api` part of the destination: a user who may edit the object schema, with an API token.";
        MappingMissing = "assets_mapping_missing",
            "The import source has no mapping.",
            "Build the schema and the mapping with POST /v1/jobs/{id}/schema and start again.";
        ImportDisabled = "assets_import_disabled",
            "The import source is disabled.",
            "Enable the import source in Assets: the schema's settings, Import, the import source's menu.";
        ImportModuleInvalid = "assets_import_module_invalid",
            "The app of the import source is not valid.",
            "The import source belongs to an app that was uninstalled or rebuilt. Create a new «External import» and store its token in the destination.";
        ExecutionInProgress = "execution_in_progress",
            "Another import of this import source is in progress.",
            "Wait for it to end, or cancel it in Assets; then start again.";
        Conflict = "assets_conflict",
            "The import source is in another state in Assets than expected.",
            "Start again.";
        ChunkTooLarge = "assets_chunk_too_large",
            "Assets rejected a request because of its size.",
            "Assets rejected even the smallest chunk. Import fewer attributes.";
        Refused = "assets_refused",
            "Assets rejected the request.",
            "If the message names an attribute, compare GET /v1/jobs/{id}/schema with the schema in Assets. Attributes of the types User and Group cannot be imported.";
        NameTaken = "assets_name_taken",
            "The object schema already has an object type or attribute of the same name that the import cannot take over.",
            "Rename or delete it in Assets, choose another name in the job's `objects`, or use an import source in an empty object schema.";
        TypeUnfit = "existing_type_unfit",
            "An object type that is already in the object schema does not fit what the job writes into it.",
            "GET /v1/destinations/{id}/types shows what is there, with a proposal. Correct `existing` in the job's `objects`, or the object type in Assets.";
        NotFound = "assets_not_found",
            "Assets did not find the import source, execution or object.",
            "If the import source was deleted, create a new one and store its token in the destination.";
        Throttled = "assets_throttled",
            "Assets is throttling requests.",
            "Assets limits the number of requests per minute for the whole site. Start again later.";
        Failed = "assets_failed",
            "Assets failed.",
            "Check status.atlassian.com and start again. If the error persists, give the request id to Atlassian support.";
        Unreachable = "assets_unreachable",
            "Assets could not be reached.",
            "Check the network, proxy and DNS of the service, and start again.";
        AnswerUnreadable = "assets_answer_unreadable",
            "The response of Assets could not be read.",
            "Check status.atlassian.com and start again. If the error persists, give the request id to Atlassian support.";
        ForeignLink = "assets_foreign_link",
            "A link in a response of Assets leads to another host and was not followed.",
            "If Assets is reached through another host, the operator sets ENTRA_ASSETS_ASSETS_URL to it.";
        OutcomeUnknown = "assets_outcome_unknown",
            "It is unknown whether Assets executed the request.",
            "No data is lost: the next attempt reads the state in Assets first.";
        Cancelled = "cancelled",
            "The request was cancelled.",
            "Start again when you want to.";
    }
}
