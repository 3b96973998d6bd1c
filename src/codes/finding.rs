//! Codes of findings: of checks of a connection, of a manifest and of a destination.

use super::{AssetsErrorCode, code_table};

code_table! {
    /// What a check found. Meaning and advice of a refused sign-in are shown with the finding: `{tenant}`, `{client}`
    /// and `{cloud}` stand for the connection's values.
    FindingCode {
        // Permissions.
        NoApplicationPermission = "no_application_permission",
            "The credential is right, but the token carries no Application permission.",
            "Add the permissions as Application, not Delegated, and grant admin consent.";
        AddedAsDelegated = "added_as_delegated",
            "Permissions were added as Delegated, which work only for a signed-in person.",
            "Add them as Application permissions and grant admin consent.";
        AzureAdGraph = "azure_ad_graph",
            "Permissions belong to Azure AD Graph, which Microsoft has shut down.",
            "Remove them, and add those of Microsoft Graph.";
        PermissionKindMismatch = "permission_kind_mismatch",
            "An entry of the manifest has the id of an Application permission and the type Delegated, or the reverse.",
            "Remove the entry and add the permission again in the portal.";
        PermissionUnknown = "permission_unknown",
            "The manifest has Microsoft Graph permissions that this version does not know.",
            "Nothing, if you added them for another purpose; otherwise check their ids.";
        ExcessPrivileges = "excess_privileges",
            "The application has more permissions than an import needs.",
            "Remove the permissions that the finding names, unless something else needs them.";

        // The token and the application.
        TokenUnreadable = "token_unreadable",
            "The form of the token is not known, so only live requests were judged.",
            "Nothing.";
        TokenWrongAudience = "token_wrong_audience",
            "The token is not for Microsoft Graph of the connection's cloud.",
            "Correct the connection's cloud.";
        TokenWrongTenant = "token_wrong_tenant",
            "The token is from another tenant than the connection names.",
            "Correct the tenant id.";
        TokenWrongApplication = "token_wrong_application",
            "The token is for another application than the connection names.",
            "Correct the client id.";
        TokenIsDelegated = "token_is_delegated",
            "The token stands for a person, not for the application.",
            "Find out what replaces the token between the service and Entra.";
        TenantNamedByDomain = "tenant_named_by_domain",
            "The connection names the tenant by a domain, which can move to another tenant.",
            "Enter the tenant id: it never changes.";
        CredentialExpiresSoon = "credential_expires_soon",
            "The secret or certificate expires within 30 days.",
            "Create a new one and enter it before that date.";
        CredentialExpired = "credential_expired",
            "The secret or certificate has expired according to its date.",
            "Replace it, or correct the date if it still works.";
        GraphUnreachable = "graph_unreachable",
            "Entra issued a token, but Graph gave no useful answer.",
            "Check the network and proxy of the service, and Microsoft's service health.";

        // Why Entra issued no token.
        ClientSecretInvalid = "client_secret_invalid",
            "Entra rejected the client secret.",
            "Create a new client secret under Certificates & secrets and enter its Value here, not its Secret ID. The portal shows the Value only once, right after creation.";
        ClientSecretExpired = "client_secret_expired",
            "The client secret has expired.",
            "Create a new client secret under Certificates & secrets and enter its Value here. Note its end date, or use a certificate instead.";
        ClientCredentialMissing = "client_credential_missing",
            "The request reached Entra without a client secret or certificate.",
            "Enter the Value of a client secret, or a certificate with its private key.";
        ApplicationNotFound = "application_not_found",
            "The tenant {tenant} has no application with the client id {client}.",
            "Compare both ids with the Overview of the app registration. A common mistake is to copy the Object ID: the id needed here is the Application (client) ID. If the app is registered in another tenant, an administrator of {tenant} must first consent to it.";
        ServicePrincipalMissing = "service_principal_missing",
            "The app registration exists, but the tenant {tenant} has no enterprise application (service principal) for it: it was deleted or never created.",
            "Open the admin consent link and accept. That creates the enterprise application.";
        TenantNotFound = "tenant_not_found",
            "The tenant {tenant} does not exist in {cloud}.",
            "Compare the Tenant ID with the Overview of Microsoft Entra ID. If it is correct, the tenant is in another national cloud: change the connection's cloud.";
        TenantMalformed = "tenant_malformed",
            "«{tenant}» is neither a tenant id nor a domain of a tenant.",
            "Enter the Tenant ID from the Overview of Microsoft Entra ID (a GUID), or a domain that is verified there.";
        TenantNotSpecific = "tenant_not_specific",
            "«{tenant}» does not name one particular tenant.",
            "Enter the Tenant ID from the Overview of Microsoft Entra ID. `common`, `organizations` and `consumers` do not work here.";
        RequestIncomplete = "request_incomplete",
            "A field of the token request is missing or malformed.",
            "Enter tenant id, client id and credential again. If the error persists, a proxy may be changing requests; report the trace id.";
        CertificateNotRegistered = "certificate_not_registered",
            "Entra does not know the certificate that signed the request: it was not uploaded to this application, it is a different one, or it has expired.",
            "Upload the certificate (without its private key) under Certificates & secrets → Certificates, and compare the thumbprints.";
        AssertionOutOfTime = "assertion_out_of_time",
            "Entra rejected the time range of the signed request: the clocks of this service and of Microsoft differ by minutes.",
            "Correct the clock of the machine that runs this service (NTP).";
        AssertionInvalid = "assertion_invalid",
            "Entra rejected the signed request: its issuer, subject or audience does not match the application {client}.",
            "Check the client id, the tenant id and the cloud of the connection.";
        CertificateNotAccepted = "certificate_not_accepted",
            "Entra rejected the certificate: its thumbprint, subject or chain does not match what is registered for this application.",
            "Upload exactly this certificate under Certificates & secrets → Certificates, or enter the registered one.";
        CertificateUnusable = "certificate_unusable",
            "The certificate or its private key cannot be used.",
            "Enter the certificate and its private key again, both in PEM form.";
        SecretIdPasted = "secret_id_pasted",
            "The value entered as the client secret is the Secret ID, not the secret.",
            "In the portal, Certificates & secrets shows both. Copy the column Value, which is visible only right after the secret was created. If it is already hidden, create a new secret.";
        CredentialAwaited = "credential_awaited",
            "The connection has no secret and no certificate yet.",
            "Enter one, or send the administrator of Entra the link of a handover, by which they enter it themselves.";
        FederatedCredentialNotFound = "federated_credential_not_found",
            "The application has no federated credential that matches the identity of this service.",
            "Compare the issuer, subject and audience in Microsoft's message with Certificates & secrets → Federated credentials. All three must match exactly, including upper and lower case and a slash at the end.";
        FederatedNotAllowed = "federated_not_allowed",
            "This connection is not allowed to use the service's own workload identity.",
            "Ask the operator to add organization, tenant and client to ENTRA_ASSETS_FEDERATED_ALLOW, or use a secret or certificate.";
        FederatedTokenMissing = "federated_token_missing",
            "The service has no workload identity token for Entra.",
            "Ask the operator to set AZURE_FEDERATED_TOKEN_FILE to a file that the service can read.";
        ApplicationIsPublic = "application_is_public",
            "The application is configured as a public client, which cannot use a secret or certificate.",
            "Under Authentication → Advanced settings set «Allow public client flows» to No.";
        ScopeInvalid = "scope_invalid",
            "Entra rejected the scope for {cloud}.",
            "Check the connection's cloud. If it is correct, report the trace id.";
        ResourceNotFound = "resource_not_found",
            "The tenant {tenant} does not know Microsoft Graph of {cloud}.",
            "The tenant is most likely in another national cloud: change the connection's cloud. If the cloud is correct, ask an administrator whether the tenant has the enterprise application Microsoft Graph and an active subscription.";
        ResourceDisabled = "resource_disabled",
            "Microsoft Graph's own enterprise application is disabled in the tenant {tenant}, so no application gets a token for it.",
            "Ask an administrator to open Enterprise applications, application type Microsoft Applications → Microsoft Graph → Properties and set «Enabled for users to sign-in?» to Yes.";
        ApplicationNotAllowed = "application_not_allowed",
            "Entra does not allow the application {client} to sign in in this way.",
            "Use an app registration of your own tenant with a client secret or certificate. An application of Microsoft cannot be used here.";
        ApplicationDisabled = "application_disabled",
            "The application is disabled in the tenant {tenant}.",
            "Open the enterprise application → Properties and set «Enabled for users to sign-in?» to Yes.";
        ConditionalAccessBlocked = "conditional_access_blocked",
            "A Conditional Access policy for workload identities blocks the application, usually because of the IP address of this service.",
            "Ask a Conditional Access administrator to allow the IP addresses of this service in that policy, or to exclude the application.";
        SecurityDefaultsBlocked = "security_defaults_blocked",
            "The security defaults of the tenant {tenant} block the sign-in.",
            "Ask an administrator to look at the attempt under Monitoring → Sign-in logs → Service principal sign-ins. Security defaults are under Microsoft Entra ID → Properties.";
        WrongCloud = "wrong_cloud",
            "The tenant {tenant} is not in {cloud} but in another national cloud.",
            "Change the connection's cloud.";
        TenantRestricted = "tenant_restricted",
            "An outbound proxy allows only certain tenants, and {tenant} is not one of them.",
            "Ask the network administrators to add the tenant to the tenant restrictions of the proxy.";
        ConsentRequired = "consent_required",
            "An administrator has not consented to the application yet.",
            "Check that the app registration has the Application permissions, then ask an administrator to open the admin consent link and accept.";
        SignInBusy = "sign_in_busy",
            "Entra is busy, or it is throttling this application or tenant.",
            "Nothing is wrong with the connection. Try again in a few minutes.";
        SignInRefused = "sign_in_refused",
            "Entra rejected the sign-in of the application {client} in the tenant {tenant}. Microsoft's message names the reason.",
            "Read Microsoft's message and look up its number at https://login.microsoftonline.com/error. Microsoft support can find the attempt by its trace id and correlation id.";
        SignInUnreachable = "sign_in_unreachable",
            "Entra's sign-in service could not be reached.",
            "Check the network, DNS, proxy and certificate authorities of the machine that runs this service, then try again.";
        SignInAnswerUnreadable = "sign_in_answer_unreadable",
            "The response did not come from Entra's sign-in service, or it contains no token.",
            "A proxy or firewall may have answered instead: check the outbound path to the sign-in service.";

        // The destination.
        CheckIncomplete = "check_incomplete",
            "Assets did not answer all requests of the check in time.",
            "Check again. If it happens again, look at status.atlassian.com.";
        ForgeTokenMissing = "forge_token_missing",
            "The Forge app's token is missing or too old.",
            "Open the app in Jira, or check its scheduled trigger.";
        AssetsTokenValid = "assets_token_valid",
            "Assets accepts the token.",
            "Nothing.";
        ImportSourceReady = "import_source_ready",
            "The import source is ready.",
            "Nothing.";
        ImportSourceStateUnknown = "import_source_state_unknown",
            "The import source is in a state that Atlassian does not document.",
            "Look at the import source in Assets.";
        OwnExecutionInProgress = "own_execution_in_progress",
            "A run of the job is delivering now.",
            "Nothing.";
        DestinationInUse = "destination_in_use",
            "Another job delivers to the same import source through another destination, and the two would undo each other's work.",
            "Make an import source in Assets for each job. A new token of an import source belongs in the destination that is there.";
        MissingObjectsUnknown = "missing_objects_unknown",
            "The service does not know what Assets does with objects that an import leaves out, so every delivery sends everything in scope.",
            "Look at «Missing objects» in Assets and set `missingObjects` of the destination.";
        NoJob = "no_job",
            "No job delivers to the destination yet.",
            "Create a job.";
        JobDoesNotFit = "job_does_not_fit",
            "The job would bring more objects than the plan includes, or more attributes, references or values than Atlassian recommends.",
            "Follow a proposal of `GET /v1/jobs/{id}/fit`.";
        MappingEqual = "mapping_equal",
            "Object types and attributes in Assets are as the job needs them.",
            "Nothing.";
        MappingDiffers = "mapping_differs",
            "Assets lacks object types or attributes that the job needs, or has other definitions of them.",
            "Build them with POST /v1/jobs/{id}/schema, or let the next run do it.";
        SchemaChangeRefused = "schema_change_refused",
            "A name or type in Assets stays as it is, although the job has another.",
            "Follow the remedy of the finding, usually a rename in Assets.";
        EmptyValuesDiffer = "empty_values_differ",
            "«Empty values» in Assets and `emptyValues` of the destination differ.",
            "Set both to the same value.";
        RemovalNeedsApi = "removal_needs_api",
            "The job removes missing objects, but the destination has no `api`.",
            "Give the destination `api`, or choose the policy `keep` or `mark`.";
        ObjectApiOk = "object_api_ok",
            "The object API can be used.",
            "Nothing.";
        JiraAccountsOk = "jira_accounts_ok",
            "The person in `api.email` may search for Jira accounts.",
            "Nothing.";
        JiraAccountsForbidden = "jira_accounts_forbidden",
            "The person in `api.email` may not search for Jira accounts, so the job would find none.",
            "Give that person the global permission «Browse users and groups» in Jira.";
        ObjectApiSiteInvalid = "object_api_site_invalid",
            "`api.siteUrl` is not the URL of a site.",
            "Correct `api.siteUrl`.";
        ObjectApiOtherWorkspace = "object_api_other_workspace",
            "The site has another Assets workspace than the import source.",
            "Correct `api.siteUrl`, or use an import source of that site.";
        ObjectApiTokenInvalid = "object_api_token_invalid",
            "The site does not accept the API token of the person in `api.email`.",
            "Create an API token as that person and store it in the destination.";
        ObjectApiForbidden = "object_api_forbidden",
            "The person in `api.email` may not use Assets at the site.",
            "Give that person a Jira Service Management licence and a role in the object schema.";
        ObjectApiNoWorkspace = "object_api_no_workspace",
            "The site has no Assets workspace that the person in `api.email` may see.",
            "Check the address of the site and its plan.";

        ..Assets(AssetsErrorCode);
    }
}
