//! The one error type that crosses floors: a stable code, a public sentence, every fault, and a private
//! cause that is logged once where the error is handled and never shown.
//!
//! The HTTP status of a code is known to `api::problem` alone.

use std::error::Error as StdError;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $title:literal, $why:literal, $next:literal;)*) => {
        /// Every problem code of the API. The table is the source of `docs/errors.md` and of the OpenAPI document.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code { $($(#[$doc])* $name),* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The stable text that clients compare.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text),* }
            }
            /// What happened, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }
            /// Why it happens.
            pub fn why(self) -> &'static str {
                match self { $(Code::$name => $why),* }
            }
            /// What to do next.
            pub fn next(self) -> &'static str {
                match self { $(Code::$name => $next),* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", "The body is not JSON", "The body could not be read as JSON.", "Send valid JSON in UTF-8.";
    ValidationFailed = "validation_failed", "The request has faults", "One or more values are missing, unknown, of the wrong type or out of range; `errors` names every one.", "Correct each place that `errors` points to and send the request again.";
    InvalidCursor = "invalid_cursor", "The cursor is not one of ours", "A cursor is only good for the list that gave it.", "Start the list again without `cursor`.";
    BodyTooLarge = "body_too_large", "The body is too large", "A request body may have at most 1 MiB.", "Send less.";
    UnsupportedMediaType = "unsupported_media_type", "The media type is not supported", "Bodies are JSON.", "Send `Content-Type: application/json` (or `application/merge-patch+json` for PATCH).";
    NotAcceptable = "not_acceptable", "The answer cannot be given in that form", "None of the media types in `Accept` is offered here.", "Ask for one of the media types that the OpenAPI document names for this operation.";
    Unauthenticated = "unauthenticated", "Who is calling is not known", "There is no API key or token, or it is wrong, expired or revoked.", "Send `Authorization: Bearer <key>`.";
    IssuerUnreachable = "issuer_unreachable", "The token cannot be verified now", "The public keys of the token's issuer could not be fetched.", "Try again in a moment; if it lasts, ask the operator to look at ENTRA_ASSETS_JWT_ISSUERS and the way to the issuer.";
    Forbidden = "forbidden", "The key may not do this", "The key or token lacks the scope that this operation needs.", "Use a key that has the scope named in `detail`.";
    FederatedNotAllowed = "federated_not_allowed", "The workload identity may not be used for this connection", "The operator lists in ENTRA_ASSETS_FEDERATED_ALLOW which tenants and clients may use the service's own identity.", "Ask the operator to add `organization/tenant/client`, or use a secret or a certificate.";
    NotFound = "not_found", "There is no such thing here", "The id or path is unknown, or belongs to another organization.", "Check the id; list the collection to see what exists.";
    MethodNotAllowed = "method_not_allowed", "The path does not have this method", "See the `Allow` header.", "Use one of the allowed methods.";
    PreconditionFailed = "precondition_failed", "It was changed in the meantime", "The `If-Match` header names another version than the current one.", "Get it again, look at what changed, and repeat the change.";
    InUse = "in_use", "It is still used", "Other things refer to it; `usedBy` lists them.", "Change or delete those first.";
    NameTaken = "name_taken", "The name is taken", "Another one of the same kind has this name.", "Choose another name.";
    DestinationInUse = "destination_in_use", "The destination already serves a job", "Two jobs on one import source would undo each other.", "Give each job a destination of its own.";
    RunInProgress = "run_in_progress", "A run of this job is still alive", "A job has one live run at a time.", "Wait for it, or cancel it.";
    /// Inside the service only.
    LeaseLost = "lease_lost", "Another process executes the run now", "The lease of this process expired.", "Nothing: the other process goes on from the last checkpoint.";
    RunNotCancellable = "run_not_cancellable", "The run has already ended", "Only a run that is queued, running or awaiting approval can be cancelled.", "Nothing is left to cancel.";
    RunNotAwaitingApproval = "run_not_awaiting_approval", "The run is not waiting for approval", "Only a run stopped by the removal brake can be approved.", "Look at the run's state.";
    ApprovalOutdated = "approval_outdated", "What would be approved is no longer what would happen", "The job, its destination or the mirror changed after the run stopped at the brake.", "Cancel it and start a new run.";
    TestWouldRemove = "test_would_remove", "A test delivery could remove objects", "A test sends only a part. Unless the destination says `missingObjects: ignore`, Assets may treat the rest as missing.", "Use a `dryRun`, or set `missingObjects` to `ignore` once it is set so in Assets.";
    TenantChanged = "tenant_changed", "The connection now reaches another tenant", "The mirror of this job holds another directory.", "Start the run with `resetMirror: true` if the change is wanted.";
    IdempotencyKeyReused = "idempotency_key_reused", "The idempotency key was used for another request", "A key belongs to one request body.", "Use a new key for a new request.";
    IdempotencyKeyInProgress = "idempotency_key_in_progress", "The first request with this idempotency key is still running", "Its answer is not known yet.", "Repeat the request in a moment.";
    RateLimited = "rate_limited", "Too many requests", "The caller exceeded this service's own limit.", "Wait as long as `Retry-After` says.";
    TicketInvalid = "ticket_invalid", "The ticket is not good", "A ticket is good once, for one path, within 60 seconds.", "Ask for a new ticket.";
    ConnectionUnusable = "connection_unusable", "The connection cannot be used", "Entra refused the credential, or the connection is incomplete.", "Run the connection check; its findings say what to mend.";
    FilterInvalid = "filter_invalid", "The filter cannot be used", "The filter text has an error, or Graph refused it.", "See the place that the error names.";
    GraphUnreachable = "graph_unreachable", "Microsoft Graph or the sign-in service could not be reached", "No answer came within the time allowed.", "Check the network, proxy and DNS of the service; try again.";
    GraphFailed = "graph_failed", "Microsoft Graph answered with an error", "See the Graph code and request id.", "Follow the advice of the error, or give the request id to Microsoft support.";
    AssetsUnreachable = "assets_unreachable", "Atlassian Assets could not be reached", "No answer came within the time allowed.", "Check the network and proxy of the service; try again.";
    AssetsRefused = "assets_refused", "Atlassian Assets refused the request", "See the detail.", "Follow the advice of the error.";
    AssetsTokenInvalid = "assets_token_invalid", "Assets does not accept the import token", "The token is wrong, or a newer one was generated, which ends the old one.", "Generate a new token in the import source and store it in the destination.";
    ForgeTokenMissing = "forge_token_missing", "The Forge app's token is missing or too old", "The app did not refresh its token in time.", "Open the app in Jira, or check its scheduled trigger.";
    SecretUnreadable = "secret_unreadable", "A stored secret cannot be opened", "It was sealed with a master key that this process does not have.", "Start the service with the key that sealed it, or enter the secret again.";
    ConfigurationInvalid = "configuration_invalid", "A setting is wrong", "The service was started with a setting that cannot work.", "Correct the setting that `detail` names.";
    DatabaseUnavailable = "database_unavailable", "The database cannot be reached", "PostgreSQL does not answer or has no free connection.", "Try again; if it lasts, look at the database.";
    Internal = "internal", "Something went wrong inside the service", "This is a defect; the log has the cause under the request id.", "Try again; if it lasts, report the request id.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault of a request: where (RFC 6901 pointer into the body, or `?name` of a query parameter), what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
    /// Where within the text that `pointer` leads to, if it is a text with a grammar of its own.
    pub place: Option<TextPlace>,
}

/// A place in a text, in characters, and what to write there instead, if that can be guessed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPlace {
    pub offset: usize,
    pub length: usize,
    pub suggestion: Option<String>,
}

impl Fault {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into(), place: None }
    }

    /// Place and fault in one sentence.
    fn sentence(&self) -> String {
        let place = if self.pointer.is_empty() { "The body" } else { &self.pointer };
        format!("{place}: {}.", self.detail.trim_end_matches('.'))
    }
}

/// A thing that keeps another from being deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedBy {
    /// The collection's name in the API: `jobs`.
    pub kind: &'static str,
    pub id: uuid::Uuid,
    pub name: String,
}

#[derive(Debug)]
pub struct Error {
    pub code: Code,
    /// What happened, to what, why, and what to do next; for the caller. Never holds a secret.
    pub detail: String,
    pub faults: Vec<Fault>,
    pub used_by: Vec<UsedBy>,
    /// For the log only.
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), faults: Vec::new(), used_by: Vec::new(), source: None }
    }

    /// A defect of ours: the caller sees only that there was one.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "The request could not be carried out because of a defect in the service.")
            .with_source(source)
    }

    pub fn not_found(what: &str, id: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} with the id {id}."))
    }

    /// Every fault of a request at once. `faults` must not be empty.
    pub fn validation(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => one.sentence(),
            many => format!("The request has {} faults.", many.len()),
        };
        Self { faults, ..Self::new(Code::ValidationFailed, detail) }
    }

    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn with_used_by(mut self, used_by: Vec<UsedBy>) -> Self {
        self.used_by = used_by;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Gathers faults, so that a request is answered with all of them.
#[derive(Default, Debug)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn push(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.0.push(Fault::new(pointer, code, detail));
    }

    /// As [`Faults::push`], with the place in the text.
    pub fn push_in_text(&mut self, pointer: &str, code: &'static str, detail: String, place: TextPlace) {
        self.0.push(Fault { place: Some(place), ..Fault::new(pointer, code, detail) });
    }

    /// Adds those of `more` that are about places without a fault so far.
    pub fn add_new(&mut self, more: Faults) {
        let known = self.0.len();
        for fault in more.0 {
            if !self.0[..known].iter().any(|other| other.pointer == fault.pointer) {
                self.0.push(fault);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    pub fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::validation(self.0)) }
    }
}

impl From<Vec<Fault>> for Faults {
    fn from(faults: Vec<Fault>) -> Self {
        Self(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
        }
    }

    #[test]
    fn the_display_does_not_repeat_the_source() {
        let error = Error::internal("the private cause");
        assert!(!error.to_string().contains("private"));
        assert_eq!(error.source().unwrap().to_string(), "the private cause");
    }
}
