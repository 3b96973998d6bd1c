//! Why Entra gave no token: Microsoft's own message, and an explanation of its number.
//!
//! The number only selects the explanation. Status and number together decide whether a request is repeated;
//! the text never does. Source: <https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes>;
//! docs/graph.md, «Sign-in errors».

mod table;

pub use table::{ALL, Fix};

use crate::cloud::Cloud;
use crate::codes::FindingCode;
use crate::error::{Code, Error};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Why a request for a token failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignInErrorKind {
    /// Entra rejected the request and would reject it again.
    Refused,
    /// Entra was throttling or failing until the retry time was over.
    Busy,
    /// No response at all: DNS, network, proxy, TLS or timeout.
    Unreachable,
    /// A response that does not come from a token endpoint, such as an HTML page.
    Unreadable,
    /// No request was sent, because the credential cannot be used.
    NotSent,
}

/// A failed request for a token. Holds no secret.
#[derive(Clone, Debug)]
pub struct SignInError {
    pub kind: SignInErrorKind,
    /// The code of the finding. Its table has what happened and what to do.
    pub code: FindingCode,
    /// HTTP status, if there was a response.
    pub status: Option<u16>,
    /// The AADSTS number.
    pub aadsts: Option<u32>,
    /// The OAuth error: `invalid_client`.
    pub error: Option<String>,
    /// Microsoft's sentence without the ids at its end, or a sentence of this client if Microsoft wrote none.
    pub description: String,
    /// Whether Microsoft wrote the description.
    is_microsofts: bool,
    pub trace_id: Option<String>,
    pub correlation_id: Option<String>,
    /// Ids of the Conditional Access policies that blocked.
    pub policy_ids: Vec<String>,
    /// `Retry-After` of the response.
    pub retry_after: Option<Duration>,
    /// The connection that asked.
    subject: Option<Box<Subject>>,
}

#[derive(Clone, Debug)]
struct Subject {
    tenant_id: String,
    client_id: Uuid,
    cloud: Cloud,
}

impl SignInError {
    /// An error without a response from Entra.
    pub fn of(kind: SignInErrorKind, code: FindingCode, description: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            status: None,
            aadsts: None,
            error: None,
            description: description.into(),
            is_microsofts: false,
            trace_id: None,
            correlation_id: None,
            policy_ids: Vec::new(),
            retry_after: None,
            subject: None,
        }
    }

    /// Adds the values of the connection, so that the explanation can name them.
    pub fn about(self, tenant_id: &str, client_id: Uuid, cloud: Cloud) -> Self {
        Self { subject: Some(Box::new(Subject { tenant_id: tenant_id.to_owned(), client_id, cloud })), ..self }
    }

    /// Tenant, application and cloud of the connection that asked.
    pub fn connection(&self) -> Option<(&str, Uuid, Cloud)> {
        let subject = self.subject.as_deref()?;
        Some((&subject.tenant_id, subject.client_id, subject.cloud))
    }

    /// Reads the response of the token endpoint. `request_id` is the header `x-ms-request-id`.
    pub fn from_answer(status: u16, body: &[u8], request_id: Option<&str>, retry_after: Option<Duration>) -> Self {
        let json = leading_json::<Value>(body).unwrap_or_default();
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let whole = text("error_description").unwrap_or_default();
        let aadsts = json.pointer("/error_codes/0").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
        let aadsts = aadsts.or_else(|| number_in(&whole));
        let error = text("error");
        let busy = status == 429 || status >= 500 || aadsts.is_some_and(is_transient);
        let kind = match (busy, &error) {
            (true, _) => SignInErrorKind::Busy,
            (false, Some(_)) => SignInErrorKind::Refused,
            (false, None) => SignInErrorKind::Unreadable,
        };
        let code = match (aadsts.and_then(table::find), kind) {
            (Some(code), _) => code,
            (None, SignInErrorKind::Busy) => FindingCode::SignInBusy,
            (None, SignInErrorKind::Unreadable) => FindingCode::SignInAnswerUnreadable,
            (None, _) => FindingCode::SignInRefused,
        };
        let description = match without_tail(&whole) {
            "" => format!("the sign-in service answered HTTP {status} without an OAuth error"),
            sentence => sentence.to_owned(),
        };
        Self {
            status: Some(status),
            aadsts,
            error,
            trace_id: text("trace_id").or_else(|| tail(&whole, "Trace ID:")).or_else(|| request_id.map(str::to_owned)),
            correlation_id: text("correlation_id").or_else(|| tail(&whole, "Correlation ID:")),
            policy_ids: policy_ids(&json),
            retry_after,
            is_microsofts: !without_tail(&whole).is_empty(),
            ..Self::of(kind, code, description)
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, SignInErrorKind::Busy | SignInErrorKind::Unreachable)
    }

    /// What happened and what to do next, with the values of the connection.
    pub fn sentences(&self) -> String {
        let mut text = self.with_values(&format!("{} {}", self.code.meaning(), self.code.advice()));
        let tenant = self.subject.as_deref().map(|subject| subject.tenant_id.as_str());
        let domain = tenant.filter(|tenant| Uuid::parse_str(tenant).is_err());
        if let (Some(90002 | 900023), Some(domain)) = (self.aadsts, domain) {
            text.push_str(&format!(
                " «{domain}» is a domain name. It must be verified in the tenant. The Tenant ID is safer, because it never changes."
            ));
        }
        if !self.policy_ids.is_empty() {
            text.push_str(&format!(" The id of the blocking policy is {}.", self.policy_ids.join(", ")));
        }
        text
    }

    /// The message as Microsoft wrote it, if it wrote one.
    pub fn microsoft_message(&self) -> Option<&str> {
        self.is_microsofts.then_some(self.description.as_str())
    }

    /// What to do next, with the values of the connection.
    pub fn advice(&self) -> String {
        self.with_values(self.code.advice())
    }

    fn with_values(&self, text: &str) -> String {
        let (tenant, client, cloud) = match self.subject.as_deref() {
            Some(subject) => (subject.tenant_id.as_str(), subject.client_id.to_string(), subject.cloud.title()),
            None => ("of the connection", "of the connection".to_owned(), "its cloud"),
        };
        text.replace("{tenant}", tenant).replace("{client}", &client).replace("{cloud}", cloud)
    }

    /// Where to fix it.
    pub fn fix(&self) -> Fix {
        table::fix(self.code)
    }
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SignInErrorKind::NotSent => write!(f, "Sign-in failed: {}", self.description),
            SignInErrorKind::Refused
            | SignInErrorKind::Busy
            | SignInErrorKind::Unreachable
            | SignInErrorKind::Unreadable => {
                write!(f, "Sign-in failed. {} {}", self.with_values(self.code.meaning()), self.description)
            }
        }
    }
}

impl std::error::Error for SignInError {}

impl From<SignInError> for Error {
    fn from(error: SignInError) -> Self {
        let code = match error.kind {
            SignInErrorKind::Busy | SignInErrorKind::Unreachable => Code::GraphUnreachable,
            SignInErrorKind::NotSent if error.code == FindingCode::FederatedNotAllowed => Code::FederatedNotAllowed,
            SignInErrorKind::Refused | SignInErrorKind::Unreadable | SignInErrorKind::NotSent => {
                Code::ConnectionUnusable
            }
        };
        let detail = match error.kind {
            SignInErrorKind::NotSent => error.description.clone(),
            SignInErrorKind::Unreachable => format!("{} Reason: {}.", error.sentences(), error.description),
            SignInErrorKind::Refused | SignInErrorKind::Busy | SignInErrorKind::Unreadable => {
                match error.microsoft_message() {
                    Some(message) => format!("{} Microsoft says: {message}", error.sentences()),
                    None => format!("{} Reason: {}.", error.sentences(), error.description.trim_end_matches('.')),
                }
            }
        };
        Self::new(code, detail).with_source(error)
    }
}

/// Numbers that mean «try again later», whatever the status. Source: docs/graph.md, «Sign-in errors».
fn is_transient(aadsts: u32) -> bool {
    matches!(aadsts, 50196 | 90055 | 90024 | 90033 | 90012 | 90006 | 90090 | 50033)
}

/// The JSON at the start of a body. Text that follows it, which a proxy may add, is ignored.
pub(super) fn leading_json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::Deserializer::from_slice(body).into_iter::<T>().next()?.ok()
}

fn number_in(description: &str) -> Option<u32> {
    let rest = description.split("AADSTS").nth(1)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// The sentence without «Trace ID: … Correlation ID: … Timestamp: …», which follows after line breaks
/// (until about 2024) or single spaces (since).
fn without_tail(description: &str) -> &str {
    description.find("Trace ID:").map_or(description, |at| &description[..at]).trim_end()
}

fn tail(description: &str, name: &str) -> Option<String> {
    let rest = description.split(name).nth(1)?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// `claims` is JSON within JSON: `{"access_token":{"capolids":{"essential":true,"values":["<id>"]}}}`.
fn policy_ids(json: &Value) -> Vec<String> {
    let claims = json.get("claims").and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let values =
        claims.as_ref().and_then(|claims| claims.pointer("/access_token/capolids/values")).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::HashSet;

    const TRACE: &str = "0e1a9b0c-0000-0000-0000-000000000001";
    const CORRELATION: &str = "0e1a9b0c-0000-0000-0000-000000000002";

    fn answer(status: u16, body: &Value) -> SignInError {
        SignInError::from_answer(status, body.to_string().as_bytes(), None, None)
    }

    #[test]
    fn every_row_of_the_table_is_found_by_its_number() {
        let mut seen = HashSet::new();
        for row in table::ALL {
            for number in row.numbers {
                assert!(seen.insert(*number), "{number} twice");
                let body = json!({"error": "invalid_client", "error_description": format!("AADSTS{number}: Text."), "error_codes": [number]});
                let error = answer(400, &body);
                assert_eq!((error.code, error.aadsts), (row.code, Some(*number)));
                assert_eq!(error.fix(), row.fix);
            }
        }
        for documented in [
            7000215, 7000222, 7000216, 7000218, 700016, 7000229, 90002, 900023, 9001023, 50194, 50059, 900144, 700027,
            700024, 700021, 50027, 50012, 700030, 700213, 70021, 700025, 1002012, 70011, 700022, 500011, 7000112,
            53003, 90038, 900382, 900432, 500021, 500022, 50196, 90055, 90024, 90033, 90012, 90006, 65001, 90094,
            65004, 700211, 700212, 7002137, 7002138, 900021, 500014, 650052, 7000114, 530035, 650056, 53000, 90051,
            70002,
        ] {
            assert!(seen.contains(&documented), "AADSTS{documented} has no row");
        }
    }

    #[test]
    fn both_tails_are_read() {
        for separator in ["\r\n", " "] {
            let text = format!(
                "AADSTS7000222: The provided client secret keys are expired.{separator}Trace ID: {TRACE}{separator}\
                 Correlation ID: {CORRELATION}{separator}Timestamp: 2023-06-02 21:00:26Z"
            );
            let error = answer(401, &json!({"error": "invalid_client", "error_description": text}));
            assert_eq!(error.aadsts, Some(7000222));
            assert_eq!(error.trace_id.as_deref(), Some(TRACE));
            assert_eq!(error.correlation_id.as_deref(), Some(CORRELATION));
            assert_eq!(error.description, "AADSTS7000222: The provided client secret keys are expired.");
            assert_eq!(error.code, FindingCode::ClientSecretExpired);
        }
    }

    /// Cases C1, C2 and C9.
    #[test]
    fn numbers_of_one_kind_have_one_explanation() {
        let code = |number: u32| answer(401, &json!({"error": "invalid_client", "error_codes": [number]})).code;
        for number in [700211, 700212, 700213, 7002137, 7002138, 70021] {
            assert_eq!(code(number), FindingCode::FederatedCredentialNotFound, "{number}");
        }
        let advice = FindingCode::FederatedCredentialNotFound.advice();
        assert!(["issuer", "subject", "audience"].iter().all(|word| advice.contains(word)));
        for (number, expected) in [
            (900021, FindingCode::TenantMalformed),
            (900023, FindingCode::TenantMalformed),
            (500014, FindingCode::ResourceDisabled),
            (650052, FindingCode::ResourceNotFound),
            (7000114, FindingCode::ApplicationNotAllowed),
            (530035, FindingCode::SecurityDefaultsBlocked),
            (53000, FindingCode::ConditionalAccessBlocked),
            (650056, FindingCode::ConsentRequired),
            (70002, FindingCode::ClientSecretInvalid),
        ] {
            assert_eq!(code(number), expected, "{number}");
        }
    }

    #[test]
    fn an_error_that_is_followed_by_other_text_is_read() {
        let mut body = json!({"error": "invalid_client", "error_description": "AADSTS7000222: Expired.", "error_codes": [7000222]})
            .to_string();
        body.push_str("\n<!-- added by a proxy -->");
        let error = SignInError::from_answer(401, body.as_bytes(), None, None);
        assert_eq!((error.code, error.aadsts), (FindingCode::ClientSecretExpired, Some(7000222)));
        assert_eq!(error.microsoft_message(), Some("AADSTS7000222: Expired."));
    }

    #[test]
    fn only_what_microsoft_wrote_is_microsofts_message() {
        let unreachable =
            SignInError::of(SignInErrorKind::Unreachable, FindingCode::SignInUnreachable, "no connection");
        let page = SignInError::from_answer(503, b"<html>", None, None);
        assert_eq!((unreachable.microsoft_message(), page.microsoft_message()), (None, None));
        assert!(!Error::from(page).detail.contains("Microsoft says"));
    }

    #[test]
    fn an_unknown_number_still_gives_a_useful_answer() {
        let error = answer(
            400,
            &json!({"error": "invalid_client", "error_description": "AADSTS999999: New.", "error_codes": [999999]}),
        );
        assert_eq!(
            (error.kind, error.code, error.aadsts),
            (SignInErrorKind::Refused, FindingCode::SignInRefused, Some(999999))
        );
        assert!(Error::from(error).detail.contains("AADSTS999999: New."));
    }

    #[test]
    fn trouble_at_microsoft_is_told_apart_from_a_refusal() {
        let busy = json!({"error": "temporarily_unavailable", "error_description": "AADSTS90055: Throttled.", "error_codes": [90055]});
        assert!(answer(400, &busy).is_transient());
        assert!(SignInError::from_answer(503, b"<html>", None, None).is_transient());
        assert!(SignInError::from_answer(429, b"{}", None, None).is_transient());
        let html = SignInError::from_answer(403, b"<html>proxy</html>", Some("id"), None);
        assert_eq!(
            (html.kind, html.code, html.trace_id.as_deref()),
            (SignInErrorKind::Unreadable, FindingCode::SignInAnswerUnreadable, Some("id"))
        );
    }

    #[test]
    fn sentences_name_the_connection_and_a_domain_gets_words_of_its_own() {
        let body = json!({"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found.", "error_codes": [90002]});
        let of = |tenant: &str| answer(400, &body).about(tenant, Uuid::nil(), Cloud::Global).sentences();
        assert!(of("contoso.example").contains("«contoso.example» is a domain name"));
        assert!(!of("72f988bf-86f1-41af-91ab-2d7cd011db47").contains("domain name"));
        for number in table::ALL.iter().flat_map(|row| row.numbers) {
            let body = json!({"error": "x", "error_codes": [number]});
            assert!(!Error::from(answer(400, &body)).detail.contains('{'), "{number}");
        }
    }

    #[test]
    fn the_policy_that_blocked_is_named() {
        let claims = json!({"access_token": {"capolids": {"essential": true, "values": ["policy-1"]}}}).to_string();
        let body = json!({"error": "invalid_grant", "error_description": "AADSTS53003: Blocked.", "error_codes": [53003],
            "suberror": "message_only", "claims": claims});
        assert_eq!(answer(400, &body).policy_ids, ["policy-1"]);
        assert!(answer(400, &body).sentences().contains("policy-1"));
    }
}
