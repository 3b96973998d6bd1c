//! Codes of the error of a run that failed or was cancelled.

use super::{AssetsErrorCode, Code, FindingCode, RecordedCode, code_table};

code_table! {
    /// Why a run failed or was cancelled. A finding of the connection check with the severity `error` ends a run with
    /// the finding's own code.
    RunErrorCode {
        // The run itself.
        Cancelled = "cancelled",
            "Somebody cancelled the run: `detail` says who and when.",
            "Start a new run when you want to continue.";
        Superseded = "superseded",
            "A newer run of the job was started while this one waited for approval.",
            "Nothing was delivered; look at the newer run.";
        ApprovalExpired = "approval_expired",
            "The run waited for approval, and nobody approved it in time.",
            "Look at its changes, then start a new run.";
        ApprovalOutdated = "approval_outdated",
            "The job, its filter or its destination changed while the run waited for approval, or its destination while Assets \
             carried out the import.",
            "Start a new run.";
        TooManyAttempts = "too_many_attempts",
            "The process that executed the run ended several times without progress of the run.",
            "Look in the log of the service for why its process ended, then start a new run.";
        NotFound = "not_found",
            "Something that the run needs was deleted: `detail` names it.",
            "Check the job's connection, filter and destination, then start a new run.";
        SecretUnreadable = "secret_unreadable",
            "A stored secret cannot be decrypted.",
            "Start the service with the master key that encrypted it, or enter the secret again.";
        Internal = "internal",
            "A defect of the service; its log has the cause.",
            "Start the run again. If it happens again, report the id of the run.";

        // Reading from Entra.
        SignInFailed = "sign_in_failed",
            "Sign-in failed. Only runs of older versions have this code: a run now has the code of the finding that names the reason.",
            "Run the connection check: its findings say what to fix in Entra or in the connection.";
        ConnectionUnusable = "connection_unusable",
            "The connection has no credential that can be used.",
            "Enter the credential again, and run the connection check.";
        FederatedNotAllowed = "federated_not_allowed",
            "The connection may not use the service's own workload identity.",
            "Ask the operator to add organization, tenant and client to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or certificate.";
        TenantChanged = "tenant_changed",
            "The connection reaches another tenant than the one in the mirror.",
            "Start the run with `resetMirror: true` if that is intended; otherwise correct the connection.";
        FilterInvalid = "filter_invalid",
            "Graph refuses a condition of the job's filter.",
            "Change the condition that `detail` quotes.";
        ScopeGroupHidden = "scope_group_hidden",
            "A group that the filter's scope names hides its members, so it is not known who is in scope.",
            "Grant Member.Read.Hidden, or correct `scope.groupIds`.";
        GraphUnauthorized = "graph_unauthorized",
            "Microsoft Graph rejected the token.",
            "Graph rejected a new token. Run the connection check: tenant, cloud and application must belong together.";
        GraphForbidden = "graph_forbidden",
            "Microsoft Graph denied access.",
            "Run the connection check: it shows which Application permission is missing, was added as Delegated, or lacks admin consent. After a change in Entra, wait a few minutes.";
        GraphNotFound = "graph_not_found",
            "Microsoft Graph did not find the object.",
            "The object was deleted, or its id is wrong. A run skips single objects; if a whole collection is not found, check the connection's cloud.";
        GraphBadRequest = "graph_bad_request",
            "Microsoft Graph rejected the request.",
            "If the message is about a filter, correct the job's filter; otherwise report the request id.";
        GraphUnsupported = "graph_unsupported",
            "Microsoft Graph does not support the request.",
            "If the message is about a filter or a property, change the filter or leave the property out.";
        GraphThrottled = "graph_throttled",
            "Microsoft Graph is throttling requests.",
            "The quota of this application in this tenant stayed exhausted. Run at another hour, or find out what else uses the same application.";
        GraphServerError = "graph_server_error",
            "Microsoft Graph failed.",
            "This is a fault in Graph. Try again later; if it persists, give the request id to Microsoft support.";
        GraphGatewayTimeout = "graph_gateway_timeout",
            "Microsoft Graph timed out.",
            "This is a fault in Graph. Try again later; if it persists, give the request id to Microsoft support.";
        GraphUnreachable = "graph_unreachable",
            "Microsoft Graph could not be reached.",
            "Check the network, the proxy and the DNS of this service, and the connection's cloud; then try again.";
        GraphMalformedAnswer = "graph_malformed_answer",
            "The response of Microsoft Graph could not be read.",
            "Another server may be answering instead of Graph, most often a proxy. Check ENTRA_ASSETS_PROXY and ENTRA_ASSETS_GRAPH_URL.";
        GraphForeignLink = "graph_foreign_link",
            "A link points outside Microsoft Graph.",
            "The link was not followed, because the token would have been sent there. If Graph is reached through a gateway, set ENTRA_ASSETS_GRAPH_URL to the origin of its links.";
        GraphEndlessPaging = "graph_endless_paging",
            "The pages of Microsoft Graph do not end.",
            "Graph returned the same page again, a known fault with some filters. Simplify the filter, or try again later.";
        GraphPageTokenExpired = "graph_page_token_expired",
            "The page token has expired.",
            "The collection must be read again from its first page. Start the run again; if the error persists, give the request id to Microsoft support.";
        GraphDeltaExpired = "graph_delta_expired",
            "The delta token has expired.",
            "The saved delta token is too old. A full run reads everything and gets a new one.";

        // Delivering to Assets.
        TestWouldRemove = "test_would_remove",
            "A test sends only a part of the objects, and Assets could treat the others as missing.",
            "Use a `dryRun`. Or set «Missing objects» to Ignore in Assets, then `missingObjects` of the destination to `ignore`.";
        DestinationInUse = "destination_in_use",
            "Another job delivers to the same import source through another destination, and the two would undo each other's work.",
            "Make an import source in Assets for each job. A new token of an import source belongs in the destination that is there.";
        ForgeTokenMissing = "forge_token_missing",
            "The Forge app sent no valid token for six hours.",
            "Open the app in Jira once, and check its scheduled trigger.";
        ExecutionCancelled = "execution_cancelled",
            "The import was cancelled in Assets.",
            "Start the run again; it sends everything that was not delivered.";
        AssetsProcessingTooLong = "assets_processing_too_long",
            "Assets has been processing the import for twelve hours.",
            "Look at the import in Assets; ask Atlassian support if it does not move.";

        ..Assets(AssetsErrorCode);
        ..Finding(FindingCode);
    }
}

impl From<RecordedCode<FindingCode>> for RecordedCode<RunErrorCode> {
    fn from(code: RecordedCode<FindingCode>) -> Self {
        match code {
            RecordedCode::Typed(code) => RunErrorCode::Finding(code).into(),
            RecordedCode::Unknown(text) => Self::Unknown(text),
        }
    }
}

/// An error of the service itself that ends a run.
impl From<Code> for RunErrorCode {
    fn from(code: Code) -> Self {
        match code {
            Code::NotFound => Self::NotFound,
            Code::ApprovalOutdated => Self::ApprovalOutdated,
            Code::SecretUnreadable => Self::SecretUnreadable,
            Code::ConnectionUnusable => Self::ConnectionUnusable,
            Code::FederatedNotAllowed => Self::FederatedNotAllowed,
            Code::TenantChanged => Self::TenantChanged,
            Code::FilterInvalid => Self::FilterInvalid,
            Code::TestWouldRemove => Self::TestWouldRemove,
            Code::ForgeTokenMissing => Self::ForgeTokenMissing,
            Code::DestinationInUse => Self::DestinationInUse,
            Code::GraphUnreachable => Self::GraphUnreachable,
            Code::GraphFailed => Self::GraphServerError,
            Code::AssetsUnreachable => Self::Assets(AssetsErrorCode::Unreachable),
            Code::AssetsRefused => Self::Assets(AssetsErrorCode::Refused),
            Code::AssetsTokenInvalid => Self::Assets(AssetsErrorCode::TokenInvalid),
            // What only a request to the API can meet is a defect where it ends a run.
            Code::MalformedJson
            | Code::ValidationFailed
            | Code::InvalidCursor
            | Code::BodyTooLarge
            | Code::BodyTimeout
            | Code::UnsupportedMediaType
            | Code::NotAcceptable
            | Code::Unauthenticated
            | Code::IssuerUnreachable
            | Code::Forbidden
            | Code::MethodNotAllowed
            | Code::PreconditionFailed
            | Code::InUse
            | Code::NameTaken
            | Code::RunInProgress
            | Code::LeaseLost
            | Code::RunNotCancellable
            | Code::RunNotAwaitingApproval
            | Code::IdempotencyKeyReused
            | Code::IdempotencyKeyInProgress
            | Code::RateLimited
            | Code::TicketInvalid
            | Code::ConfigurationInvalid
            | Code::DatabaseUnavailable
            | Code::Internal => Self::Internal,
        }
    }
}
