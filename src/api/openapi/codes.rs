//! What `docs/errors.md` says of the codes that are no problem codes: of the errors and warnings of runs, and of the
//! findings of checks. `tests/it/openapi/codes.rs` searches the source for a code that is not here.

use crate::assets::{AssetsError, AssetsErrorKind, Conflict};
use crate::graph::{GraphError, GraphErrorKind, sign_in_error};

/// Code, what it means, what to do.
type Row = (&'static str, &'static str, &'static str);

const RUN_ERRORS: &[Row] = &[
    ("sign_in_failed", "Entra gave no token.", "Run the connection check: its findings say what to mend."),
    (
        "no_application_permission",
        "The token carries no Application permission, and nothing can be read with it.",
        "Run the connection check. A finding of the check whose severity is `error` ends a run with its own code, see below.",
    ),
    ("filter_invalid", "Graph refuses a condition of the job's filter.", "Change the condition that `detail` quotes."),
    (
        "scope_group_hidden",
        "A group that the filter's scope names hides its members: unknown is not empty.",
        "Grant Member.Read.Hidden, or correct `scope.groupIds`.",
    ),
    (
        "tenant_changed",
        "The connection reaches another tenant than the one in the mirror.",
        "Start the run with `resetMirror: true` if that is wanted; otherwise correct the connection.",
    ),
    (
        "test_would_remove",
        "A test sends a part, and Assets could treat the rest as missing.",
        "Use a `dryRun`; or set `missingObjects` to `ignore` once it is so in Assets.",
    ),
    (
        "approval_expired",
        "The run stopped at the removal brake, and nobody approved it in time.",
        "Look at its changes, then start a new run.",
    ),
    (
        "approval_outdated",
        "The job, its filter or its destination changed after the run stopped at the brake.",
        "Start a new run.",
    ),
    (
        "superseded",
        "A newer run of the job was started while this one waited for approval.",
        "Nothing was delivered; look at the newer run.",
    ),
    ("cancelled", "Somebody cancelled the run: `detail` says who and when.", "Start a new run when you want to go on."),
    (
        "execution_cancelled",
        "The import was cancelled in Assets.",
        "Start the run again; it sends everything that was not delivered.",
    ),
    (
        "assets_processing_too_long",
        "Assets has been processing the import for twelve hours.",
        "Look at the import in Assets; ask Atlassian support if it is stuck.",
    ),
    (
        "forge_token_missing",
        "The Forge app brought no valid token for six hours.",
        "Open the app in Jira once, and check its scheduled trigger.",
    ),
    (
        "too_many_attempts",
        "The process that executed the run ended again and again.",
        "Look at the log of the service, then start a new run.",
    ),
    (
        "connection_unusable",
        "The connection has no credential that can be used.",
        "Enter the credential again, and run the connection check.",
    ),
    (
        "secret_unreadable",
        "A stored secret cannot be opened.",
        "Start the service with the master key that sealed it, or enter the secret again.",
    ),
    (
        "internal",
        "A defect of the service; its log has the cause.",
        "Start the run again; if it lasts, report the id of the run.",
    ),
];

const WARNINGS: &[Row] = &[
    ("assets_error", "Assets reports an error of the import.", "Look at the import's history in Assets."),
    (
        "batch_refused",
        "The server takes no JSON batches; requests are sent one by one.",
        "Nothing: it only takes longer.",
    ),
    (
        "capability_lost",
        "A type that was imported before may not be read now. It stays as it is.",
        "Grant the permission that the warning names; the next run makes up for it.",
    ),
    (
        "delta_refused",
        "There is no position in the changes of a type, so incremental runs read everything.",
        "Nothing: it only takes longer.",
    ),
    (
        "destination_changed",
        "The job delivers to another place than before, and a dry run compares with what was delivered there.",
        "Nothing: the next run sends everything.",
    ),
    (
        "entries_ignored",
        "Assets took fewer objects than were sent.",
        "Look at the import's history in Assets; they are sent again by the next run.",
    ),
    (
        "expand_refused",
        "The server does not expand managers or owners; they are read one by one.",
        "Nothing, unless owners of devices are wanted: those are left out.",
    ),
    ("group_gone", "A group disappeared while it was read.", "Nothing: the next run sees it as it is."),
    ("incremental_became_full", "Everything was read, for the reason given.", "Nothing."),
    ("list_incomplete", "A list of Graph left out objects that are there; they were found by their ids.", "Nothing."),
    (
        "many_objects",
        "There will be more objects than a plan of Assets includes.",
        "See how many your site may have, or narrow the filter.",
    ),
    (
        "many_references",
        "Objects have more references than Atlassian recommends. All are sent.",
        "If Assets gets slow, put memberships on the side with fewer values.",
    ),
    (
        "changes_not_readable",
        "Graph tells that objects changed which it does not show yet.",
        "Nothing: the next incremental run asks for them again.",
    ),
    (
        "groups_of_arrived_unknown",
        "The groups of users who arrived may not be asked for.",
        "Start a full run after restoring users from the recycle bin.",
    ),
    (
        "members_not_compared",
        "Whether somebody left a group while its members were read could not be told.",
        "Nothing: the next run reads everything.",
    ),
    ("members_restarted", "The members of a group were read again from their first page.", "Nothing."),
    (
        "memberships_unknown",
        "The members of some groups are hidden or could not be read; what was known stays.",
        "Grant Member.Read.Hidden if they are to be imported.",
    ),
    (
        "missing_objects_observed",
        "Assets acted on objects that the import left out. The schedule is paused.",
        "Look at «Missing objects» in the import's mapping, then enable the schedule again.",
    ),
    (
        "not_cleared",
        "A value became empty, and Assets keeps the old one.",
        "Set «Empty values» to Remove in Assets and `emptyValues` to `remove`; or give the destination `api`.",
    ),
    (
        "object_api_failed",
        "Removing objects or clearing values stopped; what the import delivered stands.",
        "Mend the destination's `api`; the next run removes what is left.",
    ),
    ("page_halved", "Graph took too long for a page, so pages are smaller.", "Nothing."),
    ("page_token_expired", "A collection was read again from its beginning.", "Nothing."),
    (
        "partition_refused",
        "The server does not divide users by date; they are read one page after another.",
        "Nothing: it only takes longer.",
    ),
    (
        "references_not_resolved",
        "References were sent, and Assets resolved none or few.",
        "Set `referenceTemplate` of the destination to its other value and start a full run.",
    ),
    (
        "removal_brake",
        "More objects are missing at once than the job allows; the run awaits approval.",
        "Look at the run's changes; approve it, or cancel it and mend filter or connection.",
    ),
    (
        "removal_needs_api",
        "Missing objects should be removed, but the destination has no `api`; they are kept.",
        "Give the destination `api`, or choose the policy `keep` or `mark`.",
    ),
    (
        "removal_postponed",
        "Objects could not be removed by this run.",
        "Nothing: the next run that delivers their type removes them.",
    ),
    (
        "schema_change_refused",
        "A name or type in Assets stays as it is, although the job has another.",
        "Do what the advice says, usually a rename in Assets.",
    ),
    (
        "scope_group_unreadable",
        "A group that the filter's scope names is not there, or one nested in it hides its members; whoever was in scope stays.",
        "Correct `scope.groupIds`, or grant Member.Read.Hidden.",
    ),
    (
        "select_refused",
        "The server does not select properties; objects are read whole.",
        "Nothing: it only takes longer.",
    ),
    (
        "sign_in_activity_refused",
        "Sign-in activity may not be read; users are imported without it.",
        "Grant AuditLog.Read.All; the tenant also needs Entra ID P1 or P2.",
    ),
    (
        "soft_deleted_unknown",
        "Whether what is gone can be restored could not be read.",
        "Grant the permission that the advice names, if you want to be told.",
    ),
    (
        "test_without_groups",
        "The groups of single users cannot be read, so the test goes on without groups.",
        "Nothing: a full run reads groups another way.",
    ),
    (
        "type_not_processed",
        "Assets does not say what it did with a type.",
        "Compare the job's schema with Assets; the type is sent again by the next run.",
    ),
];

const FINDINGS: &[Row] = &[
    (
        "no_application_permission",
        "The credential is right, but the token carries no Application permission.",
        "Add the permissions as Application, not Delegated, and grant admin consent.",
    ),
    (
        "added_as_delegated",
        "Permissions were added as Delegated, which work only for a signed-in person.",
        "Add them as Application permissions and grant admin consent.",
    ),
    (
        "azure_ad_graph",
        "Permissions belong to Azure AD Graph, which Microsoft has shut down.",
        "Remove them, and add those of Microsoft Graph.",
    ),
    (
        "permission_kind_mismatch",
        "An entry of the manifest has an id of the other kind, Application or Delegated.",
        "Add the permission anew in the portal.",
    ),
    (
        "permission_unknown",
        "The manifest has permissions that are not known here.",
        "Nothing, if you added them for another purpose.",
    ),
    ("excess_privileges", "The application may do more than an import needs.", "Remove what the finding names."),
    (
        "application_disabled",
        "The enterprise application is disabled in the tenant.",
        "Enterprise application → Properties → «Enabled for users to sign-in?» → Yes.",
    ),
    (
        "service_principal_missing",
        "The tenant has no enterprise application for the app registration.",
        "Open the admin consent link and accept; wait a minute.",
    ),
    (
        "graph_unreachable",
        "Entra gave a token, but Graph gave no useful answer.",
        "Check the network and proxy of the service, and Microsoft's service health.",
    ),
    (
        "credential_expires_soon",
        "The secret or certificate ends within 30 days.",
        "Make a new one and enter it before that.",
    ),
    (
        "credential_expired",
        "The secret or certificate ended according to its date.",
        "Replace it, or correct the date.",
    ),
    (
        "tenant_named_by_domain",
        "The connection names the tenant by a domain, which can move.",
        "Enter the tenant id if you want to be safe.",
    ),
    ("token_unreadable", "The token cannot be read here; only live requests were judged.", "Nothing."),
    ("token_wrong_audience", "The token is not for Microsoft Graph of the connection's cloud.", "Correct the cloud."),
    ("token_wrong_tenant", "The token is from another tenant than the connection names.", "Correct the tenant id."),
    (
        "token_wrong_application",
        "The token is for another application than the connection names.",
        "Correct the client id.",
    ),
    (
        "token_is_delegated",
        "The token stands for a person, not for the application.",
        "Find out what replaces it between the service and Entra.",
    ),
    (
        "sign_in_refused",
        "Entra refused, for a reason that has no explanation here.",
        "Read Microsoft's message; its support finds the attempt by the trace id.",
    ),
    (
        "sign_in_unreachable",
        "Entra's sign-in service could not be reached.",
        "Check network, DNS, proxy and certificate authorities of the service.",
    ),
    (
        "sign_in_answer_unreadable",
        "The answer did not come from Entra's sign-in service.",
        "A proxy or firewall answers in its place: check the way out.",
    ),
    (
        "secret_id_pasted",
        "The Secret ID was entered, not the secret.",
        "Copy the column Value; if it is hidden already, make a new secret.",
    ),
    ("certificate_unusable", "The certificate or its private key cannot be used.", "Enter both again, in PEM form."),
    (
        "federated_not_allowed",
        "The connection may not use the service's own workload identity.",
        "Ask the operator to add it to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or certificate.",
    ),
    (
        "federated_token_missing",
        "The service has no workload identity token to show.",
        "Ask the operator to set AZURE_FEDERATED_TOKEN_FILE.",
    ),
    ("assets_token_valid", "Assets accepts the token.", "Nothing."),
    (
        "check_incomplete",
        "Assets did not answer everything in time.",
        "Check again; if it lasts, look at status.atlassian.com.",
    ),
    ("import_source_ready", "The import source is ready.", "Nothing."),
    ("import_source_state_unknown", "The import source is in a state that is not documented.", "Look at it in Assets."),
    ("own_execution_in_progress", "A run of the job is delivering just now.", "Nothing."),
    (
        "missing_objects_unknown",
        "What Assets does with objects that an import leaves out is not known, so every delivery is whole.",
        "Look at «Missing objects» in Assets and set `missingObjects` of the destination.",
    ),
    ("no_job", "No job delivers to the destination yet.", "Create one."),
    ("mapping_equal", "Object types and attributes in Assets are as the job needs them.", "Nothing."),
    (
        "mapping_differs",
        "Assets lacks object types or attributes, or has others.",
        "Build them with `POST /v1/jobs/{id}/schema`; the next run does it too.",
    ),
    (
        "schema_change_refused",
        "A name or type in Assets stays as it is, although the job has another.",
        "Do what the remedy says, usually a rename in Assets.",
    ),
    ("empty_values_differ", "«Empty values» in Assets and `emptyValues` of the destination differ.", "Set both alike."),
    (
        "removal_needs_api",
        "The job removes missing objects, but the destination has no `api`.",
        "Give the destination `api`.",
    ),
    ("object_api_ok", "The object API can be used.", "Nothing."),
    ("object_api_site_invalid", "`api.siteUrl` is not the URL of a site.", "Correct it."),
    (
        "object_api_other_workspace",
        "The site has another Assets workspace than the import source.",
        "Correct `api.siteUrl`, or use the import source of that site.",
    ),
    (
        "object_api_token_invalid",
        "The site does not accept the API token of that person.",
        "Make an API token as that person and store it.",
    ),
    (
        "object_api_forbidden",
        "That person may not use Assets at the site.",
        "Give them a licence and a role in the object schema.",
    ),
    (
        "object_api_no_workspace",
        "The site has no Assets workspace that the person may see.",
        "Check the address of the site and its plan.",
    ),
];

/// The tables, as Markdown.
pub(super) fn tables() -> String {
    let run_errors = owned(RUN_ERRORS).into_iter().chain(of_graph()).chain(of_assets());
    let findings = owned(FINDINGS).into_iter().chain(of_sign_in()).chain(of_assets());
    [
        table("Errors of runs", "`error.code` of a run that failed or was cancelled.", run_errors),
        table("Warnings of runs", "`code` in `warnings` of a run.", owned(WARNINGS)),
        table(
            "Findings of checks",
            "`code` in `findings` of a check. `{tenant}`, `{client}` and `{cloud}` stand for the connection's values.",
            findings,
        ),
    ]
    .concat()
}

fn table(title: &str, about: &str, rows: impl IntoIterator<Item = (String, String, String)>) -> String {
    let mut text = format!("\n## {title}\n\n{about}\n\n| `code` | what it means | what to do |\n|---|---|---|\n");
    let mut seen: Vec<String> = Vec::new();
    for (code, meaning, advice) in rows {
        if !seen.contains(&code) {
            text.push_str(&format!("| `{code}` | {} | {advice} |\n", sentence(&meaning)));
            seen.push(code);
        }
    }
    text
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

fn owned(rows: &[Row]) -> Vec<(String, String, String)> {
    rows.iter()
        .map(|(code, meaning, advice)| ((*code).to_owned(), (*meaning).to_owned(), (*advice).to_owned()))
        .collect()
}

fn of_graph() -> Vec<(String, String, String)> {
    use GraphErrorKind::{
        BadRequest, DeltaExpired, Forbidden, ForeignLink, GatewayTimeout, LinkLoop, Malformed, NotFound,
        PageTokenExpired, Server, Throttled, Unauthorized, Unreachable, Unsupported,
    };
    let kinds = [
        Unauthorized,
        Forbidden,
        NotFound,
        BadRequest,
        Unsupported,
        Throttled,
        Server,
        GatewayTimeout,
        Unreachable,
        Malformed,
        ForeignLink,
        LinkLoop,
        PageTokenExpired,
        DeltaExpired { location: None },
    ];
    let row = |kind| {
        let error = GraphError::new(kind, "");
        (error.kind_name().to_owned(), error.to_string(), error.advice().to_owned())
    };
    kinds.into_iter().map(row).collect()
}

fn of_assets() -> Vec<(String, String, String)> {
    use AssetsErrorKind::{
        Forbidden, ForeignLink, Malformed, NotFound, OutcomeUnknown, Server, Throttled, TooLarge, Unauthorized,
        Unreachable, Validation,
    };
    let conflicts = [
        Conflict::MissingMapping,
        Conflict::Disabled,
        Conflict::InvalidImportModuleKey,
        Conflict::InProgress,
        Conflict::Other,
    ];
    let others = [
        Unauthorized,
        Forbidden,
        TooLarge,
        Validation { details: Vec::new() },
        NotFound,
        Throttled,
        Server,
        Unreachable,
        Malformed,
        ForeignLink,
        OutcomeUnknown,
    ];
    let row = |kind| {
        let error = AssetsError::new(kind, "");
        (error.code().to_owned(), error.to_string(), error.advice().to_owned())
    };
    conflicts.map(AssetsErrorKind::Conflict).into_iter().chain(others).map(row).collect()
}

fn of_sign_in() -> Vec<(String, String, String)> {
    let row = |row: &sign_in_error::Explanation| (row.code.to_owned(), row.message.to_owned(), row.advice.to_owned());
    sign_in_error::ALL.iter().map(row).collect()
}
