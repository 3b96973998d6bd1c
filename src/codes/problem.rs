//! Codes of problems: of answers of the API with a status from 400 on.

use super::code_table;

/// A code table with a title in each row.
macro_rules! problem_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $title:literal, $meaning:literal, $advice:literal;)*) => {
        code_table! {
            /// Every problem code of the API. Its HTTP status is known to `api::problem` alone.
            Code { $($(#[$doc])* $name = $text, $meaning, $advice;)* }
        }

        impl Code {
            /// What happened, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }
        }
    };
}

problem_codes! {
    MalformedJson = "malformed_json", "The body is not valid JSON",
        "The request body could not be parsed as JSON.",
        "Send valid JSON in UTF-8.";
    ValidationFailed = "validation_failed", "The request is not valid",
        "One or more values are missing, unknown, of the wrong type or out of range. `errors` lists all of them.",
        "Correct each value that `errors` points to, and send the request again.";
    InvalidCursor = "invalid_cursor", "The cursor is not valid for this list",
        "A cursor is valid only for the list and the query parameters that returned it.",
        "Request the list again without `cursor`.";
    BodyTooLarge = "body_too_large", "The body is too large",
        "A request body may have at most 1 MiB.",
        "Send a smaller body.";
    BodyTimeout = "body_timeout", "The body did not arrive in time",
        "The whole body of a request must arrive within 30 seconds.",
        "Send the request again, on a connection that is not interrupted.";
    UnsupportedMediaType = "unsupported_media_type", "Unsupported media type",
        "Request bodies must be JSON.",
        "Send `Content-Type: application/json`, or `application/merge-patch+json` for PATCH.";
    NotAcceptable = "not_acceptable", "The requested media type is not available",
        "This operation offers none of the media types in `Accept`.",
        "Request one of the media types that the OpenAPI document lists for this operation.";
    Unauthenticated = "unauthenticated", "Authentication required",
        "The API key or token is missing, wrong, expired or revoked.",
        "Send `Authorization: Bearer <key>` with a valid key.";
    IssuerUnreachable = "issuer_unreachable", "The token cannot be verified at the moment",
        "The service could not fetch the public keys of the token's issuer.",
        "Try again in a moment. If it persists, ask the operator to check ENTRA_ASSETS_JWT_ISSUERS and the network path to the issuer.";
    Forbidden = "forbidden", "Permission denied",
        "The key or token lacks the scope that this operation needs.",
        "Use a key that has the scope named in `detail`.";
    FederatedNotAllowed = "federated_not_allowed", "The workload identity may not be used for this connection",
        "ENTRA_ASSETS_FEDERATED_ALLOW lists the tenants and clients that may use the service's own identity. This connection is not among them.",
        "Ask the operator to add `organization/tenant/client`, or use a client secret or a certificate.";
    NotFound = "not_found", "Not found",
        "The id or path does not exist, or it belongs to another organization.",
        "Check the id, or list the collection to see what exists.";
    MethodNotAllowed = "method_not_allowed", "Method not allowed",
        "This path does not support the method.",
        "Use one of the methods in the `Allow` header.";
    PreconditionFailed = "precondition_failed", "Changed by someone else",
        "The version in `If-Match` is not the current version.",
        "Get the current version, check what changed, and repeat your change.";
    InUse = "in_use", "Still in use",
        "Other objects refer to it; `usedBy` lists them.",
        "Change or delete those objects first.";
    NameTaken = "name_taken", "The name is already taken",
        "Another object of the same kind has this name.",
        "Choose another name.";
    DestinationInUse = "destination_in_use", "The destination already belongs to another job",
        "Two jobs that deliver to one import source would overwrite each other's objects.",
        "Use a separate destination for each job, each with an import source of its own.";
    RunInProgress = "run_in_progress", "A run of this job is already in progress",
        "A job has at most one active run at a time.",
        "Wait until the run ends, or cancel it.";
    /// Inside the service only.
    LeaseLost = "lease_lost", "Another process took over the run",
        "The lease of this process expired.",
        "No action is needed: the other process continues from the last checkpoint.";
    RunNotCancellable = "run_not_cancellable", "The run has already ended",
        "Only a run that is queued, running or awaiting approval can be cancelled.",
        "No action is needed.";
    RunNotAwaitingApproval = "run_not_awaiting_approval", "The run is not awaiting approval",
        "Only a run that waits for approval can be approved.",
        "Check the state of the run.";
    ApprovalOutdated = "approval_outdated", "The approval is out of date",
        "The job, its destination or the imported data changed while the run waited for approval, so the run would no longer do what you reviewed.",
        "Cancel the run and start a new one.";
    TestWouldRemove = "test_would_remove", "A test delivery could remove objects",
        "A test delivers only some of the objects. Unless `missingObjects` of the destination is `ignore`, Assets may treat the others as missing and remove them.",
        "Use `dryRun`, or set the import source in Assets to ignore missing objects and then set `missingObjects` to `ignore`.";
    TenantChanged = "tenant_changed", "The connection now reaches another tenant",
        "The stored data of this job comes from another tenant.",
        "If the change is intended, start the run with `resetMirror: true`.";
    IdempotencyKeyReused = "idempotency_key_reused", "The idempotency key was used for another request",
        "An idempotency key may be repeated only with the same request.",
        "Use a new idempotency key for each new request.";
    IdempotencyKeyInProgress = "idempotency_key_in_progress", "The first request with this idempotency key is still in progress",
        "Its response is not available yet.",
        "Repeat the request in a moment.";
    RateLimited = "rate_limited", "Too many requests",
        "The caller exceeded the rate limit of this service.",
        "Wait for the number of seconds in `Retry-After`.";
    TicketInvalid = "ticket_invalid", "The ticket is not valid",
        "A ticket can be used once, for one path, within 60 seconds.",
        "Request a new ticket.";
    ConnectionUnusable = "connection_unusable", "The connection cannot be used",
        "Entra rejected the credential, the connection is incomplete, or its application may not read what was asked for.",
        "Run the connection check; its findings say what to fix.";
    FilterInvalid = "filter_invalid", "The filter is not valid",
        "The filter text has an error, or Graph rejected it.",
        "Correct the place that the error points to.";
    GraphUnreachable = "graph_unreachable", "Microsoft Graph or the sign-in service could not be reached",
        "No response arrived in time.",
        "Check the network, the proxy and the DNS of the service, and try again.";
    GraphFailed = "graph_failed", "Microsoft Graph returned an error",
        "`detail` has the status, error code and message of Graph.",
        "Follow the advice in `detail`.";
    AssetsUnreachable = "assets_unreachable", "Atlassian Assets could not be reached",
        "No response arrived in time.",
        "Check the network and the proxy of the service, and try again.";
    AssetsRefused = "assets_refused", "Atlassian Assets rejected the request",
        "`detail` says why.",
        "Follow the advice in `detail`.";
    AssetsTokenInvalid = "assets_token_invalid", "Assets does not accept the import token",
        "The token is wrong, or it stopped working because a newer one was generated.",
        "Generate a new token in the import source and save it in the destination.";
    ForgeTokenMissing = "forge_token_missing", "The token of the Forge app is missing or expired",
        "The app did not send a new token in time.",
        "Open the app in Jira, or check its scheduled trigger.";
    SecretUnreadable = "secret_unreadable", "A stored secret cannot be decrypted",
        "It was encrypted with a master key that this process does not have.",
        "Start the service with the master key that encrypted it, or enter the secret again.";
    ConfigurationInvalid = "configuration_invalid", "A setting is not valid",
        "The service was started with a setting that does not work.",
        "Correct the setting named in `detail`.";
    DatabaseUnavailable = "database_unavailable", "The database is not available",
        "PostgreSQL does not respond, has no free connection, or took too long for what was asked.",
        "Try again, or ask for less. If it persists, check the database.";
    Internal = "internal", "Internal error",
        "This is a defect of the service. The log has the cause under the request id.",
        "Try again. If it persists, report the request id.";
}
