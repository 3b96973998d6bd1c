//! Error responses of the token endpoint: docs/graph.md, «Sign-in errors».

use crate::graph::answer::Answer;
use crate::graph::sim::Sim;
use crate::graph::tenant::Tail;
use serde_json::json;

/// One refusal: a number and the words that go into its message.
#[derive(Clone, Debug)]
pub struct Failure {
    aadsts: u32,
    words: Vec<(&'static str, String)>,
    error: Option<&'static str>,
}

impl Failure {
    pub fn new(aadsts: u32) -> Self {
        Self { aadsts, words: Vec::new(), error: None }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.words.push((name, value.to_owned()));
        self
    }

    /// Another `error` than the table's.
    pub fn with_error(mut self, error: &'static str) -> Self {
        self.error = Some(error);
        self
    }

    pub fn answer(&self, sim: &Sim, tail: Tail) -> Answer {
        let row = row(self.aadsts);
        let mut message = row.message.to_owned();
        for (name, value) in &self.words {
            message = message.replace(&format!("{{{name}}}"), value);
        }
        let (trace, correlation) = (sim.new_id().to_string(), sim.new_id().to_string());
        let timestamp = sim.now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let glue = match tail {
            Tail::Spaces => " ",
            Tail::Lines => "\r\n",
        };
        let description = format!(
            "AADSTS{}: {message}{glue}Trace ID: {trace}{glue}Correlation ID: {correlation}{glue}Timestamp: {timestamp}",
            self.aadsts
        );
        let mut body = json!({
            "error": self.error.unwrap_or(row.error),
            "error_description": description,
            "error_codes": [self.aadsts],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.aadsts),
        });
        if self.aadsts == 53_003 {
            let policy = self.words.iter().find(|(name, _)| *name == "policy").map_or("", |(_, value)| value.as_str());
            let policy = if policy.is_empty() { crate::graph::scenario::POLICY.to_string() } else { policy.into() };
            let claims = json!({"access_token": {"capolids": {"essential": true, "values": [policy]}}});
            body["suberror"] = json!("message_only");
            body["claims"] = json!(claims.to_string());
        }
        let mut answer = Answer::value(row.status, &body);
        answer.content_type = "application/json; charset=utf-8";
        answer.headers = headers(&trace);
        answer
    }
}

/// What every answer of the sign-in service carries.
pub fn headers(trace: &str) -> Vec<(&'static str, String)> {
    [
        ("cache-control", "no-store, no-cache"),
        ("pragma", "no-cache"),
        ("expires", "-1"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains"),
        ("x-content-type-options", "nosniff"),
        ("p3p", "CP=\"DSP CUR OTPi IND OTRi ONL FIN\""),
        ("x-ms-request-id", trace),
        ("x-ms-ests-server", "2.1.18947.4 - SIM ProdSlices"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

struct Row {
    status: u16,
    error: &'static str,
    message: &'static str,
}

macro_rules! rows {
    ($($number:literal $status:literal $error:literal $message:literal;)*) => {
        fn row(aadsts: u32) -> Row {
            match aadsts {
                $($number => Row { status: $status, error: $error, message: $message },)*
                _ => Row { status: 400, error: "invalid_request", message: "An error that the simulator has no text for." },
            }
        }

        /// Every number with a text of its own, and its HTTP status.
        pub fn statuses() -> &'static [(u32, u16)] {
            &[$(($number, $status)),*]
        }
    };
}

rows! {
    7000215 401 "invalid_client" "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{appid}'.";
    7000222 401 "invalid_client" "The provided client secret keys for app '{appid}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds.";
    7000216 401 "invalid_client" "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.";
    7000218 401 "invalid_client" "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    700016 400 "unauthorized_client" "Application with identifier '{appid}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.";
    7000229 401 "invalid_client" "The client application {appid} is missing service principal in the tenant {tenantId}. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119";
    90002 400 "invalid_request" "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.";
    900021 400 "invalid_request" "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty GUID.";
    900023 400 "invalid_request" "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.";
    9001023 400 "invalid_request" "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint.";
    50194 400 "invalid_request" "Application '{appid}' is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps.";
    50059 400 "invalid_request" "No tenant-identifying information found in either the request or implied by any provided credentials.";
    900144 400 "invalid_request" "The request body must contain the following parameter: '{name}'.";
    70003 400 "unsupported_grant_type" "The app requested an unsupported grant type '{grant}'.";
    700027 401 "invalid_client" "Client assertion contains an invalid signature. [Reason - {reason}, Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '{appid}'.]";
    700024 401 "invalid_client" "Client assertion is not within its valid time range.";
    700021 401 "invalid_client" "Client assertion application identifier doesn't match 'client_id' parameter.";
    50027 401 "invalid_client" "JWT token is invalid or malformed. {reason}";
    50012 401 "invalid_client" "Authentication failed: the certificate's thumbprint is not authorized, or its chain is invalid.";
    700030 401 "invalid_client" "Invalid certificate - subject name in certificate is not authorized.";
    700211 401 "invalid_client" "No matching federated identity record found for presented assertion issuer '{issuer}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    700212 401 "invalid_client" "No matching federated identity record found for presented assertion audience '{audience}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    7002137 401 "invalid_client" "No matching federated identity record found for presented assertion. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    7002138 401 "invalid_client" "No matching federated identity record found for presented assertion. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    700213 401 "invalid_client" "No matching federated identity record found for presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.";
    70021 400 "invalid_request" "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. Assertion Subject: '{subject}'. Assertion Audience: '{audience}'.";
    700025 401 "invalid_client" "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
    1002012 400 "invalid_scope" "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).";
    70011 400 "invalid_scope" "The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid.";
    70022 400 "invalid_scope" "The provided value for the input parameter 'scope' is not valid. It names more than one resource: {scope}";
    700022 400 "invalid_scope" "The provided value for the input parameter 'scope' isn't valid because it contains more than one resource. Scope {scope} isn't valid.";
    500011 400 "invalid_resource" "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.";
    500014 400 "invalid_resource" "The service principal for resource 'https://graph.microsoft.com' is disabled. This indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has disabled the application, preventing tokens from being issued for it.";
    650052 400 "invalid_client" "The app is trying to access a service 'Microsoft Graph' that your organization '{tenant}' lacks a service principal for. Contact your IT Admin to review the configuration of your service subscriptions or consent to the application in order to create the required service principal.";
    7000114 400 "unauthorized_client" "Application '{appid}' is not allowed to make application on-behalf-of calls.";
    530035 400 "access_denied" "Access has been blocked by security defaults. The request is using legacy auth or is deemed unsafe by the security defaults policies.";
    7000112 400 "unauthorized_client" "Application '{appid}'({name}) is disabled.";
    53003 400 "invalid_grant" "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.";
    90038 400 "invalid_request" "The specified tenant '{tenant}' belongs to a National Cloud. The current cloud instance does not federate with it: NationalCloudTenantRedirection.";
    900382 400 "invalid_client" "Confidential Client is not supported in Cross Cloud request.";
    900432 400 "invalid_client" "Confidential Client is not supported in Cross Cloud request.";
    500021 403 "access_denied" "Access to '{tenant}' tenant is denied.";
    500022 403 "access_denied" "Access to '{tenant}' tenant is denied.";
    50196 400 "invalid_request" "The server terminated an operation because it encountered a loop while processing the request.";
    90055 429 "temporarily_unavailable" "There are too many incoming requests for the tenant. This response is returned because the tenant is throttled.";
    90024 503 "temporarily_unavailable" "RequestBudgetExceededError: A transient error has occurred. Please try again.";
    90033 503 "temporarily_unavailable" "A transient error has occurred. Please try again: the directory service is unavailable.";
    90012 504 "temporarily_unavailable" "RequestTimeout: The request has timed out.";
    90006 503 "temporarily_unavailable" "ExternalServerRetryableError: The service is temporarily unavailable.";
    65001 400 "invalid_grant" "The user or administrator has not consented to use the application with ID '{appid}'.";
    90094 400 "invalid_grant" "An administrator of {tenant} must consent to the permissions that the application asks for.";
    65004 400 "access_denied" "User declined to consent to access the app.";
}
